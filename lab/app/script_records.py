"""What protocols have read: out of the store as values, and into a table that a spreadsheet program opens."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from lab.app.prepare import Prepared
from lab.errors import BadInput
from lab.store import CampaignRecord, Store
from lab.types import CampaignStatus
from protocols.scripts import Reading, readings_of

__all__ = ["finished_before", "script_readings", "write_readings"]


def script_readings(store: Store, record: CampaignRecord) -> tuple[tuple[str, Reading], ...]:
    """What a campaign's runs have read, with the run that each reading is of, in order."""
    return tuple(
        (one.run.id, reading)
        for one in store.runs(record.campaign.id)
        for reading in readings_of(store.documents(one.run.id))
    )


def write_readings(store: Store, record: CampaignRecord, path: Path) -> int:
    """Every well of every reading as a line of a CSV file; gives the number of lines.

    Raises:
        BadInput: it can't be written.
    """
    uses = {
        (one.run.id, use.labware, use.well): use.content
        for one in store.runs(record.campaign.id)
        for use in one.run.layout.wells
    }
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(
        ["reading", "run", "plate", "well", "content", "mode", "cycle", "value", "saturated", "lab_time_s"]
    )
    lines = 0
    for number, (run, reading) in enumerate(script_readings(store, record), start=1):
        for well, trace in reading.traces.items():
            content = uses.get((run, reading.plate, well), "")
            for cycle, value in enumerate(trace, start=1):
                lines += 1
                table.writerow(
                    [
                        number,
                        run,
                        reading.plate,
                        well,
                        content,
                        reading.mode,
                        cycle,
                        "" if value != value else value,
                        "yes" if well in reading.saturated else "no",
                        reading.lab_time_s,
                    ]
                )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written.getvalue(), encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"The readings can't be written: {error.strerror}.",
            way_out="Name another file: --csv FILE",
            file=path,
        ) from error
    return lines


def finished_before(where: str, prepared: Prepared) -> bool:
    """Whether the last run of this protocol came to its end, so that the next one begins afresh.

    Args:
        where: the store, which need not be there.
    """
    if "://" not in where and not Path(where).exists():
        return False
    with Store.open(where, read_only=True) as store:
        records = [record for record in store.campaigns() if record.campaign.name == prepared.file.name]
    return bool(records) and records[-1].status in (CampaignStatus.FINISHED, CampaignStatus.ABORTED)
