"""Commands of instruments on text and register buses, and how the world's ledger shows whether they were carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devices.furnace import Anneal
from devices.furnace.eurotherm import Register, long_at
from devices.modbus import write_register
from devices.spectrometer import TakeSpectrum
from devices.syringe_pump import Dispense
from digital_twin.ledger import Action
from digital_twin.world import World
from tests.devices.bus_bench import FURNACE, PUMP, SPECTROMETER
from tests.devices.line_trials import Trial

Check = Callable[[World, Sequence[Action]], bool]

_FURNACE_QUESTIONS = ("03",)
_PUMP_QUESTIONS = ("DIS", "VER")
_SPECTROMETER_QUESTIONS = ("*", ":STATus", ":TRACe:DATA", ":SENSe", ":FORMat", ":DISPlay", "open", " ")


def annealed(temperature_c: float, hold_s: float, ramp_c_per_min: float) -> Check:
    """Told the temperature once, and off when ramp and hold were over, by the furnace itself."""

    def check(world: World, actions: Sequence[Action]) -> bool:
        told = [(a.lab_time_s, a.arguments["temperature_c"]) for a in actions if a.action == "control"]
        if [c for _, c in told] != [temperature_c, None]:
            return False
        (hot_s, _), (off_s, _) = told
        ramp_s = (temperature_c - 22.0) / ramp_c_per_min * 60.0
        return abs(off_s - hot_s - ramp_s - hold_s) < 2.0

    return check


def heated(world: World, actions: Sequence[Action]) -> bool:
    return any(a.action == "control" and a.arguments["temperature_c"] is not None for a in actions)


def _infused_ul(actions: Sequence[Action]) -> float:
    return sum(a.arguments["volume_ul"] for a in actions if a.action == "infuse")


def infused(volume_ul: float) -> Check:
    return lambda world, actions: abs(_infused_ul(actions) - volume_ul) < 1e-3


def pushed(world: World, actions: Sequence[Action]) -> bool:
    return _infused_ul(actions) > 0.0


def looked(wells: int) -> Check:
    return lambda world, actions: sum(a.action == "take_spectrum" for a in actions) >= wells


def never(world: World, actions: Sequence[Action]) -> bool:
    """Light leaves nothing behind."""
    return False


def anneal(temperature_c: float, hold_s: float, ramp_c_per_min: float) -> Trial:
    return Trial(
        case=FURNACE,
        command=Anneal(
            plate="assay_1", temperature_c=temperature_c, hold_s=hold_s, ramp_c_per_min=ramp_c_per_min
        ),
        parts={
            "program": f"10{long_at(Register.SETPOINT_1):04x}",
            "heat": write_register(Register.PROGRAM_STATUS, 1),
        },
        # Also late, when what was started has come to its end by itself: one that was not looks as after a power cut.
        answers="done not_done unknown",
        happened=annealed(temperature_c, hold_s, ramp_c_per_min),
        begun=heated,
        questions=_FURNACE_QUESTIONS,
    )


def dispense(volume_ul: float, rate_ul_per_min: float) -> Trial:
    return Trial(
        case=PUMP,
        command=Dispense(
            syringe="syringe",
            labware="assay_1",
            well="A1",
            volume_ul=volume_ul,
            rate_ul_per_min=rate_ul_per_min,
        ),
        parts={"give": "RUN"},
        # Also late: one that counts nothing may have lost power, and told it to somebody else.
        answers="done not_done unknown",
        happened=infused(volume_ul),
        begun=pushed,
        questions=_PUMP_QUESTIONS,
    )


SPECTRUM = Trial(
    case=SPECTROMETER,
    command=TakeSpectrum(plate="assay_1", wells=("A1", "A1"), to_nm=500.0, points=101),
    parts={"sweep": ":ABORt"},
    answers="not_done",
    happened=looked(2),
    begun=never,
    questions=_SPECTROMETER_QUESTIONS,
)

BUS_TRIALS = (anneal(41.0, 8.0, 100.0), dispense(100.0, 300.0), SPECTRUM)

QUICK_BUS_TRIALS = (anneal(26.0, 5.0, 60.0), dispense(20.0, 600.0))
"""Those that take little lab time, for where a socket makes it wall time."""
