"""Samples: the material in each well, what stood on the bench from the start and what runs made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from lab.store import lookup, values
from lab.store.database import Part
from lab.store.tables import RunTable, SampleTable
from lab.types import JsonValue, Sample, new_id

__all__ = ["Material", "add_samples", "stock_of"]

_SAMPLE: Table = SampleTable.__table__  # type: ignore[attr-defined]  # SQLModel makes it, its types do not say so
_RUN: Table = RunTable.__table__  # type: ignore[attr-defined]  # the same


class Material(Part):
    """The part of :class:`lab.store.Store` that keeps samples. Any thread.

    What a sample was made from is not kept with it: the journal tells.
    """

    def add_samples(self, samples: Iterable[Sample]) -> None:
        """Keep what runs make. All of them or none.

        Raises:
            ValueError: one is kept already, its run is not known, or it names parents.
        """
        wanted = list(samples)
        with self._database.writing() as connection:
            runs = {sample.run_id for sample in wanted}
            query = select(_RUN.c.id, _RUN.c.bench_id).where(_RUN.c.id.in_(sorted(runs)))
            benches = {row.id: row.bench_id for row in connection.execute(query)}
            if unknown := runs - set(benches):
                raise ValueError(f"the store refuses this: no run {min(unknown)!r}")
            for run_id, bench_id in benches.items():
                add_samples(connection, bench_id, (s for s in wanted if s.run_id == run_id))

    def samples(self, run_id: str) -> tuple[Sample, ...]:
        """What a run made, in the order in which it was added."""
        return self._select(_SAMPLE.c.run_id == run_id)

    def samples_of_bench(self, bench_id: str) -> tuple[Sample, ...]:
        """What stood on a bench from the start, and what all of its runs made, in the order in which it was added."""
        return self._select(_SAMPLE.c.bench_id == bench_id)

    def sample(self, sample_id: str) -> Sample:
        """A sample by its identifier, or by enough characters of its beginning or end that no other has them.

        Raises:
            BadInput: no such sample, or more than one.
        """
        way_out = "The result table of a campaign's report names the samples."
        with self._database.reading() as connection:
            return values.sample(lookup.find(connection, _SAMPLE, sample_id, "sample", way_out))

    def _select(self, wanted: Any) -> tuple[Sample, ...]:
        query = select(_SAMPLE).where(wanted).order_by(_SAMPLE.c.number)
        with self._database.reading() as connection:
            return tuple(values.sample(row) for row in connection.execute(query))


def add_samples(connection: Connection, bench_id: str, samples: Iterable[Sample]) -> None:
    """Write samples of one bench within a transaction that is open, in the order given."""
    rows = []
    for sample in samples:
        if sample.parents:
            raise ValueError(f"what {sample.id} was made from is read from the journal, not kept")
        rows.append(
            {
                "id": sample.id,
                "bench_id": bench_id,
                "run_id": sample.run_id or None,
                "labware": sample.labware,
                "well": sample.well,
                "content": sample.content,
            }
        )
    if rows:
        connection.execute(insert(_SAMPLE), rows)


def stock_of(snapshot: JsonValue) -> Iterator[Sample]:
    """A sample for each filled well of a bench's first snapshot, of no run; a mixture is named after all its parts."""
    labware = snapshot.get("labware", []) if isinstance(snapshot, dict) else []
    for item in labware:
        for well, contents in item["wells"].items():
            if contents["parts"]:
                yield Sample(
                    id=new_id("smp"),
                    labware=item["id"],
                    well=well,
                    content=" + ".join(contents["parts"]),
                    run_id="",
                )
