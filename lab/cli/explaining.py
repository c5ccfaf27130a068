"""Errors as a person needs them: the place, the reason, the way out. No traceback."""

from __future__ import annotations

from rich.console import Console

from lab.errors import BadInput, CampaignFileError, DrywetError, Infeasible
from lab.types import JsonValue

__all__ = ["error_json", "exit_code", "explain"]


def exit_code(error: DrywetError) -> int:
    """2 where a person can mend what they gave, 1 where a run is held or an instrument failed."""
    return 2 if isinstance(error, BadInput) else 1


def explain(error: DrywetError, err: Console) -> int:
    """Print an error; gives the exit code."""
    match error:
        case Infeasible():
            err.print("[bold red]This can't be carried out:[/]", highlight=False)
            for problem in error.problems:
                _plain(err, f"  - {problem}")
            _plain(err, error.way_out)
        case CampaignFileError():
            for one in error.problems:
                _one(one, err)
        case BadInput():
            _one(error, err)
        case _:
            err.print("[bold red]Held:[/]", end=" ", highlight=False)
            _plain(err, str(error))
    return exit_code(error)


def error_json(error: DrywetError) -> dict[str, JsonValue]:
    """An error for a program: ``{"error": {"exit_code": 2, "problems": [...]}}``."""
    if isinstance(error, CampaignFileError):
        problems = [_problem_json(problem) for problem in error.problems]
    elif isinstance(error, Infeasible):
        problems = [{"reason": problem, "way_out": error.way_out} for problem in error.problems]
    elif isinstance(error, BadInput):
        problems = [_problem_json(error)]
    else:
        problems = [{"reason": str(error), "way_out": ""}]
    return {"error": {"exit_code": exit_code(error), "problems": problems}}


def _problem_json(error: BadInput) -> dict[str, JsonValue]:
    return {
        "file": None if error.file is None else str(error.file),
        "line": error.line,
        "field": error.field,
        "reason": error.reason,
        "way_out": error.way_out,
    }


def _one(error: BadInput, err: Console) -> None:
    if error.place:
        err.print("[bold red]Error in[/]", end=" ", highlight=False)
        _plain(err, error.place)
    else:
        err.print("[bold red]Error[/]", highlight=False)
    _plain(err, f"  {error.reason}")
    if error.way_out:
        _plain(err, f"  {error.way_out}")


def _plain(err: Console, text: str) -> None:
    """As it stands: brackets are not markup, and a path is not broken at the edge of the window."""
    if text:
        err.print(text, markup=False, highlight=False, soft_wrap=True)
