"""Every error drywet raises on purpose.

::

    DrywetError
    |- BadInput                 a person can mend it: names the file, the place, the reason and the way out; exit code 2
    |  |- CampaignFileError     a campaign, workcell or candidate file is wrong
    |  |- Infeasible            the dry run found that the batch cannot be carried out; holds one problem per sentence
    |  |- StoreUnusable         database locked, newer, unwritable, unreachable, or in another process's hands
    |  |- BenchBusy             a bench is in use, being opened or given back; trying again later helps
    |  `- MissingData           a data set or weights are not installed; names the package that brings them
    |- DeviceFault              an instrument did not do what it was told
    |  |- InstrumentError       the instrument answered with an error of its own
    |  |- NonsenseReply         the answer cannot be read
    |  |- CommandTimeout        no answer within the stated time, or later than the command may take
    |  |- ConnectionLost        the wire is gone
    |  |- FailedAspirate        a tip drew no liquid
    |  |- ShortVolume           a tip drew or gave less than it should
    |  |- CloggedTip            a tip does not let liquid through
    |  |- LostTip               a tip was not picked up, or fell off
    |  |- LidFault              a lid, door or clamp does not move
    |  |- GripFault             an arm grips nothing, or dropped what it held
    |  |- ReaderSaturated       wells gave more light than the detector can tell; the reading is there
    |  |- TemperatureNotReached a block or lid does not get where it should
    |  |- InstrumentBusy        the instrument is at something else; refused, nothing was done
    |  |- OutOfRange            the value is past a limit of the device; refused before anything is sent
    |  `- StaleLease            whoever sends no longer leases the device; refused before anything is sent
    |- RunStopped               a person or a program asked to stop; the run can be continued
    |- RunHeld                  the run waits for a person; says why
    |- ApprovalNeeded           a batch waits for a person's yes; nothing of it was done
    |- BatchRedone              the run is given up, and its batch is done again on fresh material
    |- CampaignAborted          the campaign's policy gives the campaign up
    |- ProtocolDiverged         a resumed plan asks for other steps than the journal holds
    |- ActionOutsideStep        a plan sends an action message that no step brackets
    `- ClockStalled             outside work held the clock past its wall-time limit

Bugs are ordinary Python exceptions and are never caught to be turned into one of these.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import ClassVar

__all__ = [
    "ActionOutsideStep",
    "ApprovalNeeded",
    "BadInput",
    "BatchRedone",
    "BenchBusy",
    "CampaignAborted",
    "CampaignFileError",
    "ClockStalled",
    "CloggedTip",
    "CommandBrokenOff",
    "CommandTimeout",
    "ConnectionLost",
    "DeviceFault",
    "DrywetError",
    "FailedAspirate",
    "FaultKind",
    "GripFault",
    "Infeasible",
    "InstrumentBusy",
    "InstrumentError",
    "LidFault",
    "LostTip",
    "MissingData",
    "NonsenseReply",
    "OutOfRange",
    "ProtocolDiverged",
    "ReaderSaturated",
    "RunHeld",
    "RunStopped",
    "ShortVolume",
    "StaleLease",
    "StoreUnusable",
    "TemperatureNotReached",
]


class FaultKind(StrEnum):
    """What went wrong with an instrument, as a campaign file's recovery policy names it."""

    FAILED_ASPIRATE = "failed_aspirate"
    SHORT_VOLUME = "short_volume"
    CLOG = "clog"
    LOST_TIP = "lost_tip"
    LID = "lid"
    GRIP = "grip"
    SATURATED = "saturated"
    TEMPERATURE = "temperature"
    CONNECTION_LOST = "connection_lost"
    TIMEOUT = "timeout"
    NONSENSE_REPLY = "nonsense_reply"
    BUSY = "busy"
    INSTRUMENT_ERROR = "instrument_error"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_OUTCOME = "unknown_outcome"
    """Not what went wrong, but what is left when the instrument can't say what came of a step."""


class DrywetError(Exception):
    """Root of the tree above."""


class BadInput(DrywetError):
    """Something a person gave cannot be used.

    Args:
        reason: one sentence that says what is wrong.
        way_out: one sentence that says what to do about it.
        file: the file it stands in, if it stands in one.
        line: its line, counted from 1.
        field: its field, dotted (``space.candidates``).
    """

    def __init__(
        self,
        reason: str,
        *,
        way_out: str = "",
        file: Path | str | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        self.reason = reason
        self.way_out = way_out
        self.file = None if file is None else Path(file)
        self.line = line
        self.field = field
        super().__init__(str(self))

    @property
    def place(self) -> str:
        """Where it stands: ``campaign.yaml, line 7, budget``; empty when it stands nowhere."""
        parts = [
            str(self.file) if self.file is not None else "",
            f"line {self.line}" if self.line is not None else "",
            self.field or "",
        ]
        return ", ".join(part for part in parts if part)

    def __str__(self) -> str:
        text = f"{self.place}: {self.reason}" if self.place else self.reason
        return f"{text} {self.way_out}".rstrip()


class CampaignFileError(BadInput):
    """A campaign, workcell or candidate file is wrong.

    Args:
        others: what else is wrong in it, so that a person mends all of it in one go; shown on lines of their own.
    """

    def __init__(
        self,
        reason: str,
        *,
        way_out: str = "",
        file: Path | str | None = None,
        line: int | None = None,
        field: str | None = None,
        others: tuple[CampaignFileError, ...] = (),
    ) -> None:
        self.others = others
        super().__init__(reason, way_out=way_out, file=file, line=line, field=field)

    @property
    def problems(self) -> tuple[CampaignFileError, ...]:
        """All that is wrong, one error each: this one without the others, then the others."""
        first = CampaignFileError(
            self.reason, way_out=self.way_out, file=self.file, line=self.line, field=self.field
        )
        return (first, *self.others)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(str, self.others)])


