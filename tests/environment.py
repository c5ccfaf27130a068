"""What tests need of the machine they run on."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

__all__ = ["in_ci", "skip_or_fail"]


def in_ci() -> bool:
    """Whether this is CI, where nothing a test needs may be missing."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test whose program or data is not on this machine; in CI, fail it: there it should have been installed."""
    if in_ci():
        pytest.fail(f"{reason} (CI installs it)", pytrace=False)
    pytest.skip(reason)
