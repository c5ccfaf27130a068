"""Planners: history in, experiments out. No hardware, no run engine, no database.

``planners.planner(name, settings)`` is the door, ``planners.cards()`` says what models are behind it; implementations are
imported when they are asked for.
"""

from planners.registry import cards, planner, planner_names, settings_type

__all__ = ["cards", "planner", "planner_names", "settings_type"]
