"""Where a sample came from and what became of it, as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from lab.app.lineage import Lineage, find_place, read_lineage
from lab.interfaces import Place
from lab.store import Store
from lab.types import JsonValue

__all__ = ["lineage_of"]


def lineage_of(store: Store, sample_id: str) -> dict[str, JsonValue]:
    """What a sample was made from and went into.

    Raises:
        BadInput: there is no such sample.
    """
    benches = [bench.id for bench in reversed(store.benches())]
    bench_id, place = find_place(store, benches, sample_id)
    lineage, _ = read_lineage(store, bench_id)
    return {
        "made_from": _told(lineage, lineage.made_from(place)),
        "went_into": _told(lineage, lineage.went_into(place)),
    }


def _told(lineage: Lineage, pours: Iterable[tuple[Place, float, bool]]) -> list[JsonValue]:
    told: list[JsonValue] = []
    for (labware, well), volume_ul, certain in pours:
        sample = lineage.sample_at.get((labware, well))
        told.append(
            {
                "labware": labware,
                "well": well,
                "sample": "" if sample is None else sample.id,
                "holds": "" if sample is None else sample.content,
                "volume_ul": round(volume_ul, 3),
                "certain": certain,
            }
        )
    return told
