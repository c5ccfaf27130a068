"""Commands by hand: kept and leased like any step, and refused before anything is kept where they can't be done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.app.house import House
from lab.errors import BadInput, BenchBusy
from lab.types import StepStatus
from tests.lab.app.test_house import hand_in, house_in, status_of, until


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, str]]:
    """A house with a bench on which a campaign has finished."""
    folder: Path = tmp_path_factory.mktemp("by_hand")
    with house_in(folder) as house:
        hand_in(house, folder, "one", budget=4)
        until(lambda: status_of(house, "one") == "finished" and not house.live(), "it did not finish")
        yield house, house.store.campaign("one").bench_id


def test_a_command_by_hand_is_a_journaled_step_on_the_same_bench(used: tuple[House, str]) -> None:
    house, bench_id = used
    campaign_id = house.by_hand(bench_id, "thermocycler", "open_lid", {}, who="ada")
    until(lambda: house.store.campaign(campaign_id).status.value == "finished", "it was not done")
    record = house.store.campaign(campaign_id)
    assert record.bench_id == bench_id
    assert "by ada" in record.files["protocol"]
    (run,) = house.store.runs(campaign_id)
    (step,) = house.store.steps(run.run.id)
    assert (step.device, step.action, step.status) == ("thermocycler", "open_lid", StepStatus.DONE)


def test_what_each_device_can_be_told_is_known(used: tuple[House, str]) -> None:
    house, bench_id = used
    verbs = {(one["device"], one["verb"]): one for one in house.verbs(bench_id)}
    move = verbs["arm", "move"]
    assert [part["name"] for part in move["parts"]] == ["labware", "destination"]  # type: ignore[index,call-overload,union-attr]
    assert not move["parts"][0]["optional"]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("device", "verb", "arguments", "sentence"),
    [
        ("arm", "mve", {}, "Did you mean 'move'?"),
        ("leg", "move", {}, "no leg"),
        ("arm", "move", {"x": 1}, "It takes: labware, destination."),
        ("arm", "move", {"labware": "assay_5", "destination": "nowhere"}, "no position nowhere"),
        (
            "arm",
            "move",
            {"labware": "assay_5", "destination": "deck_plate_1"},
            "would be left at deck_plate_1",
        ),
        ("thermocycler", "heat", {"plate": "assay_5', __import__('os')"}, "It takes: plate"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_kept(
    used: tuple[House, str], device: str, verb: str, arguments: dict[str, str], sentence: str
) -> None:
    house, bench_id = used
    before = house.store.campaigns()
    with pytest.raises(BadInput) as refused:
        house.by_hand(bench_id, device, verb, arguments, who="ada")  # type: ignore[arg-type]  # texts are JSON
    assert sentence in str(refused.value)
    assert house.store.campaigns() == before


def test_an_instrument_at_work_is_refused_at_once_and_says_for_whom_it_works(tmp_path: Path) -> None:
    with house_in(tmp_path, pace="30") as house:
        hand_in(house, tmp_path, "one")
        until(lambda: any(live.step > 1 for live in house.live()), "it did not begin")
        (live,) = house.live()

        def at_work() -> list[str]:
            shown = house.devices(live.bench_id)
            return [str(one["role"]) for one in shown if one["held_by"] and one["doing"]]

        def refused() -> bool:
            """False where the step has ended between the look and the command."""
            device = next(iter(at_work()), "")
            before = house.store.campaigns()
            with pytest.raises(BadInput) as caught:
                house.by_hand(live.bench_id, device, "wave", {}, who="ada")
            assert house.store.campaigns() == before
            if not isinstance(caught.value, BenchBusy):
                return False
            assert caught.value.reason.startswith(f"{device} is in use by one (")
            assert "stop the campaign" in caught.value.way_out
            return True

        until(refused, "no instrument was found at work")
        house.request_stop("Seen enough.")


def test_what_stands_still_is_given_up_and_what_is_over_is_not(
    used: tuple[House, str], tmp_path: Path
) -> None:
    house, _ = used
    with pytest.raises(BadInput, match="nothing to give up"):
        house.give_up(house.store.campaign("one").campaign.id, "Enough.")
