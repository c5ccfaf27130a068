"""What moves: components drawn in the browser from the console's live routes. Their texts are set as text, never as HTML.

Scripts and styles are the files under ``browser/``. They use no library, and ask nobody but the console's own server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["bar", "deck", "devices", "follow_log", "keep_login", "page_style", "state"]


def _read(*names: str) -> str:
    return "\n".join((Path(__file__).parent / "browser" / name).read_text(encoding="utf-8") for name in names)


_BAR_CSS = _read("bar.css")
_PAGE_CSS = _read("page.css")

_bar = st.components.v2.component("drywet_bar", js=_read("follow.js", "links.js", "bar.js"))
_deck = st.components.v2.component(
    "drywet_deck", html="<div class='deck'></div>", css=_read("deck.css"), js=_read("follow.js", "deck.js")
)
_devices = st.components.v2.component(
    "drywet_devices",
    html="<div class='devices'></div>",
    css=_read("devices.css"),
    js=_read("follow.js", "devices.js"),
)
_log = st.components.v2.component(
    "drywet_log",
    html="<div class='log' role='log'></div>",
    css=_read("log.css"),
    js=_read("follow.js", "log.js"),
)
_state = st.components.v2.component(
    "drywet_state",
    html="<div class='state'></div>",
    css=_read("state.css"),
    js=_read("follow.js", "state.js"),
)
_keep = st.components.v2.component("drywet_keep", js=_read("keep.js"))


def page_style() -> None:
    """How every page looks."""
    st.html(f"<style>{_PAGE_CSS}</style>")


def bar(*, logged_in: bool) -> None:
    """The band at the foot of every page: TWIN or REAL, what runs, how old that is, and stopping."""
    _bar(key="bar", data={"logged_in": logged_in, "css": _BAR_CSS})


def deck(bench_id: str) -> None:
    """The deck of a bench, as believed this moment."""
    _deck(key=f"deck_{bench_id}", data={"bench": bench_id})


def follow_log(campaign_id: str) -> None:
    """What happens to a campaign, the newest first."""
    _log(key=f"log_{campaign_id}", data={"campaign": campaign_id})


def devices(bench_id: str) -> None:
    """The instruments of a bench, and what they do this moment."""
    _devices(key=f"devices_{bench_id}", data={"bench": bench_id})


def state(record: Mapping[str, Any], *, may_steer: bool) -> None:
    """Where a campaign is, and steering it: pause, go on, resume and stop, without Streamlit in between.

    Args:
        record: of the campaign, as the service told it when the page was drawn. When its status is another, the page is
            drawn anew.
        may_steer: whether the person may pause it and let it go on. Stopping is offered to everybody.
    """
    shown = ("status", "sentence", "workcell", "twin", "spent", "budget", "best")
    data = {
        "campaign": record["id"],
        "may": may_steer,
        "record": {name: record[name] for name in shown},
    }
    _state(key=f"state_{record['id']}", data=data, on_changed_change=lambda: None)


def keep_login(word: str, *, out: bool = False) -> None:
    """Have the browser fetch its cookie for a fresh login, or give it up."""
    # The word itself may have two underscores in a row, which Streamlit allows no key.
    name = hashlib.sha256(word.encode()).hexdigest()[:12]
    _keep(key=f"keep_{name}_{out}", data={"word": word, "out": out})
