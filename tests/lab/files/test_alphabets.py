"""Campaigns on DNA: what their files may hold, and what is refused."""

from __future__ import annotations

import pytest

from lab.files import load_campaign

PROMOTER = "TTTACACTTTATGCTTCCGG"


@pytest.fixture
def promoters(desk):
    written = desk.campaign.read_text()
    parent = next(line for line in written.splitlines() if line.strip().startswith("parent:"))
    desk.campaign.write_text(written.replace(parent, f"  alphabet: dna\n  parent: {PROMOTER}"))
    desk.table.write_text("variant,plate,well\nT1G,1,A1\nC5T+A6T,1,A2\nWT,1,A3\n")
    return desk


def test_names_are_read_against_a_parent_of_dna(promoters):
    campaign = load_campaign(promoters.campaign).campaign("cmp_1")
    assert campaign.alphabet == "dna"
    assert [c.sequence for c in campaign.candidates] == [
        "GTTACACTTTATGCTTCCGG",
        "TTTATTCTTTATGCTTCCGG",
    ]
    assert campaign.reference.sequence == PROMOTER


def test_a_campaign_that_does_not_say_is_on_proteins(desk):
    assert load_campaign(desk.campaign).campaign("cmp_1").alphabet == "protein"


def test_a_letter_that_is_no_base_is_refused_in_the_parent(promoters):
    promoters.change(promoters.campaign, PROMOTER, "TTTAMACTTT")
    bad = promoters.problem()
    assert bad.field == "candidates.parent"
    assert bad.reason == "parent has 'M' at position 5, which is no base of DNA."
    assert bad.way_out == "Use the one-letter codes ACGT."


def test_a_letter_that_is_no_base_is_refused_in_a_name_and_in_a_sequence(promoters):
    promoters.table.write_text("variant,plate,well,sequence\nT1L,1,A1,\nmine,1,A2,TTNAC\nWT,1,A3,\n")
    found = promoters.problems()
    assert [(bad.line, bad.reason) for bad in found] == [
        (2, "T1L: 'L' is no base of DNA."),
        (3, "'N' at position 3 of mine is no base of DNA."),
    ]


def test_the_same_dna_twice_is_refused(promoters):
    promoters.table.write_text(
        f"variant,plate,well,sequence\nT1G,1,A1,\nmine,1,A2,G{PROMOTER[1:]}\nWT,1,A3,\n"
    )
    assert promoters.problem().reason == "mine is the same DNA as T1G in line 2."


def test_an_alphabet_that_nobody_knows_is_refused(promoters):
    promoters.change(promoters.campaign, "alphabet: dna", "alphabet: rna")
    assert promoters.problem().field == "candidates.alphabet"
