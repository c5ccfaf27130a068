"""How much of its binding activity does each variant keep when it is heated?

Variants are picked from the library into one plate that stays at room temperature and one plate for each set
temperature, and covered with a buffer that contains thermolysin. This protease stays active hot and cuts only
what is unfolded, so unfolding during the challenge leaves a lasting trace even in a protein that would fold
again on cooling. Then a reporter stops the protease and lights up on what is still intact.
``residual_activity`` is the heated signal over the unheated one, each above blank.

Every plate carries the same wells: the variants in replicate, the reference and blanks, at places chosen at random.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from lab.bench import Bench
from lab.errors import BadInput, Infeasible
from lab.interfaces import RunRecord, Workcell
from lab.strict import StrictModel, refuse
from lab.types import Batch, Campaign, Layout, Observation, new_id
from protocols import steps
from protocols.filling import add_to_plate, check_volume, fill_plates, filling_deck
from protocols.hit_picking import hit_picks, well_uses
from protocols.plate_layout import column_major, scatter
from protocols.plate_ratio import PlateRatio, Thresholds
from protocols.plate_work import a_lid, fresh_plates, heat_sealed, home, last_read_s, shake, work_place
from protocols.readings import plate_readings, without_reading
from protocols.stock import Pick, Reagent, Stock

__all__ = ["TARGET", "Parameters", "analyse", "layout", "method", "plan", "targets"]

TARGET = "residual_activity"
"""Name of the observation: the mean over all set temperatures. With several of them there is one more observation for each,
``residual_activity_82c``.
"""

UNHEATED = "unheated"

NEEDS = (
    ("handler", "distribute"),
    ("handler", "add_reagent"),
    ("arm", "move"),
    ("arm", "put_lid"),
    ("arm", "take_lid"),
    ("thermocycler", "open_lid"),
    ("thermocycler", "heat"),
    ("shaker", "incubate"),
    ("reader", "fluorescence"),
)


class Parameters(StrictModel):
    """What can be set in the campaign file. Quantities are in the unit of their name, or written out: ``"10 min"``."""

    challenge_temperature_c: tuple[float, ...] = Field(
        default=(75.0,), description="Set temperature of the heated plate; a list makes one plate for each."
    )
    challenge_duration_s: float = Field(
        default=600.0, ge=10.0, le=7200.0, description="Time at the set temperature."
    )
    cool_to_c: float = Field(default=25.0, ge=4.0, le=40.0, description="Block temperature before unsealing.")
    lid_temperature_c: float = Field(default=105.0, ge=37.0, le=110.0, description="Of the heated lid.")
    replicates: int = Field(default=3, ge=2, le=12, description="Wells of each variant on every plate.")
    reference_wells: int = Field(default=4, ge=3, le=24, description="Wells of the reference on every plate.")
    blank_wells: int = Field(default=4, ge=3, le=24, description="Wells without protein on every plate.")
    sample_volume_ul: float = Field(default=4.0, ge=1.0, le=50.0, description="Variant solution per well.")
    buffer_volume_ul: float = Field(default=46.0, ge=5.0, le=150.0, description="Assay buffer per well.")
    reporter_volume_ul: float = Field(
        default=50.0, ge=5.0, le=150.0, description="Reporter per well, after cooling."
    )
    buffer: str = Field(default="assay_buffer", min_length=1, description="What its trough holds.")
    reporter: str = Field(default="reporter", min_length=1, description="What its trough holds.")
    binding_temperature_c: float = Field(
        default=25.0, ge=4.0, le=45.0, description="While the reporter binds."
    )
    binding_duration_s: float = Field(
        default=900.0, ge=30.0, le=14400.0, description="While the reporter binds."
    )
    shaking_rpm: float = Field(default=1000.0, ge=100.0, le=3000.0, description="While the reporter binds.")
    excitation_nm: float = Field(default=480.0, ge=200.0, le=1000.0, description="Of the reader.")
    emission_nm: float = Field(default=540.0, ge=200.0, le=1000.0, description="Of the reader.")
    gain: float = Field(
        default=100.0,
        gt=0.0,
        description="Of the reader's detector, on that reader's own scale; its limits are checked.",
    )
    outlier_sd: float = Field(
        default=5.0, ge=3.0, le=20.0, description="A well this many sd off its replicates is left out."
    )
    max_cv: float = Field(
        default=0.2, gt=0.0, le=1.0, description="Scatter of replicates, of the unheated signal."
    )
    min_z_prime: float = Field(
        default=0.4, ge=-1.0, lt=1.0, description="Z' of reference and blank, unheated."
    )
    min_signal: float = Field(
        default=0.1, ge=0.0, lt=1.0, description="Least unheated signal, of the reference's."
    )
    max_blank_shift: float = Field(
        default=0.5, gt=0.0, le=10.0, description="Difference of blanks between plates."
    )

    @field_validator("challenge_temperature_c", mode="before")
    @classmethod
    def _listed(cls, written: Any) -> Any:
        return written if isinstance(written, list | tuple | bool) else (written,)

    @field_validator("challenge_temperature_c")
    @classmethod
    def _sensible(cls, temperatures_c: tuple[float, ...]) -> tuple[float, ...]:
        if not 1 <= len(temperatures_c) <= 6:
            raise refuse("challenge_temperature_c needs one to six temperatures.", "Shorten the list.")
        if len(set(temperatures_c)) != len(temperatures_c):
            raise refuse("challenge_temperature_c names a temperature twice.", "Take one out.")
        outside = [t for t in temperatures_c if not 30.0 <= t <= 99.0]
        if outside:
            raise refuse(
                f"challenge_temperature_c is {outside[0]:g}, and water is liquid.",
                "Give 30 to 99 degrees Celsius.",
            )
        return temperatures_c

    @property
    def heated(self) -> dict[str, float]:
        """Role of each heated plate -> its set temperature."""
        return {f"heated_{_written(t)}": t for t in self.challenge_temperature_c}

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of all plates, the unheated one first."""
        return (UNHEATED, *self.heated)


