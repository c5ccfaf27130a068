"""Which well holds what: random, with every group of replicates spread alike between the middle and the rim of the plate.

Wells at the rim evaporate faster and heat differently. So the wells that are needed are taken from the middle
outwards, and each group has its replicates in different zones, which makes what is left of the effect the same
for all groups instead of a bias of some (stratified randomisation; see Mason et al. 2012, J. Biomol. Screen.
17:1268 on block designs).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lab.bench import well_names
from lab.errors import Infeasible

__all__ = ["column_major", "scatter", "wells_from_the_middle"]


def wells_from_the_middle(rows: int, columns: int, rng: np.random.Generator) -> tuple[str, ...]:
    """All wells of a plate: ring by ring from the innermost, within a ring from its middle; equals in random order."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    ring = np.minimum(np.minimum(row, rows - 1 - row), np.minimum(column, columns - 1 - column))
    from_centre = ((row + 0.5) / rows - 0.5) ** 2 + ((column + 0.5) / columns - 0.5) ** 2
    order = np.lexsort((rng.random(rows * columns), from_centre.round(12), -ring))
    names = well_names(rows, columns)
    return tuple(names[index] for index in order)


def scatter(
    sizes: Sequence[int], *, rows: int, columns: int, rng: np.random.Generator
) -> tuple[tuple[str, ...], ...]:
    """Wells for groups of replicates.

    The wells in use are ranked from the middle to the rim and cut, for a group of n, into n zones of equal
    size; the group gets one well of each, at random. Groups of equal size thus form a randomised complete block
    design.

    Args:
        sizes: wells that each group needs.

    Returns:
        One tuple of wells per group, in no order that means anything.

    Raises:
        Infeasible: more wells than the plate has.
    """
    needed = sum(sizes)
    if needed > rows * columns:
        raise Infeasible(
            (f"One plate would need {needed} wells, and has {rows * columns}.",),
            way_out="Choose a smaller batch_size, or fewer replicates or controls.",
        )
    wells = wells_from_the_middle(rows, columns, rng)[:needed]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    zone = np.concatenate([np.arange(size) for size in sizes]) if needed else np.zeros(0)
    share = (zone + rng.random(needed)) / np.asarray(sizes)[owner]
    groups: list[list[str]] = [[] for _ in sizes]
    for well, index in zip(wells, np.argsort(share), strict=True):
        groups[owner[index]].append(well)
    return tuple(tuple(group) for group in groups)


def column_major(wells: Sequence[str]) -> tuple[str, ...]:
    """Wells in the order in which eight channels work: down a column, then the next column."""
    return tuple(sorted(wells, key=lambda well: (int(well[1:]), well[0])))
