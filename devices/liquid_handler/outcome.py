"""What came of a pipetting command that did not end: as much as its marks say, and no more.

A pipettor has no sense for what left its tips. What it was told to do before the last part is done, what comes after was
never sent, and the last part may or may not have been carried out:

* Fetching tips: none of them counts as clean any more.
* Drawing: all that should have been drawn counts as gone; the tip went to the waste with whatever was in it.
* Giving: the wells that it was to give to are in doubt, and the wells after them got nothing. The command can't be sent
  again as a whole once one well has its portion, so all that are not served are barred.
* Throwing the tips away: all was given; the command is done.

Mixing brings nothing from one well to another, so all of it may be done again. What it can cost is a stroke of liquid that
is still in a tip when the tip is thrown away: the wells that were being mixed are believed to hold so much less.

Where the machine itself reported a failure it says more than a cut-off: where channels failed for want of liquid or of a
tip, those that it does not name did their part, and of what it refused to begin nothing was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devices.liquid_handler.commands import AddReagent, Distribute, Mix, by_column
from lab.interfaces import Answer, Place, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["Failure", "Pipetting", "Trail", "outcome_of"]

Pipetting = Distribute | AddReagent | Mix


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What this process saw of a command that failed.

    Args:
        marks: name and details of each part that was marked, oldest first.
        in_air: whether the last of them had not ended.
        channels: those (from 0) that failed, where the machine named them.
        refused: whether the machine refused to begin the last part.
    """

    command: Pipetting
    marks: tuple[tuple[str, JsonValue], ...]
    in_air: bool
    channels: frozenset[int] | None = None
    refused: bool = False

    def is_of(self, command: Pipetting, marks: Sequence[Mark]) -> bool:
        """Whether it is of the try that some marks were written by."""
        written = tuple((mark.name, mark.details) for mark in marks)
        return self.command == command and self.marks == written


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """How far a command had got, from its marks and what was seen of its failure.

    Args:
        done: name and details of the parts that were carried out, oldest first.
        in_air: the part of which nobody knows; None where nothing was under way.
        failed: channels of that part that failed, the others having done theirs; None where any may have failed.
    """

    done: tuple[tuple[str, JsonValue], ...]
    in_air: tuple[str, JsonValue] | None
    failed: frozenset[int] | None = None

    @classmethod
    def of(cls, marks: Sequence[Mark], failure: Failure | None) -> Trail:
        """After a crash (no failure was seen) the last part is always in the air."""
        written = tuple((mark.name, mark.details) for mark in marks)
        if failure is not None and not failure.in_air:
            return cls(done=written, in_air=None)
        if failure is not None and failure.refused:
            return cls(done=written[:-1], in_air=None)
        failed = None if failure is None else failure.channels
        return cls(done=written[:-1], in_air=written[-1] if written else None, failed=failed)

    @property
    def began(self) -> bool:
        """Whether anything was sent."""
        return bool(self.done) or self.in_air is not None

    @property
    def tips(self) -> list[JsonValue]:
        """(rack, spot) of tips that were fetched, or may have been."""
        return [tip for details in self._sent("tips") for tip in details["tips"]]

    @property
    def drawn_ul(self) -> float:
        """What was drawn, or may have been."""
        return sum(details["ul"] for details in self._sent("draw"))

    def served(self) -> list[str]:
        """Wells that certainly have their portion, in the order of giving."""
        given = [well for name, details in self.done if name == "give" for well in details["wells"]]
        return given + self._under_way_wells("give", failed=False)

    def broken_off(self, part: str) -> list[str]:
        """Wells at which the part in the air may have failed, where it is a ``give`` or a ``mix``."""
        return self._under_way_wells(part, failed=True)

    def ended(self, drops: int) -> bool:
        """Whether all was done but, perhaps, throwing tips away for the last of so many times."""
        return len(list(self._sent("drop"))) == drops

    def _under_way_wells(self, part: str, *, failed: bool) -> list[str]:
        if self.in_air is None or self.in_air[0] != part:
            return []
        details = self.in_air[1]
        named = None if self.failed is None else self.failed & set(details["channels"])
        return [
            well
            for channel, well in zip(details["channels"], details["wells"], strict=True)
            if (not named or channel in named) == failed
        ]

    def _sent(self, part: str) -> Iterable[JsonValue]:
        sent = self.done if self.in_air is None else (*self.done, self.in_air)
        return (details for name, details in sent if name == part)


def outcome_of(command: Pipetting, trail: Trail, *, drops: int | None = None) -> Reconciliation:
    """What came of a command; see the top of this module.

    Args:
        drops: how often it throws tips away in all, where that is not once, or once a column that is mixed.
    """
    if not trail.began:
        return Reconciliation(answer=Answer.NOT_DONE, sentence="The machine was told nothing that it did.")
    if drops is None:
        drops = len(by_column(command.wells)) if isinstance(command, Mix) else 1
    if trail.ended(drops):
        return Reconciliation(
            answer=Answer.DONE,
            sentence="All was done but, perhaps, to throw the tips away.",
            result={"tips": trail.tips},
        )
    return _mixed(command, trail) if isinstance(command, Mix) else _brought(command, trail)


def _mixed(command: Mix, trail: Trail) -> Reconciliation:
    short = trail.broken_off("mix")
    sentence = f"Mixing can be done again. {_counted(len(trail.tips), 'tip')} count as used."
    if short:
        sentence += (
            f" {', '.join(short)} of {command.labware} may each be short of up to {command.volume_ul:g} ul"
            " that were in a tip."
        )
    return Reconciliation(
        answer=Answer.NOT_DONE, sentence=sentence, part={"tips": trail.tips, "short": short}
    )


def _brought(command: Distribute | AddReagent, trail: Trail) -> Reconciliation:
    served = trail.served()
    doubtful = trail.broken_off("give")
    given: JsonValue = len(served) if isinstance(command, Distribute) else served
    part = {"tips": trail.tips, "drawn_ul": trail.drawn_ul, "given": given}
    used = f"{_counted(len(trail.tips), 'tip')} and {trail.drawn_ul:g} ul of {command.source_labware} count as used."
    if not served and not doubtful:
        return Reconciliation(answer=Answer.NOT_DONE, sentence=f"No well was given any. {used}", part=part)
    left = _not_served(command, served)
    was, waits = ("was" if len(served) == 1 else "were"), ("waits" if len(left) == 1 else "wait")
    sentence = (
        f"{_counted(len(served), 'portion')} {was} given, and {_counted(len(left), 'well')} still {waits}."
    )
    if doubtful:
        sentence += f" Whether {', '.join(doubtful)} got any, a pipettor can't know."
    return Reconciliation(answer=Answer.UNKNOWN, sentence=f"{sentence} {used}", part=part, doubtful=left)


def _not_served(command: Distribute | AddReagent, served: Sequence[str]) -> tuple[Place, ...]:
    if isinstance(command, AddReagent):
        return tuple((command.labware, well) for well in command.wells if well not in served)
    return tuple(dict.fromkeys((labware, well) for labware, well, _ in command.targets[len(served) :]))


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
