"""Instruments: what each is and does, what is kept from it, and steps of which nobody knows what came of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.forms import label_of
from ui.parts.showing import literal, said, spoken

__all__ = ["page"]

Json = Mapping[str, Any]

_FOLLOWS = {
    "done": (
        "All of it was done",
        "It is not sent again. What it moved or dispensed counts as moved and dispensed.",
    ),
    "not-done": (
        "Nothing of it was done",
        "It is sent again when its campaign goes on. If it was done after all, it is then done twice.",
    ),
    "discard": (
        "Something in between, or nobody can tell",
        "Its run is given up: all that it made is barred, and the batch is done again on fresh material.",
    ),
}
_READS = ("read", "measure", "weigh", "scan")


def page(lab: Client) -> None:
    """Show it."""
    st.title("Devices")
    _wizard(lab)
    benches = said(lambda: lab.get("/benches"))
    if benches is None:
        return
    at_work = [one for one in benches if one["at_work"]]
    if not at_work:
        st.info("Nothing is at work, so no instrument is connected.")
    for bench in at_work:
        _bench(lab, bench)
    used = [one for one in benches if one["campaigns"]]
    if used:
        _by_hand(lab, at_work or used[:1], used)


@st.fragment(run_every=3)
def _bench(lab: Client, bench: Json) -> None:
    kind = ":blue-badge[TWIN]" if bench["twin"] else ":red-badge[REAL INSTRUMENTS]"
    st.subheader(f"{literal(bench['workcell'])} {kind}")
    st.caption(f"Used by {', '.join(bench['campaigns'])}.")
    found = said(lambda: lab.get(f"/benches/{bench['id']}/devices"))
    if not found:
        st.caption("They do not show themselves this moment.")
        return
    st.dataframe([_row(one) for one in found], hide_index=True, width="stretch")
    rules = [(one["role"], rule) for one in found for rule in one["interlocks"]]
    if rules:
        st.markdown("**Interlocks**")
        st.dataframe([_rule(role, rule) for role, rule in rules], hide_index=True, width="stretch")


def _by_hand(lab: Client, likely: list[Json], benches: list[Json]) -> None:
    """One command to one instrument: journaled and leased like a step of a run, and held to limits and interlocks."""
    with st.expander("Send a command by hand"):
        names = {
            one[
                "id"
            ]: f"{one['workcell']} ({'twin' if one['twin'] else 'REAL'}): {', '.join(one['campaigns'])}"
            for one in [*likely, *benches]
        }
        bench = st.selectbox("Bench", list(names), format_func=names.__getitem__, key="hand_bench")
        verbs = said(lambda: lab.get(f"/benches/{bench}/verbs"))
        if not verbs:
            return
        devices = list(dict.fromkeys(one["device"] for one in verbs))
        left, right = st.columns(2)
        device = left.selectbox("Instrument", devices, key="hand_device")
        of_device = {one["verb"]: one for one in verbs if one["device"] == device}
        verb = right.selectbox(
            "Command", list(of_device), format_func=lambda one: one.replace("_", " "), key="hand_verb"
        )
        if verb not in of_device:
            return
        st.caption(of_device[verb]["summary"])
        with st.form("by_hand"):
            written = {part["name"]: _ask_for(part, f"{device}.{verb}") for part in of_device[verb]["parts"]}
            sent = st.form_submit_button("Send it", type="primary")
        if sent:
            _send(lab, str(bench), {"device": device, "verb": verb}, written)


def _ask_for(part: Json, of: str) -> str:
    default = "" if part["default"] is None else json.dumps(part["default"])
    label = part["name"].replace("_", " ") + (" (may be left out)" if part["optional"] else "")
    return st.text_input(label, default.strip('"'), help=part["type"], key=f"part_{of}.{part['name']}")


def _send(lab: Client, bench: str, command: dict[str, Any], written: Mapping[str, str]) -> None:
    arguments = {name: _value(text) for name, text in written.items() if text.strip()}
    answer = said(lambda: lab.post(f"/benches/{bench}/commands", {**command, "arguments": arguments}))
    if answer is not None:
        st.success(
            f"{spoken(answer['sentence'])} [What comes of it](live_run?campaign={answer['campaign_id']})"
        )


def _value(text: str) -> Any:
    """A number, list or truth value as JSON; everything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _row(one: Json) -> Json:
    identity = one["identity"] or {}
    return {
        "instrument": one["role"],
        "is": "twin" if one["twin"] else "REAL",
        "model": identity.get("model", ""),
        "serial number": identity.get("serial", ""),
        "connected": "yes" if one["connected"] else "no",
        "does now": one["doing"] or "nothing",
        "leased by": one["held_by"],
        "blocked": one["blocked"],
    }


def _rule(role: str, rule: Json) -> Json:
    if rule["unmet"] is None:
        state = "not asked while it is in use"
    else:
        state = f"BLOCKS: {rule['unmet']}" if rule["unmet"] else "met"
    verbs = ", ".join(pattern.partition(".")[2] for pattern in rule["verbs"])
    return {
        "instrument": role,
        "may": verbs.replace("*", "anything"),
        "only while": rule["need"],
        "now": state,
        "because": rule["because"],
    }


def _wizard(lab: Client) -> None:
    """A person looks at the bench and says what came of a step; nothing is guessed, and each answer says what follows."""
    waiting = said(lambda: lab.get("/steps/waiting"))
    if not waiting:
        return
    count = len(waiting)
    st.error(f"{count} step{'s wait' if count > 1 else ' waits'} for somebody to look at the bench.")
    for step in waiting:
        with st.container(border=True):
            _settle(lab, step)


def _settle(lab: Client, step: Json) -> None:
    action = step["action"].replace("_", " ")
    st.markdown(f"**{literal(step['device'])}: {literal(action)}** in *{step['campaign']}*")
    st.markdown(f"1. It was told: {literal(_short(_in_words(step['arguments'])))}")
    st.markdown(f"2. What is known: {spoken(step['error'] or 'nothing came back.')}")
    st.markdown("3. Go to the instrument and look. What do you find?")
    choices = [one for one in _FOLLOWS if one != "done" or not action.startswith(_READS)]
    verdict = st.radio(
        "What do you find?",
        choices,
        index=None,
        format_func=lambda one: _FOLLOWS[one][0],
        key=f"verdict_{step['id']}",
        label_visibility="collapsed",
    )
    if verdict is None:
        return
    st.info(_FOLLOWS[verdict][1])
    why = st.text_input(
        "How do you know?", key=f"why_{step['id']}", placeholder="The plate stands in the reader."
    )
    if st.button("Say so", type="primary", key=f"say_{step['id']}"):
        answer = said(lambda: lab.post(f"/steps/{step['id']}/resolve", {"verdict": verdict, "why": why}))
        if answer is not None:
            st.session_state[f"settled_{step['campaign_id']}"] = answer["sentence"]
            st.success(spoken(answer["sentence"]))
            st.link_button("Go on with the campaign", f"live_run?campaign={step['campaign_id']}")


def _short(written: str) -> str:
    return written if len(written) < 400 else f"{written[:400]} ..."


def _in_words(value: Any) -> str:
    """What a step was told, as a person reads it: ``source well: A6; targets: assay_1 C5 4, assay_2 C5 4``."""
    if isinstance(value, Mapping):
        return "; ".join(f"{label_of(name)}: {_in_words(each)}" for name, each in value.items())
    if isinstance(value, list):
        several = any(isinstance(each, (list, Mapping)) for each in value)
        return (", " if several else " ").join(_in_words(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
