"""The page: contents and pictures laid out by the template that comes with this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup

from lab.interfaces import ModelCard
from lab.report import goal_words, naming, wording
from lab.report.audit import redone
from lab.report.figures.calibration import calibration
from lab.report.figures.pareto import pareto
from lab.report.figures.plates import plate_maps
from lab.report.figures.progress import best_so_far, top_variants, volume_so_far
from lab.report.figures.quality import quality
from lab.report.figures.sequence import substitution_map
from lab.report.figures.timeline import timeline
from lab.report.values import Contents, PlateReading, Target
from lab.types import Campaign

__all__ = ["Picture", "render_page"]

_TOP = 15
"""Variants in the table of the best; the table of experiments has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One figure of the page.

    Args:
        name: of the file that a reader downloads, without its ending.
        svg: one element.
        caption: what to see in it.
    """

    name: str
    svg: Markup
    caption: str


def render_page(
    contents: Contents, *, model_cards: Sequence[ModelCard] = (), versions: Mapping[str, str] | None = None
) -> str:
    """The report as one HTML document that asks for nothing from outside itself.

    Args:
        model_cards: of the encoders and models that the reasons cite; those not cited are left out.
        versions: of what carried the campaign out, added to what the runs recorded.
    """
    environment = Environment(
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": wording.number,
        "interval": wording.interval,
        "duration": wording.duration,
        "flag_words": wording.flag_words,
        "role_words": wording.role_words,
        "setting": lambda pair: wording.setting(*pair),
        "made_of": naming.made_of,
        "called": lambda pair: naming.called(*pair),
        "letter_word": wording.letter_word,
        "target_name": goal_words.target_name,
    }
    cited = {label for result in contents.results for label in result.experiment.reason.model_cards}
    known = {card.label: card for card in model_cards}
    template = environment.from_string(_text("report.html.j2"))
    return template.render(
        c=contents,
        campaign=contents.campaign,
        style=Markup(_text("report.css")),  # our own file, not a reader's text
        script=Markup(_text("report.js")),  # our own file, not a reader's text
        banner=wording.banner(contents),
        headline=wording.headline(contents),
        standing=wording.standing(contents),
        top=contents.variants[:_TOP],
        evidence={v.candidate_id: wording.evidence(v, contents.campaign) for v in contents.variants[:_TOP]},
        reproduction=wording.reproduction(contents, contents.variants[:_TOP]),
        better=sum(v.differs for v in contents.variants),
        target=wording.target_words(contents.campaign),
        noun=naming.noun(contents.campaign),
        goal=goal_words.goal_words(contents.campaign.goal),
        goal_sentences=goal_words.goal_sentences(contents),
        compared=goal_words.told_by_comparison(contents.campaign.goal),
        searched=goal_words.searched_words(contents.campaign),
        pictures=_pictures(contents),
        baseline=_baseline(contents),
        calibration_sentence=""
        if contents.calibration is None
        else wording.calibration_sentence(contents.calibration),
        cited=[(label, known.get(label)) for label in sorted(cited)],
        versions=dict(sorted({**contents.versions, **(versions or {})}.items())),
        numbers={r.experiment.id: r.number for r in contents.results},
        lab_time_s=_lab_time(contents),
        quality_sentence=wording.quality_sentence(contents),
        methods=wording.methods(contents),
        amended=_amended(contents),
        redone=redone(contents.runs),
        ladders=wording.recovery_words(contents.campaign.policies.recovery.ladders),
    )


def _amended(contents: Contents) -> dict[str, str]:
    """Experiment -> what was said about its result since."""
    found: dict[str, str] = {}
    for said in contents.amendments:
        before = found.get(said.experiment_id)
        found[said.experiment_id] = said.note if before is None else f"{before} {said.note}"
    return found


def _text(name: str) -> str:
    return resources.files("lab.report").joinpath("templates", name).read_text(encoding="utf-8")


def _count(n: int, one: str) -> str:
    return f"{n} {one}" if n == 1 else f"{n} {one}s"


def _lab_time(contents: Contents) -> float | None:
    begun = [r.begun_s for r in contents.runs if r.begun_s is not None]
    ended = [r.ended_s for r in contents.runs if r.ended_s is not None]
    return max(ended) - min(begun) if begun and ended else None


def _baseline(contents: Contents) -> str:
    if contents.baseline is None:
        return ""
    return wording.baseline_sentence(contents.curve, contents.baseline, contents.campaign.goal)


def _pictures(contents: Contents) -> dict[str, Picture]:
    """Those that there is something to draw for."""
    campaign = contents.campaign
    unit = next((r.observation.unit for r in contents.results if r.observation is not None), "")
    label = wording.target_label(campaign, unit)
    name = campaign.reference.id
    found: dict[str, Picture] = {}

    def add(key: str, svg: str, caption: str) -> None:
        found[key] = Picture(
            name=f"{campaign.name}_{key}", svg=Markup(svg), caption=caption
        )  # drawn by us, text in it escaped

    if contents.variants:
        add(
            "top",
            top_variants(contents.variants[:_TOP], contents.reference, name, label),
            f"The {min(_TOP, len(contents.variants))} best {naming.noun(campaign)}s with 95 % intervals. Open circle: one "
            f"run; filled: more than one. Green: {name} with its 95\u00a0% interval, from "
            f"{_count(contents.reference_runs, 'run')}.",
        )
    if len(campaign.goal.objectives) == 2 and all(target.estimates for target in _objectives(contents)):
        add(
            "pareto",
            pareto(contents.variants, _objectives(contents), name),
            f"Every {naming.noun(campaign)} measured. Blue: the Pareto set, with 95\u00a0% intervals. Hollow: breaks a "
            f"limit, or the limit's target is not known. Green: {name}.",
        )
    if campaign.goal.direction != "map" and (
        contents.curve.best or (contents.baseline is not None and contents.baseline.best)
    ):
        add(
            "best",
            best_so_far(contents.curve, contents.baseline, contents.reference, name, campaign.budget, label),
            f"Best usable value so far{', of the first objective alone,' if campaign.goal.also else ''} against experiments "
            "spent. Dots are single experiments.",
        )
    if contents.volumes:
        curve, baseline = (*contents.volumes, None)[:2]
        assert curve is not None
        add(
            "volume",
            volume_so_far(curve, baseline, campaign.budget),
            _volume_told(campaign, "in both campaigns" if baseline else "in the end"),
        )
    if contents.substitutions:
        reference_value = None if contents.reference is None else contents.reference.value
        add(
            "sequence",
            substitution_map(
                contents.substitutions,
                campaign.reference.sequence,
                reference_value,
                label,
                campaign.alphabet,
            ),
            f"{_cells_told(contents)} Blank: not {'in the pool' if campaign.candidates else 'tried'}. "
            f"Dots: the reference's own {wording.letter_word(campaign)}. The line in the colour bar is {name}.",
        )
    if contents.calibration is not None:
        add(
            "calibration",
            calibration(contents.calibration, label),
            "Left: points on the line were predicted exactly; red ones lie more than two combined standard deviations "
            "off. Right: the same errors against the normal distribution that they should follow.",
        )
    drawn = [p.z_prime for p in contents.plates] + [r.estimate for r in contents.results]
    if contents.plates and any(one is not None for one in drawn):
        add(
            "quality",
            quality(contents.plates, contents.results, label),
            f"Z′ compares {name} wells with blank wells on one plate; 0.5 (dashed) and above separates them well. Values "
            "below −1 are drawn at −1. Plates on which the treatment spares little of the reference have a low Z′ by "
            "their nature.",
        )
    if contents.plates:
        for mode, plates in _by_mode(contents.plates).items():
            add(
                f"plates_{mode}",
                plate_maps(
                    plates,
                    f"plates-{mode}",
                    f"{mode.replace('_', ' ') or 'signal'}, reader's units",
                    naming.noun(contents.campaign),
                ),
                "What the reader saw, before any analysis; one colour scale for all plates.",
            )
    if any(r.begun_s is not None and r.ended_s is not None for r in contents.runs):
        add(
            "timeline",
            timeline(contents.runs, contents.steps),
            "Batches, and when each instrument was busy. Red: a failed step or run; orange: a stopped run.",
        )
    return found


def _volume_told(campaign: Campaign, when: str) -> str:
    """What the picture of the dominated volume shows; the share is of what is dominated ``when``."""
    limits = "; what breaks a limit adds nothing" if campaign.goal.limits else ""
    return (
        f"All objectives together: the hypervolume that the {naming.noun(campaign)}s measured so far dominate, above the "
        f"worst measured value of each objective, as a share of what is dominated {when}. Measured values, "
        f"noise included{limits}."
    )


def _objectives(contents: Contents) -> tuple[Target, ...]:
    """Targets that are objectives, in the goal's order."""
    wanted = [objective.target for objective in contents.campaign.goal.objectives]
    return tuple(target for target in contents.targets if target.name in wanted)


def _cells_told(contents: Contents) -> str:
    """What the cells of the map along the sequence stand for."""
    pooled = bool(contents.campaign.candidates)
    if contents.substitutions_are_means:
        where = "in the pool" if pooled else "tried"
        return (
            "Coloured: mean over the measured variants that carry it, whatever else they carry. "
            f"Grey: {where}, in none that was measured."
        )
    untried = "Grey: in the pool, not tried. " if pooled else ""
    return f"Coloured: measured. {untried}×: no usable result. ○: chosen, not measured yet."


def _by_mode(plates: Sequence[PlateReading]) -> dict[str, list[PlateReading]]:
    found: dict[str, list[PlateReading]] = {}
    for plate in plates:
        key = "".join(c if c.isalnum() else "_" for c in plate.mode) or "signal"
        found.setdefault(key, []).append(plate)
    return found
