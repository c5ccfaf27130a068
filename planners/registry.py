"""Planners by name. A new one is a file with a planner and its settings, and a line here."""

from collections.abc import Mapping
from importlib import import_module

from pydantic import BaseModel

import models
from lab.errors import BadInput
from lab.interfaces import ModelCard, Planner
from lab.strict import did_you_mean, read_strictly
from lab.types import JsonValue

__all__ = ["PLANNERS", "cards", "planner", "planner_names", "settings_type"]

PLANNERS: dict[str, tuple[str, str, str]] = {
    "adaptive": ("planners.adaptive", "AdaptivePlanner", "AdaptiveSettings"),
    "botorch": ("planners.bo.planner", "BotorchPlanner", "BotorchSettings"),
    "directed_evolution": (
        "planners.directed_evolution",
        "DirectedEvolutionPlanner",
        "DirectedEvolutionSettings",
    ),
    "greedy_forest": ("planners.greedy_forest", "GreedyForestPlanner", "GreedyForestSettings"),
    "grid": ("planners.baselines", "GridPlanner", "GridSettings"),
    "mechanistic": ("planners.mechanistic.planner", "MechanisticPlanner", "MechanisticSettings"),
    "multi_task": ("planners.bo.multi_task", "MultiTaskPlanner", "MultiTaskSettings"),
    "random": ("planners.baselines", "RandomPlanner", "NoSettings"),
    "sobol": ("planners.baselines", "SobolPlanner", "NoSettings"),
    "turbo": ("planners.bo.turbo", "TurboPlanner", "TurboSettings"),
}
"""Name -> module, planner class and settings class, imported when first asked for."""


def planner_names() -> tuple[str, ...]:
    """Every name that :func:`planner` knows, in alphabetical order."""
    return tuple(sorted(PLANNERS))


def cards() -> tuple[ModelCard, ...]:
    """What stands behind every label that a reason can cite: encoders, scorers and Gaussian processes."""
    from planners.forest import FOREST_CARD
    from planners.space import KERNELS

    return (*models.cards(), *(spec.card for spec in KERNELS.values()), FOREST_CARD)


def settings_type(name: str) -> type[BaseModel]:
    """The pydantic model of a planner's settings.

    Raises:
        BadInput: no planner has that name.
    """
    module, _, settings = _entry(name)
    found: type[BaseModel] = getattr(import_module(module), settings)
    return found


def planner(name: str, settings: Mapping[str, JsonValue] | None = None) -> Planner:
    """The planner of that name, with settings as a campaign file gives them; for pools and every other space.

    Raises:
        BadInput: no planner has that name, or settings are unknown or out of range; names the fields.
    """
    from planners.anywhere import anywhere

    module, made_by, _ = _entry(name)
    checked = read_strictly(
        settings_type(name),
        settings or {},
        within="planner.settings",
        unknown=f"The planner {name} has no setting {{}}.",
        known="Its settings are:",
    )
    made: Planner = getattr(import_module(module), made_by)(checked)
    return anywhere(made)


def _entry(name: str) -> tuple[str, str, str]:
    if name in PLANNERS:
        return PLANNERS[name]
    hint = did_you_mean(name, planner_names(), what="Known are", quoted=False)
    raise BadInput(f"There is no planner named {name!r}.", way_out=hint, field="planner.name")
