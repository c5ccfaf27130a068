"""Figures of what a planner believes: slices along one parameter or two, and how much each matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from ui.parts.charts import FAINT, HEIGHT, OTHER, OURS, figure_of
from ui.parts.forms import label_of

__all__ = ["MOST_BARS", "curve", "importances", "map_of"]

Json = Mapping[str, Any]

BAND = "rgba(31,119,180,0.22)"
"""Of the interval: the campaign's own colour, seen through."""

_NEAR = 0.35
"""How far from a slice a result may be, as a share of another parameter's range, and be drawn in full."""

_PIECE = 24
"""Pixels of one row of a map or bar."""

MOST_BARS = 24
"""Of importances; a protein has hundreds of sites."""

_FEW = 20
"""Levels up to which a map is as high as its rows want."""


def curve(told: Json) -> go.Figure:
    """What is expected along one parameter, with its interval, results near it and the candidate that it goes through."""
    axis = _axis(told, 0)
    figure = figure_of(label_of(axis["name"]), _value(told))
    points = told["points"]
    places = [one["at"][0] for one in points]
    if axis["kind"] == "number" and len(set(places)) == len(places):
        _band(figure, places, points, told["level"])
    else:
        _marks(figure, places, points, told["level"])
    _results(figure, told)
    centre = told["centre"]
    if centre["mean"] is not None and axis["name"] in centre["at"]:
        figure.add_scatter(
            x=[centre["at"][axis["name"]]],
            y=[centre["mean"]],
            mode="markers",
            marker={"color": OURS, "size": 14, "symbol": "star", "line": {"width": 1, "color": "white"}},
            name=_named(centre),
            text=[centre["candidate_id"]],
            hovertemplate="%{text}<br>expected %{y:.4g}<extra></extra>",
        )
    if axis["kind"] == "level":
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=axis["values"])
    elif axis["log"]:
        figure.update_xaxes(type="log")
    return figure


def _band(figure: go.Figure, places: Sequence[Any], points: Sequence[Json], level: float) -> None:
    edge = {"width": 0}
    figure.add_scatter(
        x=places,
        y=[one["high"] for one in points],
        mode="lines",
        line=edge,
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=places,
        y=[one["low"] for one in points],
        mode="lines",
        line=edge,
        fill="tonexty",
        fillcolor=BAND,
        hoverinfo="skip",
        name=f"{level:.0%} interval",
    )
    figure.add_scatter(
        x=places,
        y=[one["mean"] for one in points],
        customdata=[(one["low"], one["high"]) for one in points],
        mode="lines",
        line={"color": OURS, "width": 3},
        hovertemplate="%{x}: %{y:.4g}<br>%{customdata[0]:.4g} to %{customdata[1]:.4g}<extra></extra>",
        name="expected",
    )


def _marks(figure: go.Figure, places: Sequence[Any], points: Sequence[Json], level: float) -> None:
    figure.add_scatter(
        x=places,
        y=[one["mean"] for one in points],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [one["high"] - one["mean"] for one in points],
            "arrayminus": [one["mean"] - one["low"] for one in points],
        },
        mode="markers",
        marker={"color": OURS, "size": 9},
        text=[one["candidate_id"] for one in points],
        hovertemplate="%{text} %{x}: %{y:.4g}<extra></extra>",
        name=f"expected, {level:.0%} interval",
    )


def _results(figure: go.Figure, told: Json) -> None:
    """Results: in full near the slice, faint where they differ from it by much; only on it where that is a level."""
    for near, colour, name in ((False, FAINT, "measured farther off"), (True, OTHER, "measured near it")):
        shown = [one for one in told["measured"] if (one["apart"] <= _NEAR) == near and one["apart"] < 1.0]
        if not shown:
            continue
        figure.add_scatter(
            x=[one["at"][0] for one in shown],
            y=[one["value"] for one in shown],
            error_y={
                "type": "data",
                "array": [one["standard_error"] or 0.0 for one in shown],
                "thickness": 1 if near else 0,
                "width": 0,
            },
            mode="markers",
            marker={
                "color": colour,
                "size": 9 if near else 6,
                "symbol": "diamond-open" if near else "circle",
            },
            text=[one["candidate_id"] for one in shown],
            customdata=[one["apart"] for one in shown],
            hovertemplate="%{text}<br>measured %{y:.4g}; differs by %{customdata:.0%} of a range<extra></extra>",
            name=name,
        )


