"""The report as a browser shows it: Chromium loads it, its script runs, nothing is asked of the network."""

from __future__ import annotations

import html as html_module
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.report import write_report
from lab.store import Store
from tests.lab.report.synthetic import Recipe, fill

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

# Runs after the page's own script, and leaves what it saw where --dump-dom shows it.
PROBE = """
<script>
(function () {
  function column(table, index) {
    return Array.from(table.tBodies[0].rows).map(function (row) {
      return row.cells[index].dataset.sort || row.cells[index].textContent;
    });
  }
  var table = document.getElementById("experiments-table");
  var heads = Array.from(table.querySelectorAll("th"));
  var measured = heads.findIndex(function (head) { return head.textContent.startsWith("measured"); });
  var seen = { errors: window.seenErrors };
  seen.before = column(table, 0);
  heads[measured].querySelector("button").click();
  seen.ascending = column(table, measured);
  seen.aria = heads[measured].getAttribute("aria-sort");
  heads[measured].querySelector("button").click();
  seen.descending = column(table, measured);
  heads[0].querySelector("button").click();
  seen.after = column(table, 0);
  var box = document.getElementById("search-experiments");
  box.value = column(table, 2)[3];
  box.dispatchEvent(new Event("input"));
  seen.searched = box.value;
  seen.shown = Array.from(table.tBodies[0].rows)
    .filter(function (row) { return !row.hidden; })
    .map(function (row) { return row.cells[2].textContent; });
  var link = document.querySelector("a.download");
  link.addEventListener("click", function (event) { event.preventDefault(); });
  link.click();
  seen.svg = decodeURIComponent(link.href);
  seen.resources = performance.getEntriesByType("resource").map(function (entry) { return entry.name; });
  seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  var holder = document.createElement("pre");
  holder.id = "probe";
  holder.textContent = JSON.stringify(seen);
  document.body.appendChild(holder);
})();
</script>
</body>"""

WATCH = """<head>
<script>
window.seenErrors = [];
window.addEventListener("error", function (event) { window.seenErrors.push(String(event.message)); });
document.addEventListener("securitypolicyviolation", function (event) { window.seenErrors.push(event.blockedURI); });
</script>"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the probe saw in a page of 24 experiments."""
    folder = tmp_path_factory.mktemp("browser")
    with Store.open(folder / "lab.db") as store:
        campaign = fill(store, Recipe(pool=60, budget=24, batch_size=8, batches=3))
        page = write_report(store, campaign.id, folder / "report.html").read_text(encoding="utf-8")
    probed = folder / "probed.html"
    probed.write_text(page.replace("<head>", WATCH, 1).replace("</body>", PROBE), encoding="utf-8")
    found = re.search(r'<pre id="probe">(.*?)</pre>', dumped(probed, folder), re.DOTALL)
    assert found is not None, "the page's script did not run to its end"
    return json.loads(html_module.unescape(found[1]))


def dumped(page: Path, folder: Path) -> str:
    """The page's document as it stands when Chromium has loaded it in a window 400 pixels wide."""
    assert CHROMIUM is not None
    switches = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=400,900",
        "--dump-dom",
    ]
    done = subprocess.run(
        [CHROMIUM, *switches, page.as_uri()], check=True, capture_output=True, text=True, timeout=90
    )
    return done.stdout


def test_nothing_fails_and_nothing_is_asked_of_the_network(seen: dict[str, Any]):
    assert seen["errors"] == []
    assert [name for name in seen["resources"] if not name.startswith("data:")] == []


def test_a_click_on_a_heading_sorts_by_number_and_another_turns_it_round(seen: dict[str, Any]):
    ascending = [float(cell) for cell in seen["ascending"]]
    assert seen["aria"] == "ascending"
    assert ascending == sorted(ascending)
    assert [float(cell) for cell in seen["descending"]] == sorted(ascending, reverse=True)
    assert seen["after"] == seen["before"] == [str(n) for n in range(1, 25)]


def test_the_search_leaves_the_rows_that_match(seen: dict[str, Any]):
    assert seen["searched"] in seen["shown"]
    assert len(seen["shown"]) < 24


def test_a_downloaded_figure_stands_alone(seen: dict[str, Any]):
    assert seen["svg"].startswith('data:image/svg+xml;charset=utf-8,<?xml version="1.0" encoding="UTF-8"?>')
    assert "var(--" not in seen["svg"]
    assert 'xmlns="http://www.w3.org/2000/svg"' in seen["svg"]


def test_a_narrow_window_scrolls_tables_and_figures_but_not_the_page(seen: dict[str, Any]):
    assert seen["overflow"] <= 0
