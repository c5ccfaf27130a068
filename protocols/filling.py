"""Plates filled on the handler's deck: samples into dry wells, then a reagent onto them, later perhaps another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from lab.bench import Bench, Labware
from lab.errors import Infeasible
from lab.interfaces import Workcell
from protocols import steps
from protocols.plate_work import home
from protocols.stock import Pick, Reagent, places_to_work

__all__ = ["add_to_plate", "check_volume", "fill_plates", "filling_deck"]


def filling_deck(bench: Bench) -> tuple[str, ...]:
    """Places on the handler's deck: first the one that library plates come to, then those of the plates that are filled.

    Raises:
        Infeasible: there are fewer than two.
    """
    places = places_to_work(bench, "handler")
    if len(places) < 2:
        raise Infeasible(
            (f"The handler's deck needs two free places for plates, and has {len(places)}.",),
            way_out="Add positions to the workcell file.",
        )
    return places


def check_volume(plate: Labware, total_ul: float) -> None:
    """Check that a well of a plate holds all that it is to get.

    Raises:
        Infeasible: it does not.
    """
    if total_ul > plate.type.max_volume_ul:
        raise Infeasible(
            (
                f"Each well would get {total_ul:g} ul, and one of {plate.id} holds {plate.type.max_volume_ul:g} ul.",
            ),
            way_out="Use smaller volumes.",
        )


def fill_plates(
    workcell: Workcell,
    deck: Sequence[str],
    plates: Sequence[str],
    picks: Sequence[Pick],
    buffer: Reagent,
    wells: Sequence[str],
) -> steps.Plan[None]:
    """Samples into dry wells, then buffer onto them: the larger volume mixes the smaller, and no tip meets two samples.

    Args:
        deck: of :func:`filling_deck`, which the plan has claimed.
        plates: at most one less than places on the deck.
    """
    for plate, place in zip(plates, deck[1:], strict=False):
        yield from steps.move(workcell, plate, place)
    for source, of_source in groupby(picks, key=lambda pick: pick.source[0]):
        fetched = workcell.bench.labware[source].type.kind == "plate"
        if fetched:
            yield from steps.move(workcell, source, deck[0])
        for pick in of_source:
            yield from steps.carry_out(workcell, "handler", pick.command)
        if fetched:
            yield from home(workcell, source)
    for plate in plates:
        yield from steps.carry_out(workcell, "handler", buffer.command(plate, wells))
    for plate in plates:
        yield from home(workcell, plate)


def add_to_plate(
    workcell: Workcell, place: str, plate: str, reagent: Reagent, wells: Sequence[str]
) -> steps.Plan[None]:
    """Bring a plate to a place on the deck and add a reagent to its wells; it stays there."""
    yield from steps.move(workcell, plate, place)
    yield from steps.carry_out(workcell, "handler", reagent.command(plate, wells))
