"""Material that must come first: ordered, waited for, received once; and the campaign goes on with what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.app import Laboratory, Outcome, Settings, prepare
from lab.errors import CampaignFileError
from lab.orders import OrderStatus
from lab.types import CampaignStatus, ExperimentStatus
from tests.campaign_files import write_campaign

DAY_S = 86_400.0


def some_in_stock(folder: Path, n: int, material: str, **changes: str | int) -> Path:
    """A campaign on promoters of which only the first n stand in wells."""
    path = write_campaign(folder, like="strong_lac_promoter", **changes)
    text = path.read_text()
    for before, after in (
        ("name: adaptive ", "name: random "),
        ("baseline: random", "#"),
        ("replicates: 4", "replicates: 2"),
    ):
        text = text.replace(before, after)
    path.write_text(f"{text}\nmaterial: {material}\n")
    table = folder / "lac_library.csv"
    heading, *rows = table.read_text().splitlines()
    reference = [row for row in rows if row.startswith("WT,")]
    others = [row for row in rows if not row.startswith("WT,")][:40]
    lacking = [
        ",".join([name, "", "", *more]) for name, _, _, *more in (row.split(",") for row in others[n:])
    ]
    table.write_text("\n".join([heading, *reference, *others[:n], *lacking]) + "\n")
    return path


def run(folder: Path, file: Path) -> Outcome:
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        (outcome,) = laboratory.run([prepare(file)], baseline=False)
    return outcome


def test_on_a_twin_what_is_not_in_stock_is_ordered_and_measured_once_it_has_come(tmp_path: Path) -> None:
    file = some_in_stock(
        tmp_path, 12, "{source: order, lead_time_s: 5 d, supplier: Oligos}", budget=18, batch_size=6
    )
    outcome = run(tmp_path, file)
    assert outcome.status is CampaignStatus.FINISHED
    assert outcome.lab_s > 5 * DAY_S
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        store = laboratory.store
        history = store.history(outcome.campaign.id)
        orders = store.orders(outcome.campaign.id)
        done = {o.experiment_id: o.lab_time_s for o in history.observations}
    assert len(history.experiments) == 18
    assert {e.status for e in history.experiments} <= {ExperimentStatus.MEASURED, ExperimentStatus.FAILED}
    assert orders
    ordered = {order.experiment_id for order in orders}
    in_stock = {c for c, _ in outcome.campaign.sources.items()}
    assert ordered == {e.id for e in history.experiments if e.candidate.id not in in_stock}
    for order in orders:
        assert order.status is OrderStatus.RECEIVED
        assert order.supplier == "Oligos"
        assert order.due_lab_s is not None
        assert order.received_lab_s is not None
        assert order.received_lab_s >= order.due_lab_s - 0.001
        assert done[order.experiment_id] > order.received_lab_s
    assert min(done[e.id] for e in history.experiments if e.id not in ordered) < 5 * DAY_S
    assert len({(order.labware, order.well) for order in orders}) == len(orders)


def test_what_would_come_too_late_is_not_ordered(tmp_path: Path) -> None:
    late = "{source: build, lead_time_s: 5 d, finish_within_s: 4 d}"
    outcome = run(tmp_path, some_in_stock(tmp_path, 12, late, budget=12, batch_size=6))
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        assert laboratory.store.orders(outcome.campaign.id) == ()
        chosen = {e.candidate.id for e in laboratory.store.history(outcome.campaign.id).experiments}
    assert outcome.status is CampaignStatus.FINISHED
    assert chosen <= set(outcome.campaign.sources)
    assert len(chosen) == 12


def test_without_the_section_a_row_without_a_well_is_refused_at_its_line(tmp_path: Path) -> None:
    file = some_in_stock(tmp_path, 12, "{source: order, lead_time_s: 1 d}", budget=6, batch_size=3)
    file.write_text(file.read_text().replace("material:", "#"))
    with pytest.raises(CampaignFileError, match="There is no library plate ''"):
        prepare(file)


def test_a_campaign_whose_reference_is_not_in_stock_is_refused(tmp_path: Path) -> None:
    file = some_in_stock(tmp_path, 12, "{source: order, lead_time_s: 1 d}", budget=6, batch_size=3)
    table = tmp_path / "lac_library.csv"
    heading, *rows = table.read_text().splitlines()
    sequence = next(row.split(",")[3] for row in rows if row.startswith("WT,"))
    table.write_text("\n".join([heading, f"WT,,,{sequence}", *[r for r in rows if not r.startswith("WT,")]]))
    with pytest.raises(CampaignFileError, match="The reference WT stands in no well"):
        prepare(file)
