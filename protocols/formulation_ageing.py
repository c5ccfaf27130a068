"""How much of its colour does each formulation lose as it ages?

Each experiment is a mixture of stocks, in the proportions that the candidate's values name. The stocks are dispensed from
their troughs into the wells of a plate and shaken; the plate is read, aged, and read again. ``degradation`` is the
share of its absorbance that a blend has lost, each well compared with itself above the blanks.

**What stands for the lamp.** Photovoltaic blends, which this protocol was written for, are judged by their
*photo*-degradation: the published figure is what a film lost under light. The bench has neither a lamp nor a film coater.
It ages the inks in the dark, sealed, at a high temperature on the thermocycler (the principle of the dark tests ISOS-D that
the field agreed on: Reese et al. 2011, Sol. Energy Mater. Sol. Cells 95:1253). On hardware the result is thermal
degradation and nothing else; only on the twin is it made to equal the published photo-degradation.

Every plate carries the same things: the blends in replicate, the reference blend, and blanks of solvent, at places chosen at
random. Some water leaves through the seal, which makes all wells a little darker; on the twin it shifts results by less
than a thousandth in an hour at 85 C.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from devices.plate_reader import ReadAbsorbance
from lab.bench import Bench
from lab.errors import BadInput, Infeasible
from lab.interfaces import RunRecord, Workcell
from lab.types import Batch, Campaign, JsonValue, Layout, Observation, new_id
from protocols import steps
from protocols.hit_picking import well_uses
from protocols.paired_wells import PairedWells
from protocols.plate_layout import scatter
from protocols.plate_ratio import PlateRatio, Share, Thresholds
from protocols.plate_work import a_lid, fresh_plates, heat_sealed, home, last_read_s, shake, work_place
from protocols.readings import PlateReading, plate_readings, without_reading
from protocols.stock import Pick, Stock
from protocols.stock_mixing import (
    MixingParameters,
    all_candidates,
    mixing_picks,
    portions_ul,
    refuse_past_limits,
    refuse_unmakeable,
)
from protocols.well_groups import REFERENCE, or_none

__all__ = ["TARGET", "Parameters", "analyse", "layout", "method", "plan", "targets"]

TARGET = "degradation"
"""Name of the observation: share of the absorbance that is lost, 0 to 1; noise takes stable blends a little below 0."""

FRESH, AGED = "fresh", "aged"
"""The two readings of the plate."""

PLATE = "plate"

NEEDS = (
    ("handler", "distribute"),
    ("arm", "move"),
    ("arm", "put_lid"),
    ("arm", "take_lid"),
    ("shaker", "incubate"),
    ("thermocycler", "open_lid"),
    ("thermocycler", "heat"),
    ("reader", "absorbance"),
)


class Parameters(MixingParameters):
    """What can be set in the campaign file. Quantities are in the unit of their name, or written out: ``"10 min"``."""

    wavelength_nm: float = Field(
        default=400.0, ge=200.0, le=1000.0, description="At which all stocks absorb."
    )
    ageing_temperature_c: float = Field(default=85.0, ge=30.0, le=99.0, description="Of the sealed plate.")
    ageing_duration_s: float = Field(
        default=3600.0, ge=60.0, le=172_800.0, description="Time at the ageing temperature."
    )
    cool_to_c: float = Field(default=25.0, ge=4.0, le=40.0, description="Block temperature before unsealing.")
    lid_temperature_c: float = Field(default=105.0, ge=37.0, le=110.0, description="Of the heated lid.")
    outlier_sd: float = Field(
        default=5.0, ge=3.0, le=20.0, description="A well this many sd off its replicates is left out."
    )
    max_cv: float = Field(
        default=0.15, gt=0.0, le=1.0, description="Scatter of replicates, of the fresh signal."
    )
    min_z_prime: float = Field(
        default=0.4, ge=-1.0, lt=1.0, description="Z' of reference and blank, freshly mixed."
    )
    min_signal: float = Field(
        default=0.1, ge=0.0, lt=1.0, description="Least fresh signal, of the reference's."
    )
    max_blank_shift: float = Field(
        default=0.5, gt=0.0, le=10.0, description="Difference of blanks between the two readings."
    )


def targets(parameters: Parameters) -> tuple[str, ...]:
    """What it measures, whatever the parameters."""
    return (TARGET,)


def method(parameters: Parameters) -> str:
    """What was done, for the report."""
    minutes = parameters.ageing_duration_s / 60.0
    return (
        f"degradation after {minutes:g} min at {parameters.ageing_temperature_c:g} C in the dark, "
        f"absorbance at {parameters.wavelength_nm:g} nm of each well before and after"
    )


# --------------------------------------------------------------------------------------------------------------- layout


def layout(
    batch: Batch, campaign: Campaign, bench: Bench, parameters: Parameters, rng: np.random.Generator
) -> Layout:
    """Choose the plate, wells, stocks and tips. Everything that depends on what is left on the bench is settled here.

    Raises:
        Infeasible: a candidate, of the batch or anywhere in the pool, whose values are no shares or whose portions are too
            small; not enough plates, wells, lids or stock; a sentence for each.
    """
    if not batch.experiments:
        raise Infeasible(("The batch has no experiments.",))
    stocks = parameters.stocks_for(campaign.reference)
    least_ul = parameters.least_volume_ul
    refuse_unmakeable(
        all_candidates(batch, campaign),
        stocks,
        total_ul=parameters.total_volume_ul,
        objections=lambda ul: "" if ul >= least_ul else f"least_volume_ul is {least_ul:g}",
    )
    (plate,) = fresh_plates(bench, 1)
    if parameters.total_volume_ul > plate.type.max_volume_ul:
        raise Infeasible(
            (f"{parameters.total_volume_ul:g} ul do not fit into a well of {plate.id}.",),
            way_out="Use a smaller total_volume_ul.",
        )
    groups = scatter(
        [
            *[parameters.replicates] * len(batch.experiments),
            parameters.reference_wells,
            parameters.blank_wells,
        ],
        rows=plate.type.rows,
        columns=plate.type.columns,
        rng=rng,
    )
    candidates = [*(experiment.candidate for experiment in batch.experiments), campaign.reference]
    blends = [
        *(portions_ul(candidate, stocks, parameters.total_volume_ul) for candidate in candidates),
        {parameters.solvent: parameters.total_volume_ul},
    ]
    stock = Stock(bench)
    picks = mixing_picks(list(zip(blends, groups, strict=True)), plate.id, stock)
    if stock.problems:
        raise Infeasible(
            tuple(dict.fromkeys(stock.problems)), way_out="Refill, or use a smaller total_volume_ul."
        )
    return Layout(
        labware={PLATE: plate.id, "lid": a_lid(bench).id},
        wells=tuple(well_uses(plate.id, batch, campaign, groups)),
        choices={"picks": [pick.to_json() for pick in picks]},
    )


# ----------------------------------------------------------------------------------------------------------------- plan


def plan(
    batch: Batch, campaign: Campaign, workcell: Workcell, layout: Layout, parameters: Parameters
) -> steps.Plan[None]:
    """Dispense the stocks, shake, read, age under a seal, read again.

    Raises:
        Infeasible: the workcell lacks a device, or a place to work at; the handler can't give a portion of a candidate.
    """
    steps.require(workcell, NEEDS)
    refuse_past_limits(batch, campaign, workcell, parameters)
    bench, plate = workcell.bench, layout.labware[PLATE]
    deck = work_place(bench, "handler")
    picks = [Pick.from_json(pick) for pick in layout.choices["picks"]]
    yield from steps.claimed((deck,), _fill(workcell, deck, plate, picks))
    shaker, reader = work_place(bench, "shaker"), work_place(bench, "reader")
    mixing = shake(
        workcell,
        plate,
        place=shaker,
        temperature_c=parameters.mixing_temperature_c,
        hold_s=parameters.mixing_duration_s,
        shaking_rpm=parameters.shaking_rpm,
    )
    yield from steps.claimed((shaker,), mixing)
    yield from steps.claimed((reader,), _read(workcell, reader, plate, parameters, FRESH))
    block, lid = work_place(bench, "thermocycler"), bench.labware[layout.labware["lid"]]
    ageing = heat_sealed(
        workcell,
        plate,
        block=block,
        lid=lid,
        temperature_c=parameters.ageing_temperature_c,
        hold_s=parameters.ageing_duration_s,
        cool_to_c=parameters.cool_to_c,
        lid_temperature_c=parameters.lid_temperature_c,
    )
    yield from steps.claimed((block, lid.home), ageing)
    yield from steps.claimed((reader,), _read(workcell, reader, plate, parameters, AGED))


def _fill(workcell: Workcell, deck: str, plate: str, picks: list[Pick]) -> steps.Plan[None]:
    yield from steps.move(workcell, plate, deck)
    for pick in picks:
        yield from steps.carry_out(workcell, "handler", pick.command)
    yield from home(workcell, plate)


def _read(workcell: Workcell, place: str, plate: str, parameters: Parameters, state: str) -> steps.Plan[None]:
    yield from steps.move(workcell, plate, place)
    command = ReadAbsorbance(plate=plate, wavelength_nm=parameters.wavelength_nm)
    # A stream for each state, so that the readings of one plate are never mistaken for each other.
    yield from steps.read(workcell, command, stream=_stream(state))
    yield from home(workcell, plate)


def _stream(state: str) -> str:
    return f"absorbance_{state}"


# ------------------------------------------------------------------------------------------------------------- analysis


def analyse(
    record: RunRecord, batch: Batch, campaign: Campaign, parameters: Parameters
) -> tuple[Observation, ...]:
    """Documents to observations: aged over fresh, well by well; see :mod:`protocols.paired_wells`.

    One that could not be measured has no value (NaN), and its quality says why. Wells of barred samples do not count; a
    plate all of whose samples are barred need not have been read.

    Raises:
        BadInput: the plate was not read twice.
        NonsenseReply: a reading has not as many values as its plate has wells.
    """
    readings = _readings(record)
    plates = PlateRatio(
        untreated=FRESH,
        treated=(AGED,),
        labware={FRESH: FRESH, AGED: AGED},
        uses=record.layout.wells,
        readings=readings,
        thresholds=Thresholds.of(parameters),
        barred=record.barred,
    )
    paired = PairedWells(plates)
    observations = []
    for experiment in batch.experiments:
        share = paired.share(experiment.id)
        observations.append(
            Observation(
                id=new_id("obs"),
                experiment_id=experiment.id,
                target=TARGET,
                sample_id=plates.groups[AGED][experiment.id].sample_id,
                run_id=record.run_id,
                value=1.0 - share.value,
                standard_error=share.standard_error,
                unit="share",
                quality=plates.quality(experiment.id),
                method=method(parameters),
                origin=record.origin,
                replicates=share.replicates,
                lab_time_s=last_read_s(readings.values()),
                details={
                    **plates.details(experiment.id),
                    **_told(paired, paired.share(REFERENCE), experiment.id),
                },
            )
        )
    return tuple(observations)


def _told(paired: PairedWells, reference: Share, key: str) -> dict[str, JsonValue]:
    """What an observation keeps of the reference, in the terms of the target."""
    return {
        "degrees_of_freedom": paired.degrees_of_freedom(key),
        "reference_value": or_none(1.0 - reference.value),
        "reference_standard_error": or_none(reference.standard_error),
        "reference_degrees_of_freedom": paired.degrees_of_freedom(REFERENCE),
    }


def _readings(record: RunRecord) -> dict[str, PlateReading]:
    """The fresh and the aged reading of the run's plate."""
    plate = record.layout.labware[PLATE]
    found: dict[str, PlateReading] = {}
    for state in (FRESH, AGED):
        reading = plate_readings(record.documents, stream=_stream(state)).get(plate)
        if reading is not None:
            found[state] = reading
        elif all(use.sample_id in record.barred for use in record.layout.wells):
            found[state] = without_reading(plate, record.layout.wells)
    unread = [state for state in (FRESH, AGED) if state not in found]
    if unread:
        raise BadInput(
            f"{record.run_id} has no {' and no '.join(unread)} reading of {plate}.",
            way_out="Carry the run on to its end first.",
        )
    return found
