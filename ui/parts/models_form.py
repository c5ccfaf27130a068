"""The form of models: what is known of candidates before any is measured, and planners go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ui.parts.forms import settings
from ui.parts.showing import literal

__all__ = ["models_form"]

Json = Mapping[str, Any]


def models_form(models: Sequence[Json], letters: str | None) -> list[dict[str, Any]]:
    """Models as a campaign file names them.

    Args:
        models: all that the service knows. Offered are those that planners can go by and that suit the candidates.
        letters: alphabet of the candidates' sequences; None where they have none.
    """
    suited = {one["name"]: one for one in models if one["guides"] and one["letters"] in (None, letters)}
    there = [name for name, one in suited.items() if one["settings"] is not None]
    chosen = st.multiselect(
        "Models",
        there,
        format_func=_spoken,
        key=f"form_models_{letters}",
        help="Their features and scores stand beside what the planner works out itself.",
    )
    lacking = [_spoken(name) for name in suited if name not in there]
    if lacking:
        st.caption(literal(f"Not installed on the machine of the service: {', '.join(lacking)}."))
    found = []
    for name in chosen:
        st.markdown(f"**{_spoken(name)}**")
        found.append({"name": name, "settings": settings(suited[name]["settings"], f"form_model_{name}")})
    return found


def _spoken(name: str) -> str:
    return name.replace("_", " ")
