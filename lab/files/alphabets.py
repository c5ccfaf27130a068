"""What the letters of candidates' sequences may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.types import AMINO_ACIDS, DNA

__all__ = ["ALPHABETS", "PROTEIN", "Alphabet", "AlphabetName"]

AlphabetName = Literal["protein", "dna"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alphabet:
    """One kind of letters, and the words that errors speak of it with.

    Args:
        letters: allowed ones.
        letter: what one stands for (``amino acid``).
        whole: what a sequence of them is (``protein``).
    """

    letters: str
    letter: str
    whole: str

    @property
    def way_out(self) -> str:
        """What to do about a letter that is none."""
        return f"Use the one-letter codes {self.letters}."

    def stranger(self, sequence: str) -> int | None:
        """Position, counted from 1, of the first letter that is not of this alphabet; None where all are."""
        return next((n for n, letter in enumerate(sequence, start=1) if letter not in self.letters), None)


PROTEIN = Alphabet(letters=AMINO_ACIDS, letter="amino acid", whole="protein")

ALPHABETS: dict[AlphabetName, Alphabet] = {
    "protein": PROTEIN,
    "dna": Alphabet(letters=DNA, letter="base of DNA", whole="DNA"),
}
"""By the name that a campaign file gives."""
