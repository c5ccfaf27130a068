"""A campaign as it runs: where it is, what stands on the deck, what its instruments do, and steering it."""

from __future__ import annotations

import streamlit as st

from lab.client import Client
from ui.parts.components import deck, devices, follow_log, state
from ui.parts.showing import choose_campaign, duration, said

__all__ = ["page"]


def page(lab: Client) -> None:
    """Show it. What moves, and the buttons that steer, are components: no click here waits for the page to be drawn."""
    st.title("Live run")
    chosen = choose_campaign(lab, key="live_campaign")
    if chosen is None:
        return
    campaign = said(lambda: lab.campaign(chosen))
    if campaign is None:
        return
    state(campaign, may_steer="operate" in lab.me()["somewhere"])
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Deck")
        deck(campaign["bench_id"])
        st.caption(
            "As believed: blue is liquid, green clean tips, a dashed edge an amount that nobody is sure of, a red square "
            "what must not be used. Point at a well to read what is in it."
        )
    with right:
        st.subheader("Log")
        follow_log(chosen)
        _happened(lab, chosen)
    st.subheader("Instruments")
    devices(campaign["bench_id"])


@st.fragment
def _happened(lab: Client, chosen: str) -> None:
    """All that happened, asked for while somebody looks at it."""
    box = st.expander("Since the beginning", key="since_the_beginning", on_change="rerun")
    if box.open:
        with box:
            _events(lab, chosen)


@st.fragment(run_every=5)
def _events(lab: Client, chosen: str) -> None:
    found = said(lambda: lab.get(f"/campaigns/{chosen}/events"))
    if not found:
        return
    st.dataframe(
        [
            {
                "lab time": duration(one["lab_time_s"]),
                "what": one["kind"],
                "sentence": one["sentence"],
                "UTC": one["utc"][:19].replace("T", " "),
            }
            for one in reversed(found[-300:])
        ],
        hide_index=True,
        width="stretch",
    )
