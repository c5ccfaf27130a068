"""What the commands of all families share: they are frozen values that the journal can write and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from lab.bench import Bench, Kind
from lab.interfaces import Place
from lab.types import JsonValue

__all__ = ["CommandValue", "not_here"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandValue:
    """A command whose fields are JSON values."""

    @property
    def transfers(self) -> tuple[tuple[Place, Place, float], ...]:
        """Nothing, unless a command says otherwise."""
        return ()

    @property
    def draws(self) -> tuple[Place, ...]:
        """Where its transfers come from."""
        return tuple(dict.fromkeys(source for source, _, _ in self.transfers))

    @property
    def touches(self) -> tuple[Place, ...]:
        """All that is in the plate or labware that it names, unless a command says otherwise."""
        named = getattr(self, "plate", None) or getattr(self, "labware", None)
        return () if named is None else ((named, "*"),)

    def believe_part(self, bench: Bench, part: JsonValue) -> None:
        """Nothing is used up by most commands, unless they are done."""

    def to_json(self) -> dict[str, JsonValue]:
        """Its arguments."""
        return asdict(self)

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Self:
        """The command that :meth:`to_json` wrote.

        Raises:
            TypeError: arguments of another command.
        """
        return cls(**arguments)


def not_here(bench: Bench, labware: str, kind: Kind) -> tuple[str, ...]:
    """Why a piece of labware cannot be meant: it is not on the bench, or is something else; empty when it
    can.
    """
    item = bench.labware.get(labware)
    if item is None:
        return (f"There is no {labware} on this bench.",)
    if item.type.kind != kind:
        return (f"{labware} is a {item.type.kind.replace('_', ' ')}, not a {kind.replace('_', ' ')}.",)
    return ()
