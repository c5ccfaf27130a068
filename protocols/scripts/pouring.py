"""Which tip brings what from where to where: volumes, tips and source wells of what a protocol asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.bench import Bench
from lab.errors import BadInput, Infeasible
from lab.units import read_quantity
from protocols.scripts.kinds import Well
from protocols.stock import Pick, Stock

__all__ = ["Quantity", "Source", "picks_of", "refuse_shortage", "tip_for", "volumes_of"]

Source = str | Well | Sequence[Well]
"""A reagent's name, a well, or as many wells as there are targets."""

Quantity = float | str
"""A number in the unit of the parameter's name, or text such as ``"10 min"``."""


def volumes_of(written: Quantity | Sequence[float], number: int) -> list[float]:
    """A volume for each of some wells, in microlitres.

    Raises:
        BadInput: not as many as there are wells, or a text that is no volume.
    """
    if isinstance(written, str | int | float):
        return [read_quantity("volume_ul", written)] * number
    if len(written) != number:
        raise BadInput(f"{len(written)} volumes are given for {number} wells.", way_out="Give one for each.")
    return [float(volume) for volume in written]


def tip_for(bench: Bench, volume_ul: float) -> float:
    """Capacity of the smallest kind of tip on the bench that holds a volume, whether any are left or not.

    Raises:
        Infeasible: none does.
    """
    sizes = sorted({rack.type.tip_volume_ul for rack in bench.of_kind("tip_rack")})
    size = next((size for size in sizes if size >= volume_ul), None)
    if size is None:
        raise Infeasible((f"No tip on the bench holds {volume_ul:g} ul.",), way_out="Use less.")
    return size


def picks_of(
    bench: Bench, source: Source, targets: Sequence[Well], volumes: Sequence[float], *, one_each: bool
) -> Iterator[Pick]:
    """What each tip does, one after the other.

    Args:
        one_each: a fresh tip for each target.

    Raises:
        Infeasible: there is too little of the source, or no tip holds a portion.
        BadInput: as many wells are to give as there are targets, and they are not.
    """
    whole = [(well.labware, well.well, ul) for well, ul in zip(targets, volumes, strict=True)]
    pairs: list[tuple[str | Well, list[tuple[str, str, float]]]]
    if isinstance(source, str | Well):
        pairs = [(source, [one]) for one in whole] if one_each else [(source, whole)]
    elif len(source) == len(whole):
        pairs = [(well, [one]) for well, one in zip(source, whole, strict=True)]
    else:
        raise BadInput(
            f"{len(source)} wells are to give to {len(whole)} wells.",
            way_out="Give one well or one reagent for all, or one well for each.",
        )
    stock = _Stock(bench)
    for origin, some in pairs:
        places = stock.wells_of(origin) if isinstance(origin, str) else (stock.given(origin),)
        picks = stock.picks(str(origin), [[one] for one in some], places)
        refuse_shortage(stock)
        yield from picks


def refuse_shortage(stock: Stock) -> None:
    """Raise Infeasible where there was too little of something."""
    if stock.problems:
        raise Infeasible(tuple(stock.problems), way_out="Refill, or use smaller volumes.")


class _Stock(Stock):
    """A stock that draws from a well that is named, whatever it holds: the step itself says where that is too little."""

    def given(self, well: Well) -> tuple[str, str]:
        """A well that is named."""
        place = (well.labware, well.well)
        self._left[place] = float("inf")
        return place
