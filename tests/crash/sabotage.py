"""Faults built into the controller on purpose, so that the oracle is seen to catch them: a test that can't fail is none."""

from __future__ import annotations


def commit(name: str) -> None:
    assert not name
