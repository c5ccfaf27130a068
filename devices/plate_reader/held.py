"""What a reader still knows of its last reading, and what that says about one that nobody received."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from devices.plate_reader.commands import ReadAbsorbance, ReadFluorescence
from lab.bench import well_names
from lab.errors import ReaderSaturated
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["AGAIN", "HeldReading", "Verdict", "saturation", "settings_of", "what_was_read"]

CLOCKS_S = 0.01
"""By how much a reader's own time of beginning may differ from the mark before it; one pass takes half a minute."""

AGAIN = "a reading leaves nothing in the plate and can be made again."

NAMED = 12
"""So many wells are named in a sentence; of more, their number says enough."""


class HeldReading(TypedDict):
    """The last reading that an instrument made, as it holds it until the next one begins.

    Keys:
        mode: ``fluorescence`` or ``absorbance``.
        settings: as the instrument was set: ``excitation_nm``, ``emission_nm`` and ``gain``, or ``wavelength_nm``.
        begun_lab_s: lab time at which its first cycle began.
        cycles: those that are complete, oldest first; each as rows of columns, like ``data`` of PyLabRobot's answers. The
            cycles of one reading are those of one mode and setting since the plate was drawn in.
    """

    mode: str
    settings: dict[str, float]
    begun_lab_s: float
    cycles: list[list[list[float | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a reading, before its numbers are put together.

    Args:
        begun_lab_s: when it began, as the command would have said; None where it has to be made again.
    """

    sentence: str
    begun_lab_s: float | None = None

    def without_result(self) -> Reconciliation:
        """Light leaves nothing in a plate: what nobody received can be read again."""
        return Reconciliation(answer=Answer.NOT_DONE, sentence=self.sentence)

    def with_result(self, result: JsonValue) -> Reconciliation:
        """The reading is there."""
        return Reconciliation(answer=Answer.DONE, sentence=self.sentence, result=result)


def settings_of(command: ReadFluorescence | ReadAbsorbance) -> dict[str, float]:
    """What a reader is set to for a command."""
    if isinstance(command, ReadFluorescence):
        return {
            "excitation_nm": command.excitation_nm,
            "emission_nm": command.emission_nm,
            "gain": command.gain,
        }
    return {"wavelength_nm": command.wavelength_nm}


def what_was_read(
    command: ReadFluorescence | ReadAbsorbance,
    marks: Sequence[Mark],
    held: HeldReading | None,
    *,
    can_tell: bool,
) -> Verdict:
    """Whether the reading that an instrument holds is all of the one that a command asked for.

    Args:
        marks: how far the command had got.
        held: None where the instrument holds nothing.
        can_tell: whether it can be asked at all.
    """
    first = next((mark for mark in marks if mark.name == "read"), None)
    if first is None:
        return Verdict(sentence=f"The light was not on yet; {AGAIN}")
    if not can_tell:
        return Verdict(
            sentence=f"The reading did not arrive, and this reader can't be asked for its last one; {AGAIN}"
        )
    if held is None or held["begun_lab_s"] < first.lab_time_s - CLOCKS_S or not _same(command, held):
        return Verdict(sentence=f"The reader holds no reading of this step; {AGAIN}")
    if len(held["cycles"]) != command.cycles:
        return Verdict(
            sentence=f"The reader holds {len(held['cycles'])} of {command.cycles} cycles of this step; {AGAIN}"
        )
    return Verdict(
        sentence="The reader still holds the whole reading.", begun_lab_s=first.details["begun_lab_s"]
    )


def saturation(result: JsonValue) -> ReaderSaturated | None:
    """Which wells of a reading gave more light than can be told; None where none did."""
    names = well_names(result["rows"], result["columns"])
    wells = [name for name, over in zip(names, result["saturated"], strict=True) if over]
    if not wells:
        return None
    named = f" ({', '.join(wells)})" if len(wells) <= NAMED else ""
    counted = "1 well" if len(wells) == 1 else f"{len(wells)} wells"
    return ReaderSaturated(
        f"{counted} of {result['plate']}{named} gave no number, or one at the end of the detector's scale."
    )


def _same(command: ReadFluorescence | ReadAbsorbance, held: HeldReading) -> bool:
    """Whether the instrument was set as the command says; it takes whole nanometres and whole gains."""
    wanted: dict[str, Any] = settings_of(command)
    return held["mode"] == command.verb and {k: round(v) for k, v in held["settings"].items()} == {
        k: round(v) for k, v in wanted.items()
    }
