"""Whether a batch may be carried out, or a person has to say so first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.approvals import (
    ApprovalPolicy,
    ApprovalReason,
    ApprovalStatus,
    Cause,
    Consumption,
    Ranges,
    TrustRegion,
    nearest,
    ranges_of,
)
from lab.dry_run import DryRun
from lab.errors import ApprovalNeeded
from lab.interfaces import Clock
from lab.store import Store
from lab.store.approvals import waits_for_a_person
from lab.types import Batch, Campaign, Candidate, Experiment, History, JsonValue

__all__ = ["Review", "consumption_of", "dry_run_words", "tested"]

_NAMED = 6
"""Experiments that a sentence names before it counts the others."""


def tested(campaign: Campaign, history: History) -> tuple[Candidate, ...]:
    """What is known: usable results, results of the past, and last the reference, which is on every plate."""
    measured = [experiment.candidate for experiment, _ in history.usable(campaign.goal.target)]
    past = [result.candidate for result in campaign.past]
    return (*measured, *past, campaign.reference)


def consumption_of(batch: Batch, expected: DryRun) -> Consumption:
    """What a batch takes, as its dry run says."""
    drawn: dict[str, float] = {}
    for use in expected.volumes:
        drawn[use.content] = drawn.get(use.content, 0.0) + use.drawn_ul
    return Consumption(
        experiments=len(batch.experiments),
        hours=expected.duration_s / 3600.0,
        plates=len(expected.plates),
        tips=sum(use.used for use in expected.tips),
        drawn_ul=drawn,
    )


def dry_run_words(batch: Batch, expected: DryRun) -> dict[str, JsonValue]:
    """What a person is told of a dry run."""
    use = consumption_of(batch, expected)
    return {
        "experiments": use.experiments,
        "steps": len(expected.steps),
        "hours": use.hours,
        "plates": list(expected.plates),
        "tips": [
            {"tip_volume_ul": one.tip_volume_ul, "used": one.used, "left": one.left} for one in expected.tips
        ],
        "drawn_ul": dict(use.drawn_ul),
        "devices": sorted({step.device for step in expected.steps}),
    }


class Review:
    """The campaign's policy, applied to its batches. All that it knows of decisions is in the store.

    Args:
        policy: of the campaign.
        workcell: name of the bench's workcell.
        twin: whether nothing of it is real.
        asked_by: whoever handed in or started the campaign.
    """

    def __init__(
        self,
        *,
        campaign: Campaign,
        policy: ApprovalPolicy,
        store: Store,
        clock: Clock,
        workcell: str,
        twin: bool,
        asked_by: str,
    ) -> None:
        self._campaign = campaign
        self._policy = policy
        self._store = store
        self._clock = clock
        self._workcell = workcell
        self._twin = twin
        self._asked_by = asked_by

    def allow(self, batch: Batch, try_out: Callable[[], DryRun] | None) -> None:
        """Let a batch pass that may be carried out; what was begun, and what was approved, may.

        Args:
            try_out: its dry run; None where it can't be tried out before material has come.

        Raises:
            ApprovalNeeded: a person has to say so; the request is in the store.
            Infeasible: it can't be carried out at all, so that nobody needs to be asked.
        """
        if self._store.last_run(batch.id) is not None:
            return
        approval = self._store.approval_of_batch(batch.id)
        if approval is None:
            expected = None if try_out is None else try_out()
            cost, reasons = self._reasons(batch, expected)
            if not reasons:
                return
            details: dict[str, JsonValue] = {
                "dry_run": None if expected is None else dry_run_words(batch, expected)
            }
            if self._policy.cost is not None:
                details["currency"], details["amount"] = self._policy.cost.currency, self._policy.cost.amount
            approval = self._store.ask_for_batch(
                batch.id,
                reasons=reasons,
                details=details,
                asked_by=self._asked_by,
                cost=cost,
                lab_time_s=self._clock.now(),
            )
        if approval.status is not ApprovalStatus.APPROVED:
            whys = " ".join(reason.sentence for reason in approval.reasons)
            raise ApprovalNeeded(
                f"{waits_for_a_person(batch.number)} {whys} See it with: drywet approve show {self._campaign.name}",
                approval_id=approval.id,
            )

    def _reasons(self, batch: Batch, expected: DryRun | None) -> tuple[float | None, list[ApprovalReason]]:
        """What the batch costs, where the campaign has prices, and why a person is asked, in the order of the file."""
        policy = self._policy
        found: list[ApprovalReason] = []
        if policy.start and not self._may_start():
            found.append(ApprovalReason(cause=Cause.START, sentence="The campaign is to begin."))
        if policy.each_batch:
            found.append(
                ApprovalReason(cause=Cause.EACH_BATCH, sentence="Each batch of it is to be seen first.")
            )
        if policy.trust is not None:
            found += self._outside(batch, policy.trust)
        if policy.first_on_hardware and self._is_first_on_hardware():
            sentence = (
                f"{self._campaign.protocol.name} was never carried out to its end on {self._workcell} before."
            )
            found.append(ApprovalReason(cause=Cause.FIRST_ON_HARDWARE, sentence=sentence))
        cost, dear = self._cost(batch, expected)
        found += dear
        found += self._watched(batch)
        return cost, found

    def _may_start(self) -> bool:
        """Whether somebody agreed to this campaign, or to a batch of it, before."""
        campaign_id = self._campaign.id
        submission = self._store.submission_of(campaign_id)
        start = None if submission is None else self._store.approval_of_submission(submission.id)
        asked = self._store.approvals(status=ApprovalStatus.APPROVED, campaign_id=campaign_id)
        return bool(asked) or (start is not None and start.status is ApprovalStatus.APPROVED)

    def _is_first_on_hardware(self) -> bool:
        return not self._twin and not self._store.ran_on_hardware(
            self._workcell, self._campaign.protocol.name
        )

    def _cost(self, batch: Batch, expected: DryRun | None) -> tuple[float | None, list[ApprovalReason]]:
        limit = self._policy.cost
        if limit is None:
            return None, []
        if expected is None:
            sentence = "What it costs is not known before its material is there."
            return None, [ApprovalReason(cause=Cause.OVER_COST, sentence=sentence)]
        cost = limit.of(consumption_of(batch, expected))
        if cost <= limit.amount:
            return cost, []
        sentence = f"It costs {cost:,.2f} {limit.currency}, more than {limit.amount:,.2f}."
        return cost, [ApprovalReason(cause=Cause.OVER_COST, sentence=sentence)]

    def _outside(self, batch: Batch, trust: TrustRegion) -> list[ApprovalReason]:
        """Experiments that lead too far from what is known, by each bound; those that repeat one don't."""
        history = self._store.history(self._campaign.id)
        known = tested(self._campaign, history)
        ranges = ranges_of(self._campaign.candidates, self._campaign.space)
        new = [one for one in batch.experiments if one.repeat_of is None]
        found = [told for told in _outside(new, trust, known, ranges) if told[0]]
        if not found:
            return []
        whys = "; ".join(f"{why} ({_listed([one.candidate.id for one in those])})" for those, why in found)
        ids = tuple(dict.fromkeys(one.id for those, _ in found for one in those))
        sentence = f"Outside the trust region: {whys}."
        return [ApprovalReason(cause=Cause.OUTSIDE_TRUST_REGION, sentence=sentence, experiments=ids)]

    def _watched(self, batch: Batch) -> list[ApprovalReason]:
        found = [
            (experiment, entry)
            for experiment in batch.experiments
            for entry in self._policy.watched
            if entry.hits(experiment.candidate)
        ]
        if not found:
            return []
        named = _listed([f"{experiment.candidate.id} ({entry.name})" for experiment, entry in found])
        ids = tuple(dict.fromkeys(experiment.id for experiment, _ in found))
        sentence = f"On the lab's own list: {named}."
        return [ApprovalReason(cause=Cause.SCREENING_HIT, sentence=sentence, experiments=ids)]


