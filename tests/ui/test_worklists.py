"""The page for the people at a bench: what is out, handing it in, what must stand where, and what is on order."""

from __future__ import annotations

from typing import Any

from lab.client import Client
from tests.devices.person.bench import write_bench
from tests.ui.console_lab import ConsoleLab, until
from tests.ui.test_watching import press, shown, words


def the_one_out(ada: Client) -> Any:
    return until("a worklist comes out", ada.worklists)[0]


def test_a_worklist_is_shown_and_handed_in(console: ConsoleLab) -> None:
    folder = console.folder / "people"
    folder.mkdir()
    text = write_bench(folder).read_text(encoding="utf-8")
    with console.log_in() as ada:
        assert "No worklist is out." in words(shown("worklists", console, ada.token))
        ada.submit(text, "people/campaign.yaml", baseline=False)
        first = the_one_out(ada)
        page = shown("worklists", console, ada.token)
        assert first["title"] in page.selectbox(key="worklist_chosen").options[0]
        assert "for by_people." in words(page)
        assert any("assay" in table.value.to_csv() for table in page.table)
        press(page, "Hand in")
        assert [one["said"] for one in ada.worklists(everything=True)][:1] == ["done"]

        second = the_one_out(ada)
        page = shown("worklists", console, ada.token)
        assert f"It asks for {second['asks_for']}." in words(page)
        press(page, "Hand in")  # without the numbers
        assert "asks for absorbance" in words(page)
        ada.stop("by_people", reason="The test is over.")
        page.radio(key=f"said_{second['id']}").set_value("not-done").run()
        press(page, "Hand in")
        assert [one["said"] for one in ada.worklists(everything=True)][1] == "not-done"
        until("it has stopped", lambda: ada.campaign("by_people")["status"] != "running")
        page = shown("worklists", console, ada.token)
        assert any("L0001" in table.value.to_csv() for table in page.table)


def test_where_nothing_is_on_order_the_page_says_so(console: ConsoleLab) -> None:
    with console.log_in("vera") as vera:
        assert "Nothing is on order." in words(shown("worklists", console, vera.token))
