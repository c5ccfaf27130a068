"""Plate readers: fluorescence and absorbance. The device and its vendors are imported from their own modules."""

from devices.plate_reader.commands import ReadAbsorbance, ReadFluorescence

__all__ = ["ReadAbsorbance", "ReadFluorescence"]
