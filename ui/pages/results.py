"""Results of a campaign: what was found, how fast, how far predictions can be trusted, and every plate as it was read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lab.client import Client
from ui.parts import charts
from ui.parts.beliefs import importances, posterior_slice
from ui.parts.showing import (
    chart,
    choose_campaign,
    download_table,
    duration,
    number,
    said,
    spoken,
    unit_of,
    unit_word,
)

__all__ = ["page"]

Json = Mapping[str, Any]


_CELSIUS = re.compile(r"\b(\d+)c\b")
"""A temperature in the name of a plate's part: ``heated_75c``."""


def page(lab: Client) -> None:
    """Show it."""
    st.title("Results")
    _of_one(lab)


@st.fragment
def _of_one(lab: Client) -> None:
    """Of the campaign that is chosen: to choose another one draws this anew, and no more of the page."""
    chosen = choose_campaign(lab, key="results_campaign")
    if chosen is None:
        return
    campaign = said(lambda: lab.campaign(chosen))
    if campaign is None:
        return
    reference = _headline(campaign)  # before the results, which take longer to come
    results = said(lambda: lab.results(chosen))
    if results is None:
        return
    _told_of(reference, results["reference"])
    if not results["variants"]:
        st.info("Nothing usable has been measured yet.")
        return
    names = ["Found", "Progress", "Targets", "Beliefs", "Predictions", "Plates", "Instruments"]
    tabs = dict(zip(names, st.tabs(names, key="results_tab", on_change="rerun"), strict=True))
    unit = unit_of(results)
    draw: Mapping[str, Callable[[], None]] = {
        "Found": lambda: _found(results, unit),
        "Progress": lambda: _progress(results, unit),
        "Targets": lambda: _targets(results),
        "Beliefs": lambda: _beliefs(lab, chosen),
        "Predictions": lambda: _predictions(results, unit),
        "Plates": lambda: _plates(results),
        "Instruments": lambda: chart(charts.gantt(results["steps"]), "instruments", results["steps"]),
    }
    for name, tab in tabs.items():
        if (
            tab.open
        ):  # figures are slow to draw, and beliefs take a fit: only those that somebody looks at are
            with tab:
                draw[name]()


def _headline(campaign: Json) -> DeltaGenerator:
    """How far the campaign has come; gives the place that is left for its reference."""
    best = campaign["best"]
    told = st.container(horizontal=True, gap="large")
    told.metric("Best so far", "–" if best is None else best["candidate_id"], width="content")
    value = "–" if best is None else number(best["value"], best["standard_error"])
    unit = unit_word(best["unit"]) if best else ""
    told.metric(f"Value ({unit})" if unit else "Value", value, width="content")
    reference = told.empty()
    _told_of(reference, None)
    told.metric("Experiments", f"{campaign['spent']} of {campaign['budget']}", width="content")
    kind = ":blue-badge[TWIN]" if campaign["twin"] else ":red-badge[REAL INSTRUMENTS]"
    st.caption(f"{kind} {spoken(campaign['sentence'])}")
    return reference


def _told_of(place: DeltaGenerator, reference: Json | None) -> None:
    value = "–" if not reference else number(reference["value"], reference["standard_error"])
    place.metric("Reference", value, width="content")


def _found(results: Json, unit: str) -> None:
    rows = [
        {
            "candidate": one["candidate_id"],
            "value": one["estimate"]["value"],
            "low": one["estimate"]["low"],
            "high": one["estimate"]["high"],
            "unit": unit,
            "wells": one["wells"],
            "runs": one["runs"],
            "better than the reference": one["differs"],
            "runs agree": one["agree"],
            "limits not kept": ", ".join(one["broken"]),
            "remarks": one["remarks"],
        }
        for one in results["variants"]
    ]
    chart(charts.ranked(results["variants"], results["reference"], unit), "variants", rows)
    st.dataframe(rows, hide_index=True, width="stretch")
    st.caption(
        "Better than the reference: at a false discovery rate of 5 % among all that were measured. A candidate that was "
        "measured in one run only may owe its place to luck; a second run tells."
    )


