"""One case of the fault campaign: which fault of which instrument, when it strikes, and what the campaign file says."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from digital_twin.faults import BEFORE_OR_AFTER, CAN_BE_SILENT, Moment, applicable
from lab.errors import FaultKind
from lab.recovery import DEFAULT_LADDERS, Recovery, RecoveryPolicy
from tests.crash import cases as campaigns

__all__ = [
    "ANOTHER_POLICY",
    "NEVER",
    "ROLE_OF",
    "FaultCase",
    "Rule",
    "all_cases",
    "quick_cases",
    "write_files",
]

ROLE_OF = {
    "liquid_handler/star": "handler",
    "plate_reader/infinite": "reader",
    "plate_reader/clariostar": "reader",
    "thermocycler/opentrons": "thermocycler",
    "incubator/bioshake": "shaker",
    "plate_hotel/preciseflex": "arm",
}
"""Driver -> role of its device in the workcell file."""

CLARIOSTAR = "plate_reader/clariostar"

NEVER = 1_000_000
"""An occasion that no campaign comes to: a rule about it strikes nothing and counts all the occasions that there are."""

_WIRE = (FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT, FaultKind.NONSENSE_REPLY)


def _with_one_of_the_wire(kept: FaultKind) -> tuple[FaultKind, ...]:
    return tuple(kind for kind in FaultKind if kind is kept or kind not in _WIRE)


QUICK_KINDS = {
    CLARIOSTAR: (FaultKind.NONSENSE_REPLY,),
    "thermocycler/opentrons": _with_one_of_the_wire(FaultKind.CONNECTION_LOST),
    "incubator/bioshake": _with_one_of_the_wire(FaultKind.NONSENSE_REPLY),
    "plate_hotel/preciseflex": _with_one_of_the_wire(FaultKind.TIMEOUT),
}
"""Driver -> kinds that the quick set has of it; of the others it has all."""

SEEDS = 3
ANOTHER_POLICY = (Recovery.REDO_BATCH, Recovery.SKIP_SAMPLE, Recovery.ABORT)
"""What every third seed has in place of the default ladders."""

BUDGETS = (4, 2, 2)
"""By seed: once a second batch follows; twice it may be the last one that is struck."""

SILENT_LIQUID = frozenset({FaultKind.SHORT_VOLUME})
"""Kinds that nobody can notice when they are silent: no answer is missing, and nothing is measured at the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the workcell file says of a case.

    Args:
        at: the occasion, from 1.
        count: occasions in a row.
    """

    at: int
    moment: Moment = Moment.BEFORE
    count: int = 1
    silent: bool = False

    def __str__(self) -> str:
        silent = ", silent" if self.silent else ""
        return f"occasion {self.at}, {self.count} in a row, {self.moment}{silent}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCase:
    """A fault of an instrument, and the number of the case.

    Args:
        driver: as workcell files name it.
        verb: of its device.
        seed: chooses when it strikes, and what the campaign file says of it.
    """

    driver: str
    verb: str
    kind: FaultKind
    seed: int

    def __str__(self) -> str:
        return f"{self.driver}.{self.verb}.{self.kind}:{self.seed}"

    @property
    def role(self) -> str:
        """Of the device in the workcell file."""
        return ROLE_OF[self.driver]

    @property
    def campaign(self) -> campaigns.Case:
        """The campaign that it happens to."""
        policy = str(self.policy or Recovery.HOLD)
        return campaigns.Case(seed=1, budget=BUDGETS[(self.seed - 1) % SEEDS], policy=policy)

    @property
    def policy(self) -> Recovery | None:
        """For unknown outcomes and for the fault itself; None for the default ladders."""
        if self.seed % SEEDS:
            return None
        return ANOTHER_POLICY[(crc32(self._name.encode()) + self.seed // SEEDS) % len(ANOTHER_POLICY)]

    @property
    def ladders(self) -> RecoveryPolicy:
        """What the campaign file's policies come to."""
        if self.policy is None:
            return RecoveryPolicy()
        return RecoveryPolicy({self.kind: (self.policy,), FaultKind.UNKNOWN_OUTCOME: (self.policy,)})

    @property
    def unnoticeable(self) -> bool:
        """Whether neither the instrument nor anybody else can tell that it happened."""
        return self.kind in SILENT_LIQUID and self.rule(NEVER).silent

    def rule(self, occasions: int) -> Rule:
        """When it strikes, in a campaign that has so many occasions for it.

        Moments and silence are gone through in turn, so that three seeds see all there are; the rest is drawn. Half of the
        first seeds strike once; a fault that goes on is gone after the default ladder has come to its end.
        """
        rng = random.Random(crc32(str(self).encode()))
        ways: list[tuple[Moment, bool]] = [(Moment.BEFORE, False)]
        if self.kind in BEFORE_OR_AFTER:
            ways.append((Moment.AFTER, False))
        if self._can_be_silent:
            ways.append((Moment.BEFORE, True))
        moment, silent = ways[(self.seed - 1) % len(ways)]
        longest = len(DEFAULT_LADDERS[self.kind])
        count = 1 if self.seed % SEEDS == 1 else rng.randint(1, longest)
        return Rule(at=rng.randint(1, max(1, occasions)), moment=moment, count=count, silent=silent)

    @property
    def _can_be_silent(self) -> bool:
        if self.kind not in CAN_BE_SILENT:
            return False
        # Instruments on a line are silent in any case; the rule makes no difference to them.
        return self.role in ("handler", "reader")

    @property
    def _name(self) -> str:
        return f"{self.driver}.{self.verb}.{self.kind}"


