"""Planners: history in, experiments out. No hardware, no run engine, no database.

``planners.planner(name, settings)`` is the door, ``planners.Chooser`` the one for notebooks, and ``planners.cards()`` says
what models are behind them; implementations are imported when they are asked for. What a planner believes of a
campaign, under way or over, is told by ``planners.posterior`` and ``planners.importances``.
"""

from planners.notebook import Chooser
from planners.registry import cards, planner, planner_names, settings_type

__all__ = ["Chooser", "cards", "planner", "planner_names", "settings_type"]
