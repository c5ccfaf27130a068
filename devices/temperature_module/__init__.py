"""Blocks on a deck that keep labware warm or cold while others work on it. Devices are imported from their own modules."""

from devices.temperature_module.commands import Deactivate, SetTemperature

__all__ = ["Deactivate", "SetTemperature"]
