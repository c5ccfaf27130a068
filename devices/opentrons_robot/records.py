"""What a robot says, checked: nothing that is not as the API has it gets past here.

Field names in docstrings are the API's (OpenAPI document of the robot's HTTP API, version 8.1.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.errors import NonsenseReply

__all__ = [
    "ACTIVE",
    "ENDED",
    "CommandPage",
    "CommandRecord",
    "Health",
    "ModuleRecord",
    "PipetteRecord",
    "RunRecord",
    "as_list",
    "as_mapping",
    "as_number",
    "as_text",
]

COMMAND_STATUSES = frozenset({"queued", "running", "succeeded", "failed"})

ACTIVE = frozenset(
    {
        "running",
        "paused",
        "blocked-by-open-door",
        "stop-requested",
        "finishing",
        "awaiting-recovery",
        "awaiting-recovery-paused",
        "awaiting-recovery-blocked-by-open-door",
    }
)
"""Of a run that was started and has not ended."""

ENDED = frozenset({"stopped", "failed", "succeeded"})

RUN_STATUSES = ACTIVE | ENDED | {"idle"}


def as_mapping(value: object, what: str) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        NonsenseReply: it is something else; also from its neighbours.
    """
    if not isinstance(value, Mapping):
        raise NonsenseReply(f"{what} is {_shown(value)}, not an object.")
    return value


