"""What only a person can be told: a whole worklist at once, and to measure anything that has a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from devices.command import CommandValue, not_here
from devices.liquid_handler.checks import source_problems, target_problems
from devices.liquid_handler.parts import bring
from lab.bench import Bench
from lab.interfaces import Place
from lab.types import JsonValue

__all__ = ["PORTION_S", "MeasureByHand", "WorkByHand"]

PORTION_S = 20.0
"""One portion with a pipette, fresh tip and a look at the list included; an estimate."""

SHEET_S = 300.0
"""Fetching a worklist, the plates and the pipettes; an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkByHand(CommandValue):
    """A list of portions in the order of giving, a fresh tip for each, and what to do with the plate after that.

    Args:
        portions: (source labware, source well, target labware, target well, volume_ul).
        instructions: sentences, in their order; what they do to the plate is no part of belief.
        waiting_s: how long the instructions take.
    """

    verb: ClassVar[str] = "work"

    portions: tuple[tuple[str, str, str, str, float], ...]
    instructions: tuple[str, ...] = ()
    waiting_s: float = 0.0

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Self:
        """The command that :meth:`to_json` wrote; lists come back as lists."""
        portions = tuple(
            (str(source), str(source_well), str(target), str(well), float(ul))
            for source, source_well, target, well, ul in arguments["portions"]
        )
        return cls(
            portions=portions,
            instructions=tuple(arguments["instructions"]),
            waiting_s=float(arguments["waiting_s"]),
        )

    @property
    def volume_ul(self) -> tuple[float, ...]:
        """Portions, for the limits of a person's pipettes."""
        return tuple(ul for *_, ul in self.portions)

    @property
    def transfers(self) -> tuple[tuple[Place, Place, float], ...]:
        """Every portion."""
        return tuple(
            ((source, source_well), (target, well), ul)
            for source, source_well, target, well, ul in self.portions
        )

    @property
    def touches(self) -> tuple[Place, ...]:
        """The targets; of the sources no more than their volume can be in doubt."""
        return tuple(dict.fromkeys(target for _, target, _ in self.transfers))

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        if not self.portions and not self.instructions:
            return ("There is nothing to do.",)
        trial, found = bench.copy(), dict[str, None]()
        for source, target, ul in self.transfers:
            wrong = (*source_problems(trial, *source, ul), *target_problems(trial, [(*target, ul)]))
            found.update(dict.fromkeys(wrong))
            if not wrong:
                bring(trial, source, ul, [(target, ul)])
        return tuple(found)

    def believe(self, bench: Bench) -> None:
        """Every portion was given, and nothing was wasted."""
        for source, target, ul in self.transfers:
            bring(bench, source, ul, [(target, ul)])

    def duration_s(self, bench: Bench) -> float:
        """A first estimate."""
        return SHEET_S + PORTION_S * len(self.portions) + self.waiting_s


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureByHand(CommandValue):
    """One number for each of some wells of a plate.

    Args:
        quantity: what is measured, as a person calls it (``absorbance at 600 nm``).
        unit: of every number; ``1`` for none.
        wells: that need a number.
    """

    verb: ClassVar[str] = "measure"

    plate: str
    quantity: str
    unit: str
    wells: tuple[str, ...]

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Self:
        """The command that :meth:`to_json` wrote; wells come back as a list."""
        return cls(**{**arguments, "wells": tuple(arguments["wells"])})

    @property
    def touches(self) -> tuple[Place, ...]:
        """Nothing: a measurement is taken to leave the wells as they are."""
        return ()

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        wrong = not_here(bench, self.plate, "plate")
        if wrong:
            return wrong
        strange = [well for well in self.wells if well not in bench.labware[self.plate].wells]
        if strange:
            return (f"{self.plate} has no well {', '.join(strange)}.",)
        return () if self.wells else ("There is nothing to measure.",)

    def believe(self, bench: Bench) -> None:
        """A measurement changes nothing that belief holds."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate."""
        return SHEET_S
