"""Faults of simulated instruments, from a seeded script.

A rule says what goes wrong with which requests of one instrument. Each request that a rule is about is an opportunity, and
opportunities are counted; whether the rule strikes at the n-th follows from the seed, the instrument, the rule and n, and
from nothing else. So it does not depend on how lanes interleave.

Each opportunity is a line of the world's ledger: ``fault`` where a rule struck, ``chance`` where none did, and ``recovered``
where a fault that lasts is over. They change nothing but the counts, and no noise depends on them. The counts could not be
told from the physical actions: a fault may prevent the action, and many requests (a question, a lid that is open already)
are none. Written down, they survive a crash, the rebuilt world goes on with the same script, and no fault is silent.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from zlib import crc32

import numpy as np

from digital_twin.world import World
from lab.errors import BadInput, FaultKind

__all__ = [
    "CHANCE",
    "FAULT",
    "NO_FAULTS",
    "PLATE_BENCH",
    "RECOVERED",
    "FaultRule",
    "FaultScript",
    "Faults",
    "Moment",
    "Repertoire",
    "Request",
    "Strike",
    "applicable",
    "repertoires",
]

CHANCE = "chance"
FAULT = "fault"
RECOVERED = "recovered"
"""Actions of the ledger, see above."""


class Moment(StrEnum):
    """Of a fault: before the instrument has done what it was asked for, or after."""

    BEFORE = "before"
    AFTER = "after"


BEFORE_OR_AFTER = frozenset(
    {
        FaultKind.CONNECTION_LOST,
        FaultKind.TIMEOUT,
        FaultKind.NONSENSE_REPLY,
        FaultKind.LOST_TIP,
        FaultKind.GRIP,
    }
)
"""Kinds of which there are both; all others have a moment of their own."""

CAN_BE_SILENT = frozenset({FaultKind.SHORT_VOLUME, FaultKind.TIMEOUT})
"""Kinds that an instrument may keep to itself: it draws too little and says nothing; it never answers at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """What goes wrong with one instrument, and how often.

    Args:
        instrument: name of the device.
        where: a verb of the device (``heat``) or a part of what it does (``cool``), see :class:`Repertoire`.
        probability: of striking at each opportunity.
        at: strikes at these opportunities, counted from 1; instead of a probability.
        moment: whether the instrument has done by then what it was asked for. Lost tips: before or after drawing; grip:
            found nothing, or dropped it.
        count: opportunities in a row at which it strikes, once it does.
        silent: the instrument does not say so, see :data:`CAN_BE_SILENT`.

    Raises:
        BadInput: no such rule makes sense; the error's field is the argument.
    """

    instrument: str
    kind: FaultKind
    where: str
    probability: float = 0.0
    at: tuple[int, ...] = ()
    moment: Moment = Moment.BEFORE
    count: int = 1
    silent: bool = False

    def __post_init__(self) -> None:
        if bool(self.at) == (self.probability > 0.0):
            raise BadInput(
                "A fault strikes either with a probability or at given opportunities.",
                way_out="Write probability: 0.02, or at: [3, 17].",
                field="probability",
            )
        if not 0.0 <= self.probability <= 1.0:
            raise BadInput(f"{self.probability:g} is no probability.", field="probability")
        if any(n < 1 for n in self.at):
            raise BadInput("Opportunities are counted from 1.", field="at")
        if self.count < 1:
            raise BadInput("A fault strikes at least once.", field="count")
        if self.moment is Moment.AFTER and self.kind not in BEFORE_OR_AFTER:
            raise BadInput(
                f"A fault of the kind {self.kind} has a moment of its own.",
                way_out=f"Take it out; before and after are there for {_listed(BEFORE_OR_AFTER)}.",
                field="moment",
            )
        if self.silent and self.kind not in CAN_BE_SILENT:
            raise BadInput(
                f"A fault of the kind {self.kind} is never silent.",
                way_out=f"Take it out; silent are only {_listed(CAN_BE_SILENT)}.",
                field="silent",
            )

    @property
    def key(self) -> str:
        """What the ledger calls it: ``distribute.clog.before``."""
        return ".".join((self.where, str(self.kind), str(self.moment), *(("silent",) if self.silent else ())))

    @property
    def last(self) -> float:
        """The last opportunity at which it may strike."""
        return max(self.at) + self.count - 1 if self.at else math.inf


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault, about to happen.

    Args:
        draw: uniform from 0 to 1, for what the fault leaves open (which channel, how much).
    """

    rule: FaultRule
    n: int
    draw: float

    @property
    def kind(self) -> FaultKind:
        """What goes wrong."""
        return self.rule.kind

    @property
    def after(self) -> bool:
        """Whether the instrument does first what it was asked for."""
        return self.rule.moment is Moment.AFTER

    @property
    def silent(self) -> bool:
        """Whether the instrument says nothing."""
        return self.rule.silent


@dataclass(frozen=True, slots=True)
class FaultScript:
    """All that goes wrong on one bench.

    Args:
        seed: with the same seed the same faults.
        rules: where two strike at the same opportunity, the first one does.

    Raises:
        BadInput: two rules of one instrument that the ledger could not tell apart.
    """

    seed: int = 0
    rules: tuple[FaultRule, ...] = ()

    def __post_init__(self) -> None:
        seen: set[tuple[str, str]] = set()
        for rule in self.rules:
            if (rule.instrument, rule.key) in seen:
                raise BadInput(
                    f"Two rules are about {rule.kind} of {rule.instrument} at {rule.where}.",
                    way_out="Make them one.",
                )
            seen.add((rule.instrument, rule.key))

    def of(self, instrument: str) -> tuple[FaultRule, ...]:
        """The rules about one instrument, in their order."""
        return tuple(rule for rule in self.rules if rule.instrument == instrument)

    def strike(self, rule: FaultRule, n: int) -> Strike | None:
        """Whether a rule strikes at its ``n``-th opportunity (from 1). Pure."""
        earliest = max(1, n - rule.count + 1)
        if any(self._begins(rule, begun) for begun in range(earliest, n + 1)):
            return Strike(rule, n, float(self._rng(rule, n).random(2)[1]))
        return None

    def _begins(self, rule: FaultRule, n: int) -> bool:
        return n in rule.at or bool(self._rng(rule, n).random(2)[0] < rule.probability)

    def _rng(self, rule: FaultRule, n: int) -> np.random.Generator:
        return np.random.default_rng(
            [self.seed, crc32(rule.instrument.encode()), crc32(rule.key.encode()), n]
        )


NO_FAULTS = FaultScript()


@dataclass(frozen=True, slots=True)
class Request:
    """What an instrument is being asked for.

    Args:
        part: of what it does (``cool``, ``aspirate``).
        verbs: of its device that this can belong to, as far as the instrument can tell.
    """

    part: str
    verbs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repertoire:
    """What can go wrong with one make of instrument.

    Args:
        parts: part of what it does -> the kinds of fault it can have.
        verbs: verb of its device -> kind -> the part at which that fault strikes.
    """

    parts: Mapping[str, frozenset[FaultKind]]
    verbs: Mapping[str, Mapping[FaultKind, str]]

    def meets(self, rule: FaultRule, request: Request) -> bool:
        """Whether a request is an opportunity for a rule."""
        if rule.where in self.verbs:
            return rule.where in request.verbs and self.verbs[rule.where].get(rule.kind) == request.part
        return rule.where == request.part and rule.kind in self.parts[request.part]

    def check(self, rule: FaultRule) -> None:
        """Refuse a rule that could never strike.

        Raises:
            BadInput: the instrument has no such verb or part, or that fault does not occur there.
        """
        if rule.where not in self.verbs and rule.where not in self.parts:
            raise BadInput(
                f"The {rule.instrument} does nothing called {rule.where!r}.",
                way_out=f"It knows {', '.join((*self.verbs, *self.parts))}.",
                field="verb",
            )
        kinds = self.verbs[rule.where] if rule.where in self.verbs else self.parts[rule.where]
        if rule.kind not in kinds:
            raise BadInput(
                f"The fault {rule.kind} does not happen to {rule.where} of {rule.instrument}.",
                way_out=f"What does: {_listed(kinds)}.",
                field="fault",
            )


@dataclass(slots=True)
class Faults:
    """The faults of one instrument in a world: counts its opportunities, on the world's ledger.

    Args:
        world: the instrument stands in.
        instrument: name of the device.
        repertoire: of its make.
        script: of the bench.
    """

    world: World
    instrument: str
    repertoire: Repertoire
    script: FaultScript = NO_FAULTS
    _rules: tuple[FaultRule, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._rules = self.script.of(self.instrument)
        for rule in self._rules:
            self.repertoire.check(rule)

    def strike(
        self, request: Request | None, *, line: str = "", lasting: Container[FaultKind] = ()
    ) -> Strike | None:
        """What goes wrong with a request, if anything; on the ledger when this returns.

        Args:
            line: the request as it was sent.
            lasting: kinds that last: the world keeps them, with the line, until they are over.
        """
        if request is None or not self._rules:
            return None
        counts = self.world.state.opportunities.get(self.instrument, {})
        met = {
            rule: counts.get(rule.key, 0) + 1
            for rule in self._rules
            if self.repertoire.meets(rule, request) and counts.get(rule.key, 0) < rule.last
        }
        if not met:
            return None
        struck = next(filter(None, (self.script.strike(rule, n) for rule, n in met.items())), None)
        opportunities = {rule.key: n for rule, n in met.items()}
        if struck is None:
            self.world.act(self.instrument, CHANCE, opportunities=opportunities)
        else:
            kept = {"lasting": line} if struck.kind in lasting else {}
            self.world.act(
                self.instrument,
                FAULT,
                opportunities=opportunities,
                rule=struck.rule.key,
                kind=str(struck.kind),
                **kept,
            )
        return struck


def repertoires() -> dict[str, Repertoire]:
    """Name of a driver, as workcell files use it -> what can go wrong with its twin."""
    # Instruments import this module.
    from digital_twin.instruments.atc_faults import ATC_FAULTS
    from digital_twin.instruments.balance import METTLER_TOLEDO
    from digital_twin.instruments.bus_faults import AQ6370_FAULTS, EUROTHERM_FAULTS, NE1000_FAULTS
    from digital_twin.instruments.chamber_faults import IOC_FAULTS, LADS_FAULTS, SILA_FAULTS
    from digital_twin.instruments.cytomat import CYTOMAT
    from digital_twin.instruments.handler_makes import EVO_FAULTS
    from digital_twin.instruments.line_faults import BIOSHAKE, PRECISEFLEX, THERMOCYCLER
    from digital_twin.instruments.masterflex_faults import MASTERFLEX_FAULTS
    from digital_twin.instruments.microspin import MICROSPIN_FAULTS
    from digital_twin.instruments.opentrons_faults import OPENTRONS_FAULTS
    from digital_twin.instruments.opentrons_module_faults import (
        HEATER_SHAKER,
        MAGNETIC_MODULE,
        TEMPERATURE_MODULE,
    )
    from digital_twin.instruments.plate_reader import READER_FAULTS
    from digital_twin.instruments.star_faults import STAR_FAULTS
    from digital_twin.instruments.tec_faults import CPAC_FAULTS, THERMOSHAKE_FAULTS

    return {
        "liquid_handler/star": STAR_FAULTS,
        "liquid_handler/evo": EVO_FAULTS,
        "liquid_handler/opentrons": OPENTRONS_FAULTS,
        "plate_reader/infinite": READER_FAULTS,
        "plate_reader/clariostar": READER_FAULTS,
        "plate_reader/synergy": READER_FAULTS,
        "thermocycler/opentrons": THERMOCYCLER.repertoire,
        "thermocycler/atc": ATC_FAULTS.repertoire,
        "incubator/bioshake": BIOSHAKE.repertoire,
        "incubator/opentrons_robot": HEATER_SHAKER.repertoire,
        "temperature_module/opentrons_robot": TEMPERATURE_MODULE.repertoire,
        "magnet/opentrons_robot": MAGNETIC_MODULE.repertoire,
        "incubator/inheco_thermoshake": THERMOSHAKE_FAULTS.repertoire,
        "temperature_module/inheco_cpac": CPAC_FAULTS.repertoire,
        "plate_hotel/preciseflex": PRECISEFLEX,
        "plate_hotel/cytomat": CYTOMAT.repertoire,
        "centrifuge/microspin": MICROSPIN_FAULTS,
        "balance/mettler_toledo": METTLER_TOLEDO.repertoire,
        "climate_chamber/lads": LADS_FAULTS.repertoire,
        "climate_chamber/epics": IOC_FAULTS.repertoire,
        "climate_chamber/sila": SILA_FAULTS.repertoire,
        "furnace/eurotherm": EUROTHERM_FAULTS.repertoire,
        "syringe_pump/ne1000": NE1000_FAULTS.repertoire,
        "pump/masterflex": MASTERFLEX_FAULTS.repertoire,
        "spectrometer/aq6370": AQ6370_FAULTS.repertoire,
    }


PLATE_BENCH = (
    "liquid_handler/star",
    "plate_reader/infinite",
    "plate_reader/clariostar",
    "thermocycler/opentrons",
    "incubator/bioshake",
    "plate_hotel/preciseflex",
)
"""Drivers of the bench on which whole campaigns are tried with every fault."""


def applicable(drivers: Sequence[str] = PLATE_BENCH) -> list[tuple[str, str, FaultKind]]:
    """Every fault of some drivers that can be asked for by a verb: driver, verb, kind; in a fixed order."""
    known = repertoires()
    return [
        (driver, verb, kind)
        for driver in drivers
        for verb, kinds in known[driver].verbs.items()
        for kind in FaultKind
        if kind in kinds
    ]


def _listed(kinds: Sequence[FaultKind] | frozenset[FaultKind] | Mapping[FaultKind, str]) -> str:
    return ", ".join(sorted(str(kind) for kind in kinds))
