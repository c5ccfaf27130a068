"""Figures of campaigns. Pure: the data of the API in, plotly figures out; colours that tell apart without red and green."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

__all__ = [
    "against",
    "best_so_far",
    "calibration",
    "candidates",
    "figure_of",
    "gantt",
    "parallel",
    "pareto",
    "plate",
    "ranked",
    "regret",
]

OURS, OTHER, FAINT, BAD = "#1f77b4", "#e07b00", "rgba(128,128,128,0.55)", "#b2182b"
"""Of the campaign, of its baseline, of what stands behind, and of what went wrong."""

HEIGHT = 380

Json = Mapping[str, Any]


def figure_of(x: str, y: str, height: int = HEIGHT) -> go.Figure:
    """An empty figure as all of them are, with titles of its axes."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        xaxis_title=x,
        yaxis_title=y,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hovermode="closest",
    )
    return figure


def best_so_far(results: Json, unit: str) -> go.Figure:
    """Every usable result and the best so far against experiments spent, beside the baseline's."""
    target = results["targets"][0]["name"].replace("_", " ") if results["targets"] else "value"
    figure = figure_of("experiments spent", f"{target} ({unit})" if unit else target)
    for curve, colour in ((results["baseline"], OTHER), (results["curve"], OURS)):
        if not curve or not curve["best"]:
            continue
        name = curve["planner"]
        figure.add_scatter(
            x=[n for n, _ in curve["measured"]],
            y=[value for _, value in curve["measured"]],
            mode="markers",
            marker={"color": colour, "size": 6, "opacity": 0.45},
            name=f"{name}: measured",
        )
        figure.add_scatter(
            x=[n for n, _ in curve["best"]],
            y=[value for _, value in curve["best"]],
            mode="lines",
            line={"color": colour, "width": 3, "shape": "hv"},
            name=f"{name}: best so far",
        )
    reference = results["reference"]
    if reference:
        figure.add_hline(
            y=reference["value"], line_dash="dot", line_color="grey", annotation_text="reference"
        )
    return figure


def regret(results: Json, unit: str, *, maximise: bool) -> go.Figure:
    """How far the best so far is behind the best that either planner found, against experiments spent."""
    curves = [curve for curve in (results["baseline"], results["curve"]) if curve and curve["best"]]
    sign = 1.0 if maximise else -1.0
    top = max((sign * value for curve in curves for _, value in curve["best"]), default=0.0)
    figure = figure_of(
        "experiments spent", f"behind the best found ({unit})" if unit else "behind the best found"
    )
    for curve in curves:
        colour = OURS if curve is results["curve"] else OTHER
        figure.add_scatter(
            x=[n for n, _ in curve["best"]],
            y=[top - sign * value for _, value in curve["best"]],
            mode="lines",
            line={"color": colour, "width": 3, "shape": "hv"},
            name=curve["planner"],
        )
    figure.update_yaxes(rangemode="tozero")
    return figure


def ranked(variants: Sequence[Json], reference: Json | None, unit: str, most: int = 20) -> go.Figure:
    """The best variants with their 95 % intervals, the best at the top."""
    shown = list(variants[:most])[::-1]
    figure = figure_of(
        f"value, 95 % interval ({unit})" if unit else "value, 95 % interval", "", 60 + 22 * max(6, len(shown))
    )
    figure.add_scatter(
        x=[one["estimate"]["value"] for one in shown],
        y=[one["candidate_id"] for one in shown],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [one["estimate"]["high"] - one["estimate"]["value"] for one in shown],
            "arrayminus": [one["estimate"]["value"] - one["estimate"]["low"] for one in shown],
        },
        mode="markers",
        marker={"color": OURS, "size": 8},
        text=[f"{one['wells']} wells in {one['runs']} runs" for one in shown],
        showlegend=False,
    )
    figure.update_layout(margin={"t": 24})
    if reference:
        figure.add_vline(
            x=reference["value"], line_dash="dot", line_color="grey", annotation_text="reference"
        )
    figure.update_yaxes(type="category")
    return figure


