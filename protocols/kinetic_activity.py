"""How active is each enzyme variant, over the reference?

Variants are picked from the library into dry wells of one plate and diluted with buffer. A chromogenic substrate starts all
reactions, the plate is shaken to mix it in, and its absorbance is read again and again. The activity of a well is the
slope of its curve before it bends (:mod:`protocols.initial_rates`); ``relative_activity`` is a variant's slope over the
reference's on the same plate, each above the blanks, in which the substrate falls apart by itself.

The defaults are those of nitrocefin and a class A beta-lactamase.
"""

import numpy as np
from pydantic import Field

from devices.plate_reader import ReadAbsorbance
from lab.bench import Bench
from lab.errors import BadInput, Infeasible
from lab.interfaces import RunRecord, Workcell
from lab.types import Batch, Campaign, JsonValue, Layout, Observation
from protocols import steps
from protocols.filling import add_to_plate, fill_plates, filling_deck
from protocols.initial_rates import FEWEST_READINGS, Rate, initial_rate
from protocols.plate_work import home, work_place
from protocols.readings import KineticReading, PlateReading, plate_kinetics, without_reading
from protocols.relative_assay import (
    PLATE,
    AssayParameters,
    Filled,
    filled,
    one_plate_layout,
    relative_observations,
)
from protocols.relative_signal import RelativeSignal

__all__ = ["TARGET", "Parameters", "analyse", "layout", "method", "plan", "targets"]

TARGET = "relative_activity"

NEEDS = (
    ("handler", "distribute"),
    ("handler", "add_reagent"),
    ("arm", "move"),
    ("shaker", "incubate"),
    ("reader", "absorbance"),
)

_MILLI_PER_MINUTE = 60_000.0
"""From absorbance a second to thousandths a minute, the unit that enzymologists read."""


class Parameters(AssayParameters):
    """What can be set in the campaign file. Quantities are in the unit of their name, or written out: ``"10 min"``."""

    sample_volume_ul: float = Field(default=5.0, ge=1.0, le=50.0, description="Enzyme solution per well.")
    buffer_volume_ul: float = Field(default=95.0, ge=5.0, le=250.0, description="Assay buffer per well.")
    substrate_volume_ul: float = Field(
        default=50.0, ge=5.0, le=250.0, description="Substrate per well; it starts the reaction."
    )
    buffer: str = Field(default="assay_buffer", min_length=1, description="What its trough holds.")
    substrate: str = Field(default="nitrocefin", min_length=1, description="What its trough holds.")
    mixing_temperature_c: float = Field(default=25.0, ge=4.0, le=45.0, description="Of the shaker.")
    mixing_duration_s: float = Field(
        default=45.0, ge=5.0, le=600.0, description="On the shaker, once the substrate is in."
    )
    shaking_rpm: float = Field(default=900.0, ge=100.0, le=3000.0, description="While it is mixed in.")
    wavelength_nm: float = Field(
        default=486.0, ge=200.0, le=1000.0, description="At which the product is seen."
    )
    readings: int = Field(
        default=20, ge=FEWEST_READINGS, le=200, description="Of the whole plate, one after the other."
    )
    interval_s: float = Field(
        default=45.0, ge=5.0, le=3600.0, description="From the start of one reading to the start of the next."
    )
    max_bend: float = Field(
        default=0.05,
        gt=0.0,
        le=0.5,
        description="Largest change of the slope over what counts as linear, as a share of it.",
    )


def targets(parameters: Parameters) -> tuple[str, ...]:
    """What it measures, whatever the parameters."""
    return (TARGET,)


def method(parameters: Parameters) -> str:
    """What was done, for the report."""
    minutes = parameters.readings * parameters.interval_s / 60.0
    return (
        f"relative activity by {parameters.substrate} hydrolysis, initial rate of the absorbance at "
        f"{parameters.wavelength_nm:g} nm in {parameters.readings} readings over {minutes:g} min, above blank, over the "
        "reference on the same plate"
    )


def layout(
    batch: Batch, campaign: Campaign, bench: Bench, parameters: Parameters, rng: np.random.Generator
) -> Layout:
    """Choose a plate, wells, source wells and tips. Everything that depends on what is left on the bench is settled here.

    Raises:
        Infeasible: not enough plates, wells or material; a sentence for each.
    """
    return one_plate_layout(
        batch,
        campaign,
        bench,
        parameters,
        rng,
        sample_volume_ul=parameters.sample_volume_ul,
        reagents={
            "buffer": (parameters.buffer, parameters.buffer_volume_ul),
            "substrate": (parameters.substrate, parameters.substrate_volume_ul),
        },
        also={},
    )


# ----------------------------------------------------------------------------------------------------------------- plan


def plan(
    batch: Batch, campaign: Campaign, workcell: Workcell, layout: Layout, parameters: Parameters
) -> steps.Plan[None]:
    """Fill the plate; then, without a rest between them, start the reactions, mix, and read.

    Raises:
        Infeasible: the workcell lacks a device, or a place to work at, or its reader can't keep the pace.
    """
    steps.require(workcell, NEEDS)
    bench = workcell.bench
    work = filled(layout)
    deck = filling_deck(bench)
    shaker, reader = work_place(bench, "shaker"), work_place(bench, "reader")
    reading = ReadAbsorbance(
        plate=work.plate,
        wavelength_nm=parameters.wavelength_nm,
        cycles=parameters.readings,
        interval_s=parameters.interval_s,
    )
    _check_pace(workcell, reading)
    filling = fill_plates(workcell, deck, (work.plate,), work.picks, work.reagents["buffer"], work.wells)
    yield from steps.claimed(deck, filling)
    yield from steps.claimed(
        (deck[1], shaker, reader), _react(workcell, (deck[1], shaker, reader), work, parameters, reading)
    )


