"""Drivers of machines that PyLabRobot speaks to: a second handler, another reader, a balance, a centrifuge, heaters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from lab.app.drivers.fitting import Fitting
from lab.errors import BadInput
from lab.strict import did_you_mean

if TYPE_CHECKING:
    from devices.incubator.tec_box import TecBox
    from devices.transport import LineInstrument, Transport
    from digital_twin.world import World
    from lab.bench import Bench

__all__ = [
    "atc_cycler",
    "cpac_heater",
    "cytomat_store",
    "evo_handler",
    "masterflex_pump",
    "mettler_toledo_balance",
    "microspin_centrifuge",
    "synergy_reader",
    "thermoshake",
]

_boxes: WeakKeyDictionary[Bench, dict[str, TecBox]] = WeakKeyDictionary()
"""Inheco control boxes of each bench by their addresses: the devices in the slots of one share its USB line."""


def evo_handler(fitting: Fitting) -> Any:
    """Tecan Freedom EVO; its setting ``z_offset_mm`` says by how much its heights are off."""
    from devices.liquid_handler.evo import evo, real_evo

    offset_mm = _number(fitting.settings, "z_offset_mm", 0.0, -50.0, 50.0, known=("z_offset_mm",))
    if fitting.world is None:
        driver = real_evo(z_offset_mm=offset_mm)
    else:
        from digital_twin.instruments.evo import evo_twin

        driver = evo_twin(fitting.world, name=fitting.spec.role, script=fitting.script)
    return evo(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def synergy_reader(fitting: Fitting) -> Any:
    """Agilent BioTek Synergy H1; its setting ``device_id`` says which, where there are several FTDI chips."""
    from devices.plate_reader.synergy import real_synergy, synergy

    device_id = _text(fitting.settings, "device_id", known=("device_id",))
    if fitting.world is None:
        driver = real_synergy(device_id=device_id)
    else:
        from digital_twin.instruments.synergy import synergy_twin

        driver = synergy_twin(
            fitting.world, name=fitting.spec.role, position=fitting.position, script=fitting.script
        )
    return synergy(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def mettler_toledo_balance(fitting: Fitting) -> Any:
    """Mettler Toledo balance or weigh module on a serial line."""
    from devices.balance.mettler_toledo import mettler_toledo, real_mettler_toledo

    _only(fitting.settings, ())
    if fitting.world is None:
        driver = real_mettler_toledo(_serial_port(fitting))
    else:
        from digital_twin.instruments.balance import mettler_toledo_twin

        driver = mettler_toledo_twin(
            fitting.world, name=fitting.spec.role, position=fitting.position, script=fitting.script
        )
    return mettler_toledo(fitting.spec.role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def cytomat_store(fitting: Fitting) -> Any:
    """Thermo Cytomat on a serial line.

    Its settings: ``model``; ``transfer``, the position that is its transfer station; ``temperature_c``, what it is set to.
    """
    from devices.plate_hotel.cytomat import MODELS, cytomat, real_cytomat

    known = ("model", "transfer", "temperature_c")
    role, settings = fitting.spec.role, fitting.settings
    model = _text(settings, "model", known=known) or MODELS[1]
    if model not in MODELS:
        raise BadInput(
            f"There is no model {model!r} here.",
            way_out=did_you_mean(model, MODELS, what="The models are", quoted=False),
            field="settings.model",
        )
    station = _text(settings, "transfer", known=known)
    places = [p.name for p in fitting.workcell.positions if p.device == role and p.name != station]
    if station is None or not places:
        raise BadInput(
            f"{role} needs a transfer station and places inside.",
            way_out="Write settings: {transfer: NAME}, and that position and its places under positions.",
            field="settings.transfer",
        )
    expected_c = (
        _number(settings, "temperature_c", 0.0, 4.0, 50.0, known=known)
        if "temperature_c" in settings
        else None
    )
    if fitting.world is None:
        driver = real_cytomat(model, _serial_port(fitting))
    else:
        from digital_twin.instruments.cytomat import cytomat_twin

        driver = cytomat_twin(
            fitting.world,
            name=role,
            model=model,
            places=places,
            station=station,
            nominal_c=expected_c,
            script=fitting.script,
        )
    return cytomat(
        role,
        driver,
        bench=fitting.bench,
        station=station,
        expected_c=expected_c,
        limits=fitting.spec.limits,
    )


def microspin_centrifuge(fitting: Fitting) -> Any:
    """HighRes MicroSpin over TCP, with the positions of its two buckets."""
    from devices.centrifuge.microspin import microspin, real_microspin

    _only(fitting.settings, ())
    role = fitting.spec.role
    buckets = [p.name for p in fitting.workcell.positions if p.device == role]
    if len(buckets) != 2:
        raise BadInput(
            f"{role} has two buckets, but {len(buckets)} positions belong to it.",
            way_out="Give it two entries under positions, of bucket 1 and of bucket 2.",
        )
    if fitting.world is None:
        driver = real_microspin(*_tcp_port(fitting))
    else:
        from digital_twin.instruments.microspin import microspin_twin

        driver = microspin_twin(fitting.world, name=role, positions=buckets, script=fitting.script)
    return microspin(role, driver, bench=fitting.bench, limits=fitting.spec.limits)


def masterflex_pump(fitting: Fitting) -> Any:
    """Cole-Parmer Masterflex L/S on a serial line.

    Its settings: ``ul_per_turn``; ``source_at``, the position of the vessel; ``outlet``; ``rpm``; ``drive``.
    """
    from devices.pump.masterflex import Masterflex, Tubing
    from devices.pump.masterflex_line import MasterflexFraming, MasterflexLine

    known = ("ul_per_turn", "source_at", "outlet", "rpm", "drive")
    role, settings = fitting.spec.role, fitting.settings
    positions = [p.name for p in fitting.workcell.positions if p.device == role]
    source_at = _text(settings, "source_at", known=known)
    if len(positions) != 2 or source_at not in positions:
        raise BadInput(
            f"{role} needs two positions, one of them its vessel's; it has {', '.join(positions) or 'none'}.",
            way_out="Give it one for the vessel, named in settings.source_at, and one for what stands under its tube.",
            field="settings.source_at",
        )
    if "ul_per_turn" not in settings:
        raise BadInput(
            f"{role} is not calibrated.",
            way_out="Pump for 100 turns into a weighed vessel, and write a hundredth of it as ul_per_turn.",
            field="settings.ul_per_turn",
        )
    drive = _number(settings, "drive", 2.0, 1.0, 89.0, known=known)
    if drive != int(drive):
        raise BadInput(f"A drive has no number {drive:g}.", way_out="Write 1 to 89.", field="settings.drive")
    tubing = Tubing(
        ul_per_turn=_number(settings, "ul_per_turn", 0.0, 0.1, 100_000.0, known=known),
        rpm=_range(settings, "rpm", (10.0, 600.0)),
        outlet=_text(settings, "outlet", known=known) or "A1",
    )
    if fitting.world is None:
        line = MasterflexLine(_serial_port(fitting), drive=int(drive))
    else:
        from digital_twin.instruments.faulty_line import FaultyLine
        from digital_twin.instruments.masterflex import MasterflexTwin, TwinSerial
        from digital_twin.instruments.masterflex_faults import MASTERFLEX_FAULTS

        model = MasterflexTwin(
            fitting.world,
            name=role,
            source_at=source_at,
            outlet_at=next(name for name in positions if name != source_at),
            tubing=tubing,
            drive=int(drive),
        )
        faulty = FaultyLine(model, MASTERFLEX_FAULTS, world=fitting.world, name=role, script=fitting.script)
        line = MasterflexLine(TwinSerial(faulty, MasterflexFraming(drive=int(drive))), drive=int(drive))
    return Masterflex(role, line, tubing=tubing, limits=fitting.spec.limits)


def thermoshake(fitting: Fitting) -> Any:
    """Inheco ThermoShake in a slot of its control box; its setting ``slot`` says in which."""
    from devices.incubator.inheco import ThermoShake
    from digital_twin.instruments.inheco import ThermoShakeTwin

    role, position = fitting.spec.role, fitting.position
    line = _tec_slot(fitting, lambda world: ThermoShakeTwin(world, name=role, position=position))
    return ThermoShake(role, line, limits=fitting.spec.limits)


def cpac_heater(fitting: Fitting) -> Any:
    """Inheco CPAC in a slot of its control box; its setting ``slot`` says in which."""
    from devices.temperature_module.inheco_cpac import CPAC
    from digital_twin.instruments.inheco import CPACTwin

    role, position = fitting.spec.role, fitting.position
    line = _tec_slot(fitting, lambda world: CPACTwin(world, name=role, position=position))
    return CPAC(role, line, limits=fitting.spec.limits)


def atc_cycler(fitting: Fitting) -> Any:
    """Applied Biosystems ATC over TCP; its setting ``serial_number`` is needed where it is reached by TLS."""
    from devices.thermocycler.atc import ATC
    from devices.thermocycler.atc_session import real_atc_session

    role, position = fitting.spec.role, fitting.position
    serial_number = _text(fitting.settings, "serial_number", known=("serial_number",))
    if fitting.world is None:
        host, port = _tcp_port(fitting)
        if port != (expected := 7000 if serial_number is None else 7443):
            raise BadInput(
                f"An ATC does not listen on port {port}.",
                way_out=f"Write tcp:{host}:{expected}; 7443 needs settings: {{serial_number: NUMBER}}.",
                field="address",
            )
        line = real_atc_session(host, serial_number)
    else:
        from digital_twin.instruments.atc import ATCTwin, twin_session
        from digital_twin.instruments.atc_faults import ATC_FAULTS
        from digital_twin.instruments.faulty_line import FaultyLine

        faulty = FaultyLine(
            ATCTwin(fitting.world, name=role, position=position),
            ATC_FAULTS,
            world=fitting.world,
            name=role,
            script=fitting.script,
        )
        line = twin_session(faulty)
    return ATC(role, line, limits=fitting.spec.limits)


def _tec_slot(fitting: Fitting, twin: Callable[[World], LineInstrument]) -> Transport:
    """The line to a slot of a control box: on USB, or of a twin's own box.

    Raises:
        BadInput: no such slot, or the address is none of a box.
    """
    from devices.incubator.tec_box import TecBox, TecSlot, real_tec_box

    slot = _number(fitting.settings, "slot", 1.0, 1.0, 6.0, known=("slot",))
    if slot != int(slot):
        raise BadInput(f"A box has no slot {slot:g}.", way_out="Write 1 to 6.", field="settings.slot")
    if fitting.world is not None:
        from digital_twin.instruments.faulty_line import FaultyLine
        from digital_twin.instruments.tec_faults import TEC_FAULTS
        from digital_twin.instruments.tec_reports import TecRack, TwinReports

        model = FaultyLine(
            twin(fitting.world),
            TEC_FAULTS[fitting.spec.driver],
            world=fitting.world,
            name=fitting.spec.role,
            script=fitting.script,
        )
        return TecSlot(TecBox(TwinReports(TecRack({int(slot): model}))), int(slot))
    scheme, _, serial = fitting.spec.address.partition(":")
    if fitting.spec.address and (scheme != "hid" or not serial):
        raise BadInput(
            f"{fitting.spec.address!r} is no control box.",
            way_out="Write hid: and its USB serial number, leave the address out where there is one box, or set twin: true.",
            field="address",
        )
    boxes = _boxes.setdefault(fitting.bench, {})
    if serial not in boxes:
        boxes[serial] = real_tec_box(serial or None)
    return TecSlot(boxes[serial], int(slot))


def _tcp_port(fitting: Fitting) -> tuple[str, int]:
    """Host and port that the address names.

    Raises:
        BadInput: it names none.
    """
    scheme, _, rest = fitting.spec.address.partition(":")
    host, _, port = rest.rpartition(":")
    if scheme != "tcp" or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadInput(
            f"{fitting.spec.address!r} is no TCP address.",
            way_out="Write tcp:192.168.0.1:1000, or set twin: true.",
            field="address",
        )
    return host, int(port)


def _serial_port(fitting: Fitting) -> str:
    """Path of the serial port that the address names.

    Raises:
        BadInput: it names none.
    """
    scheme, _, path = fitting.spec.address.partition(":")
    if scheme != "serial" or not path:
        raise BadInput(
            f"{fitting.spec.address!r} is no serial port.",
            way_out="Write serial:/dev/ttyUSB0, or set twin: true.",
            field="address",
        )
    return path


def _text(settings: Mapping[str, Any], name: str, *, known: tuple[str, ...]) -> str | None:
    """A setting that is a text; None where the file does not say.

    Raises:
        BadInput: it is none; or there is a setting that this driver does not have.
    """
    _only(settings, known)
    value = settings.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise BadInput(f"{value!r} is no {name}.", way_out="Write a text.", field=f"settings.{name}")
    return value


def _number(
    settings: Mapping[str, Any],
    name: str,
    default: float,
    lowest: float,
    highest: float,
    *,
    known: tuple[str, ...],
) -> float:
    """A setting that is a number.

    Raises:
        BadInput: it is none, or outside its bounds; or there is a setting that this driver does not have.
    """
    _only(settings, known)
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise BadInput(
            f"{value!r} is no {name}.",
            way_out=f"Write a number from {lowest:g} to {highest:g}.",
            field=f"settings.{name}",
        )
    return float(value)


def _range(settings: Mapping[str, Any], name: str, default: tuple[float, float]) -> tuple[float, float]:
    """A setting that is two numbers, the lower one first.

    Raises:
        BadInput: it is not.
    """
    value = settings.get(name, list(default))
    if (
        not isinstance(value, list)
        or len(value) != 2
        or any(isinstance(one, bool) or not isinstance(one, int | float) for one in value)
    ):
        raise BadInput(
            f"{value!r} is no {name}.", way_out="Write two numbers, as [10, 600].", field=f"settings.{name}"
        )
    return float(value[0]), float(value[1])


def _only(settings: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in settings:
        if name not in known:
            raise BadInput(
                f"This driver has no setting {name!r}.",
                way_out=did_you_mean(name, known, what="Its settings are", quoted=False),
                field=f"settings.{name}",
            )
