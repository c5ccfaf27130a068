"""Climate chambers for the contracts of line devices, and how the world's ledger shows what a plate has seen in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devices.climate_chamber import Keep
from devices.climate_chamber.ioc import IocChamber, IocSettings
from devices.climate_chamber.lads import LadsChamber
from devices.climate_chamber.resting import Resting
from devices.climate_chamber.sila import SilaChamber
from devices.services import FRAMING
from digital_twin.instruments.ioc_chamber import IocChamberTwin
from digital_twin.instruments.lads_chamber import LadsChamberTwin
from digital_twin.instruments.sila_chamber import SilaChamberTwin
from digital_twin.ledger import Action
from digital_twin.world import World
from tests.devices.line_bench import Case

__all__ = ["CHAMBERS", "IOC", "LADS", "LADS_PARTS", "SILA", "door_is", "kept", "warmed"]

LADS = Case(
    name="chamber",
    plate_at="chamber",
    framing=FRAMING,
    device=lambda wire, bench: LadsChamber("chamber", wire, limits={"temperature_c": (10.0, 45.0)}),
    twin=lambda world: LadsChamberTwin(world, name="chamber", position="chamber"),
    harmless=("keep", Keep(plate="assay_1", temperature_c=22.0, hold_s=3.0)),
    past_limit=("keep", Keep(plate="assay_1", temperature_c=50.0, hold_s=1.0)),
    complaint="bad BadDeviceFailure the fan stands still",
)

IOC_SETTINGS = IocSettings(vendor="drywet", model="Controller", serial="TWIN-TC-0001", shows_serial=True)

IOC = Case(
    name="chamber",
    plate_at="chamber",
    framing=FRAMING,
    device=lambda wire, bench: IocChamber(
        "chamber", wire, settings=IOC_SETTINGS, resting=Resting(), limits={"temperature_c": (10.0, 45.0)}
    ),
    twin=lambda world: IocChamberTwin(world, name="chamber", position="chamber"),
    harmless=("keep", Keep(plate="assay_1", temperature_c=22.0, hold_s=3.0)),
    past_limit=("keep", Keep(plate="assay_1", temperature_c=50.0, hold_s=1.0)),
    complaint="bad ECA_REFUSED channel write request failed",
)

SILA = Case(
    name="chamber",
    plate_at="chamber",
    framing=FRAMING,
    device=lambda wire, bench: SilaChamber(
        "chamber", wire, resting=Resting(), limits={"temperature_c": (10.0, 45.0)}
    ),
    twin=lambda world: SilaChamberTwin(world, name="chamber", position="chamber"),
    harmless=("keep", Keep(plate="assay_1", temperature_c=22.0, hold_s=3.0)),
    past_limit=("keep", Keep(plate="assay_1", temperature_c=50.0, hold_s=1.0)),
    complaint="bad UndefinedExecutionError the heater is gone",
)

CHAMBERS = {"lads": LADS, "epics": IOC, "sila": SILA}
"""By protocol."""

LADS_PARTS = {
    "close_door": "call Door/CoverState/Close",
    "reach": "call Temperature/ControlFunctionState/StartWithTargetValue",
    "keep": "call Timer/ControlFunctionState/Start",
    "off": "call Timer/ControlFunctionState/Stop",
    "open_door": "call Door/CoverState/Open",
}


def _told_c(actions: Sequence[Action]) -> list[tuple[float, float | None]]:
    told = [a for a in actions if a.action in ("set_temperature", "control")]
    return [(a.lab_time_s, a.arguments["temperature_c"]) for a in told]


def kept(
    temperature_c: float, hold_s: float, *, rest_c: float | None = None
) -> Callable[[World, Sequence[Action]], bool]:
    """Told the temperature once, kept it for the time and no longer than the way takes, off, and free.

    At room temperature an attempt before it does not count.
    """
    cool = abs(temperature_c - 22.0) <= 3.0

    def check(world: World, actions: Sequence[Action]) -> bool:
        told = _told_c(actions)[-2:] if cool else _told_c(actions)
        # Made safe before it was begun, a controller that is never off was told its rest.
        while len(told) > 2 and told[0][1] == rest_c:
            told = told[1:]
        if [c for _, c in told] != [temperature_c, rest_c] or world.is_shut("chamber"):
            return False
        (on_s, _), (off_s, _) = told
        way_s = abs(temperature_c - 22.0) / 0.025 + 300.0
        return hold_s - 0.1 <= off_s - on_s <= way_s + hold_s

    return check


def warmed(world: World, actions: Sequence[Action]) -> bool:
    """Told a temperature that no bench has."""
    return any(c is not None and abs(c - 22.0) > 3.0 for _, c in _told_c(actions))


def door_is(*, shut: bool) -> Callable[[World, Sequence[Action]], bool]:
    """Moved, and there; the safe state opens a door too, and then it is closed again."""
    return lambda world, actions: world.is_shut("chamber") is shut and bool(actions)
