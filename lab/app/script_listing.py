"""Which protocols there are, ours and those of a folder, and what each can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.errors import BadInput
from protocols import protocol, protocol_names
from protocols.registry import NEEDED
from protocols.scripts import load_script, read_scripts
from protocols.scripts.form import Form, form_of_model

__all__ = ["ListedProtocol", "list_protocols", "script_form"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProtocol:
    """A protocol that there is.

    Args:
        where: ``drywet``, or the file that it stands in.
        wrong: why it can't be used; None where it can.
    """

    name: str
    where: str
    summary: str
    wrong: BadInput | None = None


def list_protocols(folder: Path | None) -> tuple[ListedProtocol, ...]:
    """Ours, then those of a folder: functions, and modules with the five names of a campaign's protocol.

    Raises:
        BadInput: there is no such folder.
    """
    found = [
        ListedProtocol(name=name, where="drywet", summary=_first_line(protocol(name).__doc__))
        for name in protocol_names()
    ]
    for file in () if folder is None else read_scripts(folder):
        where = str(file.path)
        if file.wrong is not None:
            found.append(
                ListedProtocol(name=file.path.stem, where=where, summary="can't be used", wrong=file.wrong)
            )
        found += [
            ListedProtocol(name=name, where=where, summary=script.form.summary)
            for name, script in file.scripts.items()
        ]
        if file.module is not None and all(hasattr(file.module, name) for name in NEEDED):
            found.append(
                ListedProtocol(name=file.path.stem, where=where, summary=_first_line(file.module.__doc__))
            )
    return tuple(found)


def script_form(named: str) -> tuple[Form, str]:
    """The form of a protocol, one of ours by its name too, and what it is called.

    Raises:
        BadInput: no such protocol.
    """
    if named in protocol_names():
        module = protocol(named)
        return form_of_model(module.Parameters, _first_line(module.__doc__)), named
    script = load_script(named)
    return script.form, script.name


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().split("\n\n")[0].replace("\n", " ")
