"""What a world asks of the chemistry in its wells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from digital_twin.physics.optics import FluorescenceDetector
from digital_twin.thermal import History
from digital_twin.wells import Wells

__all__ = ["Chemistry"]

FloatArray = npt.NDArray[np.float64]


class Chemistry(Protocol):
    """Species, what becomes of them in time, and how they look. Keeps nothing between calls."""

    def stock(self, content: str, rng: np.random.Generator) -> Mapping[str, float]:
        """True composition of a content of the bench (``T16I``, ``assay_buffer``) as it was filled in one well.

        Args:
            rng: for what differs from well to well (the concentration that a purification gave).

        Returns:
            species -> concentration in umol/L.

        Raises:
            BadInput: the content is not one of this chemistry.
        """
        ...

    def expose(self, wells: Wells, history: History) -> None:
        """Change the amounts in the wells as they change over a temperature history."""
        ...

    def fluorescence_rfu(
        self,
        wells: Wells,
        *,
        excitation_nm: float,
        emission_nm: float,
        gain: float,
        temperature_c: FloatArray,
        detector: FluorescenceDetector,
    ) -> FloatArray:
        """Expected fluorescence of each well before noise and ceiling; 0 in dry wells."""
        ...

    def absorbance(self, wells: Wells, *, wavelength_nm: float) -> FloatArray:
        """True absorbance of each well along the depth of its liquid, without the plate."""
        ...
