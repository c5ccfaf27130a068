"""Exports of plate readers, as their makers' programs write them, read by allotropy (Benchling, MIT licence).

allotropy's pins would hold back what drywet is made of, so it lives in an environment of its own (``make allotropy-env``)
and is a program of its own: a file in, JSON out. Formats are those of its ``Vendor``: ``BMG_MARS``, ``MOLDEV_SOFTMAX_PRO``,
``AGILENT_GEN5``, ``TECAN_MAGELLAN``, ``THERMO_SKANIT``, ``PERKIN_ELMER_ENVISION``, ``REVVITY_KALEIDO`` and others.

The Allotrope model names one unit for each kind of measurement, whatever the reader wrote (``mAU`` for an absorbance that is
in OD). So units are not taken from it: a worklist that asks for OD takes an absorbance, one in rfu a fluorescence, one in
rlu a luminescence, and the range that the worklist states is what finds a number that is off by a thousand.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import BadInput, MissingData
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
