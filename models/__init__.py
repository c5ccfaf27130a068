"""Models: what turns candidates into numbers and, later, into predictions. Each has a card.

``models.encoder(name, parent=..., pool=...)`` is the door; implementations are imported when they are asked for.
"""

from models.registry import encoder, encoder_names

__all__ = ["encoder", "encoder_names"]