def all_cases(seeds: int = SEEDS) -> list[FaultCase]:
    """Every fault that can be asked for by a verb, with so many seeds each."""
    return [
        FaultCase(driver=driver, verb=verb, kind=kind, seed=seed)
        for driver, verb, kind in applicable()
        for seed in range(1, seeds + 1)
    ]


def quick_cases() -> list[FaultCase]:
    """One case for each kind of fault of each driver, its verbs, moments and policies taken in turn.

    What a broken wire does is the same work for all instruments on a line, so each of them has one kind of it.
    """
    chosen: dict[tuple[str, FaultKind], FaultCase] = {}
    for number, (driver, verb, kind) in enumerate(applicable()):
        if kind in QUICK_KINDS.get(driver, tuple(FaultKind)) and (
            (driver, kind) not in chosen or crc32(f"{verb}{kind}".encode()) % 2
        ):
            seed = 2 + number % (SEEDS - 1)
            chosen[driver, kind] = FaultCase(driver=driver, verb=verb, kind=kind, seed=seed)
    return list(chosen.values())


def write_files(folder: Path, case: FaultCase, rules: list[tuple[str, str, FaultKind, Rule]]) -> Path:
    """Write campaign, candidate and workcell file of a case; gives the path of the first.

    Args:
        rules: role, verb, kind and rule of each.
    """
    path = campaigns.write_files(folder, case.campaign)
    if case.policy is not None:
        _replace(path, "  recovery:\n", f"  recovery:\n    {case.kind}: {case.policy}\n")
    bench = folder / "bench.yaml"
    if case.driver == CLARIOSTAR:
        _replace(bench, "driver: plate_reader/infinite", f"driver: {CLARIOSTAR}")
    lines = [
        f"    - {{device: {role}, fault: {kind}, verb: {verb}, at: [{rule.at}], moment: {rule.moment}, "
        f"count: {rule.count}, silent: {str(rule.silent).lower()}}}"
        for role, verb, kind, rule in rules
    ]
    bench.write_text(
        "\n".join([bench.read_text(), "faults:", f"  seed: {case.seed}", "  rules:", *lines, ""])
    )
    return path


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is not in {path.name} once"
    path.write_text(text.replace(old, new))
