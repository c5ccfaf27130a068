"""Schedule: when each instrument was busy, what begins when, and campaigns that begin by the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts import charts
from ui.parts.showing import chart, literal, said

__all__ = ["page"]

Json = Mapping[str, Any]

_KINDS = {
    "fired": "was handed in",
    "missed": "was missed",
    "overlapped": "was left out: the one before was not over",
    "failed": "could not be handed in",
    "due": "begins",
    "waiting": "waits for this moment",
}
_MISSED = {"run_once": "is made up for, once for all of them", "skip": "is let go"}
_OVERLAP = {"skip": "is let go", "queue": "waits for the one before to end"}

_STEPS_S = 10.0
"""Wall time for which a look at a bench's journal is good."""


def page(lab: Client) -> None:
    """Show it."""
    st.title("Schedule")
    instruments, calendar, clock = st.tabs(["Instruments", "Calendar", "By the clock"])
    with instruments:
        _instruments(lab)
    with calendar:
        _calendar(lab)
    with clock:
        _schedules(lab)


def _instruments(lab: Client) -> None:
    benches = said(lambda: lab.get("/benches"))
    if benches is None:
        return
    used = {one["id"]: one for one in benches if one["campaigns"]}
    if not used:
        st.info("Nothing has run yet.")
        return
    bench = st.selectbox("Bench", list(used), format_func=lambda one: _bench(used[one]), key="schedule_bench")
    found = said(lambda: _steps(lab.url, str(bench), lab))
    if not found:
        st.info("No step was carried out on this bench yet.")
        return
    chart(charts.gantt(found), "instruments", found)
    st.caption(
        "Each bar is a step, from the journal of its runs, in hours of the bench's own lab time. Colours tell batches "
        "apart; dark red steps failed."
    )


def _bench(one: Json) -> str:
    kind = "twin" if one["twin"] else "REAL"
    return f"{one['workcell']} ({kind}): {', '.join(one['campaigns'])}"


@st.cache_data(ttl=_STEPS_S, show_spinner=False)
def _steps(url: str, bench: str, _lab: Client) -> list[dict[str, Any]]:
    """What the journals of a bench's runs tell, a row for each step that has ended. One look for all who look on."""
    return [
        {
            "campaign": campaign["name"],
            "batch": run["batch"],
            "device": step["device"],
            "action": step["action"],
            "begun_s": step["begun_lab_s"],
            "ended_s": step["ended_lab_s"],
            "failed": step["status"] not in ("done", "skipped"),
        }
        for campaign in _lab.campaigns(baselines=True)
        if campaign["bench_id"] == bench
        for run in _lab.get(f"/campaigns/{campaign['id']}/runs")
        for step in _lab.get(f"/runs/{run['id']}/steps")
        if step["begun_lab_s"] is not None and step["ended_lab_s"] is not None
    ]


def _calendar(lab: Client) -> None:
    today = datetime.now(UTC).date()
    asked = st.date_input(
        "From and to (UTC)", (today - timedelta(days=7), today + timedelta(days=30)), key="schedule_days"
    )
    if len(asked) != 2:
        st.caption("Choose the last day, too.")
        return
    first, last = (_midnight(day) for day in (asked[0], asked[1] + timedelta(days=1)))
    found = said(lambda: (lab.calendar(first, last), lab.campaigns(baselines=False)))
    if found is None:
        return
    entries = sorted([*found[0]["entries"], *_begun(found[1], first, last)], key=lambda one: one["utc"])
    if not entries:
        st.info("Nothing was begun, is due or waits between these days.")
        return
    if found[0]["more"]:
        st.caption("There is more than is shown. Choose fewer days.")
    st.dataframe(
        [
            {
                "day": one["utc"][:10],
                "time (UTC)": one["utc"][11:16],
                "campaign": one["campaign"],
                "what": _KINDS.get(one["kind"], one["kind"]),
                "schedule": one["name"] if one["schedule_id"] else "",
                "why": one["sentence"],
            }
            for one in entries
        ],
        hide_index=True,
        width="stretch",
    )
    calendar = said(lambda: lab.download("/schedules/calendar.ics", **{"from": first, "to": last}))
    if calendar is not None:
        st.download_button(
            "For other calendars (iCalendar)",
            calendar,
            "drywet.ics",
            "text/calendar",
            type="tertiary",
            on_click="ignore",
        )


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()


