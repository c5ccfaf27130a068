"""What every planner's ``ask`` begins and ends with."""

from collections.abc import Mapping, Sequence

import numpy as np

from lab.errors import BadInput
from lab.types import Advice, Campaign, Candidate, JsonValue

__all__ = ["check_ask", "check_size", "exhausted", "fits", "seed_of"]


def check_size(n: int) -> None:
    """Refuse a batch of nothing.

    Raises:
        BadInput: n below 1.
    """
    if n < 1:
        raise BadInput(f"A batch has at least 1 experiment, not {n}.", field="batch_size")


def fits(candidate: Candidate, fixed: Mapping[str, JsonValue]) -> bool:
    """Whether it has the values that the next batch must have."""
    return all(name in candidate.values and candidate.values[name] == value for name, value in fixed.items())


def check_ask(n: int, campaign: Campaign) -> None:
    """Refuse what no planner can answer.

    Raises:
        BadInput: n below 1, no candidates, or two of one id.
    """
    check_size(n)
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


def exhausted() -> Advice:
    """What to say when nothing is left to choose."""
    return Advice(
        stop=True, sentence="Every candidate of the pool has been chosen; nothing is left to measure."
    )


def seed_of(rng: np.random.Generator) -> tuple[int, ...]:
    """The integers that seeded a generator; empty when it was not made from a seed."""
    sequence = getattr(rng.bit_generator, "seed_seq", None)
    entropy = getattr(sequence, "entropy", None)
    if entropy is None:
        return ()
    given: Sequence[int] = entropy if isinstance(entropy, Sequence) else (entropy,)
    return tuple(int(word) for word in (*given, *getattr(sequence, "spawn_key", ())))
