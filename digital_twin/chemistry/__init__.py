"""What the liquids of a world do: the interface, and one module for each assay, chosen by name."""

from __future__ import annotations

from collections.abc import Callable

from digital_twin.chemistry.interface import Chemistry
from lab.errors import BadInput

__all__ = ["CHEMISTRIES", "Chemistry", "chemistry"]


def _protein_g() -> Chemistry:
    from digital_twin.chemistry.protein_g import ProteinG

    return ProteinG()


def _cell_free() -> Chemistry:
    from digital_twin.chemistry.cell_free import CellFree

    return CellFree()


def _photovoltaic_blends() -> Chemistry:
    from digital_twin.chemistry.photovoltaic_blends import PhotovoltaicBlends

    return PhotovoltaicBlends()


def _blend_films() -> Chemistry:
    from digital_twin.chemistry.blend_films import BlendFilms

    return BlendFilms()


def _tem1() -> Chemistry:
    from digital_twin.chemistry.tem1 import Tem1

    return Tem1()


CHEMISTRIES: dict[str, Callable[[], Chemistry]] = {
    "protein_g": _protein_g,
    "tem1": _tem1,
    "cell_free": _cell_free,
    "photovoltaic_blends": _photovoltaic_blends,
    "blend_films": _blend_films,
}
"""By the name that a workcell file gives."""


def chemistry(name: str) -> Chemistry:
    """The chemistry of a twin.

    Raises:
        BadInput: there is none of this name.
        MissingData: the data set that it rests on is not installed.
    """
    if name not in CHEMISTRIES:
        raise BadInput(
            f"There is no chemistry {name!r}.",
            way_out=f"There is {', '.join(CHEMISTRIES)}.",
            field="chemistry",
        )
    return CHEMISTRIES[name]()
