"""What the liquids of a world do: the interface, and one module for each assay, by the name that workcell files use."""

from importlib import import_module

from digital_twin.chemistry.interface import Chemistry
from lab.errors import BadInput

__all__ = ["CHEMISTRIES", "Chemistry", "chemistry"]

CHEMISTRIES = {"protein_g": "digital_twin.chemistry.protein_g:ProteinG"}
"""Name -> ``module:class``, imported when first asked for."""


def chemistry(name: str) -> Chemistry:
    """The chemistry of that name.

    Raises:
        BadInput: there is none.
        MissingData: what it rests on is not installed.
    """
    if name not in CHEMISTRIES:
        raise BadInput(
            f"There is no chemistry named {name!r}.", way_out=f"Known are {', '.join(CHEMISTRIES)}."
        )
    module, _, attribute = CHEMISTRIES[name].partition(":")
    made: Chemistry = getattr(import_module(module), attribute)()
    return made
