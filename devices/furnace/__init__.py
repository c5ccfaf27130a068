"""Furnaces and hot plates: ramp a plate to a temperature, hold it there, let it cool. Devices are imported from their own
modules.
"""

from devices.furnace.commands import Anneal

__all__ = ["Anneal"]
