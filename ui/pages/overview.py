"""How the lab stands: what runs, what waits for a person, what went wrong, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from lab.client import Client, Refused
from ui.parts.showing import duration, literal, number, said, spoken, table, unit_word

__all__ = ["page"]

Json = Mapping[str, Any]

_STATES = {"stopped": "stopped", "finished": "finished", "aborted": "given up"}


def page(lab: Client) -> None:
    """Show it, and again every three seconds."""
    st.title("Overview")
    _now(lab)


@st.fragment(run_every=3)
def _now(lab: Client) -> None:
    found = said(lambda: (lab.campaigns(newest=30), lab.submissions(waiting=True), lab.get("/steps/waiting")))
    if found is None:
        return
    campaigns, waiting, steps = found
    approvals = _optional(lab, "/approvals", status="waiting")
    _waiting_for_you(campaigns, steps, approvals)
    running = [one for one in campaigns if one["status"] == "running"]
    others = [one for one in campaigns if one["status"] not in ("running", "held")]
    st.subheader("Under way")
    if not running:
        st.caption("No campaign runs.")
    for one in running:
        _running(one)
    asked = {one["name"] for one in approvals}
    _next(lab, [one for one in waiting if one["name"] not in asked])
    if others:
        st.subheader("Before")
        table([_row(one) for one in others], markdown=["campaign", "best so far"])


def _optional(lab: Client, path: str, **query: Any) -> list[Json]:
    """What may not be for this person to see."""
    try:
        found: list[Json] = lab.get(path, **query)
    except Refused:
        return []
    return found


def _waiting_for_you(campaigns: list[Json], steps: list[Json], approvals: list[Json]) -> None:
    held = [one for one in campaigns if one["status"] == "held"]
    if not held and not steps and not approvals:
        return
    st.subheader("Waits for you")
    for one in approvals:
        st.warning(f"**{one['name']}** waits for approval. [Look at it](approve?approval={one['id']})")
    for one in steps:
        action = one["action"].replace("_", " ")
        st.error(
            f"**{one['campaign']}**: nobody knows what came of *{action}* on {one['device']}. [Settle it](devices)"
        )
    asked = {one["name"] for one in approvals} | {one["campaign"] for one in steps}
    for one in held:
        if one["name"] not in asked:
            st.error(
                f"**{one['name']}** is held. {spoken(one['sentence'])} [Look at it](live_run?campaign={one['id']})"
            )


def _running(one: Json) -> None:
    with st.container(border=True):
        left, middle, right = st.columns([3, 2, 2])
        kind = "TWIN" if one["twin"] else "REAL INSTRUMENTS"
        left.markdown(
            f"**[{one['name']}](live_run?campaign={one['id']})** :{'blue' if one['twin'] else 'red'}-badge[{kind}]"
        )
        live = one["live"]
        words = [literal(one["workcell"])]
        if live:
            words.append(f"batch {live['batch']}" if live["batch"] else "choosing")
            if live["steps"]:
                words.append(f"step {live['step']} of {live['steps']}")
            if live["left_s"] is not None:
                words.append(f"{duration(live['left_s'])} of lab time left in this run")
            if live["paused"]:
                words.append("**paused**")
        left.caption(", ".join(words))
        middle.caption("Experiments")
        middle.progress(min(1.0, one["spent"] / one["budget"]), f"{one['spent']} of {one['budget']}")
        right.caption("Best so far")
        right.markdown(_best(one["best"]) or "–")


def _best(best: Json | None) -> str:
    if best is None:
        return ""
    value = number(best["value"], best["standard_error"]).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{literal(best['candidate_id'])}: {value} {unit_word(best['unit'])}".rstrip()


def _next(lab: Client, waiting: list[Json]) -> None:
    schedules = [one for one in _optional(lab, "/schedules") if one["next"]]
    if not waiting and not schedules:
        return
    st.subheader("Next")
    for one in waiting:
        why = spoken(one["sentence"]) or ("held" if one["held"] else "waits for its turn")
        st.markdown(f"**{one['name']}**, handed in by {one['who']}: {why} ([queue](queue))")
    for one in schedules:
        moment = one["next"][0]["utc"][:16].replace("T", " ")
        st.markdown(f"**{literal(one['name'])}** begins at {moment} UTC ([schedule](schedule))")


def _row(one: Json) -> Json:
    return {
        "campaign": f"[{literal(one['name'])}](results?campaign={one['id']})",
        "state": _STATES.get(one["status"], one["status"]),
        "on": "twin" if one["twin"] else "real instruments",
        "experiments": f"{one['spent']} of {one['budget']}",
        "best so far": _best(one["best"]),
        "why": one["sentence"],
    }
