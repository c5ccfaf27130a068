"""Instruments on text and register buses, for the contract of all line devices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devices.furnace import Anneal
from devices.furnace.eurotherm import Eurotherm3216
from devices.modbus import ModbusTcp
from devices.spectrometer import TakeSpectrum
from devices.spectrometer.aq6370 import AQ6370
from devices.syringe_pump import Dispense
from devices.syringe_pump.ne1000 import NE1000, Syringe
from devices.transport import LineInstrument, Transport
from digital_twin.instruments.aq6370 import AQ6370Twin
from digital_twin.instruments.eurotherm import EurothermTwin
from digital_twin.instruments.ne1000 import NE1000Twin
from digital_twin.serve_modbus import serve_modbus
from tests.devices.line_bench import Case

SYRINGE = Syringe(diameter_mm=14.43, volume_ul=10_000.0)


@asynccontextmanager
async def over_modbus(model: LineInstrument) -> AsyncIterator[Transport]:
    async with serve_modbus(model) as port:
        yield ModbusTcp("127.0.0.1", port)


FURNACE = Case(
    name="furnace",
    plate_at="furnace",
    framing=Eurotherm3216.framing,
    device=lambda wire, bench: Eurotherm3216("furnace", wire, limits={"temperature_c": (25.0, 200.0)}),
    twin=lambda world: EurothermTwin(world, name="furnace", position="furnace"),
    harmless=("anneal", Anneal(plate="assay_1", temperature_c=26.0, hold_s=3.0, ramp_c_per_min=60.0)),
    past_limit=("anneal", Anneal(plate="assay_1", temperature_c=201.0, hold_s=1.0)),
    complaint="9004",
    over_socket=over_modbus,
)

PUMP = Case(
    name="pump",
    plate_at="pump_outlet",
    framing=NE1000.framing,
    device=lambda wire, bench: NE1000("pump", wire, syringe=SYRINGE, limits={"volume_ul": (0.1, 500.0)}),
    twin=lambda world: NE1000Twin(world, name="pump", syringe_at="pump_syringe", outlet_at="pump_outlet"),
    harmless=(
        "dispense",
        Dispense(syringe="syringe", labware="assay_1", well="A1", volume_ul=5.0, rate_ul_per_min=600.0),
    ),
    past_limit=(
        "dispense",
        Dispense(syringe="syringe", labware="assay_1", well="A1", volume_ul=501.0, rate_ul_per_min=600.0),
    ),
    complaint="00A?S",
)

SPECTROMETER = Case(
    name="spectrometer",
    plate_at="spectrometer",
    framing=AQ6370.framing,
    device=lambda wire, bench: AQ6370("spectrometer", wire, limits={"to_nm": (350.0, 1200.0)}),
    twin=lambda world: AQ6370Twin(world, name="spectrometer", position="spectrometer", well=lambda: "A1"),
    harmless=("spectrum", TakeSpectrum(plate="assay_1", wells=("A1",), to_nm=500.0, points=101)),
    past_limit=("spectrum", TakeSpectrum(plate="assay_1", wells=("A1",), to_nm=1300.0)),
    complaint='-222,"Data out of range"',
)

BUS_CASES = (FURNACE, PUMP, SPECTROMETER)
