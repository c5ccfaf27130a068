"""Exports of plate readers, as their makers' programs write them, read by allotropy (Benchling, MIT licence).

allotropy's pins would hold back what drywet is made of, so it lives in an environment of its own (``make allotropy-env``)
and is a program of its own: a file in, JSON out. Formats are those of its ``Vendor``: ``BMG_MARS``, ``MOLDEV_SOFTMAX_PRO``,
``AGILENT_GEN5``, ``TECAN_MAGELLAN``, ``THERMO_SKANIT``, ``PERKIN_ELMER_ENVISION``, ``REVVITY_KALEIDO`` and others.

The Allotrope model names one unit for each kind of measurement, whatever the reader wrote (``mAU`` for an absorbance that is
in OD). So units are not taken from it: a worklist that asks for OD takes an absorbance, one in rfu a fluorescence, one in
rlu a luminescence, and the range that the worklist states is what finds a number that is off by a thousand.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import BadInput, CampaignFileError, MissingData
from lab.worklists.cells import LARGEST_BYTES, Row
from lab.worklists.grids import WAY_OUT, cut_rows
from lab.worklists.results import Expected, Handed, Measured, check_values

__all__ = ["ENVIRONMENT", "environment", "read_export"]

ENVIRONMENT = "DRYWET_ALLOTROPY"
"""Variable that names the Python of an environment with allotropy, where that is not ours."""

TIMEOUT_S = 120.0
"""Starting it takes some seconds, a plate less than one."""

_KINDS = {"od": "absorbance", "au": "absorbance", "rfu": "fluorescence", "rlu": "luminescence"}
_WORKER = Path(__file__).with_name("allotropy_worker.py")


def environment() -> Path:
    """The Python that has allotropy.

    Raises:
        MissingData: there is none.
    """
    named = os.environ.get(ENVIRONMENT)
    if named:
        python = Path(named)
        if python.is_file():
            return python
        raise MissingData(
            f"{ENVIRONMENT} names {named}, which is no file.", way_out="Name a Python that has allotropy."
        )
    for folder in Path(__file__).resolve().parents:
        python = folder / ".venv-allotropy" / "bin" / "python"
        if python.exists():
            return python
    raise MissingData(
        "Exports of readers can't be read: allotropy is not installed.",
        way_out=f"Build its environment with: make allotropy-env; or name a Python that has it in {ENVIRONMENT}.",
    )


def read_export(path: Path, reader: str, expected: Expected, *, barcode: str = "") -> Handed:
    """The numbers of a reader's export, where they are all that was asked for.

    Args:
        reader: name of allotropy's vendor.
        barcode: of the plate, as the person scanned it; where it is left out, the file must name the plate.

    Raises:
        CampaignFileError: what is wrong with the numbers; see :func:`lab.worklists.read_results`.
        BadInput: the file is none of that reader's, or holds another kind of measurement.
        MissingData: allotropy is not installed.
    """
    if not path.is_file():
        raise BadInput("There is no such file.", way_out="Check its name.", file=path)
    kind = _KINDS.get(expected.unit.lower())
    if kind is None:
        raise BadInput(
            f"A reader's export has no numbers in {expected.unit!r}.",
            way_out="Hand in a list of wells instead.",
            file=path,
        )
    _refuse_cut(path)
    wells = _converted(path, reader)
    found = sorted({str(one["kind"]) for one in wells})
    if kind not in found:
        has = ", ".join(found) or "no numbers"
        raise BadInput(
            f"It holds {has}, and {expected.unit} asks for {kind}.",
            way_out="Export that measurement.",
            file=path,
        )
    values = [_measured(one, named=not barcode) for one in wells if one["kind"] == kind]
    return check_values(values, expected, barcode=barcode, file=path)


def _refuse_cut(path: Path) -> None:
    """Refuse a grid of text in which decimal commas stand between commas: whoever reads it takes halves for numbers.

    Raises:
        CampaignFileError: names the first such row.
    """
    raw = path.read_bytes()[:LARGEST_BYTES]
    marked = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in raw and not marked:
        return  # a workbook, say: nothing in it is separated by commas
    try:
        text = raw.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # takes anything; digits, commas and letters are the same in all of them
    lines = enumerate(text.splitlines(), start=1)
    rows = [
        Row(line, tuple(cell.strip() for cell in cells), commas=True)
        for line, written in lines
        if len(written) < 100_000 and "\t" not in written and ";" not in written
        for cells in csv.reader([written])
    ]
    for line, why in cut_rows([row for row in rows if any(row.cells)]):
        raise CampaignFileError(why, way_out=WAY_OUT, file=path, line=line)


def _measured(one: Mapping[str, Any], *, named: bool) -> Measured:
    """A number of the export. Where a person has scanned the plate, what the export calls it does not matter."""
    value = one["value"]
    return Measured(
        line=None,
        well=str(one["well"]),
        value=float(value) if isinstance(value, int | float) else str(value),
        barcode=str(one["plate"]) if named and one["plate"] else None,
    )


def _converted(path: Path, reader: str) -> list[Mapping[str, Any]]:
    try:
        done = subprocess.run(
            [str(environment()), str(_WORKER), reader, str(path.resolve())],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise BadInput(
            f"allotropy did not read it in {TIMEOUT_S:.0f} s.", way_out="Is it the right file?", file=path
        ) from late
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as wrong:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BadInput(
            f"allotropy failed: {last}", way_out="Build its environment anew: make allotropy-env", file=path
        ) from wrong
    if "error" in answer:
        known = answer.get("known", ())
        way_out = f"Known are: {', '.join(known)}." if known else "Is it an export of that reader?"
        raise BadInput(f"It can't be read as {reader}: {answer['error']}", way_out=way_out, file=path)
    wells: list[Mapping[str, Any]] = answer["wells"]
    return wells
