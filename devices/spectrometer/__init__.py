"""Spectrometers: the spectrum of light through wells. Devices are imported from their own modules."""

from devices.spectrometer.commands import TakeSpectrum, Zero

__all__ = ["TakeSpectrum", "Zero"]
