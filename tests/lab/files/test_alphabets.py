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


def test_a_table_of_bases_that_nobody_said_to_be_dna_is_asked_about(promoters):
    promoters.change(promoters.campaign, "  alphabet: dna\n", "")
    bad = promoters.problem()
    assert (bad.file, bad.field) == ("campaign.yaml", "candidates.alphabet")
    assert bad.reason.endswith("library.csv are of the letters A, C, G and T only: this looks like DNA.")
    assert "`alphabet: dna`" in bad.way_out
    assert "`alphabet: protein`" in bad.way_out


def test_sequences_of_bases_written_out_are_asked_about_too(desk):
    written = desk.campaign.read_text()
    parent = next(line for line in written.splitlines(keepends=True) if line.strip().startswith("parent:"))
    desk.change(desk.campaign, parent, "")
    rows = [f"{name},1,{well},{PROMOTER}{end}\n" for name, well, end in (("a", "A1", "G"), ("WT", "A2", "T"))]
    desk.table.write_text("variant,plate,well,sequence\n" + "".join(rows))
    assert desk.problem().field == "candidates.alphabet"


def test_proteins_of_these_four_letters_are_taken_when_the_file_says_so(promoters):
    promoters.change(promoters.campaign, "alphabet: dna", "alphabet: protein")
    assert load_campaign(promoters.campaign).campaign("cmp_1").alphabet == "protein"


@pytest.mark.parametrize("parent", [PROMOTER[:12], f"{PROMOTER}K"], ids=["short", "with another letter"])
def test_short_sequences_and_any_other_letter_are_proteins_without_a_word(promoters, parent):
    promoters.change(promoters.campaign, f"  alphabet: dna\n  parent: {PROMOTER}", f"  parent: {parent}")
    assert load_campaign(promoters.campaign).campaign("cmp_1").alphabet == "protein"
