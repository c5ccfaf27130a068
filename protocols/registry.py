"""Protocols by name. A new one is a module with the names of :class:`lab.interfaces.ProtocolModule` and a line here."""

import importlib.util
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

from lab.errors import BadInput
from lab.interfaces import ProtocolModule
from lab.strict import did_you_mean

__all__ = ["NEEDED", "PROTOCOLS", "load", "protocol", "protocol_names"]

PROTOCOLS: dict[str, str] = {
    "by_hand": "protocols.by_hand",
    "film_ageing": "protocols.film_ageing",
    "formulation_ageing": "protocols.formulation_ageing",
    "kinetic_activity": "protocols.kinetic_activity",
    "reporter_expression": "protocols.reporter_expression",
    "thermal_challenge": "protocols.thermal_challenge",
}
"""Name -> module, imported when first asked for."""

NEEDED = ("Parameters", "targets", "layout", "plan", "analyse")
"""What a module must have to be a protocol of campaigns."""


def protocol_names(folder: Path | str | None = None) -> tuple[str, ...]:
    """Every name that :func:`load` knows, in alphabetical order.

    Args:
        folder: of the user's own protocols, one file each.
    """
    own = (
        ()
        if folder is None
        else (path.stem for path in Path(folder).glob("*.py") if path.stem.isidentifier())
    )
    return tuple(sorted({*PROTOCOLS, *own}))


def protocol(name: str) -> ProtocolModule:
    """The protocol of that name.

    Raises:
        BadInput: no protocol has that name.
    """
    if name not in PROTOCOLS:
        raise _unknown(name, protocol_names())
    return cast(ProtocolModule, import_module(PROTOCOLS[name]))


def load(name: str, folder: Path | str | None = None) -> ProtocolModule:
    """A protocol from the user's own folder, or ours.

    Args:
        folder: looked into first; ``<name>.py`` in it is imported, and so can do whatever Python can.

    Raises:
        BadInput: no protocol has that name, or the file is none; names the file, and the line where that is known.
    """
    if folder is None:
        return protocol(name)
    if not Path(folder).is_dir():
        raise BadInput("There is no such folder of protocols.", way_out="Check its name.", file=folder)
    path = Path(folder) / f"{name}.py"
    if name.isidentifier() and path.is_file():
        return _from_file(name, path)
    if name in PROTOCOLS:
        return protocol(name)
    raise _unknown(name, protocol_names(folder))


def _unknown(name: str, known: Sequence[str]) -> BadInput:
    return BadInput(f"There is no protocol {name!r}.", way_out=did_you_mean(name, known, what="Known are"))


def _from_file(name: str, path: Path) -> ProtocolModule:
    # A name of its own, so that a user's `json.py` hides nobody's.
    full_name = f"_user_protocol_{name}"
    spec = importlib.util.spec_from_file_location(full_name, path)
    if spec is None or spec.loader is None:
        raise BadInput("This file cannot be imported.", way_out="A protocol is a Python file.", file=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        # Whatever a user's file raises is for the user to mend, and is never a traceback of ours.
        del sys.modules[full_name]
        reason = f"This protocol cannot be imported: {type(error).__name__}: {getattr(error, 'msg', error)}."
        raise BadInput(reason, way_out="Mend the file.", file=path, line=_line_in(path, error)) from error
    _check(module, path)
    return cast(ProtocolModule, module)


def _line_in(path: Path, error: Exception) -> int | None:
    """The line of the file that an error comes from."""
    if isinstance(error, SyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if Path(frame.filename) == path), None)


def _check(module: ModuleType, path: Path) -> None:
    missing = [name for name in NEEDED if not hasattr(module, name)]
    if missing:
        raise BadInput(
            f"This protocol lacks {', '.join(missing)}.",
            way_out=f"A protocol has {', '.join(NEEDED)}; see protocols/thermal_challenge.py.",
            file=path,
        )
