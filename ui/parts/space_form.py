"""The form of a space: values with bounds or levels, amounts of a mixture, sites of a sequence, and constraints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

__all__ = ["rows_of", "space_form"]


def space_form(alphabets: Sequence[str]) -> dict[str, Any]:
    """A space of values as it is filled in: values, amounts of a mixture, sites of a sequence, and constraints.

    Args:
        alphabets: of sequences.
    """
    st.caption("A row for each value: bounds of a number, or levels to choose from.")
    rows = rows_of(
        "form_space",
        {
            "name": st.column_config.TextColumn("name", help="A unit may end it: temperature_c, time_s."),
            "low": st.column_config.NumberColumn("from"),
            "high": st.column_config.NumberColumn("to"),
            "reference": st.column_config.TextColumn("reference", help="Of the control on every plate."),
            "log": st.column_config.CheckboxColumn("by factors", default=False),
            "integer": st.column_config.CheckboxColumn("whole numbers", default=False),
            "levels": st.column_config.TextColumn("or levels", help="Apart by commas."),
        },
    )
    parameters: dict[str, Any] = {}
    reference: dict[str, float | str] = {}
    for row in rows:
        name = str(row.get("name") or "").strip()
        if not name:
            continue
        if row.get("levels"):
            parameters[name] = {"levels": [_value(one) for one in str(row["levels"]).split(",")]}
        else:
            parameters[name] = {
                "low": row.get("low"),
                "high": row.get("high"),
                "log": row.get("log") or None,
                "integer": row.get("integer") or None,
            }
        if row.get("reference"):
            reference[name] = _value(str(row["reference"]))
    with st.expander("Amounts that make up a whole"):
        mixture = _mixture(reference)
    with st.expander("Letters of a sequence"):
        sites = _sites(alphabets)
    with st.expander("Sums that must keep to bounds"):
        constraints = _constraints()
    return {
        "space": {
            "parameters": parameters,
            "mixture": mixture,
            "sites": sites,
            "constraints": constraints,
            "reference": {"values": reference} if reference else None,
        }
    }


def _mixture(reference: dict[str, float | str]) -> dict[str, Any] | None:
    """None where fewer than two ingredients are named. What the control has of each goes into the reference."""
    rows = rows_of(
        "form_mixture",
        {
            "ingredient": st.column_config.TextColumn("ingredient"),
            "most": st.column_config.NumberColumn("at most", min_value=0.0),
            "reference": st.column_config.NumberColumn("reference", help="Of the control on every plate."),
        },
    )
    named = {str(row.get("ingredient") or "").strip(): row for row in rows}
    named.pop("", None)
    columns = st.columns(4)
    total = columns[0].number_input("Together", value=1.0, min_value=1e-9, format="%g", key="form_total")
    at_most = columns[1].number_input(
        "At most so many",
        value=None,
        min_value=1,
        step=1,
        key="form_ingredients",
        help="Ingredients at once.",
    )
    least = columns[2].number_input(
        "At least, where any", value=0.0, min_value=0.0, format="%g", key="form_least"
    )
    steps = columns[3].number_input(
        "In steps of", value=0.0, min_value=0.0, format="%g", key="form_steps", help="0 for any amount."
    )
    if not named:
        return None
    reference.update({name: row["reference"] for name, row in named.items() if "reference" in row})
    return {
        "ingredients": list(named),
        "total": total,
        "at_most": at_most,
        "least": least or None,
        "most": {name: row["most"] for name, row in named.items() if "most" in row},
        "resolution": steps or None,
    }


def _sites(alphabets: Sequence[str]) -> dict[str, Any] | None:
    """None where no parent is given."""
    alphabet = st.selectbox("Alphabet", alphabets, key="form_site_alphabet")
    parent = "".join(st.text_area("Parent sequence", key="form_site_parent", height=80).split())
    left, middle, right = st.columns(3)
    positions = left.text_input(
        "Positions", key="form_positions", help="Counted from 1, apart by commas: 39, 40, 41."
    )
    letters = middle.text_input(
        "Letters that may stand there", key="form_site_letters", help="All, if empty."
    )
    changes = right.number_input("Changes at most", value=None, min_value=1, step=1, key="form_changes")
    if not parent:
        return None
    return {
        "alphabet": alphabet,
        "parent": parent,
        "positions": [_value(one) for one in positions.split(",") if one.strip()],
        "letters": letters.strip() or None,
        "at_most": changes,
    }


def _constraints() -> list[dict[str, Any]]:
    st.caption("A row for each sum. Weights are written as `glycerol: 1, sucrose: 2`.")
    rows = rows_of(
        "form_constraints",
        {
            "sum": st.column_config.TextColumn("sum of", width="medium"),
            "at_least": st.column_config.NumberColumn("at least"),
            "at_most": st.column_config.NumberColumn("at most"),
        },
    )
    return [{**row, "sum": _weights(str(row["sum"]))} for row in rows if str(row.get("sum") or "").strip()]


def _weights(written: str) -> dict[str, float | str]:
    """``glycerol: 1, sucrose: 2``; a name without a weight has 1."""
    weights: dict[str, float | str] = {}
    for one in written.split(","):
        name, colon, weight = one.partition(":")
        if name.strip():
            weights[name.strip()] = _value(weight) if colon else 1.0
    return weights


def _value(written: str) -> float | str:
    try:
        return float(written)
    except ValueError:
        return written.strip()


_KEPT = {"number": "float64", "checkbox": "boolean"}
"""What a column of a table holds; text where it says nothing else. A table without rows must say so."""


def rows_of(key: str, columns: dict[str, Any]) -> list[dict[str, Any]]:
    """A table that a person fills in; rows without what was left empty."""
    kinds = {name: _KEPT.get(column["type_config"]["type"], "object") for name, column in columns.items()}
    filled = st.data_editor(
        pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()}),
        key=key,
        column_config=columns,
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        placeholder="",
    )
    rows = filled.to_dict("records")
    return [{str(name): one for name, one in row.items() if not pd.isna(one)} for row in rows]
