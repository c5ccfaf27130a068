"""Plate hotels: an arm that carries labware and lids, and stores that bring plates out. Devices are imported from their own
modules.
"""

from devices.plate_hotel.commands import Move, PutLid, TakeLid
from devices.plate_hotel.store_commands import Fetch, Store

__all__ = ["Fetch", "Move", "PutLid", "Store", "TakeLid"]