def _written(temperature_c: float) -> str:
    """A temperature as a part of a name: ``82c``, ``82_5c``."""
    return f"{temperature_c:g}c".replace(".", "_").replace("-", "minus_")


def targets(parameters: Parameters) -> tuple[str, ...]:
    """The mean over all temperatures and, where there are several, one for each of them."""
    return tuple(_roles_by_target(parameters))


def method(parameters: Parameters) -> str:
    """What was done, for the report."""
    at = " and ".join(f"{t:g} C" for t in parameters.challenge_temperature_c)
    minutes = parameters.challenge_duration_s / 60.0
    return f"residual activity after {minutes:g} min at {at} in thermolysin, reporter binding, over the unheated plate"


# --------------------------------------------------------------------------------------------------------------- layout


def layout(
    batch: Batch, campaign: Campaign, bench: Bench, parameters: Parameters, rng: np.random.Generator
) -> Layout:
    """Choose plates, wells, source wells and tips. Everything that depends on what is left on the bench is settled here.

    Raises:
        Infeasible: not enough plates, wells, lids or material; a sentence for each.
    """
    if not batch.experiments:
        raise Infeasible(("The batch has no experiments.",))
    plates = fresh_plates(bench, len(parameters.roles))
    kind = plates[0].type
    sizes = [parameters.replicates] * len(batch.experiments)
    groups = scatter(
        [*sizes, parameters.reference_wells, parameters.blank_wells],
        rows=kind.rows,
        columns=kind.columns,
        rng=rng,
    )
    total_ul = parameters.sample_volume_ul + parameters.buffer_volume_ul + parameters.reporter_volume_ul
    check_volume(plates[0], total_ul)
    roles = dict(zip(parameters.roles, (plate.id for plate in plates), strict=True))
    stock = Stock(bench)
    wells = column_major([well for group in groups for well in group])
    buffer = stock.reagent(parameters.buffer, parameters.buffer_volume_ul, tuple(roles.values()), wells)
    reporter = stock.reagent(parameters.reporter, parameters.reporter_volume_ul, tuple(roles.values()), wells)
    picks = [
        hit_picks(
            batch,
            campaign,
            groups,
            [roles[role] for role in deckful],
            stock,
            volume_ul=parameters.sample_volume_ul,
            blank=buffer.source,
        )
        for deckful in _deckfuls(bench, parameters.roles)
    ]
    if stock.problems:
        raise Infeasible(tuple(dict.fromkeys(stock.problems)), way_out="Refill, or use smaller volumes.")
    return Layout(
        labware=roles | {"lid": a_lid(bench).id},
        wells=tuple(use for plate in plates for use in well_uses(plate.id, batch, campaign, groups)),
        choices={
            "wells": list(wells),
            "picks": [[pick.to_json() for pick in of_deckful] for of_deckful in picks],
            "buffer": buffer.to_json(),
            "reporter": reporter.to_json(),
        },
    )


