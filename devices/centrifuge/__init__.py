"""Centrifuges for plates: present a bucket, spin. The device and its vendors are imported from their own modules."""

from devices.centrifuge.commands import Present, Spin

__all__ = ["Present", "Spin"]
