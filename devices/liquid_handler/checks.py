"""Why liquid can't be drawn or given, or tips fetched, on a bench as believed; one sentence each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lab.bench import Bench

__all__ = ["source_problems", "target_problems", "tip_problems"]


def source_problems(bench: Bench, labware: str, well: str, volume_ul: float) -> tuple[str, ...]:
    """Why so much cannot be drawn there."""
    wrong = _well(bench, labware, well)
    if wrong:
        return wrong
    available_ul = bench.available_ul(labware, well)
    if volume_ul > available_ul + 1e-9:
        return (f"{well} of {labware} is asked for {volume_ul:g} ul and can give {available_ul:g} ul.",)
    return ()


def target_problems(bench: Bench, targets: Sequence[tuple[str, str, float]]) -> tuple[str, ...]:
    """Why these portions cannot be given."""
    wrong: dict[str, None] = {}
    filled: dict[tuple[str, str], float] = defaultdict(float)
    for labware, well, volume_ul in targets:
        wrong.update(dict.fromkeys(_well(bench, labware, well)))
        filled[labware, well] += volume_ul
        if volume_ul < 0.0:
            wrong[f"{volume_ul:g} ul for {well} of {labware} is no volume."] = None
    if wrong:
        return tuple(wrong)
    return tuple(
        f"{well} of {labware} would hold {bench.well(labware, well).volume_ul + added_ul:g} ul, more than its "
        f"{bench.labware[labware].type.max_volume_ul:g} ul."
        for (labware, well), added_ul in filled.items()
        if bench.well(labware, well).volume_ul + added_ul > bench.labware[labware].type.max_volume_ul + 1e-9
    )


def _well(bench: Bench, labware: str, well: str) -> tuple[str, ...]:
    """Why a tip cannot go there."""
    item = bench.labware.get(labware)
    if item is None:
        return (f"There is no {labware} on this bench.",)
    if not item.wells:
        return (f"{labware} has no wells.",)
    if well not in item.wells:
        return (f"{labware} has no well {well}.",)
    if item.lid is not None:
        return (f"The lid {item.lid} on {labware} is in the way of the tips.",)
    return ()


def tip_problems(bench: Bench, count: int, tip_volume_ul: float) -> tuple[str, ...]:
    """Why there are not so many tips."""
    left = bench.tips_left(tip_volume_ul)
    if left >= count:
        return ()
    return (f"{count} tips of {tip_volume_ul:g} ul are needed and {left} are left.",)
