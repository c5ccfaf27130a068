"""The section ``interlocks`` of a workcell file."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lab.errors import BadInput
from lab.files.source import Problems
from lab.interlocks import Interlock, Need, Range, Scalar
from lab.strict import StrictModel, did_you_mean
from lab.types import JsonValue
from lab.units import SUFFIXES, read_quantity

__all__ = ["InterlockFields", "read_interlocks"]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class InterlockFields(StrictModel):
    """One interlock, as it is written."""

    verb: Annotated[list[str], BeforeValidator(_listed)] = Field(min_length=1, examples=["arm.*"])
    when: dict[str, JsonValue] = Field(default_factory=dict)
    needs: dict[str, JsonValue] = Field(min_length=1, examples=[{"thermocycler.lid": "open"}])
    because: str = ""


def read_interlocks(
    written: list[InterlockFields], *, devices: Collection[str], states: bool, problems: Problems
) -> tuple[Interlock, ...]:
    """The section, checked as far as a file can be by itself; which verbs and signals there are is the devices' to say.

    Args:
        devices: roles in the file.
        states: whether the file names one with the states of the lab.
        problems: takes what is wrong.
    """
    return tuple(_interlock(n, one, devices, states, problems) for n, one in enumerate(written, start=1))


def _interlock(
    number: int, written: InterlockFields, devices: Collection[str], states: bool, problems: Problems
) -> Interlock:
    field = f"interlocks[{number}]"
    for pattern in written.verb:
        device, dot, verb = pattern.partition(".")
        if not dot or not verb:
            problems.add(
                f"{field}.verb",
                f"{pattern!r} names no verb of a device.",
                "Write arm.move, or arm.* for all.",
            )
        elif device != "*":
            _check_device(f"{field}.verb", device, devices, problems)
    when = {name: _values(f"{field}.when.{name}", value, problems) for name, value in written.when.items()}
    needs = []
    for of, value in written.needs.items():
        need = Need(of=of, allowed=_allowed(f"{field}.needs.{of}", of, value, problems))
        if need.device:
            _check_device(f"{field}.needs", need.device, devices, problems)
        elif not states:
            problems.add(
                f"{field}.needs",
                f"{of} is a state of the lab, and the file does not say where those are kept.",
                "Add a line such as `states: lab_states.yaml`, or write device.signal.",
            )
        needs.append(need)
    return Interlock(
        verbs=tuple(written.verb), when=when, needs=tuple(needs), because=written.because.rstrip(".")
    )


def _check_device(field: str, device: str, devices: Collection[str], problems: Problems) -> None:
    if device not in devices:
        known = did_you_mean(device, devices, what="The devices are:")
        problems.add(field, f"There is no device {device!r}.", known)


def _allowed(field: str, of: str, value: JsonValue, problems: Problems) -> tuple[Scalar, ...] | Range:
    """What a need allows: one value, one of several, or, where the name ends in a unit, numbers from one to another."""
    name = of.rpartition(".")[2]
    if not (isinstance(value, list) and len(value) == 2 and name.endswith(tuple(SUFFIXES))):
        return _values(field, value, problems)
    try:
        low, high = (read_quantity(name, one) for one in value if isinstance(one, str | int | float))
    except (BadInput, ValueError):
        low, high = 1.0, 0.0
    if low > high:
        problems.add(field, f"{of} is no range.", "Write [lowest, highest], with the lower one first.")
    return Range(low, high)


def _values(field: str, value: JsonValue, problems: Problems) -> tuple[Scalar, ...]:
    listed = value if isinstance(value, list) else [value]
    scalars = tuple(one for one in listed if isinstance(one, str | bool | int | float))
    if not scalars or len(scalars) != len(listed):
        problems.add(field, "This is neither a value nor a list of values.", "Write open, or [open, closed].")
    return scalars
