"""A bench of persons for tests: its files, and somebody who does what the worklists say."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from devices.person.folder import SheetFolder
from devices.person.sheet import HandIn, Sheet

WORKCELL = """
name: paper_bench
twin: false
devices:
  handler: {driver: person/handler, address: "folder:worklists", settings: {poll_s: 0.005}}
  reader: {driver: person/reader, address: "folder:worklists", settings: {poll_s: 0.005, lowest: 0, highest: 4}}
positions:
  bench: {device: handler, slots: 8, home: true}
labware:
  - {id: library, type: flat_plate_96, at: bench_1, holds: candidates, volume_ul: 300, barcode: L0001}
  - {id: assay, type: flat_plate_96, count: 4, at: [bench_2, bench_3, bench_4, bench_5], barcode: [P1, P2, P3, P4]}
  - {id: buffer, type: trough_60ml, at: bench_6, holds: assay_buffer, volume_ul: 50 ml}
  - {id: pipette, type: tips_300ul, at: bench_7}
"""

CAMPAIGN = """
name: by_people
goal: {maximize: relative_signal}
candidates: {file: variants.csv, reference: WT}
workcell: bench.yaml
protocol:
  name: by_hand
  parameters: {replicates: 2, reference_wells: 3, blank_wells: 3, instructions: ["Shake for 10 min."]}
planner: {name: random}
budget: 6
batch_size: 3
seed: 5
"""

STRENGTH = {"WT": 1.0} | {f"V{n}": 0.4 + 0.3 * n for n in range(1, 8)}
"""Absorbance that a candidate adds, over a blank of 0.1."""


def write_bench(folder: Path) -> Path:
    """Campaign, candidate and workcell file; gives the path of the first."""
    (folder / "bench.yaml").write_text(WORKCELL)
    rows = "".join(
        f"{name},1,{chr(ord('A') + n)}1,{'ACGT'[n % 4]}{'ACGT'[n // 4]}A\n" for n, name in enumerate(STRENGTH)
    )
    (folder / "variants.csv").write_text(f"variant,plate,well,sequence\n{rows}")
    path = folder / "campaign.yaml"
    path.write_text(CAMPAIGN)
    return path


class Worker:
    """Somebody who does every worklist that comes out, knows what is in every well, and reads it.

    Args:
        answers: what to hand in for a worklist; None leaves it out.
    """

    def __init__(self, folder: SheetFolder, answer: Callable[[Sheet], HandIn | None] | None = None) -> None:
        self.done: list[Sheet] = []
        self.error: BaseException | None = None
        self._folder = folder
        self._answer = answer or self.honest
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._wells: dict[tuple[str, str], dict[str, float]] = {}

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def honest(self, sheet: Sheet) -> HandIn:
        """Does the work, or reads what is in the wells."""
        for line in sheet.lines:
            if line.action == "pipette":
                well = self._wells.setdefault((line.target, line.target_well), {})
                well[line.holds] = well.get(line.holds, 0.0) + (line.volume_ul or 0.0)
        return handed(
            sheet, {} if sheet.asks is None else {w: self._read(sheet, w) for w in sheet.asks.wells}
        )

    def _read(self, sheet: Sheet, well: str) -> float | str:
        assert sheet.asks is not None
        parts = self._wells[sheet.asks.plate, well]
        jitter = 0.004 * ((sum(map(ord, well)) % 5) - 2)
        return 0.1 + jitter + sum(STRENGTH.get(name, 0.0) for name in parts)

    def _work(self) -> None:
        seen: set[str] = set()
        try:
            while not self._over.wait(0.005):
                for sheet in self._folder.sheets():
                    if sheet.id in seen or self._folder.answer(sheet.id) is not None:
                        continue
                    seen.add(sheet.id)
                    answer = self._answer(sheet)
                    if answer is not None:
                        self.done.append(sheet)
                        self._folder.hand_in(answer)
        except BaseException as error:  # noqa: BLE001  (raised where the worker is joined)
            self.error = error


def handed(sheet: Sheet, values: dict[str, float | str] | None = None, said: str = "done") -> HandIn:
    """What somebody hands in for a worklist."""
    return HandIn.model_validate(
        {
            "sheet": sheet.id,
            "said": said,
            "by": "Ada",
            "at_utc": "2026-01-05T09:00:00+00:00",
            "values": values or {},
        },
        strict=False,
    )
