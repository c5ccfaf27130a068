"""A dry run as a person reads it: how long, what it takes, and what each instrument does when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui.parts import charts
from ui.parts.showing import chart, duration, spoken

__all__ = ["rehearsal"]

Json = Mapping[str, Any]

_MOST = 12
"""Values of a step's arguments that its line shows."""


def rehearsal(told: Json | None, key: str) -> None:
    """Show it.

    Args:
        told: what the service says of a dry run, of a whole campaign's first batch or of one batch; None for none.
        key: unlike that of any other on the page.
    """
    if not told:
        st.caption("It was not tried out dry yet, as its material is not there.")
        return
    first = told.get("first_batch") or told
    for problem in [*told.get("problems", ()), *(first.get("problems", ()) if first is not told else ())]:
        st.error(spoken(problem))
    _numbers(told, first)
    steps = first.get("steps")
    if isinstance(steps, list) and steps:
        st.markdown("**When each instrument is busy**")
        chart(charts.gantt([_timed(step) for step in steps]), f"steps_{key}", [_step(step) for step in steps])
    drawn = [_volume(one) for one in first.get("volumes") or ()] or [
        {"holds": name, "draws (µl)": volume} for name, volume in (first.get("drawn_ul") or {}).items()
    ]
    if drawn:
        st.markdown("**What it draws**")
        st.dataframe(drawn, hide_index=True, width="stretch", height=min(240, 40 + 36 * len(drawn)))
    if isinstance(steps, list) and steps:
        st.markdown("**Steps**")
        st.dataframe([_step(step) for step in steps], hide_index=True, width="stretch", height=300)


def _numbers(told: Json, first: Json) -> None:
    seconds = first.get("duration_s", 3600.0 * first["hours"] if "hours" in first else None)
    candidates = first.get("candidates", first.get("experiments"))
    tips = first.get("tips") or []
    told_of = (
        ("Lab time", duration(seconds)),
        ("Candidates", _count(candidates)),
        ("Steps", _count(first.get("steps"))),
        ("Plates", _count(first.get("plates"))),
        ("Tips", sum(one["used"] for one in tips)),
    )
    for column, (name, value) in zip(st.columns(5), told_of, strict=True):
        column.metric(name, value)
    words = [f"First of {told['batches']} batches."] if told.get("batches") else []
    words += [f"{one['left']} tips of {one['tip_volume_ul']:g} µl are left after it." for one in tips]
    if words:
        st.caption(" ".join(words))


def _count(several: Any) -> Any:
    if several is None:
        return "–"
    return len(several) if isinstance(several, list) else several


def _timed(step: Json) -> Json:
    begun = step["begin_s"]
    return {
        "device": step["device"],
        "action": step["action"],
        "batch": 1,
        "begun_s": begun,
        "ended_s": begun + step["duration_s"],
        "failed": False,
    }


def _step(step: Json) -> Json:
    return {
        "step": step["ordinal"],
        "after": duration(step["begin_s"]),
        "takes": duration(step["duration_s"]),
        "instrument": step["device"],
        "does": step["action"].replace("_", " "),
        "with": _short(step.get("arguments") or {}),
    }


def _short(arguments: Json) -> str:
    words = []
    for name, value in list(arguments.items())[:_MOST]:
        many = isinstance(value, (list, dict)) and len(value) > 3
        words.append(f"{name.replace('_', ' ')}: {f'{len(value)} of them' if many else value}")
    return "; ".join(words)


def _volume(one: Json) -> Json:
    return {
        "from": f"{one['labware']} {one['well']}",
        "holds": one["content"],
        "draws (µl)": one["drawn_ul"],
        "leaves (µl)": one["left_ul"],
    }
