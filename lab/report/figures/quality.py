"""How well the assay worked, plate by plate."""

from __future__ import annotations

from collections.abc import Sequence

from lab.report.figures.style import (
    ACCENT,
    BASELINE,
    MUTED,
    REFERENCE,
    WARNING,
    WIDTH_IN,
    bare,
    new_figure,
    to_svg,
)
from lab.report.values import PlateReading, Result
from lab.report.wording import role_words

__all__ = ["quality"]

_ROLE_STYLE = ((ACCENT, "o"), (BASELINE, "s"), (REFERENCE, "^"), (MUTED, "D"))
_GOOD_Z_PRIME = 0.5
"""Above it an assay is called excellent for screening (Zhang, Chung and Oldenburg 1999)."""


def quality(plates: Sequence[PlateReading], results: Sequence[Result], label: str) -> str:
    """Z' of every plate by batch, and each result's standard error by batch with the unusable ones marked."""
    with new_figure(WIDTH_IN, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        roles = list(dict.fromkeys(p.role or p.labware for p in plates))
        for place, ((colour, marker), role) in enumerate(zip(_ROLE_STYLE, roles, strict=False)):
            aside = 0.16 * (place - (min(len(roles), len(_ROLE_STYLE)) - 1) / 2)
            there = [p for p in plates if (p.role or p.labware) == role and p.z_prime is not None]
            left.plot(
                [p.batch + aside for p in there],
                [max(p.z_prime or 0.0, -1.0) for p in there],
                marker,
                color=colour,
                markersize=6.5,
                label=role_words(role),
                clip_on=not there,  # the layout takes an unclipped line without points to lie in the corner
            )
        left.axhline(_GOOD_Z_PRIME, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        left.set_ylim(-1.0 if any((p.z_prime or 0) < 0 for p in plates) else 0.0, 1.0)
        left.set_ylabel("Z′, reference against blank")
        left.set_title("Can the plate tell reference from blank?", pad=22 if roles else 6)
        if roles:
            left.legend(
                loc="lower left", bbox_to_anchor=(-0.03, 0.98), ncols=4, handletextpad=0.1, fontsize=9
            )
        for usable, colour, marker in ((True, ACCENT, "o"), (False, WARNING, "x")):
            seen = [
                r
                for r in results
                if r.observation is not None and r.estimate is not None and r.usable is usable
            ]
            right.plot(
                [r.batch + 0.36 * ((r.number * 0.618) % 1 - 0.5) for r in seen],
                [r.estimate.standard_error for r in seen if r.estimate is not None],
                marker,
                color=colour,
                alpha=0.7,
                markersize=5,
                markeredgewidth=0 if usable else 1.6,
                clip_on=not seen,
            )
        right.set_ylim(bottom=0)
        right.set_ylabel(f"standard error of {label}")
        right.set_title("Standard error of each result (× flagged)", pad=22 if roles else 6)
        batches = sorted({p.batch for p in plates} | {r.batch for r in results})
        for axes in (left, right):
            axes.set_xlabel("batch")
            axes.set_xticks(batches[:: max(1, len(batches) // 12)])
            axes.set_xlim(min(batches, default=1) - 0.6, max(batches, default=1) + 0.6)
            bare(axes)
        return to_svg(
            figure,
            name="quality",
            title="Quality of the plates and results",
            description=f"Z-prime of {sum(p.z_prime is not None for p in plates)} plate readings by batch,"
            f" and the standard errors of {sum(r.observation is not None for r in results)} results.",
        )
