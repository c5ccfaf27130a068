"""Writes ``lac_library.csv``: which of the measured lac promoters the library plates hold, and where.

The promoters are those of the table ``sortseq`` in the ``mavenn`` package that were seen in two bins or more (Kinney et al.,
PNAS 107, 9158, 2010); what was measured of them does not come along. As many as fill nine plates are drawn with a fixed
seed, in an order that says nothing about them. The wild type fills four wells of each plate, because every batch uses it.

    python campaigns/make_lac_library.py
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

from digital_twin.biology.lac_promoter import LAC_WILD_TYPE, WILD_TYPE, load_lac_promoters
from lab.errors import MissingData

PLATES = 9
WELLS = [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)]
WILD_TYPE_WELLS = ("B9", "C3", "F11", "G5")
SEED = 20100518


def main() -> None:
    """Write the file beside this script."""
    try:
        promoters = load_lac_promoters()
    except MissingData as missing:
        sys.exit(str(missing))
    variants = [(name, promoter.sequence) for name, promoter in promoters.items() if name != WILD_TYPE]
    random.Random(SEED).shuffle(variants)
    remaining = iter(variants)
    rows: list[tuple[str, int, str, str]] = []
    for plate in range(1, PLATES + 1):
        for well in WELLS:
            name, sequence = (WILD_TYPE, LAC_WILD_TYPE) if well in WILD_TYPE_WELLS else next(remaining)
            rows.append((name, plate, well, sequence))
    path = Path(__file__).with_name("lac_library.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("variant", "plate", "well", "sequence"))
        writer.writerows(rows)
    wild_type = sum(row[0] == WILD_TYPE for row in rows)
    print(
        f"{path.name}: {len(rows) - wild_type} promoters and {wild_type} wells of wild type on {PLATES} plates"
    )


if __name__ == "__main__":
    main()
