"""Fluorescence detectors by the name of the reader they are in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from digital_twin.physics.optics import FLUORESCENCE_DETECTOR, FluorescenceDetector

__all__ = ["DETECTORS"]

DETECTORS: Mapping[str, FluorescenceDetector] = MappingProxyType(
    {
        "clariostar": FLUORESCENCE_DETECTOR,
        # A 16-bit converter and gains to 255: the same light fills the same share of its range at gain 100.
        "infinite": FluorescenceDetector(
            rfu_per_emitted_share=2.4e6,
            reference_gain=100.0,
            photoelectrons_per_rfu=0.8,
            dark_rfu=8.0,
            flash_cv=0.01,
            ceiling_rfu=60_000.0,
        ),
        # Shows up to 99 999 units; at the one gain that is used about as bright as the others.
        "synergy": FluorescenceDetector(
            rfu_per_emitted_share=4.0e6,
            reference_gain=100.0,
            photoelectrons_per_rfu=0.5,
            dark_rfu=10.0,
            flash_cv=0.01,
            ceiling_rfu=99_999.0,
        ),
    }
)
"""Figures that are not the maker's are choices, for calibration on a real reader to replace."""
