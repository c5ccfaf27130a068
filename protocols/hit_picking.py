"""From library plates into assay plates: what each well is for, and which tip fills it from where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.types import Batch, Campaign, WellUse, new_id
from protocols.plate_layout import column_major
from protocols.stock import Pick, Stock
from protocols.well_groups import BLANK

__all__ = ["hit_picks", "well_uses"]


def well_uses(
    plate: str, batch: Batch, campaign: Campaign, groups: Sequence[Sequence[str]]
) -> Iterator[WellUse]:
    """What the wells of one plate are for.

    Args:
        groups: wells of each experiment of the batch, in its order, then those of the reference, then the blanks.
    """
    *variants, references, blanks = groups
    for experiment, wells in zip(batch.experiments, variants, strict=True):
        for well in wells:
            yield WellUse(
                labware=plate,
                well=well,
                content=experiment.candidate.id,
                kind="variant",
                experiment_id=experiment.id,
                sample_id=new_id("smp"),
            )
    for well in references:
        content = campaign.reference.id
        yield WellUse(labware=plate, well=well, content=content, kind="reference", sample_id=new_id("smp"))
    for well in blanks:
        yield WellUse(labware=plate, well=well, content=BLANK, kind="blank", sample_id=new_id("smp"))


def hit_picks(
    batch: Batch,
    campaign: Campaign,
    groups: Sequence[Sequence[str]],
    plates: Sequence[str],
    stock: Stock,
    *,
    volume_ul: float,
    blank: tuple[str, str],
) -> tuple[Pick, ...]:
    """What goes into some plates of equal layout, library plate by library plate, so that each is fetched once; blanks last.

    Args:
        groups: as in :func:`well_uses`.
        plates: on the deck together; the same well of all of them gets its sample from one tip.
        stock: keeps account, and notes what there is too little of.
        volume_ul: of sample in each well; blanks get as much of what ``blank`` holds.
    """
    *samples, blanks = groups
    contents = [*(experiment.candidate.id for experiment in batch.experiments), campaign.reference.id]
    picks: list[Pick] = []
    for content, wells in zip(contents, samples, strict=True):
        sources = stock.wells_of(content, first=campaign.sources.get(content))
        picks += stock.picks(content, _atoms(wells, plates, volume_ul), sources)
    place = {labware: n for n, labware in enumerate(stock.labware)}
    picks.sort(key=lambda pick: (place[pick.source[0]], int(pick.source[1][1:]), pick.source[1][0]))
    return (*picks, *stock.picks(BLANK, _atoms(blanks, plates, volume_ul), [blank]))


def _atoms(
    wells: Sequence[str], plates: Sequence[str], volume_ul: float
) -> list[list[tuple[str, str, float]]]:
    return [[(plate, well, volume_ul) for plate in plates] for well in column_major(wells)]
