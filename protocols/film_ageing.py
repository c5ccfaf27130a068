"""How much of its colour does each film lose under light?

Each experiment is a blend of inks, in the proportions that the candidate's values name. The inks are dispensed into the
wells of a plate of quartz glass, shaken, dried and annealed in the furnace. A spectrum of every film is taken, the plate
stands under the lamps of a chamber, and the spectra are taken again. ``degradation`` is the share of its colour that a blend
has lost: the mean absorbance of its materials, taken apart from scattering and baseline (:mod:`protocols.film_spectra`),
each film compared with itself.

Every plate carries the same things at places chosen at random: the blends in replicate, the reference blend, blanks of
solvent, and films of each pure material, whose spectra are what all others are taken apart with. A plate that was annealed
too little shows it: its films scatter. One that was annealed too much shows it by the reference's films, which are pale.

Films that were never hot differ from well-annealed ones in how fast light bleaches them, and so the anneal is part of what
is measured; it is the same for all blends of a campaign and stands in the method.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from devices.climate_chamber import Keep
from devices.furnace import Anneal
from devices.spectrometer import TakeSpectrum, Zero
from lab.bench import Bench
from lab.errors import BadInput, Infeasible
from lab.interfaces import RunRecord, Workcell
from lab.types import Batch, Campaign, Layout, Observation, WellUse, new_id
from protocols import steps
from protocols.film_plate import AGED, FRESH, FilmPlate, Limits
from protocols.film_spectra import PlateSpectra, plate_spectra
from protocols.hit_picking import well_uses
from protocols.plate_layout import column_major, scatter
from protocols.plate_ratio import Thresholds
from protocols.plate_work import fresh_plates, home, shake, work_place
from protocols.stock import Pick, Stock
from protocols.stock_mixing import (
    MixingParameters,
    all_candidates,
    mixing_picks,
    portions_ul,
    refuse_past_limits,
    refuse_unmakeable,
)

__all__ = ["TARGET", "Parameters", "analyse", "layout", "method", "plan", "targets"]

TARGET = "degradation"
"""Name of the observation: share of the colour that is lost, 0 to 1; noise takes stable films a little below 0."""

PLATE = "plate"

NEEDS = (
    ("handler", "distribute"),
    ("arm", "move"),
    ("shaker", "incubate"),
    ("furnace", "anneal"),
    ("spectrometer", "zero"),
    ("spectrometer", "spectrum"),
    ("chamber", "keep"),
)


class Parameters(MixingParameters):
    """What can be set in the campaign file. Quantities are in the unit of their name, or written out: ``"10 min"``."""

    pure_wells: int = Field(default=2, ge=1, le=8, description="Films of each pure material.")
    anneal_temperature_c: float = Field(default=120.0, ge=40.0, le=400.0, description="Of the furnace.")
    anneal_duration_s: float = Field(
        default=5400.0, ge=60.0, le=86_400.0, description="At the anneal temperature; the inks dry in it."
    )
    ramp_c_per_min: float = Field(default=10.0, ge=0.1, le=100.0, description="On the way up.")
    cool_to_c: float = Field(
        default=40.0, ge=25.0, le=100.0, description="Of the furnace, when it is opened."
    )
    ageing_temperature_c: float = Field(default=40.0, ge=25.0, le=90.0, description="Of the lit chamber.")
    ageing_duration_s: float = Field(
        default=43_200.0, ge=60.0, le=2_592_000.0, description="Time under the lamps at that temperature."
    )
    from_nm: float = Field(default=360.0, ge=200.0, le=1000.0, description="First wavelength of the spectra.")
    to_nm: float = Field(default=960.0, ge=300.0, le=1700.0, description="Last wavelength of the spectra.")
    clear_from_nm: float = Field(
        default=860.0, ge=300.0, le=1700.0, description="From here on no material absorbs."
    )
    wavelengths: int = Field(default=151, ge=101, le=2001, description="Of each spectrum, evenly spaced.")
    averages: int = Field(default=1, ge=1, le=99, description="Sweeps of each film whose mean is taken.")
    sensitivity: Literal["NORM", "MID", "HIGH1", "HIGH2", "HIGH3"] = Field(
        default="MID", description="Of the spectrometer: NORM, MID, HIGH1, HIGH2 or HIGH3."
    )
    outlier_sd: float = Field(
        default=5.0, ge=3.0, le=20.0, description="A well this many sd off its replicates is left out."
    )
    max_cv: float = Field(
        default=0.15, gt=0.0, le=1.0, description="Scatter of replicates, of the fresh colour."
    )
    min_z_prime: float = Field(default=0.4, ge=-1.0, lt=1.0, description="Z' of reference and blank, fresh.")
    min_signal: float = Field(
        default=0.1, ge=0.0, lt=1.0, description="Least fresh colour, of the reference's."
    )
    max_blank_shift: float = Field(
        default=0.5, gt=0.0, le=10.0, description="Difference of blanks between the two readings."
    )
    max_haze: float = Field(
        default=0.1, gt=0.0, le=10.0, description="Scattering of fresh films at 550 nm, of their colour."
    )
    max_misfit: float = Field(
        default=0.1, gt=0.0, le=1.0, description="Share of a spectrum that its materials do not explain."
    )
    min_colour: float = Field(
        default=0.02, gt=0.0, le=3.0, description="Mean absorbance of the reference's fresh films."
    )


def targets(parameters: Parameters) -> tuple[str, ...]:
    """What it measures, whatever the parameters."""
    return (TARGET,)


def method(parameters: Parameters) -> str:
    """What was done, for the report."""
    return (
        f"degradation after {parameters.ageing_duration_s / 3600.0:g} h under the lamps at "
        f"{parameters.ageing_temperature_c:g} C, films annealed for {parameters.anneal_duration_s / 60.0:g} min at "
        f"{parameters.anneal_temperature_c:g} C, spectra from {parameters.from_nm:g} to {parameters.to_nm:g} nm"
    )


# --------------------------------------------------------------------------------------------------------------- layout


def layout(
    batch: Batch, campaign: Campaign, bench: Bench, parameters: Parameters, rng: np.random.Generator
) -> Layout:
    """Choose the plate, wells, stocks and tips. Everything that depends on what is left on the bench is settled here.

    Raises:
        Infeasible: a candidate, of the batch or anywhere in the pool, whose values are no shares or whose portions are too
            small; not enough plates, wells or stock; spectra without a clear range; a sentence for each.
    """
    if not batch.experiments:
        raise Infeasible(("The batch has no experiments.",))
    stocks = parameters.stocks_for(campaign.reference)
    least_ul, total_ul = parameters.least_volume_ul, parameters.total_volume_ul
    refuse_unmakeable(
        all_candidates(batch, campaign),
        stocks,
        total_ul=total_ul,
        objections=lambda ul: "" if ul >= least_ul else f"least_volume_ul is {least_ul:g}",
    )
    _refuse_blind(parameters)
    (plate,) = fresh_plates(bench, 1)
    if total_ul > plate.type.max_volume_ul:
        raise Infeasible(
            (f"{total_ul:g} ul do not fit into a well of {plate.id}.",),
            way_out="Use a smaller total_volume_ul.",
        )
    groups = scatter(
        [
            *[parameters.replicates] * len(batch.experiments),
            parameters.reference_wells,
            parameters.blank_wells,
            *[parameters.pure_wells] * len(stocks),
        ],
        rows=plate.type.rows,
        columns=plate.type.columns,
        rng=rng,
    )
    films, pure = groups[: -len(stocks)], groups[-len(stocks) :]
    candidates = [*(experiment.candidate for experiment in batch.experiments), campaign.reference]
    blends = [
        *(portions_ul(candidate, stocks, total_ul) for candidate in candidates),
        {parameters.solvent: total_ul},
        *({content: total_ul} for content in stocks.values()),
    ]
    stock = Stock(bench)
    picks = mixing_picks(list(zip(blends, groups, strict=True)), plate.id, stock)
    if stock.problems:
        raise Infeasible(
            tuple(dict.fromkeys(stock.problems)), way_out="Refill, or use a smaller total_volume_ul."
        )
    return Layout(
        labware={PLATE: plate.id},
        wells=(
            *well_uses(plate.id, batch, campaign, films),
            *_pure_uses(plate.id, dict(zip(stocks, pure, strict=True))),
        ),
        choices={
            "picks": [pick.to_json() for pick in picks],
            "pure": {name: list(wells) for name, wells in zip(stocks, pure, strict=True)},
        },
    )


def _refuse_blind(parameters: Parameters) -> None:
    """Spectra by which nothing could be told are refused before films are made of anything."""
    problems = []
    if not parameters.from_nm < parameters.clear_from_nm < parameters.to_nm:
        problems.append(
            f"clear_from_nm is {parameters.clear_from_nm:g}, and has to lie between from_nm and to_nm, "
            f"{parameters.from_nm:g} and {parameters.to_nm:g}."
        )
    else:
        step_nm = (parameters.to_nm - parameters.from_nm) / (parameters.wavelengths - 1)
        clear = (parameters.to_nm - parameters.clear_from_nm) / step_nm
        coloured = (parameters.clear_from_nm - parameters.from_nm) / step_nm
        if min(clear, coloured) < 4.0:
            problems.append("On each side of clear_from_nm a spectrum needs at least five wavelengths.")
    if problems:
        raise Infeasible(tuple(problems), way_out="Correct the protocol's parameters.")


def _pure_uses(plate: str, wells: Mapping[str, Sequence[str]]) -> tuple[WellUse, ...]:
    """Films of pure materials are what the others are taken apart with."""
    return tuple(
        WellUse(labware=plate, well=well, content=f"pure {name}", kind="standard", sample_id=new_id("smp"))
        for name, mine in wells.items()
        for well in mine
    )


# ----------------------------------------------------------------------------------------------------------------- plan


def plan(
    batch: Batch, campaign: Campaign, workcell: Workcell, layout: Layout, parameters: Parameters
) -> steps.Plan[None]:
    """Dispense the inks, shake, dry and anneal, take spectra, age under lamps, take spectra again.

    Raises:
        Infeasible: the workcell lacks a device, or a place to work at; the handler can't give a portion of a candidate.
    """
    steps.require(workcell, NEEDS)
    refuse_past_limits(batch, campaign, workcell, parameters)
    bench, plate = workcell.bench, layout.labware[PLATE]
    place = {
        role: work_place(bench, role) for role in ("handler", "shaker", "furnace", "spectrometer", "chamber")
    }
    picks = [Pick.from_json(pick) for pick in layout.choices["picks"]]
    yield from steps.claimed((place["handler"],), _fill(workcell, place["handler"], plate, picks))
    mixing = shake(
        workcell,
        plate,
        place=place["shaker"],
        temperature_c=parameters.mixing_temperature_c,
        hold_s=parameters.mixing_duration_s,
        shaking_rpm=parameters.shaking_rpm,
    )
    yield from steps.claimed((place["shaker"],), mixing)
    anneal = Anneal(
        plate=plate,
        temperature_c=parameters.anneal_temperature_c,
        hold_s=parameters.anneal_duration_s,
        ramp_c_per_min=parameters.ramp_c_per_min,
        cool_to_c=parameters.cool_to_c,
    )
    yield from steps.claimed(
        (place["furnace"],), _treat(workcell, "furnace", place["furnace"], plate, anneal)
    )
    looking = (place["spectrometer"],)
    wells = column_major([use.well for use in layout.wells])
    blank = next(use.well for use in layout.wells if use.kind == "blank")
    spectrum = TakeSpectrum(
        plate=plate,
        wells=wells,
        from_nm=parameters.from_nm,
        to_nm=parameters.to_nm,
        points=parameters.wavelengths,
        averages=parameters.averages,
        sensitivity=parameters.sensitivity,
        blank=blank,
    )
    yield from steps.claimed(looking, _look(workcell, place["spectrometer"], spectrum, FRESH))
    light = Keep(
        plate=plate, temperature_c=parameters.ageing_temperature_c, hold_s=parameters.ageing_duration_s
    )
    yield from steps.claimed((place["chamber"],), _treat(workcell, "chamber", place["chamber"], plate, light))
    yield from steps.claimed(looking, _look(workcell, place["spectrometer"], spectrum, AGED))


def _fill(workcell: Workcell, deck: str, plate: str, picks: Sequence[Pick]) -> steps.Plan[None]:
    yield from steps.move(workcell, plate, deck)
    for pick in picks:
        yield from steps.carry_out(workcell, "handler", pick.command)
    yield from home(workcell, plate)


def _treat(
    workcell: Workcell, device: str, place: str, plate: str, command: Anneal | Keep
) -> steps.Plan[None]:
    yield from steps.move(workcell, plate, place)
    yield from steps.carry_out(workcell, device, command)
    yield from home(workcell, plate)


def _look(workcell: Workcell, place: str, command: TakeSpectrum, state: str) -> steps.Plan[None]:
    yield from steps.carry_out(workcell, "spectrometer", Zero())
    yield from steps.move(workcell, command.plate, place)
    # A stream for each state, so that the spectra of one plate are never mistaken for each other.
    yield from steps.read(workcell, command, device="spectrometer", stream=_stream(state))
    yield from home(workcell, command.plate)


def _stream(state: str) -> str:
    return f"spectra_{state}"


# ------------------------------------------------------------------------------------------------------------- analysis


def analyse(
    record: RunRecord, batch: Batch, campaign: Campaign, parameters: Parameters
) -> tuple[Observation, ...]:
    """Documents to observations: aged over fresh, film by film; see :mod:`protocols.film_plate`.

    One that could not be measured has no value (NaN), and its quality says why. Wells of barred samples do not count; a
    plate all of whose samples are barred need not have been looked at.

    Raises:
        BadInput: spectra of the plate were not taken twice.
        NonsenseReply: spectra that are not as long as they say, or not of the wavelengths asked for.
    """
    spectra = _both_spectra(record)
    stocks = parameters.stocks_for(campaign.reference)
    holds = {experiment.candidate.id: experiment.candidate for experiment in batch.experiments} | {
        campaign.reference.id: campaign.reference
    }
    plate = FilmPlate(
        labware=record.layout.labware[PLATE],
        uses=record.layout.wells,
        holds={name: [m for m in stocks if one.values[m]] for name, one in holds.items()},
        pure=record.layout.choices["pure"],
        spectra=spectra,
        limits=Limits(
            clear_from_nm=parameters.clear_from_nm,
            max_haze=parameters.max_haze,
            max_misfit=parameters.max_misfit,
            min_colour=parameters.min_colour,
            ratio=Thresholds.of(parameters),
        ),
        barred=record.barred,
    )
    times_s = [one.lab_time_s for one in spectra.values()]
    observations = []
    for experiment in batch.experiments:
        share = plate.remaining(experiment.id)
        observations.append(
            Observation(
                id=new_id("obs"),
                experiment_id=experiment.id,
                target=TARGET,
                sample_id=plate.sample_id(experiment.id),
                run_id=record.run_id,
                value=1.0 - share.value,
                standard_error=share.standard_error,
                unit="share",
                quality=plate.quality(experiment.id),
                method=method(parameters),
                origin=record.origin,
                replicates=share.replicates,
                lab_time_s=max(times_s, default=math.nan),
                details=plate.details(experiment.id),
            )
        )
    return tuple(observations)


def _both_spectra(record: RunRecord) -> dict[str, PlateSpectra]:
    """The fresh and the aged spectra of the run's plate; none of a plate of which nothing counts."""
    plate = record.layout.labware[PLATE]
    found: dict[str, PlateSpectra] = {}
    for state in (FRESH, AGED):
        spectra = plate_spectra(record.documents, stream=_stream(state)).get(plate)
        if spectra is not None:
            found[state] = spectra
    missing = [state for state in (FRESH, AGED) if state not in found]
    if missing and not all(use.sample_id in record.barred for use in record.layout.wells):
        raise BadInput(
            f"{record.run_id} has no {' and no '.join(missing)} spectra of {plate}.",
            way_out="Carry the run on to its end first.",
        )
    return found
