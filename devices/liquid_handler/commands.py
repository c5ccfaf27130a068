"""What a liquid handler can be told. Volumes are at the tip; wells are names as ``B7``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from devices.command import CommandValue
from devices.liquid_handler import timing
from devices.liquid_handler.checks import source_problems, target_problems, tip_problems
from devices.liquid_handler.parts import bring, use_up
from lab.bench import Bench
from lab.interfaces import Place
from lab.types import JsonValue

__all__ = ["CHANNELS", "AddReagent", "Distribute", "Mix", "by_column"]

CHANNELS = 8
"""Pipetting channels that work side by side, one for each row of a 96-well plate."""

OVERAGE_SHARE = 0.05
OVERAGE_UL = 2.0
"""Drawn beyond what is given when one tip serves several wells, so that the last one is not short; goes to the waste with
the tip. Makers advise 5 to 10 % and a minimum."""


def overage_ul(total_ul: float) -> float:
    """What to draw beyond a total that is given in portions."""
    return max(OVERAGE_UL, OVERAGE_SHARE * total_ul)


def by_column(wells: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Wells grouped by column, columns in order, wells of a column from the top: what eight channels do at once."""
    columns: dict[int, list[str]] = defaultdict(list)
    for well in wells:
        columns[int(well[1:])].append(well)
    return tuple(tuple(sorted(columns[column])) for column in sorted(columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribute(CommandValue):
    """One fresh tip: draw once, give to some wells with the tip in their liquid, throw the tip away.

    What is given to several wells is drawn with an overage (:func:`overage_ul`).

    Args:
        targets: (labware, well, volume_ul), in the order of giving.
        tip_volume_ul: capacity of the tip to use.
        mix_cycles: of drawing up and giving back half a well after each portion; 0 for none.
    """

    verb: ClassVar[str] = "distribute"

    source_labware: str
    source_well: str
    targets: tuple[tuple[str, str, float], ...]
    tip_volume_ul: float
    mix_cycles: int = 0

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Self:
        """The command that :meth:`to_json` wrote; targets come back as lists."""
        targets = tuple((str(labware), str(well), float(ul)) for labware, well, ul in arguments["targets"])
        return cls(**{**arguments, "targets": targets})

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return tuple(dict.fromkeys((self.source_labware, *(labware for labware, _, _ in self.targets))))

    @property
    def volume_ul(self) -> tuple[float, ...]:
        """Portions, for the limits of a device."""
        return tuple(volume_ul for _, _, volume_ul in self.targets)

    @property
    def transfers(self) -> tuple[tuple[Place, Place, float], ...]:
        """From the source to each target, in the order of giving."""
        return tuple((self._source, place, volume_ul) for place, volume_ul in self._portions)

    @property
    def touches(self) -> tuple[Place, ...]:
        """The targets; of the source no more than its volume can be in doubt."""
        return tuple(dict.fromkeys(place for place, _ in self._portions))

    @property
    def _source(self) -> Place:
        return (self.source_labware, self.source_well)

    @property
    def _portions(self) -> tuple[tuple[Place, float], ...]:
        return tuple(((labware, well), volume_ul) for labware, well, volume_ul in self.targets)

    @property
    def drawn_ul(self) -> float:
        """What is drawn in all."""
        total_ul = sum(self.volume_ul)
        return total_ul if len(self.targets) == 1 else total_ul + overage_ul(total_ul)

    def mix_ul(self, well_ul: float) -> float:
        """Stroke of mixing in a well that holds so much: half of it, as far as the tip has room."""
        return max(0.0, min(0.5 * well_ul, self.tip_volume_ul - self.drawn_ul))

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        if not self.targets:
            return ("There is nothing to distribute to.",)
        found = [
            *source_problems(bench, self.source_labware, self.source_well, self.drawn_ul),
            *target_problems(bench, self.targets),
            *tip_problems(bench, 1, self.tip_volume_ul),
        ]
        if self.drawn_ul > self.tip_volume_ul:
            found.append(f"{self.drawn_ul:g} ul do not fit a tip of {self.tip_volume_ul:g} ul.")
        if self.mix_cycles < 0:
            found.append(f"{self.mix_cycles} cycles of mixing make no sense.")
        return found

    def believe(self, bench: Bench) -> None:
        """One tip is used; the source gave all that was drawn, the wells have their portions, the rest is waste."""
        bench.use_tips(bench.next_tips(1, self.tip_volume_ul))
        bring(bench, self._source, self.drawn_ul, self._portions)

    def believe_part(self, bench: Bench, part: JsonValue) -> None:
        """What a broken-off one did: ``tips``, ``drawn_ul``, and ``given``, the number of targets served, in their order."""
        if part:
            use_up(bench, part["tips"])
            bring(bench, self._source, part["drawn_ul"], self._portions[: part["given"]])

    def duration_s(self, bench: Bench) -> float:
        """A first estimate, from the work to be done."""
        giving_s = sum(timing.DISPENSE_S + timing.moving_s(ul) for ul in self.volume_ul)
        mixing_s = len(self.targets) * timing.mixing_s(0.5 * self.tip_volume_ul, self.mix_cycles)
        drawing_s = timing.ASPIRATE_S + timing.moving_s(self.drawn_ul) + timing.AIR_S
        return timing.PICK_UP_S + drawing_s + giving_s + mixing_s + timing.DROP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class AddReagent(CommandValue):
    """The same volume of one reagent into many wells, column by column with eight channels, from above the wells.

    Nothing touches what is in the wells, so one set of fresh tips serves the whole plate.

    Args:
        wells: of one plate; each row that occurs uses one tip.
    """

    verb: ClassVar[str] = "add_reagent"

    source_labware: str
    source_well: str
    labware: str
    wells: tuple[str, ...]
    volume_ul: float
    tip_volume_ul: float

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Self:
        """The command that :meth:`to_json` wrote; wells come back as a list."""
        return cls(**{**arguments, "wells": tuple(arguments["wells"])})

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.source_labware, self.labware)

    @property
    def transfers(self) -> tuple[tuple[Place, Place, float], ...]:
        """From the source to each well."""
        return tuple((self._source, place, volume_ul) for place, volume_ul in self._portions(self.wells))

    @property
    def touches(self) -> tuple[Place, ...]:
        """Its wells; of the source no more than its volume can be in doubt."""
        return tuple((self.labware, well) for well in self.wells)

    @property
    def _source(self) -> Place:
        return (self.source_labware, self.source_well)

    def _portions(self, wells: Iterable[str]) -> tuple[tuple[Place, float], ...]:
        return tuple(((self.labware, well), self.volume_ul) for well in wells)

    @property
    def rows(self) -> tuple[str, ...]:
        """Rows that occur, from the top; each has a tip of its own."""
        return tuple(sorted({well[0] for well in self.wells}))

    @property
    def columns_per_fill(self) -> int:
        """Portions that a tip holds beside the overage they ask for; 0 when not even one fits."""
        portions = 0
        while portions < len(self.wells) and self._filled_ul(portions + 1) <= self.tip_volume_ul:
            portions += 1
        return portions

    @property
    def overage_ul(self) -> float:
        """What stays in each tip until it is thrown away."""
        columns = min(max(1, self.columns_per_fill), len(by_column(self.wells)))
        return overage_ul(columns * self.volume_ul)

    def _filled_ul(self, portions: int) -> float:
        total_ul = portions * self.volume_ul
        return total_ul + overage_ul(total_ul)

    def fills(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """Columns of wells, grouped by what one filling of the tips serves."""
        columns = by_column(self.wells)
        step = max(1, self.columns_per_fill)
        return tuple(columns[first : first + step] for first in range(0, len(columns), step))

    @property
    def drawn_ul(self) -> float:
        """What is drawn in all: every portion, and one overage a tip."""
        return sum(self.drawn_each_ul(fill) for fill in range(len(self.fills())))

    def drawn_each_ul(self, fill: int) -> float:
        """What one filling of the tips draws in all (from 0); the first one draws the overage too."""
        return sum(self.tip_volumes_ul(fill))

    def tip_volumes_ul(self, fill: int) -> tuple[float, ...]:
        """What one filling (from 0) draws into each tip, in the order of :attr:`rows`; 0 for those that it leaves out."""
        served = [well[0] for column in self.fills()[fill] for well in column]
        reserve_ul = self.overage_ul if fill == 0 else 0.0
        return tuple(served.count(row) * self.volume_ul + reserve_ul for row in self.rows)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        if not self.wells or self.volume_ul <= 0.0:
            return ("There is nothing to add.",)
        if len(set(self.wells)) != len(self.wells):
            return ("A well is named twice.",)
        found = [
            *source_problems(bench, self.source_labware, self.source_well, self.drawn_ul),
            *target_problems(bench, tuple((self.labware, well, self.volume_ul) for well in self.wells)),
            *tip_problems(bench, len(self.rows), self.tip_volume_ul),
        ]
        if self.columns_per_fill < 1:
            found.append(
                f"{self.volume_ul:g} ul and an overage of {self.overage_ul:g} ul do not fit a tip of "
                f"{self.tip_volume_ul:g} ul."
            )
        if len(self.rows) > CHANNELS:
            found.append(f"{len(self.rows)} rows are more than the {CHANNELS} channels.")
        return found

    def believe(self, bench: Bench) -> None:
        """One tip a row is used; the source gave every portion and the overage, which is waste."""
        bench.use_tips(bench.next_tips(len(self.rows), self.tip_volume_ul))
        bring(bench, self._source, self.drawn_ul, self._portions(self.wells))

    def believe_part(self, bench: Bench, part: JsonValue) -> None:
        """What a broken-off one did: ``tips``, ``drawn_ul``, and ``given``, the wells that have their portion."""
        if part:
            use_up(bench, part["tips"])
            bring(bench, self._source, part["drawn_ul"], self._portions(part["given"]))

    def duration_s(self, bench: Bench) -> float:
        """A first estimate, from the work to be done."""
        total = timing.PICK_UP_S + timing.DROP_S
        for columns in self.fills():
            total += timing.ASPIRATE_S + timing.AIR_S + timing.moving_s(len(columns) * self.volume_ul)
            total += len(columns) * (timing.DISPENSE_S + timing.moving_s(self.volume_ul))
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix(CommandValue):
    """Draw up and give back in wells of one plate, a fresh tip for each well, up to eight at once.

    Args:
        volume_ul: of one stroke.
    """

    verb: ClassVar[str] = "mix"

    labware: str
    wells: tuple[str, ...]
    volume_ul: float
    cycles: int
    tip_volume_ul: float

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Self:
        """The command that :meth:`to_json` wrote; wells come back as a list."""
        return cls(**{**arguments, "wells": tuple(arguments["wells"])})

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.labware,)

    @property
    def draws(self) -> tuple[Place, ...]:
        """Its wells: each gives what it gets back."""
        return tuple((self.labware, well) for well in self.wells)

    @property
    def touches(self) -> tuple[Place, ...]:
        """Its wells."""
        return self.draws

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        if not self.wells or self.volume_ul <= 0.0 or self.cycles < 1:
            return ("There is nothing to mix.",)
        if len(set(self.wells)) != len(self.wells):
            return ("A well is named twice.",)
        found = [
            *target_problems(bench, tuple((self.labware, well, 0.0) for well in self.wells)),
            *tip_problems(bench, len(self.wells), self.tip_volume_ul),
        ]
        if self.volume_ul > self.tip_volume_ul:
            found.append(f"{self.volume_ul:g} ul do not fit a tip of {self.tip_volume_ul:g} ul.")
        if not found:
            found += [
                f"{well} of {self.labware} holds {bench.well(self.labware, well).volume_ul:g} ul, too little to draw up "
                f"{self.volume_ul:g} ul."
                for well in self.wells
                # What is barred stays where it is, with a tip of its own, and nobody cares how well it is mixed: the
                # other wells must not wait for it.
                if not bench.why_barred(self.labware, well)
                and bench.available_ul(self.labware, well) + bench.well(self.labware, well).unknown_ul
                < self.volume_ul
            ]
        return found

    def believe(self, bench: Bench) -> None:
        """A tip a well is used; volumes stay."""
        bench.use_tips(bench.next_tips(len(self.wells), self.tip_volume_ul))

    def believe_part(self, bench: Bench, part: JsonValue) -> None:
        """What a broken-off one did: ``tips``, and ``short``, wells whose last stroke may have gone with the tip."""
        if part:
            use_up(bench, part["tips"])
            for well in part["short"]:
                bench.well(self.labware, well).unknown_ul += sum(
                    bench.draw(self.labware, well, self.volume_ul).values()
                )

    def duration_s(self, bench: Bench) -> float:
        """A first estimate, from the work to be done."""
        each_s = timing.PICK_UP_S + timing.ASPIRATE_S + timing.DROP_S
        return len(by_column(self.wells)) * (each_s + timing.mixing_s(self.volume_ul, self.cycles))