def _progress(results: Json, unit: str) -> None:
    rows = [
        {"planner": curve["planner"], "experiments": n, "best": value}
        for curve in (results["curve"], results["baseline"])
        if curve
        for n, value in curve["best"]
    ]
    chart(charts.best_so_far(results, unit), "best_so_far", rows)
    wanted = results["targets"][0]["wanted"] if results["targets"] else ""
    if wanted in ("maximize", "minimize"):
        st.subheader("Behind the best found")
        chart(charts.regret(results, unit, maximise=wanted == "maximize"), "regret", rows)
        st.caption(
            "Measured against the best that these campaigns found, as nobody knows the best that there is."
        )
    if not results["baseline"]:
        st.caption("No baseline ran beside this campaign.")


def _targets(results: Json) -> None:
    figure = charts.pareto(results)
    if figure is not None:
        rows = [
            {"candidate": name, "target": one["name"], "value": value["value"], "unit": one["unit"]}
            for one in results["targets"]
            for name, value in one["estimates"].items()
        ]
        chart(figure, "pareto", rows)
    else:
        st.caption("This campaign has one target, so there is nothing to weigh it against.")
    measured = [
        (one["experiment"]["candidate"]["values"], one["estimate"]["value"])
        for one in results["results"]
        if one["estimate"] and one["experiment"]["candidate"]["values"]
    ]
    name = results["targets"][0]["name"] if results["targets"] else "value"
    across = charts.parallel(measured, name)
    if across is not None:
        st.subheader("Values of the candidates")
        chart(across, "parallel", [{**values, name: value} for values, value in measured])


def _beliefs(lab: Client, chosen: str) -> None:
    st.subheader("What matters")
    importances(lab, chosen, key="results_matters")
    st.subheader("Through the best so far")
    posterior_slice(lab, chosen, key="results_slice")


def _predictions(results: Json, unit: str) -> None:
    told = results["calibration"]
    if not told or not told["predictions"]:
        st.info("Nothing was predicted yet that has been measured since.")
        return
    chart(charts.calibration(results, unit), "calibration", told["predictions"])
    coverage = told["coverage"]
    st.markdown(
        f"**{told['covered']} of {len(told['predictions'])}** results lie within two standard deviations of what was "
        f"predicted ({100 * coverage['low']:.0f} to {100 * coverage['high']:.0f} % with 95 % confidence; about 95 % should)."
    )
    if told["rank_correlation"] is not None:
        st.caption(f"Rank correlation of prediction and result: {told['rank_correlation']:.2f}.")


def _plates(results: Json) -> None:
    plates = results["plates"]
    if not plates:
        st.info("No plate was read.")
        return
    batches = sorted({one["batch"] for one in plates})
    batch = st.segmented_control("Batch", batches, default=batches[-1], key="results_batch") or batches[-1]
    for n, one in enumerate(one for one in plates if one["batch"] == batch):
        quality = "" if one["z_prime"] is None else f", Z′ {one['z_prime']:.2f}"
        role = _CELSIUS.sub(r"\1 °C", one["role"].replace("_", " "))
        st.subheader(f"{role}: {one['labware']}, {one['mode']}{quality}")
        st.caption(f"Read after {duration(one['lab_time_s'])} of lab time. Crossed wells were left out.")
        rows = [well for well in one["wells"] if well["kind"] != "unused"]
        chart(charts.plate(one), f"plate_{batch}_{n}_{one['labware']}", rows)
    download_table(
        [
            {**{k: v for k, v in p.items() if k != "wells"}, **w}
            for p in plates
            for w in p["wells"]
            if w["kind"] != "unused"
        ],
        "all_plates",
        "All plates (CSV)",
    )
