"""Carrying out runs: lanes, the step journal, the document sink and the arbiter of shared instruments."""

from lab.engine.lane import Lane
from lab.engine.session import BenchSession

__all__ = ["BenchSession", "Lane"]
