from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.report import write_report
from lab.report.page import render_page
from lab.report.reading import read_contents
from lab.store import Store
from lab.types import (
    Campaign,
    CampaignStatus,
    Candidate,
    Experiment,
    Layout,
    Origin,
    Proposal,
    Reason,
    RunStatus,
    new_id,
)
from tests.lab.report.synthetic import Recipe, campaign_of, fill, pool

VOID = {"meta", "link", "br", "input"}
CARD = ModelCard(
    name="one_hot",
    version="1",
    licence="BSD-3-Clause",
    source="this package",
    inputs="letters of a protein",
    outputs="20 numbers a residue",
)


class Page(HTMLParser):
    """Checks nesting as it reads, and keeps what the tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self._keep(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._keep(attrs)

    def _keep(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids[value or ""] += 1
            if name in ("href", "src", "xlink:href", "action", "srcset"):
                self.addresses.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def svgs(html: str) -> list[str]:
    return re.findall(r"<svg .*?</svg>", html, re.DOTALL)


@pytest.fixture(scope="module")
def html(finished: tuple[Store, Campaign], tmp_path_factory: pytest.TempPathFactory) -> str:
    store, campaign = finished
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(
        store, campaign.id, path, model_cards=[CARD], versions={"drywet": "0.1.0"}
    ).read_text()


def bare_campaign(store: Store, **changes: object) -> Campaign:
    recipe = Recipe(pool=30, budget=20, batch_size=5)
    campaign = replace(campaign_of(recipe, pool(recipe.pool, recipe.seed)[0]), **changes)  # type: ignore[arg-type]
    bench = store.create_bench(workcell="w", twin=True, seed=1, ledger="", snapshot={})
    store.create_campaign(campaign, bench.id, "", {})
    return campaign


def test_the_page_is_well_formed_and_its_ids_are_unique(html: str):
    page = Page(html)
    assert [name for name, n in page.ids.items() if n > 1] == []


def test_the_page_asks_for_nothing_outside_itself(html: str):
    assert [a for a in Page(html).addresses if not a.startswith(("#", "data:"))] == []
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert set(re.findall(r'https?://[^\s"\'<]+', html)) <= {
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
    }


def test_every_link_within_the_page_leads_somewhere(html: str):
    page = Page(html)
    assert {a[1:] for a in page.addresses if a.startswith("#")} - set(page.ids) == set()


def test_each_figure_is_a_picture_of_its_own_with_words_for_who_cannot_see_it(html: str):
    pictures = svgs(html)
    assert len(pictures) == 7
    for svg in pictures:
        root = ET.fromstring(svg)
        words = [root.find(f"{{http://www.w3.org/2000/svg}}{part}") for part in ("title", "desc")]
        assert all(word is not None and word.text for word in words)
    assert html.count('class="download"') == len(pictures)


def test_figures_follow_the_pages_inks_and_keep_their_own_outside_it(html: str):
    used = {ink for svg in svgs(html) for ink in re.findall(r"var\(--([a-z]+), #[0-9a-f]{6}\)", svg)}
    assert used == {"ink", "muted", "grid", "paper", "empty", "accent", "baseline", "reference", "warning"}
    style = html[html.index("<style>") : html.index("</style>")]
    assert all(style.count(f"--{ink}: ") == 2 for ink in used), "each ink has a light and a dark form"


def test_the_headline_tells_value_interval_and_reference(html: str):
    (headline,) = re.findall(r'<p class="headline">(.*?)</p>', html)
    assert re.fullmatch(
        r"On the twin, [A-Z]\d+[A-Z] keeps 0\.\d+ \(95\xa0% interval 0\.\d+ to 0\.\d+\) of its activity "
        r"after 10 min at 82\xa0°C in thermolysin; the reference WT keeps 0\.1\d+ \(0\.1\d+ to 0\.\d+\)\.",
        headline,
    )


def test_a_twins_report_says_so_before_anything_else(html: str):
    assert html.index("Simulated: digital twin") < html.index("What was found")


def test_every_experiment_stands_in_the_table_with_its_reason(html: str, finished: tuple[Store, Campaign]):
    store, campaign = finished
    table = html[html.index('id="experiments-table"') :]
    table = table[: table.index("</table>")]
    experiments = store.history(campaign.id).experiments
    assert table.count("<tr") == len(experiments) + 1
    assert all(e.candidate.id in table and e.reason.sentence in table for e in experiments)


def test_model_cards_versions_seed_and_hash_are_printed(html: str, finished: tuple[Store, Campaign]):
    store, campaign = finished
    assert "20 numbers a residue" in html
    assert "z_scales@1" in html
    assert "its card was not at hand" in html
    assert "<dt>drywet</dt><dd>0.1.0</dd>" in html
    assert "<dt>bluesky</dt><dd>1.15.1</dd>" in html
    assert read_contents(store, campaign.id).content_sha256 in html


def test_the_same_store_gives_the_same_bytes(finished: tuple[Store, Campaign], tmp_path: Path):
    store, campaign = finished
    first = write_report(store, campaign.id, tmp_path / "a.html").read_bytes()
    assert write_report(store, campaign.id, tmp_path / "b.html").read_bytes() == first


def test_a_store_opened_for_looking_is_enough(tmp_path: Path):
    with Store.open(tmp_path / "lab.db") as store:
        campaign = fill(store, Recipe(pool=40, budget=8, batch_size=8, batches=1))
    with Store.open(tmp_path / "lab.db", read_only=True) as store:
        assert "Finished" in write_report(store, campaign.name, tmp_path / "report.html").read_text()


def test_a_campaign_that_has_only_begun_renders(store: Store):
    page = render_page(read_contents(store, bare_campaign(store).id))
    assert "No experiment has been asked for yet." in page
    assert "Simulated: digital twin" in page
    assert len(svgs(page)) == 1, "the map of what may be tried"
    Page(page)


def test_a_batch_that_was_never_measured_renders(store: Store):
    campaign = bare_campaign(store)
    reason = Reason(planner="random", sentence="drawn at random")
    experiment = Experiment(id=new_id("exp"), candidate=campaign.candidates[0], reason=reason)
    batch = store.propose(campaign.id, Proposal(experiments=(experiment,)))
    run = store.create_run(batch, Layout(labware={}, wells=()))
    store.finish_run(run.id, RunStatus.STOPPED, reason="A person pressed Ctrl-C.")
    store.set_campaign_status(campaign.id, CampaignStatus.STOPPED, "A person pressed Ctrl-C.")
    page = render_page(read_contents(store, campaign.id))
    assert "Stopped before its end; it can be continued. 1 of 20 experiments spent" in page
    assert "No result that can be used yet." in page
    Page(page)


def test_a_campaign_whose_every_result_failed_renders(store: Store):
    campaign = fill(store, Recipe(pool=60, budget=8, batch_size=8, batches=1, flagged=1.0))
    page = render_page(read_contents(store, campaign.id))
    assert "8 did not (high CV: 8)." in page
    assert "No result that can be used. The last one:" in page
    Page(page)


def test_a_goal_to_minimise_renders(store: Store):
    campaign = fill(
        store, Recipe(pool=60, budget=16, batch_size=8, batches=2, direction="minimize", knows=None)
    )
    page = render_page(read_contents(store, campaign.id))
    assert "are below WT" in page
    assert "carry no prediction" in page
    Page(page)


def test_readings_of_real_instruments_are_never_called_simulated(store: Store):
    campaign = fill(store, Recipe(pool=60, budget=8, batch_size=8, batches=1, origin=Origin.REAL))
    page = render_page(read_contents(store, campaign.id))
    assert "Real instruments" in page
    assert "digital twin" not in page
    assert "On the twin" not in page


def test_a_mixture_of_real_and_simulated_readings_says_so_and_names_each(store: Store):
    campaign = fill(store, Recipe(pool=60, budget=8, batch_size=8, batches=1))
    contents = read_contents(store, campaign.id)
    first = contents.results[0]
    assert first.observation is not None
    real = replace(first, observation=replace(first.observation, origin=Origin.REAL))
    page = render_page(replace(contents, results=(real, *contents.results[1:]), origins=("real", "twin")))
    assert "Mixed: real and simulated" in page
    assert "<th>origin</th>" in page


def test_candidates_without_a_sequence_render_without_a_map(store: Store):
    names = ("salt", "sugar")
    candidates = tuple(Candidate(id=name, values={"concentration": i}) for i, name in enumerate(names))
    campaign = bare_campaign(store, candidates=candidates, reference=Candidate(id="water"))
    page = render_page(read_contents(store, campaign.id))
    assert "Along the sequence" not in page
    Page(page)


def test_text_from_files_and_planners_cannot_become_markup(store: Store):
    evil = "<script>alert(1)</script> $x^2$ &amp;"
    candidate = Candidate(id=evil, sequence="")
    campaign = bare_campaign(store, candidates=(candidate,), name=evil)
    experiment = Experiment(id=new_id("exp"), candidate=candidate, reason=Reason(planner=evil, sentence=evil))
    store.propose(campaign.id, Proposal(experiments=(experiment,)))
    page = render_page(read_contents(store, campaign.id))
    assert "<script>alert" not in page
    assert page.count("<script>") == 1
    Page(page)


def test_an_odd_name_of_a_variant_is_drawn_as_it_is_written(store: Store):
    campaign = fill(store, Recipe(pool=60, budget=8, batch_size=8, batches=1))
    contents = read_contents(store, campaign.id)
    odd = replace(contents.variants[0], candidate_id="a<b & $c_1$")
    page = render_page(replace(contents, variants=(odd, *contents.variants[1:])))
    assert any("a&lt;b &amp; $c_1$" in svg for svg in svgs(page))
    Page(page)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_bad_input(store: Store, tmp_path: Path):
    campaign = bare_campaign(store)
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(BadInput, match="can't be written"):
        write_report(store, campaign.id, folder / "report.html")


def test_a_folder_in_the_way_of_the_file_is_bad_input_and_leaves_nothing_behind(store: Store, tmp_path: Path):
    campaign = bare_campaign(store)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(BadInput, match=r"report\.html: the report can't be written"):
        write_report(store, campaign.id, tmp_path / "report.html")
    assert sorted(p.name for p in tmp_path.iterdir() if "report" in p.name) == ["report.html"]
