"""Results that people hand in: tables of numbers by plate and well, checked against what was asked for."""

from lab.worklists.results import Expected, Handed, Measured, check_values, read_results

__all__ = ["Expected", "Handed", "Measured", "check_values", "read_results"]
