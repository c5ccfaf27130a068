"""Goals, spaces, shared values, models and past results in campaign files: what right ones give, and what wrong ones say."""

from __future__ import annotations

import math

import pytest

from lab.spaces import Candidate, LinearConstraint, Mixture, Parameter, SearchSpace, Sites
from lab.types import Campaign, Goal, Limit, ModelChoice, Objective, PastResult

CANDIDATES = """\
candidates:
  file: library.csv
  parent: MTYKLILN
  reference: WT
"""

SPACE = """\
space:
  reference:
    name: standard
    values: {temperature_c: 25, salt_mmol_l: 1 mol/l, cycles: 2, solvent: water, a: 0.5, b: 0.5, c: 0}
  parameters:
    temperature_c: {low: 20 C, high: 80, resolution: 0.5}
    salt_mmol_l: {low: 10 umol/l, high: 100, log: true}
    cycles: {low: 1, high: 4, integer: true}
    glass: {levels: [0.5, 1, 4]}
    solvent: {levels: [water, DMSO]}
  mixture: {ingredients: [a, b, c], at_most: 2, least: 0.1, most: {c: 0.5}, resolution: 0.05}
  constraints:
    - {sum: {a: 1, temperature_c: -0.01}, at_least: 0}
""".replace("cycles: 2, solvent", "cycles: 2, glass: 1, solvent")

PROTOCOL = "protocol:\n  name"


_NO_CYCLES = "The reference has no cycles, and every plate carries it as its control."


def spaced(desk, space: str = SPACE) -> None:
    """A campaign over a space, on a bench that holds no candidates."""
    desk.change(desk.campaign, CANDIDATES, space)
    desk.change(
        desk.workcell,
        "  - {id: library, type: pcr_plate_96, count: 2, at: hotel, holds: candidates, volume_ul: 60}\n",
        "",
    )


def goal_of(desk, text: str) -> Goal:
    desk.change(desk.campaign, "goal:\n  maximize: residual_activity\n", text)
    return desk.load().campaign("cmp_1").goal


def test_a_goal_may_be_to_hit_exceed_or_map(desk):
    assert goal_of(desk, "goal: {hit: ph, level: 7.5}\n") == Goal(target="ph", direction="hit", level=7.5)


def test_a_level_may_be_written_with_its_unit(desk):
    goal = goal_of(desk, "goal: {exceed: half_life_s, level: 2 min}\n")
    assert goal == Goal(target="half_life_s", direction="exceed", level=120.0)


def test_a_goal_may_have_further_objectives_and_limits(desk):
    goal = goal_of(
        desk,
        "goal:\n"
        "  maximize: yield\n"
        "  also:\n"
        "    - {minimize: cost}\n"
        "    - {hit: ph, level: 7}\n"
        "  limits:\n"
        "    - {target: purity, at_least: 0.9}\n"
        "    - {target: melting_c, at_least: 40 C, at_most: 95}\n",
    )
    assert goal == Goal(
        target="yield",
        also=(
            Objective(target="cost", direction="minimize"),
            Objective(target="ph", direction="hit", level=7.0),
        ),
        limits=(Limit(target="purity", at_least=0.9), Limit(target="melting_c", at_least=40.0, at_most=95.0)),
    )


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("goal: {hit: ph}\n", "goal", "To hit ph takes a level."),
        ("goal: {maximize: ph, level: 7}\n", "goal", "To maximize ph takes no level."),
        ("goal: {}\n", "goal", "A goal is to maximize, minimize, hit, exceed or map one target."),
        (
            "goal: {map: ph, also: [{maximize: y}]}\n",
            "goal",
            "To map a target is a goal of its own, without other objectives.",
        ),
        ("goal: {maximize: y, also: [{minimize: y}]}\n", "goal", "y is an objective twice."),
        ("goal: {maximize: y, limits: [{target: z}]}\n", "goal.limits[1]", "A limit of z has no bound."),
        (
            "goal: {maximize: y, limits: [{target: z, at_least: 2, at_most: 1}]}\n",
            "goal.limits[1]",
            "No z is at least 2 and at most 1.",
        ),
        (
            "goal: {maximize: y, also: [{exced: z}]}\n",
            "goal.also[1].exced",
            "There is no field 'exced' here.",
        ),
        (
            "goal: {exceed: half_life_s, level: 2 parsec}\n",
            "goal.level",
            "half_life_s can't be given in 'parsec'.",
        ),
    ],
)
def test_a_goal_that_says_nothing_or_contradicts_itself_is_told(desk, text, field, reason):
    desk.change(desk.campaign, "goal:\n  maximize: residual_activity\n", text)
    found = [bad for bad in desk.problems() if (bad.field, bad.reason) == (field, reason)]
    assert found, desk.problems()
    assert found[0].line == 2
    assert found[0].way_out


