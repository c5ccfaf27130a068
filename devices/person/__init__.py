"""A person as an instrument: worklists out, hand-ins back. Devices are imported from their own modules."""

from devices.person.commands import MeasureByHand, WorkByHand

__all__ = ["MeasureByHand", "WorkByHand"]
