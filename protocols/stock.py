"""What a bench has to offer to a protocol: free plates, places to work at, tips, and wells to draw from.

The arm, the handler and the other devices are known by their roles (``handler``, ``reader``, ...). A place to
work at is a position of a device that is neither a resting place nor the home of any labware: on the handler's
deck the first of them, in the order of the workcell file, takes the plate that is drawn from, the others the
plates that are filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from devices.liquid_handler import AddReagent, Distribute
from lab.bench import Bench, Labware
from lab.errors import Infeasible
from lab.types import JsonValue

__all__ = ["Pick", "Reagent", "Stock", "lids", "places_to_work", "unused_plates"]

Target = tuple[str, str, float]
"""Labware id, well, volume_ul."""


def places_to_work(bench: Bench, device: str) -> tuple[str, ...]:
    """Positions of a device at which plates are worked on, in the order of the workcell file.

    Depends on the workcell file alone, not on what stands where.
    """
    homes = {item.home for item in bench.labware.values()}
    return tuple(
        place.name
        for place in bench.positions.values()
        if place.device == device and not place.home and place.name not in homes
    )


def unused_plates(bench: Bench) -> tuple[Labware, ...]:
    """Plates at home that were never filled and are not barred, in the order of the workcell file."""
    barred = {labware for labware, _ in bench.barred}
    return tuple(
        item
        for item in bench.of_kind("plate")
        if item.clean
        and item.id not in barred
        and item.position == item.home
        and all(well.volume_ul == 0 for well in item.wells.values())
    )


def lids(bench: Bench) -> tuple[Labware, ...]:
    """Lids that are not barred, in the order of the workcell file, wherever they are."""
    return tuple(lid for lid in bench.of_kind("lid") if not bench.why_barred(lid.id, "*"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One tip's work: from one well into others."""

    content: str
    source: tuple[str, str]
    targets: tuple[Target, ...]
    tip_volume_ul: float

    @property
    def command(self) -> Distribute:
        """For the liquid handler."""
        return Distribute(
            source_labware=self.source[0],
            source_well=self.source[1],
            targets=self.targets,
            tip_volume_ul=self.tip_volume_ul,
        )

    def to_json(self) -> dict[str, JsonValue]:
        """For a layout's choices."""
        return {
            "content": self.content,
            "source": list(self.source),
            "targets": [list(target) for target in self.targets],
            "tip_volume_ul": self.tip_volume_ul,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, JsonValue]) -> Self:
        """The pick that :meth:`to_json` wrote."""
        return cls(
            content=written["content"],
            source=(written["source"][0], written["source"][1]),
            targets=tuple((labware, well, float(volume)) for labware, well, volume in written["targets"]),
            tip_volume_ul=written["tip_volume_ul"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reagent:
    """Where a reagent comes from, and with which tips it is given."""

    source: tuple[str, str]
    volume_ul: float
    tip_volume_ul: float

    def command(self, labware: str, wells: Sequence[str]) -> AddReagent:
        """For the liquid handler."""
        return AddReagent(
            source_labware=self.source[0],
            source_well=self.source[1],
            labware=labware,
            wells=tuple(wells),
            volume_ul=self.volume_ul,
            tip_volume_ul=self.tip_volume_ul,
        )

    def to_json(self) -> dict[str, JsonValue]:
        """For a layout's choices."""
        return {
            "source": list(self.source),
            "volume_ul": self.volume_ul,
            "tip_volume_ul": self.tip_volume_ul,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, JsonValue]) -> Self:
        """The reagent that :meth:`to_json` wrote."""
        labware, well = written["source"]
        return cls(
            source=(labware, well), volume_ul=written["volume_ul"], tip_volume_ul=written["tip_volume_ul"]
        )


class Stock:
    """Keeps account of liquid and tips while a layout is planned; the bench itself is not changed.

    Args:
        bench: as believed.

    Attributes:
        problems: what there is too little of, one sentence each.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        filled = [
            (item.id, name)
            for item in bench.labware.values()
            if item.type.kind in ("plate", "trough")
            for name, well in item.wells.items()
            if well.volume_ul > 0
        ]
        self._left = {place: bench.available_ul(*place) for place in filled if not bench.why_barred(*place)}
        self._barred = [place for place in filled if place not in self._left]
        sizes = sorted({rack.type.tip_volume_ul for rack in bench.of_kind("tip_rack")})
        self._tips = {size: bench.tips_left(size) for size in sizes}
        self.problems: list[str] = []
        self._short: set[tuple[str, str]] = set()

    @property
    def labware(self) -> tuple[str, ...]:
        """Labware in the order of the workcell file, for picks to follow."""
        return tuple(self._bench.labware)

    @property
    def largest_tip_ul(self) -> float:
        """Capacity of the largest tips on the bench, used up or not; 0 where there are none."""
        return max(self._tips, default=0.0)

    def wells_of(self, content: str, first: tuple[str, str] | None = None) -> tuple[tuple[str, str], ...]:
        """Wells that hold nothing but one content: ``first`` before all others, then as they stand on the bench.

        What is barred is not among them.
        """
        found = [place for place in self._left if set(self._bench.well(*place).parts) == {content}]
        if first in found:
            found.remove(first)
            found.insert(0, first)
        return tuple(found)

    def at_home_on(self, device: str, content: str) -> tuple[tuple[str, str], ...]:
        """Wells that hold nothing but one content, of labware that belongs on a device: no assay plate of an earlier run."""
        home = {item.id: self._bench.positions[item.home].device for item in self._bench.labware.values()}
        return tuple(place for place in self.wells_of(content) if home[place[0]] == device)

    def picks(
        self, content: str, atoms: Sequence[Sequence[Target]], wells: Sequence[tuple[str, str]]
    ) -> tuple[Pick, ...]:
        """How one content gets into its targets, with as few tips and source wells as the volumes allow.

        The smallest tip serves, for small volumes come out of it best. One source well gives all of it if one
        can, because preparations of one content differ in strength.

        Args:
            content: what it is called in messages.
            atoms: targets that get theirs from one tip, whatever happens (the same well of all plates).
            wells: that hold the content, the preferred one first; too little in them is noted in :attr:`problems`.

        Raises:
            Infeasible: no tip holds an atom.
        """
        chunks = self._chunks(content, atoms)
        amounts = [chunk.command.drawn_ul for chunk in chunks]
        whole = [well for well in wells if self._left[well] >= sum(amounts)]
        done = []
        for chunk, amount_ul in zip(chunks, amounts, strict=True):
            able = whole or [well for well in wells if self._left[well] >= amount_ul]
            if not able:
                self._note_shortage(content, wells, sum(amounts))
                return ()
            self._left[able[0]] -= amount_ul
            self._tips[chunk.tip_volume_ul] -= 1
            done.append(replace(chunk, source=able[0]))
        return tuple(done)

    def reagent(self, content: str, volume_ul: float, plates: Sequence[str], wells: Sequence[str]) -> Reagent:
        """Where a reagent comes from that all wells of some plates get, and with which tips.

        Of the tips that hold a portion those serve of which most are left.

        Raises:
            Infeasible: nothing on the bench holds it, or no tip holds a portion; too little of it is noted in
                :attr:`problems`.
        """
        sources = self.wells_of(content)
        if not sources:
            raise Infeasible((self._none_of(content),), way_out="Add it to the workcell file's labware.")
        source = max(sources, key=lambda place: self._left[place])
        fitting = [
            Reagent(source=source, volume_ul=volume_ul, tip_volume_ul=size)
            for size in self._tips
            if Reagent(source=source, volume_ul=volume_ul, tip_volume_ul=size)
            .command(plates[0], wells)
            .columns_per_fill
        ]
        if not fitting:
            raise Infeasible(
                (f"No tip on the bench holds {volume_ul:g} ul of {content}.",),
                way_out="Use a smaller volume.",
            )
        best = max(fitting, key=lambda reagent: (self._tips[reagent.tip_volume_ul], -reagent.tip_volume_ul))
        commands = [best.command(plate, wells) for plate in plates]
        self._tips[best.tip_volume_ul] -= sum(len(command.rows) for command in commands)
        needed_ul = sum(command.drawn_ul for command in commands)
        if needed_ul > self._left[source]:
            self._note_shortage(content, [source], needed_ul)
        self._left[source] -= needed_ul
        return best

    def _chunks(self, content: str, atoms: Sequence[Sequence[Target]]) -> tuple[Pick, ...]:
        """Targets in portions that fit one tip, sources not chosen yet."""

        def of(targets: Sequence[Target], size: float) -> Pick:
            return Pick(content=content, source=("", ""), targets=tuple(targets), tip_volume_ul=size)

        largest = max((of(atom, 0.0).command.drawn_ul for atom in atoms), default=0.0)
        size = next((size for size in self._tips if size >= largest), None)
        if size is None:
            raise Infeasible(
                (
                    f"No tip on the bench holds the {largest:g} ul of {content} that go into one well of every plate.",
                ),
                way_out="Use a smaller sample_volume_ul.",
            )
        chunks: list[list[Target]] = []
        for atom in atoms:
            if chunks and of([*chunks[-1], *atom], size).command.drawn_ul <= size:
                chunks[-1] += atom
            else:
                chunks.append(list(atom))
        return tuple(of(chunk, size) for chunk in chunks)

    def _none_of(self, content: str) -> str:
        """Why no well can give a content."""
        barred = [place for place in self._barred if set(self._bench.well(*place).parts) == {content}]
        if not barred:
            return f"Nothing on the bench holds {content}."
        labware, well = barred[0]
        why = self._bench.why_barred(labware, well).rstrip(".")
        more = f" and {len(barred) - 1} more" if len(barred) > 1 else ""
        return f"All that holds {content} is barred: {well} of {labware}{more} ({why})."

    def _note_shortage(self, content: str, wells: Sequence[tuple[str, str]], needed_ul: float) -> None:
        if not wells:
            self.problems.append(self._none_of(content))
            return
        if self._short.issuperset(wells):
            return  # Whoever asks second for what is short says nothing new.
        self._short.update(wells)
        best = max(wells, key=lambda place: self._left[place])
        there = f"{best[1]} of {best[0]} can give {max(0.0, self._left[best]):.0f} ul"
        if len(wells) > 1:
            there = f"the fullest of its {len(wells)} wells, {there}"
        self.problems.append(f"{needed_ul:.0f} ul of {content} are needed, and {there}.")
