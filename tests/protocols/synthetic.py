"""Plate readings of which the truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lab.interfaces import Document, RunRecord
from lab.types import Layout, Origin
from tests.protocols.bench import WELLS

BACKGROUND, BRIGHTNESS = 9_000.0, 60_000.0
BACKGROUND_SD, PIPETTING_CV = 250.0, 0.04


@dataclass
class Plates:
    """What a reader would show of the plates of a layout.

    Args:
        strength: content -> signal of the unheated wells, in units of ``BRIGHTNESS``; 1 where not given.
        share: content -> what heating leaves of it, by role where roles differ.
        seen: (role, well) -> reading to put in the place of the simulated one.
    """

    layout: Layout
    share: Mapping[str, float | Mapping[str, float]]
    rng: np.random.Generator
    strength: Mapping[str, float] = field(default_factory=dict)
    seen: Mapping[tuple[str, str], float] = field(default_factory=dict)
    saturated: frozenset[tuple[str, str]] = frozenset()
    untreated: str = "unheated"
    pipetting_cv: float = PIPETTING_CV

    def optics(self, labware: str) -> tuple[np.ndarray, np.ndarray]:
        """Reading and saturation of one plate, row-major."""
        role = next(role for role, name in self.layout.labware.items() if name == labware)
        value = self.rng.normal(0.0, 50.0, 96)
        for use in self.layout.wells:
            if use.labware == labware:
                signal = 0.0 if use.kind == "blank" else BRIGHTNESS * self.strength.get(use.content, 1.0)
                signal *= 1.0 if role == self.untreated else self._left(use.content, role)
                signal *= self.rng.normal(1.0, self.pipetting_cv)
                value[WELLS.index(use.well)] = BACKGROUND + signal + self.rng.normal(0.0, BACKGROUND_SD)
        full = np.zeros(96, dtype=bool)
        for (at, well), reading in self.seen.items():
            if at == role:
                value[WELLS.index(well)] = reading
        for at, well in self.saturated:
            full[WELLS.index(well)] |= at == role
        return value, full

    def _left(self, content: str, role: str) -> float:
        share = self.share.get(content, 0.0)
        return share if isinstance(share, float | int) else share[role]

    def record(self, roles: tuple[str, ...]) -> RunRecord:
        """A run that read the plates of these roles."""
        documents: list[Document] = [
            ("start", {"uid": "run"}),
            (
                "descriptor",
                {
                    "uid": "stream",
                    "name": "fluorescence",
                    "configuration": {"reader": {"data": {"reader-rows": 8, "reader-columns": 12}}},
                },
            ),
        ]
        for n, role in enumerate(roles):
            value, full = self.optics(self.layout.labware[role])
            data = {
                "reader-value": value,
                "reader-saturated": full,
                "reader-plate": self.layout.labware[role],
                "reader-lab_time_s": 1000.0 * (n + 1),
            }
            documents.append(("event", {"descriptor": "stream", "data": data}))
        documents.append(("stop", {"exit_status": "success"}))
        return RunRecord(run_id="run_1", layout=self.layout, documents=tuple(documents), origin=Origin.TWIN)
