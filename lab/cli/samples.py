"""``drywet samples``: what stands where, what it was made from, and what must not be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from lab.app import Settings
from lab.app.barring import bar as carry_out_bar
from lab.app.barring import benches_meant, plan_bar, plan_lift
from lab.app.barring import lift as carry_out_lift
from lab.app.lineage import Lineage, Resting, find_place, place_words, read_lineage
from lab.bench import Bench
from lab.cli import text
from lab.cli.choosing import chosen, open_to_read
from lab.cli.remote import open_to_write, refuse_other
from lab.interfaces import Place
from lab.types import JsonValue, Sample

__all__ = ["bar", "lift", "show_lineage", "show_samples"]

_SHOWN = 12
"""Wells that one branch of a tree names; a trough gives to hundreds."""

_DEPTH = 6

_NAMED = 8
"""Wells of one piece of labware that a sentence names; of more it says how many."""


def show_samples(
    name: str | None, *, everything: bool, store: str | None, as_json: bool, out: Console
) -> None:
    """List the samples that a campaign's runs made.

    Args:
        name: None for the newest campaign.
        everything: also what stood on the bench from the start, and what other campaigns made there.

    Raises:
        BadInput: no such campaign, or the store can't be read.
    """
    with open_to_read(_where(store)) as opened:
        record = chosen(opened, name)
        runs = {outcome.run.id: outcome for outcome in opened.runs(record.campaign.id)}
        barred = opened.barred(record.bench_id)
        found = [s for s in opened.samples_of_bench(record.bench_id) if everything or s.run_id in runs]
        batches = {run_id: f"batch {o.batch_number}" for run_id, o in runs.items()}
        attempts = {run_id: o.run.attempt for run_id, o in runs.items()}
    if as_json:
        text.print_json([_sample_json(sample, barred) for sample in found])
        return
    if not found:
        out.print(f"{record.campaign.name} has made no samples yet.", markup=False, highlight=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("sample", "where", "content", "made in", "barred"):
        table.add_column(heading, no_wrap=heading == "sample", overflow="fold")
    for sample in found:
        made_in = batches.get(sample.run_id, "another campaign" if sample.run_id else "the start")
        if attempts.get(sample.run_id, 1) > 1:
            made_in += f", attempt {attempts[sample.run_id]}"
        why = _why(barred, (sample.labware, sample.well))
        table.add_row(
            sample.id,
            f"{sample.labware}:{sample.well}",
            escape(sample.content),
            made_in,
            f"[yellow]{escape(why)}[/]",
        )
    out.print(table)
    count = sum(bool(_why(barred, (s.labware, s.well))) for s in found)
    tail = f", {count} of them barred" if count else ""
    out.print(f"\n{text.count(len(found), 'sample')}{tail}.", highlight=False)


def show_lineage(
    written: str, campaign: str | None, *, store: str | None, as_json: bool, out: Console
) -> None:
    """Show what a sample was made from, and what was made from it.

    Raises:
        BadInput: no such sample, or the store can't be read.
    """
    with open_to_read(_where(store)) as opened:
        bench_id, place = find_place(opened, benches_meant(opened, campaign), written)
        lineage, believed = read_lineage(opened, bench_id)
        barred = opened.barred(bench_id)
        records = [bar for bar in opened.bars(bench_id) if (bar.labware, bar.well) == place]
    if as_json:
        text.print_json(_lineage_json(lineage, place, barred))
        return
    _show_head(lineage, believed.bench, place, barred, out)
    for one in records:
        verb = "lifted" if one.lifts is not None else "barred"
        said = f"{one.utc:%Y-%m-%d %H:%M} {verb} by {one.who}: {one.why}"
        out.print(said, markup=False, highlight=False, style="yellow")
    for heading, of in (("made from", lineage.made_from), ("went into", lineage.went_into)):
        tree = Tree(f"[dim]{heading}[/]")
        wells = lineage.wells_of(place)
        for well in wells:
            branch = tree if len(wells) == 1 else tree.add(_node(lineage, well, barred))
            _grow(branch, lineage, well, of, barred, {place})
        if tree.children:
            out.print(tree)
        else:
            out.print(f"[dim]{heading}:[/] nothing")


def bar(
    written: str,
    campaign: str | None,
    *,
    why: str,
    who: str,
    retract: bool,
    store: str | None,
    out: Console,
) -> None:
    """Bar material and everything made from it, and name the results that rest on it.

    Args:
        retract: take those results back, too.

    Raises:
        BadInput: no such material, or no reason is given.
        StoreUnusable: another process that is no service writes to the store.
    """
    with open_to_write(_settings(store)) as session:
        plan = plan_bar(session.store, written, campaign, why)
        if session.service is None:
            carry_out_bar(session.store, plan, who=who, retract=retract)
        else:
            refuse_other(who)
            session.service.bar(written, why, retract=retract, campaign=campaign)
    out.print(f"Barred: {place_words(plan.place)}.", markup=False, highlight=False)
    if plan.made:
        out.print(
            f"And what was made from it: {_listed(plan.made)}.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    _show_resting(plan.resting, retracted=retract, out=out)


def lift(written: str, campaign: str | None, *, why: str, who: str, store: str | None, out: Console) -> None:
    """Let material be used again, and what was barred for its sake only.

    Raises:
        BadInput: it is not barred, or no reason is given.
        StoreUnusable: another process that is no service writes to the store.
    """
    with open_to_write(_settings(store)) as session:
        plan = plan_lift(session.store, written, campaign, why)
        if session.service is None:
            carry_out_lift(session.store, plan, who=who, why=why)
        else:
            refuse_other(who)
            session.service.lift(written, why, campaign=campaign)
    out.print(f"May be used again: {place_words(plan.place)}.", markup=False, highlight=False)
    if plan.others:
        out.print(
            f"And what was barred for its sake: {_listed(plan.others)}.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _settings(store: str | None) -> Settings:
    return Settings() if store is None else Settings(store=store)


def _where(store: str | None) -> str:
    return _settings(store).store


def _why(barred: Mapping[Place, str], place: Place) -> str:
    return barred.get(place) or barred.get((place[0], "*"), "")


def _show_head(
    lineage: Lineage, bench: Bench, place: Place, barred: Mapping[Place, str], out: Console
) -> None:
    out.print(f"[bold]{_node(lineage, place, barred)}[/]", highlight=False, soft_wrap=True)
    sample = lineage.sample_at.get(place)
    if sample is not None:
        made = f"made in {sample.run_id}" if sample.run_id else "on the bench from the start"
        out.print(f"[dim]{sample.id}, {made}[/]", highlight=False, soft_wrap=True)
        contents = bench.well(*place)
        more = f", and up to {text.volume(contents.unknown_ul)} more" if contents.unknown_ul else ""
        out.print(f"It holds {text.volume(contents.volume_ul)}{more}.", highlight=False)


def _node(
    lineage: Lineage,
    place: Place,
    barred: Mapping[Place, str],
    volume_ul: float | None = None,
    certain: bool = True,
) -> str:
    sample = lineage.sample_at.get(place)
    content = f" {escape(sample.content)}" if sample is not None else ""
    amount = "" if volume_ul is None else f"{text.volume(volume_ul)}{'' if certain else ', perhaps'}  "
    mark = "  [yellow]barred[/]" if _why(barred, place) else ""
    where = place[0] if place[1] == "*" else f"{place[0]}:{place[1]}"
    return f"{amount}{where}{content}{mark}"


def _grow(
    branch: Tree,
    lineage: Lineage,
    place: Place,
    of: Callable[[Place], Sequence[tuple[Place, float, bool]]],
    barred: Mapping[Place, str],
    above: set[Place],
) -> None:
    """Add what a well came from, or went into, and so on."""
    found = of(place)
    for at, volume_ul, certain in found[:_SHOWN]:
        leaf = branch.add(_node(lineage, at, barred, volume_ul, certain))
        if at not in above and len(above) < _DEPTH:
            _grow(leaf, lineage, at, of, barred, above | {at})
    if len(found) > _SHOWN:
        branch.add(f"[dim]and {len(found) - _SHOWN} more wells[/]")


def _listed(places: Sequence[Place]) -> str:
    """``assay_01: A3, B7; assay_02: 13 wells``."""
    by_labware: dict[str, list[str]] = {}
    for labware, well in places:
        by_labware.setdefault(labware, []).append(well)
    return "; ".join(
        f"{labware}: {', '.join(wells) if len(wells) <= _NAMED else text.count(len(wells), 'well')}"
        for labware, wells in by_labware.items()
    )


def _show_resting(resting: Sequence[Resting], *, retracted: bool, out: Console) -> None:
    if not resting:
        out.print("No result that counts rests on it.", highlight=False)
        return
    done = (
        "Retracted, because they rest on it:" if retracted else "These results rest on it, and still count:"
    )
    out.print(done, highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2))
    for one in resting:
        of_all = f"{one.wells} of {text.count(one.observation.replicates, 'well')}"
        table.add_row(
            one.observation.id,
            escape(one.campaign.campaign.name),
            escape(text.result(one.experiment, one.observation)),
            of_all,
        )
    out.print(table)
    if not retracted:
        out.print(
            "Take one back with: drywet results retract RESULT --why ... (or all of them: --retract here)",
            markup=False,
            highlight=False,
        )


def _sample_json(sample: Sample, barred: Mapping[Place, str]) -> dict[str, JsonValue]:
    return {
        "id": sample.id,
        "labware": sample.labware,
        "well": sample.well,
        "content": sample.content,
        "run": sample.run_id or None,
        "barred": _why(barred, (sample.labware, sample.well)) or None,
    }


def _lineage_json(lineage: Lineage, place: Place, barred: Mapping[Place, str]) -> JsonValue:
    sample = lineage.sample_at.get(place)

    def amounts(found: Sequence[tuple[Place, float, bool]]) -> list[JsonValue]:
        return [
            {"labware": at[0], "well": at[1], "volume_ul": volume_ul, "certain": certain}
            for at, volume_ul, certain in found
        ]

    return {
        "labware": place[0],
        "well": place[1],
        "sample": None if sample is None else sample.id,
        "barred": _why(barred, place) or None,
        "made_from": amounts(lineage.made_from(place)),
        "went_into": amounts(lineage.went_into(place)),
        "descendants": [list(at) for at in lineage.descendants({place})],
    }
