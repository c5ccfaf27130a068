"""Planners: history in, experiments out. No hardware, no run engine, no database.

``planners.planner(name, settings)`` is the door; implementations are imported when they are asked for.
"""

from planners.registry import planner, planner_names, settings_type

__all__ = ["planner", "planner_names", "settings_type"]
