"""What must not be used, since when, why and who said so. Append-only: lifting a bar is a row of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select

from lab.errors import BadInput
from lab.interfaces import Place
from lab.store.database import Part
from lab.store.records import BarRecord
from lab.store.saying import refuse_silence
from lab.store.tables import BarTable, RunTable, SampleTable, now

__all__ = ["Quarantine", "bar_rows"]

_BAR: Table = BarTable.__table__  # type: ignore[attr-defined]  # SQLModel makes it, its types do not say so
_RUN: Table = RunTable.__table__  # type: ignore[attr-defined]  # the same
_SAMPLE: Table = SampleTable.__table__  # type: ignore[attr-defined]  # the same


class Quarantine(Part):
    """The part of :class:`lab.store.Store` that keeps what is barred. Any thread.

    A place is a labware id and a well; the well ``*`` stands for all of the labware.
    """

    def bar(
        self,
        bench_id: str,
        bars: Mapping[Place, str],
        *,
        who: str,
        run_id: str = "",
        lab_time_s: float | None = None,
    ) -> None:
        """Keep places from being used. All of them or none.

        Args:
            bars: place -> why.
            who: says so.
            run_id: on whose account; empty where there is none.

        Raises:
            BadInput: nobody says so, or not why.
            ValueError: no such bench or run.
        """
        refuse_silence(who, *bars.values())
        with self._database.writing() as connection:
            bar_rows(connection, bench_id, bars, who=who, run_id=run_id, lab_time_s=lab_time_s)

    def lift_bar(
        self,
        bench_id: str,
        place: Place,
        *,
        who: str,
        why: str,
        step_id: str = "",
        lab_time_s: float | None = None,
    ) -> None:
        """Let a place be used again, whatever barred it and how often.

        Args:
            step_id: lift only what was barred on account of this step; what else bars the place stays.

        Raises:
            BadInput: it is not barred by itself, or nobody says why it may be used.
        """
        refuse_silence(who, why)
        with self._database.writing() as connection:
            in_force = _in_force(connection, bench_id)
            lifted = [
                row for row in in_force if (row.labware, row.well) == place and step_id in ("", row.step_id)
            ]
            if not lifted:
                raise _nothing_barred(place, [(row.labware, row.well) for row in in_force])
            rows = [
                {
                    **{name: getattr(row, name) for name in ("labware", "well", "run_id", "sample_id")},
                    "bench_id": bench_id,
                    "step_id": None,
                    "why": why,
                    "who": who,
                    "lifts": row.number,
                    "lab_time_s": lab_time_s,
                    "utc": now(),
                }
                for row in lifted
            ]
            connection.execute(insert(_BAR), rows)

    def barred(self, bench_id: str) -> dict[Place, str]:
        """What is barred on a bench now: place -> why it was barred first, oldest first."""
        with self._database.reading() as connection:
            return _reasons(_in_force(connection, bench_id))

    def bars(self, bench_id: str) -> tuple[BarRecord, ...]:
        """All that was ever barred or lifted on a bench, oldest first."""
        query = select(_BAR).where(_BAR.c.bench_id == bench_id).order_by(_BAR.c.number)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def barred_samples(self, run_id: str) -> dict[str, str]:
        """Samples of a run that must not be used now, because their well or all of its labware is barred: id -> why."""
        with self._database.reading() as connection:
            bench_id = connection.execute(select(_RUN.c.bench_id).where(_RUN.c.id == run_id)).scalar()
            if bench_id is None:
                return {}
            reasons = _reasons(_in_force(connection, bench_id))
            samples = select(_SAMPLE).where(_SAMPLE.c.run_id == run_id).order_by(_SAMPLE.c.number)
            found = {
                row.id: reasons.get((row.labware, row.well)) or reasons.get((row.labware, "*"), "")
                for row in connection.execute(samples)
            }
        return {sample_id: why for sample_id, why in found.items() if why}


def bar_rows(
    connection: Connection,
    bench_id: str,
    bars: Mapping[Place, str],
    *,
    who: str,
    run_id: str = "",
    step_id: str = "",
    lab_time_s: float | None = None,
) -> None:
    """Write bars within a transaction that is open. Of a well, the sample that stands in it is named.

    Args:
        run_id: on whose account; empty where there is none. So with ``step_id``.
    """
    if not bars:
        return
    samples = _samples_at(connection, bench_id, {labware for labware, _ in bars})
    moment = now()
    rows = [
        {
            "bench_id": bench_id,
            "labware": place[0],
            "well": place[1],
            "run_id": run_id or None,
            "step_id": step_id or None,
            "sample_id": samples.get(place),
            "why": why,
            "who": who,
            "lifts": None,
            "lab_time_s": lab_time_s,
            "utc": moment,
        }
        for place, why in bars.items()
    ]
    connection.execute(insert(_BAR), rows)


def _samples_at(connection: Connection, bench_id: str, labware: set[str]) -> dict[Place, str]:
    """The newest sample of each well; an earlier run may have made another one there."""
    query = (
        select(_SAMPLE.c.labware, _SAMPLE.c.well, _SAMPLE.c.id)
        .where(_SAMPLE.c.bench_id == bench_id, _SAMPLE.c.labware.in_(sorted(labware)))
        .order_by(_SAMPLE.c.number)
    )
    return {(row.labware, row.well): row.id for row in connection.execute(query)}


def _in_force(connection: Connection, bench_id: str) -> list[Row[Any]]:
    query = select(_BAR).where(_BAR.c.bench_id == bench_id).order_by(_BAR.c.number)
    rows = list(connection.execute(query))
    lifted = {row.lifts for row in rows}
    return [row for row in rows if row.lifts is None and row.number not in lifted]


def _reasons(in_force: list[Row[Any]]) -> dict[Place, str]:
    reasons: dict[Place, str] = {}
    for row in in_force:
        reasons.setdefault((row.labware, row.well), row.why)
    return reasons


def _record(row: Row[Any]) -> BarRecord:
    return BarRecord(
        number=row.number,
        bench_id=row.bench_id,
        labware=row.labware,
        well=row.well,
        run_id=row.run_id or "",
        step_id=row.step_id or "",
        sample_id=row.sample_id or "",
        why=row.why,
        who=row.who,
        lifts=row.lifts,
        lab_time_s=row.lab_time_s,
        utc=row.utc,
    )


def _nothing_barred(place: Place, barred: list[Place]) -> BadInput:
    labware, well = place
    where = f"all of {labware}" if well == "*" else f"well {well} of {labware}"
    if well != "*" and (labware, "*") in barred:
        way_out = f"All of {labware} is barred; lift that bar (well *)."
    else:
        known = ", ".join(f"{name} {of_it}" for name, of_it in dict.fromkeys(barred))
        way_out = f"Barred are: {known}." if known else "Nothing is barred on this bench."
    return BadInput(f"Nothing bars {where} by itself.", way_out=way_out)
