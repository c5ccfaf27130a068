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
    from digital_twin.faults import FaultScript
    from digital_twin.instruments.faulty_line import LineFaults
    from digital_twin.world import World

__all__ = ["DRIVERS", "Fitting", "build_device", "fault_script", "seats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """What a device is built from.

    Args:
        bench: the live belief.
        world: of the twin; None for hardware.
        script: what goes wrong with a twin of it.
    """

    spec: DeviceSpec
    workcell: WorkcellSpec
    bench: Bench
    world: World | None
    script: FaultScript

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

    def transport(
        self, twin: Callable[[World], LineInstrument], framing: Any, faults: LineFaults
    ) -> Transport:
        """The wire to the instrument at its address, or to its twin and what goes wrong with it."""
        from devices.addresses import open_transport
        from devices.transport import InProcess
        from digital_twin.instruments.faulty_line import FaultyLine

        if self.world is not None:
            model = twin(self.world)
            if not self.script.rules:
                return InProcess(model)
            faulty = FaultyLine(model, faults, world=self.world, name=self.spec.role, script=self.script)
            return InProcess(faulty, where=f"in process, {type(model).__name__}")
        if not self.spec.address:
            raise self.workcell.error(
                f"devices.{self.spec.role}",
                f"{self.spec.role} has no address.",
                "Write one, such as serial:/dev/ttyUSB0 or tcp:192.168.0.1:10100, or set twin: true.",
            )
        return open_transport(self.spec.address, framing=framing)


def _thermocycler(fitting: Fitting) -> Any:
    from devices.thermocycler.opentrons import OpentronsThermocycler
    from digital_twin.instruments.line_faults import THERMOCYCLER
    from digital_twin.instruments.thermocycler import ThermocyclerTwin

    role, position = fitting.spec.role, fitting.position
    wire = fitting.transport(
        lambda world: ThermocyclerTwin(world, name=role, position=position),
        OpentronsThermocycler.framing,
        THERMOCYCLER,
    )
    return OpentronsThermocycler(role, wire, limits=fitting.spec.limits)


def _shaker(fitting: Fitting) -> Any:
    from devices.incubator.bioshake import BioShake
    from digital_twin.instruments.bioshake import BioShakeTwin
    from digital_twin.instruments.line_faults import BIOSHAKE

    role, position = fitting.spec.role, fitting.position
    wire = fitting.transport(
        lambda world: BioShakeTwin(world, name=role, position=position), BioShake.framing, BIOSHAKE
    )
    return BioShake(role, wire, limits=fitting.spec.limits)


def _arm(fitting: Fitting) -> Any:
    from devices.plate_hotel.preciseflex import PreciseFlexArm
    from digital_twin.instruments.line_faults import preciseflex_faults
    from digital_twin.instruments.preciseflex import PreciseFlexTwin

    role, stations = fitting.spec.role, fitting.workcell.stations
    wire = fitting.transport(
        lambda world: PreciseFlexTwin(world, name=role, stations=stations),
        PreciseFlexArm.framing,
        preciseflex_faults(role, stations),
    )
    return PreciseFlexArm(role, wire, bench=fitting.bench, stations=stations, limits=fitting.spec.limits)


def _handler(fitting: Fitting) -> Any:
    from devices.liquid_handler.star import real_star, star

    if fitting.world is None:
        driver = real_star()
    else:
        from digital_twin.instruments.liquid_handler import star_twin

        driver = star_twin(fitting.world, name=fitting.spec.role, script=fitting.script)
    return star(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def _infinite(fitting: Fitting) -> Any:
    from devices.plate_reader.infinite import infinite, real_infinite

    if fitting.world is None:
        driver = real_infinite()
    else:
        from digital_twin.instruments.plate_reader import infinite_twin

        driver = infinite_twin(
            fitting.world, name=fitting.spec.role, position=fitting.position, script=fitting.script
        )
    return infinite(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def _clariostar(fitting: Fitting) -> Any:
    from devices.plate_reader.clariostar import clariostar, real_clariostar

    if fitting.world is None:
        driver = real_clariostar()
    else:
        from digital_twin.instruments.plate_reader import clariostar_twin

        driver = clariostar_twin(
            fitting.world, name=fitting.spec.role, position=fitting.position, script=fitting.script
        )
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
        script = fault_script(workcell, spec)
        return build(Fitting(spec=spec, workcell=workcell, bench=bench, world=world, script=script))
    except CampaignFileError:
        raise
    except BadInput as wrong:
        raise workcell.error(
            f"{field}.{wrong.field}" if wrong.field else field, wrong.reason, wrong.way_out
        ) from wrong


def fault_script(workcell: WorkcellSpec, spec: DeviceSpec) -> FaultScript:
    """What goes wrong with one device of a twin.

    Raises:
        CampaignFileError: a rule of the workcell file that could never strike, or makes no sense.
    """
    from digital_twin.faults import NO_FAULTS, FaultRule, FaultScript, Moment, repertoires

    written = [rule for rule in workcell.faults.rules if rule.device == spec.role]
    if not written:
        return NO_FAULTS
    rules: list[FaultRule] = []
    for one in written:
        field = f"faults.rules[{one.number}]"
        try:
            rule = FaultRule(
                instrument=one.device,
                kind=one.fault,
                where=one.verb,
                probability=one.probability,
                at=one.at,
                moment=Moment(one.moment),
                count=one.count,
                silent=one.silent,
            )
            repertoires()[spec.driver].check(rule)
            script = FaultScript(workcell.faults.seed, (*rules, rule))
        except BadInput as wrong:
            place = f"{field}.{wrong.field}" if wrong.field else field
            raise workcell.error(place, wrong.reason, wrong.way_out) from wrong
        rules.append(rule)
    return script


def seats(workcell: WorkcellSpec) -> dict[str, str]:
    """What each position is like on a twin, by the device that it belongs to."""
    return {
        position.name: DRIVERS[workcell.devices[position.device].driver][0]
        for position in workcell.positions
        if position.device in workcell.devices and workcell.devices[position.device].driver in DRIVERS
    }
