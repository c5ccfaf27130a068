"""Balances: set to zero, weigh labware. The device and its vendors are imported from their own modules."""

from devices.balance.commands import Weigh, Zero

__all__ = ["Weigh", "Zero"]