def test_a_space_is_read_with_quantities_in_the_units_of_their_names(desk):
    spaced(desk)
    campaign = desk.load().campaign("cmp_1")
    assert isinstance(campaign, Campaign)
    assert campaign.candidates == ()
    assert campaign.sources == {}
    assert campaign.space == SearchSpace(
        parameters=(
            Parameter(name="temperature_c", low=20.0, high=80.0, resolution=0.5),
            Parameter(name="salt_mmol_l", low=0.01, high=100.0, log=True),
            Parameter(name="cycles", kind="integer", low=1.0, high=4.0),
            Parameter(name="glass", kind="ordinal", levels=(0.5, 1, 4)),
            Parameter(name="solvent", kind="categorical", levels=("water", "DMSO")),
        ),
        mixture=Mixture(ingredients=("a", "b", "c"), at_most=2, least=0.1, most={"c": 0.5}, resolution=0.05),
        constraints=(LinearConstraint(coefficients={"a": 1.0, "temperature_c": -0.01}, at_least=0.0),),
    )
    assert campaign.reference.id == "standard"
    assert campaign.reference.values["salt_mmol_l"] == 1000.0


def test_sites_of_a_parent_are_a_space_and_the_parent_its_reference(desk):
    spaced(
        desk,
        "space:\n"
        "  reference: {name: WT}\n"
        "  sites: {parent: MTYK LILN, positions: [2, 3], letters: [AG, FW], at_most: 1}\n",
    )
    campaign = desk.load().campaign("cmp_1")
    assert campaign.space == SearchSpace(
        sites=Sites(parent="MTYKLILN", positions=(2, 3), letters=("AG", "FW"), at_most=1)
    )
    assert campaign.reference == Candidate(id="WT", sequence="MTYKLILN")


def test_sites_may_be_of_dna_and_take_all_letters_where_none_are_given(desk):
    spaced(desk, "space:\n  sites: {alphabet: dna, parent: ACGTAC, positions: [2]}\n")
    read = desk.load()
    assert read.alphabet == "dna"
    assert read.space == SearchSpace(sites=Sites(parent="ACGTAC", positions=(2,), letters=("ACGT",)))


@pytest.mark.parametrize(
    ("old", "new", "field", "reason"),
    [
        (
            "low: 1, high: 4",
            "low: 4, high: 1",
            "space.parameters.cycles",
            "cycles reaches from 4 down to 1.",
        ),
        (
            "levels: [0.5, 1, 4]",
            "levels: [4, 1]",
            "space.parameters.glass",
            "glass is ordinal and its levels must be numbers in ascending order.",
        ),
        (
            "levels: [0.5, 1, 4]",
            "low: 1, levels: [1, 4]",
            "space.parameters.glass",
            "A value has either bounds or levels.",
        ),
        ("20 C", "20 parsec", "space.parameters.temperature_c.low", "temperature_c can't be given in 'parsec'."),
        ("most: {c: 0.5}", "most: {d: 0.5}", "space.mixture", "d is no ingredient of the mixture."),
        (
            "sum: {a: 1,",
            "sum: {solvent: 1,",
            "space",
            "solvent is no number of the space, but a linear constraint weighs it.",
        ),
        ("cycles: 2, ", "", "space.reference.values", _NO_CYCLES),
        ("solvent: water, a", "solvent: 3, a", "space.reference.values.solvent", "solvent is text."),
        ("b: 0.5, c: 0}", "b: 0.5, c: 0, d: 1}", "space.reference.values.d", "The space has no value named d."),
        ("  constraints:", "  rules: [soluble]\n  constraints:", "space.rules[1]", "'soluble' names no function."),
    ],
)  # fmt: skip
def test_a_space_that_contradicts_itself_is_told_where(desk, old, new, field, reason):
    spaced(desk)
    desk.change(desk.campaign, old, new)
    bad = desk.problem()
    assert (bad.field, bad.reason) == (field, reason)
    assert bad.line is not None
    assert bad.way_out


@pytest.mark.parametrize("keep", ["neither", "both"])
def test_there_is_either_a_list_of_candidates_or_a_space(desk, keep):
    if keep == "both":
        desk.change(desk.campaign, CANDIDATES, CANDIDATES + SPACE)
    else:
        desk.change(desk.campaign, CANDIDATES, "")
    assert "either a list of candidates or a space" in desk.problem().reason


def test_rules_are_looked_for_beside_the_campaign_file(desk):
    spaced(desk, SPACE + "  rules: [chemistry:soluble]\n")
    space = desk.load().space
    assert space is not None
    assert (space.rules, space.folder) == (("chemistry:soluble",), str(desk.folder.resolve()))


def test_batches_may_share_values_that_candidates_have(desk):
    spaced(desk)
    desk.change(desk.campaign, PROTOCOL, "shared: [temperature_c]\n" + PROTOCOL)
    assert desk.load().campaign("cmp_1").shared == ("temperature_c",)


def test_values_that_candidates_do_not_have_cannot_be_shared(desk):
    spaced(desk)
    desk.change(desk.campaign, PROTOCOL, "shared: [temperatur_c]\n" + PROTOCOL)
    bad = desk.problem()
    assert (bad.field, bad.way_out) == ("shared[1]", "Did you mean 'temperature_c'?")


