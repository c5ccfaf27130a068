"""Keeping material from being used, and what was made from it: what that takes, and what rests on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.app.lineage import Lineage, Resting, bars_for, find_place, place_words, read_lineage, resting_on
from lab.errors import BadInput
from lab.interfaces import Place
from lab.store import CampaignRecord, Store

__all__ = ["Barring", "Lifting", "bar", "benches_meant", "lift", "plan_bar", "plan_lift"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Barring:
    """What is to be barred.

    Args:
        fresh: places -> why; the one that is meant, and what was made from it and is not barred yet.
        resting: results that count and rest on any of it.
    """

    bench_id: str
    place: Place
    why: str
    fresh: Mapping[Place, str]
    resting: tuple[Resting, ...]
    campaigns: tuple[CampaignRecord, ...]

    @property
    def made(self) -> tuple[Place, ...]:
        """What was made from it."""
        return tuple(at for at in self.fresh if at != self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifting:
    """What may be used again.

    Args:
        others: places that were barred for its sake only.
    """

    bench_id: str
    place: Place
    others: tuple[Place, ...]
    campaigns: tuple[CampaignRecord, ...]


def plan_bar(store: Store, written: str, campaign: str | None, why: str) -> Barring:
    """What barring some material takes. Changes nothing.

    Args:
        written: a sample's id or the end of it, ``LABWARE:WELL`` or ``LABWARE``.
        campaign: whose bench is meant; the likeliest where it is left out.

    Raises:
        BadInput: no such material, it is barred already, or no reason is given.
    """
    _refuse_silence(why)
    bench_id, place = find_place(store, benches_meant(store, campaign), written)
    lineage, believed = read_lineage(store, bench_id)
    known = store.barred(bench_id)
    wanted = bars_for(lineage, place, why)
    fresh = {at: reason for at, reason in wanted.items() if at not in known}
    if not fresh:
        words = place_words(place)
        raise BadInput(
            f"{words[:1].upper()}{words[1:]} is barred already: {known[place]}",
            way_out="Lift that first where the reason has changed: drywet samples lift",
        )
    return Barring(
        bench_id=bench_id,
        place=place,
        why=why,
        fresh=fresh,
        resting=tuple(resting_on(store, believed.campaigns, _samples_at(lineage, wanted))),
        campaigns=tuple(believed.campaigns),
    )


def bar(store: Store, plan: Barring, *, who: str, retract: bool) -> None:
    """Carry it out.

    Args:
        retract: take the results back that rest on it, too.
    """
    words = place_words(plan.place)
    store.bar(plan.bench_id, dict(plan.fresh), who=who)
    _log(store, plan.campaigns, f"{who} barred {words}: {plan.why}")
    for one in plan.resting if retract else ():
        store.retract(one.observation.id, who=who, why=f"It rests on {words}, which is barred: {plan.why}")


def plan_lift(store: Store, written: str, campaign: str | None, why: str) -> Lifting:
    """What may be used again when material is. Changes nothing.

    Raises:
        BadInput: no such material, it is not barred, or no reason is given.
    """
    _refuse_silence(why)
    bench_id, place = find_place(store, benches_meant(store, campaign), written)
    lineage, believed = read_lineage(store, bench_id)
    barred = store.barred(bench_id)
    others: tuple[Place, ...] = ()
    if place in barred:  # else the store says in its words that it is not
        for_its_sake = bars_for(lineage, place, barred[place])
        others = tuple(at for at, reason in for_its_sake.items() if at != place and barred.get(at) == reason)
    return Lifting(bench_id=bench_id, place=place, others=others, campaigns=tuple(believed.campaigns))


def lift(store: Store, plan: Lifting, *, who: str, why: str) -> None:
    """Carry it out.

    Raises:
        BadInput: it is not barred.
    """
    for at in (plan.place, *plan.others):
        store.lift_bar(plan.bench_id, at, who=who, why=why)
    _log(store, plan.campaigns, f"{who} lifted the bar on {place_words(plan.place)}: {why}")


def benches_meant(store: Store, campaign: str | None) -> list[str]:
    """Benches to look for labware on: that of the campaign; else of all campaigns, the newest first.

    Raises:
        BadInput: there is no such campaign, or none at all.
    """
    if campaign is not None:
        return [store.campaign(campaign).bench_id]
    records = store.campaigns()
    if not records:
        raise BadInput("The store holds no campaign.", way_out="Start one with: drywet run FILE")
    own = [one for one in records if not one.campaign.baseline_of] or records
    return list(dict.fromkeys([own[-1].bench_id, *(one.bench_id for one in reversed(records))]))


def _refuse_silence(why: str) -> None:
    if not why.strip():
        raise BadInput(
            "Who looks at this later wants to know why.",
            way_out='Say it: --why "a bubble in the well"',
            field="--why",
        )


def _log(store: Store, campaigns: Sequence[CampaignRecord], sentence: str) -> None:
    for record in campaigns:
        store.log(record.campaign.id, "bar", sentence)


def _samples_at(lineage: Lineage, places: Mapping[Place, str]) -> set[str]:
    wells = (well for place in places for well in lineage.wells_of(place))
    return {lineage.sample_at[well].id for well in wells if well in lineage.sample_at}
