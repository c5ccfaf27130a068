"""Results that people hand in: tables of numbers by plate and well, checked against what was asked for."""

from lab.worklists.results import Expected, Handed, read_results

__all__ = ["Expected", "Handed", "read_results"]
