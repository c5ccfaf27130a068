"""How strongly does each promoter express, over the reference?

Templates, each a promoter before a gene for GFP, are picked from the library into dry wells of one plate, diluted with water
and covered with a cell-free mix that transcribes and translates. Sealed, the plate is shaken warm for some hours, and its
fluorescence is read. ``relative_expression`` is a promoter's light over the reference's on the same plate, each above that
of wells without template, in which the extract shines by itself.
"""

import numpy as np
from pydantic import Field

from lab.bench import Bench
from lab.errors import BadInput
from lab.interfaces import RunRecord, Workcell
from lab.types import Batch, Campaign, Layout, Observation
from protocols import steps
from protocols.filling import add_to_plate, fill_plates, filling_deck
from protocols.plate_work import a_lid, home, shake_sealed, work_place
from protocols.readings import plate_readings, without_reading
from protocols.relative_assay import (
    PLATE,
    AssayParameters,
    Filled,
    filled,
    one_plate_layout,
    relative_observations,
)
from protocols.relative_signal import RelativeSignal
from protocols.stock import Reagent

__all__ = ["TARGET", "Parameters", "analyse", "layout", "method", "plan", "targets"]

TARGET = "relative_expression"

NEEDS = (
    ("handler", "distribute"),
    ("handler", "add_reagent"),
    ("arm", "move"),
    ("arm", "put_lid"),
    ("arm", "take_lid"),
    ("shaker", "incubate"),
    ("reader", "fluorescence"),
)


class Parameters(AssayParameters):
    """What can be set in the campaign file. Quantities are in the unit of their name, or written out: ``"3 h"``."""

    sample_volume_ul: float = Field(default=4.0, ge=1.0, le=50.0, description="Template solution per well.")
    water_volume_ul: float = Field(default=8.0, ge=2.0, le=100.0, description="Water per well.")
    mix_volume_ul: float = Field(
        default=24.0, ge=5.0, le=150.0, description="Cell-free mix per well; it starts the reaction."
    )
    water: str = Field(default="water", min_length=1, description="What its trough holds.")
    mix: str = Field(default="cell_free_mix", min_length=1, description="What its trough holds.")
    expression_temperature_c: float = Field(default=30.0, ge=25.0, le=37.0, description="Of the shaker.")
    expression_duration_s: float = Field(
        default=10_800.0, ge=600.0, le=86_400.0, description="At that temperature, sealed and shaking."
    )
    shaking_rpm: float = Field(default=1400.0, ge=100.0, le=3000.0, description="Meanwhile.")
    excitation_nm: float = Field(default=485.0, ge=200.0, le=1000.0, description="Of the reader.")
    emission_nm: float = Field(default=520.0, ge=200.0, le=1000.0, description="Of the reader.")
    gain: float = Field(
        default=65.0,
        gt=0.0,
        description="Of the reader's detector, on that reader's own scale; its limits are checked.",
    )


def targets(parameters: Parameters) -> tuple[str, ...]:
    """What it measures, whatever the parameters."""
    return (TARGET,)


def method(parameters: Parameters) -> str:
    """What was done, for the report."""
    hours = parameters.expression_duration_s / 3600.0
    return (
        f"relative expression after {hours:g} h at {parameters.expression_temperature_c:g} C in a cell-free mix, GFP "
        f"fluorescence at {parameters.excitation_nm:g} and {parameters.emission_nm:g} nm above wells without template, over "
        "the reference on the same plate"
    )


def layout(
    batch: Batch, campaign: Campaign, bench: Bench, parameters: Parameters, rng: np.random.Generator
) -> Layout:
    """Choose a plate, wells, source wells, tips and a lid: all that depends on what is left on the bench.

    Raises:
        Infeasible: not enough plates, wells, lids or material; a sentence for each.
    """
    return one_plate_layout(
        batch,
        campaign,
        bench,
        parameters,
        rng,
        sample_volume_ul=parameters.sample_volume_ul,
        reagents={
            "water": (parameters.water, parameters.water_volume_ul),
            "mix": (parameters.mix, parameters.mix_volume_ul),
        },
        also={"lid": a_lid(bench).id},
    )


# ----------------------------------------------------------------------------------------------------------------- plan


def plan(
    batch: Batch, campaign: Campaign, workcell: Workcell, layout: Layout, parameters: Parameters
) -> steps.Plan[None]:
    """Fill the plate, start all reactions, express, and read.

    Raises:
        Infeasible: the workcell lacks a device, or a place to work at.
    """
    steps.require(workcell, NEEDS)
    bench = workcell.bench
    work = filled(layout)
    deck = filling_deck(bench)
    lid = bench.labware[layout.labware["lid"]]
    shaker, reader = work_place(bench, "shaker"), work_place(bench, "reader")
    filling = fill_plates(workcell, deck, (work.plate,), work.picks, work.reagents["water"], work.wells)
    yield from steps.claimed(deck, filling)
    start = _start(workcell, deck[1], work, work.reagents["mix"])
    yield from steps.claimed(deck[1:2], start)
    expression = shake_sealed(
        workcell,
        work.plate,
        place=shaker,
        lid=lid,
        temperature_c=parameters.expression_temperature_c,
        hold_s=parameters.expression_duration_s,
        shaking_rpm=parameters.shaking_rpm,
    )
    yield from steps.claimed((shaker, lid.home), expression)
    yield from steps.claimed((reader,), _read(workcell, reader, work.plate, parameters))


def _start(workcell: Workcell, place: str, work: Filled, mix: Reagent) -> steps.Plan[None]:
    yield from add_to_plate(workcell, place, work.plate, mix, work.wells)
    yield from home(workcell, work.plate)


def _read(workcell: Workcell, place: str, plate: str, parameters: Parameters) -> steps.Plan[None]:
    yield from steps.move(workcell, plate, place)
    yield from steps.read_fluorescence(
        workcell,
        plate,
        excitation_nm=parameters.excitation_nm,
        emission_nm=parameters.emission_nm,
        gain=parameters.gain,
    )
    yield from home(workcell, plate)


# ------------------------------------------------------------------------------------------------------------- analysis


def analyse(
    record: RunRecord, batch: Batch, campaign: Campaign, parameters: Parameters
) -> tuple[Observation, ...]:
    """Documents to observations: light over the reference's; see :mod:`protocols.relative_signal`.

    One that could not be measured has no value (NaN), and its quality says why. Wells of barred samples do not count; a
    plate all of whose samples are barred need not have been read.

    Raises:
        BadInput: the plate was not read.
        NonsenseReply: a reading has not as many values as its plate has wells.
    """
    plate = record.layout.labware[PLATE]
    seen = plate_readings(record.documents, stream="fluorescence").get(plate)
    if seen is None and any(use.sample_id not in record.barred for use in record.layout.wells):
        raise BadInput(
            f"{record.run_id} has no reading of {plate}.", way_out="Carry the run on to its end first."
        )
    signals = without_reading(plate, record.layout.wells) if seen is None else seen
    relative = RelativeSignal(
        signals=signals,
        uses=record.layout.wells,
        requirements=parameters.requirements("lower the reader's gain"),
        barred=record.barred,
    )
    return relative_observations(
        record,
        batch,
        relative,
        target=TARGET,
        method=method(parameters),
        lab_time_s=signals.lab_time_s,
        more={"signal_unit": "rfu"},
    )
