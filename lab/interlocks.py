"""What must be so before an instrument is told something: interlocks, as the workcell file has them.

An interlock names verbs and what they need: signals of devices, read at that moment, and states of the lab, which a person
or another program keeps in a small file. Unknown blocks: a signal that can't be read, a state that nobody has written down,
a file that can't be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lab.types import JsonValue

__all__ = ["Interlock", "Need", "Range"]

Scalar = str | bool | float


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What must be so.

    Args:
        of: ``device.signal``, or the name of a state of the lab.
        allowed: any of these values, or any number of a range.
    """

    of: str
    allowed: tuple[Scalar, ...] | Range

    @property
    def device(self) -> str:
        """The device whose signal it is; empty for a state of the lab."""
        device, dot, _ = self.of.partition(".")
        return device if dot else ""

    @property
    def signal(self) -> str:
        """Name of the signal or of the state."""
        return self.of.partition(".")[2] or self.of

    def met_by(self, value: object) -> bool:
        """Whether a value is allowed; text and truth values as they are, numbers by their size."""
        value = _plain(value)
        if isinstance(self.allowed, Range):
            return _is_number(value) and self.allowed.low <= float(str(value)) <= self.allowed.high
        return any(_same(value, one) for one in self.allowed)

    @property
    def wanted(self) -> str:
        """For a sentence: ``closed``, ``4 to 40``."""
        if isinstance(self.allowed, Range):
            return f"{self.allowed.low:g} to {self.allowed.high:g}"
        return " or ".join(_word(one) for one in self.allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interlock:
    """One rule.

    Args:
        verbs: patterns of ``device.verb`` (``arm.*``).
        when: field of the command -> values for which the rule holds, of a list those that are among it; it holds for every
            command where this is empty.
        needs: all of it.
        because: why, for whoever is stopped by it.
    """

    verbs: tuple[str, ...]
    when: Mapping[str, tuple[Scalar, ...]]
    needs: tuple[Need, ...]
    because: str

    def concerns(self, device: str, verb: str, arguments: Mapping[str, JsonValue]) -> bool:
        """Whether a command of a device has to keep to it."""
        return any(fnmatchcase(f"{device}.{verb}", pattern) for pattern in self.verbs) and all(
            any(_same(part, one) for part in _parts(arguments.get(name)) for one in values)
            for name, values in self.when.items()
        )


def _parts(value: JsonValue) -> Iterator[JsonValue]:
    """A part of a command, or all that stands in it where it is a list (``wells``, ``targets``)."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _parts(one)
    else:
        yield value


def _plain(value: object) -> object:
    """A value of a signal as Python's own: NumPy's truth values and whole numbers are neither ``bool`` nor ``int``."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: object, wanted: Scalar) -> bool:
    if _is_number(value) and _is_number(wanted):
        return float(str(value)) == float(str(wanted))
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return str(value) == str(wanted)


def _word(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
