"""What is wrong with replicate wells, told well by well and group by group, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.types import Quality
from protocols.well_groups import Group, WellReading

__all__ = ["FEWEST_WELLS", "Finding", "of_wells", "told_missing", "verdict"]

Finding = tuple[str, bool, str]
"""A flag; whether it makes the result unusable; a sentence, which may be empty where another one tells it already."""

FEWEST_WELLS = 2
"""Good wells that a group needs."""


def verdict(findings: Iterable[Finding]) -> Quality:
    """The quality that findings amount to."""
    told = tuple(findings)
    return Quality(
        ok=not any(bad for _, bad, _ in told),
        flags=tuple(dict.fromkeys(flag for flag, _, _ in told)),
        sentence=" ".join(sentence for _, _, sentence in told if sentence),
    )


def of_wells(group: Group, *, where: str) -> list[Finding]:
    """What is wrong with single wells of a group, and whether too few are left.

    Args:
        where: the plate, as a sentence names it (``on the heated plate``).
    """
    found: list[Finding] = [("barred", False, sentence) for sentence in _told_barred(group)]
    for well in group.wells:
        name = f"{well.well} of {well.labware}"
        if well.set_aside is not None and well.barred is None:
            found.append((well.set_aside[0], False, f"{name} {well.set_aside[1]}"))
        if "unreadable" in well.flags:
            found.append(("unreadable", False, f"{name} could not be read."))
        if "saturated" in well.flags:
            # Dropping the brightest of a group would make the rest look dimmer than the sample is.
            found.append(("saturated", True, f"{name} is past the reader's range."))
        if "outlier_well" in well.flags:
            side = "above" if well.off_sd > 0 else "below"
            sentence = (
                f"{name} is {abs(well.off_sd):.0f} standard deviations {side} its replicates and is left out."
            )
            found.append(("outlier_well", False, sentence))
    if group.good < FEWEST_WELLS:
        left = "No good well is" if group.good == 0 else "One good well is"
        found.append(("too_few_wells", True, f"{left} left {where}."))
    return found


def told_missing(
    groups: Sequence[Group],
    what: str,
    flags: tuple[str, ...],
    *,
    bad: bool,
    remedy: str = "lower the reader's gain",
) -> list[Finding]:
    """(flag, bad, sentence) of groups of one kind without a number; plates of one reason share a sentence.

    Args:
        what: the wells, as a sentence names them.
        flags: beside the reason's own.
        remedy: against readings past the reader's range.
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for group in groups:
        alike.setdefault(_reason(group, remedy), []).append(group.wells[0].labware)
    found: list[Finding] = []
    for (flag, ending), labware in alike.items():
        *others, last = labware
        plates = f"{', '.join(others)} and {last}" if others else last
        sentence = f"{what} {plates} {ending}."
        found += [(f, bad, sentence if n == 0 else "") for n, f in enumerate((*flags, flag))]
    return found


def _reason(group: Group, remedy: str) -> tuple[str, str]:
    """Flag and words of why a group has no number."""
    if not group.allowed:
        return "barred", f"are barred: {'; '.join(dict.fromkeys(_why(w) for w in group.wells))}"
    aside = [well.set_aside for well in group.allowed if well.set_aside is not None]
    if aside:
        return aside[0][0], f"give no number: {group.allowed[0].well} {aside[0][1].rstrip('.')}"
    saturated = {well.saturated for well in group.allowed}
    if saturated == {True}:
        return "saturated", f"are all saturated: {remedy}"
    if saturated == {True, False}:
        return "saturated", f"are saturated or could not be read: {remedy}"
    return "unreadable", "could not be read: check the reader and the plate"


def _told_barred(group: Group) -> list[str]:
    """A sentence for each reason for which wells of a group are barred."""
    by_reason: dict[str, list[str]] = {}
    for well in group.wells:
        if well.barred is not None:
            by_reason.setdefault(_why(well), []).append(well.well)
    return [
        f"{', '.join(wells)} of {group.wells[0].labware} {'is' if len(wells) == 1 else 'are'} barred and left out: {why}."
        for why, wells in by_reason.items()
    ]


def _why(well: WellReading) -> str:
    return (well.barred or "no reason was given").rstrip(".")
