"""Climate chambers and temperature controllers on a network: keep a plate at a temperature, and where the chamber can, at
a humidity and under carbon dioxide. Devices are imported from their own modules.
"""

from devices.climate_chamber.commands import CloseDoor, Keep, OpenDoor

__all__ = ["CloseDoor", "Keep", "OpenDoor"]