def as_list(value: object, what: str) -> Sequence[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise NonsenseReply(f"{what} is {_shown(value)}, not a list.")
    return value


def as_text(record: Mapping[str, Any], name: str, what: str) -> str:
    """A field that must be a text."""
    value = record.get(name)
    if not isinstance(value, str):
        raise NonsenseReply(f"{name} of {what} is {_shown(value)}, not a text.")
    return value


def as_number(record: Mapping[str, Any], name: str, what: str) -> float:
    """A field that must be a number."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NonsenseReply(f"{name} of {what} is {_shown(value)}, not a number.")
    return float(value)


def _shown(value: object) -> str:
    return repr(value)[:60]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Who answers (``GET /health``).

    Args:
        model: ``OT-2 Standard`` or ``OT-3 Standard``, which is the Flex.
    """

    name: str
    model: str
    software: str
    serial: str

    @classmethod
    def of(cls, answer: object) -> Health:
        """From the answer; a robot without a serial number is known by its name."""
        health = as_mapping(answer, "the robot's health")
        model = as_text(health, "robot_model", "the robot's health")
        if model not in ("OT-2 Standard", "OT-3 Standard"):
            raise NonsenseReply(f"{model!r} is no robot of Opentrons.")
        name = as_text(health, "name", "the robot's health")
        serial = health.get("robot_serial")
        return cls(
            name=name,
            model=model,
            software=as_text(health, "api_version", "the robot's health"),
            serial=serial if isinstance(serial, str) and serial else name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipetteRecord:
    """A pipette that is attached (``GET /instruments``).

    Args:
        ok: whether it can be used; one with broken firmware says no more.
        tip_detected: by the Flex's sensor; None on an OT-2.
    """

    mount: str
    name: str
    serial: str
    channels: int
    min_volume_ul: float
    max_volume_ul: float
    ok: bool = True
    tip_detected: bool | None = None

    @classmethod
    def of(cls, answer: object) -> PipetteRecord | None:
        """From an item of the answer; None for what is no pipette, or one that can't say who it is."""
        item = as_mapping(answer, "an instrument")
        if item.get("instrumentType") != "pipette" or item.get("ok") is not True:
            return None
        mount = as_text(item, "mount", "a pipette")
        if mount not in ("left", "right"):
            raise NonsenseReply(f"A pipette is on the mount {mount!r}.")
        data = as_mapping(item.get("data"), "data of a pipette")
        state = item.get("state")
        detected = state.get("tip_detected", state.get("tipDetected")) if isinstance(state, Mapping) else None
        return cls(
            mount=mount,
            name=as_text(item, "instrumentName", "a pipette"),
            serial=as_text(item, "serialNumber", "a pipette"),
            channels=int(as_number(data, "channels", "a pipette")),
            min_volume_ul=as_number(data, "min_volume", "a pipette"),
            max_volume_ul=as_number(data, "max_volume", "a pipette"),
            tip_detected=detected if isinstance(detected, bool) else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRecord:
    """A module that is plugged in (``GET /modules``).

    Args:
        id: by which commands name it.
        kind: ``moduleType``, such as ``thermocyclerModuleType``.
        data: live values, as the kind has them.
    """

    id: str
    serial: str
    kind: str
    model: str
    firmware: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, answer: object) -> ModuleRecord:
        """From an item of the answer."""
        item = as_mapping(answer, "a module")
        return cls(
            id=as_text(item, "id", "a module"),
            serial=as_text(item, "serialNumber", "a module"),
            kind=as_text(item, "moduleType", "a module"),
            model=as_text(item, "moduleModel", "a module"),
            firmware=as_text(item, "firmwareVersion", "a module"),
            data=as_mapping(item.get("data"), "data of a module"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as the robot keeps it.

    Args:
        ok: False for one whose record the robot lost.
        errors: that ended it.
    """

    id: str
    status: str
    current: bool
    ok: bool = True
    errors: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, answer: object) -> RunRecord:
        """From ``data`` of the answer."""
        run = as_mapping(answer, "a run")
        status = as_text(run, "status", "a run")
        if status not in RUN_STATUSES:
            raise NonsenseReply(f"A run has the status {status!r}.")
        errors = tuple(
            as_mapping(one, "an error of a run") for one in as_list(run.get("errors"), "errors of a run")
        )
        return cls(
            id=as_text(run, "id", "a run"),
            status=status,
            current=run.get("current") is True,
            ok=run.get("ok") is not False,
            errors=errors,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRecord:
    """A command as the robot keeps it.

    Args:
        key: ours, by which it is found again.
        error: of one that failed.
        params: as it was given.
        intent: ``protocol``, ``setup`` or ``fixit``.
        failed: id of the command that a ``fixit`` is to mend.
    """

    id: str
    key: str
    type: str
    status: str
    error: Mapping[str, Any] | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    intent: str = "protocol"
    failed: str = ""

    @classmethod
    def of(cls, answer: object) -> CommandRecord:
        """From ``data`` of the answer, or from an item of a list, which holds no result."""
        command = as_mapping(answer, "a command")
        status = as_text(command, "status", "a command")
        if status not in COMMAND_STATUSES:
            raise NonsenseReply(f"A command has the status {status!r}.")
        error, result = command.get("error"), command.get("result")
        return cls(
            id=as_text(command, "id", "a command"),
            key=as_text(command, "key", "a command"),
            type=as_text(command, "commandType", "a command"),
            status=status,
            error=None if error is None else as_mapping(error, "the error of a command"),
            result={} if result is None else as_mapping(result, "the result of a command"),
            params=as_mapping(command.get("params", {}), "params of a command"),
            intent=str(command.get("intent") or "protocol"),
            failed=str(command.get("failedCommandId") or ""),
        )

    @property
    def ended(self) -> bool:
        """Whether it succeeded or failed."""
        return self.status in ("succeeded", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPage:
    """A stretch of a run's commands.

    Args:
        first: index of the first of them.
        total: number of commands that the run has.
    """

    commands: tuple[CommandRecord, ...]
    first: int
    total: int

    @classmethod
    def of(cls, answer: object) -> CommandPage:
        """From the whole answer."""
        page = as_mapping(answer, "a list of commands")
        meta = as_mapping(page.get("meta"), "meta of a list of commands")
        commands = as_list(page.get("data"), "a list of commands")
        return cls(
            commands=tuple(CommandRecord.of(one) for one in commands),
            first=int(as_number(meta, "cursor", "a list of commands")),
            total=int(as_number(meta, "totalLength", "a list of commands")),
        )