def test_models_are_named_with_settings_and_know_the_folder_of_the_file(desk):
    desk.change(
        desk.campaign,
        PROTOCOL,
        "models:\n  - {name: protein_mpnn, settings: {structure: parent.pdb}}\n" + PROTOCOL,
    )
    (choice,) = desk.load().campaign("cmp_1").models
    assert choice == ModelChoice(
        name="protein_mpnn", settings={"structure": "parent.pdb"}, folder=str(desk.folder.resolve())
    )


def past(desk, table: str) -> None:
    (desk.folder / "earlier.csv").write_text(table, encoding="utf-8")
    desk.change(desk.campaign, PROTOCOL, "past: [earlier.csv]\n" + PROTOCOL)


def test_past_results_are_of_the_pool_or_of_variants_that_names_describe(desk):
    past(desk, "variant,value,standard_error\n# spring\nT2A,0.5,0.05\nK4R,0.25,\n")
    found = desk.load().campaign("cmp_1").past
    assert [(r.candidate.id, r.candidate.sequence) for r in found] == [
        ("T2A", "MAYKLILN"),
        ("K4R", "MTYRLILN"),
    ]
    assert found[0] == PastResult(
        candidate=found[0].candidate,
        target="residual_activity",
        value=0.5,
        standard_error=0.05,
        campaign="earlier",
    )
    assert math.isnan(found[1].standard_error)


def test_past_results_of_a_space_say_what_was_measured(desk):
    spaced(
        desk,
        "space:\n"
        "  reference: {values: {dose: 1, solvent: water}}\n"
        "  parameters: {dose: {low: 0, high: 2}, solvent: {levels: [water, DMSO]}}\n",
    )
    past(desk, "variant,target,value,campaign,dose,solvent\nfirst,residual_activity,0.5,spring,1.5,DMSO\n")
    (result,) = desk.load().campaign("cmp_1").past
    assert result.candidate == Candidate(id="first", values={"dose": 1.5, "solvent": "DMSO"})
    assert result.campaign == "spring"


def test_the_table_of_past_results_is_part_of_what_the_campaign_was_read_from(desk):
    past(desk, "variant,value\nT2A,0.5\n")
    before = desk.load().sha256
    (desk.folder / "earlier.csv").write_text("variant,value\nT2A,0.6\n", encoding="utf-8")
    assert desk.load().sha256 != before


@pytest.mark.parametrize(
    ("table", "line", "reason"),
    [
        ("variant,value\nT2A,high\n", 2, "value is 'high', which is no number."),
        ("variant,value\nT2A,nan\n", 2, "value is 'nan', which is no number."),
        ("variant,value,standard_error\nT2A,1,-1\n", 2, "standard_error is -1."),
        ("variant,value\n\nT2G3,1\n", 3, "'T2G3' is no mutation such as T16I, and no sequence is given for it."),
        ("variant,target,value\nT2A,cost,1\n", 2, "'cost' is no target of the goal."),
        ("variant,activity\nT2A,1\n", 1, "There is no column value."),
        ("variant,value,remark\nT2A,1,fine\n", 1, "'remark' is no column of past results."),
        ("variant,value,sequence\nT2A,1,MFYKLILN\n", 2, "T2A is another candidate in this campaign."),
        ("variant,value\nT2A,1,2\n", 2, "This row has 3 cells, the heading 2."),
        ("variant,value,sequence\nodd,1,MTYKLIL1\n", 2, "odd has '1' at position 8, which is no amino acid."),
        ("variant,value\n", None, "The file holds no results."),
        ('variant,value,campaign\nT2A,1,"spring\nWT,1,spring\n', 3, "This row can't be read: unexpected end of data."),
        ("# from spring\nvariant,activity\nT2A,1\n", 2, "There is no column value."),
    ],
)  # fmt: skip
def test_what_is_wrong_in_past_results_is_told_with_its_line(desk, table, line, reason):
    past(desk, table)
    found = [(bad.file, bad.line, bad.reason) for bad in desk.problems()]
    assert ("earlier.csv", line, reason) in found


@pytest.mark.parametrize("dose", ["much", "nan", "inf", "1,5"])
def test_a_past_dose_that_is_no_number_is_told_with_its_line(desk, dose):
    spaced(
        desk,
        "space:\n"
        "  reference: {values: {dose: 1, solvent: water}}\n"
        "  parameters: {dose: {low: 0, high: 2}, solvent: {levels: [water, DMSO]}}\n",
    )
    past(desk, f'variant,value,dose,solvent\nfirst,0.5,1.5,DMSO\nsecond,0.5,"{dose}",DMSO\n')
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("earlier.csv", 3, "dose")
    assert bad.reason == f"dose is {dose!r}, which is no number."


def test_past_sequences_may_be_in_small_letters_as_those_of_candidates(desk):
    past(desk, "variant,value,sequence\nodd,1,mtyrlilk\n")
    (result,) = desk.load().campaign("cmp_1").past
    assert result.candidate.sequence == "MTYRLILK"


def test_a_table_of_past_results_that_is_not_there_is_told_where_it_is_named(desk):
    desk.change(desk.campaign, PROTOCOL, "past: [earlier.csv]\n" + PROTOCOL)
    bad = desk.problem()
    assert (bad.file, bad.field) == ("campaign.yaml", "past[1]")
