"""What assays share that measure each sample against a reference on one plate: parameters, layout and observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from lab.bench import Bench
from lab.errors import Infeasible
from lab.interfaces import RunRecord
from lab.strict import StrictModel
from lab.types import Batch, Campaign, JsonValue, Layout, Observation, new_id
from protocols.filling import check_volume
from protocols.hit_picking import hit_picks, well_uses
from protocols.plate_layout import column_major, scatter
from protocols.plate_work import fresh_plates
from protocols.relative_signal import RelativeSignal, Requirements
from protocols.stock import Pick, Reagent, Stock

__all__ = ["PLATE", "AssayParameters", "Filled", "filled", "one_plate_layout", "relative_observations"]

PLATE = "assay"
"""Role of the plate."""


class AssayParameters(StrictModel):
    """What every such assay can be told. Each adds its volumes, settings of the reader and times."""

    replicates: int = Field(default=4, ge=2, le=12, description="Wells of each candidate.")
    reference_wells: int = Field(default=6, ge=3, le=24, description="Wells of the reference.")
    blank_wells: int = Field(default=6, ge=3, le=24, description="Wells without a sample.")
    preparation_cv: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="How unlike preparations of one sample are, as a share; part of each standard error.",
    )
    outlier_sd: float = Field(
        default=5.0, ge=3.0, le=20.0, description="A well this many sd off its replicates is left out."
    )
    max_cv: float = Field(
        default=0.2,
        gt=0.0,
        le=1.0,
        description="Scatter of replicates, of their signal or, where that is less, of a fifth of the reference's.",
    )
    min_z_prime: float = Field(default=0.4, ge=-1.0, lt=1.0, description="Z' of reference and blank.")

    def requirements(self, remedy: str) -> Requirements:
        """For the analysis; ``remedy`` is what to do about wells past the reader's range."""
        return Requirements(
            outlier_sd=self.outlier_sd,
            max_cv=self.max_cv,
            min_z_prime=self.min_z_prime,
            preparation_cv=self.preparation_cv,
            remedy=remedy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What a layout settled for the filling of its plate.

    Args:
        wells: in the order in which reagents are given.
        reagents: by name.
    """

    plate: str
    wells: tuple[str, ...]
    picks: tuple[Pick, ...]
    reagents: Mapping[str, Reagent]


def one_plate_layout(
    batch: Batch,
    campaign: Campaign,
    bench: Bench,
    parameters: AssayParameters,
    rng: np.random.Generator,
    *,
    sample_volume_ul: float,
    reagents: Mapping[str, tuple[str, float]],
    also: Mapping[str, str],
) -> Layout:
    """One fresh plate with every candidate of a batch, the reference and blanks, at places chosen at random.

    Args:
        reagents: name -> content and volume_ul a well, in the order of giving; blanks get the first in place of a sample.
        also: role -> other labware of the run.

    Raises:
        Infeasible: not enough plates, wells or material; a sentence for each.
    """
    if not batch.experiments:
        raise Infeasible(("The batch has no experiments.",))
    (plate,) = fresh_plates(bench, 1)
    sizes = [parameters.replicates] * len(batch.experiments)
    groups = scatter(
        [*sizes, parameters.reference_wells, parameters.blank_wells],
        rows=plate.type.rows,
        columns=plate.type.columns,
        rng=rng,
    )
    check_volume(plate, sample_volume_ul + sum(volume_ul for _, volume_ul in reagents.values()))
    stock = Stock(bench)
    wells = column_major([well for group in groups for well in group])
    found = {
        name: stock.reagent(content, volume_ul, (plate.id,), wells)
        for name, (content, volume_ul) in reagents.items()
    }
    first = next(iter(found.values()))
    picks = hit_picks(
        batch, campaign, groups, (plate.id,), stock, volume_ul=sample_volume_ul, blank=first.source
    )
    if stock.problems:
        raise Infeasible(tuple(dict.fromkeys(stock.problems)), way_out="Refill, or use smaller volumes.")
    return Layout(
        labware={PLATE: plate.id, **also},
        wells=tuple(well_uses(plate.id, batch, campaign, groups)),
        choices={
            "wells": list(wells),
            "picks": [pick.to_json() for pick in picks],
            "reagents": {name: reagent.to_json() for name, reagent in found.items()},
        },
    )


def filled(layout: Layout) -> Filled:
    """What :func:`one_plate_layout` settled, read back from the stored layout."""
    reagents = layout.choices["reagents"]
    return Filled(
        plate=layout.labware[PLATE],
        wells=tuple(layout.choices["wells"]),
        picks=tuple(Pick.from_json(pick) for pick in layout.choices["picks"]),
        reagents={name: Reagent.from_json(written) for name, written in reagents.items()},
    )


def relative_observations(
    record: RunRecord,
    batch: Batch,
    relative: RelativeSignal,
    *,
    target: str,
    method: str,
    lab_time_s: float,
    more: Mapping[str, JsonValue],
) -> tuple[Observation, ...]:
    """One observation for each experiment, in multiples of the reference.

    Args:
        relative: the signals of the run's plate.
        lab_time_s: when the plate was read.
        more: details that all of them get.
    """
    return tuple(
        _observation(record, experiment_id, relative, target, method, lab_time_s, more)
        for experiment_id in _ids(batch)
    )


def _ids(batch: Batch) -> Sequence[str]:
    return [experiment.id for experiment in batch.experiments]


def _observation(
    record: RunRecord,
    experiment_id: str,
    relative: RelativeSignal,
    target: str,
    method: str,
    lab_time_s: float,
    more: Mapping[str, JsonValue],
) -> Observation:
    found = relative.relative(experiment_id)
    return Observation(
        id=new_id("obs"),
        experiment_id=experiment_id,
        target=target,
        sample_id=relative.groups[experiment_id].sample_id,
        run_id=record.run_id,
        value=found.value,
        standard_error=found.standard_error,
        unit="1",
        quality=relative.quality(experiment_id),
        method=method,
        origin=record.origin,
        replicates=found.replicates,
        lab_time_s=lab_time_s,
        details={**relative.details(experiment_id), **more},
    )
