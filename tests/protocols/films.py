"""A bench of inks, and spectra of a plate of their films of which the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from devices.labware import labware_type, make_labware
from lab.bench import Bench, Labware, Position
from lab.interfaces import Document, RunRecord
from lab.types import Campaign, Layout, Origin, ProtocolChoice
from tests.protocols.blends import BLENDS, MATERIALS, STANDARD, make_blend_campaign

FloatArray = npt.NDArray[np.float64]

NM = np.linspace(360.0, 960.0, 151)
PEAKS_NM = {"red": 480.0, "green": 620.0, "blue": 700.0}
LAMP_W = 1e-6
FLOOR_W = 3e-10


def make_ink_bench(*, tips: int = 96, library_ul: float = 50_000.0, plates: int = 4) -> Bench:
    """Troughs of three inks and a solvent, a deck with one free place, furnace, chamber, spectrometer, and a reader.

    Args:
        library_ul: in each trough; called as in the other benches, so that tests can ask any for little material.
    """
    contents = (*MATERIALS, "solvent")
    racks = ("tips_50ul", *["tips_300ul"] * 2)
    positions = [
        *(Position(name=f"deck_tips_{n}", device="handler") for n, _ in enumerate(racks)),
        *(Position(name=f"deck_{content}", device="handler") for content in contents),
        Position(name="deck_plate", device="handler"),
        *(
            Position(name=name, device=name)
            for name in ("shaker", "furnace", "spectrometer", "chamber", "reader")
        ),
        *(Position(name=f"hotel_{n}", device="arm", home=True) for n in range(1, plates + 1)),
    ]
    labware: list[Labware] = [
        make_labware(f"films_{n}", labware_type("quartz_plate_96"), f"hotel_{n}")
        for n in range(1, plates + 1)
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


def make_film_campaign() -> Campaign:
    return replace(make_blend_campaign(), protocol=ProtocolChoice(name="film_ageing"))


def band(material: str) -> FloatArray:
    """Absorbance of a pure film that is dry."""
    found: FloatArray = np.exp(-(((NM - PEAKS_NM[material]) / 60.0) ** 2))
    return found


SHARES = {c.id: {name: float(c.values[name]) for name in MATERIALS} for c in (STANDARD, *BLENDS)} | {
    f"pure {name}": {name: 1.0} for name in MATERIALS
}
"""Content -> share of each material."""


@dataclass
class Looks:
    """What a spectrometer would show of a plate of films before and after it has aged.

    Args:
        degradation: content -> share of its colour that it loses.
        strength: of all films, where 1 is an absorbance of 1 for a pure one.
        haze: scattering of every film at 550 nm.
        pipetting_cv: of what is in a film, which both looks see.
        stretch_cv: of how light falls through a film, in each look.
        floor_w: noise of power.
        seen: (state, well) -> absorbance to put in the place of the simulated one.
    """

    layout: Layout
    degradation: Mapping[str, float]
    rng: np.random.Generator
    strength: float = 1.0
    haze: float = 0.0
    pipetting_cv: float = 0.03
    stretch_cv: float = 0.01
    floor_w: float = FLOOR_W
    seen: Mapping[tuple[str, str], FloatArray] = field(default_factory=dict)

    def record(
        self, states: Sequence[str] = ("fresh", "aged"), barred: Mapping[str, str] | None = None
    ) -> RunRecord:
        """A run in which the plate was looked at in these states."""
        filled = {use.well: self.rng.normal(1.0, self.pipetting_cv) for use in self.layout.wells}
        documents: list[Document] = [("start", {"uid": "run"})]
        for n, state in enumerate(states):
            documents.append(("descriptor", {"uid": state, "name": f"spectra_{state}"}))
            power = [self.power_w(self.absorbance(state, use.well, filled)) for use in self.layout.wells]
            data = {
                "spectrometer-power_w": np.concatenate(power),
                "spectrometer-wells": [use.well for use in self.layout.wells],
                "spectrometer-wavelength_nm": NM,
                "spectrometer-plate": self.layout.labware["plate"],
                "spectrometer-lab_time_s": 1000.0 * (n + 1),
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

    def power_w(self, absorbance: FloatArray) -> FloatArray:
        """Through a film, by a lamp that is never quite as bright as before."""
        light: FloatArray = LAMP_W * self.rng.normal(1.0, 0.002) * 10.0 ** -(0.04 + absorbance)
        noisy: FloatArray = light + self.rng.normal(0.0, self.floor_w, NM.size)
        return noisy

    def absorbance(self, state: str, well: str, filled: Mapping[str, float]) -> FloatArray:
        """Of one film."""
        if (state, well) in self.seen:
            return self.seen[state, well]
        (use,) = (use for use in self.layout.wells if use.well == well)
        if use.kind == "blank":
            return np.zeros_like(NM)
        left = 1.0 - self.degradation.get(use.content, 0.0) if state == "aged" else 1.0
        colour = sum((share * band(name) for name, share in SHARES[use.content].items()), np.zeros_like(NM))
        haze = self.haze * (550.0 / NM) ** 4
        stretch = self.rng.normal(1.0, self.stretch_cv)
        found: FloatArray = stretch * filled[well] * self.strength * (left * colour + haze)
        return found
