"""Ribosome-binding sites with the relative strengths that the Registry of Standard Biological Parts lists (B0034 is 1)."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

import models
from lab.errors import BadInput, MissingData
from lab.interfaces import Scorer
from lab.types import Candidate, ModelChoice
from models.ribosome_sites import Ostir, OstirSettings

LISTED = {
    "B0030": ("ATTAAAGAGGAGAAA", 0.6),
    "B0031": ("TCACACAGGAAACC", 0.07),
    "B0032": ("TCACACAGGAAAG", 0.3),
    "B0033": ("TCACACAGGAC", 0.01),
    "B0034": ("AAAGAGGAGAAA", 1.0),
    "B0035": ("ATTAAAGAGGAGAA", 1.12),
}
SITES = [Candidate(id=name, sequence=sequence + "TACTAG") for name, (sequence, _) in LISTED.items()]
FLANKS = {"before": "GCTAGCTACTAGAG", "after": "ATGCGTAAAGGAGAAGAACTTTTCACTGGAGTTGTCCC"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRYWET_CACHE", str(tmp_path / "cache"))


def made(**settings: object) -> Scorer:
    found = models.model(ModelChoice(name="ostir", settings=settings))
    assert isinstance(found, Scorer)
    return found


def test_measured_sites_are_ranked_as_the_card_says() -> None:
    scores = made(**FLANKS).score(SITES)
    assert spearmanr(scores, [strength for _, strength in LISTED.values()]).statistic == pytest.approx(
        0.89, abs=0.005
    )
    assert "rank correlation 0.89" in Ostir.card.tested_on


def test_the_start_codon_may_be_given_by_its_position() -> None:
    start = len(FLANKS["before"]) + len(SITES[0].sequence) + 1
    np.testing.assert_array_equal(
        made(**FLANKS).score(SITES[:1]), made(**FLANKS, start_codon=start).score(SITES[:1])
    )


def test_a_better_match_to_the_ribosome_starts_more_often() -> None:
    matched, mismatched = made(**FLANKS).score(
        [Candidate(id=s, sequence=s) for s in ("TTTAAGGAGGTATACAT", "TTTAACCTGGTATACAT")]
    )
    assert matched > mismatched


def test_other_bacteria_are_told_by_the_end_of_their_ribosomal_rna() -> None:
    own = made(**FLANKS).score(SITES[:1])
    assert made(**FLANKS, anti_shine_dalgarno="ACCTGCTTA").score(SITES[:1]) < own


def test_a_site_that_no_ribosome_finds_is_refused_by_name() -> None:
    with pytest.raises(
        BadInput, match="no way for a ribosome to bind before the start codon of candidate B0033"
    ):
        made(**FLANKS, anti_shine_dalgarno="TTTTTTTTT").score(SITES)


def test_a_start_codon_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="B0034 has GCT at position 1, where its start codon should be"):
        made(**FLANKS, start_codon=1).score([SITES[4]])


def test_a_start_codon_with_nothing_before_it_is_refused() -> None:
    with pytest.raises(
        BadInput, match="no way for a ribosome to bind before the start codon of candidate bare"
    ):
        made(start_codon=3).score([Candidate(id="bare", sequence="ATATGGCATTTACATGCA")])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"before": "ACGT"}, "nothing says where the start codon is"),
        ({**FLANKS, "start_codon": 0}, "at least 1"),
        ({**FLANKS, "anti_shine_dalgarno": "ACC"}, "anti_shine_dalgarno"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        made(**settings)


@pytest.mark.parametrize(("module", "package"), [("ostir", "ostir"), ("RNA", "viennarna")])
def test_a_package_that_is_not_there_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingData, match=f"needs the package {package}") as missing:
        Ostir(OstirSettings(start_codon=1))
    assert "pip install --no-deps ostir==1.1.3 viennarna==2.8.0" in missing.value.way_out
