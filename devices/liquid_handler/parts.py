"""How liquid and tips change hands in belief: by a whole command, or by as much of it as was done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.bench import Bench
from lab.interfaces import Place

__all__ = ["bring", "use_up"]


def bring(bench: Bench, source: Place, drawn_ul: float, portions: Iterable[tuple[Place, float]]) -> None:
    """Draw from a source and give portions of what was drawn; what is over is waste."""
    if drawn_ul <= 0.0:
        return
    taken = bench.draw(*source, drawn_ul)
    for place, volume_ul in portions:
        bench.fill(*place, {content: ul * volume_ul / drawn_ul for content, ul in taken.items()})


def use_up(bench: Bench, tips: Iterable[Sequence[str]]) -> None:
    """Take tips out of their racks, as far as they are believed to be there still."""
    bench.use_tips((rack, spot) for rack, spot in tips if spot in bench.labware[rack].tips)
