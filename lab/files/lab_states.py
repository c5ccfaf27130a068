"""The states of a lab: a small YAML file that a person or another program keeps, and that interlocks look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.files.source import Problems, read_source
from lab.files.yaml_text import read_yaml

__all__ = ["read_states"]


def read_states(path: Path) -> Mapping[str, str | bool | float]:
    """State -> its value: text, a truth value or a number, as ``door: closed``.

    Raises:
        CampaignFileError: it is not there, can't be read, or holds something else.
    """
    source, values = read_yaml(read_source(path, "file of lab states"))
    problems = Problems(source)
    states: dict[str, str | bool | float] = {}
    for name, value in values.items():
        if isinstance(value, str | bool | float | int):
            states[name] = value
        else:
            problems.add(
                name, f"The state {name} is no single value.", "Write a line such as `door: closed`."
            )
    problems.raise_if_any()
    return states
