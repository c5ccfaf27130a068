"""Results that people correct over HTTP: who may, what is kept, and what the planner goes on from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.store import Store
from tests.campaign_files import write_campaign
from tests.lab.service.lab_app import Lab, lab
from tests.lab.store.examples import opened_run
from tests.lab.store.test_amendments import twins

Headers = dict[str, str]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """With a campaign that is over, of a protocol with which guests may do nothing."""
    with lab(tmp_path_factory.mktemp("lab")) as here:
        sue = here.add("sue", "scientist")
        file = write_campaign(here.folder, "one", budget=6, batch_size=6, baseline="null")
        assert here.submit(file, sue).status_code == 201
        assert here.ended().status == "finished"
        yield here


@pytest.fixture(scope="module")
def sue(here: Lab) -> Headers:
    return here.token_of("sue")


@pytest.fixture(scope="module")
def guest(here: Lab) -> Headers:
    """A scientist, but not with this protocol."""
    here.store.add_person("guest", roles=["scientist"], grants={"protocols": {"thermal_*": ["viewer"]}})
    return here.token_of("guest")


@pytest.fixture(scope="module")
def specialist(here: Lab) -> Headers:
    """A viewer, but a scientist with this protocol."""
    here.store.add_person("lise", roles=["viewer"], grants={"protocols": {"thermal_*": ["scientist"]}})
    return here.token_of("lise")


def results(here: Lab, who: Headers) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.client.get("/api/campaigns/one/observations", headers=who).json()
    return found


def campaign_of(store: Store) -> str:
    return store.campaign("one").campaign.id


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/observations/{result}/retract", {"why": "A bubble."}),
        ("/api/observations/{result}/supersede", {"value": 60.0, "why": "A typo."}),
        ("/api/experiments/{experiment}/replicate", {"of": "{other}", "why": "The same."}),
    ],
)
def test_nobody_corrects_results_of_a_protocol_that_is_not_theirs(
    here: Lab, sue: Headers, guest: Headers, path: str, body: dict[str, Any]
) -> None:
    before = results(here, sue)
    one, other = before[0], before[1]
    names = {"result": one["id"], "experiment": one["experiment_id"], "other": other["experiment_id"]}
    said = {name: value.format(**names) if isinstance(value, str) else value for name, value in body.items()}
    refused = here.client.post(path.format(**names), json=said, headers=guest)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert "guest may not do this with thermal_challenge." in refused.json()["sentence"]
    assert results(here, sue) == before
    assert here.store.amendments(campaign_of(here.store)) == ()


def test_a_grant_for_a_protocol_is_enough_to_correct_its_results(
    here: Lab, sue: Headers, specialist: Headers
) -> None:
    last = results(here, sue)[-1]
    path = f"/api/observations/{last['id']}/retract"
    assert here.client.post(path, json={"why": "A bubble."}, headers=specialist).status_code == 200
    assert last["id"] not in [one["id"] for one in results(here, sue)]
    (kept,) = [one for one in here.store.amendments(campaign_of(here.store)) if one.why == "A bubble."]
    assert (kept.who, kept.observation_id) == ("lise", last["id"])


def test_a_superseded_result_stays_readable_and_the_new_one_counts(here: Lab, sue: Headers) -> None:
    old = results(here, sue)[0]
    body = {"value": old["value"] + 1.5, "standard_error": 0.25, "why": "The gain was set wrong."}
    answer = here.client.post(f"/api/observations/{old['id']}/supersede", json=body, headers=sue)
    assert answer.status_code == 200, answer.text
    new = answer.json()
    assert (new["value"], new["standard_error"], new["unit"]) == (old["value"] + 1.5, 0.25, old["unit"])
    counting = {one["id"]: one for one in results(here, sue)}
    assert new["id"] in counting
    assert old["id"] not in counting
    assert here.store.observation(old["id"]).value == old["value"]
    said = here.client.get("/api/campaigns/one/amendments", headers=sue).json()
    (about,) = [one for one in said if one["observation_id"] == old["id"]]
    assert (about["kind"], about["replacement_id"], about["who"]) == ("supersede", new["id"], "sue")
    again = here.client.post(f"/api/observations/{old['id']}/supersede", json=body, headers=sue)
    assert again.status_code == 422  # it counts for nothing any more


def test_a_replicate_is_pooled_with_what_it_repeats(here: Lab, sue: Headers) -> None:
    (first, again), found = twins(here.store, opened_run(here.store))
    path = f"/api/experiments/{again}/replicate"
    itself = here.client.post(path, json={"of": again, "why": "?"}, headers=sue)
    assert (itself.status_code, itself.json()["code"]) == (422, "bad_input")
    unknown = here.client.post(path, json={"of": "exp_none", "why": "?"}, headers=sue)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    told = here.client.post(path, json={"of": first, "why": "Both were filled from one tube."}, headers=sue)
    assert told.status_code == 200, told.text
    counting = here.client.get("/api/campaigns/thermostable/observations", headers=sue).json()
    (pooled,) = [one for one in counting if one["experiment_id"] in (first, again)]
    assert pooled["experiment_id"] == first
    assert pooled["replicates"] == sum(one.replicates for one in found)
    (about,) = here.client.get("/api/campaigns/thermostable/amendments", headers=sue).json()
    assert (about["experiment_id"], about["of_experiment_id"], about["who"]) == (again, first, "sue")


def test_what_was_handed_in_is_changed_and_taken_back_by_who_might_hand_it_in(
    here: Lab, sue: Headers, guest: Headers, specialist: Headers
) -> None:
    file = write_campaign(here.folder, "waits", budget=6, batch_size=6, baseline="null")
    assert here.submit(file, guest, held=True).status_code == 403
    made = here.submit(file, sue, held=True).json()
    path, change = f"/api/submissions/{made['id']}", {"expected": made["version"], "priority": 9}
    for refused in (
        here.client.post(f"{path}/change", json=change, headers=guest),
        here.client.post(f"{path}/withdraw", headers=guest),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    untouched = here.client.get(path, headers=sue).json()
    assert (untouched["version"], untouched["status"]) == (made["version"], "queued")
    changed = here.client.post(f"{path}/change", json=change, headers=specialist)
    assert (changed.status_code, changed.json()["priority"]) == (200, 9)
    gone = here.client.post(f"{path}/withdraw", headers=specialist)
    assert (gone.status_code, gone.json()["status"]) == (200, "withdrawn")


def test_a_device_that_is_kept_from_somebody_keeps_them_from_what_uses_it(here: Lab, sue: Headers) -> None:
    file = write_campaign(here.folder, "uses_it", budget=6, batch_size=6, baseline="null")
    made = here.submit(file, sue, held=True).json()
    device = here.store.submission(made["id"]).rehearsal["devices"][0]
    here.store.add_person("nora", roles=["scientist"], grants={"devices": {device: ["viewer"]}})
    refused = here.client.post(f"/api/submissions/{made['id']}/withdraw", headers=here.token_of("nora"))
    assert refused.status_code == 403
    assert device in refused.json()["sentence"]
