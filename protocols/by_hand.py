"""How strong is each candidate's signal, over the reference's, when people do the pipetting and the reading?

For a bench without robots: one worklist prepares a plate (candidates, the reference and blanks at random wells, then the
reagents, then whatever else the plate needs), and one asks for a number for each of its wells. ``relative_signal`` is a
candidate's signal over the reference's on the same plate, each above that of wells without a sample.
"""

from collections.abc import Iterator

import numpy as np
from pydantic import Field, model_validator

from devices.person import MeasureByHand, WorkByHand
from lab.bench import Bench
from lab.errors import BadInput
from lab.interfaces import RunRecord, Workcell
from lab.strict import refuse
from lab.types import Batch, Campaign, Layout, Observation
from protocols import steps
from protocols.plate_layout import column_major
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

__all__ = ["TARGET", "Parameters", "analyse", "layout", "method", "plan", "targets"]

TARGET = "relative_signal"

STREAM = "by_hand"

NEEDS = (("handler", "work"), ("reader", "measure"))


class Parameters(AssayParameters):
    """What can be set in the campaign file. Quantities are in the unit of their name, or written out: ``"3 h"``."""

    sample_volume_ul: float = Field(default=10.0, ge=0.5, le=300.0, description="Sample per well.")
    reagent: str = Field(
        default="assay_buffer", min_length=1, description="What its trough holds; blanks get it too."
    )
    reagent_volume_ul: float = Field(default=90.0, ge=0.5, le=2000.0, description="Of it, per well.")
    second_reagent: str = Field(default="", description="What its trough holds; empty for none.")
    second_volume_ul: float = Field(default=0.0, ge=0.0, le=2000.0, description="Of it, per well.")
    instructions: tuple[str, ...] = Field(
        default=(), description="What else is done to the plate before it is measured, a sentence each."
    )
    waiting_s: float = Field(default=0.0, ge=0.0, le=30 * 86_400.0, description="How long that takes.")
    quantity: str = Field(default="absorbance at 600 nm", min_length=1, description="What is measured.")
    unit: str = Field(default="OD", min_length=1, max_length=20, description="Of the numbers that come back.")

    @model_validator(mode="after")
    def _second(self) -> "Parameters":
        if bool(self.second_reagent) != (self.second_volume_ul > 0.0):
            raise refuse("A second reagent has a name and a volume.", "Write both, or neither.")
        return self

    @property
    def reagents(self) -> dict[str, tuple[str, float]]:
        """Role -> content and volume_ul a well, in the order of giving."""
        given = {"first": (self.reagent, self.reagent_volume_ul)}
        if self.second_reagent:
            given["second"] = (self.second_reagent, self.second_volume_ul)
        return given


def targets(parameters: Parameters) -> tuple[str, ...]:
    """What it measures, whatever the parameters."""
    return (TARGET,)


def method(parameters: Parameters) -> str:
    """What was done, for the report."""
    then = "".join(f" {text.rstrip('.')};" for text in parameters.instructions)
    return (
        f"relative signal by hand:{then} {parameters.quantity} ({parameters.unit}) above wells without a sample, over the "
        "reference on the same plate"
    )


def layout(
    batch: Batch, campaign: Campaign, bench: Bench, parameters: Parameters, rng: np.random.Generator
) -> Layout:
    """Choose a plate, wells and source wells: all that depends on what is left on the bench.

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
        reagents=parameters.reagents,
        also={},
    )


def plan(
    batch: Batch, campaign: Campaign, workcell: Workcell, layout: Layout, parameters: Parameters
) -> steps.Plan[None]:
    """Two worklists: prepare the plate, measure it.

    Raises:
        Infeasible: the workcell has no person who pipettes, or none who measures.
    """
    steps.require(workcell, NEEDS)
    work = filled(layout)
    prepare = WorkByHand(
        portions=tuple(_portions(work)),
        instructions=parameters.instructions,
        waiting_s=parameters.waiting_s,
    )
    yield from steps.carry_out(workcell, "handler", prepare)
    measure = MeasureByHand(
        plate=work.plate,
        quantity=parameters.quantity,
        unit=parameters.unit,
        wells=tuple(sorted(work.wells, key=lambda well: (well[0], int(well[1:])))),
    )
    yield from steps.read(workcell, measure, stream=STREAM)


def _portions(work: Filled) -> Iterator[tuple[str, str, str, str, float]]:
    """Samples source by source, then each reagent down the columns."""
    for pick in work.picks:
        for labware, well, volume_ul in pick.targets:
            yield (*pick.source, labware, well, volume_ul)
    for reagent in work.reagents.values():
        for well in column_major(work.wells):
            yield (*reagent.source, work.plate, well, reagent.volume_ul)


def analyse(
    record: RunRecord, batch: Batch, campaign: Campaign, parameters: Parameters
) -> tuple[Observation, ...]:
    """Documents to observations: signal over the reference's; see :mod:`protocols.relative_signal`.

    One that could not be measured has no value (NaN), and its quality says why. Wells of barred samples do not count; a
    plate all of whose samples are barred need not have been read.

    Raises:
        BadInput: the plate was not read.
        NonsenseReply: a reading has not as many values as its plate has wells.
    """
    plate = record.layout.labware[PLATE]
    seen = plate_readings(record.documents, stream=STREAM).get(plate)
    if seen is None and any(use.sample_id not in record.barred for use in record.layout.wells):
        raise BadInput(
            f"{record.run_id} has no reading of {plate}.", way_out="Carry the run on to its end first."
        )
    signals = without_reading(plate, record.layout.wells) if seen is None else seen
    relative = RelativeSignal(
        signals=signals,
        uses=record.layout.wells,
        requirements=parameters.requirements("dilute the samples, or lower the reader's gain"),
        barred=record.barred,
    )
    return relative_observations(
        record,
        batch,
        relative,
        target=TARGET,
        method=method(parameters),
        lab_time_s=signals.lab_time_s,
        more={"signal_unit": parameters.unit},
    )
