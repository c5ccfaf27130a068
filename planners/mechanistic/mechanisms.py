"""Curves that a mechanism gives, their parameters, and what is believed of these before anything is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

__all__ = ["MECHANISMS", "Curve", "Mechanism", "MechanismName", "Prior", "Ranges"]

MechanismName = Literal["thermal_inactivation", "michaelis_menten", "substrate_inhibition", "dose_response"]

Ranges = Mapping[str, tuple[float, float]]
"""Input -> its least and largest value over the candidates."""

Curve = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]
"""Parameters and inputs, by name and of shapes that broadcast -> the target, in units of its scale."""

_GAS_KJ = 8.314462618e-3
"""Molar gas constant, kJ/(mol K) (CODATA 2018, exact)."""

_ZERO_C = 273.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """One parameter: normal on its working scale.

    Args:
        label: for sentences ("temperature of half inactivation").
        unit: of the parameter; ``target`` where it is that of what is measured.
        mean, sd: on the working scale, in the target's scale where the unit is the target's.
        log: whether the working scale is the natural logarithm.
    """

    name: str
    label: str
    unit: str
    mean: float
    sd: float
    log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """A curve and its parameters.

    Args:
        inputs: names of the candidate's values that it takes, with what stands for one that the candidates lack; NaN
            where there is no such.
        priors: made from the ranges of the inputs.
        curve: made from the ranges of the inputs.
        varies: parameters that differ between groups, where there are groups and nothing else is said.
    """

    inputs: Mapping[str, float]
    priors: Callable[[Ranges], tuple[Prior, ...]]
    curve: Callable[[Ranges], Curve]
    varies: tuple[str, ...]


def _middle(ends: tuple[float, float]) -> float:
    return 0.5 * (ends[0] + ends[1])


def _log_middle(ends: tuple[float, float]) -> tuple[float, float]:
    """Mean and standard deviation of the logarithm of what lies somewhere in a range that may begin at 0."""
    high = ends[1] if ends[1] > 0.0 else 1.0
    low = ends[0] if ends[0] > 0.0 else high / 1000.0
    return 0.5 * float(np.log(low * high)), max(0.35 * float(np.log(high / low)), 1.0)


def _thermal_priors(ranges: Ranges) -> tuple[Prior, ...]:
    low, high = ranges["temperature_c"]
    reference = _reference_s(ranges)
    return (
        Prior(
            name="half_c",
            label=f"temperature that halves the activity in {reference:g} s",
            unit="C",
            mean=_middle((low, high)),
            sd=max((high - low) / 3.0, 8.0),
            log=False,
        ),
        # of irreversible inactivation of proteins most lie between 150 and 600 kJ/mol
        Prior(
            name="enthalpy_kj_mol",
            label="activation enthalpy",
            unit="kJ/mol",
            mean=float(np.log(300.0)),
            sd=0.5,
            log=True,
        ),
        Prior(name="start", label="activity before heating", unit="target", mean=0.0, sd=0.25, log=True),
    )


def _reference_s(ranges: Ranges) -> float:
    """Duration that ``half_c`` speaks of: the geometric middle of those that candidates have."""
    low, high = ranges["duration_s"]
    if high <= 0.0:
        return 600.0
    return float(f"{np.sqrt(max(low, high / 1000.0) * high):.3g}")


def _thermal_curve(ranges: Ranges) -> Curve:
    """First-order inactivation, its rate by Eyring: ``k = ln 2 / t * (T / T_half) exp(-H/R (1/T - 1/T_half))``.

    That is the Eyring equation (J. Chem. Phys. 3 (1935) 107) written around the temperature whose half-life is t.
    """
    reference = _reference_s(ranges)

    def curve(p: Mapping[str, Tensor], x: Mapping[str, Tensor]) -> Tensor:
        kelvin, half = x["temperature_c"] + _ZERO_C, p["half_c"].clamp(-200.0, 500.0) + _ZERO_C
        exponent = (-p["enthalpy_kj_mol"] / _GAS_KJ) * (1.0 / kelvin - 1.0 / half)
        log_rate = np.log(np.log(2.0) / reference) + (kelvin / half).log() + exponent
        return p["start"] * (-(log_rate.clamp(-60.0, 30.0).exp() * x["duration_s"])).exp()

    return curve


def _saturation_priors(ranges: Ranges) -> tuple[Prior, ...]:
    mean, sd = _log_middle(ranges["concentration_mmol_l"])
    return (
        Prior(name="vmax", label="largest rate", unit="target", mean=0.3, sd=0.7, log=True),
        Prior(name="km_mmol_l", label="Michaelis constant", unit="mmol/l", mean=mean, sd=sd, log=True),
    )


def _inhibition_priors(ranges: Ranges) -> tuple[Prior, ...]:
    high = ranges["concentration_mmol_l"][1]
    log_high = float(np.log(high if high > 0.0 else 1.0))
    inhibition = Prior(
        name="ki_mmol_l", label="inhibition constant", unit="mmol/l", mean=log_high, sd=1.5, log=True
    )
    return (*_saturation_priors(ranges), inhibition)


def _saturation(ranges: Ranges) -> Curve:
    """``vmax S / (km + S)`` (Michaelis and Menten, Biochem. Z. 49 (1913) 333)."""
    del ranges

    def curve(p: Mapping[str, Tensor], x: Mapping[str, Tensor]) -> Tensor:
        substrate = x["concentration_mmol_l"]
        return p["vmax"] * substrate / (p["km_mmol_l"] + substrate)

    return curve


def _inhibition(ranges: Ranges) -> Curve:
    """``vmax S / (km + S + S^2 / ki)`` (Haldane, Enzymes (1930))."""
    del ranges

    def curve(p: Mapping[str, Tensor], x: Mapping[str, Tensor]) -> Tensor:
        substrate = x["concentration_mmol_l"]
        return p["vmax"] * substrate / (p["km_mmol_l"] + substrate + substrate**2 / p["ki_mmol_l"])

    return curve


def _response_priors(ranges: Ranges) -> tuple[Prior, ...]:
    mean, sd = _log_middle(ranges["concentration_mmol_l"])
    return (
        Prior(
            name="ec50_mmol_l",
            label="concentration of half effect",
            unit="mmol/l",
            mean=mean,
            sd=sd,
            log=True,
        ),
        Prior(name="hill", label="Hill slope", unit="", mean=0.0, sd=0.6, log=True),
        Prior(name="without", label="response without dose", unit="target", mean=0.5, sd=0.6, log=False),
        Prior(name="full", label="response to a full dose", unit="target", mean=0.5, sd=0.6, log=False),
    )


def _response(ranges: Ranges) -> Curve:
    """Four-parameter logistic: ``without + (full - without) / (1 + (ec50 / dose)^hill)``, rising or falling."""
    del ranges

    def curve(p: Mapping[str, Tensor], x: Mapping[str, Tensor]) -> Tensor:
        dose = x["concentration_mmol_l"].clamp_min(1e-30).log()
        share = torch.sigmoid(p["hill"] * (dose - p["ec50_mmol_l"].log()))
        return p["without"] + (p["full"] - p["without"]) * share

    return curve


MECHANISMS: Mapping[str, Mechanism] = {
    "thermal_inactivation": Mechanism(
        inputs={"temperature_c": float("nan"), "duration_s": 600.0},
        priors=_thermal_priors,
        curve=_thermal_curve,
        varies=("half_c",),
    ),
    "michaelis_menten": Mechanism(
        inputs={"concentration_mmol_l": float("nan")},
        priors=_saturation_priors,
        curve=_saturation,
        varies=("vmax", "km_mmol_l"),
    ),
    "substrate_inhibition": Mechanism(
        inputs={"concentration_mmol_l": float("nan")},
        priors=_inhibition_priors,
        curve=_inhibition,
        varies=("vmax", "km_mmol_l"),
    ),
    "dose_response": Mechanism(
        inputs={"concentration_mmol_l": float("nan")},
        priors=_response_priors,
        curve=_response,
        varies=("ec50_mmol_l",),
    ),
}
