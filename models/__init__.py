"""Models: what turns candidates into numbers and, later, into predictions. Each has a card.

``models.encoder(name, parent=..., pool=...)`` and ``models.scorer`` are the doors, ``models.cards()`` says what is behind
them; implementations are imported when they are asked for.
"""

from models.registry import Scorer, cards, encoder, encoder_names, scorer

__all__ = ["Scorer", "cards", "encoder", "encoder_names", "scorer"]
