"""What we believe stands on a bench: where each piece of labware is, what is in its wells, which tips are left.

Belief only. On a twin the physical truth is ``digital_twin.world``; on hardware nobody has it. The store keeps belief as
a first snapshot plus the commands of the steps that are done: replaying :meth:`Command.believe` over them gives this back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = ["Bench", "Labware", "LabwareType", "Position", "WellContents", "well_names"]

Kind = Literal["plate", "trough", "tip_rack", "lid"]


def well_names(rows: int, columns: int) -> tuple[str, ...]:
    """Names of a plate's wells in row-major order: ``A1, A2, ... H12``."""
    return tuple(f"{chr(ord('A') + row)}{column + 1}" for row in range(rows) for column in range(columns))


def _plain(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, as they are."""
    # Not by ``fields``, which takes longer than all the rest of a snapshot.
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabwareType:
    """A kind of labware, as its maker sells it.

    Args:
        name: of its PyLabRobot definition (``Cor_96_wellplate_360ul_Fb``).
        max_volume_ul: that a well or trough holds.
        dead_volume_ul: that can't be drawn out of a well or trough.
        tip_volume_ul: capacity of a tip; 0 for what is no tip rack.
    """

    name: str
    kind: Kind
    rows: int = 1
    columns: int = 1
    max_volume_ul: float = 0.0
    dead_volume_ul: float = 0.0
    tip_volume_ul: float = 0.0

    @property
    def wells(self) -> tuple[str, ...]:
        """Names of its wells or tip spots, row-major."""
        return well_names(self.rows, self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place that holds one piece of labware.

    Args:
        name: unique on the bench (``hotel_3``, ``thermocycler``).
        device: the device it belongs to, so that labware standing here can be worked on by it.
        home: whether labware may rest here between the sections of a plan (a hotel slot).
    """

    name: str
    device: str
    home: bool = False


@dataclass(slots=True, kw_only=True)
class WellContents:
    """Volume and composition of one well.

    Args:
        volume_ul: all of it.
        parts: content id (``T16I``, ``assay_buffer``) -> volume_ul of it; the values add up to ``volume_ul``.
        unknown_ul: what may be in it beyond ``volume_ul``, where an action of unknown outcome drew from it or gave to it;
            ``volume_ul`` is the least that there is.
    """

    volume_ul: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    unknown_ul: float = 0.0


@dataclass(slots=True, kw_only=True)
class Labware:
    """One piece of labware.

    Args:
        id: unique on the bench (``assay_07``).
        position: where it is; None when it rides on another piece (a lid on a plate).
        home: its own hotel or deck position, to which it can always go back.
        lid: id of the lid on it.
        wells: by name; empty for tip racks and lids.
        tips: spots that still hold a clean tip, in order of use; empty for all but tip racks.
        clean: whether it was never filled; a used assay plate is not offered again.
        maybe: where it may be instead, when nobody knows whether it was moved.
    """

    id: str
    type: LabwareType
    position: str | None
    home: str
    lid: str | None = None
    wells: dict[str, WellContents] = field(default_factory=dict)
    tips: list[str] = field(default_factory=list)
    clean: bool = True
    maybe: str | None = None


class Bench:
    """All labware and positions of one bench. Mutable, owned by one bench session; copy it to try things out.

    Attributes:
        barred: (labware, well) -> why what is in it must not be used; the well ``*`` stands for all of the labware.
    """

    def __init__(self, positions: Iterable[Position], labware: Iterable[Labware]) -> None:
        self.positions: dict[str, Position] = {p.name: p for p in positions}
        self.labware: dict[str, Labware] = {item.id: item for item in labware}
        self.barred: dict[tuple[str, str], str] = {}

    def copy(self) -> Bench:
        """An independent copy, for a dry run."""
        # By hand: deepcopy takes sixteen times as long over a bench of fifty plates.
        labware = []
        for item in self.labware.values():
            wells = {
                name: WellContents(
                    volume_ul=well.volume_ul, parts=dict(well.parts), unknown_ul=well.unknown_ul
                )
                for name, well in item.wells.items()
            }
            labware.append(replace(item, wells=wells, tips=list(item.tips)))
        copy = Bench(self.positions.values(), labware)
        copy.barred = dict(self.barred)
        return copy

    def why_barred(self, labware: str, well: str) -> str:
        """Why what is in a well must not be used; empty where it may."""
        return self.barred.get((labware, well)) or self.barred.get((labware, "*"), "")

    def bar(self, places: Iterable[tuple[str, str]], why: str) -> None:
        """Keep what is in some wells from being used; the well ``*`` stands for all of a piece of labware."""
        for place in places:
            self.barred.setdefault(place, why)

    def doubt(self, certain: Bench) -> None:
        """Keep the least of what two courses of events leave: this bench, or ``certain``, whichever came true.

        Tips that one of them used are gone; of a well that they leave different, the smaller volume is there, and the rest
        is unknown; labware that they leave at different places takes up both.
        """
        for item in self.labware.values():
            other = certain.labware[item.id]
            item.tips = [tip for tip in item.tips if tip in other.tips]
            item.clean = item.clean and other.clean
            if item.position is not None and other.position is None:
                # A lid on the plate takes up its own place as well; the other way round nothing would say that it may be on.
                item.position, item.maybe = None, item.position
                self._lid_as_in(certain, item.id)
            elif item.position != other.position:
                item.maybe = other.position
            for name, well in item.wells.items():
                less, more = sorted((well, other.wells[name]), key=lambda contents: contents.volume_ul)
                between_ul = more.volume_ul - less.volume_ul
                item.wells[name] = WellContents(
                    volume_ul=less.volume_ul,
                    parts=dict(less.parts),
                    unknown_ul=max(less.unknown_ul, more.unknown_ul) + between_ul,
                )

    def _lid_as_in(self, other: Bench, lid: str) -> None:
        """Put a lid on the plate that it is on in another bench."""
        plate = next(name for name, item in other.labware.items() if item.lid == lid)
        self.labware[plate].lid = lid

    def at(self, position: str) -> Labware | None:
        """What stands at a position, or may stand there, if anything does."""
        return next((item for item in self.labware.values() if position in (item.position, item.maybe)), None)

    def of_kind(self, kind: Kind) -> Iterator[Labware]:
        """Labware of one kind, in the order of the workcell file."""
        return (item for item in self.labware.values() if item.type.kind == kind)

    def device_at(self, labware: str) -> str | None:
        """The device a piece of labware stands on, if it stands on one."""
        position = self.labware[labware].position
        return None if position is None else self.positions[position].device

    def well(self, labware: str, well: str) -> WellContents:
        """Contents of one well.

        Raises:
            KeyError: no such labware or well.
        """
        return self.labware[labware].wells[well]

    def available_ul(self, labware: str, well: str) -> float:
        """Volume that can be drawn: all but the dead volume; nothing of what is barred."""
        item = self.labware[labware]
        if self.why_barred(labware, well):
            return 0.0
        return max(0.0, item.wells[well].volume_ul - item.type.dead_volume_ul)

    def draw(self, labware: str, well: str, volume_ul: float) -> dict[str, float]:
        """Take volume out of a well; gives back its parts. The caller has checked that there is enough."""
        contents = self.well(labware, well)
        share = min(1.0, volume_ul / contents.volume_ul) if contents.volume_ul else 0.0
        taken = {name: amount * share for name, amount in contents.parts.items()}
        contents.parts = {name: amount - taken[name] for name, amount in contents.parts.items()}
        contents.volume_ul = max(0.0, contents.volume_ul - volume_ul)
        return taken

    def fill(self, labware: str, well: str, parts: Mapping[str, float]) -> None:
        """Add parts (content id -> volume_ul) to a well."""
        item = self.labware[labware]
        contents = item.wells[well]
        for name, amount in parts.items():
            contents.parts[name] = contents.parts.get(name, 0.0) + amount
        contents.volume_ul += sum(parts.values())
        item.clean = False

    def tips_left(self, tip_volume_ul: float) -> int:
        """Clean tips of one capacity on the whole bench."""
        return sum(len(r.tips) for r in self.of_kind("tip_rack") if r.type.tip_volume_ul == tip_volume_ul)

    def next_tips(self, count: int, tip_volume_ul: float) -> tuple[tuple[str, str], ...]:
        """The next clean tips (rack id, spot), in order of use, fewer than ``count`` when they run out. Takes nothing."""
        spots = (
            (rack.id, spot)
            for rack in self.of_kind("tip_rack")
            if rack.type.tip_volume_ul == tip_volume_ul
            for spot in rack.tips
        )
        return tuple(spot for spot, _ in zip(spots, range(count), strict=False))

    def use_tips(self, spots: Iterable[tuple[str, str]]) -> None:
        """Take tips out of their racks."""
        for rack, spot in spots:
            self.labware[rack].tips.remove(spot)

    def move(self, labware: str, position: str) -> None:
        """Put a piece of labware (with the lid on it) at a position. The caller has checked that it is free."""
        self.labware[labware].position, self.labware[labware].maybe = position, None

    def put_lid(self, lid: str, plate: str) -> None:
        """Put a lid on a plate."""
        self.labware[lid].position, self.labware[lid].maybe = None, None
        self.labware[plate].lid = lid

    def take_lid(self, plate: str, position: str) -> None:
        """Take the lid off a plate and put it at a position."""
        lid = self.labware[plate].lid
        if lid is None:
            raise KeyError(f"{plate} has no lid")
        self.labware[plate].lid = None
        self.labware[lid].position, self.labware[lid].maybe = position, None

    def to_json(self) -> dict[str, Any]:
        """A snapshot that :meth:`from_json` reads back; empty wells are left out."""
        # Level by level: ``asdict`` of it all takes ten times as long, mostly over wells that are empty.
        labware = []
        for item in self.labware.values():
            filled = {
                name: _plain(w) | {"parts": dict(w.parts)}
                for name, w in item.wells.items()
                if w.volume_ul > 0 or w.parts or w.unknown_ul > 0
            }
            labware.append(
                _plain(item) | {"type": _plain(item.type), "wells": filled, "tips": list(item.tips)}
            )
        return {
            "positions": [_plain(p) for p in self.positions.values()],
            "labware": labware,
            "barred": [[*place, why] for place, why in self.barred.items()],
        }

    @classmethod
    def from_json(cls, snapshot: Mapping[str, Any]) -> Bench:
        """The bench that :meth:`to_json` wrote."""
        labware = []
        for record in snapshot["labware"]:
            kind = LabwareType(**record["type"])
            # Copies throughout: who changes the bench must not change the snapshot, which may be read once more.
            filled = {
                name: WellContents(**{**w, "parts": dict(w["parts"])}) for name, w in record["wells"].items()
            }
            wells = (
                {}
                if kind.kind in ("tip_rack", "lid")
                else {name: WellContents() for name in kind.wells} | filled
            )
            labware.append(Labware(**{**record, "type": kind, "wells": wells, "tips": list(record["tips"])}))
        bench = cls([Position(**p) for p in snapshot["positions"]], labware)
        bench.barred = {(name, well): why for name, well, why in snapshot["barred"]}
        return bench
