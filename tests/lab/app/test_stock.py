"""What campaigns need of a bench, and what is said when there is too little of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.app import Laboratory, Settings, prepare
from lab.app.stock import Claim, batches_left, needs_of, refuse_shortages, shortages, stock_of, words
from lab.dry_run import dry_run
from lab.errors import Infeasible
from protocols import thermal_challenge as challenge
from tests.campaign_files import write_campaign
from tests.protocols.bench import commands_of, make_batch, make_bench, make_campaign, paper_workcell

NAMES = ("tips:50", "plates", "content:assay_buffer")


def claim(name: str, batches: int = 2, **needs: float) -> Claim:
    return Claim(campaign=name, needs={n.replace("__", ":"): v for n, v in needs.items()}, batches=batches)


def test_the_needs_of_a_batch_are_what_carrying_it_out_takes_from_the_bench() -> None:
    bench, campaign, batch = make_bench(), make_campaign(), make_batch(6)
    parameters = challenge.Parameters()
    layout = challenge.layout(batch, campaign, bench, parameters, np.random.default_rng(1))
    workcell = paper_workcell(bench)
    walked = dry_run(challenge.plan(batch, campaign, workcell, layout, parameters), workcell)
    needs, before = needs_of(walked, bench), stock_of(bench)
    commands_of(challenge.plan(batch, campaign, workcell, layout, parameters), bench)
    after = stock_of(bench)
    used = {name: before[name] - after[name] for name in before if before[name] > after[name]}
    assert needs == pytest.approx(used)
    assert set(needs) == {"tips:50", "tips:300", "plates", "content:assay_buffer", "content:reporter"}


def test_what_is_barred_is_no_stock() -> None:
    bench = make_bench(assay_plates=4)
    whole = stock_of(bench)
    bench.bar([("buffer", "*"), ("assay_1", "*")], "dropped")
    assert stock_of(bench) == whole | {"plates": 3.0, "content:assay_buffer": 0.0}


@pytest.mark.parametrize(
    ("there", "reserved", "new", "said"),
    [
        ({"plates": 4}, {}, [claim("a", plates=2)], []),
        (
            {"plates": 3},
            {},
            [claim("a", plates=2)],
            ["2 batches need 4 clean plates; the workcell has 3."],
        ),
        (
            {"content:buffer": 1500.0},
            {},
            [claim("a", batches=1, content__buffer=2000.0)],
            ["1 batch needs 2.0 ml of buffer; the workcell has 1.5 ml."],
        ),
        (
            {"plates": 7, "tips:50": 100},
            {},
            [claim("a", plates=2, tips__50=20), claim("b", plates=2, tips__50=20)],
            ["2 batches of a and 2 batches of b together need 8 clean plates; the workcell has 7."],
        ),
        (
            {"tips:50": 100},
            {"tips:50": {"b": 50.0, "c": 20.0}},
            [claim("a", tips__50=20)],
            [
                "2 batches of a need 40 tips of 50 ul; the workcell has 100, and b has reserved 50 and c has reserved 20."
            ],
        ),
        ({}, {}, [claim("a", tips__50=1)], ["2 batches need 2 tips of 50 ul; the workcell has 0."]),
    ],
)
def test_each_shortage_is_a_sentence_that_names_who_needs_and_who_has_reserved(
    there: dict[str, float], reserved: dict[str, dict[str, float]], new: list[Claim], said: list[str]
) -> None:
    assert shortages(there, reserved, new) == said
    if said:
        with pytest.raises(Infeasible) as refused:
            refuse_shortages(there, reserved, new)
        assert refused.value.problems == tuple(said)
    else:
        refuse_shortages(there, reserved, new)


amounts = st.integers(0, 30)


@given(
    there=st.fixed_dictionaries(dict.fromkeys(NAMES, amounts)),
    taken=st.fixed_dictionaries(dict.fromkeys(NAMES, amounts)),
    needs=st.lists(st.tuples(st.fixed_dictionaries(dict.fromkeys(NAMES, amounts)), st.integers(0, 4))),
)
def test_nobody_is_refused_who_finds_enough_and_nobody_begins_who_does_not(
    there: dict[str, int], taken: dict[str, int], needs: list[tuple[dict[str, int], int]]
) -> None:
    claims = [Claim(campaign=f"c{n}", needs=of, batches=batches) for n, (of, batches) in enumerate(needs)]
    short = {
        name
        for name in NAMES
        if claims and there[name] - taken[name] < sum(of[name] * batches for of, batches in needs)
    }
    said = shortages(there, {name: {"other": float(taken[name])} for name in NAMES}, claims)
    assert len(said) == len(short)
    for name in short:
        wanted = sum(of[name] * batches for of, batches in needs)
        assert any(words(name, wanted) in sentence for sentence in said)


def test_batches_that_are_left_cover_the_rest_of_the_budget() -> None:
    campaign = make_campaign()
    for asked in range(campaign.budget + 1):
        left = batches_left(campaign, asked, 0)
        assert left == math.ceil((campaign.budget - asked) / campaign.batch_size)
        assert batches_left(campaign, asked, 1) == left + 1


def test_campaigns_that_would_not_find_enough_together_are_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    one = write_campaign(tmp_path, "one", budget=3, batch_size=3)
    two = write_campaign(tmp_path, "two", budget=3, batch_size=3)
    bench = tmp_path / "bench.yaml"
    bench.write_text(bench.read_text().replace("count: 40,", "count: 3,"))
    settings = Settings(store=str(tmp_path / "lab.db"))
    said = "1 batch of one and 1 batch of two together need 4 clean plates; the workcell has 3."
    with Laboratory.open(settings) as laboratory:
        with pytest.raises(Infeasible) as refused:
            laboratory.run([prepare(one), prepare(two)], baseline=False)
        assert refused.value.problems == (said,)
        assert laboratory.store.campaigns() == ()
        assert laboratory.store.benches() == ()