class Infeasible(BadInput):
    """A batch that cannot be carried out on this bench.

    Args:
        problems: one sentence each.
    """

    def __init__(self, problems: tuple[str, ...], *, way_out: str = "") -> None:
        self.problems = problems
        super().__init__(" ".join(problems), way_out=way_out)


class StoreUnusable(BadInput):
    """The database cannot be used as it is."""


class BenchBusy(BadInput):
    """A bench is in use, being opened or given back; trying again later helps."""


class MissingData(BadInput):
    """A data set or a model's weights are not on this machine."""


class DeviceFault(DrywetError):
    """An instrument did not do what it was told.

    Args:
        message: one sentence, in the instrument's terms.
        device: name of the device in the workcell.
        nothing_done: certainly nothing of the command was carried out; by default that is so where the instrument refused.

    Attributes:
        kind: what a recovery policy goes by.
    """

    kind: ClassVar[FaultKind] = FaultKind.INSTRUMENT_ERROR
    refused: ClassVar[bool] = False
    """Whether a fault of this class means that nothing was done, wherever it is raised."""

    def __init__(self, message: str, *, device: str = "", nothing_done: bool = False) -> None:
        self.device = device
        self.nothing_done = nothing_done or self.refused
        super().__init__(f"{device}: {message}" if device else message)


class InstrumentError(DeviceFault):
    """The instrument answered with an error of its own."""


class NonsenseReply(DeviceFault):
    """The instrument's answer cannot be read."""

    kind = FaultKind.NONSENSE_REPLY


class CommandTimeout(DeviceFault):
    """The instrument did not answer within the stated time, or is late with what it does. Stuck is not failed."""

    kind = FaultKind.TIMEOUT


class ConnectionLost(DeviceFault):
    """The wire to the instrument is gone or was never there."""

    kind = FaultKind.CONNECTION_LOST


class FailedAspirate(DeviceFault):
    """A tip drew no liquid."""

    kind = FaultKind.FAILED_ASPIRATE


class ShortVolume(DeviceFault):
    """A tip drew or gave less than it should."""

    kind = FaultKind.SHORT_VOLUME


class CloggedTip(DeviceFault):
    """A tip does not let liquid through."""

    kind = FaultKind.CLOG


class LostTip(DeviceFault):
    """A tip was not picked up, or fell off."""

    kind = FaultKind.LOST_TIP


class LidFault(DeviceFault):
    """A lid, door or clamp does not move."""

    kind = FaultKind.LID


class GripFault(DeviceFault):
    """An arm grips nothing, or dropped what it held."""

    kind = FaultKind.GRIP


class ReaderSaturated(DeviceFault):
    """Wells gave more light than the detector can tell. A remark on a reading that is done, not raised by one."""

    kind = FaultKind.SATURATED


class TemperatureNotReached(DeviceFault):
    """A block, lid or adapter does not get to its temperature."""

    kind = FaultKind.TEMPERATURE


class InstrumentBusy(DeviceFault):
    """The instrument is at something else. It refused; nothing was done."""

    kind = FaultKind.BUSY
    refused = True


class OutOfRange(DeviceFault):
    """A value past a limit of the device. Nothing was sent."""

    kind = FaultKind.OUT_OF_RANGE
    refused = True


class StaleLease(DeviceFault):
    """Whoever sends no longer leases the device: the lease ran out, or another one was given since. Nothing was sent."""

    kind = FaultKind.OUT_OF_RANGE
    refused = True


class CommandBrokenOff(DeviceFault):
    """A person had the command ended in its midst."""

    kind = FaultKind.UNKNOWN_OUTCOME


class RunStopped(DrywetError):
    """A person or a program asked to stop. What was done is kept, and the run can be continued."""


class RunHeld(DrywetError):
    """The run waits for a person."""


class ApprovalNeeded(DrywetError):
    """A batch waits for a person's yes; nothing of it was done.

    Args:
        approval_id: of the request.
    """

    def __init__(self, message: str, *, approval_id: str) -> None:
        self.approval_id = approval_id
        super().__init__(message)


class BatchRedone(DrywetError):
    """The run is given up, and its batch is done again on fresh material."""


class CampaignAborted(DrywetError):
    """The campaign's policy, or a person, gives the campaign up. What was measured is kept."""


class ProtocolDiverged(DrywetError):
    """A resumed plan asks for other steps than the journal holds."""


class ActionOutsideStep(DrywetError):
    """A plan sends an action message that no step brackets."""


class ClockStalled(DrywetError):
    """Work outside the loop held the clock past its wall-time limit."""
