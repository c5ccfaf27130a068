"""Numbers and sentences of a report, in the words of a person who measures things."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from lab.errors import FaultKind
from lab.recovery import Ladder
from lab.report.goal_words import goal_finding, target_name
from lab.report.naming import called, full_name, noun, with_more
from lab.report.numbers import duration, interval, number, p_percent, setting
from lab.report.values import Calibration, Contents, Curve, Variant
from lab.types import Campaign, CampaignStatus, Goal

__all__ = [
    "banner",
    "baseline_sentence",
    "calibration_sentence",
    "duration",
    "evidence",
    "flag_words",
    "headline",
    "interval",
    "letter_word",
    "methods",
    "number",
    "p_percent",
    "quality_sentence",
    "recovery_words",
    "reproduction",
    "role_words",
    "setting",
    "standing",
    "target_label",
    "target_words",
]

_PHRASES = {
    "degradation": ("loses", "of its absorbance"),
    "relative_activity": ("is", "times as active as the reference"),
    "relative_expression": ("drives", "times the expression of the reference"),
    "residual_activity": ("keeps", "of its activity"),
}
"""Target -> verb and object of the sentence that tells a value of it; other targets are told with "shows a <target> of"."""


def recovery_words(ladders: Mapping[FaultKind, Ladder]) -> str:
    """``clog: retry new tip, then hold; busy: hold``: what a campaign file wrote, in its order."""
    told = (
        f"{kind.replace('_', ' ')}: {', then '.join(step.replace('_', ' ') for step in ladder)}"
        for kind, ladder in ladders.items()
    )
    return "; ".join(told)


def letter_word(campaign: Campaign) -> str:
    """What one letter of a sequence stands for."""
    return "base" if campaign.alphabet == "dna" else "residue"


def target_words(campaign: Campaign) -> str:
    """``residual activity``."""
    return target_name(campaign.goal.target)


def target_label(campaign: Campaign, unit: str) -> str:
    """For an axis, with the unit: ``residual activity``, ``yield, mg/l``."""
    return f"{target_words(campaign)}, {unit}" if unit not in ("", "1") else target_words(campaign)


def banner(contents: Contents) -> tuple[str, str, str]:
    """Where the numbers come from: a class for the style, a headline and a sentence."""
    origins = set(contents.origins)
    nature = "biology" if contents.campaign.reference.sequence else "chemistry"
    if not origins and not contents.twin:
        return (
            "none",
            "No results yet",
            "Nothing has been measured in this campaign. Its bench has real instruments.",
        )
    if origins <= {"twin"}:
        return (
            "twin",
            "Simulated: digital twin",
            (
                f"Every reading in this report was made by a simulation of the instruments and of the {nature}. "
                "No material was handled. Nothing here is evidence about a real sample."
            ),
        )
    if origins == {"manual", "twin"}:
        return (
            "twin",
            "Simulated: digital twin, with values put in by hand",
            (
                f"Every reading in this report was made by a simulation of the instruments and of the {nature}, but for "
                "values that a person put in the place of one; the table of experiments names each one's origin. Nothing "
                "here is evidence about a real sample."
            ),
        )
    if origins == {"real"}:
        return (
            "real",
            "Real instruments",
            "Every reading in this report was made by instruments on real samples.",
        )
    if "twin" in origins:
        names = ", ".join(sorted(origins))
        return (
            "twin",
            "Mixed: real and simulated",
            f"This report mixes readings of several origins ({names}). The table of experiments names each one's.",
        )
    names = ", ".join(sorted(origins))
    return "real", f"Origin of the readings: {names}", "The table of experiments names each reading's origin."


def headline(contents: Contents) -> str:
    """The finding in one sentence, with its interval and what the reference does."""
    campaign = contents.campaign
    if not contents.variants:
        if not contents.results:
            return "No experiment has been asked for yet."
        verdicts = [r.observation.quality.sentence for r in contents.results if r.observation is not None]
        last = verdicts[-1] if verdicts and contents.status == CampaignStatus.FINISHED else ""
        return f"No result that can be used{f'. The last one: {last}' if last else ' yet.'}"
    where = "On the twin," if "twin" in contents.origins else ""
    found = goal_finding(contents)
    if found:
        return f"{where} {found}" if where else f"{found[0].upper()}{found[1:]}"
    best = contents.variants[0]
    verb, whole = _PHRASES.get(campaign.goal.target, (f"shows a {target_words(campaign)} of", ""))
    circumstances = _circumstances(contents)
    told = interval(best.estimate).replace(" (", " (95\u00a0% interval ", 1)
    name = with_more(*called(best.candidate_id, best.made_of))
    first = " ".join(part for part in (where, name, verb, told, whole, circumstances) if part)
    if contents.reference is None:
        return f"{first}."
    return f"{first}; the reference {full_name(campaign.reference)} {verb} {interval(contents.reference)}."


def _circumstances(contents: Contents) -> str:
    """``after 10 min at 82 °C``, where the method's first clause goes on so after naming the target."""
    words = target_words(contents.campaign)
    for method in contents.methods:
        clause = method.split(",", 1)[0].strip().rstrip(".")
        if clause.lower().startswith(words):
            return re.sub(r"(\d) C\b", "\\1\u00a0°C", clause[len(words) :].strip())
    return ""


