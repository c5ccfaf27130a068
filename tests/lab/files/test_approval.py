from __future__ import annotations

from pathlib import Path

import pytest

from lab.approvals import ApprovalPolicy, CostLimit, TrustRegion, Watched, distance, nearest, ranges_of
from lab.errors import CampaignFileError
from lab.files import load_campaign
from lab.spaces import Candidate
from lab.types import Campaign
from tests.campaign_files import write_campaign


def load(folder: Path, section: str) -> Campaign:
    path = write_campaign(folder)
    path.write_text(path.read_text() + section)
    return load_campaign(path).campaign("cmp_1")


def refused(folder: Path, section: str) -> CampaignFileError:
    with pytest.raises(CampaignFileError) as wrong:
        load(folder, section)
    return wrong.value


def test_a_file_that_asks_for_nobody_has_no_policy(tmp_path: Path) -> None:
    assert load(tmp_path, "").approval is None
    assert load(tmp_path, "approval: {start: false}\n").approval is None


def test_everything_that_can_be_asked_for_comes_with_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "watched.yaml").write_text(
        "watch:\n  - {name: loop, contains: gettt}\n  - {name: twice, ids: [T16I]}\n"
    )
    campaign = load(
        tmp_path,
        """approval:
  start: true
  each_batch: true
  outside_trust_region: {predicted_sd: 0.2, letters: 3}
  first_on_hardware: true
  over_cost: {amount: 500, currency: EUR, per_hour: 20, per_ml: {reporter: 3.5}}
  screening_hit: watched.yaml
""",
    )
    assert campaign.approval == ApprovalPolicy(
        start=True,
        each_batch=True,
        trust=TrustRegion(predicted_sd=0.2, letters=3),
        first_on_hardware=True,
        cost=CostLimit(amount=500, currency="EUR", per_hour=20, per_ml={"reporter": 3.5}),
        watched=(Watched(name="loop", contains="GETTT"), Watched(name="twice", ids=("T16I",))),
    )


def test_a_changed_list_is_a_changed_campaign(tmp_path: Path) -> None:
    path = write_campaign(tmp_path)
    path.write_text(path.read_text() + "approval: {screening_hit: watched.yaml}\n")
    hashes = set()
    for entry in ("{name: one, ids: [T16I]}", "{name: one, ids: [T16V]}"):
        (tmp_path / "watched.yaml").write_text(f"watch: [{entry}]\n")
        hashes.add(load_campaign(path).sha256)
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("section", "field", "told"),
    [
        ("{each_bach: true}", "approval.each_bach", "each_batch"),
        ("{outside_trust_region: {}}", "approval.outside_trust_region", "needs a bound"),
        ("{outside_trust_region: {fraction: 0.2}}", "approval.outside_trust_region.fraction", "never hold"),
        ("{over_cost: {amount: 5, currency: EUR}}", "approval.over_cost", "Without a price"),
        (
            "{over_cost: {amount: 5, currency: EUR, per_ml: {reportr: 1}}}",
            "approval.over_cost.per_ml.reportr",
            "reporter",
        ),
        ("{screening_hit: none.yaml}", "approval.screening_hit", "no watch-list file"),
    ],
)
def test_what_would_never_hold_anything_back_is_refused(
    tmp_path: Path, section: str, field: str, told: str
) -> None:
    wrong = refused(tmp_path, f"approval: {section}\n")
    assert wrong.field == field
    assert told in str(wrong)


def test_what_is_wrong_in_the_list_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "watched.yaml").write_text("watch:\n  - {name: nothing}\n")
    wrong = refused(tmp_path, "approval: {screening_hit: watched.yaml}\n")
    assert wrong.file == tmp_path / "watched.yaml"
    assert wrong.line == 2
    assert "would never be found" in str(wrong)


def test_distances_count_letters_and_fractions_of_ranges() -> None:
    pool = [Candidate(id=f"c{n}", sequence="MKT", values={"ph": float(n), "salt": "NaCl"}) for n in (4, 6, 9)]
    ranges = ranges_of(pool, None)
    assert ranges == {"ph": 5.0}
    other = Candidate(id="x", sequence="MATL", values={"ph": 7.0, "salt": "NaCl"})
    found = nearest(other, pool, ranges)
    assert found is not None
    assert found[0].id == "c6"
    assert (found[1].letters, found[1].fraction) == (2, 0.2)
    assert distance(
        other, Candidate(id="y", sequence="MATL", values={"ph": 7.0, "salt": "KCl"}), ranges
    ) == distance(pool[0], Candidate(id="z", sequence="MKT", values={"ph": 4.0}), ranges)
    assert nearest(other, [], ranges) is None
