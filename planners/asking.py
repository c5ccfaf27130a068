"""What every planner's ``ask`` begins and ends with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lab.errors import BadInput
from lab.types import Advice, Campaign, Experiment, History, Proposal
from planners.repeats import repeats
from planners.seen import free_rows

__all__ = ["Turn", "begin", "check_size", "seed_of"]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One ask: what is measured again comes first, and the planner chooses the rest.

    Args:
        n: experiments asked for.
        campaign: its pool is what is chosen from.
        seed: what the planner's draws follow from, for the reasons.
        again: experiments that are measured again; they begin the batch.
    """

    n: int
    campaign: Campaign
    history: History
    pending: Sequence[Experiment]
    seed: tuple[int, ...]
    again: tuple[Experiment, ...]

    @cached_property
    def free(self) -> np.ndarray:
        """Rows of the pool that may be chosen, in order."""
        return free_rows(self.campaign, self.history, (*self.pending, *self.again))

    @property
    def wanted(self) -> int:
        """How many the planner chooses: what the batch still takes, or all that is free."""
        return min(self.n - len(self.again), len(self.free))

    def proposal(self, chosen: Sequence[Experiment] = (), advice: Advice | None = None) -> Proposal:
        """The batch; where it holds nothing, the advice is to stop."""
        batch = (*self.again, *chosen)
        return Proposal(experiments=batch, advice=advice if batch else _EXHAUSTED)


_EXHAUSTED = Advice(
    stop=True, sentence="Every candidate of the pool has been chosen; nothing is left to measure."
)


def begin(
    planner: str,
    n: int,
    campaign: Campaign,
    history: History,
    pending: Sequence[Experiment],
    seed: tuple[int, ...],
) -> Turn:
    """Begin an ask of the planner of that name.

    Raises:
        BadInput: n below 1, no candidates, or two of one id.
    """
    check_size(n)
    _check_pool(campaign)
    again = repeats(n, campaign, history, pending, planner=planner, seed=seed)
    return Turn(n=n, campaign=campaign, history=history, pending=pending, seed=seed, again=again)


def check_size(n: int) -> None:
    """Refuse a batch of nothing.

    Raises:
        BadInput: n below 1.
    """
    if n < 1:
        raise BadInput(f"A batch has at least 1 experiment, not {n}.", field="batch_size")


def _check_pool(campaign: Campaign) -> None:
    if not campaign.candidates:
        raise BadInput("The campaign has no candidates to choose from.", field="candidates")
    seen: set[str] = set()
    for candidate in campaign.candidates:
        if candidate.id in seen:
            raise BadInput(
                f"Two candidates of the campaign have the id {candidate.id}.",
                way_out="Give each candidate an id of its own.",
                field="candidates",
            )
        seen.add(candidate.id)


def seed_of(rng: np.random.Generator) -> tuple[int, ...]:
    """The integers that seeded a generator; empty when it was not made from a seed."""
    sequence = getattr(rng.bit_generator, "seed_seq", None)
    entropy = getattr(sequence, "entropy", None)
    if entropy is None:
        return ()
    given: Sequence[int] = entropy if isinstance(entropy, Sequence) else (entropy,)
    return tuple(int(word) for word in (*given, *getattr(sequence, "spawn_key", ())))
