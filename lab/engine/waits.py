"""Who waits for whom on a bench, and who waits in a circle. Pure: knows owners and names, nothing of leases or claims.

A request is served only when everything it asks for is free (the AND model of Knapp, "Deadlock detection in distributed
databases", 1987), so a circle of owners each of whom waits for what the next one keeps is a deadlock, and nothing else is.
Whose owner is not waiting is at work, has no edge of its own, and will give back what it keeps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Wait", "WaitGraph", "find_circle", "reaches", "tell_circle"]


@dataclass(frozen=True, slots=True)
class Wait:
    """One edge: somebody waits for something that somebody else keeps.

    Args:
        owner: who waits.
        wanted: the device or position.
        holder: who keeps it; the owner itself where it asks for what it has.
        labware: of the holder, standing there.
        place: whether it is a position, not a device.
    """

    owner: str
    wanted: str
    holder: str
    labware: tuple[str, ...] = ()
    place: bool = False


WaitGraph = Mapping[str, Sequence[Wait]]
"""Owner -> what it waits for, of every owner that waits."""


def find_circle(graph: WaitGraph) -> tuple[Wait, ...]:
    """A shortest row of waits that comes back to where it began; empty where there is none."""
    shortest: tuple[Wait, ...] = ()
    for owner in graph:
        path = _path(graph, owner, owner)
        if path and (not shortest or len(path) < len(shortest)):
            shortest = path
    return shortest


def reaches(graph: WaitGraph, owner: str, other: str) -> bool:
    """Whether an owner waits, by way of any number of others, for another."""
    return bool(_path(graph, owner, other))


def tell_circle(circle: Sequence[Wait], name: Callable[[str], str]) -> str:
    """The circle in words, and the way out of it.

    Args:
        circle: of :func:`find_circle`, not empty.
        name: what a person calls an owner.
    """
    clauses = []
    for kept, wait in zip((circle[-1], *circle[:-1]), circle, strict=True):
        plates = f" with {' and '.join(kept.labware)}" if kept.labware else ""
        clauses.append(f"{name(wait.owner)} holds {kept.wanted}{plates} and waits for {wait.wanted}")
    if any(wait.place or wait.labware for wait in circle):
        way_out = "Give the bench a spare nest, or let the protocol take its plate home before it asks for the next place."
    else:
        way_out = "Let each step name all the devices that it needs at once."
    return f"Waiting in a circle, which nobody in it can end: {'; '.join(clauses)}. {way_out}"


def _path(graph: WaitGraph, start: str, goal: str) -> tuple[Wait, ...]:
    """The shortest row of one wait or more from an owner to another, by breadth-first search."""
    came_by: dict[str, Wait] = {}
    queue = deque([start])
    while queue:
        for wait in graph.get(queue.popleft(), ()):
            if wait.holder in came_by:
                continue
            came_by[wait.holder] = wait
            if wait.holder == goal:
                return _walk_back(came_by, start, wait)
            queue.append(wait.holder)
    return ()


def _walk_back(came_by: Mapping[str, Wait], start: str, last: Wait) -> tuple[Wait, ...]:
    path = [last]
    while path[-1].owner != start:
        path.append(came_by[path[-1].owner])
    return tuple(reversed(path))
