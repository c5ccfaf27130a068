"""Errors in words, exit codes, and where libraries may log."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path

import pytest
from rich.console import Console

from lab.cli.explaining import error_json, explain
from lab.cli.logs import LOG_NAME, logging_to
from lab.errors import BadInput, CampaignFileError, ConnectionLost, Infeasible, RunHeld, StoreUnusable


def told(error: Exception) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=80)
    code = explain(error, console)
    assert isinstance(console.file, io.StringIO)
    return code, console.file.getvalue()


def test_a_place_a_reason_and_a_way_out_stand_on_lines_of_their_own():
    error = CampaignFileError("It is wrong.", way_out="Mend it.", file="heat.yaml", line=3, field="budget")
    assert told(error) == (2, "Error in heat.yaml, line 3, budget\n  It is wrong.\n  Mend it.\n")


def test_a_long_path_is_not_broken_at_the_edge_of_the_window():
    path = "/".join(["folder"] * 30) + ".yaml"
    assert path in told(CampaignFileError("It is wrong.", file=path))[1]


def test_all_that_is_wrong_in_a_file_is_told():
    error = CampaignFileError(
        "One.", file="a.yaml", others=(CampaignFileError("Two.", file="a.yaml", line=9),)
    )
    assert told(error)[1].count("Error in a.yaml") == 2
    assert [p["line"] for p in error_json(error)["error"]["problems"]] == [None, 9]


def test_each_reason_against_a_batch_has_a_line():
    code, text = told(Infeasible(("No tips.", "No plates."), way_out="Fill up."))
    assert code == 2
    assert text.splitlines()[1:] == ["  - No tips.", "  - No plates.", "Fill up."]


@pytest.mark.parametrize(
    "error", [ConnectionLost("the wire is gone", device="shaker"), RunHeld("a plate is missing")]
)
def test_what_holds_a_run_is_no_mistake_of_the_persons(error):
    code, text = told(error)
    assert code == 1
    assert text == f"Held: {error}\n"
    assert error_json(error)["error"]["exit_code"] == 1


def test_a_problem_that_stands_nowhere_has_no_place():
    assert told(StoreUnusable("It is locked."))[1] == "Error\n  It is locked.\n"
    assert error_json(BadInput("x"))["error"]["problems"][0]["file"] is None


def test_libraries_log_to_the_file_and_not_to_the_terminal(tmp_path: Path, capsys):
    with warnings.catch_warnings(), logging_to(tmp_path / "new") as log:
        warnings.simplefilter("default")
        try:
            raise ValueError("the run was aborted")
        except ValueError:
            logging.getLogger("bluesky").exception("Run aborted")
        warnings.warn("old age", UserWarning, stacklevel=1)
    assert log == tmp_path / "new" / LOG_NAME
    text = log.read_text()
    assert "Run aborted" in text
    assert "ValueError: the run was aborted" in text
    assert "old age" in text
    assert capsys.readouterr() == ("", "")


def test_logging_is_afterwards_as_it_was(tmp_path: Path):
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.raiseExceptions)
    with logging_to(tmp_path):
        assert root.level == logging.INFO
    assert (list(root.handlers), root.level, logging.raiseExceptions) == before


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys):
    (tmp_path / "file").write_text("")
    with logging_to(tmp_path / "file"):
        logging.getLogger("bluesky").error("lost")
    assert capsys.readouterr() == ("", "")
