"""A bench of stocks, blends of them, and readings of a plate of blends of which the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from devices.labware import labware_type, make_labware
from lab.bench import Bench, Labware, Position
from lab.interfaces import Document, RunRecord
from lab.types import (
    Batch,
    Campaign,
    Candidate,
    Experiment,
    Goal,
    JsonValue,
    Layout,
    Origin,
    PlannerChoice,
    ProtocolChoice,
    Reason,
)
from tests.protocols.bench import WELLS

MATERIALS = ("red", "green", "blue")


def _blends() -> tuple[Candidate, ...]:
    """All blends in steps of a tenth, but for the reference."""
    shares = [(r, g, 10 - r - g) for r in range(11) for g in range(11 - r)]
    named = [dict(zip(MATERIALS, (s / 10 for s in three), strict=True)) for three in shares]
    return tuple(
        Candidate(id=f"blend_{n}", values=values)
        for n, values in enumerate(named, start=1)
        if values != dict(STANDARD.values)
    )


STANDARD = Candidate(id="standard", values={"red": 0.5, "green": 0.0, "blue": 0.5})
BLENDS = _blends()
TRUTH = {c.id: (n % 20) / 25 for n, c in enumerate(BLENDS)} | {"standard": 0.2}


def make_stock_bench(
    *, tips: int = 96, library_ul: float = 50_000.0, plates: int = 4, lids: int = 1
) -> Bench:
    """Troughs of three stocks and a solvent, a deck with one free place, the usual instruments.

    Args:
        library_ul: in each trough; called as in the other bench, so that tests can ask either for little material.
    """
    contents = (*MATERIALS, "solvent")
    racks = ("tips_50ul", *["tips_300ul"] * 2)
    positions = [
        *(Position(name=f"deck_tips_{n}", device="handler") for n, _ in enumerate(racks)),
        *(Position(name=f"deck_{content}", device="handler") for content in contents),
        Position(name="deck_plate", device="handler"),
        *(Position(name=name, device=name) for name in ("thermocycler", "shaker", "reader")),
        *(Position(name=f"hotel_{n}", device="arm", home=True) for n in range(1, plates + 1)),
        *(Position(name=f"lids_{n}", device="arm", home=True) for n in range(1, lids + 1)),
    ]
    labware: list[Labware] = [
        make_labware(f"blends_{n}", labware_type("pcr_plate_96"), f"hotel_{n}") for n in range(1, plates + 1)
    ]
    labware += [
        make_labware(f"lid_{n}", labware_type("auto_sealing_lid"), f"lids_{n}") for n in range(1, lids + 1)
    ]
    for n, kind in enumerate(racks):
        rack = make_labware(f"tips_{n}", labware_type(kind), f"deck_tips_{n}")
        rack.tips = rack.tips[:tips]
        labware.append(rack)
    labware += [
        make_labware(
            content, labware_type("trough_60ml"), f"deck_{content}", contents={"A1": (content, library_ul)}
        )
        for content in contents
    ]
    return Bench(positions, labware)


def make_blend_campaign(
    candidates: Sequence[Candidate] = BLENDS, reference: Candidate = STANDARD, **parameters: JsonValue
) -> Campaign:
    return Campaign(
        id="cmp_blends",
        name="blends",
        goal=Goal(target="degradation", direction="minimize"),
        candidates=tuple(candidates),
        reference=reference,
        planner=PlannerChoice(name="random"),
        protocol=ProtocolChoice(name="formulation_ageing", parameters=parameters),
        budget=24,
        batch_size=12,
        seed=7,
        workcell="paper",
    )


def make_blend_batch(chosen: Sequence[Candidate] = BLENDS[4:64:5]) -> Batch:
    experiments = tuple(
        Experiment(id=f"exp_{n}", candidate=c, reason=Reason(planner="random", sentence="drawn"))
        for n, c in enumerate(chosen)
    )
    return Batch(id="bat_1", campaign_id="cmp_blends", number=1, experiments=experiments)


@dataclass
class Readings:
    """What a reader would show of a plate before and after it has aged.

    Args:
        degradation: content -> share of its absorbance that it loses.
        pipetting_cv: of what is in a well, which both readings see.
        reading_cv: of a reading.
        seen: (state, well) -> reading to put in the place of the simulated one.
    """

    layout: Layout
    degradation: Mapping[str, float]
    rng: np.random.Generator
    pipetting_cv: float = 0.03
    reading_cv: float = 0.01
    seen: Mapping[tuple[str, str], float] = field(default_factory=dict)
    saturated: frozenset[tuple[str, str]] = frozenset()

    def record(
        self, states: Sequence[str] = ("fresh", "aged"), barred: Mapping[str, str] | None = None
    ) -> RunRecord:
        """A run that read the plate in these states."""
        filled = {
            use.well: 0.0 if use.kind == "blank" else self.rng.normal(1.0, self.pipetting_cv)
            for use in self.layout.wells
        }
        documents: list[Document] = [("start", {"uid": "run"})]
        for n, state in enumerate(states):
            configuration = {"reader": {"data": {"reader-rows": 8, "reader-columns": 12}}}
            descriptor = {"uid": state, "name": f"absorbance_{state}", "configuration": configuration}
            documents.append(("descriptor", descriptor))
            value, full = self._optics(state, filled)
            data = {
                "reader-value": value,
                "reader-saturated": full,
                "reader-plate": self.layout.labware["plate"],
                "reader-lab_time_s": 1000.0 * (n + 1),
            }
            documents.append(("event", {"descriptor": state, "data": data}))
        documents.append(("stop", {"exit_status": "success"}))
        return RunRecord(
            run_id="run_1",
            layout=self.layout,
            documents=tuple(documents),
            origin=Origin.TWIN,
            barred=barred or {},
        )

    def _optics(self, state: str, filled: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        value = self.rng.normal(0.04, 0.002, 96)
        for use in self.layout.wells:
            left = 1.0 - self.degradation.get(use.content, 0.0) if state == "aged" else 1.0
            signal = filled[use.well] * left * self.rng.normal(1.0, self.reading_cv)
            value[WELLS.index(use.well)] += signal
        full = np.zeros(96, dtype=bool)
        for (at, well), reading in self.seen.items():
            if at == state:
                value[WELLS.index(well)] = reading
        for at, well in self.saturated:
            full[WELLS.index(well)] |= at == state
        return value, full
