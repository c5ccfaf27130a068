"""Thermocyclers: heat a plate, hold, cool. The device and its vendors are imported from their own modules."""

from devices.thermocycler.commands import CloseLid, Heat, OpenLid

__all__ = ["CloseLid", "Heat", "OpenLid"]
