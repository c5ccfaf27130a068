"""What a liquid handler can be told. Volumes are at the tip; wells are names as ``B7``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from devices.command import CommandValue
from devices.liquid_handler import timing
from lab.bench import Bench
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
            *_source(bench, self.source_labware, self.source_well, self.drawn_ul),
            *_targets(bench, self.targets),
            *_tips(bench, 1, self.tip_volume_ul),
        ]
        if self.drawn_ul > self.tip_volume_ul:
            found.append(f"{self.drawn_ul:g} ul do not fit a tip of {self.tip_volume_ul:g} ul.")
        if self.mix_cycles < 0:
            found.append(f"{self.mix_cycles} cycles of mixing make no sense.")
        return found

    def believe(self, bench: Bench) -> None:
        """One tip is used; the source gave all that was drawn, the wells have their portions, the rest is waste."""
        bench.use_tips(bench.next_tips(1, self.tip_volume_ul))
        taken = bench.draw(self.source_labware, self.source_well, self.drawn_ul)
        for labware, well, volume_ul in self.targets:
            bench.fill(labware, well, _portion(taken, volume_ul, self.drawn_ul))

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
        return len(self.wells) * self.volume_ul + len(self.rows) * self.overage_ul

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        if not self.wells or self.volume_ul <= 0.0:
            return ("There is nothing to add.",)
        if len(set(self.wells)) != len(self.wells):
            return ("A well is named twice.",)
        found = [
            *_source(bench, self.source_labware, self.source_well, self.drawn_ul),
            *_targets(bench, tuple((self.labware, well, self.volume_ul) for well in self.wells)),
            *_tips(bench, len(self.rows), self.tip_volume_ul),
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
        taken = bench.draw(self.source_labware, self.source_well, self.drawn_ul)
        for well in self.wells:
            bench.fill(self.labware, well, _portion(taken, self.volume_ul, self.drawn_ul))

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

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        if not self.wells or self.volume_ul <= 0.0 or self.cycles < 1:
            return ("There is nothing to mix.",)
        if len(set(self.wells)) != len(self.wells):
            return ("A well is named twice.",)
        found = [
            *_targets(bench, tuple((self.labware, well, 0.0) for well in self.wells)),
            *_tips(bench, len(self.wells), self.tip_volume_ul),
        ]
        if self.volume_ul > self.tip_volume_ul:
            found.append(f"{self.volume_ul:g} ul do not fit a tip of {self.tip_volume_ul:g} ul.")
        if not found:
            found += [
                f"{well} of {self.labware} holds {bench.well(self.labware, well).volume_ul:g} ul, too little to draw up "
                f"{self.volume_ul:g} ul."
                for well in self.wells
                if bench.available_ul(self.labware, well) < self.volume_ul
            ]
        return found

    def believe(self, bench: Bench) -> None:
        """A tip a well is used; volumes stay."""
        bench.use_tips(bench.next_tips(len(self.wells), self.tip_volume_ul))

    def duration_s(self, bench: Bench) -> float:
        """A first estimate, from the work to be done."""
        each_s = timing.PICK_UP_S + timing.ASPIRATE_S + timing.DROP_S
        return len(by_column(self.wells)) * (each_s + timing.mixing_s(self.volume_ul, self.cycles))


def _portion(taken: Mapping[str, float], volume_ul: float, of_ul: float) -> dict[str, float]:
    """The parts in a portion of what was drawn."""
    scale = volume_ul / of_ul if of_ul else 0.0
    return {content: amount * scale for content, amount in taken.items()}


def _source(bench: Bench, labware: str, well: str, volume_ul: float) -> tuple[str, ...]:
    """Why so much cannot be drawn there."""
    wrong = _well(bench, labware, well)
    if wrong:
        return wrong
    available_ul = bench.available_ul(labware, well)
    if volume_ul > available_ul + 1e-9:
        return (f"{well} of {labware} is asked for {volume_ul:g} ul and can give {available_ul:g} ul.",)
    return ()


def _targets(bench: Bench, targets: Sequence[tuple[str, str, float]]) -> tuple[str, ...]:
    """Why these portions cannot be given."""
    wrong: dict[str, None] = {}
    filled: dict[tuple[str, str], float] = defaultdict(float)
    for labware, well, volume_ul in targets:
        wrong.update(dict.fromkeys(_well(bench, labware, well)))
        filled[labware, well] += volume_ul
        if volume_ul < 0.0:
            wrong[f"{volume_ul:g} ul for {well} of {labware} is no volume."] = None
    if wrong:
        return tuple(wrong)
    return tuple(
        f"{well} of {labware} would hold {bench.well(labware, well).volume_ul + added_ul:g} ul, more than its "
        f"{bench.labware[labware].type.max_volume_ul:g} ul."
        for (labware, well), added_ul in filled.items()
        if bench.well(labware, well).volume_ul + added_ul > bench.labware[labware].type.max_volume_ul + 1e-9
    )


def _well(bench: Bench, labware: str, well: str) -> tuple[str, ...]:
    """Why a tip cannot go there."""
    item = bench.labware.get(labware)
    if item is None:
        return (f"There is no {labware} on this bench.",)
    if not item.wells:
        return (f"{labware} has no wells.",)
    if well not in item.wells:
        return (f"{labware} has no well {well}.",)
    if item.lid is not None:
        return (f"The lid {item.lid} on {labware} is in the way of the tips.",)
    return ()


def _tips(bench: Bench, count: int, tip_volume_ul: float) -> tuple[str, ...]:
    """Why there are not so many tips."""
    left = bench.tips_left(tip_volume_ul)
    if left >= count:
        return ()
    return (f"{count} tips of {tip_volume_ul:g} ul are needed and {left} are left.",)
