"""What a person does on a page of the console, beyond a click: fields, choices, tables and files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Error, Locator, Page, Position

from tests.browser.rig import Window, until

__all__ = [
    "choose",
    "downloaded",
    "fill_table",
    "follow",
    "offered",
    "open_box",
    "shown_in_table",
    "switch",
    "write",
    "write_day",
]


AT_REST = "() => !document.querySelector('[data-testid=stApp][data-test-script-state=running]')"
"""Nothing of the page is being drawn anew: what would be written into the old of a field is lost."""


def write(page: Page, label: str, text: str) -> None:
    """Fill a field in and leave it, so that the page takes it."""
    page.wait_for_function(AT_REST)
    field = page.get_by_label(label, exact=True).and_(page.locator("input, textarea"))
    field.fill(text)
    field.press("Tab")


def choose(page: Page, label: str, option: str) -> None:
    """One of a list, found by writing its name: a long list shows only what is in sight."""
    field = page.get_by_role("combobox", name=label, exact=True)

    def chosen() -> bool:
        field.click()
        field.fill(option)
        try:
            page.get_by_role("option", name=option, exact=True).click(timeout=2000)
        except Error:  # it comes with what was chosen before; the list is still the old one
            field.press("Escape")
            return False
        return True

    until(f"{option} can be chosen", chosen)


def offered(page: Page, label: str, one: str) -> list[str]:
    """What a list offers, once a certain option is among it; the list is closed again."""
    field = page.get_by_role("combobox", name=label, exact=True)

    def shown() -> list[str]:
        page.wait_for_function(AT_REST)
        field.click()
        try:
            page.get_by_role("option", name=one, exact=True).wait_for(timeout=2000)
        except Error:  # it comes with what was chosen before; the list is still the old one
            return []
        else:
            return page.get_by_role("option").all_inner_texts()
        finally:
            field.press("Escape")

    found: list[str] = until(f"{one} is offered", shown)
    return found


def write_day(page: Page, label: str, day: date) -> None:
    """Fill a day in; the calendar that opens over the page meanwhile is closed."""
    page.get_by_role("spinbutton", name=f"year, {label}").click()
    page.keyboard.type(f"{day:%Y%m%d}")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")


def switch(page: Page, label: str) -> None:
    """A toggle, or a box to tick."""
    page.get_by_text(label, exact=True).click()


def open_box(page: Page, title: str) -> None:
    """A part of a page that is folded away; nothing is done where it is open already."""
    summary = page.locator("summary", has_text=title)
    summary.wait_for()
    if not page.locator("details[open]").filter(has=summary).count():
        summary.click()


def shown_in_table(page: Page, text: str) -> None:
    """Wait until a cell of a table has this text; a long table is painted, and its cells stand for screen readers."""
    page.locator("td", has_text=text).first.wait_for(state="attached")


def follow(seen: Window, link: Locator) -> None:
    """A link to another page of the console, which opens in the same window."""
    there = urlsplit(link.get_attribute("href") or "").path.rpartition("/")[2]
    link.click()
    seen.page.wait_for_url(re.compile(rf"/{re.escape(there)}(\?|$)"))
    assert len(seen.page.context.pages) == 1


@contextmanager
def downloaded(page: Page, folder: Path) -> Iterator[list[Path]]:
    """What is downloaded within; the file stands in the list afterwards."""
    files: list[Path] = []
    with page.expect_download() as coming:
        yield files
    file = folder / coming.value.suggested_filename
    coming.value.save_as(file)
    files.append(file)


def fill_table(within: Locator, rows: Sequence[Sequence[str]]) -> None:
    """Fill a painted table in, from its first row on; what is empty is left as it is.

    Args:
        within: holds one table and no other.
        rows: a text for each column.
    """
    painted = within.get_by_test_id("stDataFrame")
    page = within.page
    editor = page.locator(".gdg-input")
    for n, row in enumerate(rows):
        page.wait_for_function(AT_REST)
        painted.scroll_into_view_if_needed()
        if not _cell(painted, n, 0).count():
            painted.click(position=_place(n))
            editor.wait_for()  # a new row opens its first cell by itself, a moment after the click
            page.keyboard.press("Escape")
            editor.wait_for(state="detached")
        for column, text in enumerate(row):
            if text:
                until(f"{text} is in the table", partial(_written, painted, n, column, text))


def _written(painted: Locator, row: int, column: int, text: str) -> bool:
    """Try to write a cell: a table that is drawn anew meanwhile forgets what is being written."""
    page = painted.page
    editor = page.locator(".gdg-input")
    page.wait_for_function(AT_REST)
    try:
        painted.click(position=_place(row))
        _selected(painted, row, 0).wait_for(state="attached", timeout=SHORT_MS)
        if editor.count():  # a second click on a cell opens it
            page.keyboard.press("Escape")
            editor.wait_for(state="detached", timeout=SHORT_MS)
        for passed in range(column):
            page.keyboard.press("ArrowRight")
            _selected(painted, row, passed + 1).wait_for(state="attached", timeout=SHORT_MS)
        page.keyboard.press("Enter")
        editor.fill(text, timeout=SHORT_MS)
        page.keyboard.press("Tab")
        _cell(painted, row, column).filter(has_text=text).wait_for(state="attached", timeout=SHORT_MS)
    except Error:
        return False
    return True


def _cell(painted: Locator, row: int, column: int) -> Locator:
    """A cell as it stands for screen readers."""
    return painted.get_by_test_id(f"glide-cell-{column + 1}-{row}")


def _selected(painted: Locator, row: int, column: int) -> Locator:
    return _cell(painted, row, column).and_(painted.page.locator("[aria-selected=true]"))


def _place(row: int) -> Position:
    """Where the first cell of a row is painted."""
    return {"x": MARKERS + 20, "y": ROW * (row + 1.5)}


SHORT_MS = 3000.0
"""After which something that may have been lost is tried again."""

MARKERS, ROW = 36, 35
"""Of a painted table: width of what stands before its first column, and height of a row, in pixels."""
