"""Drivers by the names that workcell files use: how each device is built on its instrument, and on its twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.bench import Bench
from lab.errors import BadInput, CampaignFileError
from lab.files import DeviceSpec, WorkcellSpec

if TYPE_CHECKING:
    from devices.transport import LineInstrument, Transport
    from digital_twin.world import World

__all__ = ["DRIVERS", "Fitting", "build_device", "seats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """What a device is built from.

    Args:
        bench: the live belief.
        world: of the twin; None for hardware.
    """

    spec: DeviceSpec
    workcell: WorkcellSpec
    bench: Bench
    world: World | None

    @property
    def position(self) -> str:
        """The position of a device that works on one plate.

        Raises:
            CampaignFileError: it has none, or several.
        """
        names = [p.name for p in self.workcell.positions if p.device == self.spec.role]
        if len(names) != 1:
            raise self.workcell.error(
                f"devices.{self.spec.role}",
                f"{self.spec.role} works on one plate, but {len(names)} positions belong to it.",
                "Give it exactly one entry under positions.",
            )
        return names[0]

    def transport(self, twin: Callable[[World], LineInstrument], framing: Any) -> Transport:
        """The wire to the instrument at its address, or to its twin."""
        from devices.addresses import open_transport
        from devices.transport import InProcess

        if self.world is not None:
            return InProcess(twin(self.world))
        if not self.spec.address:
            raise self.workcell.error(
                f"devices.{self.spec.role}",
                f"{self.spec.role} has no address.",
                "Write one, such as serial:/dev/ttyUSB0 or tcp:192.168.0.1:10100, or set twin: true.",
            )
        return open_transport(self.spec.address, framing=framing)


def _thermocycler(fitting: Fitting) -> Any:
    from devices.thermocycler.opentrons import OpentronsThermocycler
    from digital_twin.instruments.thermocycler import ThermocyclerTwin

    role, position = fitting.spec.role, fitting.position
    wire = fitting.transport(
        lambda world: ThermocyclerTwin(world, name=role, position=position), OpentronsThermocycler.framing
    )
    return OpentronsThermocycler(role, wire, limits=fitting.spec.limits)


def _shaker(fitting: Fitting) -> Any:
    from devices.incubator.bioshake import BioShake
    from digital_twin.instruments.bioshake import BioShakeTwin

    role, position = fitting.spec.role, fitting.position
    wire = fitting.transport(
        lambda world: BioShakeTwin(world, name=role, position=position), BioShake.framing
    )
    return BioShake(role, wire, limits=fitting.spec.limits)


def _arm(fitting: Fitting) -> Any:
    from devices.plate_hotel.preciseflex import PreciseFlexArm
    from digital_twin.instruments.preciseflex import PreciseFlexTwin

    role, stations = fitting.spec.role, fitting.workcell.stations
    wire = fitting.transport(
        lambda world: PreciseFlexTwin(world, name=role, stations=stations), PreciseFlexArm.framing
    )
    return PreciseFlexArm(role, wire, bench=fitting.bench, stations=stations, limits=fitting.spec.limits)


def _handler(fitting: Fitting) -> Any:
    from devices.liquid_handler.star import real_star, star

    if fitting.world is None:
        driver = real_star()
    else:
        from digital_twin.instruments.liquid_handler import star_twin

        driver = star_twin(fitting.world, name=fitting.spec.role)
    return star(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def _infinite(fitting: Fitting) -> Any:
    from devices.plate_reader.infinite import infinite, real_infinite

    if fitting.world is None:
        driver = real_infinite()
    else:
        from digital_twin.instruments.plate_reader import infinite_twin

        driver = infinite_twin(fitting.world, name=fitting.spec.role, position=fitting.position)
    return infinite(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def _clariostar(fitting: Fitting) -> Any:
    from devices.plate_reader.clariostar import clariostar, real_clariostar

    if fitting.world is None:
        driver = real_clariostar()
    else:
        from digital_twin.instruments.plate_reader import clariostar_twin

        driver = clariostar_twin(fitting.world, name=fitting.spec.role, position=fitting.position)
    return clariostar(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


DRIVERS: dict[str, tuple[str, Callable[[Fitting], Any]]] = {
    "liquid_handler/star": ("bench", _handler),
    "plate_reader/infinite": ("reader", _infinite),
    "plate_reader/clariostar": ("reader", _clariostar),
    "thermocycler/opentrons": ("cycler", _thermocycler),
    "incubator/bioshake": ("shaker", _shaker),
    "plate_hotel/preciseflex": ("storage", _arm),
}
"""Name -> (what its positions are like on a twin, how the device is built)."""


def build_device(workcell: WorkcellSpec, spec: DeviceSpec, bench: Bench, world: World | None) -> Any:
    """One device, not connected yet.

    Raises:
        CampaignFileError: there is no such driver, or the workcell file does not give what it needs.
    """
    field = f"devices.{spec.role}"
    if spec.driver not in DRIVERS:
        raise workcell.unknown_name(f"{field}.driver", "driver", spec.driver, DRIVERS)
    _, build = DRIVERS[spec.driver]
    try:
        return build(Fitting(spec=spec, workcell=workcell, bench=bench, world=world))
    except CampaignFileError:
        raise
    except BadInput as wrong:
        raise workcell.error(
            f"{field}.{wrong.field}" if wrong.field else field, wrong.reason, wrong.way_out
        ) from wrong


def seats(workcell: WorkcellSpec) -> dict[str, str]:
    """What each position is like on a twin, by the device that it belongs to."""
    return {
        position.name: DRIVERS[workcell.devices[position.device].driver][0]
        for position in workcell.positions
        if position.device in workcell.devices and workcell.devices[position.device].driver in DRIVERS
    }
