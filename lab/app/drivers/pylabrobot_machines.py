"""Drivers of machines that PyLabRobot speaks to: a second handler, another reader, a balance, a centrifuge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.app.drivers.fitting import Fitting
from lab.errors import BadInput
from lab.strict import did_you_mean

__all__ = ["cytomat_store", "evo_handler", "mettler_toledo_balance", "microspin_centrifuge", "synergy_reader"]


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


def _only(settings: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in settings:
        if name not in known:
            raise BadInput(
                f"This driver has no setting {name!r}.",
                way_out=did_you_mean(name, known, what="Its settings are", quoted=False),
                field=f"settings.{name}",
            )
