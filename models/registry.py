"""Encoders and scorers by name. A new one, pretrained or not, is a class with a card and a line here."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from lab.errors import BadInput
from lab.interfaces import Encoder, ModelCard
from lab.strict import did_you_mean
from lab.types import Candidate

__all__ = ["ENCODERS", "SCORERS", "Scorer", "cards", "encoder", "encoder_names", "scorer"]

ENCODERS: dict[str, str] = {
    "named_values": "models.encodings:NamedValues",
    "one_hot": "models.encodings:OneHot",
    "one_hot_substitutions": "models.encodings:OneHotSubstitutions",
    "positions": "models.encodings:Positions",
    "substitutions": "models.encodings:Substitutions",
    "z_scales": "models.encodings:ZScales",
}
"""Name -> ``module:class``, imported when first asked for. The class has a ``card``
and takes ``parent`` and ``pool`` by keyword.
"""

SCORERS: dict[str, str] = {"substitution_effects": "models.substitution_effects:SubstitutionEffects"}
"""As :data:`ENCODERS`, for what promises something of candidates before any is measured."""


class Scorer(Protocol):
    """Candidates to one number each, known before anything is measured."""

    @property
    def card(self) -> ModelCard:
        """What it is."""
        ...

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,), larger promises more; only differences mean something.

        Raises:
            BadInput: a candidate that its card does not cover.
        """
        ...


def cards() -> tuple[ModelCard, ...]:
    """What every encoder and scorer is, whatever the space."""
    places = [ENCODERS[name] for name in sorted(ENCODERS)] + [SCORERS[name] for name in sorted(SCORERS)]
    return tuple(_imported(place).card for place in places)


def encoder_names() -> tuple[str, ...]:
    """Every name that :func:`encoder` knows, in alphabetical order."""
    return tuple(sorted(ENCODERS))


def encoder(name: str, *, parent: str = "", pool: Sequence[Candidate] = ()) -> Encoder:
    """The encoder of that name for one search space.

    Args:
        parent: amino-acid letters that substitutions are counted from; empty when there is none.
        pool: candidates of the space; says which sites vary and what ranges values have.

    Raises:
        BadInput: no encoder has that name, or the space cannot be encoded by it.
    """
    if name not in ENCODERS:
        hint = did_you_mean(name, encoder_names(), what="Known are", quoted=False)
        raise BadInput(f"There is no encoding named {name!r}.", way_out=hint)
    made: Encoder = _imported(ENCODERS[name])(parent=parent, pool=pool)
    return made


def scorer(name: str, *, parent: str, pool: Sequence[Candidate] = ()) -> Scorer:
    """The scorer of that name for one search space.

    Args:
        parent: amino-acid letters that substitutions are counted from.
        pool: candidates of the space.

    Raises:
        BadInput: no scorer has that name.
    """
    if name not in SCORERS:
        raise BadInput(
            f"There is no scorer named {name!r}.", way_out=f"Known are {', '.join(sorted(SCORERS))}."
        )
    made: Scorer = _imported(SCORERS[name])(parent=parent, pool=pool)
    return made


def _imported(place: str) -> Any:
    """The class at ``module:class``."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
