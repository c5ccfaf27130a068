"""What waits for a person's word: why it is asked, what would be done and what it costs, and saying yes or no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts import charts
from ui.parts.beliefs import posterior_slice
from ui.parts.rehearsals import rehearsal
from ui.parts.showing import chart, literal, number, said, spoken, table

__all__ = ["page"]

Json = Mapping[str, Any]

_UNSCROLLED = 30
"""Candidates that are shown without scrolling in their table."""

_LINE = 60
"""Letters that fit into a line of a table that scrolls."""

_KINDS = {"start": "The campaign is to begin", "batch": "Batch"}


def page(lab: Client) -> None:
    """Show it."""
    st.title("Approve")
    if sentence := st.session_state.pop("approve_said", ""):
        st.success(spoken(sentence))
    found = said(lambda: (lab.approvals("waiting"), lab.me()))
    if found is None:
        return
    waiting, me = found
    if waiting:
        _request(lab, _chosen(waiting), me)
    else:
        st.info("Nothing waits for a person's word.")
        _look_again(lab)
    _before(lab)


@st.fragment(run_every=3)
def _look_again(lab: Client) -> None:
    """Show what comes to wait, where nothing did. Beside something that waits, nothing is put under the reader's hand."""
    if said(lambda: lab.approvals("waiting")):
        st.rerun()


def _chosen(waiting: Sequence[Json]) -> Json:
    by_id = {one["id"]: one for one in waiting}
    if len(by_id) == 1:
        return waiting[0]
    ids = list(by_id)
    asked = st.query_params.get("approval")
    chosen = st.selectbox(
        f"{len(ids)} requests wait",
        ids,
        index=ids.index(asked) if asked in by_id else 0,
        format_func=lambda one: f"{by_id[one]['name']}: {_what(by_id[one])}",
        key="approve_which",
    )
    return by_id[chosen or ids[0]]


def _what(one: Json) -> str:
    word = _KINDS.get(one["kind"], str(one["kind"]))
    return word if one["batch"] is None else f"{word} {one['batch']}"


def _request(lab: Client, one: Json, me: Json) -> None:
    st.subheader(f"{one['name']}: {_what(one)}")
    for reason in one["reasons"]:
        st.warning(spoken(reason["sentence"]))
    st.caption(f"Asked by {one['asked_by']} at {one['asked_utc'][:16].replace('T', ' ')} UTC.")
    if one["cost"] is not None:
        limit = "" if one["amount"] is None else f"; asked for above {one['amount']:g}"
        st.markdown(f"**It costs {one['cost']:,.2f} {one['currency'] or ''}**{limit}.")
    left_out: list[str] = []
    if one["experiments"]:
        left_out = _experiments(lab, one)
    with st.expander("What would be done", expanded=not one["experiments"]):
        rehearsal(one["dry_run"], f"approve_{one['id']}")
    _decide(lab, one, me, left_out)


def _experiments(lab: Client, one: Json) -> list[str]:
    """Show the candidates; gives back those that the yes is not to hold for."""
    standing = [each for each in one["experiments"] if not each["taken_back"]]
    figure = charts.candidates(standing, "")
    if figure is not None:
        chart(figure, f"candidates_{one['id']}", [_row(each) for each in standing])
    else:
        st.caption("The planner predicted nothing of these; why it chose them is told below.")
    _beliefs(lab, one, standing)
    names = {each["id"]: each["candidate_id"] for each in standing}
    left_out = st.multiselect(
        "Leave out", list(names), format_func=names.__getitem__, key=f"left_out_{one['id']}_{one['version']}"
    )
    rows = _told([_row(each) for each in standing])
    whys = {row.get("why", "") for row in rows}
    if len(rows) > 1 and len(whys) == 1:
        st.caption(f"Of each of them: {spoken(whys.pop())}")
        rows = [{name: value for name, value in row.items() if name != "why"} for row in rows]
    _table(rows)
    for edit in one["edits"]:
        st.caption(_edited(edit))
    return left_out


def _table(rows: list[Json]) -> None:
    """All of a batch; where reasons are long, so that each can be read in full."""
    if len(rows) <= _UNSCROLLED and any(len(row.get("why", "")) > _LINE for row in rows):
        table([{name: _cell(value) for name, value in row.items()} for row in rows])
        return
    st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        height="content" if len(rows) <= _UNSCROLLED else "auto",
        column_config={"why": st.column_config.TextColumn(width="large")},
    )