def flag_words(flag: str) -> str:
    """``high_cv`` as "high CV", ``low_z_prime`` as "low Z′"."""
    return flag.replace("_", " ").replace("z prime", "Z′").replace("cv", "CV")


def role_words(role: str) -> str:
    """``heated_75c`` as "heated 75 °C"."""
    return re.sub(r"(?<=\d) ?c\b", "\u00a0°C", role.replace("_", " "))


def evidence(variant: Variant, campaign: Campaign) -> str:
    """What may be claimed of a variant: a claim needs a replicate run or a second method (DESIGN section 9)."""
    goal = campaign.goal
    better, worse = ("below", "above") if goal.direction == "minimize" else ("above", "below")
    name = campaign.reference.id
    if variant.broken:
        return f"not known to keep to the limit of {' and '.join(target_name(t) for t in variant.broken)}"
    if goal.also:
        return "in the Pareto set" if variant.on_front else "not in the Pareto set"
    if goal.direction == "map":
        return "measured"
    if goal.direction == "hit" and goal.level is not None:
        near = variant.estimate.low <= goal.level <= variant.estimate.high
        return f"{'not distinguishable from' if near else 'off'} {goal.level:g}"
    runs = f" in {variant.runs} runs" if variant.runs > 1 else ""
    if variant.confirmed:
        return f"{better} {name}{runs}"
    if not variant.agree:
        return f"inconclusive: {variant.runs} runs disagree"
    if variant.difference is None or variant.differs:
        return "candidate for confirmation"
    ends = (campaign.goal.sign * variant.difference.low, campaign.goal.sign * variant.difference.high)
    return f"{worse} {name}{runs}" if max(ends) < 0 else f"not distinguishable from {name}{runs}"


def standing(contents: Contents) -> str:
    """How far the campaign came."""
    asked = len(contents.results)
    usable = sum(r.usable for r in contents.results)
    budget = contents.campaign.budget
    words = {
        CampaignStatus.FINISHED: "Finished",
        CampaignStatus.RUNNING: "Still running",
        CampaignStatus.STOPPED: "Stopped before its end; it can be continued",
        CampaignStatus.HELD: "Held: it waits for a person",
        CampaignStatus.ABORTED: "Given up",
    }
    state = words[CampaignStatus(contents.status)]
    return f"{state}. {asked} of {budget} experiments spent, {usable} with a result that can be used."


def baseline_sentence(curve: Curve, baseline: Curve, goal: Goal) -> str:
    """How the two campaigns compare, with the number that a reader asks for; of several objectives, in the first."""
    mine, other = curve.planner.replace("_", " "), baseline.planner.replace("_", " ")
    if not curve.best or not baseline.best:
        return f"The {other} campaign on an identical twin has no result to compare with yet."
    theirs = baseline.best[-1][1]
    when = next((n for n, value in curve.best if goal.merit(value) >= goal.merit(theirs)), None)
    alone = f"In {target_name(goal.target)} alone: t" if goal.also else "T"
    ends = f"{alone}he {mine} planner ends at {number(curve.best[-1][1])}, {other} on an identical twin at {number(theirs)}"
    tail = (
        f"; it took {when} experiment{'' if when == 1 else 's'} to match what {other} found in {baseline.best[-1][0]}."
        if when is not None
        else "."
    )
    return (
        f"{ends}{tail} One pair of campaigns shows what happened, not what to expect: "
        "for that, compare many seeds."
    )


