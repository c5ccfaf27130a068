"""Protocols out of files: of a folder that the user names, or from the text that the store keeps of a run."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
import traceback
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import BadInput, DrywetError
from lab.strict import did_you_mean
from protocols.scripts.script import Script

__all__ = ["ScriptFile", "load_script", "read_scripts", "script_from_text", "split_name"]

_PROTOCOL = re.compile(r"^@(?:\w+\.)?protocol\b|^def (?:plan|analyse)\(", re.MULTILINE)
"""What a file with a protocol in it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFile:
    """A file of the user's, and the protocols in it.

    Args:
        text: of the file.
        scripts: by the name of their function, in the order of the file.
        module: what it made when it was run.
        wrong: why nothing can be made of it; None where it is sound.
    """

    path: Path
    text: str = ""
    scripts: dict[str, Script] = field(default_factory=dict)
    module: types.ModuleType | None = None
    wrong: BadInput | None = None


def load_script(named: str) -> Script:
    """The protocol of ``FILE``, or of ``FILE:function`` where the file has several.

    Raises:
        BadInput: no such file or function, the file can't be imported, or it calls steps of its own that are never taken;
            names the line where that is known.
    """
    path, function = split_name(named)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        folder = path.parent
        near = [one.name for one in folder.glob("*.py")] if folder.is_dir() else []
        raise BadInput(
            f"The protocol can't be read: {getattr(error, 'strerror', None) or error}.",
            way_out=did_you_mean(path.name, near, what="In that folder are:") or "Check its name.",
            file=path,
        ) from error
    script = script_from_text(text, path, function)
    _refuse_untaken(text, path)
    return script


def script_from_text(text: str, path: Path | str, function: str = "") -> Script:
    """The protocol of a file's text: the one of that function, or the only one.

    Args:
        path: where the text came from, for messages; nothing is read there.

    Raises:
        BadInput: as of :func:`load_script`.
    """
    scripts = _scripts_in(_module(text, Path(path)), text)
    if not scripts:
        raise BadInput(
            "There is no protocol in this file.", way_out="Write @protocol above its function.", file=path
        )
    if not function and len(scripts) > 1:
        raise BadInput(
            f"There are {len(scripts)} protocols in this file.",
            way_out=f"Name one: {path}:{next(iter(scripts))}. It has {', '.join(scripts)}.",
            file=path,
        )
    name = function or next(iter(scripts))
    if name not in scripts:
        raise BadInput(
            f"There is no protocol {name!r} in this file.",
            way_out=did_you_mean(name, scripts, what="It has:"),
            file=path,
        )
    return scripts[name]


def read_scripts(folder: Path | str) -> tuple[ScriptFile, ...]:
    """Every Python file of a folder that has protocols, sound or not, in alphabetical order.

    Other files are not run: nobody knows what they would do.

    Raises:
        BadInput: there is no such folder.
    """
    if not Path(folder).is_dir():
        raise BadInput("There is no such folder of protocols.", way_out="Check its name.", file=folder)
    found = []
    for path in sorted(Path(folder).glob("*.py")):
        try:
            text = path.read_text(encoding="utf-8-sig")
            if not _PROTOCOL.search(text):
                continue
            module = _module(text, path)
            found.append(ScriptFile(path=path, text=text, scripts=_scripts_in(module, text), module=module))
        except BadInput as wrong:
            found.append(ScriptFile(path=path, wrong=wrong))
        except (OSError, UnicodeDecodeError) as error:
            found.append(ScriptFile(path=path, wrong=BadInput(f"It can't be read: {error}.", file=path)))
    return tuple(found)


def split_name(named: str) -> tuple[Path, str]:
    """``FILE:function``; a drive letter's colon is none."""
    head, colon, tail = named.rpartition(":")
    if colon and tail.isidentifier() and not named.endswith(".py"):
        return Path(head), tail
    return Path(named), ""


def _scripts_in(module: types.ModuleType, text: str) -> dict[str, Script]:
    found = {
        value.name: value
        for value in vars(module).values()
        if isinstance(value, Script) and value.function.__module__ == module.__name__
    }
    for script in found.values():
        script.text = text
    return dict(sorted(found.items(), key=lambda item: item[1].line))


def _module(text: str, path: Path) -> types.ModuleType:
    """The file's text, run as a module of a name of its own, so that a user's ``json.py`` hides nobody's."""
    digest = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()[:12]
    module = types.ModuleType(f"_script_{path.stem}_{digest}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except DrywetError:
        raise
    except SyntaxError as error:
        raise BadInput(
            f"This protocol is no Python: {error.msg}.",
            way_out="Mend the line.",
            file=path,
            line=error.lineno,
        ) from error
    except Exception as error:
        # Whatever a user's file raises is for the user to mend, and is never a traceback of ours.
        raise BadInput(
            f"This protocol cannot be imported: {type(error).__name__}: {error}.",
            way_out="Mend the file. It can import installed packages; other files of its folder it can't.",
            file=path,
            line=_line_in(path, error),
        ) from error
    return module


def _refuse_untaken(text: str, path: Path) -> None:
    """Refuse a line that calls a function with steps and does not take them: it would do nothing, and nobody would notice.

    Raises:
        BadInput: names the line.
    """
    tree = ast.parse(text)
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
    steps = {
        one: any(isinstance(part, ast.Yield | ast.YieldFrom) for part in _own_parts(one)) for one in functions
    }
    with_steps = {one.name for one in functions if steps[one]} - {
        one.name for one in functions if not steps[one]
    }
    for line in ast.walk(tree):
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call):
            called = line.value.func
            if isinstance(called, ast.Name) and called.id in with_steps:
                raise BadInput(
                    f"{called.id}(...) does nothing here: its steps are not taken.",
                    way_out=f"Write: yield from {called.id}(...)",
                    file=path,
                    line=line.lineno,
                )


def _own_parts(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What stands in a function, less what stands in functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(part))


def _line_in(path: Path, error: Exception) -> int | None:
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)