def _cell(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value


def _told(rows: list[Json]) -> list[Json]:
    """Rows without columns of which nothing is known."""
    empty = {name for name in rows[0] if all(row[name] in (None, "") for row in rows)} if rows else set()
    return [{name: value for name, value in row.items() if name not in empty} for row in rows]


def _edited(edit: Json) -> str:
    who, why = literal(edit.get("who", "Somebody")), literal(edit.get("why", ""))
    return f"{who} changed this batch: {why}"


def _row(each: Json) -> Json:
    near = each["nearest"]
    low, high = each["interval"] or (None, None)
    return {
        "candidate": each["candidate_id"],
        "predicted": each["predicted_mean"],
        "from": low,
        "to": high,
        "nearest tested": "" if near is None else near["candidate_id"],
        "differs by": "" if near is None else _far(near),
        "its result": "" if near is None else number(near["value"], near["standard_error"]),
        "chosen by": each["planner"],
        "why": each["why"],
        **{name.replace("_", " "): value for name, value in each["values"].items()},
    }


def _far(near: Json) -> str:
    words = []
    if near["letters"]:
        words.append(f"{near['letters']} letter{'s' if near['letters'] > 1 else ''}")
    if near["fraction"]:
        words.append(f"{near['fraction']:.0%} of a range")
    return ", ".join(words) or "nothing"


def _beliefs(lab: Client, one: Json, standing: Sequence[Json]) -> None:
    """What the planner expects around a candidate."""
    if all(each["predicted_mean"] is None for each in standing):
        return
    with st.expander("What the planner expects around a candidate", expanded=True):
        posterior_slice(
            lab,
            one["campaign_id"],
            key=f"slice_{one['id']}",
            through={each["id"]: each["candidate_id"] for each in standing},
        )


def _decide(lab: Client, one: Json, me: Json, left_out: list[str]) -> None:
    if "approve" not in me["somewhere"]:
        st.info("You may look at this. An approver decides.")
        return
    own = one["asked_by"] == me["person"]["name"]
    if own:
        st.info("You asked for this yourself, so somebody else approves it. You may take it back.")
    why = st.text_input(
        "Why",
        key=f"why_{one['id']}_{one['version']}",
        placeholder="Kept with the decision. A no needs a reason.",
    )
    yes, no = st.columns(2)
    kept = sum(not each["taken_back"] for each in one["experiments"]) - len(left_out)
    label = "Approve" if not left_out else f"Approve {kept}, leave out {len(left_out)}"
    yes.button(
        label,
        type="primary",
        disabled=own or (bool(left_out) and kept == 0),
        width="stretch",
        on_click=_said,
        args=(lambda: lab.approve(one["id"], one["version"], why=why, left_out=left_out),),
    )
    no.button(
        "Take back" if own else "Reject",
        disabled=not why.strip(),
        width="stretch",
        on_click=_said,
        args=(lambda: lab.reject(one["id"], one["version"], why=why),),
    )
    if one["experiments"] and not own:
        with st.expander("Put a candidate of your own in the place of one"):
            _edit(lab, one)


def _said(do: Any) -> None:
    answer = said(do)
    if answer is not None:
        st.session_state.approve_said = answer.get("sentence", "Done.")


def _edit(lab: Client, one: Json) -> None:
    standing = {each["id"]: each for each in one["experiments"] if not each["taken_back"]}
    chosen = st.selectbox(
        "In the place of",
        list(standing),
        format_func=lambda each: standing[each]["candidate_id"],
        key=f"edit_{one['id']}_{one['version']}",
    )
    if chosen is None:
        return
    old = standing[chosen]
    with st.form(f"edit_form_{chosen}", border=False):
        changed = _changed(old)
        candidate = st.text_input(
            "Candidate", help="Of the pool by its name; in a space a name for it, or nothing."
        )
        sequence = ""
        if old["values"] and old["sequence"]:
            sequence = st.text_input("Sequence", old["sequence"])
        reason = st.text_input("Why this one")
        sent = st.form_submit_button("Put it in", type="primary")
    if not sent:
        return
    answer = said(
        lambda: lab.edit_batch(
            one["id"],
            one["version"],
            chosen,
            why=reason,
            candidate=candidate.strip(),
            values=changed or None,
            sequence="" if sequence == old["sequence"] else sequence,
        )
    )
    if answer is not None:
        st.session_state.approve_said = "It is in the batch, which goes on waiting for a yes."
        st.rerun()


def _changed(old: Json) -> dict[str, Any]:
    """Values of a candidate in a space, as a person sets them; only those that differ."""
    changed: dict[str, Any] = {}
    for name, value in old["values"].items():
        label = name.replace("_", " ")
        if isinstance(value, (int, float)):
            new: Any = st.number_input(
                label, value=float(value), format="%g", key=f"value_{old['id']}_{name}"
            )
        else:
            new = st.text_input(label, str(value), key=f"value_{old['id']}_{name}")
        if new != value:
            changed[name] = new
    return changed


def _before(lab: Client) -> None:
    decided = [one for one in said(lab.approvals) or [] if one["status"] != "waiting"]
    if not decided:
        return
    st.subheader("Decided")
    st.dataframe(
        [
            {
                "campaign": one["name"],
                "what": _what(one),
                "decision": one["status"],
                "by": one["decided_by"],
                "why": one["why"],
                "decided (UTC)": (one["decided_utc"] or "")[:16].replace("T", " "),
            }
            for one in decided
        ],
        hide_index=True,
        width="stretch",
    )
