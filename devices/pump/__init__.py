"""Pumps that move liquid from a vessel through a tube into another. Devices are imported from their own modules."""

from devices.pump.commands import Deliver

__all__ = ["Deliver"]
