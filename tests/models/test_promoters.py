"""Promoters of the Anderson collection, with the fluorescence that the Registry of Standard Biological Parts lists.

J23112 has the sequence of J23103 and is left out.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import models
from lab.errors import BadInput, MissingData
from lab.interfaces import Scorer
from lab.types import Candidate, ModelChoice
from models.dna import Flanks
from models.promoters import PromoterCalculator, PromoterCalculatorSettings, Sigma70

ANDERSON = {
    "J23100": ("TTGACGGCTAGCTCAGTCCTAGGTACAGTGCTAGC", 2547),
    "J23101": ("TTTACAGCTAGCTCAGTCCTAGGTATTATGCTAGC", 1791),
    "J23102": ("TTGACAGCTAGCTCAGTCCTAGGTACTGTGCTAGC", 2179),
    "J23103": ("CTGATAGCTAGCTCAGTCCTAGGGATTATGCTAGC", 17),
    "J23104": ("TTGACAGCTAGCTCAGTCCTAGGTATTGTGCTAGC", 1831),
    "J23105": ("TTTACGGCTAGCTCAGTCCTAGGTACTATGCTAGC", 623),
    "J23106": ("TTTACGGCTAGCTCAGTCCTAGGTATAGTGCTAGC", 1185),
    "J23107": ("TTTACGGCTAGCTCAGCCCTAGGTATTATGCTAGC", 908),
    "J23108": ("CTGACAGCTAGCTCAGTCCTAGGTATAATGCTAGC", 1303),
    "J23109": ("TTTACAGCTAGCTCAGTCCTAGGGACTGTGCTAGC", 106),
    "J23110": ("TTTACGGCTAGCTCAGTCCTAGGTACAATGCTAGC", 844),
    "J23111": ("TTGACGGCTAGCTCAGTCCTAGGTATAGTGCTAGC", 1487),
    "J23113": ("CTGATGGCTAGCTCAGTCCTAGGGATTATGCTAGC", 21),
    "J23114": ("TTTATGGCTAGCTCAGTCCTAGGTACAATGCTAGC", 256),
    "J23115": ("TTTATAGCTAGCTCAGCCCTTGGTACAATGCTAGC", 387),
    "J23116": ("TTGACAGCTAGCTCAGTCCTAGGGACTATGCTAGC", 396),
    "J23117": ("TTGACAGCTAGCTCAGTCCTAGGGATTGTGCTAGC", 162),
    "J23118": ("TTGACGGCTAGCTCAGTCCTAGGTATTGTGCTAGC", 1429),
}
PROMOTERS = [Candidate(id=name, sequence=sequence) for name, (sequence, _) in ANDERSON.items()]
STRENGTHS = [strength for _, strength in ANDERSON.values()]
FLANKS = {"before": "CATGAATTCGCGGCCGCTTCTAGAG", "after": "TACTAGAGAAAGAGGAGAAATACTAG"}
CONSENSUS = "TTGACA" + "GCTAGCTCAGTCCTAGG" + "TATAAT"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRYWET_CACHE", str(tmp_path / "cache"))


def sigma70(*sequences: str) -> np.ndarray:
    return Sigma70().score([Candidate(id=s, sequence=s) for s in sequences])


def test_sigma70_ranks_measured_promoters_as_its_card_says() -> None:
    assert spearmanr(Sigma70().score(PROMOTERS), STRENGTHS).statistic == pytest.approx(0.79, abs=0.005)
    assert "rank correlation 0.79" in Sigma70.card.tested_on


def test_sigma70_of_one_place_is_the_sum_of_the_logarithms_of_its_shares() -> None:
    shares = [0.69, 0.79, 0.61, 0.56, 0.54, 0.54, 0.77, 0.76, 0.60, 0.61, 0.56, 0.82]
    expected = np.log(np.array(shares) / 0.25).sum() + np.log(0.01)
    assert sigma70("TTGACA" + "C" * 14 + "TATAAT")[0] == pytest.approx(expected)


@pytest.mark.parametrize("site", [*range(6), *range(23, 29)])
def test_every_letter_of_the_hexamers_that_is_not_the_consensus_weakens(site: int) -> None:
    weaker = (
        CONSENSUS[:site]
        + "C" * (CONSENSUS[site] != "C")
        + "G" * (CONSENSUS[site] == "C")
        + CONSENSUS[site + 1 :]
    )
    consensus, changed = sigma70(CONSENSUS, weaker)
    assert changed < consensus


def test_a_spacer_of_seventeen_is_best() -> None:
    spaced = {n: sigma70("C" * 5 + "TTGACA" + "C" * n + "TATAAT" + "C" * 5)[0] for n in range(14, 21)}
    assert max(spaced, key=lambda n: spaced[n]) == 17


def test_a_second_promoter_adds_to_the_first() -> None:
    filling = "C" * len(CONSENSUS)
    alone, twice = sigma70(CONSENSUS + filling, CONSENSUS + CONSENSUS)
    assert alone < twice < alone + 1.0


def test_promoters_of_different_lengths_are_scored_in_their_order() -> None:
    sequences = (CONSENSUS, "CC" + CONSENSUS, CONSENSUS + "C", "CC" + CONSENSUS)
    together = sigma70(*sequences)
    np.testing.assert_array_equal(together, [sigma70(s)[0] for s in sequences])


def test_a_hexamer_may_lie_in_what_stands_around() -> None:
    rest = Candidate(id="rest", sequence=CONSENSUS[6:])
    whole = sigma70(CONSENSUS)[0]
    assert Sigma70(Flanks(before="TTGACA")).score([rest])[0] == pytest.approx(whole)


def test_the_promoter_calculator_ranks_measured_promoters_as_its_card_says() -> None:
    scores = PromoterCalculator(PromoterCalculatorSettings(**FLANKS)).score(PROMOTERS)
    assert spearmanr(scores, STRENGTHS).statistic == pytest.approx(0.81, abs=0.005)
    assert "rank correlation 0.81" in PromoterCalculator.card.tested_on


def test_the_promoter_calculator_looks_for_starts_where_it_is_told() -> None:
    text = FLANKS["before"] + PROMOTERS[0].sequence + FLANKS["after"]
    whole = [Candidate(id="whole", sequence=text)]
    everywhere = PromoterCalculator().score(whole)[0]
    parts = [
        PromoterCalculator(PromoterCalculatorSettings(first_start=first, last_start=last)).score(whole)[0]
        for first, last in ((1, 61), (62, len(text)))
    ]
    assert np.logaddexp(*parts) == pytest.approx(everywhere, rel=1e-6)


def test_what_the_calculator_said_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PromoterCalculatorSettings(**FLANKS, first_start=60, last_start=64)
    first = PromoterCalculator(settings).score(PROMOTERS[:2])
    again = PromoterCalculator(settings)
    monkeypatch.setattr(type(again), "_rates", lambda *_: pytest.fail("it was computed again"))
    np.testing.assert_array_equal(again.score(PROMOTERS[:2]), first)


def test_a_promoter_that_the_calculator_has_no_room_for_is_refused() -> None:
    with pytest.raises(BadInput, match="J23100 leaves no room") as refusal:
        PromoterCalculator().score(PROMOTERS[:1])
    assert "`before` and `after`" in refusal.value.way_out


@pytest.mark.parametrize("name", ["sigma70", "promoter_calculator"])
def test_letters_that_are_no_bases_are_refused(name: str) -> None:
    scorer = models.scorer(name, parent="")
    assert isinstance(scorer, Scorer)
    with pytest.raises(BadInput, match=r"odd has 'U' at position 3, which is no base of DNA"):
        scorer.score([Candidate(id="odd", sequence="TTUACA" * 20)])


def test_too_short_a_promoter_is_refused() -> None:
    with pytest.raises(BadInput, match="TATAAT has 6 bases, and a sigma-70 promoter at least 26"):
        sigma70("TATAAT")


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("sigma70", {"before": "TTNACA"}, "a flank holds 'N'"),
        ("promoter_calculator", {"first_start": 9, "last_start": 3}, "from 9 to 3"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, settings: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        models.model(ModelChoice(name=name, settings=settings))


def test_a_package_that_is_not_there_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "promoter_calculator.promoter_calculator", None)
    with pytest.raises(MissingData, match="needs the package promotercalculator") as missing:
        PromoterCalculator()
    assert "pip install --no-deps promotercalculator==1.2.4" in missing.value.way_out
