"""Syringe pumps: dispense a volume at a rate. Devices are imported from their own modules."""

from devices.syringe_pump.commands import Dispense

__all__ = ["Dispense"]
