"""A lab as it is on a working day: campaigns that are over, one that runs, and others that wait for a person."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.browser.rig import Lab, until
from tests.campaign_files import REPOSITORY, write_campaign

__all__ = ["PACE", "fill", "furnish"]

PACE = "30"
"""Lab seconds in one of ours: what runs goes on for twenty minutes."""

OVER = {
    "heat_stable": {"budget": 24, "batch_size": 12, "baseline": "random"},
    "stable_blend": {"budget": 24, "batch_size": 12, "like": "stable_photovoltaic_blend"},
    "promoters": {"budget": 18, "batch_size": 6, "like": "strong_lac_promoter", "baseline": "null"},
}
"""Campaigns that have run; the last has ordered what was not in stock."""

ORDERED = "{source: order, lead_time_s: 5 d, supplier: Oligos}"
IN_STOCK = 12


def furnish(folder: Path) -> None:
    """Files of all campaigns, and a store in which some of them have run as fast as the twin goes."""
    for name, changes in OVER.items():
        path = write_campaign(folder, name, workcell=f"{name}_bench.yaml", **changes)  # type: ignore[arg-type]
        if name == "promoters":
            _orders(path)
        command = [sys.executable, "-m", "lab.cli", "run", path.name]
        store = folder / ".drywet" / "drywet.db"
        told = subprocess.run(
            [*command, "--store", str(store), "--pace", "max"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert told.returncode == 0, told.stdout + told.stderr
    for name in ("night_shift", "careful", "jammed", "weekend"):
        write_campaign(folder, name, workcell=f"{name}_bench.yaml", baseline="null")
    careful = folder / "careful.yaml"
    careful.write_text(careful.read_text() + "approval:\n  each_batch: true\n")
    weekend = folder / "weekend.yaml"
    weekend.write_text(weekend.read_text() + "approval:\n  start: true\n")
    jammed = folder / "jammed.yaml"
    jammed.write_text(
        jammed.read_text().replace("policies:\n", "policies:\n  recovery:\n    connection_lost: hold\n")
    )
    bench = folder / "jammed_bench.yaml"
    rule = "{device: handler, fault: connection_lost, verb: distribute, at: [2], moment: after}"
    bench.write_text(f"{bench.read_text().rstrip()}\nfaults:\n  rules:\n    - {rule}\n")


def _orders(path: Path) -> None:
    """Leave only some rows of its table in stock, and have the rest ordered."""
    table = path.parent / "lac_library.csv"
    heading, *rows = table.read_text().splitlines()
    reference = [row for row in rows if row.startswith("WT,")]
    others = [row for row in rows if not row.startswith("WT,")]
    lacking = [
        ",".join([name, "", "", *more]) for name, _, _, *more in (row.split(",") for row in others[IN_STOCK:])
    ]
    table.write_text("\n".join([heading, *reference, *others[:IN_STOCK], *lacking]) + "\n")
    path.write_text(f"{path.read_text()}\nmaterial: {ORDERED}\n")


def fill(lab: Lab) -> dict[str, str]:
    """Hand in what runs and what waits; gives identifiers of campaigns by their names, when all stand as they shall."""
    with lab.client("ada") as ada:

        def submit(name: str, **more: Any) -> None:
            ada.submit((lab.folder / f"{name}.yaml").read_text(), f"{name}.yaml", baseline=False, **more)

        submit("jammed")
        submit("careful")
        submit("weekend")
        submit("night_shift")
        text = (lab.folder / "heat_stable.yaml").read_text()
        ada.add_schedule(
            text, "heat_stable.yaml", cron="0 2 * * 1-5", timezone="Europe/Berlin", name="every night"
        )
    until("a batch waits for a word", lambda: lab.campaign("careful").get("status") == "held")
    until("the night shift runs", lambda: (lab.campaign("night_shift").get("live") or {}).get("step", 0) > 3)
    until("a step waits for somebody to look", lambda: lab.campaign("jammed").get("status") == "held", 180.0)
    with lab.client("ada") as ada:
        return {one["name"]: one["id"] for one in ada.campaigns()}
