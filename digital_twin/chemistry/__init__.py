"""What the liquids of a world do: the interface, and one module for each assay."""

from digital_twin.chemistry.interface import Chemistry

__all__ = ["Chemistry"]
