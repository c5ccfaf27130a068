"""What went wrong and what was done about it, and who did what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.showing import choose_campaign, download_table, duration, said, table

__all__ = ["page"]

Json = Mapping[str, Any]

_KINDS = ("fault", "hold", "stop", "resolve", "redo", "pause", "continue")


_MOST = 100
"""Rows of a table that is not scrolled."""


def page(lab: Client) -> None:
    """Show it."""
    st.title("Faults and audit")
    faults, audit = st.tabs(["Faults", "Who did what"])
    with faults:
        _faults(lab)
    with audit:
        _audit(lab)


def _faults(lab: Client) -> None:
    chosen = choose_campaign(lab, key="faults_campaign")
    if chosen is None:
        return
    found = said(lambda: (lab.get(f"/campaigns/{chosen}/events"), lab.get(f"/campaigns/{chosen}/runs")))
    if found is None:
        return
    events, runs = found
    failed = []
    for run in runs:
        path = f"/runs/{run['id']}/steps"
        for step in _steps(lab, path):
            if step["fault"] or step["status"] in ("failed", "unknown"):
                failed.append(_step(step, run["batch"]))
    if failed:
        st.subheader("Steps that did not go as they were told to")
        table(failed[:_MOST])
        download_table(failed, "faults")
    else:
        st.success("Every step of this campaign went as it was told to.")
    rows = [
        {
            "lab time": duration(one["lab_time_s"]),
            "UTC": one["utc"][:19].replace("T", " "),
            "what": one["kind"],
            "sentence": one["sentence"],
        }
        for one in reversed(events)
        if one["kind"] in _KINDS
    ]
    if rows:
        st.subheader("What was done about it")
        table(rows[:_MOST])
        if len(rows) > _MOST:
            st.caption(f"The newest {_MOST} of {len(rows)}.")


def _steps(lab: Client, path: str) -> list[Json]:
    return said(lambda: lab.get(path)) or []


def _step(step: Json, batch: int) -> Json:
    return {
        "batch": batch,
        "instrument": step["device"],
        "action": step["action"].replace("_", " "),
        "try": step["attempt_number"],
        "came out": step["status"],
        "fault": step["fault"].replace("_", " "),
        "what was done": step["recovery"].replace("_", " "),
        "sentence": step["error"],
        "lab time": duration(step["begun_lab_s"]),
    }


def _audit(lab: Client) -> None:
    left, middle, right = st.columns(3)
    who = left.text_input("Who", key="audit_who")
    action = middle.text_input("Action has in it", key="audit_action")
    subject = right.text_input("About", key="audit_subject")
    found = said(lambda: lab.get("/audit", limit=200, who=who, action=action, subject=subject))
    if found is None:
        return
    if not found:
        st.caption("Nothing of that was done.")
        return
    st.dataframe([_told(one) for one in found], hide_index=True, width="stretch")
    download_table([{name: _cell(value) for name, value in one.items()} for one in found], "audit")


def _told(one: Json) -> Json:
    return {
        "UTC": one["begun_utc"][:19].replace("T", " "),
        "who": one["who"],
        "did": one["action"],
        "about": one["subject"],
        "outcome": one["outcome"],
        "from": one["source"],
        "details": "; ".join(
            f"{name}: {_listed(value)}"
            for name, value in (one["details"] or {}).items()
            if not isinstance(value, Mapping)
        ),
    }


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
