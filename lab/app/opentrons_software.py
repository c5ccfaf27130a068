"""Whether Opentrons' own software is on this machine."""

from __future__ import annotations

from pathlib import Path

from devices.opentrons_robot.analysis import analyser_python

__all__ = ["opentrons_software"]


def opentrons_software() -> Path | None:
    """The Python that has it, for analysing protocol files; None where there is none."""
    return analyser_python()
