"""Modules of Opentrons robots for the contracts of line devices, and how the ledger shows what they have done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devices.climate_chamber import Keep
from devices.incubator import Incubate
from devices.incubator.opentrons import HeaterShaker
from devices.magnet import Disengage, Engage
from devices.magnet.opentrons import HOME_MM, MagneticModule
from devices.opentrons_robot.modules import FRAMING
from devices.temperature_module import Deactivate, SetTemperature
from devices.temperature_module.opentrons import TemperatureModule
from digital_twin.instruments.opentrons_module_faults import _failed
from digital_twin.instruments.opentrons_module_twins import (
    HeaterShakerTwin,
    MagneticModuleTwin,
    TemperatureModuleTwin,
)
from digital_twin.ledger import Action
from digital_twin.world import World
from tests.devices.chamber_bench import kept, warmed
from tests.devices.line_bench import Case
from tests.devices.line_trials import Trial, incubated, never
from tests.devices.line_trials import warmed as shaken_or_warm

__all__ = ["MODULE_CASES", "MODULE_TRIALS", "QUICK_MODULE_TRIALS"]

BROKEN = _failed("ModuleCommunicationError", "The module reports an error.")

HEATER_SHAKER = Case(
    name="shaker",
    plate_at="shaker",
    framing=FRAMING,
    device=lambda wire, bench: HeaterShaker("shaker", wire, limits={"temperature_c": (20.0, 70.0)}),
    twin=lambda world: HeaterShakerTwin(world, name="shaker", position="shaker"),
    harmless=("incubate", Incubate(plate="assay_1", temperature_c=22.0, hold_s=3.0, shaking_rpm=300.0)),
    past_limit=("incubate", Incubate(plate="assay_1", temperature_c=71.0, hold_s=1.0, shaking_rpm=None)),
    complaint=BROKEN,
)

BLOCK = Case(
    name="block",
    plate_at="block",
    framing=FRAMING,
    device=lambda wire, bench: TemperatureModule("block", wire, limits={"temperature_c": (4.0, 70.0)}),
    twin=lambda world: TemperatureModuleTwin(world, name="block", position="block"),
    harmless=("set_temperature", SetTemperature(temperature_c=23.0)),
    past_limit=("keep", Keep(plate="assay_1", temperature_c=71.0, hold_s=1.0)),
    complaint=BROKEN,
)

MAGNET = Case(
    name="magnet",
    plate_at="magnet",
    framing=FRAMING,
    device=lambda wire, bench: MagneticModule("magnet", wire, limits={"height_mm": (0.0, 15.0)}),
    twin=lambda world: MagneticModuleTwin(world, name="magnet", position="magnet"),
    harmless=("engage", Engage(plate="assay_1", height_mm=6.0)),
    past_limit=("engage", Engage(plate="assay_1", height_mm=16.0)),
    complaint=BROKEN,
)

MODULE_CASES = (HEATER_SHAKER, BLOCK, MAGNET)

Check = Callable[[World, Sequence[Action]], bool]


def block_is(temperature_c: float | None) -> Check:
    return lambda world, actions: world.state.climates["block"].set_c == temperature_c


def magnets_are(height_mm: float) -> Check:
    return lambda world, actions: (
        world.state.magnets_mm.get("magnet", HOME_MM) == height_mm
        and sum(action.action == "raise_magnets" for action in actions) == 1
    )


PARTS = {
    "clamp": "heaterShaker/closeLabwareLatch",
    "warm": "heaterShaker/setTargetTemperature",
    "shake": "heaterShaker/setAndWaitForShakeSpeed",
    "off": "heaterShaker/deactivateHeater",
    "release": "heaterShaker/openLabwareLatch",
}

MODULE_TRIALS = (
    Trial(
        case=HEATER_SHAKER,
        command=Incubate(plate="assay_1", temperature_c=37.0, hold_s=20.0, shaking_rpm=500.0),
        parts=PARTS,
        answers="done not_done unknown",
        happened=incubated(500.0, 20.0),
        begun=shaken_or_warm,
        questions=("get",),
    ),
    Trial(
        case=HEATER_SHAKER,
        command=Incubate(plate="assay_1", temperature_c=40.0, hold_s=20.0, shaking_rpm=None),
        parts={mark: line for mark, line in PARTS.items() if mark != "shake"},
        answers="done not_done unknown",
        happened=incubated(None, 20.0),
        begun=shaken_or_warm,
        questions=("get",),
    ),
    Trial(
        case=BLOCK,
        command=Keep(plate="assay_1", temperature_c=37.0, hold_s=60.0),
        parts={"reach": "temperatureModule/setTargetTemperature", "off": "temperatureModule/deactivate"},
        answers="done not_done unknown",
        # Another process can't tell a module that was never told from one that lost power.
        anew="done unknown",
        late="unknown",
        happened=kept(37.0, 60.0),
        begun=warmed,
        questions=("get",),
    ),
    Trial(
        case=BLOCK,
        command=SetTemperature(temperature_c=10.0),
        parts={"set_temperature": "temperatureModule/setTargetTemperature"},
        answers="done not_done",
        happened=block_is(10.0),
        begun=never,
        questions=("get",),
    ),
    Trial(
        case=BLOCK,
        command=Deactivate(),
        first=(SetTemperature(temperature_c=10.0),),
        parts={"deactivate": "temperatureModule/deactivate"},
        answers="done not_done",
        happened=block_is(None),
        begun=never,
        questions=("get",),
    ),
    Trial(
        case=MAGNET,
        command=Engage(plate="assay_1", height_mm=8.0),
        parts={"engage": "magneticModule/engage"},
        answers="done not_done",
        happened=magnets_are(8.0),
        begun=never,
        questions=("get",),
    ),
    Trial(
        case=MAGNET,
        command=Engage(plate="assay_1", height_mm=8.0, hold_s=30.0),
        parts={"engage": "magneticModule/engage"},
        answers="not_done",
        happened=magnets_are(8.0),
        begun=never,
        questions=("get",),
    ),
    Trial(
        case=MAGNET,
        command=Disengage(),
        first=(Engage(plate="assay_1", height_mm=8.0),),
        parts={"disengage": "magneticModule/disengage"},
        answers="done not_done",
        happened=magnets_are(HOME_MM),
        begun=never,
        questions=("get",),
    ),
)

QUICK_MODULE_TRIALS = (MODULE_TRIALS[-1],)
