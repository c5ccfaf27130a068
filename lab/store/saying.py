"""What a person says must come with who says it, and why."""

from __future__ import annotations

from lab.errors import BadInput

__all__ = ["refuse_silence"]


def refuse_silence(who: str, *whys: str) -> None:
    """Refuse what nobody answers for.

    Raises:
        BadInput: an empty name or reason.
    """
    if not who.strip():
        raise BadInput("It must be known who says so.", way_out="Give a name.", field="who")
    if not all(why.strip() for why in whys):
        raise BadInput("It must be known why.", way_out="Give the reason in a sentence.", field="why")