def calibration_sentence(found: Calibration) -> str:
    """Coverage with its own doubt, and what it means."""
    share = found.coverage
    text = (
        f"{found.covered} of {len(found.predictions)} measurements lie within two standard deviations of the prediction: "
        f"{p_percent(share.value)} ({100 * share.low:.0f} to {p_percent(share.high)}), where a planner that knows its doubt "
        "has 95\u00a0%."
    )
    if share.low <= 0.9545 <= share.high:
        verdict = " That is as it should be."
    elif share.high < 0.9545:
        verdict = " It was surer than it should have been."
    else:
        verdict = " It was more doubtful than it needed to be."
    rank = (
        ""
        if found.rank_correlation is None
        else f" Rank correlation of prediction and measurement: {found.rank_correlation:.2f}."
    )
    return text + verdict + rank


def reproduction(contents: Contents, best: Sequence[Variant]) -> str:
    """What stands between the table of the best and a claim."""
    confirmed = sum(v.confirmed for v in best)
    if not best:
        return ""
    if confirmed == len(best):
        return "Each of these was measured in more than one run, and the runs agree."
    some = f"{confirmed} of them were measured in more than one run and hold up. " if confirmed else ""
    return (
        f"{some}A {noun(contents.campaign)} measured in one run only is a candidate for confirmation, not a finding: it "
        "needs a replicate run or a second method. The best of many noisy measurements also tends to look better than it "
        "is, so expect the top values to be a little worse when repeated."
    )


def quality_sentence(contents: Contents) -> str:
    """How many results could not be used, and what became of them."""
    measured = [r for r in contents.results if r.observation is not None]
    bad = [r for r in measured if not r.usable]
    lost = sum(r.observation is None and r.experiment.status == "failed" for r in contents.results)
    repeats = [r for r in contents.results if r.experiment.repeat_of is not None]
    saved = sum(r.usable for r in repeats)
    wells = [w for p in contents.plates for w in p.wells if w.kind != "unused"]
    saturated = sum(w.saturated for w in wells)
    parts = [f"{len(measured) - len(bad)} of {len(measured)} results passed the quality check."]
    if bad:
        flags = Counter(
            flag for r in bad if r.observation is not None for flag in r.observation.quality.flags
        )
        told = ", ".join(f"{flag_words(flag)}: {n}" for flag, n in flags.most_common())
        parts.append(f"{len(bad)} did not{f' ({told})' if told else ''}.")
    if lost:
        parts.append(f"{lost} experiment{'s' if lost > 1 else ''} failed without a result.")
    if repeats:
        parts.append(
            f"{len(repeats)} experiment{'s' if len(repeats) > 1 else ''} repeated an earlier one, "
            f"{saved} with a usable result."
        )
    parts.append(f"{saturated} of {len(wells)} wells read were saturated." if wells else "")
    good = [p.z_prime for p in contents.plates if p.z_prime is not None and p.z_prime >= 0.5]
    known = [p for p in contents.plates if p.z_prime is not None]
    if known:
        parts.append(f"{len(good)} of {len(known)} plate readings have a Z′ of 0.5 or more.")
    return " ".join(part for part in parts if part)


def methods(contents: Contents) -> tuple[str, ...]:
    """The methods section, in words; what the protocol's analysis says of itself comes first."""
    campaign = contents.campaign
    name, kind = campaign.reference.id, noun(campaign)
    measured = [f"{method.rstrip('.')}." for method in contents.methods]
    blank = any(w.kind == "blank" for p in contents.plates for w in p.wells)
    controls = f"{name} and blank wells" if blank else name
    if measured:
        opening = f"Measured: {' '.join(measured)}"
    else:
        opening = (
            f"Nothing has been measured yet; the protocol is {campaign.protocol.name.replace('_', ' ')}."
        )
    values = (
        f"Every plate carried {controls} beside the {kind}s, in positions drawn from the seed. The value of a {kind} "
        "rests on its replicate wells; its standard error is the one that the protocol's analysis gave. Intervals are 95 % "
        f"intervals from Student's t distribution with the degrees of freedom of that standard error. A {kind} measured in "
        "several runs is given as the mean weighted by wells, with the larger of the standard error within runs and the "
        "one between them."
    )
    comparison = (
        f"Differences to {name} are tested one-sided with Welch's t test and corrected for the number of {kind}s by the "
        "procedure of Benjamini and Hochberg at a false discovery rate of 5 %. Results that failed the quality check are "
        "shown but enter neither averages nor the planner."
    )
    predictions = (
        "Predictions are those that the planner wrote down before the measurement. The errors of the calibration figure "
        "are divided by the root of the summed squares of the predicted standard deviation and the measurement's standard "
        "error."
    )
    return opening, values, comparison, predictions
