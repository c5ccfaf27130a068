"""How much of a step the ledger shows: all of it, a part, or nothing that matters; and what should never be there.

Worked out from the arguments that the journal keeps, without the commands' own classes, so that a command which believes
the wrong thing and does it all the same is found out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from digital_twin.physics.heat import COOLING_C_PER_S
from tests.crash.truth import Act, Truth

__all__ = ["HARMLESS_S", "MATERIAL", "Deed", "Extent", "Past", "deed_of", "given_by", "starts_something"]

HARMLESS_S = 2.0
"""A block or shaker that was told to start and was stopped within this has done nothing to a plate: 2 s of a ramp that takes
ten times as long and more."""

MATERIAL = frozenset(
    {"aspirate", "dispense", "pick", "place", "pick_up_tips", "read_fluorescence", "read_absorbance"}
)
"""Actions that only a step may do; so are heating and shaking, which :func:`starts_something` tells from their end."""

_TOLERANCE_UL = 1e-6


class Extent(IntEnum):
    """How much of a step was done to the material."""

    NOTHING = 0
    USED_UP = 1
    """Tips or source liquid are gone, or a plate was lifted and not put down; what the step is about is as it was."""
    PART = 2
    ALL = 3


@dataclass(frozen=True, slots=True)
class Past:
    """All that the ledger says.

    Args:
        acts: every line.
        truths: the bench before each line, and after the last.
    """

    acts: Sequence[Act]
    truths: Sequence[Truth]


@dataclass(frozen=True, slots=True)
class Deed:
    """What the ledger says of the actions of a step.

    Args:
        wrong: what should never be there, a sentence each.
        portions: (labware, well) -> nominal microlitres that the step gave to it.
    """

    extent: Extent
    wrong: tuple[str, ...]
    portions: Mapping[tuple[str, str], float]


def starts_something(act: Act) -> bool:
    """Whether an action does what only a step may do."""
    if act.action == "set_temperature":
        return act.arguments["temperature_c"] is not None
    if act.action == "shake":
        return bool(act.arguments["rpm"])
    return act.action in MATERIAL


def given_by(acts: Sequence[Act]) -> dict[tuple[str, str], float]:
    """(labware, well) -> nominal microlitres that were dispensed into it."""
    given: dict[tuple[str, str], float] = defaultdict(float)
    for act in acts:
        if act.action == "dispense":
            for labware, well, ul in act.portions:
                given[labware, well] += ul
    return given


def deed_of(verb: str, arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    """Judge all that was done under one step, its tries taken together.

    Args:
        acts: of the step, in order.
        ended: line of the ledger before which the step was said to be over; what stands as it should be then needs no
            action.

    Raises:
        KeyError: a verb that nobody told the oracle of.
    """
    return _JUDGES[verb](arguments, acts, past, ended)


def _deed(extent: Extent, acts: Sequence[Act], *wrong: str) -> Deed:
    return Deed(extent, wrong, given_by(acts))


def _pipetting(wanted: Mapping[tuple[str, str], float], source: tuple[str, str], acts: Sequence[Act]) -> Deed:
    """Portions into wells, each once and in full."""
    given = given_by(acts)
    wrong = []
    for place, ul in given.items():
        asked_ul = wanted.get(place, 0.0)
        if ul > asked_ul + _TOLERANCE_UL:
            wrong.append(f"{_well(place)} was given {ul:g} ul, and {asked_ul:g} ul were asked for.")
    for act in acts:
        if act.action == "aspirate":
            stray = {(labware, well) for labware, well, _ in act.portions} - {source}
            wrong += [f"{_well(place)} was drawn from, which is no source of the step." for place in stray]
    if all(given.get(place, 0.0) >= ul - _TOLERANCE_UL for place, ul in wanted.items()):
        return _deed(Extent.ALL, acts, *wrong)
    if given:
        return _deed(Extent.PART, acts, *wrong)
    used = any(act.action in ("pick_up_tips", "aspirate") for act in acts)
    return _deed(Extent.USED_UP if used else Extent.NOTHING, acts, *wrong)


def _well(place: tuple[str, str]) -> str:
    return f"{place[1]} of {place[0]}"


def _distribute(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    wanted: dict[tuple[str, str], float] = defaultdict(float)
    for labware, well, ul in arguments["targets"]:
        wanted[labware, well] += ul
    return _pipetting(wanted, (arguments["source_labware"], arguments["source_well"]), acts)


def _add_reagent(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    wanted = {(arguments["labware"], well): arguments["volume_ul"] for well in arguments["wells"]}
    source = (arguments["source_labware"], arguments["source_well"])
    return _pipetting(wanted, source, acts)


def _mix(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    stirred: Counter[str] = Counter()
    wrong = []
    for act in acts:
        if act.action == "aspirate":
            stirred.update(act.arguments["wells"])
            if act.labware != arguments["labware"]:
                wrong.append(f"{act.labware} was stirred instead of {arguments['labware']}.")
    if set(stirred) - set(arguments["wells"]):
        wrong.append("Wells were stirred that the step does not name.")
    if set(stirred) >= set(arguments["wells"]):
        return _deed(Extent.ALL, acts, *wrong)
    if stirred:
        return _deed(Extent.PART, acts, *wrong)
    used = any(act.action == "pick_up_tips" for act in acts)
    return _deed(Extent.USED_UP if used else Extent.NOTHING, acts, *wrong)


def _carried(
    acts: Sequence[Act], past: Past, ended: int, labware: str, arrived: Callable[[Truth], bool]
) -> Deed:
    """One piece, lifted once and put down once where it belongs."""
    carried = [act for act in acts if act.action in ("pick", "place")]
    strange = {act.labware for act in carried} - {labware}
    wrong = [f"{name} was carried instead of {labware}." for name in sorted(strange)]
    picks = sum(act.action == "pick" for act in carried)
    if picks > 1:
        wrong.append(f"{labware} was picked up {picks} times.")
    there = arrived(past.truths[carried[-1].index + 1 if carried else ended])
    if there:
        return _deed(Extent.ALL, acts, *wrong)
    return _deed(Extent.USED_UP if carried else Extent.NOTHING, acts, *wrong)


def _move(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    labware, destination = arguments["labware"], arguments["destination"]
    return _carried(acts, past, ended, labware, lambda truth: truth.position[labware] == destination)


def _put_lid(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    lid, plate = arguments["lid"], arguments["plate"]
    return _carried(acts, past, ended, lid, lambda truth: truth.lid.get(plate) == lid)


def _take_lid(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    destination = arguments["destination"]
    lid = next((act.labware for act in acts if act.action == "pick"), "")

    def is_off(truth: Truth) -> bool:
        return not truth.lid.get(arguments["plate"]) and bool(truth.at(destination))

    return _carried(acts, past, ended, lid, is_off)


def _open_lid(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    return _lid_moved(acts, past, ended, shut=False)


def _close_lid(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    return _lid_moved(acts, past, ended, shut=True)


def _lid_moved(acts: Sequence[Act], past: Past, ended: int, *, shut: bool) -> Deed:
    block = next(act.arguments["position"] for act in past.acts if act.instrument == "thermocycler")
    return _deed(Extent.ALL if (block in past.truths[ended].shut) is shut else Extent.NOTHING, acts)


def _lasting(
    acts: Sequence[Act], past: Past, begins: Callable[[Act], bool], ends: Callable[[Act], bool]
) -> list[float]:
    """How long each stretch of something lasted that the step began, whoever ended it; one that nobody ended is endless."""
    lasted = []
    for act in filter(begins, acts):
        later = (a for a in past.acts[act.index + 1 :] if a.instrument == act.instrument and ends(a))
        end = next(later, None)
        lasted.append(float("inf") if end is None else end.lab_time_s - act.lab_time_s)
    return lasted


def _exposed(plate: str, wanted_s: float, stretches: Sequence[float], acts: Sequence[Act], what: str) -> Deed:
    strange = {act.labware for act in acts if starts_something(act)} - {plate}
    wrong = [f"{name or 'an empty place'} was {what} instead of {plate}." for name in sorted(strange)]
    real = [lasted_s for lasted_s in stretches if lasted_s > HARMLESS_S]
    if len(real) > 1:
        wrong.append(f"{plate} was {what} {len(real)} times.")
    if any(lasted_s >= wanted_s - HARMLESS_S for lasted_s in real):
        return _deed(Extent.ALL, acts, *wrong)
    return _deed(Extent.PART if real else Extent.NOTHING, acts, *wrong)


def _heat(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    def is_hot(act: Act) -> bool:
        return (
            act.action == "set_temperature" and act.arguments["temperature_c"] == arguments["temperature_c"]
        )

    stretches = _lasting(acts, past, is_hot, lambda act: act.action == "set_temperature")
    deed = _exposed(arguments["plate"], arguments["hold_s"], stretches, acts, "heated")
    if deed.extent is Extent.ALL and not _cooled(arguments, acts, past):
        return replace(
            deed, extent=Extent.PART
        )  # Left to itself a block stays hot for minutes, and the plate with it.
    return deed


def _cooled(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past) -> bool:
    """Whether the block was brought down after the hold, and not only switched off."""

    def is_cool(act: Act) -> bool:
        return act.action == "set_temperature" and act.arguments["temperature_c"] == arguments["cool_to_c"]

    way_s = (arguments["temperature_c"] - arguments["cool_to_c"]) / COOLING_C_PER_S
    lasted = _lasting(acts, past, is_cool, lambda act: act.action == "set_temperature")
    return any(lasted_s >= 0.9 * way_s for lasted_s in lasted)


def _incubate(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    if arguments["shaking_rpm"] is None:
        stretches = _lasting(acts, past, starts_something, lambda act: act.action == "set_temperature")
    else:
        stretches = _lasting(
            acts,
            past,
            lambda act: act.action == "shake" and bool(act.arguments["rpm"]),
            lambda act: act.action == "shake",
        )
    return _exposed(arguments["plate"], arguments["hold_s"], stretches, acts, "shaken")


def _reading(arguments: Mapping[str, Any], acts: Sequence[Act], past: Past, ended: int) -> Deed:
    """Light changes nothing, so reading again is no harm; reading another plate is."""
    reads = [act for act in acts if act.action.startswith("read_")]
    strange = {act.labware for act in reads} - {arguments["plate"]}
    wrong = [
        f"{name or 'an empty place'} was read instead of {arguments['plate']}." for name in sorted(strange)
    ]
    return _deed(Extent.ALL if len(reads) >= arguments["cycles"] else Extent.NOTHING, acts, *wrong)


_Judge = Callable[[Mapping[str, Any], Sequence[Act], Past, int], Deed]

_JUDGES: dict[str, _Judge] = {
    "distribute": _distribute,
    "add_reagent": _add_reagent,
    "mix": _mix,
    "move": _move,
    "put_lid": _put_lid,
    "take_lid": _take_lid,
    "open_lid": _open_lid,
    "close_lid": _close_lid,
    "heat": _heat,
    "incubate": _incubate,
    "fluorescence": _reading,
    "absorbance": _reading,
}
