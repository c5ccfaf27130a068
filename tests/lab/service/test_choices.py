"""What a campaign can name, as forms are made from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from pydantic import ValidationError

from lab.files.alphabets import ALPHABETS
from lab.files.goal import GoalFields
from lab.files.space import SpaceFields
from lab.goals import Direction
from models.registry import LETTERS, model_names
from planners import planner_names
from tests.campaign_files import write_campaign
from tests.lab.service.lab_app import Lab, lab


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as here:
        assert here.client.get("/api/models").status_code == 401  # starts the thread that answers
        yield here


def test_every_model_is_listed_with_its_form_or_with_what_it_lacks(here: Lab) -> None:
    found = here.client.get("/api/models", headers=here.add("vera", "viewer")).json()
    assert [one["name"] for one in found] == list(model_names())
    for one in found:
        assert (one["settings"] is None) == bool(one["missing"]), one["name"]
    there = [one for one in found if one["settings"] is not None]
    assert len(there) > 5
    assert all(one["settings"]["type"] == "object" for one in there)


def test_every_planner_is_listed_with_its_form(here: Lab) -> None:
    found = here.client.get("/api/planners", headers=here.add("nora", "viewer")).json()
    assert [one["name"] for one in found] == list(planner_names())


def test_a_space_is_told_with_all_that_it_may_be_made_of(here: Lab) -> None:
    found = here.client.get("/api/spaces/form", headers=here.add("lise", "viewer")).json()
    assert set(found["schema"]["properties"]) == set(SpaceFields.model_fields)
    assert found["alphabets"] == list(ALPHABETS)


def test_models_tell_whether_a_campaign_may_name_them_and_which_sequences_they_read(here: Lab) -> None:
    every = here.client.get("/api/models", headers=here.add("mara", "viewer")).json()
    found = {one["name"]: one for one in every}
    assert set(LETTERS) <= set(found)
    assert {one["letters"] for one in every} == {None, *ALPHABETS}
    assert not found["enzyme_optimum"]["guides"]
    assert found["sigma70"]["guides"]


def test_goals_are_those_that_a_campaign_file_takes(here: Lab) -> None:
    found = here.client.get("/api/goals", headers=here.add("rosa", "viewer")).json()
    assert [one["word"] for one in found] == list(get_args(Direction))
    for one in found:
        fields = {one["word"]: "activity"} | ({"level": 0.5} if one["level"] else {})
        assert GoalFields.model_validate(fields).direction == one["word"]
        also = {**fields, "also": [{"minimize": "cost"}]}
        if one["alone"]:
            with pytest.raises(ValidationError, match="goal of its own"):
                GoalFields.model_validate(also)
        else:
            assert GoalFields.model_validate(also).also


def test_campaigns_and_workcells_are_told_apart(here: Lab) -> None:
    path = write_campaign(here.folder, "kinds", workcell="kinds_bench.yaml")
    (here.folder / "notes.yaml").write_text("# goal: none\nnotes: [devices, goal]\n")
    answer = here.client.get("/api/files", headers=here.add("tilda", "viewer")).json()
    kinds = {one["path"]: one["kind"] for one in answer}
    assert kinds[path.name] == "campaign"
    assert kinds["kinds_bench.yaml"] == "workcell"
    assert kinds["notes.yaml"] == "yaml"
    assert kinds["protein_g_library.csv"] == "table"
