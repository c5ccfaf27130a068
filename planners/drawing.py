"""A pool of candidates for one ask, drawn from a search space that is none.

The pool covers the space evenly, and densely around what was measured to be good; everything asked so far is in it, so that
a planner that looks candidates up by their id finds them. A space of few candidates is its own pool.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from lab.errors import BadInput
from lab.spaces import Candidate, JsonValue, Parameter, Rule, SearchSpace
from lab.types import Campaign, Experiment, History
from planners import sampling
from planners.drafts import Codec, Drafts
from planners.moves import moved

__all__ = ["allowed", "edges", "neighbours", "on_pool", "pool_of"]

SPREAD = 1536
"""Candidates drawn evenly."""

AROUND = 512
"""Candidates drawn around the best that were measured."""

FEW = 4096
"""Candidates of a space up to which all of them are its pool."""

_ROUNDS = 4
"""Times that candidates are drawn where rules refuse many, or many come out alike."""

_BEST = 8
"""Measured candidates that others are drawn around."""


def on_pool(
    campaign: Campaign, history: History, pending: Sequence[Experiment], rng: np.random.Generator
) -> Campaign:
    """The campaign with a pool for this ask; as it is, where it has one.

    Where the next batch is fixed to some values, candidates with others are in the pool too, so that features are scaled by
    the whole space; they are not free to be chosen.

    Raises:
        BadInput: nothing may be chosen in its space; says what leaves nothing.
    """
    if campaign.space is None:
        return campaign
    pool = {candidate.id: candidate for candidate in pool_of(campaign, history, pending, rng)}
    if campaign.fixed:
        whole = pool_of(replace(campaign, fixed={}), history, pending, rng, spread=SPREAD // 4, around=0)
        pool = {candidate.id: candidate for candidate in whole} | pool
    return replace(campaign, candidates=tuple(pool.values()))


def pool_of(
    campaign: Campaign,
    history: History,
    pending: Sequence[Experiment],
    rng: np.random.Generator,
    *,
    spread: int = SPREAD,
    around: int = AROUND,
) -> tuple[Candidate, ...]:
    """Candidates of a campaign's space for one ask, each with an id of its own that its values give it.

    Those asked so far come first, in order; what earlier campaigns measured in the space comes with its own ids.

    Args:
        spread: candidates that cover the space.
        around: candidates around the best measured.

    Raises:
        BadInput: nothing may be chosen; says which constraint or rule leaves nothing.
    """
    space = _fixed(_space(campaign), campaign.fixed)
    codec = Codec(space)
    own = np.random.default_rng(rng.integers(2**63))
    known = _known(campaign, history, pending)
    if sampling.count(codec, FEW) is not None:
        drawn = allowed(space, codec.candidates(sampling.enumerated(codec)))
    else:
        drawn = _drawn(space, codec, spread, own)
        best = _best(campaign, history, codec) if around else codec.empty(0)
        if len(best):
            drawn += allowed(space, codec.candidates(moved(codec, best, around, own)))
    if not drawn:
        _refuse(space, codec, own)
    taken = {_key(candidate) for candidate in known}
    if campaign.reference.sequence or campaign.reference.values:
        taken.add(_key(campaign.reference))
    made = list(known)
    for candidate in drawn:
        key = _key(candidate)
        if key not in taken:
            taken.add(key)
            made.append(candidate)
    return tuple(made)


def neighbours(
    candidates: Sequence[Candidate], campaign: Campaign, rng: np.random.Generator, *, n: int = AROUND
) -> tuple[Candidate, ...]:
    """Candidates of a campaign's space near some of it: the second round of a search.

    One number, level, amount or site of a candidate is changed, or two candidates are crossed. Of a pool, there are none.

    Args:
        candidates: the best so far of whatever was looked for; those that lie outside the space are passed over.
        n: candidates wanted; fewer where constraints or rules leave fewer.
    """
    if campaign.space is None:
        return ()
    space = _fixed(campaign.space, campaign.fixed)
    codec = Codec(space)
    start = [candidate for candidate in candidates if space.holds(candidate)]
    if not start:
        return ()
    taken = {_key(campaign.reference), *map(_key, candidates)}
    made: dict[object, Candidate] = {}
    own = np.random.default_rng(rng.integers(2**63))
    for candidate in allowed(space, codec.candidates(moved(codec, codec.drafts(start), n, own))):
        key = _key(candidate)
        if key not in taken:
            made.setdefault(key, candidate)
    return tuple(made.values())


def edges(campaign: Campaign, rng: np.random.Generator) -> tuple[Candidate, ...]:
    """Candidates with the smallest and the largest of every number of a campaign's space, and every level; what a bench must
    be able to make. Amounts of 0 are nothing to make.
    """
    drawn = pool_of(campaign, History(), (), rng)
    found: dict[str, Candidate] = {}
    for name in _space(campaign).names:
        values = [(candidate.values[name], candidate) for candidate in drawn if candidate.values[name] != 0.0]
        if values and isinstance(values[0][0], str):
            ends = list(dict(values).values())
        else:
            order = sorted(values, key=lambda pair: pair[0])
            ends = [candidate for _, candidate in (*order[:1], *order[-1:])]
        found.update({candidate.id: candidate for candidate in ends})
    return tuple(found.values())


def _space(campaign: Campaign) -> SearchSpace:
    if campaign.space is None:
        raise BadInput("The campaign has a pool of candidates and no space to draw from.", field="space")
    return campaign.space


def _fixed(space: SearchSpace, values: Mapping[str, JsonValue]) -> SearchSpace:
    """The space with some parameters at one value each."""
    if not values:
        return space
    return replace(
        space, parameters=tuple(_at(p, values[p.name]) if p.name in values else p for p in space.parameters)
    )


def _at(parameter: Parameter, value: JsonValue) -> Parameter:
    if parameter.levels:
        return replace(parameter, levels=(value,))
    return replace(parameter, low=float(value), high=float(value))


def _known(campaign: Campaign, history: History, pending: Sequence[Experiment]) -> tuple[Candidate, ...]:
    """Everything asked so far, and what earlier campaigns measured within the space, each id once."""
    asked = [experiment.candidate for experiment in (*history.experiments, *pending)]
    taken = {candidate.id for candidate in asked} | {campaign.reference.id}
    values = {_key(candidate) for candidate in asked} | {_key(campaign.reference)}
    space = _fixed(_space(campaign), campaign.fixed)
    earlier = [
        past.candidate
        for past in campaign.past
        if past.candidate.id not in taken
        and space.holds(past.candidate)
        and _key(past.candidate) not in values
        and allowed(space, [past.candidate])
    ]
    return tuple({candidate.id: candidate for candidate in (*asked, *earlier)}.values())


def _key(candidate: Candidate) -> object:
    """What tells candidates apart, whatever they are called."""
    return candidate.sequence, tuple(sorted(candidate.values.items()))


def _best(campaign: Campaign, history: History, codec: Codec) -> Drafts:
    """The best measured that lie in the space, best first; by each objective in turn where there are several."""
    ranked: list[list[Candidate]] = []
    for objective in campaign.goal.objectives:
        measured = [(objective.merit(o.value), e.candidate) for e, o in history.usable(objective.target)] + [
            (objective.merit(past.value), past.candidate)
            for past in campaign.past
            if past.target == objective.target
        ]
        ranked.append([candidate for _, candidate in sorted(measured, key=lambda pair: -pair[0])])
    found: dict[object, Candidate] = {}
    for turn in range(max(map(len, ranked), default=0)):
        for row in ranked:
            if turn < len(row) and codec.space.holds(row[turn]) and len(found) < _BEST:
                found.setdefault(_key(row[turn]), row[turn])
    return codec.drafts(list(found.values()))


def _drawn(space: SearchSpace, codec: Codec, n: int, rng: np.random.Generator) -> list[Candidate]:
    """n candidates spread over the space that rules allow; single substitutions of a parent first."""
    made = {c.id: c for c in allowed(space, codec.candidates(_singles(codec, n // 4, rng)))}
    for _ in range(_ROUNDS):
        before = len(made)
        drawn = sampling.draw(codec, n - before, rng)
        made |= {c.id: c for c in allowed(space, codec.candidates(drawn))}
        if len(made) >= n or (len(made) - before < 0.05 * n and not space.rules):
            break
    return list(made.values())


def _singles(codec: Codec, most: int, rng: np.random.Generator) -> Drafts:
    """Up to so many substitutions of one letter of the parent, beside other values drawn evenly."""
    pairs = [(at, i) for at, choices in enumerate(codec.choices) for i in range(1, len(choices))]
    if not pairs or most < 1:
        return codec.empty(0)
    picked = rng.permutation(len(pairs))[:most]
    made = sampling.draw(codec, len(picked), rng)
    made.letters[:] = 0
    for row, pair in enumerate(picked[: len(made)].tolist()):
        at, letter = pairs[pair]
        made.letters[row, at] = letter
    return made


def allowed(space: SearchSpace, candidates: list[Candidate]) -> list[Candidate]:
    """Those that every rule of a space lets pass.

    Raises:
        BadInput: a rule can't be imported, or failed on a candidate.
    """
    if not space.rules:
        return candidates
    rules = [_rule(rule, space.folder) for rule in space.rules]
    return [candidate for candidate in candidates if all(rule(candidate) for rule in rules)]


def _rule(rule: Rule, folder: str) -> Callable[[Candidate], bool]:
    """The function that a rule names, or is.

    Raises:
        BadInput: there is no such module or function; and, when it is asked, that it failed on a candidate.
    """
    name, found = str(rule), rule
    if isinstance(rule, str):
        module, _, function = rule.partition(":")
        try:
            found = getattr(_module(module, folder), function)
        except (ImportError, AttributeError, ValueError, SyntaxError) as error:
            raise BadInput(
                f"The rule {rule!r} can't be imported: {error}.",
                way_out="Write it as module:function, the module beside the campaign file or installed.",
                field="space.rules",
            ) from error
    else:
        name = getattr(rule, "__name__", "a function")

    def asked(candidate: Candidate) -> bool:
        try:
            return bool(found(candidate))  # type: ignore[operator]  # what is no function is told like what fails
        except Exception as error:
            raise BadInput(
                f"The rule {name} failed on candidate {candidate.id}: {type(error).__name__}: {error}.",
                way_out="Mend it: it is given every candidate, with its values and sequence.",
                field="space.rules",
            ) from error

    return asked


def _module(name: str, folder: str) -> ModuleType:
    """The module of that name. One beside the campaign file is read from there, so that two campaigns in one process, each
    with a ``rules.py`` of its own, keep their own.
    """
    file = Path(folder, f"{name}.py")
    if folder and file.is_file():
        return _from_file(file, file.stat().st_mtime_ns)
    with _looking_in(folder):
        return importlib.import_module(name)


@cache
def _from_file(file: Path, changed_ns: int) -> ModuleType:
    """What a file defines; read again once it has changed."""
    spec = importlib.util.spec_from_file_location(f"{file.stem}_{changed_ns}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no module")
    module = importlib.util.module_from_spec(spec)
    with _looking_in(str(file.parent)):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _looking_in(folder: str) -> Iterator[None]:
    """Imports look in a folder first."""
    if not folder:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _refuse(space: SearchSpace, codec: Codec, rng: np.random.Generator) -> None:
    """Say what leaves nothing to choose from.

    Raises:
        BadInput: always.
    """
    without = replace(space, rules=())
    drawn = sampling.draw(Codec(without), SPREAD, rng)
    candidates = codec.candidates(drawn)
    for rule in space.rules if candidates else ():
        if not allowed(replace(space, rules=(rule,)), candidates):
            name = rule if isinstance(rule, str) else getattr(rule, "__name__", "a function")
            raise BadInput(
                f"The rule {name} allows none of {len(candidates)} candidates that were drawn.",
                way_out="Loosen it, or the bounds of the space.",
                field="space.rules",
            )
    if candidates and space.rules:
        raise BadInput(
            f"No two rules contradict all, but none of {len(candidates)} candidates drawn passes them together.",
            way_out="Loosen one of them.",
            field="space.rules",
        )
    for i, constraint in enumerate(space.constraints):
        others = replace(without, constraints=space.constraints[:i] + space.constraints[i + 1 :])
        if len(sampling.draw(Codec(others), SPREAD, rng)):
            raise BadInput(
                f"No candidate keeps to the constraint {constraint} and to all others.",
                way_out="Widen its bounds, or make the steps of the values finer.",
                field="space.constraints",
            )
    raise BadInput(
        "No candidate keeps to the constraints of the space.",
        way_out="Widen them.",
        field="space.constraints",
    )
