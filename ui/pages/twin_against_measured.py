"""Twin against measured: what the twin said of each candidate beside what the real instruments measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import mean, stdev
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts import charts
from ui.parts.showing import chart, number, said

__all__ = ["agreement", "page", "paired"]

Json = Mapping[str, Any]

_FEWEST = 3
"""Pairs from which numbers of agreement are told."""


def page(lab: Client) -> None:
    """Show it."""
    st.title("Twin against measured")
    campaigns = said(lambda: lab.campaigns(baselines=True))
    if campaigns is None:
        return
    with_results = [one for one in campaigns if one["measured"]]
    real = [one for one in with_results if not one["twin"]]
    twins = [one for one in with_results if one["twin"]]
    if not real:
        st.info(
            "Nothing was measured on real instruments yet, so there is nothing to hold a twin against. "
            "Run a campaign on a real workcell, and one of the same goal on its twin."
        )
        if len(twins) < 2 or not st.toggle(
            "Hold one campaign on a twin against another",
            key="twin_only",
            help="How far two runs of a twin agree; a real bench will not agree better with it than that.",
        ):
            return
    measured = _one("Measured" if real else "One", real or twins, "twin_measured")
    alike = [
        one
        for one in twins
        if one["id"] != measured["id"] and one["goal"]["target"] == measured["goal"]["target"]
    ]
    if not alike:
        st.info(f"No campaign on a twin looked for {_words(measured)} as this one did.")
        return
    twin = _one("Twin" if real else "The other", alike, "twin_twin")
    _compare(lab, measured, twin, real=bool(real))


def _one(label: str, campaigns: Sequence[Json], key: str) -> Json:
    by_id = {one["id"]: one for one in campaigns}
    chosen = st.selectbox(label, list(by_id), format_func=lambda one: _named(by_id[one]), key=key)
    return by_id[chosen or campaigns[0]["id"]]


def _named(one: Json) -> str:
    return f"{one['name']} on {one['workcell']}, {one['measured']} results, {one['created_utc'][:10]}"


def _words(one: Json) -> str:
    return str(one["goal"]["target"]).replace("_", " ")


def _compare(lab: Client, measured: Json, twin: Json, *, real: bool) -> None:
    found = said(lambda: (lab.results(measured["id"]), lab.results(twin["id"])))
    if found is None:
        return
    target = measured["goal"]["target"]
    ours, theirs = found
    rows = paired(ours, theirs, target)
    if not rows:
        st.info("They have no candidate in common, so there is nothing to compare.")
        return
    names = ("measured", "twin") if real else ("one", "other")
    unit = next((one["unit"] for one in ours["targets"] if one["name"] == target), "")
    if len(rows) >= _FEWEST:
        _numbers(rows, unit, names)
    chart(charts.against(rows, unit, names), "twin_against_measured", rows)
    st.caption(
        f"{len(rows)} candidates that both measured, each with one standard error. On the dotted line both say the same."
    )
    st.dataframe(
        [
            {
                "candidate": one["candidate"],
                names[0]: number(one["measured"], one["measured_se"]),
                names[1]: number(one["twin"], one["twin_se"]),
                "difference in standard errors": _apart(one),
            }
            for one in rows
        ],
        hide_index=True,
        width="stretch",
    )


def _numbers(rows: Sequence[Json], unit: str, names: tuple[str, str]) -> None:
    told = agreement(rows)
    columns = st.columns(3)
    end = f" ({unit})" if unit else ""
    columns[0].metric(f"{names[1].capitalize()} above {names[0]}, on average{end}", number(*told["bias"]))
    columns[1].metric(f"Scatter of the difference{end}", f"{told['scatter']:.3g}")
    rank = told["rank"]
    columns[2].metric("Rank correlation", "–" if rank is None else f"{rank:.2f}")


def _apart(one: Json) -> float | None:
    error = sqrt(one["measured_se"] ** 2 + one["twin_se"] ** 2)
    return None if error <= 0 else round((one["twin"] - one["measured"]) / error, 1)


def paired(measured: Json, twin: Json, target: str) -> list[dict[str, Any]]:
    """What two campaigns found of the same candidates.

    Args:
        measured, twin: results of the campaigns, as the service tells them.

    Returns:
        ``candidate``, ``measured``, ``measured_se``, ``twin`` and ``twin_se`` of each.
    """
    ours, theirs = (_estimates(one, target) for one in (measured, twin))
    return [
        {
            "candidate": name,
            "measured": ours[name]["value"],
            "measured_se": ours[name]["standard_error"] or 0.0,
            "twin": theirs[name]["value"],
            "twin_se": theirs[name]["standard_error"] or 0.0,
        }
        for name in ours
        if name in theirs
    ]


def _estimates(results: Json, target: str) -> Mapping[str, Json]:
    """By candidate. In a space one name may stand for unlike values in two campaigns, so values count, not names."""
    estimates: Mapping[str, Json] = next(
        (one["estimates"] for one in results["targets"] if one["name"] == target), {}
    )
    candidates = {
        one["experiment"]["candidate"]["id"]: one["experiment"]["candidate"] for one in results["results"]
    }
    return {
        _key(candidates.get(name), name): one for name, one in estimates.items() if one["value"] is not None
    }


def _key(candidate: Json | None, name: str) -> str:
    if candidate is None or not candidate["values"]:
        return name
    values = ", ".join(
        f"{each.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{each} {value}"
        for each, value in candidate["values"].items()
    )
    return f"{candidate['sequence']} {values}".strip()


def agreement(rows: Sequence[Json]) -> dict[str, Any]:
    """How well two agree.

    Returns:
        ``bias``: mean of twin minus measured, and its standard error; ``scatter``: standard deviation of that
        difference; ``rank``: Spearman's rank correlation, None where one of them does not vary.
    """
    differences = [one["twin"] - one["measured"] for one in rows]
    scatter = stdev(differences)
    return {
        "bias": (mean(differences), scatter / sqrt(len(rows))),
        "scatter": scatter,
        "rank": _correlation(
            _ranks([one["measured"] for one in rows]), _ranks([one["twin"] for one in rows])
        ),
    }


def _ranks(values: Sequence[float]) -> list[float]:
    """From 1; equal values share the mean of their ranks."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def _correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    a, b = mean(one), mean(other)
    size = sqrt(sum((x - a) ** 2 for x in one) * sum((y - b) ** 2 for y in other))
    if size == 0:
        return None
    return sum((x - a) * (y - b) for x, y in zip(one, other, strict=True)) / size
