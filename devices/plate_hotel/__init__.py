"""Plate hotels with a transfer arm: carry labware and lids. The device is imported from its own module."""

from devices.plate_hotel.commands import Move, PutLid, TakeLid

__all__ = ["Move", "PutLid", "TakeLid"]
