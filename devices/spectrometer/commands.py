"""What a spectrometer can be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from devices.command import CommandValue, not_here
from lab.bench import Bench
from lab.interfaces import Place
from lab.types import JsonValue

__all__ = ["SENSITIVITIES", "TakeSpectrum", "Zero"]

SENSITIVITIES = ("NORM", "MID", "HIGH1", "HIGH2", "HIGH3")
"""Fastest first; each step is slower and sees fainter light."""

SWEEP_S = 10.0
MOVE_S = 2.0
ZERO_S = 30.0
"""First estimates; devices know better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSpectrum(CommandValue):
    """Take the spectrum of the lamp's light through some wells of a plate, one after the other.

    Args:
        plate: standing in the spectrometer.
        wells: in the order in which they are looked at.
        from_nm, to_nm: first and last wavelength.
        points: wavelengths, evenly spaced.
        averages: sweeps of each well whose mean is given.
        sensitivity: one of :data:`SENSITIVITIES`.
        blank: a well that holds the solvent alone, looked at first; then absorbance is given too. None: power alone.
    """

    verb: ClassVar[str] = "spectrum"

    plate: str
    wells: tuple[str, ...]
    from_nm: float = 400.0
    to_nm: float = 800.0
    points: int = 201
    averages: int = 1
    sensitivity: str = "MID"
    blank: str | None = None

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Self:
        """The command that :meth:`to_json` wrote."""
        return cls(**{**arguments, "wells": tuple(arguments["wells"])})

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.plate,)

    @property
    def touches(self) -> tuple[Place, ...]:
        """Nothing: light leaves the wells as they are."""
        return ()

    @property
    def path(self) -> tuple[str, ...]:
        """Wells in the order of their sweeps, the blank before all others."""
        return self.wells if self.blank is None else (self.blank, *self.wells)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        found = list(not_here(bench, self.plate, "plate"))
        if not found:
            item = bench.labware[self.plate]
            found += [f"{self.plate} has no well {one}." for one in self.path if one not in item.wells]
            if item.lid is not None:
                found.append(f"The lid {item.lid} on {self.plate} is in the way of the light.")
        if not self.wells:
            found.append("A spectrum of no well is none.")
        if self.to_nm <= self.from_nm:
            found.append(f"From {self.from_nm:g} to {self.to_nm:g} nm there is nothing.")
        if self.sensitivity not in SENSITIVITIES:
            found.append(f"There is no sensitivity {self.sensitivity!r}, only {', '.join(SENSITIVITIES)}.")
        return found

    def believe(self, bench: Bench) -> None:
        """Light changes nothing that belief holds."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate."""
        return len(self.path) * (MOVE_S + self.averages * SWEEP_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zero(CommandValue):
    """Shut the light out and take the dark signal of the detector, which is subtracted from then on."""

    verb: ClassVar[str] = "zero"

    @property
    def touches(self) -> tuple[Place, ...]:
        """Nothing."""
        return ()

    def problems(self, bench: Bench) -> Sequence[str]:
        """Nothing is in the way of darkness."""
        return ()

    def believe(self, bench: Bench) -> None:
        """Nothing moves."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate."""
        return ZERO_S
