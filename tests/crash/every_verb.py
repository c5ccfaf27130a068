"""The protocol of the crash tests: a thermal challenge, and after it the verbs that one does without.

What comes after is done to plates that were read already, so that the results are those of the thermal challenge.
"""

from __future__ import annotations

from lab.interfaces import Workcell
from lab.types import Batch, Campaign, JsonValue, Layout
from protocols import steps, thermal_challenge
from protocols.stock import places_to_work
from protocols.thermal_challenge import UNHEATED, Parameters, analyse, layout, targets

__all__ = ["Parameters", "analyse", "layout", "plan", "targets"]

MIXED_UL = 30.0
WAVELENGTH_NM = 600.0


def plan(
    batch: Batch, campaign: Campaign, workcell: Workcell, layout: Layout, parameters: Parameters
) -> steps.Plan[None]:
    """The challenge; then the blanks of the unheated plate are mixed, its absorbance is read, and the cycler is shut."""
    yield from thermal_challenge.plan(batch, campaign, workcell, layout, parameters)
    plate = layout.labware[UNHEATED]
    wells = tuple(use.well for use in layout.wells if use.labware == plate and use.kind == "blank")
    deck = places_to_work(workcell.bench, "handler")[1]
    reader = places_to_work(workcell.bench, "reader")[0]
    block = places_to_work(workcell.bench, "thermocycler")[0]
    yield from steps.claimed((deck,), _mix(workcell, plate, deck, wells))
    yield from steps.claimed((reader,), _look(workcell, plate, reader))
    yield from steps.claimed((block,), _shut(workcell))


def _mix(workcell: Workcell, plate: str, place: str, wells: tuple[str, ...]) -> steps.Plan[None]:
    yield from steps.move(workcell, plate, place)
    yield from steps.mix(
        workcell, labware=plate, wells=wells, volume_ul=MIXED_UL, cycles=3, tip_volume_ul=50.0
    )
    yield from _home(workcell, plate)


def _look(workcell: Workcell, plate: str, place: str) -> steps.Plan[None]:
    yield from steps.move(workcell, plate, place)
    yield from steps.read_absorbance(workcell, plate, wavelength_nm=WAVELENGTH_NM, cycles=2, interval_s=60.0)
    yield from _home(workcell, plate)


def _shut(workcell: Workcell) -> steps.Plan[None]:
    yield from steps.open_lid(workcell)
    yield from steps.close_lid(workcell)


def _home(workcell: Workcell, labware: str) -> steps.Plan[JsonValue]:
    return steps.move(workcell, labware, workcell.bench.labware[labware].home)
