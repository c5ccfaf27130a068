"""What a planner believes, on the pages that show it: a slice through a candidate, and which parameters matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from lab.client import Client, Refused, Unreachable
from ui.parts import belief_charts
from ui.parts.forms import label_of
from ui.parts.showing import chart, refusal, spoken

__all__ = ["importances", "posterior_slice"]

Json = Mapping[str, Any]

_PATIENCE_S = 0.4
"""How long a page waits for what is being worked out; then it says so, and looks again by itself."""

_NOTHING = "nothing: a curve"


def posterior_slice(
    lab: Client, campaign: str, *, key: str, through: Mapping[str, str] | None = None
) -> None:
    """Choose a parameter, and a second one for a map; see what is expected along it.

    Args:
        key: unlike that of any other on the page.
        through: candidates to choose from, identifier -> name; the best so far where left out.
    """
    _slice(lab, campaign, key, dict(through or {}))


@st.fragment
def _slice(lab: Client, campaign: str, key: str, through: dict[str, str]) -> None:
    places = st.columns(3 if through else 2)
    at = ""
    if through:
        at = (
            places[2].selectbox("Through", list(through), format_func=through.__getitem__, key=f"{key}_at")
            or ""
        )
    first = _asked(lambda wait_s: lab.posterior(campaign, at=at, wait_s=wait_s))
    if first is None:
        return
    names = [axis["name"] for axis in first["axes"]]
    there = [name for name in names if name in first["centre"]["at"]]
    along = places[0].selectbox("Along", there, format_func=label_of, key=f"{key}_along")
    others = [_NOTHING, *(name for name in there if name != along)]
    with_ = places[1].selectbox(
        "And along",
        others,
        format_func=lambda one: one if one == _NOTHING else label_of(one),
        key=f"{key}_with",
    )
    target = _target([one["name"] for one in first["targets"]], key)
    if along is None:
        return
    chosen = [along] if with_ in (None, _NOTHING) else _wide([along, with_], first["axes"])
    told = _asked(lambda wait_s: lab.posterior(campaign, along=chosen, at=at, target=target, wait_s=wait_s))
    if told is not None:
        _drawn(told, key)


def _target(targets: list[str], key: str) -> str:
    """Which of several targets; the first where there is one only."""
    if len(targets) < 2:
        return targets[0]
    chosen = st.segmented_control(
        "Target",
        targets,
        default=targets[0],
        format_func=lambda one: one.replace("_", " "),
        key=f"{key}_target",
    )
    return chosen or targets[0]


def _wide(along: list[str], axes: list[Json]) -> list[str]:
    """Two axes, of levels the one that has more of them across."""
    found = {axis["name"]: axis for axis in axes}
    if all(found[name]["kind"] == "level" for name in along):
        return sorted(along, key=lambda name: -len(found[name]["values"]))
    return along


def _drawn(told: Json, key: str) -> None:
    along = told["along"]
    name = "_".join(("slice", *along, told["target"]))
    if len(told["points"]) < 2:
        st.info("No other candidate that may be chosen differs from this one in that alone.")
        return
    if len(along) == 1:
        figure = belief_charts.curve(told)
    else:
        shown = st.segmented_control(
            "Colour",
            ["expected", "how unsure"],
            default="expected",
            key=f"{key}_colour",
            label_visibility="collapsed",
        )
        figure = belief_charts.map_of(told, width_of_interval=shown == "how unsure")
    rows = [
        {**dict(zip(along, one["at"], strict=True)), **{n: one[n] for n in ("mean", "low", "high")}}
        | {"candidate": one["candidate_id"]}
        for one in told["points"]
    ]
    chart(figure, f"{name}_{key}", rows)
    st.caption(
        f"{spoken(told['sentence'])} {_held(told)} Intervals hold the true value, not another reading of it."
    )


def _held(told: Json) -> str:
    rest = {name: at for name, at in told["centre"]["at"].items() if name not in told["along"]}
    if not rest:
        return ""
    shown = [
        f"{label_of(name)} {at:.4g}" if isinstance(at, float) else f"{label_of(name)} {at}"
        for name, at in rest.items()
    ]
    more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
    return f"Along the slice: {spoken(', '.join(shown[:6]))}{more}."


def importances(lab: Client, campaign: str, *, key: str) -> None:
    """Bars for each target: how much each parameter matters."""
    _bars(lab, campaign, key)


@st.fragment
def _bars(lab: Client, campaign: str, key: str) -> None:
    told = _asked(lambda wait_s: lab.importances(campaign, wait_s=wait_s))
    if told is None:
        return
    targets = [name for name in told["importances"] if told["importances"][name]]
    if not targets:
        return
    target = _target(targets, key)
    unit = next(one["unit"] for one in told["targets"] if one["name"] == target)
    as_share = "share of the differences"
    shown = st.segmented_control(
        "Shown as",
        [as_share, "typical change"],
        default=as_share,
        key=f"{key}_shown",
        label_visibility="collapsed",
    )
    rows = told["importances"][target]
    figure = belief_charts.importances(rows, unit, change=shown == "typical change")
    chart(figure, f"importances_{target}_{key}", rows)
    most = belief_charts.MOST_BARS
    cut = f" These are the {most} of {len(rows)} that matter most." if len(rows) > most else ""
    st.caption(
        f"{spoken(told['sentence'])} {spoken(told['measure'])} Whiskers are 95 % intervals: how sure the planner is of "
        f"it.{cut}"
    )


def _asked(ask: Callable[[float], Json]) -> Json | None:
    """The answer. Where there is none yet, or none at all, says so, and gives back None.

    Args:
        ask: with the wall time that the answer may take.
    """
    try:
        told = ask(_PATIENCE_S)
    except Refused as refused:
        st.info(f"{spoken(refused.sentence)} {spoken(refused.way_out)}".strip())
        return None
    except Unreachable as gone:
        refusal(gone)
        return None
    if told["ready"]:
        return told
    st.info(spoken(told["sentence"].replace("Ask again in a moment.", "It is shown here when it is there.")))
    _look_again(ask)
    return None


@st.fragment(run_every=1.5)
def _look_again(ask: Callable[[float], Json]) -> None:
    """Draw the page once more when the answer is there."""
    try:
        ready = ask(0.0)["ready"]
    except (Refused, Unreachable):
        ready = True  # which the page says when it is drawn
    if ready:
        st.rerun()
