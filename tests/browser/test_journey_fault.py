"""A campaign that meets a fault: told of, settled by a person at the page, carried on, and read when it is over."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Opener
from tests.browser.gestures import choose, downloaded, follow, open_box, shown_in_table, switch, write
from tests.browser.rig import Lab, Window, until
from tests.campaign_files import write_campaign

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PACE = "max"
NAME = "jammed"
WHY = "Some wells are <b>empty</b>, *all* $x^2$ of them :material/home: ![x](http://localhost:1/x.png)"


def furnish(folder: Path) -> None:
    """A pipettor whose wire goes dead right after it has done what it was told; the campaign asks a person then."""
    file = write_campaign(folder, NAME, budget=8, batch_size=4, baseline="random")
    text = file.read_text(encoding="utf-8").replace("adaptive", "grid")
    text = text.replace("policies:\n", "policies:\n  recovery:\n    connection_lost: hold\n")
    file.write_text(text, encoding="utf-8")
    again = write_campaign(
        folder, "again", workcell="another_bench.yaml", budget=8, batch_size=8, baseline="null"
    )
    again.write_text(again.read_text(encoding="utf-8").replace("adaptive", "grid"), encoding="utf-8")
    bench = folder / "bench.yaml"
    rule = "{device: handler, fault: connection_lost, verb: distribute, at: [2], moment: after}"
    bench.write_text(
        f"{bench.read_text(encoding='utf-8').rstrip()}\nfaults:\n  rules:\n    - {rule}\n", encoding="utf-8"
    )


@pytest.fixture(scope="module")
def jammed(lab: Lab) -> str:
    """A campaign that is held by its fault; gives its identifier. Its baseline met the same one, and is past it."""
    with lab.client("ada") as ada:
        ada.submit((lab.folder / f"{NAME}.yaml").read_text(encoding="utf-8"), f"{NAME}.yaml")
        until("both wait for somebody to look", lambda: len(ada.get("/steps/waiting")) == 2)
        until("it is held", lambda: {one["status"] for one in ada.campaigns(baselines=True)} == {"held"})
        (baseline,) = [one for one in ada.campaigns(baselines=True) if one["baseline_of"]]
        (step,) = [one for one in ada.get("/steps/waiting") if one["campaign_id"] == baseline["id"]]
        ada.resolve(step["id"], "discard", why="Some wells are empty.")
        ada.resume(baseline["id"])
        until("the baseline is over", lambda: ada.campaign(baseline["id"])["status"] == "finished", 120.0)
    return str(lab.campaign(NAME)["id"])


def over(lab: Lab) -> bool:
    return bool(lab.campaign(NAME)["status"] == "finished")


def test_a_fault_is_told_of_and_answered_at_its_page_and_the_campaign_goes_on(
    opened: Opener, lab: Lab, jammed: str
) -> None:
    seen = opened("grace")
    seen.says("nobody knows what came of distribute on handler.")
    follow(seen, seen.page.get_by_role("link", name="Settle it").first)
    seen.heading("Devices")
    seen.says("1 step waits for somebody to look at the bench.")
    seen.says("the machine can't be reached")
    seen.page.get_by_text("Something in between, or nobody can tell").click()
    seen.says("Its run is given up")
    write(seen.page, "How do you know?", WHY)
    seen.page.get_by_role("button", name="Say so").click()
    follow(seen, seen.page.get_by_role("link", name="Go on with the campaign"))
    seen.heading("Live run")
    seen.page.get_by_role("button", name="Resume").click()
    until("it goes on to its end", lambda: over(lab), 120.0)


def test_faults_and_who_answered_them_are_kept_as_they_were_written(
    opened: Opener, lab: Lab, jammed: str
) -> None:
    seen = opened("vera")
    seen.open(f"faults?campaign={jammed}")
    seen.says("Steps that did not go as they were told to")
    shown_in_table(seen.page, "connection lost")
    shown_in_table(seen.page, WHY)


def test_results_are_read_beside_those_of_the_baseline(opened: Opener, lab: Lab, jammed: str) -> None:
    with lab.client("vera") as client:
        told = client.campaign(jammed)
    seen = opened("vera")
    seen.open(f"results?campaign={jammed}")
    seen.says(told["best"]["candidate_id"])
    seen.says(f"{told['spent']} of {told['budget']}")
    seen.page.get_by_role("tab", name="Progress").click()
    for curve in ("grid: best so far", "random: best so far"):
        seen.says(curve)
    seen.says("Behind the best found")


def test_the_report_is_downloaded_and_opens_without_any_server(
    opened: Opener, lab: Lab, jammed: str, tmp_path: Path, browser: Browser
) -> None:
    with lab.client("vera") as client:
        best = client.campaign(jammed)["best"]
    seen = opened("vera")
    seen.open(f"export?campaign={jammed}")
    report = made(seen, "report", tmp_path)
    assert report.name == f"{NAME}.html"
    context = browser.new_context(offline=True)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.get_by_text(best["candidate_id"]).first.wait_for()
    page.get_by_text(f"{best['value']:.2f}"[:4]).first.wait_for()
    context.close()
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [report.as_uri()]


def test_tables_are_downloaded_with_every_number(
    opened: Opener, lab: Lab, jammed: str, tmp_path: Path
) -> None:
    with lab.client("vera") as client:
        measured, chosen = client.observations(jammed), client.experiments(jammed)
    seen = opened("vera")
    seen.open(f"export?campaign={jammed}")
    rows = table(made(seen, "observations", tmp_path).read_text(encoding="utf-8"))
    assert [float(row["value"]) for row in rows] == [one["value"] for one in measured]
    with zipfile.ZipFile(made(seen, "all", tmp_path)) as packed:
        assert [row["id"] for row in table(packed.read("experiments.csv").decode())] == [
            one["id"] for one in chosen
        ]
        assert packed.read("files/campaign.yaml").decode().startswith("# Find variants")


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def made(seen: Window, what: str, folder: Path) -> Path:
    """Have one of the files of the page made, and keep it."""
    seen.page.locator(f"[class*=st-key-make_{what}_]").get_by_role("button").click()
    with downloaded(seen.page, folder) as files:
        seen.page.locator(f"[class*=st-key-get_{what}_]").get_by_role("button").click()
    return files[0]


def test_a_well_is_followed_to_what_it_was_made_from(opened: Opener, lab: Lab, jammed: str) -> None:
    bench = lab.campaign(NAME)["bench_id"]
    with lab.client("vera") as client:
        samples = client.get(f"/benches/{bench}/samples", content="assay_", most=500)["items"]
        one = [each for each in samples if each["run_id"]][-1]  # on a plate of the run that came to its end
        come_from = client.get(f"/samples/{one['id']}/lineage")["made_from"]
    seen = opened("vera")
    seen.go("Samples")
    choose(seen.page, "Bench", f"protein_bench_twin (twin): {NAME}")
    write(seen.page, "Search", one["id"])
    seen.says(f"{one['content']} in {one['labware']} {one['well']}")
    for each in come_from:
        shown_in_table(seen.page, f"{each['labware']}:{each['well']}")
    assert come_from


def test_one_campaign_on_a_twin_is_held_against_another(opened: Opener, lab: Lab, jammed: str) -> None:
    with lab.client("ada") as ada:
        ada.submit((lab.folder / "again.yaml").read_text(encoding="utf-8"), "again.yaml", baseline=False)
    until("it was measured again", lambda: lab.campaign("again").get("status") == "finished", 120.0)
    seen = opened("vera")
    seen.go("Twin against measured")
    seen.says("Nothing was measured on real instruments yet")
    switch(seen.page, "Hold one campaign on a twin against another")
    for label, name in (("One", "again"), ("The other", NAME)):
        created = lab.campaign(name)["created_utc"][:10]
        choose(seen.page, label, f"{name} on protein_bench_twin, 8 results, {created}")
    seen.says("8 candidates that both measured, each with one standard error.")


def test_by_hand_an_instrument_does_what_endangers_nothing_and_what_came_of_it_is_kept(
    opened: Opener, lab: Lab, jammed: str
) -> None:
    seen = opened("grace")
    seen.go("Devices")
    seen.says("Nothing is at work, so no instrument is connected.")
    open_box(seen.page, "Send a command by hand")
    choose(seen.page, "Instrument", "arm")
    choose(seen.page, "Command", "move")
    write(seen.page, "labware", "assay_40")
    write(seen.page, "destination", "reader")
    seen.page.get_by_role("button", name="Send it").click()
    seen.says("assay_40 would be left at reader, where others would meet it.")
    choose(seen.page, "Instrument", "thermocycler")
    choose(seen.page, "Command", "open lid")
    seen.page.get_by_role("button", name="Send it").click()
    link = seen.page.get_by_role("link", name="What comes of it")
    campaign = str(link.get_attribute("href")).rpartition("=")[2]
    with lab.client("grace") as client:
        until("it is done", lambda: client.campaign(campaign)["status"] == "finished")
        (run,) = client.get(f"/campaigns/{campaign}/runs")
        steps = client.get(f"/runs/{run['id']}/steps")
    assert [(one["device"], one["action"], one["status"]) for one in steps] == [
        ("thermocycler", "open_lid", "done")
    ]
