"""Plan stubs that protocols are written with: every action of an instrument is a step of the journal.

A step is bracketed by two run-engine commands, which :mod:`lab.engine` carries out::

    Msg("step_begin", verb, command)                  -> lab.interfaces.Ticket
    Msg("step_end", verb, ticket, error=exception)    -> lab.interfaces.StepEnd; ``error`` is None on success
    Msg("claim", None, positions)                     all of the named positions, or wait
    Msg("release", None)                              give back what is claimed

What is done about an instrument's fault is decided by the campaign's recovery policy when the step ends: the step is tried
once more, or given up with the samples that it touches, or the run ends there.

When a run is resumed the plan is walked again: a step that the journal holds as done comes back with
``ticket.done``, the engine has restored the verb's result, and nothing is sent. A plan must therefore depend on
its arguments alone: never on volumes, tips or places as they are now, which differ between the first walk and
the second.

The engine opens and closes the Bluesky run; a protocol's plan does not.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import Msg

from devices.incubator import Incubate
from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.plate_hotel import Move, PutLid, TakeLid
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.thermocycler import CloseLid, Heat, OpenLid
from lab.errors import Infeasible
from lab.interfaces import Command, StepEnd, Ticket, Verb, Workcell
from lab.types import JsonValue

__all__ = [
    "Plan",
    "act",
    "add_reagent",
    "carry_out",
    "claimed",
    "clear_away",
    "close_lid",
    "distribute",
    "heat",
    "incubate",
    "mix",
    "move",
    "open_lid",
    "read",
    "read_absorbance",
    "read_fluorescence",
    "require",
    "seal",
    "unseal",
    "verb_of",
]

T = TypeVar("T")
Plan = Generator[Msg, Any, T]
"""A Bluesky plan that gives back a ``T`` when it is done."""


def require(workcell: Workcell, verbs: Iterable[tuple[str, str]]) -> None:
    """Check at the head of a plan that the workcell has what it needs.

    Args:
        verbs: (device, verb) pairs, as ``("thermocycler", "heat")``.

    Raises:
        Infeasible: with one sentence per device that is missing, or that lacks a verb.
    """
    problems: dict[str, None] = {}
    for device, verb in verbs:
        if device not in workcell.devices:
            problems[f"This needs a {device}, and the workcell {workcell.name} has none."] = None
        elif not hasattr(workcell.devices[device], verb):
            problems[f"The {device} of the workcell {workcell.name} can't do {verb!r}, which this needs."] = (
                None
            )
    if problems:
        raise Infeasible(tuple(problems), way_out="Add it to the workcell file or choose another protocol.")


def verb_of(workcell: Workcell, device: str, verb: str) -> Verb:
    """A device's verb.

    Raises:
        Infeasible: the workcell has no such device, or the device no such verb.
    """
    require(workcell, [(device, verb)])
    found: Verb = getattr(workcell.devices[device], verb)
    return found


def act(verb: Verb, command: Command) -> Plan[JsonValue]:
    """One step: carry out a command, unless the journal says that it is done.

    Returns:
        What the instrument gave back, now or when the step was done; None where the step was given up.

    Raises:
        RunHeld: the instrument failed, or nobody knows what it did, and a person must look.
        BatchRedone, CampaignAborted: the same, and that is what the recovery policy wants.
    """
    while True:
        ticket: Ticket = yield Msg("step_begin", verb, command)
        if ticket.done:
            return ticket.result
        error: Exception | None = None
        try:
            yield from bps.abs_set(verb, command, wait=True)
        except Exception as failure:  # noqa: BLE001  Whatever it is, the journal must hear of it.
            error = failure
        end: StepEnd = yield Msg("step_end", verb, ticket, error=error)
        if not end.again:
            return end.result


def carry_out(workcell: Workcell, device: str, command: Command) -> Plan[JsonValue]:
    """One step of a device, from a command that is a value already.

    Raises:
        Infeasible: the workcell has no such device, or the device no such verb.
    """
    return (yield from act(verb_of(workcell, device, command.verb), command))


def claimed(positions: Iterable[str], section: Plan[T]) -> Plan[T]:
    """A section of a plan that has the named positions to itself, from its first message to its last.

    Sections follow each other; one inside another is refused, for whoever holds one thing while waiting for the
    next can wait forever. Whatever a section brings to a position it also takes home again.
    """
    yield Msg("claim", None, tuple(positions))
    # finalize_wrapper and no try/finally: a plan that is closed (a halt) may not yield any more.
    result: T = yield from bpp.finalize_wrapper(section, _release())
    return result


def _release() -> Plan[None]:
    yield Msg("release", None)


def read(workcell: Workcell, command: Command, *, device: str = "reader", stream: str) -> Plan[JsonValue]:
    """Measure as one step, and put what the device now shows into one event.

    Args:
        stream: of the event, named for what is measured (``fluorescence``); all readings of one kind share it.
    """
    result = yield from carry_out(workcell, device, command)
    if result is None:
        return None  # given up: the device shows an older reading
    yield from bps.create(name=stream)
    yield from bps.read(workcell.devices[device])
    yield from bps.save()
    return result


# ------------------------------------------------------------------------------------------------------- liquid handler


def distribute(
    workcell: Workcell,
    *,
    source: tuple[str, str],
    targets: Iterable[tuple[str, str, float]],
    tip_volume_ul: float,
    mix_cycles: int = 0,
) -> Plan[JsonValue]:
    """From one well into others, with one fresh tip.

    Args:
        source: labware id and well.
        targets: (labware id, well, volume_ul) each, in order of dispensing.
        tip_volume_ul: capacity of the tip to use.
        mix_cycles: strokes of mixing at each target.
    """
    command = Distribute(
        source_labware=source[0],
        source_well=source[1],
        targets=tuple(targets),
        tip_volume_ul=tip_volume_ul,
        mix_cycles=mix_cycles,
    )
    return (yield from carry_out(workcell, "handler", command))


def add_reagent(
    workcell: Workcell,
    *,
    source: tuple[str, str],
    labware: str,
    wells: Iterable[str],
    volume_ul: float,
    tip_volume_ul: float,
) -> Plan[JsonValue]:
    """The same volume of one reagent to many wells of a plate, column by column, without touching what is in them."""
    command = AddReagent(
        source_labware=source[0],
        source_well=source[1],
        labware=labware,
        wells=tuple(wells),
        volume_ul=volume_ul,
        tip_volume_ul=tip_volume_ul,
    )
    return (yield from carry_out(workcell, "handler", command))


def mix(
    workcell: Workcell,
    *,
    labware: str,
    wells: Iterable[str],
    volume_ul: float,
    cycles: int,
    tip_volume_ul: float,
) -> Plan[JsonValue]:
    """Mix wells by drawing up and giving back, with a fresh tip for each."""
    command = Mix(
        labware=labware, wells=tuple(wells), volume_ul=volume_ul, cycles=cycles, tip_volume_ul=tip_volume_ul
    )
    return (yield from carry_out(workcell, "handler", command))


# ------------------------------------------------------------------------------------------------------------ plate arm


def move(workcell: Workcell, labware: str, destination: str) -> Plan[JsonValue]:
    """Carry a piece of labware, with the lid on it, to a position."""
    command = Move(labware=labware, destination=destination)
    return (yield from carry_out(workcell, "arm", command))


def seal(workcell: Workcell, plate: str, lid: str) -> Plan[JsonValue]:
    """Put an auto-sealing lid on a plate, where the plate stands."""
    command = PutLid(lid=lid, plate=plate)
    return (yield from carry_out(workcell, "arm", command))


def unseal(workcell: Workcell, plate: str, destination: str) -> Plan[JsonValue]:
    """Take the lid off a plate and put it down at a position."""
    command = TakeLid(plate=plate, destination=destination)
    return (yield from carry_out(workcell, "arm", command))


def clear_away(workcell: Workcell, labware: Iterable[str]) -> Plan[None]:
    """Bring labware home from wherever it stands, lids to their own places; for a run that is given up.

    Looks at the bench as it is, so it is walked once and never again: each time it is needed it is a branch of its own.
    """
    bench = workcell.bench
    pieces = [bench.labware[name] for name in labware]
    for item in pieces:
        if item.type.kind == "lid" or item.position in (None, item.home):
            continue
        device = bench.device_at(item.id)
        if device is not None and hasattr(workcell.devices.get(device), "open_lid"):
            yield from carry_out(workcell, device, OpenLid())
        if item.lid is not None:
            yield from unseal(workcell, item.id, bench.labware[item.lid].home)
        yield from move(workcell, item.id, item.home)
    for item in pieces:
        if item.type.kind == "lid" and item.position not in (None, item.home):
            yield from move(workcell, item.id, item.home)


# ------------------------------------------------------------------------------------------------------ heat and shaking


def open_lid(workcell: Workcell) -> Plan[JsonValue]:
    """Open the thermocycler."""
    command = OpenLid()
    return (yield from carry_out(workcell, "thermocycler", command))


def close_lid(workcell: Workcell) -> Plan[JsonValue]:
    """Close the thermocycler."""
    command = CloseLid()
    return (yield from carry_out(workcell, "thermocycler", command))


def heat(
    workcell: Workcell,
    plate: str,
    *,
    temperature_c: float,
    hold_s: float,
    cool_to_c: float = 25.0,
    lid_temperature_c: float = 105.0,
) -> Plan[JsonValue]:
    """Heat a plate on the thermocycler, hold, cool, and leave no heater on: one step."""
    command = Heat(
        plate=plate,
        temperature_c=temperature_c,
        hold_s=hold_s,
        cool_to_c=cool_to_c,
        lid_temperature_c=lid_temperature_c,
    )
    return (yield from carry_out(workcell, "thermocycler", command))


def incubate(
    workcell: Workcell, plate: str, *, temperature_c: float, hold_s: float, shaking_rpm: float | None
) -> Plan[JsonValue]:
    """Keep a plate on the shaker at a temperature while it shakes; None keeps it still."""
    command = Incubate(plate=plate, temperature_c=temperature_c, hold_s=hold_s, shaking_rpm=shaking_rpm)
    return (yield from carry_out(workcell, "shaker", command))


# --------------------------------------------------------------------------------------------------------------- reader


def read_fluorescence(
    workcell: Workcell,
    plate: str,
    *,
    excitation_nm: float,
    emission_nm: float,
    gain: float,
    cycles: int = 1,
    interval_s: float = 0.0,
) -> Plan[JsonValue]:
    """Read a plate's fluorescence into the stream ``fluorescence``.

    Args:
        cycles: readings of the whole plate; more than one is a kinetic measurement (stream ``fluorescence_kinetic``).
        interval_s: from the start of one cycle to the start of the next.
    """
    command = ReadFluorescence(
        plate=plate,
        excitation_nm=excitation_nm,
        emission_nm=emission_nm,
        gain=gain,
        cycles=cycles,
        interval_s=interval_s,
    )
    return (yield from read(workcell, command, stream=_stream("fluorescence", cycles)))


def read_absorbance(
    workcell: Workcell, plate: str, *, wavelength_nm: float, cycles: int = 1, interval_s: float = 0.0
) -> Plan[JsonValue]:
    """Read a plate's absorbance into the stream ``absorbance``; cycles as in :func:`read_fluorescence`."""
    command = ReadAbsorbance(plate=plate, wavelength_nm=wavelength_nm, cycles=cycles, interval_s=interval_s)
    return (yield from read(workcell, command, stream=_stream("absorbance", cycles)))


def _stream(mode: str, cycles: int) -> str:
    """Kinetic events are longer, and one stream's events all have one shape."""
    return mode if cycles == 1 else f"{mode}_kinetic"