def _deckfuls(bench: Bench, roles: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Plates that are filled together: as many as find room on the handler's deck beside the plate they are filled from."""
    room = len(filling_deck(bench)) - 1
    return tuple(tuple(roles[first : first + room]) for first in range(0, len(roles), room))


# ----------------------------------------------------------------------------------------------------------------- plan


def plan(
    batch: Batch, campaign: Campaign, workcell: Workcell, layout: Layout, parameters: Parameters
) -> steps.Plan[None]:
    """Fill all plates, heat one after the other, then add the reporter to each and read it.

    Every plate waits the same time between reporter and reading. Between sections plates rest in their hotel slots.

    Raises:
        Infeasible: the workcell lacks a device, or a place to work at.
    """
    steps.require(workcell, NEEDS)
    bench = workcell.bench
    wells = layout.choices["wells"]
    deck = filling_deck(bench)
    deckfuls = _deckfuls(bench, parameters.roles)
    for roles, written in zip(deckfuls, layout.choices["picks"], strict=True):
        picks = [Pick.from_json(pick) for pick in written]
        plates = [layout.labware[role] for role in roles]
        buffer = Reagent.from_json(layout.choices["buffer"])
        yield from steps.claimed(deck, fill_plates(workcell, deck, plates, picks, buffer, wells))
    block = work_place(bench, "thermocycler")
    lid = bench.labware[layout.labware["lid"]]
    for role, temperature_c in parameters.heated.items():
        section = heat_sealed(
            workcell,
            layout.labware[role],
            block=block,
            lid=lid,
            temperature_c=temperature_c,
            hold_s=parameters.challenge_duration_s,
            cool_to_c=parameters.cool_to_c,
            lid_temperature_c=parameters.lid_temperature_c,
        )
        yield from steps.claimed((block, lid.home), section)
    reporter = Reagent.from_json(layout.choices["reporter"])
    shaker, reader = work_place(bench, "shaker"), work_place(bench, "reader")
    for role in parameters.roles:
        plate = layout.labware[role]
        yield from steps.claimed(deck[1:2], _add_reporter(workcell, deck[1], plate, reporter, wells))
        binding = shake(
            workcell,
            plate,
            place=shaker,
            temperature_c=parameters.binding_temperature_c,
            hold_s=parameters.binding_duration_s,
            shaking_rpm=parameters.shaking_rpm,
        )
        yield from steps.claimed((shaker,), binding)
        yield from steps.claimed((reader,), _read(workcell, reader, plate, parameters))


def _add_reporter(
    workcell: Workcell, place: str, plate: str, reporter: Reagent, wells: Sequence[str]
) -> steps.Plan[None]:
    yield from add_to_plate(workcell, place, plate, reporter, wells)
    yield from home(workcell, plate)


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
    """Documents to observations: heated over unheated, each above blank; see :mod:`protocols.plate_ratio`.

    Each experiment gets one for each target. One that could not be measured has no value (NaN), and its quality says why.
    Wells of barred samples do not count; a plate all of whose samples are barred need not have been read.

    Raises:
        BadInput: a plate was not read.
        NonsenseReply: a reading has not as many values as its plate has wells.
    """
    labware = record.layout.labware
    readings = plate_readings(record.documents, stream="fluorescence")
    for role in parameters.roles:
        if all(use.sample_id in record.barred for use in record.layout.wells if use.labware == labware[role]):
            readings.setdefault(labware[role], without_reading(labware[role], record.layout.wells))
    unread = [role for role in parameters.roles if labware[role] not in readings]
    if unread:
        raise BadInput(
            f"{record.run_id} has no reading of {', '.join(f'{labware[role]} ({role})' for role in unread)}.",
            way_out="Carry the run on to its end first.",
        )
    plates = PlateRatio(
        untreated=UNHEATED,
        treated=tuple(parameters.heated),
        labware=labware,
        uses=record.layout.wells,
        readings=readings,
        thresholds=Thresholds.of(parameters),
        barred=record.barred,
    )
    observations = []
    for experiment in batch.experiments:
        for target, roles in _roles_by_target(parameters).items():
            share = plates.share(experiment.id, roles)
            observations.append(
                Observation(
                    id=new_id("obs"),
                    experiment_id=experiment.id,
                    target=target,
                    sample_id=plates.groups[roles[0]][experiment.id].sample_id,
                    run_id=record.run_id,
                    value=share.value,
                    standard_error=share.standard_error,
                    unit="share",
                    quality=plates.quality(experiment.id, roles),
                    method=method(
                        parameters.model_copy(update={"challenge_temperature_c": _at(parameters, roles)})
                    ),
                    origin=record.origin,
                    replicates=share.replicates,
                    lab_time_s=last_read_s(readings[labware[role]] for role in roles),
                    details=plates.details(experiment.id, roles),
                )
            )
    return tuple(observations)


def _roles_by_target(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """Target -> roles of the heated plates that it is the mean of."""
    roles = tuple(parameters.heated)
    if len(roles) == 1:
        return {TARGET: roles}
    return {TARGET: roles} | {
        f"{TARGET}_{_written(temperature_c)}": (role,) for role, temperature_c in parameters.heated.items()
    }


def _at(parameters: Parameters, roles: Sequence[str]) -> tuple[float, ...]:
    return tuple(parameters.heated[role] for role in roles)
