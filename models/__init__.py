"""Models: what turns candidates into numbers and, later, into predictions. Each has a card.

``models.encoder(name, parent=..., pool=...)`` and ``models.scorer`` are the doors; implementations are imported when they
are asked for.
"""

from models.registry import Scorer, encoder, encoder_names, scorer

__all__ = ["Scorer", "encoder", "encoder_names", "scorer"]
