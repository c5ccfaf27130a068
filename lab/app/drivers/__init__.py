"""Drivers by the names that workcell files use. A new one is a function that takes a Fitting, and a line in registry.py."""

from __future__ import annotations

from lab.app.drivers.fitting import Fitting
from lab.app.drivers.registry import DRIVERS, Driver, build_device, fault_script, seats

__all__ = ["DRIVERS", "Driver", "Fitting", "build_device", "fault_script", "seats"]
