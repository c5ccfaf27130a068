"""Magnets under a plate, which draw beads to one side. Devices are imported from their own modules."""

from devices.magnet.commands import Disengage, Engage

__all__ = ["Disengage", "Engage"]
