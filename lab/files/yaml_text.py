"""YAML text to plain values, with the line of every field."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lab.errors import CampaignFileError
from lab.files.source import Problems, SourceFile, line_of
from lab.types import JsonValue

__all__ = ["read_yaml"]


def read_yaml(source: SourceFile) -> tuple[SourceFile, dict[str, JsonValue]]:
    """The values of a YAML file whose top is a mapping.

    Returns:
        The source with its ``lines``, and the values: None, bool, int, float (finite), str, lists and dicts of those.

    Raises:
        CampaignFileError: it is no YAML, a field stands in it twice, or a value is no plain one.
    """
    reader = YAML(typ="safe", pure=True)
    try:
        top = reader.compose(source.text)
    except MarkedYAMLError as error:
        raise _syntax_error(source, error) from error
    except (YAMLError, ValueError) as error:  # ValueError: a number in an escape or a version that is none
        raise source.error("", f"This is not valid YAML: {_first_line(error)}.") from error
    except RecursionError as error:
        raise source.error(
            "", "The file nests lists or fields far too deeply.", "Take the nesting out."
        ) from error
    if not isinstance(top, MappingNode):
        raise source.error(
            "", "The file holds no fields.", "Write fields such as `name: my_campaign`, one to a line."
        )
    walk = _Walk(source, reader)
    values = walk.mapping(top, "")
    problems_at = replace(source, lines=walk.lines)
    walk.problems.raise_if_any()
    return problems_at, values


class _Walk:
    """Goes through the nodes once, and notes lines and problems."""

    def __init__(self, source: SourceFile, reader: YAML) -> None:
        self.lines: dict[str, int] = {}
        self.problems = Problems(source)
        self._reader = reader
        self._seen: set[int] = set()

    def value(self, node: Node, field: str) -> JsonValue:
        if id(node) in self._seen:  # the node is the anchor's: the alias has left no place of its own
            line = line_of(self.lines, field)
            self.problems.add(
                field, "Aliases (`*name`) are not read here.", "Write the value out.", line=line
            )
            return None
        self._seen.add(id(node))
        self.lines.setdefault(field, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self.mapping(node, field)
        if isinstance(node, SequenceNode):
            return [self.value(item, f"{field}[{n}]") for n, item in enumerate(node.value, start=1)]
        return self.scalar(node, field)

    def mapping(self, node: MappingNode, prefix: str) -> dict[str, JsonValue]:
        values: dict[str, JsonValue] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.problems.add(prefix, "The name of a field is one word.", line=line)
                continue
            field = f"{prefix}.{key.value}" if prefix else str(key.value)
            if key.value in values:
                self.problems.add(
                    field,
                    f"{key.value!r} stands here a second time; the first is in line {self.lines[field]}.",
                    "Keep one of them.",
                    line=line,
                )
                continue
            self.lines[field] = line
            values[str(key.value)] = self.value(item, field)
        return values

    def scalar(self, node: Node, field: str) -> JsonValue:
        line = node.start_mark.line + 1
        try:
            value: Any = self._reader.constructor.construct_object(node)
        except (MarkedYAMLError, ValueError, OverflowError) as error:
            self.problems.add(
                field,
                f"{_shorten(str(node.value))} can't be read as a value: {_first_line(error)}.",
                "Put it in quotes if it is text.",
                line=line,
            )
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.problems.add(field, f"{node.value} is not a finite number.", "Write a number.", line=line)
            return None
        if value is not None and not isinstance(value, bool | int | float | str):
            self.problems.add(
                field,
                f"{_shorten(str(node.value))} is read as a {type(value).__name__}.",
                "Put it in quotes if it is text.",
                line=line,
            )
            return None
        return value


def _syntax_error(source: SourceFile, error: MarkedYAMLError) -> CampaignFileError:
    mark = error.problem_mark or error.context_mark
    problem = _first_line(error.problem or error.context or "it can't be read")
    if "'\\t'" in problem:
        way_out = "Indent with spaces, not with tabs."
    elif "mapping values" in problem:
        way_out = "Check the indentation, and put text that holds a colon in quotes."
    elif "another document" in problem:
        problem, way_out = "a second document begins", "Take the line `---` and what follows it out."
    else:
        way_out = "Look at this line and the one before it: brackets, quotes, colons and indentation."
    return source.error(
        "", f"This is not valid YAML: {problem}.", way_out, line=None if mark is None else mark.line + 1
    )


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
