"""Pieces that several pages show: figures with their data, tables, refusals, durations and choosing a campaign."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from lab.client import Client, Refused, Unreachable

__all__ = [
    "PICTURES",
    "PICTURE_KEY",
    "again",
    "chart",
    "choose_campaign",
    "download_table",
    "duration",
    "literal",
    "number",
    "refusal",
    "said",
    "spoken",
    "table",
    "table_csv",
    "told",
    "unit_of",
    "unit_word",
]

Json = Mapping[str, Any]

PICTURES = ("SVG", "PNG")
"""What figures can be kept as, by the camera in their corner."""

PICTURE_KEY = "figures_kept_as"
"""Of the choice among them, in the session."""

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_CODE = re.compile(r"(`[^`]+`)")


def literal(text: object) -> str:
    """What somebody wrote, as it is: no Markdown, icon, formula, link or picture comes of it."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(str(text).split()))


def spoken(text: object) -> str:
    """What the service says, which may quote what somebody wrote; what stands in `backticks` is shown as code."""
    words = " ".join(str(text).split())
    if "``" in words:
        return literal(words)
    return "".join(
        piece if n % 2 else _PUNCTUATION.sub(r"\\\1", piece) for n, piece in enumerate(_CODE.split(words))
    )


def chart(figure: Any, name: str, rows: Sequence[Json]) -> None:
    """A figure that can be kept as a picture (the camera in its corner), and its data as CSV below it."""
    st.plotly_chart(
        figure,
        key=f"chart_{name}",
        width="stretch",
        config={
            "displaylogo": False,
            "toImageButtonOptions": {
                "format": str(st.session_state.get(PICTURE_KEY, PICTURES[0])).lower(),
                "filename": name,
                "scale": 2,
            },
            "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
        },
    )
    download_table(rows, name)


def table(rows: Sequence[Json], *, markdown: Iterable[str] = ()) -> None:
    """Rows with whole sentences in them, which are wrapped; columns of which nothing is known are left out.

    Args:
        markdown: columns that are drawn as Markdown. All others are shown as they are written.
    """
    drawn = set(markdown)
    columns = dict.fromkeys(name for row in rows for name in row)
    kept = [name for name in columns if any(row.get(name) not in (None, "") for row in rows)]
    st.table(
        [
            {name: row.get(name, "") if name in drawn else literal(_blank(row.get(name))) for name in kept}
            for row in rows
        ],
        border="horizontal",
        hide_index=True,
    )


def _blank(value: Any) -> Any:
    return "" if value is None else value


def download_table(rows: Sequence[Json], name: str, label: str = "Data (CSV)") -> None:
    """A button that gives a table as CSV."""
    if rows:
        st.download_button(
            label,
            table_csv(rows),
            f"{name}.csv",
            "text/csv",
            key=f"csv_{name}",
            type="tertiary",
            on_click="ignore",
        )


def table_csv(rows: Sequence[Json]) -> str:
    """Rows as CSV. What a spreadsheet would take for a formula is written as text."""
    written = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(written, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return written.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def number(value: float | None, error: float | None = None) -> str:
    """A value to the digits that its error leaves it."""
    if value is None:
        return "–"
    if error is None or error <= 0:
        return f"{value:.3g}"
    digits = max(0, min(6, 2 - int(f"{error:e}".split("e")[1]) - 1))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def duration(seconds: float | None) -> str:
    """Time in words: ``2 h 05 min``."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def refusal(refused: Refused | Unreachable) -> None:
    """Why something was not done, and the way out."""
    if isinstance(refused, Unreachable):
        st.error("The lab service does not answer. What it was doing goes on without this page.")
        return
    st.error(spoken(f"{refused.sentence} {refused.way_out}"))
    for one in refused.others:
        st.error(
            spoken(f"{one.get('field', '')}: {one.get('sentence', '')} {one.get('way_out', '')}".strip(": "))
        )


def said(do: Callable[[], Any]) -> Any:
    """Have something done; where it is refused, say so and give back None."""
    try:
        return do()
    except (Refused, Unreachable) as error:
        refusal(error)
        return None


def told(do: Callable[[], Any]) -> None:
    """Have something done that answers with a sentence, and show it."""
    answer = said(do)
    if answer is not None:
        st.toast(spoken(answer.get("sentence", "Done.")) if isinstance(answer, dict) else "Done.")


def again() -> None:
    """Draw anew: the fragment that is being drawn, or all of the page where all of it is."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()


def choose_campaign(lab: Client, *, key: str, statuses: Iterable[str] = ()) -> str | None:
    """A campaign that a person chooses, by its identifier; the one of the address bar at first.

    Returns:
        None where there is none to choose, or the service does not say.
    """
    wanted = set(statuses)
    every = said(lab.campaigns)
    if every is None:
        return None
    found = [one for one in every if not wanted or one["status"] in wanted]
    if not found:
        st.info("There is no campaign yet. Make one on the page *New campaign*.")
        return None
    names = {
        one["id"]: f"{one['name']} ({one['status']}, {'twin' if one['twin'] else 'REAL'})" for one in found
    }
    asked = st.query_params.get("campaign")
    ids = list(names)
    index = ids.index(asked) if asked in ids else 0
    chosen = st.selectbox("Campaign", ids, index=index, format_func=names.__getitem__, key=key)
    if chosen is not None and st.query_params.get("campaign") != chosen:
        st.query_params["campaign"] = chosen
    return chosen


def unit_of(results: Json) -> str:
    """Unit of a campaign's first target."""
    return unit_word(results["targets"][0]["unit"]) if results["targets"] else ""


def unit_word(unit: str) -> str:
    """A unit as it is written behind a value; nothing for a plain number."""
    return "" if unit == "1" else unit