def _check_pace(workcell: Workcell, reading: ReadAbsorbance) -> None:
    """Times of readings are worked out from the interval, so a reader that can't keep it is refused."""
    verb = steps.verb_of(workcell, "reader", reading.verb)
    one, two = (
        ReadAbsorbance(
            plate=reading.plate,
            wavelength_nm=reading.wavelength_nm,
            cycles=cycles,
            interval_s=reading.interval_s,
        )
        for cycles in (1, 2)
    )
    pace_s = verb.duration_s(two, workcell.bench) - verb.duration_s(one, workcell.bench)
    if pace_s > reading.interval_s + 1e-6:
        raise Infeasible(
            (
                f"The reader takes {pace_s:g} s to read a plate once, and interval_s is {reading.interval_s:g}.",
            ),
            way_out=f"Make it {pace_s:g} or more.",
        )


def _react(
    workcell: Workcell,
    places: tuple[str, str, str],
    work: Filled,
    parameters: Parameters,
    reading: ReadAbsorbance,
) -> steps.Plan[None]:
    deck, shaker, reader = places
    yield from add_to_plate(workcell, deck, work.plate, work.reagents["substrate"], work.wells)
    yield from steps.move(workcell, work.plate, shaker)
    yield from steps.incubate(
        workcell,
        work.plate,
        temperature_c=parameters.mixing_temperature_c,
        hold_s=parameters.mixing_duration_s,
        shaking_rpm=parameters.shaking_rpm,
    )
    yield from steps.move(workcell, work.plate, reader)
    yield from steps.read_absorbance(
        workcell,
        work.plate,
        wavelength_nm=reading.wavelength_nm,
        cycles=reading.cycles,
        interval_s=reading.interval_s,
    )
    yield from home(workcell, work.plate)


# ------------------------------------------------------------------------------------------------------------- analysis


def analyse(
    record: RunRecord, batch: Batch, campaign: Campaign, parameters: Parameters
) -> tuple[Observation, ...]:
    """Documents to observations: initial rates over the reference's; see :mod:`protocols.relative_signal`.

    One that could not be measured has no value (NaN), and its quality says why. Wells of barred samples do not count; a
    plate all of whose samples are barred need not have been read.

    Raises:
        BadInput: the plate was not read.
        NonsenseReply: a reading has not as many values as its plate has wells.
    """
    plate = record.layout.labware[PLATE]
    seen = plate_kinetics(record.documents, stream="absorbance_kinetic").get(plate)
    if seen is None and any(use.sample_id not in record.barred for use in record.layout.wells):
        raise BadInput(
            f"{record.run_id} has no reading of {plate}.", way_out="Carry the run on to its end first."
        )
    rates = {} if seen is None else _rates(seen, parameters)
    signals = without_reading(plate, record.layout.wells) if seen is None else _signals(seen, rates)
    blanks = [
        use.well for use in record.layout.wells if use.kind == "blank" and use.sample_id not in record.barred
    ]
    relative = RelativeSignal(
        signals=signals,
        uses=record.layout.wells,
        requirements=parameters.requirements("give less enzyme or substrate"),
        barred=record.barred,
        set_aside={} if seen is None else _without_rate(seen, rates, blanks, parameters),
    )
    more: dict[str, JsonValue] = {"signal_unit": "mAU/min"}
    return relative_observations(
        record,
        batch,
        relative,
        target=TARGET,
        method=method(parameters),
        lab_time_s=signals.lab_time_s,
        more=more,
    )


def _rates(seen: KineticReading, parameters: Parameters) -> dict[str, Rate]:
    return {
        well: initial_rate(parameters.interval_s * np.arange(len(trace)), trace, max_bend=parameters.max_bend)
        for well, trace in seen.traces.items()
    }


def _signals(seen: KineticReading, rates: dict[str, Rate]) -> PlateReading:
    return PlateReading(
        labware=seen.labware,
        values={well: _MILLI_PER_MINUTE * rate.per_s for well, rate in rates.items()},
        saturated=seen.saturated,
        lab_time_s=seen.lab_time_s,
    )


def _without_rate(
    seen: KineticReading, rates: dict[str, Rate], blanks: list[str], parameters: Parameters
) -> dict[str, tuple[str, str]]:
    """Wells that were read well and have no initial rate all the same: flag, and the end of a sentence about the well."""
    found: dict[str, tuple[str, str]] = {}
    duration_s = parameters.interval_s * parameters.readings
    starts = [rates[well].start for well in blanks if np.isfinite(rates[well].start)]
    clear = float(np.median(starts)) if starts else float("nan")
    noise = float(np.std(starts)) if len(starts) > 1 else 0.0
    for well, trace in seen.traces.items():
        if well in seen.saturated or not np.isfinite(trace).all():
            continue
        rate = rates[well]
        if not np.isfinite(rate.per_s):
            found[well] = (
                "non_linear",
                "bends from its first readings on: its substrate is used up too fast.",
            )
        elif rate.start - clear > 10.0 * noise + 0.02 + 2.0 * max(0.0, rate.per_s) * duration_s:
            found[well] = ("non_linear", "was nearly over before the first reading.")
    return found
