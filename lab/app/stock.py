"""Amounts of what a campaign uses up, and whether there is enough of it.

Amounts go by name, as the store keeps them: ``tips:50`` (clean tips of 50 ul), ``plates`` (clean plates), and
``content:assay_buffer`` (ul that can be drawn of what stands in troughs). Wells of candidates are not counted: one does not
stand in for another, and each protocol looks for them when it lays a batch out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.bench import Bench
from lab.dry_run import DryRun
from lab.errors import Infeasible
from lab.types import Campaign

__all__ = [
    "LEAST_UL",
    "Amounts",
    "Claim",
    "batches_left",
    "needs_of",
    "reagents",
    "refuse_shortages",
    "shortages",
    "stock_of",
    "tips_name",
    "words",
]

Amounts = Mapping[str, float]
"""Name -> tips or plates as a count, contents as ul."""

LEAST_UL = 1e-6
"""Less than this is the rounding of sums, not liquid."""

_PLATES, _TIPS, _CONTENT = "plates", "tips:", "content:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a campaign needs for batches that it has not laid out yet.

    Args:
        campaign: its name.
        needs: of one batch.
        batches: still to come.
    """

    campaign: str
    needs: Amounts
    batches: int

    def of(self, name: str) -> float:
        """Of one thing, for all of its batches."""
        return self.needs.get(name, 0.0) * self.batches


def needs_of(walked: DryRun, bench: Bench) -> dict[str, float]:
    """What one batch takes of a bench's inventory.

    Args:
        walked: the batch's dry run.
        bench: that it was tried on.
    """
    needs = {tips_name(use.tip_volume_ul): float(use.used) for use in walked.tips}
    if walked.plates:
        needs[_PLATES] = float(len(walked.plates))
    for use in walked.volumes:
        if bench.labware[use.labware].type.kind == "trough":
            name = f"{_CONTENT}{use.content}"
            needs[name] = needs.get(name, 0.0) + use.drawn_ul
    return needs


def stock_of(bench: Bench) -> dict[str, float]:
    """What of a bench's inventory can be used: clean tips and plates, and what can be drawn out of troughs."""
    from protocols.stock import unused_plates

    there: dict[str, float] = {}
    for rack in bench.of_kind("tip_rack"):
        name = tips_name(rack.type.tip_volume_ul)
        there[name] = there.get(name, 0.0) + len(rack.tips)
    there[_PLATES] = float(len(unused_plates(bench)))
    for labware, well, content in reagents(bench):
        there[content] = there.get(content, 0.0) + bench.available_ul(labware, well)
    return there


def batches_left(campaign: Campaign, asked: int, waiting: int) -> int:
    """Batches that a campaign has not laid out yet.

    Args:
        asked: experiments that it has proposed.
        waiting: batches that it has proposed and not begun to carry out.
    """
    return -(-(campaign.budget - asked) // campaign.batch_size) + waiting


def shortages(there: Amounts, reserved: Mapping[str, Mapping[str, float]], new: Sequence[Claim]) -> list[str]:
    """What there is too little of for campaigns that are to begin, one sentence each.

    Args:
        there: on the bench.
        reserved: name of the thing -> campaign -> what it has reserved.
        new: claims of those that are to begin, together.
    """
    problems = []
    for name in dict.fromkeys(name for claim in new for name in claim.needs):
        wanted = sum(claim.of(name) for claim in new)
        others = {c: amount for c, amount in reserved.get(name, {}).items() if amount > LEAST_UL}
        if wanted <= there.get(name, 0.0) - sum(others.values()) + LEAST_UL:
            continue
        needing = [claim for claim in new if claim.of(name) > 0]
        told = f"{_who(needing, alone=len(new) == 1 and not others)} {words(name, wanted)}"
        has = f"the workcell has {words(name, there.get(name, 0.0), bare=True)}"
        taken = f", and {_told(name, others)}" if others else ""
        problems.append(f"{told}; {has}{taken}.")
    return problems


def refuse_shortages(
    there: Amounts, reserved: Mapping[str, Mapping[str, float]], new: Sequence[Claim]
) -> None:
    """Refuse campaigns that would not find enough on their bench.

    Raises:
        Infeasible: with one sentence for each thing there is too little of.
    """
    problems = shortages(there, reserved, new)
    if problems:
        raise Infeasible(
            tuple(problems),
            way_out="Put more on the bench (the workcell file), lower a budget, or let the others finish first.",
        )


def words(name: str, amount: float, *, bare: bool = False) -> str:
    """``32 clean plates``, ``104 tips of 50 ul``, ``33.1 ml of assay_buffer``; only the number, with ``bare``."""
    if name.startswith(_CONTENT):
        told = f"{amount / 1000:.1f} ml"
        return told if bare else f"{told} of {name.removeprefix(_CONTENT)}"
    told = f"{amount:.0f}"
    if bare:
        return told
    if name == _PLATES:
        return f"{told} clean plate{'' if amount == 1 else 's'}"
    return f"{told} tip{'' if amount == 1 else 's'} of {name.removeprefix(_TIPS)} ul"


def tips_name(volume_ul: float) -> str:
    """The name under which tips of one capacity go."""
    return f"{_TIPS}{volume_ul:g}"


def reagents(bench: Bench) -> Iterable[tuple[str, str, str]]:
    """(labware, well, name) of every filled well of a trough."""
    for trough in bench.of_kind("trough"):
        for well, contents in trough.wells.items():
            if contents.parts:
                yield trough.id, well, f"{_CONTENT}{'+'.join(sorted(contents.parts))}"


def _who(claims: Sequence[Claim], *, alone: bool) -> str:
    """Who needs something, up to the verb."""
    told = [f"{claim.batches} batch{'' if claim.batches == 1 else 'es'}" for claim in claims]
    if not alone:
        told = [f"{batches} of {claim.campaign}" for batches, claim in zip(told, claims, strict=True)]
    one = len(claims) == 1 and claims[0].batches == 1
    together = " together" if len(claims) > 1 else ""
    return f"{' and '.join(told)}{together} {'needs' if one else 'need'}"


def _told(name: str, others: Mapping[str, float]) -> str:
    told = [
        f"{campaign} has reserved {words(name, amount, bare=True)}" for campaign, amount in others.items()
    ]
    return " and ".join(told)
