"""Numbers for a person and for a program."""

from __future__ import annotations

import json
import math

import pytest

from lab.cli.text import print_json


def test_numbers_that_are_not_finite_are_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {"value": math.nan, "deep": [{"error": math.inf}, (-math.inf, 0.5)], "n": 3, "ok": True, "no": None}
    )
    assert json.loads(capsys.readouterr().out) == {
        "value": None,
        "deep": [{"error": None}, [None, 0.5]],
        "n": 3,
        "ok": True,
        "no": None,
    }
