"""The form of a campaign: what is looked for, among what, with which recipe, planner and budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.forms import label_of, settings
from ui.parts.models_form import models_form
from ui.parts.showing import literal, said
from ui.parts.space_form import rows_of, space_form
from ui.parts.wrong import Wrong

__all__ = ["campaign_form"]

Json = Mapping[str, Any]

_CHOICES_S = 60.0

_OF_A_TABLE = ("variant", "sequence", "parent", "reference")
"""Columns and words that what is wrong with a table of candidates is told by."""


def campaign_form(lab: Client, wrong: Wrong) -> dict[str, Any] | None:
    """The campaign as it is filled in, as its file would have it; None where the lab does not answer.

    Args:
        wrong: with what was filled in when it was tried out; said at the fields.
    """
    found = said(lambda: _choices(lab.url, lab))
    if found is None:
        return None
    tables = [one["path"] for one in found.files if one["kind"] == "table"]
    workcells = [one["path"] for one in found.files if one["kind"] == "workcell"]
    name = st.text_input(
        "Name", "my_campaign", key="form_name", help="Letters, digits, - and _. One name, one campaign."
    ).strip()
    wrong.say("name")
    st.subheader("How it is measured")
    workcell = st.selectbox(
        "Workcell", workcells, key="form_workcell", help="Workcell files of the lab's folder."
    )
    wrong.say("workcell")
    protocol, parameters = _protocol(found.protocols, wrong)
    st.subheader("What is wanted")
    goal = _goal(protocol["targets"], found.goals)
    wrong.say("goal")
    st.subheader("Among what")
    chosen = _chosen_from(tables, found.alphabets)
    wrong.say("candidates", "space", *_OF_A_TABLE)
    st.subheader("How it is chosen")
    planner = _planner(found.planners, wrong)
    with st.expander("What is known of candidates before", expanded=wrong.within("models")):
        models = models_form(found.models, _letters(chosen))
        wrong.say("models", "features")
    with st.expander("What needs a person's word", expanded=wrong.within("approval")):
        approval = _approval()
        wrong.say("approval")
    return {
        "name": name,
        "goal": goal,
        **chosen,
        "models": models,
        "workcell": workcell or "",
        "protocol": {"name": protocol["name"], "parameters": parameters},
        **planner,
        "approval": approval,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choices:
    """What there is to choose from, as the service tells it."""

    protocols: list[Json]
    planners: list[Json]
    models: list[Json]
    goals: list[Json]
    files: list[Json]
    alphabets: list[str]


@st.cache_data(ttl=_CHOICES_S, show_spinner=False)
def _choices(url: str, _lab: Client) -> _Choices:
    """Asked for once a minute; it is the same for everybody who may look."""
    return _Choices(
        protocols=_lab.get("/protocols"),
        planners=_lab.get("/planners"),
        models=_lab.get("/models"),
        goals=_lab.get("/goals"),
        files=_lab.get("/files"),
        alphabets=_lab.get("/spaces/form")["alphabets"],
    )


def _letters(chosen: Json) -> str | None:
    """The alphabet of what is chosen among; None where candidates are no sequences."""
    if "candidates" in chosen:
        return str(chosen["candidates"]["alphabet"] or "protein")
    sites = chosen["space"]["sites"]
    return None if sites is None else str(sites["alphabet"])


def _protocol(protocols: Sequence[Json], wrong: Wrong) -> tuple[Json, dict[str, Any]]:
    usable = {one["name"]: one for one in protocols if not one["wrong"] and one["targets"]}
    name = st.selectbox(
        "Protocol", list(usable), format_func=lambda one: one.replace("_", " "), key="form_protocol"
    )
    protocol = usable[name]
    st.caption(protocol["summary"])
    with st.expander("Its parameters", expanded=wrong.within("protocol.parameters")):
        parameters = settings(protocol["parameters"] or {}, f"form_protocol_{name}")
        wrong.say("protocol.parameters")
    wrong.say("protocol")
    for one in protocols:
        if one["wrong"]:
            st.caption(f"{one['name']} can't be used: {literal(one['wrong'])}")
    return protocol, parameters


def _goal(targets: Sequence[str], goals: Sequence[Json]) -> dict[str, Any]:
    goal = _objective(targets, goals, 0)
    if len(targets) < 2:
        return goal
    beside = [one for one in goals if not one["alone"]]
    with st.expander("More targets, and limits"):
        others = [one for one in targets if one not in goal.values()]
        count = int(st.number_input("More targets", 0, min(3, len(others)), 0, key="form_also"))
        also = [_objective(others, beside, n + 1) for n in range(count)]
        st.caption("Limits that what is found must keep to")
        limits = rows_of(
            "form_limits",
            {
                "target": st.column_config.SelectboxColumn("target", options=list(targets)),
                "at_least": st.column_config.NumberColumn("at least"),
                "at_most": st.column_config.NumberColumn("at most"),
            },
        )
    return {**goal, "also": also, "limits": [one for one in limits if one.get("target")]}


def _objective(targets: Sequence[str], goals: Sequence[Json], n: int) -> dict[str, Any]:
    """One target, and what of these is wanted of it."""
    known = {one["word"]: one for one in goals}
    left, middle, right = st.columns([2, 2, 1])
    target = left.selectbox("Target", targets, format_func=label_of, key=f"form_target_{n}")
    word = middle.selectbox(
        "Wanted", list(known), format_func=lambda one: known[one]["meaning"], key=f"form_wanted_{n}"
    )
    objective: dict[str, Any] = {str(word): target}
    if known[word]["level"]:
        objective["level"] = right.number_input("Level", value=0.5, format="%g", key=f"form_level_{n}")
    return objective


def _chosen_from(tables: Sequence[str], alphabets: Sequence[str]) -> dict[str, Any]:
    how = st.segmented_control(
        "Among what",
        ["Candidates of a table", "A space of values"],
        default="Candidates of a table",
        key="form_among",
        label_visibility="collapsed",
    )
    return space_form(alphabets) if how == "A space of values" else _table(tables, alphabets)


def _table(tables: Sequence[str], alphabets: Sequence[str]) -> dict[str, Any]:
    left, right = st.columns(2)
    file = left.selectbox(
        "Table", tables, key="form_table", help="Files of the lab's folder, a row for each candidate."
    )
    reference = right.text_input(
        "Reference", "WT", key="form_reference", help="The row that every plate carries as its control."
    )
    with st.expander("Where candidates are sequences: their parent and letters"):
        alphabet = st.selectbox("Letters", alphabets, key="form_letters")
        parent = st.text_area(
            "Parent",
            key="form_parent",
            height=80,
            help="Its letters, where candidates are named by their changes, as `T16I`.",
        )
    return {
        "candidates": {
            "file": file or "",
            "alphabet": None if alphabet == "protein" else alphabet,
            "parent": "".join(parent.split()) or None,
            "reference": reference.strip(),
        }
    }


def _planner(planners: Sequence[Json], wrong: Wrong) -> dict[str, Any]:
    schemas = {one["name"]: one["settings"] for one in planners}
    names = list(schemas)
    columns = st.columns(2)
    name = columns[0].selectbox(
        "Planner", names, format_func=lambda one: one.replace("_", " "), key="form_planner"
    )
    baseline = columns[1].selectbox(
        "Beside it, for comparison",
        ["", *names],
        format_func=lambda one: one.replace("_", " ") or "nothing",
        key="form_baseline",
        help="Runs on an identical twin; only for campaigns on a twin.",
    )
    wrong.say("baseline")
    with st.expander("Its settings", expanded=wrong.within("planner.settings")):
        given = settings(schemas[name] if name else {}, f"form_planner_{name}")
        wrong.say("planner.settings")
    wrong.say("planner")
    numbers = st.columns(4)
    filled = {
        "planner": {"name": name, "settings": given},
        "baseline": baseline or None,
        "budget": int(numbers[0].number_input("Budget (experiments)", 1, 100, 48, key="form_budget")),
        "batch_size": int(numbers[1].number_input("At a time", 1, 96, 12, key="form_batch")),
        "seed": int(
            numbers[2].number_input(
                "Seed", 0, 2**32 - 1, 7, key="form_seed", help="Everything random follows from it."
            )
        ),
        "policies": {
            "repeat_failed": int(
                numbers[3].number_input("Repeats of what failed", 0, 10, 1, key="form_repeats")
            )
        },
    }
    wrong.say("budget", "batch_size", "seed", "policies")
    return filled


def _approval() -> dict[str, Any]:
    columns = st.columns(3)
    approval: dict[str, Any] = {
        "start": columns[0].toggle("Its start", key="form_start") or None,
        "each_batch": columns[1].toggle("Every batch", key="form_each") or None,
        "first_on_hardware": columns[2].toggle("The first on real instruments", key="form_first") or None,
    }
    if st.toggle("Candidates far from all that was tested", key="form_trust"):
        bounds = st.columns(3)
        approval["outside_trust_region"] = {
            "predicted_sd": bounds[0].number_input(
                "Standard deviation above", value=None, min_value=0.0, format="%g", key="form_sd"
            ),
            "letters": bounds[1].number_input(
                "Letters changed, more than", value=None, min_value=0, step=1, key="form_far"
            ),
            "fraction": bounds[2].number_input(
                "Share of a value's range above", 0.0, 1.0, None, format="%g", key="form_fraction"
            ),
        }
    if st.toggle("Batches that cost more than", key="form_cost"):
        prices = st.columns(4)
        approval["over_cost"] = {
            "amount": prices[0].number_input("Amount", 0.0, value=500.0, format="%g", key="form_amount"),
            "currency": prices[1].text_input("Currency", "EUR", key="form_currency"),
            "per_experiment": prices[2].number_input(
                "Per experiment", 0.0, value=10.0, format="%g", key="form_price"
            ),
            "per_hour": prices[3].number_input("Per hour", 0.0, value=0.0, format="%g", key="form_hour"),
        }
    return {name: value for name, value in approval.items() if value is not None}