def map_of(told: Json, *, width_of_interval: bool = False) -> go.Figure:
    """What is expected over two parameters, with results near the map; or how wide its interval is."""
    across, up = _axis(told, 0), _axis(told, 1)
    x, y = _coordinates(told, 0, across), _coordinates(told, 1, up)
    z: list[list[float | None]] = [[None] * len(x) for _ in y]
    words = [[""] * len(x) for _ in y]
    column, row = ({value: n for n, value in enumerate(values)} for values in (x, y))
    for one in told["points"]:
        at = row[one["at"][1]], column[one["at"][0]]
        z[at[0]][at[1]] = one["high"] - one["low"] if width_of_interval else one["mean"]
        words[at[0]][at[1]] = (
            f"{one['candidate_id']}<br>{one['mean']:.4g}, from {one['low']:.4g} to {one['high']:.4g}"
        )
    figure = figure_of(label_of(across["name"]), label_of(up["name"]), _height(up, y))
    figure.add_heatmap(
        x=x,
        y=y,
        z=z,
        text=words,
        colorscale="Cividis" if width_of_interval else "Viridis",
        colorbar={"title": {"text": _value(told), "side": "right"}, "thickness": 14},
        hovertemplate="%{x}, %{y}<br>%{text}<extra></extra>",
    )
    near = [one for one in told["measured"] if one["apart"] <= _NEAR]
    white = {"color": "white", "size": 8, "line": {"width": 1.5, "color": "#333333"}}
    _spots(figure, [one["at"] for one in near], near, white, "measured near it")
    centre = told["centre"]
    if all(name in centre["at"] for name in told["along"]):
        star = {"color": OTHER, "size": 15, "symbol": "star", "line": {"width": 1, "color": "white"}}
        _spots(figure, [[centre["at"][name] for name in told["along"]]], [centre], star, _named(centre))
    for axis, update in ((across, figure.update_xaxes), (up, figure.update_yaxes)):
        if axis["kind"] == "level":
            update(type="category", categoryorder="array", categoryarray=axis["values"])
        elif axis["log"]:
            update(type="log")
    return figure


def _spots(
    figure: go.Figure, places: Sequence[Sequence[Any]], shown: Sequence[Json], marker: Json, name: str
) -> None:
    figure.add_scatter(
        x=[place[0] for place in places],
        y=[place[1] for place in places],
        mode="markers",
        marker=dict(marker),
        text=[one["candidate_id"] for one in shown],
        customdata=[one.get("value", one.get("mean")) for one in shown],
        hovertemplate="%{text}: %{customdata:.4g}<extra></extra>",
        name=name,
    )


def _coordinates(told: Json, at: int, axis: Json) -> list[Any]:
    there = {one["at"][at] for one in told["points"]}
    return [one for one in axis["values"] if one in there] if axis["kind"] == "level" else sorted(there)


def _height(up: Json, y: Sequence[Any]) -> int:
    return max(HEIGHT, 100 + _PIECE * len(y)) if up["kind"] == "level" and len(y) <= _FEW else HEIGHT + 60


def importances(told: Sequence[Json], unit: str, *, change: bool = False) -> go.Figure:
    """How much each parameter matters, most at the top, with 95 % intervals.

    Args:
        change: typical changes in the target's unit in place of shares.
    """
    name = "change" if change else "share"
    shown = sorted(told, key=lambda one: float(one[name]))[-MOST_BARS:]
    said = f"typical change ({unit})" if unit else "typical change"
    figure = figure_of(said if change else "share of the differences", "", 90 + _PIECE * max(4, len(shown)))
    figure.add_bar(
        orientation="h",
        x=[one[name] for one in shown],
        y=[label_of(one["name"]) for one in shown],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [one[f"{name}_high"] - one[name] for one in shown],
            "arrayminus": [one[name] - one[f"{name}_low"] for one in shown],
            "color": "grey",
            "thickness": 1.5,
        },
        marker={"color": OURS},
        customdata=[(one[f"{name}_low"], one[f"{name}_high"]) for one in shown],
        hovertemplate="%{y}: %{x:.3g}<br>%{customdata[0]:.3g} to %{customdata[1]:.3g}<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(margin={"t": 15})
    figure.update_yaxes(type="category")
    figure.update_xaxes(rangemode="tozero", tickformat=None if change else ".0%")
    return figure


def _axis(told: Json, at: int) -> Json:
    return next(axis for axis in told["axes"] if axis["name"] == told["along"][at])


def _value(told: Json) -> str:
    unit = next(one["unit"] for one in told["targets"] if one["name"] == told["target"])
    name = told["target"].replace("_", " ")
    return f"{name} ({unit})" if unit else name


def _named(centre: Json) -> str:
    return "the best so far" if centre["what"] == "best" else str(centre["candidate_id"])
