"""Liquid handlers: distribute, add a reagent, mix. The device and its vendors are imported from their own modules."""

from devices.liquid_handler.commands import AddReagent, Distribute, Mix

__all__ = ["AddReagent", "Distribute", "Mix"]
