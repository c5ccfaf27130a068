"""What chooses: planners of ours by name and settings, and peers, each a process that speaks as ``peers/wire.py`` says.

A planner of ours is written ``NAME`` or ``NAME:key=value;key=value`` with values as JSON. ``@own`` behind the name lets it
choose its first experiments too, ``+models`` gives it the pretrained models that the set names. ``ours`` stands for the
default, and ``ours.NAME`` for a planner that has the name of a peer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import planners
from lab.errors import BadInput, MissingData
from lab.types import JsonValue

__all__ = ["DEFAULT", "PEERS", "Method", "method"]

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENTS = ROOT / ".venv-peers"
DEFAULT = "adaptive"

PEERS: dict[str, str] = {
    "random": "",
    "forest": "forest",
    "physbo": "physbo",
    "gpcam": "gpcam",
    "botorch": "botorch",
    "baybe": "baybe",
    "ax": "ax",
}
"""Name -> its environment under ``.venv-peers``; empty for what needs numpy alone. ``peers/with_NAME.py`` is the worker."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way of choosing.

    Args:
        name: as tables call it; the same name is the same method with the same settings.
        command: that starts its worker.
        own_start: whether it chooses its first experiments.
    """

    name: str
    command: tuple[str, ...]
    own_start: bool = False


def method(text: str) -> Method:
    """The method that a command line names.

    Raises:
        BadInput: no planner or peer has that name, or its settings cannot be read.
        MissingData: the peer's environment is not there.
    """
    if text in PEERS:
        return Method(text, (str(_python(text)), str(Path(__file__).parent / "peers" / f"with_{text}.py")))
    front, _, settings_text = text.partition(":")
    name, own, extras = _marks(front)
    if name not in planners.planner_names():
        raise BadInput(
            f"There is no method named {name!r}.",
            way_out=f"Planners are {', '.join(planners.planner_names())}; peers are {', '.join(PEERS)}.",
        )
    settings = _settings(settings_text)
    planners.planner(name, settings)
    label = f"ours.{name}" if name in PEERS else name
    label += "@own" * own + "+models" * extras
    if settings:
        label += ":" + ";".join(f"{key}={json.dumps(settings[key])}" for key in sorted(settings))
    given = json.dumps({"planner": name, "settings": settings, "extras": extras})
    command = (sys.executable, "-W", "ignore", "-m", "benchmarks.planning.ours", given)
    return Method(label, command, own_start=own)


def _marks(text: str) -> tuple[str, bool, bool]:
    """Name of the planner, whether it chooses its start, and whether it is given the set's pretrained models."""
    extras = text.endswith("+models")
    name, at, start = text.removesuffix("+models").partition("@")
    if at and start != "own":
        raise BadInput(
            f"After @ stands own, not {start!r}.", way_out=f"Write {name}@own or {name}@own+models."
        )
    return DEFAULT if name == "ours" else name.removeprefix("ours."), bool(at), extras


def methods(texts: Sequence[str]) -> list[Method]:
    """Each once, in order; ``peers`` stands for all peers whose environments are there."""
    found: dict[str, Method] = {}
    for text in texts:
        if text != "peers":
            made = method(text)
            found.setdefault(made.name, made)
            continue
        for peer in PEERS:
            if _python(peer, check=False).is_file():
                found.setdefault(peer, method(peer))
    return list(found.values())


def _python(peer: str, check: bool = True) -> Path:
    environment = PEERS[peer]
    if not environment:
        return Path(sys.executable)
    python = ENVIRONMENTS / environment / "bin" / "python"
    if check and not python.is_file():
        raise MissingData(
            f"The peer {peer} has no environment under .venv-peers/{environment}.",
            way_out="Set up all peers with: make peers",
        )
    return python


def _settings(text: str) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for part in filter(None, text.split(";")):
        key, equals, value = part.partition("=")
        if not equals:
            raise BadInput(f"A setting is written key=value, not {part!r}.")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found
