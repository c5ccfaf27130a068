"""What is wrong with what was filled in, said at the field that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lab.client import Refused
from ui.parts.showing import spoken

__all__ = ["Wrong"]

Json = Mapping[str, Any]

_MOST = 5


class Wrong:
    """What was refused when a form was tried out last; each of it is said once.

    Args:
        refused: None where nothing was.
    """

    def __init__(self, refused: Refused | None) -> None:
        self._left: list[Json] = []
        if refused is not None:
            first = {"field": refused.field, "sentence": refused.sentence, "way_out": refused.way_out}
            self._left = [first, *refused.others]
        self._said = 0

    def within(self, field: str) -> bool:
        """Whether anything in a part of the form is wrong that was not said yet."""
        return any(_is_in(one, field) for one in self._left)

    def say(self, *fields: str) -> None:
        """Say what is wrong with these fields, or with parts of them."""
        found = [one for one in self._left if any(_is_in(one, field) for field in fields)]
        self._left = [one for one in self._left if one not in found]
        self._said += len(found)
        with (
            st.container()
        ):  # there in any case: what comes below it keeps its place, and with it what was unfolded
            _show(found)

    def say_rest(self) -> None:
        """Say what is wrong beside that, and that there is something to be seen above."""
        if self._said:
            several = f"{self._said} fields have" if self._said > 1 else "A field has"
            st.error(f"{several} to be changed first; it is said there.")
        _show(self._left)


def _is_in(one: Json, field: str) -> bool:
    return f"{one['field'] or ''}.".startswith(f"{field}.")


def _show(found: Sequence[Json]) -> None:
    for one in found[:_MOST]:
        st.error(spoken(f"{one['sentence']} {one['way_out']}"))
    if len(found) > _MOST:
        st.caption(f"{len(found) - _MOST} more of this kind.")
