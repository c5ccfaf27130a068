"""What a reason cites can be looked up."""

import numpy as np
import pytest

import planners
from lab.types import Candidate, History
from planners.space import KERNELS, encode_space
from tests.planners.campaigns import (
    PARENT,
    POOL_PLANNERS,
    campaign,
    conditions,
    landscape,
    measured,
    variants,
)

SINGLE = variants(letters="AEFK")
DOUBLE = tuple(
    Candidate(id=f"{c.id}+{new}", sequence=f"{c.sequence[:-1]}{new}") for c in SINGLE[:30] for new in "ACD"
)
POOLS = {
    "single substitutions": (SINGLE, PARENT),
    "several substitutions": (DOUBLE, PARENT),
    "no parent": (SINGLE, ""),
    "named values": (conditions(), ""),
}


def value(candidate: Candidate) -> float:
    return landscape(candidate) if candidate.sequence else float(candidate.values["temperature_c"])


@pytest.mark.parametrize("name", POOL_PLANNERS)
@pytest.mark.parametrize(("pool", "parent"), POOLS.values(), ids=POOLS)
def test_every_label_that_an_ask_cites_has_a_card(
    name: str, pool: tuple[Candidate, ...], parent: str
) -> None:
    made = campaign(pool, name, parent=parent)
    cards = {card.label: card for card in planners.cards()}
    labels: set[str] = set()
    for history in (History(), measured(pool[::3], value)):
        asked = planners.planner(name).ask(4, made, history, (), np.random.default_rng(1))
        labels |= {label for e in asked.experiments for label in e.reason.model_cards}
    assert labels <= set(cards)
    if name == "adaptive":
        assert any(label.startswith("gaussian_process_") for label in labels)
        assert all(cards[label].inputs and cards[label].outputs and cards[label].source for label in labels)


def test_every_kernel_of_every_space_is_among_the_cards_and_no_label_is_there_twice() -> None:
    labels = [card.label for card in planners.cards()]
    assert len(labels) == len(set(labels))
    for pool, parent in POOLS.values():
        space = encode_space(campaign(pool, parent=parent))
        assert {spec.label for spec in space.kernels} | set(space.cards) <= set(labels)


def test_a_kernels_card_says_what_it_compares() -> None:
    card = KERNELS["additive"].card
    assert card.label == KERNELS["additive"].label == "gaussian_process_additive@1"
    assert (
        "Matern-5/2 over which site + place along the chain + new residue and replaced residue" in card.inputs
    )
