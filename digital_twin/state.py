"""What a world consists of, and how it changes by itself as time passes.

Nothing here is random and nothing looks at a clock: the world says what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from zlib import crc32

import numpy as np
import numpy.typing as npt

from digital_twin.atmosphere import Atmosphere
from digital_twin.chemistry.interface import Chemistry
from digital_twin.drying import dry
from digital_twin.mixing import unmixed_after
from digital_twin.physics.pipetting import channel_calibration
from digital_twin.thermal import ROOM_C, SEATS, Climate, Seat, Surroundings, follow, lag_s, seat_pattern
from digital_twin.wells import Liquid, Wells
from lab.bench import Bench, LabwareType, Position
from lab.errors import BadInput
from lab.types import JsonValue

__all__ = ["CHANNELS", "Channel", "Impossible", "Piece", "Reading", "State"]

FloatArray = npt.NDArray[np.float64]

CHANNELS = 8
"""Pipetting channels of one liquid handler."""

_STOCK_VOLUME_CV = 0.02
"""How unevenly wells were filled when the labware was made ready; a choice."""


class Impossible(Exception):
    """Something no instrument can do, in one sentence. Nothing has changed and nothing is on the ledger."""


@dataclass(slots=True)
class Channel:
    """One pipetting channel of a handler.

    Args:
        calibration: its bias in units of the limit, -1 to 1.
        tip_volume_ul: of the tip on it; 0 without one.
        air_ul: drawn instead of liquid; sits below the liquid and leaves first.
        clogged: nothing goes in or out of the tip.
    """

    calibration: float
    tip_volume_ul: float = 0.0
    liquid: Liquid = field(default_factory=Liquid)
    air_ul: float = 0.0
    clogged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaking:
    """The last stretch of shaking at a place.

    Args:
        speed_rpm: at full speed.
        acceleration_s: up to it, and down from it.
        begun_s: lab time of the start.
        runtime_s: after which the instrument stops by itself; None runs on.
        stopped_s: lab time at which it began to stop; None while it runs.
    """

    speed_rpm: float
    acceleration_s: float
    begun_s: float
    runtime_s: float | None
    stopped_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LidHeat:
    """What the heater of a cover was last told.

    Args:
        target_c: None when it is off.
        since_s: lab time at which it was told.
        start_c: its temperature then.
    """

    target_c: float | None
    since_s: float
    start_c: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """How an arm stands.

    Args:
        powered: whether its motors have power.
        referenced: whether it knows where it is.
        station: position that its gripper closed or opened at last, and whether at the height of a lid; None before.
    """

    powered: bool = False
    referenced: bool = False
    station: tuple[str, bool] | None = None


@dataclass(slots=True)
class Piece:
    """One piece of labware as it truly is.

    Args:
        position: where it stands; None while it is held, or lies on a plate.
        lid: the lid on it.
        on: the plate that it lies on, for a lid.
        wells: of plates and troughs.
        tips: clean tips left in a rack.
        wells_c: temperature of each well at ``time_s``.
        time_s: lab time up to which it was followed.
    """

    id: str
    kind: LabwareType
    position: str | None
    lid: str | None = None
    on: str | None = None
    wells: Wells | None = None
    tips: set[str] = field(default_factory=set)
    wells_c: FloatArray = field(default_factory=lambda: np.zeros(0))
    time_s: float = 0.0


@dataclass(slots=True)
class Reading:
    """The last reading that a reader keeps.

    Args:
        mode: ``fluorescence`` or ``absorbance``.
        settings: wavelengths in nm, and the gain.
        begun_s: lab time at which its first cycle began.
        cycles: one list of wells for each, row-major.
        columns: of the plate.
        over: the drawer has moved since; what is read next is another reading.
    """

    mode: str
    settings: dict[str, float]
    begun_s: float
    columns: int
    cycles: list[list[float]] = field(default_factory=list)
    over: bool = False


class State:
    """All labware and places of one bench, as they truly are.

    Args:
        bench: what is believed at the beginning; taken as true but for what no one knows exactly.
        seats: position -> name in :data:`digital_twin.thermal.SEATS`; others are ``storage`` where labware is at home,
            else ``bench``.
        time_s: lab time at the beginning.

    Raises:
        BadInput: the chemistry does not know a content, or a seat is unknown.
    """

    def __init__(
        self, *, bench: Bench, seats: Mapping[str, str], chemistry: Chemistry, seed: int, time_s: float
    ) -> None:
        self.chemistry = chemistry
        self.seed = seed
        self.positions: dict[str, Position] = dict(bench.positions)
        self.climates: dict[str, Climate] = {
            name: Climate(
                seat=_seat(seats.get(name, "storage" if position.home else "bench")), since_s=time_s
            )
            for name, position in self.positions.items()
        }
        self.atmospheres: dict[str, Atmosphere] = {}
        self.shaking_rpm: dict[str, float] = {}
        self.shaking: dict[str, Shaking] = {}
        self.holds_s: dict[str, float] = {}
        self.lid_heats: dict[str, LidHeat] = {}
        self.magnets_mm: dict[str, float] = {}
        self.arms: dict[str, Arm] = {}
        self.shut: set[str] = set()
        self.held: dict[str, str] = {}
        self.channels: dict[str, list[Channel]] = {}
        self.readings: dict[str, Reading] = {}
        self.memory: dict[str, dict[str, JsonValue]] = {}
        self.opportunities: dict[str, dict[str, int]] = {}
        self.troubles: dict[str, tuple[str, str]] = {}
        self.pieces: dict[str, Piece] = {}
        for item in bench.labware.values():
            piece = Piece(
                id=item.id,
                kind=item.type,
                position=item.position,
                lid=item.lid,
                tips=set(item.tips),
                time_s=time_s,
            )
            if item.type.kind in ("plate", "trough"):
                piece.wells = self._filled(item.id, item.type, bench)
                piece.wells_c = np.full(len(piece.wells.names), ROOM_C)
            self.pieces[item.id] = piece
        for piece in self.pieces.values():
            if piece.lid is not None:
                self.pieces[piece.lid].on = piece.id

    def rng(self, *key: str) -> np.random.Generator:
        """Generator for a property of the bench that never changes (a block's unevenness, a stock's strength)."""
        return np.random.default_rng([self.seed, *(crc32(part.encode()) for part in key)])

    def at(self, position: str) -> Piece | None:
        """What stands at a position.

        Raises:
            Impossible: no such position.
        """
        if position not in self.positions:
            raise Impossible(f"there is no position {position}")
        return next((p for p in self.pieces.values() if p.position == position), None)

    def head(self, instrument: str) -> list[Channel]:
        """Channels of a liquid handler, each with the bias it has kept since it was built."""
        if instrument not in self.channels:
            bias = channel_calibration(rng=self.rng("channels", instrument), channels=CHANNELS)
            self.channels[instrument] = [Channel(calibration=float(b)) for b in bias]
        return self.channels[instrument]

    def evolve(self, piece: Piece, now_s: float) -> None:
        """Let time pass for a piece of labware, standing where it stands: warm or cool, react, dry, mix by itself."""
        wells = piece.wells
        if wells is None or now_s <= piece.time_s:
            return
        climate = self._around(piece)
        kind = piece.kind
        covered = piece.lid is not None
        around = Surroundings(
            covered=covered,
            humidity=self._humidity(piece, climate.seat, now_s),
            light_suns=0.0 if covered else climate.seat.light_suns,
        )
        history = follow(
            climate,
            begin_s=piece.time_s,
            end_s=now_s,
            wells_c=piece.wells_c,
            lag_s=lag_s(climate.seat, rows=kind.rows, columns=kind.columns, volume_ul=wells.volume_ul),
            pattern=self._pattern(piece.position, kind, climate.seat),
            around=around,
        )
        if np.any(wells.volume_ul > 0.0):
            self.chemistry.expose(wells, history)
            dry(wells, history)
            rpm = self.shaking_rpm.get(piece.position or "", 0.0)
            wells.unmixed = unmixed_after(wells, duration_s=now_s - piece.time_s, shaking_rpm=rpm)
        piece.wells_c = history.temperatures_c[-1]
        piece.time_s = now_s

    def _humidity(self, piece: Piece, seat: Seat, now_s: float) -> float:
        """Relative humidity, 0 to 1, of the air above a plate since it was last followed."""
        air = self.atmospheres.get(piece.position or "")
        return seat.humidity if air is None else round(air.mean_humidity(piece.time_s, now_s) / 100.0, 2)

    def _around(self, piece: Piece) -> Climate:
        if piece.position is None:
            return Climate(seat=SEATS["bench"], since_s=piece.time_s)
        return self.climates[piece.position]

    def _pattern(self, position: str | None, kind: LabwareType, seat: Seat) -> FloatArray:
        return _pattern(self.seed, position or "", seat, kind.rows, kind.columns)

    def _filled(self, labware: str, kind: LabwareType, bench: Bench) -> Wells:
        wells = Wells(kind)
        for name, contents in bench.labware[labware].wells.items():
            if contents.volume_ul <= 0.0:
                continue
            rng = self.rng("stock", labware, name)
            error = 0.0 if kind.kind == "trough" else float(rng.normal(0.0, _STOCK_VOLUME_CV))
            index = wells.index(name)
            for content, volume_ul in contents.parts.items():
                true_ul = min(volume_ul * (1.0 + error), wells.shape.brim_ul)
                concentrations = self.chemistry.stock(content, rng)
                amounts = {species: c * true_ul for species, c in concentrations.items()}
                wells.pour(index, Liquid(volume_ul=true_ul, amounts_pmol=amounts))
        wells.unmixed[:] = 0.0
        return wells


def _seat(name: str) -> Seat:
    if name not in SEATS:
        raise BadInput(f"a twin knows no seat {name!r}.", way_out=f"Use one of {', '.join(SEATS)}.")
    return SEATS[name]


@lru_cache(maxsize=256)
def _pattern(seed: int, position: str, seat: Seat, rows: int, columns: int) -> FloatArray:
    rng = np.random.default_rng([seed, crc32(b"seat"), crc32(position.encode())])
    pattern = seat_pattern(seat, rows=rows, columns=columns, rng=rng)
    pattern.flags.writeable = False
    return pattern
