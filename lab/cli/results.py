"""``drywet results``: what was measured, with identifiers, and what a person says about it afterwards."""

from __future__ import annotations

import csv
import io
import math

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.app import Settings
from lab.campaign import best_so_far
from lab.cli import text
from lab.cli.choosing import chosen, open_to_read
from lab.cli.remote import open_to_write, refuse_other
from lab.errors import BadInput
from lab.report.wording import flag_words, number
from lab.store import AmendmentRecord, AuditedObservation, Store
from lab.types import Experiment, JsonValue, Observation

__all__ = ["replicate", "retract", "show_results", "supersede", "write_past"]

_SHORT = 8
"""Characters of the end of an identifier that are shown; commands take them."""


def show_results(name: str | None, *, store: str | None, as_json: bool, out: Console) -> None:
    """List a campaign's results, those that no longer count among them.

    Args:
        name: None for the newest campaign.

    Raises:
        BadInput: no such campaign, or the store can't be read.
    """
    with open_to_read(_where(store)) as opened:
        record = chosen(opened, name)
        history = opened.history(record.campaign.id)
        found = opened.all_observations(record.campaign.id)
        said = opened.amendments(record.campaign.id)
    experiments = {e.id: (n, e) for n, e in enumerate(history.experiments, start=1)}
    if as_json:
        text.print_json(
            {
                "campaign": record.campaign.name,
                "results": [
                    _result_json(one, experiments[one.observation.experiment_id][1]) for one in found
                ],
                "amendments": [_amendment_json(one) for one in said],
            }
        )
        return
    if not found:
        out.print(f"{record.campaign.name} has no result yet.", markup=False, highlight=False)
        return
    out.print(_table(found, experiments))
    out.print(
        "\nCorrect one with: drywet results retract|supersede RESULT, or replicate EXPERIMENT --of EXPERIMENT",
        markup=False,
        highlight=False,
    )


def write_past(name: str | None, *, store: str | None, out: Console) -> None:
    """Print a campaign's usable results as the table that ``past`` in another campaign's file names.

    Args:
        name: None for the newest campaign.

    Raises:
        BadInput: no such campaign, or the store can't be read.
    """
    with open_to_read(_where(store)) as opened:
        campaign = chosen(opened, name).campaign
        history = opened.history(campaign.id)
    found = [pair for target in campaign.goal.targets for pair in history.usable(target)]
    values = list(dict.fromkeys(key for experiment, _ in found for key in experiment.candidate.values))
    sequences = any(experiment.candidate.sequence for experiment, _ in found)
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    heading = ["variant", "target", "value", "standard_error", "campaign", *values]
    table.writerow([*heading, "sequence"] if sequences else heading)
    for experiment, observation in found:
        candidate, error = experiment.candidate, observation.standard_error
        row = [candidate.id, observation.target, observation.value, "" if math.isnan(error) else error]
        row += [campaign.name, *(candidate.values.get(key, "") for key in values)]
        table.writerow([*row, candidate.sequence] if sequences else row)
    out.print(written.getvalue(), markup=False, highlight=False, end="", soft_wrap=True)


def retract(written: str, *, why: str, who: str, store: str | None, out: Console) -> None:
    """Take a result back, and say how the campaign stands without it.

    Raises:
        BadInput: no such result, one that does not count any more, or no reason is given.
        StoreUnusable: another process writes to the store.
    """
    _refuse_silence(why)
    with open_to_write(_settings(store)) as session:
        opened = session.store
        observation = opened.observation(written)
        if session.service is None:
            opened.retract(observation.id, who=who, why=why)
        else:
            refuse_other(who)
            session.service.retract(observation.id, why)
        experiment = opened.experiment(observation.experiment_id)
        _say(f"Retracted: {text.result(experiment, observation)}.", opened, experiment, observation, out)


def supersede(
    written: str,
    *,
    value: float,
    standard_error: float,
    why: str,
    who: str,
    store: str | None,
    out: Console,
) -> None:
    """Put another value in a result's place, and say how the campaign stands with it.

    Raises:
        BadInput: no such result, one that does not count any more, no number, or no reason is given.
        StoreUnusable: another process writes to the store.
    """
    _refuse_silence(why)
    with open_to_write(_settings(store)) as session:
        opened = session.store
        old = opened.observation(written)
        if session.service is None:
            new = opened.supersede(old.id, value, standard_error, who=who, why=why)
        else:
            refuse_other(who)
            error = None if math.isnan(standard_error) else standard_error
            new = opened.observation(session.service.supersede(old.id, value, error, why)["id"])
        experiment = opened.experiment(old.experiment_id)
        before, after = text.result(experiment, old), text.result(experiment, new)
        _say(f"{before} is now {after} ({new.id}).", opened, experiment, new, out)


