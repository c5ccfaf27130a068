"""Opentrons' own software, for tests that let it judge what we write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from devices.opentrons_robot.analysis import analyse, analyser_python


def analysed(text: str) -> Mapping[str, Any]:
    """Its analysis of a protocol; a test that needs it is skipped where it is not installed, and fails there on CI."""
    need_software()
    return analyse("protocol.py", text.encode())


def need_software() -> None:
    if analyser_python() is None:
        sentence = "Opentrons' software is not installed: make opentrons-env."
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
