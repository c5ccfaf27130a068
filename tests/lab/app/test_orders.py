"""Material that must come first: ordered, waited for, received once; and the campaign goes on with what is there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from devices.person.folder import SheetFolder
from lab.app import Laboratory, Outcome, Settings, prepare
from lab.app.orders import again, receive
from lab.cli import main
from lab.errors import BadInput, CampaignFileError
from lab.orders import Order, OrderStatus
from lab.store import Store
from lab.types import CampaignStatus, ExperimentStatus
from tests.campaign_files import write_campaign
from tests.devices.person.bench import STRENGTH, Worker, write_bench

DAY_S = 86_400.0


def some_in_stock(folder: Path, n: int, material: str, *, budget: int, batch_size: int) -> Path:
    """A campaign on promoters of which only the first n stand in wells."""
    path = write_campaign(folder, like="strong_lac_promoter", budget=budget, batch_size=batch_size)
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


def test_a_program_that_ends_between_delivery_and_its_record_delivers_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(BaseException):
        pass

    def cut_off(*arguments: object, **more: object) -> Order:
        raise Cut

    file = some_in_stock(tmp_path, 9, "{source: order, lead_time_s: 5 d}", budget=12, batch_size=6)
    with monkeypatch.context() as during:
        during.setattr(Store, "receive_order", cut_off)
        with pytest.raises(Cut):
            run(tmp_path, file)
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        (outcome,) = laboratory.resume()
        orders = laboratory.store.orders(outcome.campaign.id)
        ledger = Path(laboratory.store.benches()[0].ledger).read_text()
    assert outcome.status is CampaignStatus.FINISHED
    assert orders
    assert {order.status for order in orders} == {OrderStatus.RECEIVED}
    first = orders[0]
    delivered = [line for line in ledger.splitlines() if f'"{first.id}"' in line]
    assert len(delivered) == 2  # asked for twice, and put into its well by the first
    assert all(f'"{first.well}"' in line for line in delivered)


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


@pytest.mark.parametrize(
    ("volume", "sentence"),
    [("0.5", "less than 1 ul is no stock"), ("100000", "100000 ul is no volume for a well of")],
)
def test_what_would_be_of_no_use_once_it_has_come_is_not_ordered(
    tmp_path: Path, volume: str, sentence: str
) -> None:
    material = f"{{source: order, lead_time_s: 1 d, volume_ul: {volume}}}"
    with pytest.raises(CampaignFileError, match=sentence):
        prepare(some_in_stock(tmp_path, 12, material, budget=6, batch_size=3))


class TestOnARealBench:
    """Where people place orders and unpack them: here people do everything."""

    @pytest.fixture
    def stopped(self, tmp_path: Path) -> Outcome:
        """A campaign of which two candidates have no well, and that has measured all that is there."""
        path = write_bench(tmp_path)
        path.write_text(
            path.read_text()
            + "material: {source: order, lead_time_s: 2 d, volume_ul: 200, batches_on_order: 2}\n"
        )
        table = tmp_path / "variants.csv"
        table.write_text(re.sub(r"(?m)^(V[67]),1,\w+,", r"\1,,,", table.read_text()))
        path.write_text(path.read_text().replace("budget: 6", "budget: 7"))
        with Worker(SheetFolder(tmp_path / "worklists")):
            return run(tmp_path, path)

    def orders(self, folder: Path) -> tuple[Order, ...]:
        with Store.open(folder / "lab.db", read_only=True) as store:
            return store.orders()

    def drywet(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["drywet", "orders", *words, "--store", str(folder / "lab.db")])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    def test_it_stops_once_all_that_is_left_has_to_come_and_says_what(
        self, tmp_path: Path, stopped: Outcome
    ) -> None:
        assert stopped.status is CampaignStatus.STOPPED
        assert "Nothing is left to do before material comes: " in stopped.sentence
        assert {order.candidate_id for order in self.orders(tmp_path)} == {"V6", "V7"}
        assert {order.status for order in self.orders(tmp_path)} == {OrderStatus.WANTED}
        assert stopped.measured == 5

    def test_what_is_placed_and_received_is_measured_when_the_campaign_goes_on(
        self, tmp_path: Path, stopped: Outcome, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = self.orders(tmp_path)
        assert (
            self.drywet(tmp_path, monkeypatch, "place", first.id, "--reference", "PO-1", "--by", "Ada") == 0
        )
        assert (
            self.drywet(tmp_path, monkeypatch, "receive", first.id, "--barcode", "L0001", "--by", "Ada") == 0
        )
        last = (
            "receive",
            second.id,
            "--barcode",
            "L0001",
            "--well",
            "H12",
            "--volume-ul",
            "150",
            "--by",
            "Ada",
        )
        assert self.drywet(tmp_path, monkeypatch, *last) == 0
        came = {order.id: order for order in self.orders(tmp_path)}
        assert came[first.id].reference == "PO-1"
        assert (came[second.id].labware, came[second.id].well, came[second.id].volume_ul) == (
            "library",
            "H12",
            150.0,
        )
        # What had been pipetted into the first batches' wells is known to the worker of this test only while it lives.
        with (
            Worker(SheetFolder(tmp_path / "worklists")),
            Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory,
        ):
            (outcome,) = laboratory.resume()
        assert outcome.status is CampaignStatus.FINISHED
        values = {e.candidate.id: o.value for e, o in outcome.results}
        assert values["V7"] == pytest.approx(STRENGTH["V7"], rel=0.05)
        assert len(values) == 7

    def test_what_came_and_was_barred_since_is_named_where_the_campaign_stops_again(
        self, tmp_path: Path, stopped: Outcome
    ) -> None:
        with Store.open(tmp_path / "lab.db") as store:
            for order in store.orders():
                came = receive(store, order.id, barcode="L0001", who="Ada")
                dropped = {(came.labware, came.well): "It was dropped."}
                store.bar(came.bench_id, dropped, who="Ada", run_id="", lab_time_s=0.0)
        with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
            (outcome,) = laboratory.resume()
        assert outcome.status is CampaignStatus.STOPPED
        assert "there is not enough left that may be used of " in outcome.sentence
        assert "V6" in outcome.sentence
        assert "V7" in outcome.sentence

    def test_another_plate_a_full_well_and_too_much_are_refused(
        self,
        tmp_path: Path,
        stopped: Outcome,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        first, _ = self.orders(tmp_path)
        for words, sentence in (
            (["--barcode", "P1"], "No library plate of paper_bench has the barcode 'P1'."),
            (["--barcode", "L0001", "--well", "A1"], "A1 of library is not free."),
            (["--barcode", "L0001", "--volume-ul", "900"], "900 ul is no volume for a well of library."),
            (["--barcode", "L0001", "--volume-ul", "nan"], "nan ul is no volume for a well of library."),
            (["--barcode", "L0001", "--volume-ul", "0.5"], "less than 1 ul is no stock."),
        ):
            assert self.drywet(tmp_path, monkeypatch, "receive", first.id, *words) == 2
            assert sentence in " ".join(capsys.readouterr().err.split())
        assert {order.status for order in self.orders(tmp_path)} == {OrderStatus.WANTED}

    def test_an_order_is_received_once_and_its_sequence_goes_out_as_fasta(
        self, tmp_path: Path, stopped: Outcome, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = self.orders(tmp_path)
        fasta = tmp_path / "wanted.fasta"
        assert self.drywet(tmp_path, monkeypatch, "list", "--fasta", str(fasta)) == 0
        assert fasta.read_text().splitlines()[0] == f">{first.candidate_id} {first.id}"
        assert first.sequence in fasta.read_text()
        with Store.open(tmp_path / "lab.db") as store:
            receive(store, first.id, barcode="L0001", well="H1", who="Ada")
            with pytest.raises(BadInput, match="was received before, into H1 of library"):
                receive(store, first.id, barcode="L0001", well="H2", who="Ada")
            with pytest.raises(BadInput, match="H1 of library is not free"):
                receive(store, second.id, barcode="L0001", well="H1", who="Ada")

    def test_what_was_lost_in_the_post_is_ordered_again_and_measured(
        self, tmp_path: Path, stopped: Outcome, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = self.orders(tmp_path)
        assert (
            self.drywet(tmp_path, monkeypatch, "place", first.id, "--reference", "PO-1", "--by", "Ada") == 0
        )
        assert self.drywet(tmp_path, monkeypatch, "again", first.id) == 2
        lost = ("cancel", first.id, "--why", "Lost in the post.", "--by", "Ada")
        assert self.drywet(tmp_path, monkeypatch, *lost) == 0
        assert self.drywet(tmp_path, monkeypatch, *lost) == 2
        with Store.open(tmp_path / "lab.db") as store:
            receive(store, second.id, barcode="L0001", who="Ada")
            with pytest.raises(BadInput, match="was cancelled"):
                receive(store, first.id, barcode="L0001", who="Ada")
        with (
            Worker(SheetFolder(tmp_path / "worklists")),
            Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory,
        ):
            (outcome,) = laboratory.resume()
        # It was not ordered again by itself: whoever cancelled it may not want it.
        assert outcome.status is CampaignStatus.STOPPED
        assert f"{first.candidate_id} ({first.id} was cancelled)" in outcome.sentence
        assert [order.id for order in self.orders(tmp_path)] == [first.id, second.id]
        assert self.drywet(tmp_path, monkeypatch, "again", first.id, "--by", "Ada") == 0
        fresh = self.orders(tmp_path)[-1]
        assert (fresh.experiment_id, fresh.status, fresh.volume_ul) == (
            first.experiment_id,
            OrderStatus.WANTED,
            200.0,
        )
        assert self.drywet(tmp_path, monkeypatch, "again", first.id) == 2
        with (
            Worker(SheetFolder(tmp_path / "worklists")),
            Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory,
        ):
            receive(laboratory.store, fresh.id, barcode="L0001", well="H12", who="Ada")
            (outcome,) = laboratory.resume()
        assert outcome.status is CampaignStatus.FINISHED
        assert outcome.measured == 7

    def test_what_came_and_was_dropped_is_ordered_again_but_not_what_is_there(
        self, tmp_path: Path, stopped: Outcome
    ) -> None:
        first, _ = self.orders(tmp_path)
        with Store.open(tmp_path / "lab.db") as store:
            came = receive(store, first.id, barcode="L0001", volume_ul=90.0, who="Ada")
            with pytest.raises(BadInput, match=f"There is enough of {first.candidate_id} in stock"):
                again(store, first.id, who="Ada")
            store.bar(came.bench_id, {(came.labware, came.well): "It was dropped."}, who="Ada")
            fresh = again(store, first.id, who="Ada")
            assert (fresh.status, fresh.volume_ul) == (OrderStatus.WANTED, 200.0)
            second_time = receive(store, fresh.id, barcode="L0001", who="Ada")
        assert (second_time.labware, second_time.well) != (came.labware, came.well)
        assert {order.id for order in self.orders(tmp_path) if not order.open} == {first.id, fresh.id}

    def test_an_experiment_that_is_over_orders_nothing_any_more(
        self, tmp_path: Path, stopped: Outcome
    ) -> None:
        first, second = self.orders(tmp_path)
        with Store.open(tmp_path / "lab.db") as store:
            for order in (first, second):
                receive(store, order.id, barcode="L0001", who="Ada")
        with (
            Worker(SheetFolder(tmp_path / "worklists")),
            Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory,
        ):
            laboratory.resume()
            with pytest.raises(BadInput, match="is measured"):
                again(laboratory.store, first.id, who="Ada")
