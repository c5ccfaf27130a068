"""The queue: campaigns that were handed in and wait, and what became of the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.showing import duration, said, spoken

__all__ = ["page"]

Json = Mapping[str, Any]

_WORDS = {
    "waiting": "waits for approval",
    "queued": "waits for its turn",
    "started": "started",
    "rejected": "rejected",
    "withdrawn": "taken back",
    "failed": "could not start",
}


def page(lab: Client) -> None:
    """Show it."""
    st.title("Queue")
    found = said(lab.submissions)
    if found is None:
        return
    waiting = [one for one in found if one["status"] in ("waiting", "queued")]
    if not waiting:
        st.info("Nothing waits to be started.")
    for one in waiting:
        _waiting(lab, one)
    over = sorted((one for one in found if one not in waiting), key=lambda one: -int(one["number"]))
    if over:
        st.subheader("Before")
        st.dataframe(
            [
                {
                    "campaign": one["name"],
                    "what became of it": _WORDS[one["status"]],
                    "why": one["sentence"],
                    "by": one["who"],
                    "handed in (UTC)": one["created_utc"][:16].replace("T", " "),
                }
                for one in over[:100]
            ],
            hide_index=True,
            width="stretch",
        )


def _waiting(lab: Client, one: Json) -> None:
    with st.container(border=True):
        left, right = st.columns([3, 2])
        state = "held" if one["held"] else _WORDS[one["status"]]
        left.markdown(f"**{one['name']}**: {state}")
        batch = one["rehearsal"].get("first_batch", {})
        words = [f"by {one['who']}", f"priority {one['priority']}"]
        if batch:
            words.append(f"first batch {duration(batch['duration_s'])}")
        if one["not_before_utc"]:
            words.append(f"not before {one['not_before_utc'][:16].replace('T', ' ')} UTC")
        left.caption(", ".join(words))
        if one["sentence"]:
            left.caption(spoken(one["sentence"]))
        _changes(lab, one, right)


def _changes(lab: Client, one: Json, where: Any) -> None:
    path, expected = f"/submissions/{one['id']}", one["version"]

    def change(**changes: Any) -> None:
        said(lambda: lab.post(f"{path}/change", {"expected": expected, **changes}))

    buttons = where.container(horizontal=True)
    buttons.button(
        "Sooner", key=f"up_{one['id']}", on_click=change, kwargs={"priority": min(9, one["priority"] + 1)}
    )
    buttons.button(
        "Later", key=f"down_{one['id']}", on_click=change, kwargs={"priority": max(-9, one["priority"] - 1)}
    )
    word = "Release" if one["held"] else "Hold"
    buttons.button(word, key=f"hold_{one['id']}", on_click=change, kwargs={"held": not one["held"]})
    buttons.button(
        "Take back",
        key=f"back_{one['id']}",
        on_click=lambda: said(lambda: lab.post(f"{path}/withdraw", expected=expected)),
    )
    with where.expander("Start at"):
        day = st.date_input("Day (UTC)", key=f"day_{one['id']}")
        hour = st.time_input("Time (UTC)", time(6, 0), key=f"time_{one['id']}")
        if st.button("Not before this", key=f"at_{one['id']}"):
            moment = datetime.combine(day, hour, UTC)
            change(not_before_utc=moment.isoformat())
            st.rerun()
        if one["not_before_utc"] and st.button("As soon as possible", key=f"now_{one['id']}"):
            change(at_once=True)
            st.rerun()
