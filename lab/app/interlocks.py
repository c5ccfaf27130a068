"""Interlocks held against the bench that they are of: one that can never apply, or never be met, is refused at its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any, get_args, get_type_hints

from lab.errors import BadInput
from lab.files.lab_states import read_states
from lab.files.workcell import WorkcellSpec
from lab.interlocks import Interlock, Need, Range, Scalar
from lab.strict import did_you_mean

__all__ = ["check_interlocks"]

_LABWARE = frozenset({"labware", "lid", "plate", "source_labware", "targets"})
_WELLS = frozenset({"source_well", "wells", "targets"})
"""Fields of our commands that name labware and wells of the bench."""


def check_interlocks(spec: WorkcellSpec, devices: Mapping[str, Any]) -> None:
    """See that every interlock speaks of what there is: verbs, parts of their commands, signals, states and their values.

    One that never applies guards nothing, one that is never met lets nothing happen, and one that looks at what is
    remembered of a command, in place of asking the instrument, does not know.

    Raises:
        CampaignFileError: one does not; names its line and what may have been meant.
    """
    from ophyd_async.core import SignalR

    from devices.verb import Verb

    verbs = dict(_children(devices, Verb))
    signals = dict(_children(devices, SignalR))
    for number, rule in enumerate(spec.interlocks, start=1):
        field = f"interlocks[{number}]"
        meant = []
        for pattern in rule.verbs:
            found = [verb for name, verb in verbs.items() if fnmatchcase(name, pattern)]
            if not found:
                raise spec.unknown_name(f"{field}.verb", "verb", pattern, verbs)
            meant.append(found)
        for of_pattern in meant:
            _check_when(spec, field, rule, [verb.command_type for verb in of_pattern])
        for need in rule.needs:
            if need.device:
                _check_signal(spec, f"{field}.needs", need, signals)
            else:
                _check_state(spec, f"{field}.needs", need)


def _children(devices: Mapping[str, Any], kind: type[Any]) -> Iterator[tuple[str, Any]]:
    for role, device in devices.items():
        for name, child in device.children():
            if isinstance(child, kind):
                yield f"{role}.{name}", child


def _check_when(spec: WorkcellSpec, field: str, rule: Interlock, commands: Sequence[type[Any]]) -> None:
    hints = [get_type_hints(command) for command in commands]
    parts = {field.name for command in commands for field in fields(command)}
    for name, values in rule.when.items():
        if name not in parts:
            raise spec.unknown_name(f"{field}.when", "part of such a command", name, sorted(parts))
        kinds = {kind for hint in hints if name in hint for kind in _kinds(hint[name])}
        plain = all(hint.get(name) is str for hint in hints) or name in {"wells", "targets"}
        known = _names(spec, name) if plain else frozenset()
        for value in values:
            where = f"{field}.when.{name}"
            if not _is_of(value, kinds):
                raise spec.error(
                    where,
                    f"{name} is {_told(kinds)}, and never {_word(value)}.",
                    "The rule would never apply.",
                )
            if known and value not in known:
                raise spec.error(
                    where,
                    f"There is no {_word(value)} for {name}.",
                    did_you_mean(str(value), known, what="There are:") or "The rule would never apply.",
                )


def _names(spec: WorkcellSpec, field: str) -> frozenset[str]:
    """What of the bench a field of a command can name; empty where it names nothing of it."""
    if field == "destination":
        return frozenset(position.name for position in spec.positions)
    labware = {item.id for item in spec.labware} if field in _LABWARE else set()
    if field not in _WELLS:
        return frozenset(labware)
    from devices.labware import labware_type

    kinds = (labware_type(item.type) for item in spec.labware)
    return frozenset(labware | {well for kind in kinds for well in kind.wells})


def _kinds(hint: Any) -> Iterator[type]:
    """The types of the values that stand in a field, whatever they are listed in."""
    arguments = [one for one in get_args(hint) if one is not Ellipsis]
    if not arguments:
        yield hint
    for one in arguments:
        yield from _kinds(one)


def _check_signal(spec: WorkcellSpec, field: str, need: Need, signals: Mapping[str, Any]) -> None:
    if need.of not in signals:
        raise spec.unknown_name(field, "signal", need.of, sorted(signals))
    if _is_remembered(spec, need.device, signals[need.of]):
        asked = [name for name, one in signals.items() if not _is_remembered(spec, name.split(".")[0], one)]
        raise spec.error(
            field,
            f"{need.of} is what came of the last command; it does not show how the instrument is now.",
            f"Those that are asked are {', '.join(sorted(asked)) or 'none'}. Or name a state of the lab.",
        )
    kind = signals[need.of].datatype
    where = f"{field}.{need.of}"
    if not isinstance(kind, type):
        raise spec.error(where, f"{need.of} is a list, and no single value.", "Name another signal.")
    values: tuple[Scalar, ...] = (0.0,) if isinstance(need.allowed, Range) else need.allowed
    wanted = f"from {need.wanted}" if isinstance(need.allowed, Range) else ""
    shown = [str(one.value) for one in kind] if issubclass(kind, Enum) else []
    for value in values:
        if shown and str(value) not in shown:
            raise spec.error(
                where,
                f"{need.of} is never {wanted or _word(value)}.",
                did_you_mean(str(value), shown, what="It shows:"),
            )
        if not shown and not _is_of(value, {kind}):
            raise spec.error(
                where,
                f"{need.of} is {_told({kind})}, and never {wanted or _word(value)}.",
                "Such a need would never be met.",
            )


def _check_state(spec: WorkcellSpec, field: str, need: Need) -> None:
    """A state has to be in the file of states, where that is there; what can't be read now blocks when it is looked at."""
    if spec.states is None or not spec.states.exists():
        return
    try:
        states = read_states(spec.states)
    except BadInput:
        return
    if need.of not in states:
        raise spec.unknown_name(field, f"state in {spec.states.name}", need.of, sorted(states))


def _is_remembered(spec: WorkcellSpec, role: str, signal: Any) -> bool:
    """Whether reading a signal of one of our devices asks nobody; what those of a user's own driver do, the user knows."""
    return ":" not in spec.devices[role].driver and signal.source.startswith("soft://")


def _is_of(value: Scalar, kinds: Iterable[Any]) -> bool:
    """Whether a value can be one of these types; of types that are not known here, whatever it is."""
    known = {str: str, bool: bool, int: float, float: float, type(None): type(None)}
    wanted = {known.get(kind, object) for kind in kinds}
    if object in wanted or not wanted:
        return True
    return (bool if isinstance(value, bool) else str if isinstance(value, str) else float) in wanted


def _told(kinds: Iterable[Any]) -> str:
    words = {str: "text", bool: "true or false", int: "a number", float: "a number"}
    return " or ".join(dict.fromkeys(words[kind] for kind in kinds if kind in words))


def _word(value: Scalar) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else repr(value)
        if isinstance(value, str)
        else f"{value:g}"
    )