def calibration(results: Json, unit: str) -> go.Figure:
    """What the planner expected, with one standard deviation, against what was measured."""
    found = results["calibration"]["predictions"] if results["calibration"] else []
    figure = figure_of(f"measured ({unit})" if unit else "measured", "predicted, ± 1 standard deviation")
    figure.add_scatter(
        x=[one["measured"] for one in found],
        y=[one["mean"] for one in found],
        error_y={"type": "data", "array": [one["sd"] for one in found], "color": FAINT},
        mode="markers",
        marker={"color": OURS, "size": 8},
        text=[f"{one['candidate_id']}, batch {one['batch']}" for one in found],
        showlegend=False,
    )
    values = [one["measured"] for one in found] + [one["mean"] for one in found]
    if values:
        ends = [min(values), max(values)]
        figure.add_scatter(
            x=ends, y=ends, mode="lines", line={"color": "grey", "dash": "dot"}, name="as predicted"
        )
    return figure


def pareto(results: Json) -> go.Figure | None:
    """The first two targets against each other, with what no other candidate beats in both; None for one target."""
    if len(results["targets"]) < 2:
        return None
    first, second = results["targets"][:2]
    front = {one["candidate_id"] for one in results["variants"] if one["on_front"]}
    both = [name for name in first["estimates"] if name in second["estimates"]]
    figure = figure_of(_label(first), _label(second))
    for on_front, colour, name in ((False, FAINT, "beaten in both"), (True, OURS, "Pareto front")):
        shown = [one for one in both if (one in front) == on_front]
        figure.add_scatter(
            x=[first["estimates"][one]["value"] for one in shown],
            y=[second["estimates"][one]["value"] for one in shown],
            mode="markers",
            marker={"color": colour, "size": 9},
            text=shown,
            name=name,
        )
    return figure


def _label(target: Json) -> str:
    unit = f" ({target['unit']})" if target["unit"] else ""
    return f"{target['name'].replace('_', ' ')}{unit}, {target['wanted']}"


def parallel(rows: Sequence[tuple[Mapping[str, Any], float]], target: str) -> go.Figure | None:
    """Values of each measured candidate as a line across axes, coloured by the result; None where they have none.

    Args:
        rows: values of a candidate, and what was measured of it.
    """
    names = [
        name
        for name in (rows[0][0] if rows else {})
        if any(values[name] != rows[0][0][name] for values, _ in rows)
    ]
    if not names:
        return None
    axes = []
    for name in names:
        column = [values[name] for values, _ in rows]
        if all(isinstance(value, (int, float)) for value in column):
            axes.append({"label": name.replace("_", " "), "values": column})
        else:
            levels = sorted({str(value) for value in column})
            axes.append(
                {
                    "label": name.replace("_", " "),
                    "values": [levels.index(str(value)) for value in column],
                    "tickvals": list(range(len(levels))),
                    "ticktext": levels,
                }
            )
    measured = [value for _, value in rows]
    axes.append({"label": target.replace("_", " "), "values": measured})
    figure = go.Figure(
        go.Parcoords(dimensions=axes, line={"color": measured, "colorscale": "Viridis", "showscale": True})
    )
    figure.update_layout(height=HEIGHT, margin={"l": 70, "r": 40, "t": 60, "b": 20})
    return figure


def plate(reading: Json) -> go.Figure:
    """One reading of one plate as a map of its wells; what was left out is crossed."""
    rows, columns = reading["rows"], reading["columns"]
    grid: list[list[float | None]] = [[None] * columns for _ in range(rows)]
    words = [[""] * columns for _ in range(rows)]
    crossed = []
    for well in reading["wells"]:
        if well["kind"] == "unused":
            continue
        grid[well["row"]][well["column"]] = well["value"]
        words[well["row"]][well["column"]] = f"{well['well']} {well['content']} ({well['kind']})"
        if well["left_out"] or well["saturated"]:
            crossed.append((well["column"] + 1, well["row"]))
    letters = [chr(ord("A") + n) for n in range(rows)]
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=list(range(1, columns + 1)),
            y=list(range(rows)),
            text=words,
            colorscale="Viridis",
            hovertemplate="%{text}<br>%{z:.5g}<extra></extra>",
            xgap=2,
            ygap=2,
        )
    )
    unused = [(well["column"] + 1, well["row"]) for well in reading["wells"] if well["kind"] == "unused"]
    figure.add_scatter(
        x=[x for x, _ in unused],
        y=[y for _, y in unused],
        mode="markers",
        marker={"symbol": "circle-open", "color": FAINT, "size": 12, "line": {"width": 1}},
        hoverinfo="skip",
        showlegend=False,
    )
    if crossed:
        figure.add_scatter(
            x=[x for x, _ in crossed],
            y=[y for _, y in crossed],
            mode="markers",
            marker={"symbol": "x", "color": BAD, "size": 9},
            hoverinfo="skip",
            name="left out",
        )
    figure.update_yaxes(tickvals=list(range(rows)), ticktext=letters, constrain="domain")
    figure.update_xaxes(side="top", dtick=1, range=[0.4, columns + 0.6], showgrid=False, zeroline=False)
    figure.update_yaxes(range=[rows - 0.4, -0.6], showgrid=False, zeroline=False)
    figure.update_layout(height=60 + 34 * rows, margin={"l": 10, "r": 10, "t": 30, "b": 10})
    return figure


