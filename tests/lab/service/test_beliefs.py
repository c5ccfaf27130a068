"""What planners believe, over HTTP, of campaigns that wait, are over, or never learned anything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.campaign_files import write_campaign
from tests.lab.service.lab_app import WAIT_S, Lab, lab
from tests.lab.service.test_approvals import decide, waiting

PLANNER = "planner:\n  name: "


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("beliefs")) as found:
        assert (
            found.client.get("/api/health").status_code == 200
        )  # the thread that answers is there from now on
        yield found


@pytest.fixture(scope="module")
def vera(here: Lab) -> dict[str, str]:
    return here.add("vera", "viewer")


@pytest.fixture(scope="module")
def over(here: Lab) -> str:
    """A campaign over blends of four inks that has ended."""
    path = write_campaign(
        here.folder, "over", like="stable_film", workcell="films.yaml", budget=24, batch_size=12
    )
    submitted = here.submit(path, here.add("sue", "scientist"))
    assert submitted.status_code == 201, submitted.text
    ended = here.ended()
    assert ended.status == "finished", ended.sentence
    return ended.campaign_id


def get(here: Lab, who: dict[str, str], campaign: str, what: str, **query: Any) -> Any:
    """The answer, when it is there."""
    end = time.monotonic() + WAIT_S
    while True:
        answer = here.client.get(f"/api/campaigns/{campaign}/{what}", params=query, headers=who)
        if answer.status_code != 202:
            return answer
        assert answer.json()["ready"] is False
        assert time.monotonic() < end, "It is worked out in vain."


def test_around_a_candidate_that_waits_it_is_what_it_was_chosen_by(here: Lab, vera: dict[str, str]) -> None:
    path = write_campaign(here.folder, "asks", budget=16, batch_size=8)
    path.write_text(path.read_text() + "approval:\n  each_batch: true\n")
    assert here.submit(path, here.add("ada", "scientist")).status_code == 201
    assert here.ended().status == "held"
    one = waiting(here, vera)
    nothing = here.client.get(f"/api/campaigns/{one['campaign_id']}/posterior", headers=vera)
    assert nothing.status_code == 422
    assert "Nothing usable has been measured yet" in nothing.json()["sentence"]
    assert decide(here, "approve", one, here.add("bob", "approver")).status_code == 200
    assert here.ended().status == "held"
    one = waiting(here, vera)
    for each in one["experiments"][:3]:
        answer = get(here, vera, one["campaign_id"], "posterior", at=each["id"], along="residue")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["ready"], told["batch"], told["results"]) == (True, 2, 8)
        assert told["centre"]["candidate_id"] == each["candidate_id"]
        assert told["centre"]["mean"] == pytest.approx(each["predicted_mean"], abs=1e-9)
        assert [told["centre"]["low"], told["centre"]["high"]] == pytest.approx(each["interval"], abs=1e-9)
        position = each["candidate_id"][:-1]
        assert {point["candidate_id"][:-1] for point in told["points"]} == {position}


def test_of_a_campaign_that_is_over_the_slice_goes_through_the_best(
    here: Lab, vera: dict[str, str], over: str
) -> None:
    told = get(here, vera, over, "posterior").json()
    best = here.client.get(f"/api/campaigns/{over}", headers=vera).json()["best"]
    assert told["centre"]["candidate_id"] == best["candidate_id"]
    assert told["centre"]["what"] == "best"
    assert told["batch"] is None
    names = [axis["name"] for axis in told["axes"]]
    assert names == ["PCE10", "P3HT", "PCBM", "oIDTBR"]
    assert told["along"] == names[:1]
    places = [point["at"][0] for point in told["points"]]
    assert places == sorted(places)
    assert all(point["low"] <= point["mean"] <= point["high"] for point in told["points"])
    assert told["centre"]["low"] <= best["value"] + 2 * best["standard_error"]
    apart = [one["apart"] for one in told["measured"]]
    assert apart == sorted(apart)
    assert told["measured"][0]["candidate_id"] == best["candidate_id"]
    assert told["measured"][0]["value"] == best["value"]
    again = get(here, vera, over, "posterior").json()
    assert again == told
    whole = get(here, vera, over, "posterior", along=["P3HT", "PCBM"]).json()
    assert all(sum(point["at"]) <= 1.0 + 1e-6 for point in whole["points"])  # what is left goes to the others


def test_importances_are_of_every_parameter_with_their_intervals(
    here: Lab, vera: dict[str, str], over: str
) -> None:
    told = get(here, vera, over, "importances").json()
    assert "adaptive believes after" in told["sentence"]
    ((target, found),) = told["importances"].items()
    assert target == told["targets"][0]["name"] == "degradation"
    assert {one["name"] for one in found} == {"PCE10", "P3HT", "PCBM", "oIDTBR"}
    assert [one["share"] for one in found] == sorted((one["share"] for one in found), reverse=True)
    for one in found:
        assert 0.0 <= one["share_low"] <= one["share"] <= one["share_high"] <= 1.0
        assert 0.0 <= one["change_low"] <= one["change"] <= one["change_high"]


def test_whoever_does_not_wait_is_told_to_ask_again(here: Lab, vera: dict[str, str], over: str) -> None:
    experiment = here.client.get(f"/api/campaigns/{over}/experiments", headers=vera).json()[5]["id"]
    path = f"/api/campaigns/{over}/posterior"
    first = here.client.get(path, params={"at": experiment, "wait_s": 0}, headers=vera)
    assert first.status_code == 202
    assert first.headers["Retry-After"]
    assert "Ask again" in first.json()["sentence"]
    assert get(here, vera, over, "posterior", at=experiment, wait_s=0).json()["ready"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"along": "P3TH"}, "do not differ in 'P3TH'"),
        ({"along": ["P3HT", "P3HT"]}, "two different ones"),
        ({"at": "nobody"}, "nobody is no experiment and no candidate"),
        ({"target": "beauty"}, "beauty is no target of this campaign"),
    ],
)
def test_what_there_is_not_is_refused_in_a_sentence(
    here: Lab, vera: dict[str, str], over: str, query: dict[str, Any], sentence: str
) -> None:
    answer = get(here, vera, over, "posterior", **query)
    assert answer.status_code == 422
    assert sentence in answer.json()["sentence"]


def test_a_planner_that_learns_nothing_believes_nothing(here: Lab, vera: dict[str, str]) -> None:
    path = write_campaign(here.folder, "blind", budget=6, batch_size=6, workcell="other.yaml")
    path.write_text(path.read_text().replace(f"{PLANNER}adaptive", f"{PLANNER}random"))
    assert here.submit(path, here.add("eve", "scientist")).status_code == 201
    ended = here.ended()
    for what in ("posterior", "importances"):
        answer = get(here, vera, ended.campaign_id, what)
        assert answer.status_code == 422
        assert "The planner random learns no model" in answer.json()["sentence"]


def test_who_may_look_may_see_it_and_nobody_else(here: Lab, over: str) -> None:
    for what in ("posterior", "importances"):
        assert here.client.get(f"/api/campaigns/{over}/{what}").status_code == 401
        assert (
            here.client.get(
                f"/api/campaigns/nowhere/{what}", headers=here.add(f"v_{what}", "viewer")
            ).status_code
            == 404
        )


def test_a_result_that_no_longer_counts_is_no_longer_believed(here: Lab, over: str) -> None:
    sue = here.add("rita", "scientist")
    before = get(here, sue, over, "posterior").json()
    observations = here.client.get(f"/api/campaigns/{over}/observations", headers=sue).json()
    worst = max((one for one in observations if one["ok"]), key=lambda one: one["value"])
    path = f"/api/observations/{worst['id']}/retract"
    assert here.client.post(path, json={"why": "A bubble."}, headers=sue).status_code == 200
    after = get(here, sue, over, "posterior").json()
    assert after["results"] == before["results"] - 1
    assert [p["mean"] for p in after["points"]] != [p["mean"] for p in before["points"]]
