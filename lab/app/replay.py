"""A recorded campaign once more through sink and analysis, without an instrument, beside what was recorded then."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lab.app.prepare import stored_protocol
from lab.engine.sink import DocumentSink
from lab.errors import BadInput
from lab.interfaces import RunRecord
from lab.store import CampaignRecord, Store
from lab.types import (
    Batch,
    ExperimentStatus,
    Observation,
    Origin,
    Proposal,
    RunStatus,
)

__all__ = ["Pair", "Replayed", "replay"]

_ROUNDING = 1e-9
"""Relative: what arithmetic in another order may change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One result as it was recorded, and as it is worked out now; None where there is none."""

    candidate: str
    target: str
    recorded: Observation | None
    replayed: Observation | None

    @property
    def alike(self) -> bool:
        """Whether value, error and verdict are the same."""
        one, other = self.recorded, self.replayed
        if one is None or other is None:
            return False
        return (
            _same(one.value, other.value)
            and _same(one.standard_error, other.standard_error)
            and one.quality == other.quality
            and one.replicates == other.replicates
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of a replay.

    Args:
        runs: that were replayed.
        documents: of them that went through the sink.
    """

    campaign: str
    runs: int
    documents: int
    pairs: tuple[Pair, ...]

    @property
    def alike(self) -> bool:
        """Whether every result is the same."""
        return all(pair.alike for pair in self.pairs)


def replay(store: Store, record: CampaignRecord, into: Path | None = None) -> Replayed:
    """Put the documents of a campaign's runs through a sink into another store, and analyse them there.

    The observations made have the origin ``replay``. The store of the campaign is only read.

    Args:
        into: where the other store is kept; None for one that is thrown away.

    Raises:
        BadInput: no run of it is done, or there is something at ``into`` already.
    """
    module, parameters = stored_protocol(record)
    campaign = record.campaign
    done = {one.run.batch_id: one.run for one in store.runs(campaign.id) if one.run.status is RunStatus.DONE}
    batches = [batch for batch in store.batches(campaign.id) if batch.id in done]
    if not batches:
        raise BadInput(
            f"No run of {campaign.name} is done.", way_out=f"Go on with: drywet resume {campaign.name}"
        )
    documents = 0
    pairs: list[Pair] = []
    with _other_store(into) as other:
        bench = store.bench(record.bench_id)
        other.create_bench(
            bench_id=bench.id,
            workcell=bench.workcell,
            twin=bench.twin,
            seed=bench.seed,
            ledger="",
            snapshot=bench.first_snapshot,
        )
        other.create_campaign(campaign, bench.id, record.content_hash, record.files)
        recorded = store.all_observations(campaign.id)
        for batch in batches:
            run = done[batch.id]
            experiments = tuple(
                replace(e, status=ExperimentStatus.PROPOSED, repeat_of=None) for e in batch.experiments
            )
            again = other.propose(campaign.id, Proposal(experiments=experiments))
            new_run = other.create_run(again, run.layout)
            sink = DocumentSink(other, new_run.id, new_run.stretch)
            for name, body in store.documents(run.id):
                sink(name, body)
                documents += 1
            sink.close()
            observations = module.analyse(
                RunRecord(
                    run_id=new_run.id,
                    layout=run.layout,
                    documents=other.documents(new_run.id),
                    origin=Origin.REPLAY,
                    barred=store.barred_samples(run.id),
                ),
                batch,
                campaign,
                parameters,
            )
            other.record(observations)
            other.finish_run(new_run.id, RunStatus.DONE)
            then = [one.observation for one in recorded if one.observation.run_id == run.id]
            pairs += _pairs(batch, then, observations)
    return Replayed(campaign=campaign.name, runs=len(batches), documents=documents, pairs=tuple(pairs))


@contextmanager
def _other_store(into: Path | None) -> Iterator[Store]:
    if into is not None and into.exists():
        raise BadInput("There is something there already.", way_out="Name a new file.", file=into)
    with tempfile.TemporaryDirectory() as folder, Store.open(into or Path(folder) / "replay.db") as other:
        yield other


def _pairs(batch: Batch, then: Sequence[Observation], now: Sequence[Observation]) -> Iterator[Pair]:
    """Results of one batch side by side: the first that was recorded of each, for later ones are a person's corrections."""
    names = {experiment.id: experiment.candidate.id for experiment in batch.experiments}
    first: dict[tuple[str, str], Observation] = {}
    for one in then:
        first.setdefault((one.experiment_id, one.target), one)
    made = {(one.experiment_id, one.target): one for one in now}
    for key in dict.fromkeys((*first, *made)):
        yield Pair(
            candidate=names.get(key[0], key[0]),
            target=key[1],
            recorded=first.get(key),
            replayed=made.get(key),
        )


def _same(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=_ROUNDING)
