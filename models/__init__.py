"""Models: what turns candidates into numbers and, later, into predictions. Each has a card.

``models.encoder(name, parent=..., pool=...)``, ``models.scorer`` and, for what a campaign names, ``models.model`` are
the doors; ``models.cards()`` says what is behind them. Implementations are imported when they are asked for.
"""

from models.registry import (
    cards,
    encoder,
    encoder_names,
    guide,
    guides,
    model,
    model_names,
    model_settings,
    scorer,
)

__all__ = [
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
