"""Choosing without a laboratory."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.errors import BadInput
from lab.spaces import Parameter, SearchSpace
from lab.types import Candidate, Goal
from planners import Chooser


def table(n: int = 20) -> pd.DataFrame:
    return pd.DataFrame(
        {"id": [f"c{i}" for i in range(n)], "x": np.arange(n) / n, "buffer": ["tris", "mes"] * (n // 2)}
    )


def chooser(**kwargs: Any) -> Chooser:
    return Chooser(table(), "activity", **{"planner": "random", **kwargs})


def told(made: Chooser, key: str) -> pd.Series:
    return made.results().set_index("id").loc[key]


def test_an_ask_gives_what_describes_the_candidates_and_why() -> None:
    batch = chooser().ask(5)
    assert list(batch.columns) == ["id", "x", "buffer", "predicted", "low", "high", "why"]
    assert len(set(batch.id)) == 5
    known = table().set_index("id")
    assert all(known.loc[row.id, "x"] == row.x for row in batch.itertuples())
    assert batch.why.str.endswith(".").all()


def test_what_was_asked_for_is_on_its_way_until_it_is_told_or_dropped() -> None:
    made = chooser()
    first = made.ask(5)
    assert made.pending == tuple(first.id)
    assert not set(made.ask(5).id) & set(first.id)
    made.tell({first.id[0]: 1.0})
    assert first.id[0] not in made.pending
    made.drop(first.id[1])
    assert first.id[1] not in made.pending
    assert first.id[1] in set(made.ask(11).id)
    with pytest.raises(BadInput, match="not waiting"):
        made.drop("c999")


def test_the_same_seed_and_results_give_the_same_choices() -> None:
    one, two, other = chooser(seed=3), chooser(seed=3), chooser(seed=4)
    assert list(one.ask(6).id) == list(two.ask(6).id) != list(other.ask(6).id)


def test_replicates_are_told_as_their_mean_and_its_error() -> None:
    made = chooser()
    made.tell(pd.DataFrame({"id": ["c1", "c2", "c1", "c1"], "activity": [1.0, 5.0, 2.0, 3.0]}))
    assert told(made, "c1").activity == 2.0
    assert told(made, "c1").activity_se == pytest.approx(1.0 / np.sqrt(3))
    assert np.isnan(told(made, "c2").activity_se)
    made.tell({"c3": [4.0, 6.0]})
    assert (told(made, "c3").activity, told(made, "c3").activity_se) == (5.0, pytest.approx(1.0))


def test_an_error_that_is_given_is_kept() -> None:
    made = chooser()
    made.tell(
        pd.DataFrame({"id": ["c1", "c2", "c2"], "activity": [1.0, 2.0, 4.0], "activity_se": [0.1, 0.3, 0.4]})
    )
    assert told(made, "c1").activity_se == pytest.approx(0.1)
    assert told(made, "c2").activity_se == pytest.approx(0.25)


def test_a_measurement_that_failed_is_chosen_once_more_and_what_cannot_be_had_is_not() -> None:
    made = chooser()
    first = made.ask(3)
    made.tell(first.assign(activity=[np.nan, np.nan, 1.0], failed=[False, True, False]))
    again = made.ask(17)
    assert again.id[0] == first.id[0]
    assert again.why[0].startswith("Measured again")
    assert first.id[1] not in set(again.id)
    assert told(made, first.id[1]).failed


def test_results_without_an_id_are_found_by_what_describes_the_candidate() -> None:
    made = chooser()
    made.tell(table()[["buffer", "x"]].iloc[[3]].reset_index(drop=True).assign(activity=7.0))
    assert told(made, "c3").activity == 7.0


def test_a_wrong_line_leaves_everything_as_it_was() -> None:
    made = chooser()
    made.ask(3)
    made.tell({"c1": 1.0})
    before, pending = made.results(), made.pending
    for wrong, what in (
        ({"c2": 1.0, "c77": 2.0}, "c77"),
        ({"c2": 1.0, "c3": "high"}, "c3"),
        ({"c2": {"speed": 1.0}}, "speed"),
        (pd.DataFrame({"id": ["c2"], "aktivity": [1.0]}), "activity"),
        (pd.DataFrame({"id": ["c2", None], "activity": [1.0, 2.0]}), "Row 1"),
        (pd.DataFrame({"id": ["c2", "c3"], "activity": [1.0, 2.0], "failed": [False, "maybe"]}), "maybe"),
    ):
        with pytest.raises(BadInput, match=what):
            made.tell(wrong)
    assert made.results().equals(before)
    assert made.pending == pending


def test_the_reference_is_in_every_batch_and_what_is_told_of_it_is_what_others_are_compared_with() -> None:
    made = Chooser(table(), "activity", planner="directed_evolution", reference="c0", with_reference=True)
    batch = made.ask(4)
    assert batch.id[0] == "c0"
    assert len(batch) == 5
    assert "c0" not in made.pending
    made.tell(batch.assign(activity=[5.0, 1.0, 2.0, 3.0, 4.0]))
    assert "c0" not in set(made.results().id)
    assert "One changed value away from the start (c0)" in " ".join(made.ask(15).why)


def test_it_goes_on_from_a_file_as_it_would_have(tmp_path: Path) -> None:
    made = Chooser(
        table(),
        {"activity": "minimize", "cost": ("at_most", 3)},
        planner={"name": "grid", "settings": {"levels": 3}},
    )
    made.tell_past(pd.DataFrame({"id": ["c4"], "activity": [1.5]}), "before")
    batch = made.ask(4)
    made.tell(batch.assign(activity=[1.0, np.nan, 3.0, 4.0], cost=1.0))
    made.ask(2)
    made.save(tmp_path / "state.json")
    again = Chooser.load(tmp_path / "state.json")
    assert repr(again.campaign) == repr(
        made.campaign
    )  # errors that are not known are not equal to themselves
    assert again.pending == made.pending
    assert again.results().equals(made.results())
    assert again.ask(3).equals(made.ask(3))


def test_a_space_with_bounds_and_levels_goes_through_a_file_too(tmp_path: Path) -> None:
    made = Chooser({"t": (0, 1), "n": [1, 2], "s": ["a", "b"]}, "activity", planner="sobol")
    made.tell(made.ask(4).assign(activity=1.0))
    made.save(tmp_path / "state.json")
    assert Chooser.load(tmp_path / "state.json").ask(3).equals(made.ask(3))
    ruled = SearchSpace(parameters=(Parameter(name="t", low=0.0, high=1.0),), rules=(lambda c: True,))
    with pytest.raises(BadInput, match="module:function"):
        Chooser(ruled, "activity").save(tmp_path / "ruled.json")
    assert not (tmp_path / "ruled.json").exists()


def test_a_result_anywhere_in_a_space_may_be_told() -> None:
    made = Chooser({"t": (0, 1), "s": ["a", "b"]}, "activity", planner="random")
    made.tell(pd.DataFrame({"t": [0.25], "s": ["b"], "activity": [3.0]}))
    assert made.results().activity.tolist() == [3.0]
    with pytest.raises(BadInput, match="row 0"):
        made.tell(pd.DataFrame({"t": [2.0], "s": ["b"], "activity": [3.0]}))


def test_a_line_with_the_id_of_another_candidate_is_refused_and_nothing_is_taken_down() -> None:
    made = Chooser({"t": (0, 10)}, "activity", planner="random")
    made.tell(pd.DataFrame({"id": ["1", "2"], "t": [5.0, 6.0], "activity": [1.0, 2.0]}))
    for again in (
        pd.DataFrame({"id": ["3", "1"], "t": [4.0, 7.0], "activity": [3.0, 4.0]}),
        pd.DataFrame({"id": ["4", "4"], "t": [4.0, 7.0], "activity": [3.0, 4.0]}),
    ):
        with pytest.raises(BadInput, match=r"row 1 .*has 7\.0 for t"):
            made.tell(again)
    with pytest.raises(BadInput, match=r"has 7\.0 for t"):
        made.tell_past(pd.DataFrame({"id": ["2"], "t": [7.0], "activity": [3.0]}))
    assert made.results().activity.tolist() == [1.0, 2.0]
    made.tell(pd.DataFrame({"id": ["1"], "t": [5.00001], "activity": [3.0], "note": ["again"]}))
    assert made.results().id.tolist() == ["1", "2", "1"]


def test_what_an_ask_gave_is_told_back_with_its_ids_or_without() -> None:
    for columns in ([], ["id"]):
        made = Chooser({"t": (0, 10)}, "activity", planner="random")
        batch = made.ask(3)
        made.tell(batch.assign(activity=[1.0, 2.0, 3.0]).drop(columns=columns))
        assert made.pending == ()
        assert made.results().id.tolist() == batch.id.tolist()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"version": 1, "with_reference": false, "state": {}}'])
def test_a_file_of_something_else_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"other\.json"):
        Chooser.load(path)
    with pytest.raises(BadInput, match="no such file"):
        Chooser.load(tmp_path / "none.json")


def test_results_are_read_back_by_another_chooser(tmp_path: Path) -> None:
    made = chooser()
    made.tell(made.ask(4).assign(activity=[1.0, np.nan, 3.0, 4.0], failed=[False, True, False, False]))
    made.results().to_csv(tmp_path / "results.csv", index=False)
    other = chooser()
    other.tell(pd.read_csv(tmp_path / "results.csv"))
    assert other.results().equals(made.results())


def test_a_goal_is_read_from_short_words() -> None:
    goal = Chooser(
        table(), {"y": ("hit", 7), "cost": "minimize", "noise": ("at_most", 2), "y2": ("at_least", 1)}
    ).campaign.goal
    assert [(o.target, o.direction, o.level) for o in goal.objectives] == [
        ("y", "hit", 7.0),
        ("cost", "minimize", None),
    ]
    assert [(x.target, x.at_least, x.at_most) for x in goal.limits] == [
        ("noise", None, 2.0),
        ("y2", 1.0, None),
    ]
    given = Goal(target="y", direction="map")
    assert Chooser(table(), given).campaign.goal is given


@pytest.mark.parametrize(
    ("goal", "what"),
    [
        ({"y": "big"}, "'big'"),
        ({"y": ("at_most", 1)}, "nothing to look for"),
        ({"y": ("hit", "high")}, "hit"),
    ],
)
def test_a_goal_that_cannot_be_is_refused(goal: dict[str, Any], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        Chooser(table(), goal)


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (table(0), "no rows"),
        (table().assign(id="same"), "Row 1"),
        (table().assign(x=[None, *range(19)]), "c0"),
        (table().rename(columns={"x": "why"}), "named why"),
    ],
)
def test_candidates_that_cannot_be_are_refused(frame: pd.DataFrame, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        Chooser(frame, "activity")


def test_rows_without_ids_are_named_by_the_index_or_their_number() -> None:
    frame = table().drop(columns="id")
    assert Chooser(frame, "activity").campaign.candidates[2].id == "row 2"
    frame.index = [f"well {i}" for i in range(20)]
    assert Chooser(frame, "activity").campaign.candidates[2].id == "well 2"


def test_a_column_of_results_among_the_candidates_describes_nothing() -> None:
    made = Chooser(table().assign(activity=1.0), "activity", planner="random")
    assert set(made.campaign.candidates[0].values) == {"x", "buffer"}


def test_letters_tell_dna_from_protein() -> None:
    dna = pd.DataFrame({"id": ["a", "b"], "sequence": ["ACGT", "ACGA"]})
    assert Chooser(dna, "expression").campaign.alphabet == "dna"
    protein = pd.DataFrame({"id": ["a", "b"], "sequence": ["ACGT", "ACGK"]})
    assert Chooser(protein, "expression").campaign.alphabet == "protein"


def test_it_predicts_where_its_planner_does() -> None:
    made = chooser(planner={"name": "botorch", "settings": {"designed": 4}})
    with pytest.raises(BadInput, match="Too little"):
        made.predict()
    made.tell(table().iloc[::3].assign(activity=lambda t: 3 * t.x))
    expected = made.predict(["c1", "c2"])
    assert list(expected.id) == ["c1", "c2"]
    assert (expected.low < expected.predicted).all()
    assert expected.predicted.to_numpy() == pytest.approx(3 * table().x[1:3].to_numpy(), abs=0.3)
    with pytest.raises(BadInput, match="predicts nothing"):
        chooser().predict()


def test_earlier_results_cost_nothing_and_may_be_of_candidates_of_their_own() -> None:
    made = chooser(planner="multi_task")
    old = pd.DataFrame({"x": np.linspace(0, 2, 9), "buffer": ["tris", "hepes", "mes"] * 3})
    made.tell_past(old.assign(activity=-((old.x - 0.5) ** 2)), "2024")
    assert made.results().empty
    assert len(made.campaign.past) == 9
    assert abs(made.ask(1).x[0] - 0.5) < 0.2


@pytest.mark.parametrize(
    ("kwargs", "what"),
    [
        ({"reference": "c99"}, "c99"),
        ({"with_reference": True}, "No reference"),
        ({"budget": 0}, "1 to 100"),
        ({"planner": "best"}, "no planner named 'best'"),
        ({"planner": {"name": "grid", "settings": {"level": 3}}}, "no setting 'level'"),
    ],
)
def test_what_a_chooser_cannot_be_made_from_is_refused(kwargs: dict[str, Any], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        chooser(**kwargs)


def test_a_reference_may_be_given_as_a_candidate() -> None:
    made = chooser(reference=Candidate(id="today", values={"x": 0.3, "buffer": "mes"}), with_reference=True)
    assert made.ask(2).id[0] == "today"
    assert len(made.campaign.candidates) == 20


def test_a_mechanism_reports_its_parameters() -> None:
    frame = pd.DataFrame({"id": [f"{t} C" for t in range(40, 81, 4)], "temperature_c": range(40, 81, 4)})
    made = Chooser(frame, "activity", planner="mechanistic")
    made.tell(frame.assign(activity=1.0 / (1.0 + np.exp((frame.temperature_c - 58) / 2)), activity_se=0.02))
    table = made.posterior().set_index("name")
    assert table.loc["half_c", "low"] < table.loc["half_c", "mean"] < table.loc["half_c", "high"]
    assert 56 < table.loc["half_c", "mean"] < 60
    with pytest.raises(BadInput, match="mechanistic"):
        chooser().posterior()
