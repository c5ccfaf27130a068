"""Writes ``photovoltaic_blends.csv``: blends of four materials whose photo-degradation was measured, without the results.

The proportions come from the table of Langner et al. (Adv. Mater. 32, 1907801, 2020) in the ``olymp`` package. Each stands
here once, the reference under the name ``standard``. The order is shuffled with a fixed seed, so that numbers say nothing.

    python campaigns/make_photovoltaic_blends.py
"""

from __future__ import annotations

import csv
import importlib.util
import random
import sys
from pathlib import Path

MATERIALS = ("PCE10", "P3HT", "PCBM", "oIDTBR")
STANDARD = (0.5, 0.0, 0.5, 0.0)
"""PCE10 and PCBM, half and half: the first blend that PCE10 was made for."""
SEED = 20200212


def blends() -> list[tuple[float, ...]]:
    """Shares of the four materials, each blend once."""
    found = importlib.util.find_spec("olympus")
    if found is None or not found.submodule_search_locations:
        sys.exit("The package olymp is missing: pip install --no-deps -r requirements-data.txt")
    folder = Path(next(iter(found.submodule_search_locations)))
    with (folder / "datasets/dataset_photo_pce10/data.csv").open(newline="", encoding="utf-8-sig") as file:
        shares = [tuple(round(float(cell), 4) for cell in row[:4]) for row in csv.reader(file)]
    return sorted(set(shares))


def main() -> None:
    """Write the file beside this script."""
    found = blends()
    found.remove(STANDARD)
    random.Random(SEED).shuffle(found)
    path = Path(__file__).with_name("photovoltaic_blends.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("variant", *MATERIALS))
        writer.writerow(("standard", *(f"{share:g}" for share in STANDARD)))
        for number, shares in enumerate(found, start=1):
            writer.writerow((f"blend_{number:04d}", *(f"{share:g}" for share in shares)))
    print(f"{path.name}: {len(found)} blends and the standard")


if __name__ == "__main__":
    main()
