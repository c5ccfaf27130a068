"""A new campaign: filled in without a file, or from a file; tried out dry, and handed in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

import streamlit as st

from lab.client import Client, Refused, Unreachable
from ui.parts.campaign_form import campaign_form
from ui.parts.campaign_text import campaign_text
from ui.parts.rehearsals import rehearsal
from ui.parts.showing import refusal, said, spoken
from ui.parts.wrong import Wrong

__all__ = ["page"]

Json = Mapping[str, Any]


def page(lab: Client) -> None:
    """Show it."""
    st.title("New campaign")
    how = st.segmented_control(
        "How", ["Fill in", "From a file"], default="Fill in", key="new_how", label_visibility="collapsed"
    )
    found = st.session_state.get("new_checked", ("", "", None))[2]
    wrong = Wrong(found if isinstance(found, Refused) else None)
    written = _from_file() if how == "From a file" else _filled_in(lab, wrong)
    if written is not None:
        _check(lab, *written, wrong)


def _filled_in(lab: Client, wrong: Wrong) -> tuple[str, str] | None:
    document = campaign_form(lab, wrong)
    if document is None:
        return None
    text = campaign_text(document)
    with st.expander("The campaign file that this makes"):
        st.code(text, language="yaml")
        st.download_button(
            "Keep it", text, f"{document['name'] or 'campaign'}.yaml", on_click="ignore", type="tertiary"
        )
    return text, "form.yaml"


def _from_file() -> tuple[str, str] | None:
    given = st.file_uploader("Campaign file", ["yaml", "yml"], key="new_file")
    path = st.text_input(
        "Where it would stand",
        "campaigns/submitted.yaml",
        key="new_path",
        help="In the lab's folder. Files that it names are looked for from there.",
    )
    if given is None:
        st.caption("Files that it names must be in the lab's folder already.")
        return None
    try:
        text = given.getvalue().decode("utf-8")
    except UnicodeDecodeError:
        st.error("This is no text. Choose a YAML file.")
        return None
    text = st.text_area("Its text", text, height=300, key=f"new_text_{given.file_id}")
    return text, path.strip()


def _check(lab: Client, text: str, path: str, wrong: Wrong) -> None:
    """Trying out, and handing in what was tried out and nothing else."""
    if st.button("Try it out dry", type="primary", help="Nothing moves and nothing is kept."):
        with st.spinner("Reading it, and going through its first batch ..."):
            st.session_state.new_checked = (text, path, _tried(lab, text, path))
        st.rerun()  # what is wrong is said at its field, and the fields stand above
    checked_text, checked_path, found = st.session_state.get("new_checked", ("", "", None))
    if found is None:
        return
    if isinstance(found, Refused):
        wrong.say_rest()
    elif isinstance(found, Unreachable):
        refusal(found)
    if (checked_text, checked_path) != (text, path):
        st.info("It was changed since it was tried out. Try it out again.")
    elif not isinstance(found, (Refused, Unreachable)):
        _verdict(lab, text, path, found)


def _tried(lab: Client, text: str, path: str) -> Json | Refused | Unreachable:
    try:
        verdict: Json = lab.check(text, path)
    except (Refused, Unreachable) as error:
        return error
    return verdict


def _verdict(lab: Client, text: str, path: str, verdict: Json) -> None:
    """How it would go."""
    kind = "on a twin: nothing real moves" if verdict["twin"] else "on **REAL INSTRUMENTS**"
    if verdict["problems"]:
        for problem in verdict["problems"]:
            st.error(spoken(problem))
    else:
        st.success(f"{verdict['name']} can be carried out, {kind}.")
    st.caption(f"It uses {', '.join(verdict['devices'])}.")
    rehearsal({**verdict["rehearsal"], "problems": ()}, "new")
    if not verdict["problems"]:
        _hand_in(lab, text, path)


def _hand_in(lab: Client, text: str, path: str) -> None:
    if "plan" not in lab.me()["somewhere"]:
        st.info("You may try campaigns out. A scientist hands them in.")
        return
    st.subheader("Hand it in")
    columns = st.columns(3)
    priority = columns[0].number_input(
        "Priority", -9, 9, 0, help="More is sooner, among those that wait.", key="new_priority"
    )
    held = columns[1].toggle("Hold it for now", key="new_held")
    later = columns[2].toggle("Not before a moment", key="new_later")
    moment = None
    if later:
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        day = columns[2].date_input("Day (UTC)", tomorrow, key="new_day")
        hour = columns[2].time_input("Time (UTC)", time(6, 0), key="new_time")
        moment = datetime.combine(day, hour, UTC).isoformat()
    if not st.button("Hand it in", type="primary"):
        return
    answer = said(
        lambda: lab.submit(text, path, priority=int(priority), held=held or None, not_before_utc=moment)
    )
    if answer is None:
        return
    del st.session_state["new_checked"]
    where = "It waits for approval." if answer["status"] == "waiting" else "It waits for its turn."
    st.success(f"{answer['name']} is handed in. {where}")
    st.markdown("See it in the [queue](queue).")
