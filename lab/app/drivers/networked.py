"""Drivers of climate chambers that stand on a network: OPC UA, EPICS, SiLA 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field

from lab.app.drivers.fitting import Fitting
from lab.errors import BadInput, CampaignFileError
from lab.strict import StrictModel, read_strictly

if TYPE_CHECKING:
    from devices.climate_chamber.resting import Resting
    from devices.transport import LineInstrument, Transport
    from digital_twin.instruments.faulty_line import LineFaults
    from digital_twin.world import World

__all__ = ["ioc_chamber", "lads_chamber", "sila_chamber"]

Model = TypeVar("Model", bound=StrictModel)


class _Lads(StrictModel):
    """Where in a server's address space the chamber stands, and what its functions are called there."""

    device: str = Field(default="", max_length=200)
    unit: str = Field(default="", max_length=200)
    functions: dict[str, str] = Field(default_factory=dict)


def lads_chamber(fitting: Fitting) -> Any:
    """An incubator or climate chamber over OPC UA in the shape of LADS."""
    from devices.climate_chamber.lads import FUNCTIONS, LadsChamber
    from digital_twin.instruments.chamber_faults import LADS_FAULTS
    from digital_twin.instruments.lads_chamber import LadsChamberTwin

    settings = _settings(fitting, _Lads)
    for name in settings.functions:
        if name not in FUNCTIONS:
            raise BadInput(
                f"The chamber has no function {name!r}.",
                way_out=f"They are {', '.join(FUNCTIONS)}.",
                field="settings.functions",
            )

    def client(address: str) -> Transport:
        from devices.opcua import OpcUa

        for name, value in (("device", settings.device), ("unit", settings.unit)):
            if not value:
                raise BadInput(
                    f"The {name} is not said.",
                    way_out="Write the browse name that the server has for it; a client such as UaExpert shows it.",
                    field=f"settings.{name}",
                )
        places = {
            name: f"FunctionalUnitSet/{settings.unit}/FunctionSet/{settings.functions.get(name, name)}"
            for name in FUNCTIONS
        }
        return OpcUa(address, device=settings.device, names=places)

    role = fitting.spec.role
    wire = _wire(
        fitting,
        lambda world: LadsChamberTwin(world, name=role, position=fitting.position),
        LADS_FAULTS,
        client,
    )
    return LadsChamber(role, wire, limits=fitting.spec.limits)


class _Resting(StrictModel):
    """How a controller that is never off is driven."""

    rest_c: float = Field(default=22.0, ge=-200.0, le=60.0)
    arrived_c: float = Field(default=0.5, gt=0.0, le=50.0)
    steady_s: float = Field(default=10.0, ge=0.0, le=60.0)
    rate_c_per_s: float = Field(default=0.02, gt=0.0, le=1000.0)

    def resting(self) -> Resting:
        """As the devices take it."""
        from devices.climate_chamber.resting import Resting

        return Resting(
            rest_c=self.rest_c,
            arrived_c=self.arrived_c,
            steady_s=self.steady_s,
            rate_c_per_s=self.rate_c_per_s,
        )


class _Ioc(_Resting):
    """Who a controller is, and what its process variables are called below the prefix."""

    vendor: str = Field(default="unknown", max_length=200)
    model: str = Field(default="unknown", max_length=200)
    serial: str = Field(default="unknown", max_length=200)
    readback: str = Field(default="I", min_length=1, max_length=60)
    setpoint: str = Field(default="SP", min_length=1, max_length=60)
    serial_variable: str = Field(default="", max_length=60)


def ioc_chamber(fitting: Fitting) -> Any:
    """A chamber or temperature controller behind an EPICS input/output controller."""
    from devices.climate_chamber.ioc import READBACK, SERIAL, SETPOINT, IocChamber, IocSettings
    from digital_twin.instruments.chamber_faults import IOC_FAULTS
    from digital_twin.instruments.ioc_chamber import IocChamberTwin

    written = _settings(fitting, _Ioc)

    def client(address: str) -> Transport:
        from devices.epics import Epics

        scheme, _, prefix = address.partition(":")
        if scheme != "epics":
            raise BadInput(
                f"{address!r} is no prefix of process variables.",
                way_out="Write epics:PREFIX, such as epics:lab3:chamber:",
                field="address",
            )
        if "unknown" in (written.vendor, written.model, written.serial):
            raise BadInput(
                "Who the controller is is not said.",
                way_out="Write its vendor, model and serial; the serial of a simulation begins with TWIN.",
                field="settings.serial",
            )
        places: dict[str, tuple[str, type]] = {
            READBACK: (written.readback, float),
            SETPOINT: (written.setpoint, float),
        }
        if written.serial_variable:
            places[SERIAL] = (written.serial_variable, str)
        return Epics(prefix, places)

    role, serial = fitting.spec.role, written.serial
    if fitting.world is not None:
        serial = "TWIN-TC-0001"
    settings = IocSettings(
        vendor=written.vendor,
        model=written.model,
        serial=serial,
        shows_serial=bool(written.serial_variable) or fitting.world is not None,
    )
    wire = _wire(
        fitting, lambda world: IocChamberTwin(world, name=role, position=fitting.position), IOC_FAULTS, client
    )
    return IocChamber(role, wire, settings=settings, resting=written.resting(), limits=fitting.spec.limits)


class _Sila(_Resting):
    """What a SiLA server is checked against."""

    certificate: str = Field(default="", max_length=1000)
    encrypted: bool = True


def sila_chamber(fitting: Fitting) -> Any:
    """A chamber with SiLA 2's feature TemperatureController."""
    from devices.climate_chamber.sila import SilaChamber
    from digital_twin.instruments.chamber_faults import SILA_FAULTS
    from digital_twin.instruments.sila_chamber import SilaChamberTwin

    settings = _settings(fitting, _Sila)

    def client(address: str) -> Transport:
        from devices.sila import Sila

        if not settings.encrypted:
            return Sila(address)
        certificate = fitting.workcell.folder / settings.certificate
        if not settings.certificate or not certificate.is_file():
            raise BadInput(
                f"There is no certificate {settings.certificate!r} to check the server's against.",
                way_out="Write the file with the certificates that it is signed with, or encrypted: false.",
                field="settings.certificate",
            )
        return Sila(address, certificate=certificate)

    role = fitting.spec.role
    wire = _wire(
        fitting,
        lambda world: SilaChamberTwin(world, name=role, position=fitting.position),
        SILA_FAULTS,
        client,
    )
    return SilaChamber(role, wire, resting=settings.resting(), limits=fitting.spec.limits)


def _wire(
    fitting: Fitting,
    twin: Callable[[World], LineInstrument],
    faults: LineFaults,
    client: Callable[[str], Transport],
) -> Transport:
    """The twin in process, with what goes wrong with it, or the client of the server at the address."""
    from devices.services import FRAMING

    if fitting.world is not None:
        return fitting.transport(twin, FRAMING, faults)
    if not fitting.spec.address:
        raise BadInput(
            f"{fitting.spec.role} has no address.",
            way_out="Write one, or set twin: true.",
            field="address",
        )
    return client(fitting.spec.address)


def _settings(fitting: Fitting, model: type[Model]) -> Model:
    try:
        return read_strictly(model, fitting.settings, within="settings")
    except CampaignFileError as wrong:
        # It knows no file; whoever called has it.
        raise BadInput(wrong.reason, way_out=wrong.way_out, field=wrong.field) from wrong
