"""``drywet samples``, ``drywet results`` and ``drywet inventory`` as a person types them, on a campaign of the twin."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.app import Laboratory, Settings, prepare
from lab.engine.progress import Progress, ResultsRecorded
from lab.files import load_campaign
from lab.store import Store
from lab.types import Campaign, CampaignStatus, Experiment, History, Proposal
from tests.campaign_files import write_campaign
from tests.lab.cli.conftest import Drywet

WHY = ("--why", "its tube was mislabelled")


@pytest.fixture
def at(stopped: Path) -> tuple[str, str]:
    """The option that names the store."""
    return "--store", str(stopped)


def results(drywet: Drywet, at: tuple[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = drywet("results", *at, "--json").json["results"]
    return found


def best_of(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return max((one for one in found if one["counts"]), key=lambda one: one["value"])


# -------------------------------------------------------------------------------------------------------------- results


def test_results_are_listed_with_ids_that_commands_take(drywet: Drywet, at: tuple[str, str]) -> None:
    answer = drywet("results", "small", *at)
    assert answer.code == 0
    for one in results(drywet, at):
        assert one["id"][-8:] in answer.out
        assert one["experiment"][-8:] in answer.out
        assert one["candidate"] in answer.out


def test_results_can_be_taken_over_into_the_file_of_another_campaign(
    drywet: Drywet, at: tuple[str, str], tmp_path: Path
) -> None:
    table = drywet("results", "past", "small", *at)
    assert table.code == 0
    (tmp_path / "small.csv").write_text(table.out, encoding="utf-8")
    file = write_campaign(tmp_path, budget=6, batch_size=3)
    file.write_text(file.read_text().replace("workcell:", "past: [small.csv]\nworkcell:", 1))
    past = load_campaign(file).past
    counted = {one["candidate"]: one["value"] for one in results(drywet, at) if one["counts"]}
    assert {result.candidate.id: result.value for result in past} == counted
    assert {result.campaign for result in past} == {"small"}
    assert {len(result.candidate.sequence) for result in past} == {56}


def test_status_report_and_list_follow_a_retraction_at_once(
    drywet: Drywet, at: tuple[str, str], tmp_path: Path
) -> None:
    best = best_of(results(drywet, at))
    assert drywet("status", *at, "--json").json["campaign"]["best"]["candidate"] == best["candidate"]
    answer = drywet("results", "retract", best["id"][-8:], *WHY, "--by", "Ada", *at)
    assert answer.code == 0
    assert answer.out.startswith(f"Retracted: {best['candidate']} ")
    second = best_of(results(drywet, at))
    assert second["candidate"] != best["candidate"]
    assert f"Best of small now: {second['candidate']}" in answer.out
    assert drywet("status", *at, "--json").json["campaign"]["best"]["candidate"] == second["candidate"]
    report = tmp_path / "report.html"
    drywet("report", "--output", str(report), *at)
    html = report.read_text()
    assert f"the twin, {second['candidate']} keeps" in html.replace("\u00a0", " ")
    assert "Retracted by Ada: its tube was mislabelled" in html
    (gone,) = [one for one in results(drywet, at) if not one["counts"]]
    assert gone["id"] == best["id"]


def test_a_result_is_retracted_once(drywet: Drywet, at: tuple[str, str]) -> None:
    best = best_of(results(drywet, at))
    drywet("results", "retract", best["id"], *WHY, *at)
    again = drywet("results", "retract", best["id"], *WHY, *at)
    assert again.code == 2
    assert f"was retracted before, by {getpass.getuser()}" in " ".join(again.err.split())


def test_another_value_takes_the_place_of_a_result(drywet: Drywet, at: tuple[str, str]) -> None:
    worst = min(results(drywet, at), key=lambda one: one["value"])
    answer = drywet(
        "results", "supersede", worst["id"], "--value", "0.9", "--standard-error", "0.05", *WHY, *at
    )
    assert answer.code == 0
    assert f"Best of small now: {worst['candidate']} 0.90 ± 0.05." in answer.out
    (new,) = [one for one in results(drywet, at) if one["value"] == 0.9]
    assert (new["candidate"], new["origin"], new["standard_error"]) == (worst["candidate"], "manual", 0.05)


def test_experiments_on_two_candidates_are_no_replicates(drywet: Drywet, at: tuple[str, str]) -> None:
    first, second, _ = results(drywet, at)
    answer = drywet("results", "replicate", second["experiment"], "--of", first["experiment"], *WHY, *at)
    assert answer.code == 2
    assert "Only experiments on the same candidate are replicates." in answer.err


@pytest.mark.parametrize(
    "command",
    [
        ("results", "retract", "obs_123456"),
        ("results", "supersede", "obs_123456", "--value", "1", "--standard-error", "0.1"),
        ("results", "replicate", "exp_123456", "--of", "exp_654321"),
        ("samples", "bar", "buffer"),
        ("samples", "lift", "buffer"),
    ],
)
def test_nothing_is_said_without_a_reason(
    drywet: Drywet, at: tuple[str, str], command: tuple[str, ...]
) -> None:
    answer = drywet(*command, *at)
    assert answer.code == 2
    assert "--why" in answer.err


def test_who_corrects_while_another_process_writes_is_refused(drywet: Drywet, at: tuple[str, str]) -> None:
    best = best_of(results(drywet, at))
    with Store.open(at[1]):
        answers = [
            drywet("results", "retract", best["id"], *WHY, *at),
            drywet("samples", "bar", "buffer", *WHY, *at),
        ]
        assert len(results(drywet, at)) == 3
    assert [answer.code for answer in answers] == [2, 2]
    assert all("process" in answer.err for answer in answers)
    assert best_of(results(drywet, at))["id"] == best["id"]


@dataclass
class Spy:
    """A planner that keeps in mind what it is told."""

    planner: Any
    seen: list[History] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.planner.name)

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        self.seen.append(history)
        proposal: Proposal = self.planner.ask(n, campaign, history, pending, rng)
        return proposal


def test_the_planner_goes_on_without_what_was_retracted(
    drywet: Drywet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import planners

    file = write_campaign(folder, budget=6, batch_size=3)
    settings = Settings(store=str(folder / "lab.db"))
    with Laboratory.open(settings) as laboratory:

        def watch(event: Progress) -> None:
            if isinstance(event, ResultsRecorded):
                laboratory.request_stop("to look at the results")

        laboratory.watch = watch
        (stopped,) = laboratory.run([prepare(file)], baseline=False)
    assert (stopped.status, stopped.measured) == (CampaignStatus.STOPPED, 3)
    at = ("--store", settings.store)
    best = best_of(results(drywet, at))
    assert drywet("results", "retract", best["id"], *WHY, *at).code == 0
    spies: list[Spy] = []
    real = planners.planner

    def spied(name: str, chosen: Any) -> Any:
        spies.append(Spy(real(name, chosen)))
        return spies[-1]

    monkeypatch.setattr(planners, "planner", spied)
    with Laboratory.open(settings) as laboratory:
        (finished,) = laboratory.resume("small")
    assert finished.status is CampaignStatus.FINISHED
    (asked,) = [history for spy in spies for history in spy.seen]
    told = {e.candidate.id for e, _ in asked.usable("residual_activity")}
    assert len(told) == 2
    assert best["candidate"] not in told
    # It may well be chosen again, to be measured anew; what was taken back stays so.
    assert best["experiment"] not in {e.id for e, _ in finished.results}
    assert len(finished.results) == 5


# -------------------------------------------------------------------------------------------------------------- samples


def samples(drywet: Drywet, at: tuple[str, str], *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = drywet("samples", "small", *options, *at, "--json").json
    return found


def test_samples_are_listed_with_place_content_and_batch(drywet: Drywet, at: tuple[str, str]) -> None:
    answer = drywet("samples", "small", *at)
    assert answer.code == 0
    found = samples(drywet, at)
    # Two plates of two batches: three variants in three wells, four of the reference and four blanks.
    assert len(found) == 4 * (3 * 3 + 4 + 4)
    assert f"{len(found)} samples." in answer.out
    assert all(f"{one['labware']}:{one['well']}" in answer.out for one in found)
    assert len(samples(drywet, at, "--all")) > len(found)


def test_a_sample_shows_what_it_was_made_from_and_its_source_what_it_went_into(
    drywet: Drywet, at: tuple[str, str]
) -> None:
    one = next(s for s in samples(drywet, at) if s["content"] not in ("WT", "blank"))
    shown = drywet("samples", "show", one["id"][-10:], *at).out
    assert f"{one['labware']}:{one['well']} {one['content']}" in shown
    assert "It holds 100 µl." in shown
    above = drywet("samples", "show", one["id"], *at, "--json").json["made_from"]
    (source,) = [a for a in above if a["labware"].startswith("library")]
    assert f"4 µl  {source['labware']}:{source['well']} {one['content']}" in shown
    below = drywet("samples", "show", f"{source['labware']}:{source['well']}", *at).out
    assert f"4 µl  {one['labware']}:{one['well']} {one['content']}" in below


def test_barring_a_source_bars_what_is_made_from_it_and_lifting_lifts_that(
    drywet: Drywet, at: tuple[str, str]
) -> None:
    best = best_of(results(drywet, at))
    wells = [s for s in samples(drywet, at) if s["content"] == best["candidate"]]
    above = drywet("samples", "show", wells[0]["id"], *at, "--json").json["made_from"]
    (source,) = [f"{a['labware']}:{a['well']}" for a in above if a["labware"].startswith("library")]
    answer = drywet("samples", "bar", source, *WHY, *at)
    assert answer.code == 0
    assert "These results rest on it, and still count:" in answer.out
    assert best["id"] in answer.out
    assert all(one["labware"] in answer.out and one["well"] in answer.out for one in wells)
    barred = {one["id"]: one["barred"] for one in samples(drywet, at) if one["barred"]}
    assert set(barred) == {one["id"] for one in wells}
    assert all("Made from" in why and "its tube was mislabelled" in why for why in barred.values())
    assert drywet("samples", "bar", source, *WHY, *at).code == 2
    assert drywet("samples", "lift", source, "--why", "it was right", *at).code == 0
    assert [one for one in samples(drywet, at) if one["barred"]] == []
    history = drywet("samples", "show", source, *at).out
    assert "barred by" in history
    assert "lifted by" in history


def test_results_that_rest_on_barred_material_are_retracted_when_asked(
    drywet: Drywet, at: tuple[str, str]
) -> None:
    best = best_of(results(drywet, at))
    well = next(s for s in samples(drywet, at) if s["content"] == best["candidate"])
    answer = drywet("samples", "bar", well["id"], *WHY, "--retract", *at)
    assert "Retracted, because they rest on it:" in answer.out
    (gone,) = [one for one in results(drywet, at) if not one["counts"]]
    assert gone["id"] == best["id"]


def test_a_bar_for_a_reason_of_its_own_stays_when_the_source_is_lifted(
    drywet: Drywet, at: tuple[str, str]
) -> None:
    best = best_of(results(drywet, at))
    well = next(s for s in samples(drywet, at) if s["content"] == best["candidate"])
    drywet("samples", "bar", well["id"], "--why", "a bubble", *at)
    above = drywet("samples", "show", well["id"], *at, "--json").json["made_from"]
    (source,) = [f"{a['labware']}:{a['well']}" for a in above if a["labware"].startswith("library")]
    drywet("samples", "bar", source, *WHY, *at)
    drywet("samples", "lift", source, "--why", "it was right", *at)
    (left,) = [one for one in samples(drywet, at) if one["barred"]]
    assert (left["id"], left["barred"]) == (well["id"], "a bubble")


# ------------------------------------------------------------------------------------------------------------ inventory


def test_the_inventory_names_who_has_reserved_what(drywet: Drywet, at: tuple[str, str]) -> None:
    (bench,) = drywet("inventory", *at, "--json").json["benches"]
    items = {item["name"]: item for item in bench["items"]}
    assert set(items) == {"tips:50", "tips:300", "plates", "content:assay_buffer", "content:reporter"}
    assert items["plates"]["reserved"] == {"small": 2.0}
    for item in items.values():
        assert item["free"] == pytest.approx(item["there"] - sum(item["reserved"].values()))
    shown = drywet("inventory", "small", *at).out
    assert "clean plates" in shown
    assert "small 2" in shown
    assert drywet("inventory", bench["workcell"], *at).out == shown


def test_an_inventory_of_nothing_known_names_the_workcells(drywet: Drywet, at: tuple[str, str]) -> None:
    answer = drywet("inventory", "nowhere", *at)
    assert answer.code == 2
    assert "Workcells: protein_bench_twin." in answer.err
