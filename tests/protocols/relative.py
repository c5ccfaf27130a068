"""Readings of plates with samples beside a reference, of which the truth is known: progress curves and end points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lab.interfaces import Document, RunRecord
from lab.types import Layout, Origin, WellUse
from tests.protocols.bench import CANDIDATES, WELLS

TRUTH = {c.id: (n % 20) / 20 for n, c in enumerate(CANDIDATES)} | {"WT": 1.0}

RATE_PER_S, BLANK_PER_S, CLEAR = 1.5e-4, 2e-6, 0.08
"""Absorbance a second of the reference and of the blank, and of both before anything happened."""
READING_SD, PIPETTING_CV, PREPARATION_CV = 0.002, 0.03, 0.05

LIGHT, DARKNESS, LIGHT_SD = 30_000.0, 2_000.0, 60.0


@dataclass
class Plate:
    """What a reader would show of the one plate of a layout.

    Args:
        truth: content -> signal over the reference's.
        traces: well -> what to show in the place of the simulated curve, one number a reading.
        values: well -> the same of an end point.
        substrate: absorbance at which a curve ends; infinite for straight ones.
        before_s: time that a reaction had before the first reading.
    """

    layout: Layout
    truth: Mapping[str, float]
    rng: np.random.Generator
    traces: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    saturated: frozenset[str] = frozenset()
    substrate: float = np.inf
    before_s: float = 60.0
    role: str = "assay"

    def strengths(self) -> dict[WellUse, float]:
        """Signal of each well over the reference's: one deviation for each preparation, one for each well."""
        prepared: dict[str, float] = {}
        found = {}
        for use in self.layout.wells:
            if use.content not in prepared:
                prepared[use.content] = float(self.rng.normal(1.0, PREPARATION_CV))
            true = 0.0 if use.kind == "blank" else self.truth[use.content]
            found[use] = true * prepared[use.content] * float(self.rng.normal(1.0, PIPETTING_CV))
        return found

    def curves(self, readings: int, interval_s: float) -> RunRecord:
        """A run that read the plate's absorbance again and again."""
        times_s = self.before_s + interval_s * np.arange(readings)
        shown = self.rng.normal(0.04, 0.001, (readings, 96))
        for use, strength in self.strengths().items():
            straight = (RATE_PER_S * strength + BLANK_PER_S) * times_s
            bent = (
                straight
                if np.isinf(self.substrate)
                else self.substrate * -np.expm1(-straight / self.substrate)
            )
            noise = self.rng.normal(0.0, READING_SD, readings)
            shown[:, WELLS.index(use.well)] = CLEAR + bent + noise
        for well, trace in self.traces.items():
            shown[:, WELLS.index(well)] = trace
        return self._record("absorbance_kinetic", shown[-1], shown)

    def end_points(self, stream: str = "fluorescence") -> RunRecord:
        """A run that read the plate once."""
        shown = self.rng.normal(0.0, 10.0, 96)
        for use, strength in self.strengths().items():
            shown[WELLS.index(use.well)] = DARKNESS + LIGHT * strength + self.rng.normal(0.0, LIGHT_SD)
        for well, value in self.values.items():
            shown[WELLS.index(well)] = value
        return self._record(stream, shown, shown[None, :])

    def _record(self, stream: str, value: np.ndarray, cycles: np.ndarray) -> RunRecord:
        data: dict[str, Any] = {
            "reader-value": value,
            "reader-cycles": cycles.ravel(),
            "reader-saturated": np.array([well in self.saturated for well in WELLS]),
            "reader-plate": self.layout.labware[self.role],
            "reader-lab_time_s": 1000.0,
        }
        configuration = {"reader": {"data": {"reader-rows": 8, "reader-columns": 12}}}
        documents: tuple[Document, ...] = (
            ("start", {"uid": "run"}),
            ("descriptor", {"uid": "stream", "name": stream, "configuration": configuration}),
            ("event", {"descriptor": "stream", "data": data}),
            ("stop", {"exit_status": "success"}),
        )
        return RunRecord(run_id="run_1", layout=self.layout, documents=documents, origin=Origin.TWIN)