def gantt(steps: Sequence[Json]) -> go.Figure:
    """When each instrument was busy, in hours of lab time, a colour for each batch; failed steps are dark red."""
    devices = sorted({one["device"] for one in steps})
    figure = figure_of("lab time (h)", "", 120 + 34 * max(3, len(devices)))
    palette = ("#1f77b4", "#e07b00", "#5ba300", "#8c6bb1", "#17a2b8", "#8c564b")
    for batch in sorted({one["batch"] for one in steps}):
        shown = [one for one in steps if one["batch"] == batch]
        figure.add_bar(
            orientation="h",
            y=[one["device"] for one in shown],
            base=[one["begun_s"] / 3600 for one in shown],
            x=[max(one["ended_s"] - one["begun_s"], 1.0) / 3600 for one in shown],
            marker={
                "color": [BAD if one["failed"] else palette[batch % len(palette)] for one in shown],
                "line": {"width": 0},
            },
            text=[one["action"].replace("_", " ") for one in shown],
            textposition="none",
            hovertemplate="%{y}: %{text}<br>from %{base:.2f} h<extra></extra>",
            name=f"batch {batch}",
        )
    figure.update_layout(barmode="overlay")
    return figure


def candidates(experiments: Sequence[Json], unit: str) -> go.Figure | None:
    """What is expected of each candidate of a batch, with its 95 % interval; None where nothing is predicted."""
    shown = [one for one in experiments if one["predicted_mean"] is not None]
    if not shown:
        return None
    shown.sort(key=lambda one: float(one["predicted_mean"]))
    figure = figure_of(
        f"predicted, 95 % interval ({unit})" if unit else "predicted, 95 % interval",
        "",
        120 + 24 * len(shown),
    )
    ends = [one["interval"] or (one["predicted_mean"], one["predicted_mean"]) for one in shown]
    figure.add_scatter(
        x=[one["predicted_mean"] for one in shown],
        y=[one["candidate_id"] for one in shown],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - one["predicted_mean"] for one, (_, high) in zip(shown, ends, strict=True)],
            "arrayminus": [one["predicted_mean"] - low for one, (low, _) in zip(shown, ends, strict=True)],
        },
        mode="markers",
        marker={"color": OURS, "size": 9},
        name="predicted",
    )
    near = [one for one in shown if one.get("nearest") and one["nearest"]["value"] is not None]
    figure.add_scatter(
        x=[one["nearest"]["value"] for one in near],
        y=[one["candidate_id"] for one in near],
        mode="markers",
        marker={"color": OTHER, "size": 9, "symbol": "diamond-open"},
        text=[one["nearest"]["candidate_id"] for one in near],
        hovertemplate="nearest tested: %{text}, %{x:.3g}<extra></extra>",
        name="nearest tested",
    )
    figure.update_yaxes(type="category")
    return figure


def against(rows: Sequence[Json], unit: str, names: tuple[str, str] = ("measured", "twin")) -> go.Figure:
    """Values of the twin against measured ones, a point for each candidate, with one standard error.

    Args:
        rows: ``candidate``, ``measured``, ``measured_se``, ``twin`` and ``twin_se``.
        names: of what lies along x and y.
    """
    said = f" ({unit})" if unit else ""
    figure = figure_of(f"{names[0]}{said}", f"{names[1]}{said}")
    figure.add_scatter(
        x=[one["measured"] for one in rows],
        y=[one["twin"] for one in rows],
        error_x={"type": "data", "array": [one["measured_se"] for one in rows], "color": FAINT},
        error_y={"type": "data", "array": [one["twin_se"] for one in rows], "color": FAINT},
        mode="markers",
        marker={"color": OURS, "size": 8},
        text=[one["candidate"] for one in rows],
        showlegend=False,
    )
    values = [one[name] for one in rows for name in ("measured", "twin")]
    if values:
        ends = [min(values), max(values)]
        figure.add_scatter(x=ends, y=ends, mode="lines", line={"color": "grey", "dash": "dot"}, name="alike")
    return figure
