"""The robot's OpenAPI document, against which requests and answers can be held."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from typing import Any

import pytest

from tests.project.source_tree import REPOSITORY

FILE = REPOSITORY.parent / "shared" / "data" / "opentrons_http" / "openapi_8.1.0.json"


@cache
def document() -> dict[str, Any]:
    """The document; a test that needs it is skipped where it is not, and fails there on CI."""
    if not FILE.is_file():
        sentence = f"The robot's OpenAPI document is not there: {FILE.name}."
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return json.loads(FILE.read_text(encoding="utf-8"))


def operation(method: str, path: str) -> dict[str, Any]:
    """What the document says of a request."""
    for template, methods in document()["paths"].items():
        pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(template).replace("\\/", "/"))
        if re.fullmatch(pattern, path) and method.lower() in methods:
            return methods[method.lower()]
    raise AssertionError(f"the robot's API has no {method} {path}")


def hold(schema: dict[str, Any], value: Any, what: str) -> None:
    """Hold a value against a schema of the document."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    validator = Draft202012Validator({**schema, "components": document()["components"]})
    error = best_match(validator.iter_errors(value))
    assert error is None, f"{what}: {error.message} at {list(error.absolute_path)}"


def hold_exchange(method: str, path: str, query: dict[str, str], body: Any, status: int, answer: Any) -> None:
    """Hold one request and its answer against the document."""
    told = operation(method, path)
    known = {parameter["name"]: parameter for parameter in told.get("parameters", ())}
    for name, text in query.items():
        assert known.get(name, {}).get("in") == "query", f"{method} {path} takes no {name}"
        value = text if known[name]["schema"]["type"] == "string" else json.loads(text)
        hold(known[name]["schema"], value, f"{name} of {method} {path}")
    content = told.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        hold(content["application/json"]["schema"], body, f"request {method} {path}")
    assert str(status) in told["responses"], f"{method} {path} never answers {status}"
    schema = told["responses"][str(status)]["content"]["application/json"]["schema"]
    hold(schema, answer, f"answer {status} to {method} {path}")
