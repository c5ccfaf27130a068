"""Every instrument of a workcell file is connected to and asked who it is: ``drywet workcell check``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.app.benches import belief_of, sketch_over
from lab.app.safe_bench import CONNECT_S, let_go
from lab.app.stopping import in_time
from lab.clock import LabClock
from lab.engine.safety import side_by_side
from lab.files import WorkcellSpec, load_workcell
from lab.recovery import SAFE_BOUND_S
from lab.types import JsonValue, Origin

if TYPE_CHECKING:
    from devices.identity import Identity

__all__ = ["Answered", "check_bench"]


@dataclass(slots=True, kw_only=True)
class Answered:
    """What came of asking one instrument.

    Args:
        address: in the workcell file; empty where the driver finds its instrument, and of a twin.
        identity: as it introduced itself; None where it did not.
        shows: signal -> its value, of what the instrument shows without being told to do anything.
        error: why it can't be used; empty where it can.
    """

    role: str
    driver: str
    twin: bool
    address: str
    identity: Identity | None = None
    shows: Mapping[str, JsonValue] = field(default_factory=dict)
    error: str = ""


def check_bench(path: Path) -> tuple[str, tuple[Answered, ...]]:
    """Connect to every instrument side by side, ask who it is and what it shows, and let go.

    Some instruments move when they are connected to. Nothing else is done, and nothing is kept.

    Returns:
        Name of the workcell, and one answer for each device, in the order of the file.

    Raises:
        CampaignFileError: the file is wrong.
    """
    spec = load_workcell(path)
    with LabClock(virtual=spec.twin) as clock:
        devices = sketch_over(spec, belief_of(spec, ()), clock).devices
        answers = {role: _unanswered(spec, role) for role in devices}
        asking = {role: _ask(device, answers[role]) for role, device in devices.items()}
        outcomes: dict[str, str] = {}
        late = in_time(clock, side_by_side(asking, CONNECT_S, outcomes), CONNECT_S)
        silent = late or f"it did not answer within {CONNECT_S:.0f} s."
        in_time(clock, let_go(devices), SAFE_BOUND_S)
    for role, answer in answers.items():
        answer.error = outcomes.get(role, silent) or answer.error
    return spec.name, tuple(answers.values())


def _unanswered(spec: WorkcellSpec, role: str) -> Answered:
    device = spec.devices[role]
    address = "" if device.twin else device.address
    return Answered(role=role, driver=device.driver, twin=device.twin, address=address)


async def _ask(device: Any, answer: Answered) -> None:
    await device.connect()
    answer.identity = identity = await device.identify()
    if (identity.origin is Origin.TWIN) != answer.twin:
        answer.error = (
            f"it answers as {identity.origin}, but the workcell file says twin: {str(answer.twin).lower()}."
        )
    shown = await device.read()
    if any(getattr(one["value"], "size", 1) == 0 for one in shown.values()):
        return  # It shows its last reading, and has none yet.
    prefix = f"{answer.role}-"
    answer.shows = {name.removeprefix(prefix): _plain(one["value"]) for name, one in shown.items()}


def _plain(value: Any) -> JsonValue:
    """A value as JSON has it."""
    plain: JsonValue = value.item() if hasattr(value, "item") else value
    return plain if isinstance(plain, str | int | float | bool) else str(plain)
