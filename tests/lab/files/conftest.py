"""A small campaign that is right, for tests to spoil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.errors import CampaignFileError
from lab.files import CampaignFile, WorkcellSpec, load_campaign, load_workcell

CAMPAIGN = """\
name: heat_test
goal:
  maximize: residual_activity
candidates:
  file: library.csv
  parent: MTYKLILN
  reference: WT
workcell: bench.yaml
protocol:
  name: thermal_challenge
  parameters:
    challenge_temperature_c: 75
    challenge_duration_s: 10 min
planner:
  name: adaptive
budget: 20
batch_size: 4
seed: 7
"""

TABLE = """\
variant,plate,well
T2A,1,A1
WT,1,A2
Y3F,2,H12
WT,2,A1
"""

WORKCELL = """\
name: bench
twin: true
devices:
  handler: {driver: liquid_handler/star}
  shaker:
    driver: incubator/bioshake
    address: serial:/dev/ttyUSB0
    limits: {temperature_c: [20, 70]}
  arm: {driver: plate_hotel/preciseflex, address: "tcp:192.168.0.1:10100"}
positions:
  deck: {device: handler, station: 1}
  hotel: {device: arm, slots: 6, first_station: 11, home: true}
labware:
  - {id: library, type: pcr_plate_96, count: 2, at: hotel, holds: candidates, volume_ul: 60}
  - {id: buffer, type: trough_60ml, at: deck, holds: assay_buffer, volume_ul: 50 ml}
chemistry: protein_g
"""


@dataclass(frozen=True)
class Bad:
    """What was wrong, as a person sees it."""

    file: str
    line: int | None
    field: str | None
    reason: str
    way_out: str


@dataclass(frozen=True)
class Desk:
    """A folder with a campaign, its candidates and its workcell."""

    folder: Path

    @property
    def campaign(self) -> Path:
        return self.folder / "campaign.yaml"

    @property
    def table(self) -> Path:
        return self.folder / "library.csv"

    @property
    def workcell(self) -> Path:
        return self.folder / "bench.yaml"

    def change(self, file: Path, old: str, new: str) -> None:
        """Replace a text that stands once in a file."""
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file.name}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def load(self) -> CampaignFile:
        return load_campaign(self.campaign)

    def load_workcell(self) -> WorkcellSpec:
        return load_workcell(self.workcell)

    def problems(self, read: Callable[[], object] | None = None) -> list[Bad]:
        """What reading the campaign, or something else, complains about."""
        with pytest.raises(CampaignFileError) as caught:
            (read or self.load)()
        return [
            Bad(e.file.name if e.file else "", e.line, e.field, e.reason, e.way_out)
            for e in caught.value.problems
        ]

    def problem(self, read: Callable[[], object] | None = None) -> Bad:
        """The one thing that reading complains about."""
        found = self.problems(read)
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.campaign.write_text(CAMPAIGN, encoding="utf-8")
    desk.table.write_text(TABLE, encoding="utf-8")
    desk.workcell.write_text(WORKCELL, encoding="utf-8")
    return desk
