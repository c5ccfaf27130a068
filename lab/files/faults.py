"""The workcell file's `faults`: what goes wrong on a twin, to see how a campaign takes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from lab.errors import FaultKind
from lab.files.source import Problems
from lab.strict import StrictModel, did_you_mean

__all__ = ["NO_FAULTS", "FaultFields", "FaultSpec", "FaultsFields", "FaultsSpec", "read_faults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """One rule.

    Args:
        number: in the list of the file, from 1.
        device: role of the instrument.
        verb: of the device, or a part of what its instrument does.
        at: occasions, from 1, in place of a ``probability``.
        moment: ``before`` or ``after`` the instrument has done what it was asked for.
        count: occasions in a row.
        silent: the instrument does not say so.
    """

    number: int
    device: str
    fault: FaultKind
    verb: str
    probability: float = 0.0
    at: tuple[int, ...] = ()
    moment: str = "before"
    count: int = 1
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultsSpec:
    """All that goes wrong on a twin.

    Args:
        seed: with the same seed the same faults.
    """

    seed: int = 0
    rules: tuple[FaultSpec, ...] = ()


NO_FAULTS = FaultsSpec()


class FaultFields(StrictModel):
    """One rule, as it is written."""

    device: str = Field(examples=["handler"])
    fault: str = Field(examples=["clog"])
    verb: str = Field(examples=["distribute"])
    probability: float | None = Field(default=None, gt=0.0, le=1.0)
    at: list[int] | None = Field(default=None, min_length=1)
    moment: Literal["before", "after"] = "before"
    count: int = Field(default=1, ge=1, le=1000)
    silent: bool = False


class FaultsFields(StrictModel):
    """The section, as it is written."""

    seed: int = Field(default=0, ge=0)
    rules: list[FaultFields] = Field(min_length=1)


def read_faults(
    written: FaultsFields | None, *, twins: Collection[str], devices: Iterable[str], problems: Problems
) -> FaultsSpec:
    """The section, checked as far as a file can be by itself; what each instrument can have is its twin's to say.

    Args:
        twins: roles that are simulated.
        devices: roles in the file.
        problems: takes what is wrong.
    """
    if written is None:
        return NO_FAULTS
    known = tuple(devices)
    for n, rule in enumerate(written.rules, start=1):
        if rule.device in known and rule.device not in twins:
            problems.add(
                f"faults.rules[{n}].device",
                f"Faults are made on a twin; {rule.device} is real and has its own.",
                "Take the rule out, or set twin: true.",
            )
    rules = tuple(_rule(n, rule, known, problems) for n, rule in enumerate(written.rules, start=1))
    return FaultsSpec(seed=written.seed, rules=rules)


def _rule(number: int, rule: FaultFields, devices: tuple[str, ...], problems: Problems) -> FaultSpec:
    field = f"faults.rules[{number}]"
    if rule.device not in devices:
        problems.add(
            f"{field}.device",
            f"There is no device {rule.device!r}.",
            did_you_mean(rule.device, devices, what="The devices are:"),
        )
    kinds = [kind.value for kind in FaultKind]
    if rule.fault not in kinds:
        problems.add(f"{field}.fault", f"There is no fault {rule.fault!r}.", did_you_mean(rule.fault, kinds))
    if (rule.probability is None) == (rule.at is None):
        problems.add(
            field,
            "A fault happens either with a probability or at given occasions.",
            "Write probability: 0.02, or at: [3, 17].",
        )
    if any(n < 1 for n in rule.at or ()):
        problems.add(f"{field}.at", "Occasions are counted from 1.", "Write whole numbers from 1.")
    return FaultSpec(
        number=number,
        device=rule.device,
        fault=FaultKind(rule.fault) if rule.fault in kinds else FaultKind.INSTRUMENT_ERROR,
        verb=rule.verb,
        probability=rule.probability or 0.0,
        at=tuple(rule.at or ()),
        moment=rule.moment,
        count=rule.count,
        silent=rule.silent,
    )