def replicate(experiment: str, *, of: str, why: str, who: str, store: str | None, out: Console) -> None:
    """Say that an experiment measured once more what another one did, and say how the campaign stands with it.

    Raises:
        BadInput: no such experiments, they can't be replicates of each other, or no reason is given.
        StoreUnusable: another process writes to the store.
    """
    _refuse_silence(why)
    with open_to_write(_settings(store)) as session:
        opened = session.store
        again, first = opened.experiment(experiment), opened.experiment(of)
        if session.service is None:
            opened.mark_replicate(again.id, first.id, who=who, why=why)
        else:
            refuse_other(who)
            session.service.mark_replicate(again.id, first.id, why)
        history = opened.history(_campaign_of(opened, again.id))
        pooled = next(o for o in reversed(history.observations) if o.experiment_id in (first.id, again.id))
        told = f"One result from now on: {text.result(first, pooled)}."
        _say(told, opened, first, pooled, out)


def _settings(store: str | None) -> Settings:
    return Settings() if store is None else Settings(store=store)


def _where(store: str | None) -> str:
    return _settings(store).store


def _refuse_silence(why: str) -> None:
    if not why.strip():
        raise BadInput(
            "Who looks at this later wants to know why.",
            way_out='Say it: --why "the library well held another variant"',
            field="--why",
        )


def _campaign_of(store: Store, experiment_id: str) -> str:
    return next(
        record.campaign.id
        for record in store.campaigns()
        if any(e.id == experiment_id for e in store.history(record.campaign.id).experiments)
    )


def _say(sentence: str, store: Store, experiment: Experiment, observation: Observation, out: Console) -> None:
    """What was done, and what is best now."""
    record = store.campaign(_campaign_of(store, experiment.id))
    campaign, history = record.campaign, store.history(record.campaign.id)
    out.print(sentence, markup=False, highlight=False)
    if observation.target != campaign.goal.target:
        return
    best = best_so_far(campaign, history)
    told = "nothing that can be used" if best is None else text.result(*best)
    out.print(f"Best of {campaign.name} now: {told}.", markup=False, highlight=False)
    spent = history.spent
    if spent < campaign.budget:
        left = text.count(campaign.budget - spent, "experiment")
        out.print(
            f"Its planner goes on from this; {left} of the budget are left.", markup=False, highlight=False
        )


def _table(found: tuple[AuditedObservation, ...], experiments: dict[str, tuple[int, Experiment]]) -> Table:
    targets = {one.observation.target for one in found}
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("no.", justify="right")
    for heading in ("result", "experiment", "candidate"):
        table.add_column(heading, no_wrap=True)
    if len(targets) > 1:
        table.add_column("target")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("wells", justify="right")
    table.add_column("verdict, and what was said since")
    for one in found:
        observation = one.observation
        place, experiment = experiments[observation.experiment_id]
        error = observation.standard_error
        cells = [
            str(place),
            observation.id[-_SHORT:],
            experiment.id[-_SHORT:],
            escape(experiment.candidate.id),
            *([observation.target] if len(targets) > 1 else []),
            f"{number(observation.value, error)} ± {number(error, error)}",
            str(observation.replicates),
            escape(_verdict(one)),
        ]
        table.add_row(*cells, style="" if one.counts else "dim strike")
    return table


def _verdict(one: AuditedObservation) -> str:
    quality = one.observation.quality
    flags = ", ".join(flag_words(flag) for flag in quality.flags)
    verdict = f"{'can be used' if quality.ok else 'not to be used'}{f' ({flags})' if flags else ''}"
    verdict = verdict if one.counts else f"was: {verdict}"
    return ". ".join([verdict, *(_said(said, one.observation) for said in one.amendments)])


def _said(said: AmendmentRecord, observation: Observation) -> str:
    """What a person said about one observation."""
    if said.kind == "retract":
        what = "retracted"
    elif said.kind == "supersede":
        old = said.observation_id == observation.id
        other = said.replacement_id if old else said.observation_id
        what = f"{'superseded by' if old else 'stands for'} {other[-_SHORT:]}"
    else:
        again = said.experiment_id == observation.experiment_id
        other = said.of_experiment_id if again else said.experiment_id
        what = f"{'replicate of' if again else 'pooled with'} {other[-_SHORT:]}"
    return f"{what} by {said.who}: {said.why.rstrip('.')}"


def _result_json(one: AuditedObservation, experiment: Experiment) -> dict[str, JsonValue]:
    observation = one.observation
    return {
        "id": observation.id,
        "experiment": experiment.id,
        "candidate": experiment.candidate.id,
        "target": observation.target,
        "value": observation.value,
        "standard_error": observation.standard_error,
        "unit": observation.unit,
        "replicates": observation.replicates,
        "ok": observation.quality.ok,
        "flags": list(observation.quality.flags),
        "sentence": observation.quality.sentence,
        "origin": str(observation.origin),
        "counts": one.counts,
        "recorded_utc": one.recorded_utc.isoformat(),
        "amendments": [said.id for said in one.amendments],
    }


def _amendment_json(said: AmendmentRecord) -> dict[str, JsonValue]:
    return {
        "id": said.id,
        "kind": said.kind,
        "experiment": said.experiment_id,
        "observation": said.observation_id or None,
        "replacement": said.replacement_id or None,
        "of_experiment": said.of_experiment_id or None,
        "who": said.who,
        "why": said.why,
        "utc": said.utc.isoformat(),
    }