def _outside(
    experiments: Sequence[Experiment], trust: TrustRegion, known: Sequence[Candidate], ranges: Ranges
) -> list[tuple[list[Experiment], str]]:
    """For each bound the experiments beyond it, and by how much."""
    found: list[tuple[list[Experiment], str]] = []
    if trust.predicted_sd is not None:
        most = trust.predicted_sd
        unsaid = [one for one in experiments if one.reason.predicted_sd is None]
        sds = {one.id: one.reason.predicted_sd or 0.0 for one in experiments}
        unsure = [one for one in experiments if sds[one.id] > most]
        worst = max((sds[one.id] for one in unsure), default=0.0)
        found.append((unsaid, "the planner predicts nothing"))
        found.append((unsure, f"the planner is unsure by up to {worst:.3g}, more than {most:g}"))
    distances = {}
    for one in experiments:
        near = nearest(one.candidate, known, ranges)
        assert near is not None  # the reference is always among what is known
        distances[one.id] = near[1]
    if trust.letters is not None:
        letters = trust.letters
        far = [one for one in experiments if distances[one.id].letters > letters]
        furthest = max((distances[one.id].letters for one in far), default=0)
        words = "1 letter" if furthest == 1 else f"up to {furthest} letters"
        found.append((far, f"{words} from what was tested, more than {letters}"))
    if trust.fraction is not None:
        fraction = trust.fraction
        far = [one for one in experiments if distances[one.id].fraction > fraction]
        share = max((distances[one.id].fraction for one in far), default=0.0)
        found.append((far, f"up to {share:.0%} of a range from what was tested, more than {fraction:.0%}"))
    return found


def _listed(named: Sequence[str]) -> str:
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{', '.join(named[:_NAMED])}{more}"
