"""Shaking incubators: keep a plate at a temperature while it shakes. Devices are imported from their own
modules.
"""

from devices.incubator.commands import Incubate

__all__ = ["Incubate"]
