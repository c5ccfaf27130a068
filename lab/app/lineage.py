"""Which material was made from which, as the journal of a bench tells; and what rests on material that must not be used."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.app.belief import BelievedBench, read_bench
from lab.bench import Bench
from lab.errors import BadInput
from lab.interfaces import Command, Place
from lab.store import CampaignRecord, Store
from lab.strict import closest
from lab.types import Experiment, ExperimentStatus, Observation, Sample, Step, StepStatus

__all__ = [
    "Lineage",
    "Pour",
    "Resting",
    "bars_for",
    "find_place",
    "place_words",
    "read_lineage",
    "resting_on",
]

_WHOLE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pour:
    """Liquid that went from one well into another.

    Args:
        certain: False where nobody knows whether it did.
    """

    source: Place
    target: Place
    volume_ul: float
    step_id: str
    run_id: str
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """A result that rests on some samples.

    Args:
        wells: of these samples that count in it.
    """

    campaign: CampaignRecord
    experiment: Experiment
    observation: Observation
    wells: int


class Lineage:
    """What went where on one bench, in the order in which it was settled.

    Args:
        pours: in that order.
        samples: of the bench.
    """

    def __init__(self, pours: Iterable[Pour], samples: Iterable[Sample]) -> None:
        self.pours = tuple(pours)
        self.samples: Mapping[str, Sample] = {sample.id: sample for sample in samples}
        self.sample_at: Mapping[Place, Sample] = {(s.labware, s.well): s for s in self.samples.values()}

    def made_from(self, place: Place) -> tuple[tuple[Place, float, bool], ...]:
        """What was poured into a well: source, ul in all, and whether all of that is certain."""
        return _summed((p.source, p) for p in self.pours if p.target == place)

    def went_into(self, place: Place) -> tuple[tuple[Place, float, bool], ...]:
        """What a well gave: target, ul in all, and whether all of that is certain."""
        return _summed((p.target, p) for p in self.pours if p.source == place)

    def descendants(self, places: Collection[Place]) -> dict[Place, Place]:
        """Wells that got something of these, at first or second hand, each with where it had it from first.

        What a well gave before it got any of it is not tainted. The well ``*`` stands for all of a piece of labware.
        """
        found: dict[Place, Place] = {}
        for pour in self.pours:
            tainted = pour.source in found or pour.source in places or (pour.source[0], _WHOLE) in places
            if tainted and pour.target not in places and (pour.target[0], _WHOLE) not in places:
                found.setdefault(pour.target, pour.source)
        return found

    def wells_of(self, place: Place) -> tuple[Place, ...]:
        """The well itself; of ``*``, all wells of the labware that a sample stands in."""
        if place[1] != _WHOLE:
            return (place,)
        return tuple(at for at in self.sample_at if at[0] == place[0])


def read_lineage(store: Store, bench_id: str) -> tuple[Lineage, BelievedBench]:
    """The lineage of a bench of the store, and the bench. Changes nothing.

    Raises:
        BadInput: no campaign ever ran there.
    """
    believed = read_bench(store, bench_id)
    bench = Bench.from_json(store.bench(bench_id).first_snapshot)
    pours = [pour for step, command in believed.settled for pour in _pours(bench, step, command)]
    return Lineage(pours, store.samples_of_bench(bench_id)), believed


def find_place(store: Store, benches: Sequence[str], written: str) -> tuple[str, Place]:
    """The bench and place that a person means: a sample's id or enough of its end, ``assay_07:B7`` or ``assay_07``.

    Args:
        benches: to look for labware on, the likeliest first.

    Raises:
        BadInput: there is nothing of this name.
    """
    labware, _, well = written.partition(":")
    known: list[str] = []
    for bench_id in benches:
        pieces = Bench.from_json(store.bench(bench_id).first_snapshot).labware
        known += pieces
        if labware not in pieces:
            continue
        if well and well != _WHOLE and well not in pieces[labware].wells:
            raise BadInput(
                f"{labware} has no well {well}.",
                way_out="Wells are named as B7; leave it out for all of them.",
            )
        return bench_id, (labware, well or _WHOLE)
    if well:
        raise BadInput(f"There is no labware {labware}.", way_out=_meant(labware, known))
    try:
        sample = store.sample(written)
    except BadInput as unknown:
        if closest(written, known) is None:
            raise
        raise BadInput(
            f"There is no sample and no labware {written}.", way_out=_meant(written, known)
        ) from unknown
    for bench in store.benches():
        if any(other.id == sample.id for other in store.samples_of_bench(bench.id)):
            return bench.id, (sample.labware, sample.well)
    raise LookupError(f"{sample.id} stands on no bench")  # every sample is kept with its bench


def _meant(written: str, known: Sequence[str]) -> str:
    meant = closest(written, known)
    return f"Did you mean {meant}?" if meant else "Samples and where they stand: drywet samples --all"


def bars_for(lineage: Lineage, place: Place, why: str) -> dict[Place, str]:
    """What is to be barred when a place is: itself, and everything made from it, with the reason for each."""
    made = f"Made from {place_words(place)}: {why}"
    return {place: why} | dict.fromkeys(lineage.descendants({place}), made)


def place_words(place: Place) -> str:
    """``B7 of assay_07``, ``all of assay_07``."""
    labware, well = place
    return f"all of {labware}" if well == _WHOLE else f"{well} of {labware}"


def resting_on(
    store: Store, campaigns: Iterable[CampaignRecord], samples: Collection[str]
) -> Iterator[Resting]:
    """Results that count, and that rest on any of some samples.

    Args:
        samples: identifiers.
    """
    for record in campaigns:
        experiments = {e.id: e for e in store.history(record.campaign.id).experiments}
        for recorded in store.all_observations(record.campaign.id):
            observation, experiment = recorded.observation, experiments[recorded.observation.experiment_id]
            mine = sum(sample_id in samples for sample_id in _counted(observation))
            measured = experiment.status is ExperimentStatus.MEASURED
            if mine and recorded.counts and observation.usable and measured:
                yield Resting(campaign=record, experiment=experiment, observation=observation, wells=mine)


def _counted(observation: Observation) -> list[str]:
    """Samples that an observation rests on; one for each well where the analysis names them."""
    wells = observation.details.get("wells")
    if wells is None:
        return [observation.sample_id]
    return [str(well.get("sample_id")) for well in wells if not well.get("flags")]


def _pours(bench: Bench, step: Step, command: Command) -> list[Pour]:
    """What a settled step brought from where to where.

    Args:
        bench: any belief; of a part it is tried out what it gives to which well.
    """
    if step.status is StepStatus.DONE:
        return [_pour(step, *transfer, certain=True) for transfer in command.transfers]
    given = _given(bench, command, step) if step.part else {}
    pours = []
    for source, target, volume_ul in command.transfers:
        certain_ul = min(volume_ul, given.get(target, 0.0))
        if certain_ul > 0:
            given[target] -= certain_ul
            pours.append(_pour(step, source, target, certain_ul, certain=True))
        if step.status is StepStatus.UNKNOWN and volume_ul > certain_ul:
            pours.append(_pour(step, source, target, volume_ul - certain_ul, certain=False))
    return pours


def _given(bench: Bench, command: Command, step: Step) -> dict[Place, float]:
    """What the part of a broken-off command gave to each of its targets, in ul."""
    tried = bench.copy()
    for (labware, well), _, volume_ul in command.transfers:
        # Whatever is believed to be left there: it gave what the part says.
        tried.fill(labware, well, {"any": volume_ul + sum(v for _, _, v in command.transfers)})
    targets = {target for _, target, _ in command.transfers}
    before = {target: tried.well(*target).volume_ul for target in targets}
    command.believe_part(tried, step.part)
    return {target: tried.well(*target).volume_ul - before[target] for target in targets}


def _pour(step: Step, source: Place, target: Place, volume_ul: float, *, certain: bool) -> Pour:
    return Pour(
        source=source,
        target=target,
        volume_ul=volume_ul,
        step_id=step.id,
        run_id=step.run_id,
        certain=certain,
    )


def _summed(pours: Iterable[tuple[Place, Pour]]) -> tuple[tuple[Place, float, bool], ...]:
    amounts: dict[Place, float] = {}
    certain: dict[Place, bool] = {}
    for place, pour in pours:
        amounts[place] = amounts.get(place, 0.0) + pour.volume_ul
        certain[place] = certain.get(place, True) and pour.certain
    return tuple((place, amounts[place], certain[place]) for place in sorted(amounts, key=_in_order))


def _in_order(place: Place) -> tuple[str, int, str]:
    labware, well = place
    number = re.sub(r"\D", "", well)
    return labware, int(number or 0), well
