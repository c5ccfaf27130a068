"""Runs in the environment of allotropy, never in ours: a reader's export in, JSON out. Imports nothing of drywet.

``python allotropy_worker.py VENDOR FILE`` writes to standard output either ``{"wells": [...]}``, one object for each number
with ``well``, ``plate``, ``kind`` (absorbance, fluorescence, luminescence) and ``value``, or ``{"error": "..."}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["converted", "wells_of"]

KINDS = ("absorbance", "fluorescence", "luminescence")


def converted(vendor: str, path: str) -> dict[str, Any]:
    """What a file holds, or why it can't be read."""
    from allotropy.exceptions import AllotropeConversionError, AllotropeValidationError
    from allotropy.parser_factory import Vendor
    from allotropy.to_allotrope import allotrope_from_file

    if vendor not in Vendor.__members__:
        return {"error": f"allotropy knows no reader {vendor}.", "known": sorted(Vendor.__members__)}
    try:
        written = allotrope_from_file(path, Vendor[vendor])
    except AllotropeValidationError:
        return {"error": "it holds something that is no number where one should be."}
    except AllotropeConversionError as refused:
        return {"error": str(refused).splitlines()[0]}
    except Exception as bug:  # noqa: BLE001  (whatever a parser of another project raises, the file can't be used)
        return {"error": f"{type(bug).__name__}: {bug}".splitlines()[0]}
    return {"wells": list(wells_of(written))}


def wells_of(written: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every number of a plate-reader document (ASM, plate-reader/REC/2024/06)."""
    for plate in written.get("plate reader aggregate document", {}).get("plate reader document", []):
        for one in plate["measurement aggregate document"]["measurement document"]:
            sample = one.get("sample document", {})
            for kind in KINDS:
                if isinstance(one.get(kind), dict) and "value" in one[kind]:
                    yield {
                        "well": sample.get("location identifier", ""),
                        "plate": sample.get("well plate identifier", ""),
                        "kind": kind,
                        "value": one[kind]["value"],
                    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(converted(*sys.argv[1:])) + "\n")