def _begun(campaigns: Sequence[Json], first: str, last: str) -> list[dict[str, Any]]:
    """Campaigns that began within some days, as lines of a calendar."""
    begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    return [
        {
            "utc": one["created_utc"],
            "kind": f"began; it is {one['status']}",
            "name": one["name"],
            "campaign": one["name"],
            "sentence": one["sentence"],
            "schedule_id": "",
        }
        for one in campaigns
        if begin <= datetime.fromisoformat(one["created_utc"]) < end
    ]


def _schedules(lab: Client) -> None:
    found = said(lambda: (lab.schedules(), lab.submissions(), lab.me()))
    if found is None:
        return
    schedules, submissions, me = found
    if not schedules:
        st.info("No campaign begins by the clock.")
    for one in schedules:
        _schedule(lab, one)
    if "plan" not in me["somewhere"]:
        return
    with st.expander("Have a campaign begin by the clock"):
        _new(lab, submissions)


def _schedule(lab: Client, one: Json) -> None:
    with st.container(border=True):
        left, right = st.columns([3, 2], vertical_alignment="center")
        state = "" if one["active"] else " (paused)"
        left.markdown(f"**{literal(one['name'])}**{state}: campaign {one['campaign']}")
        moment = f"next {one['next'][0]['local'][:16].replace('T', ' ')}" if one["next"] else "no next moment"
        left.caption(f"`{one['cron']}` in {one['timezone']}, {moment}. Made by {one['who']}.")
        commands = {"Pause" if one["active"] else "Go on": "pause" if one["active"] else "resume"}
        for column, (label, command) in zip(
            right.columns(2), (commands | {"Remove": "remove"}).items(), strict=True
        ):
            column.button(
                label,
                key=f"{command}_{one['id']}",
                width="stretch",
                on_click=_change,
                args=(lab, one, command),
            )


def _change(lab: Client, one: Json, command: str) -> None:
    said(lambda: lab.change_schedule(one["id"], command, one["version"]))


def _new(lab: Client, submissions: Sequence[Json]) -> None:
    newest = {one["name"]: one for one in submissions}
    if not newest:
        st.caption("Hand the campaign in once first; then it can begin by the clock as well.")
        return
    chosen = st.selectbox("Campaign, as it was handed in last", list(newest), key="clock_campaign")
    left, right = st.columns(2)
    cron = left.text_input(
        "When (cron)",
        "0 2 * * 1-5",
        key="clock_cron",
        help="Minute, hour, day of the month, month, day of the week: `0 2 * * 1-5` is at 2:00 from Monday to Friday.",
    )
    zone = right.text_input(
        "By the clock of", st.context.timezone or "UTC", key="clock_zone", help="As `Europe/Berlin`."
    )
    moments = said(lambda: lab.moments(cron, zone, 4))
    if moments is None:
        return
    st.caption("Begins " + ", ".join(one["local"][:16].replace("T", " ") for one in moments) + ", ...")
    missed = left.selectbox(
        "A moment that passed while the service was down",
        list(_MISSED),
        format_func=_MISSED.__getitem__,
        key="clock_missed",
    )
    overlap = right.selectbox(
        "A moment while the one before still runs",
        list(_OVERLAP),
        format_func=_OVERLAP.__getitem__,
        key="clock_overlap",
    )
    if not st.button("Have it begin so", type="primary"):
        return
    source = newest[str(chosen)]
    made = said(
        lambda: lab.add_schedule(
            source["text"],
            source["path"],
            cron=cron,
            timezone=zone,
            name=str(chosen),
            on_missed=missed,
            on_overlap=overlap,
        )
    )
    if made is not None:
        st.rerun()
