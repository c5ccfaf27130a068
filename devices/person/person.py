"""A person who does what an instrument would: the worklist is handed out, and the run waits until it is handed in.

A step in the air is a worklist that is out. It stays out when the program ends; whoever goes on with the run waits for the
same one, and never hands out a second for the same work. Nothing is ever assumed: what came of it is what the person says.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from ophyd_async.core import Device, DeviceConnector, StandardReadable, soft_signal_r_and_setter
from ophyd_async.core import StandardReadableFormat as Format

from devices.fence import Fence, mark, step_under_way
from devices.identity import Identity
from devices.person.folder import SheetFolder
from devices.person.lines import lines_of, numbers_asked, shown, title_of
from devices.person.paper import papers_of
from devices.person.sheet import HandIn, Said, Sheet
from devices.verb import Limits, Verb, faults_of
from lab.bench import Bench
from lab.errors import BadInput, ConnectionLost, DeviceFault, InstrumentError, NonsenseReply
from lab.interfaces import Answer, Command, Reconciliation
from lab.types import JsonValue, Mark, Origin

__all__ = ["PATIENCE_S", "Desk", "Person"]

PATIENCE_S = 14 * 86_400.0
"""So long a worklist may be out before the run asks whether anybody is at it; weekends and holidays included."""

HANDED_OUT = "hand_out"
"""Mark of a step: the worklist that it is on."""

C = TypeVar("C", bound=Command)

Result = Callable[[C, HandIn], Awaitable[JsonValue]]
"""What the journal keeps of a command, from what was handed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a person gets worklists and hands them in.

    Args:
        folder: of the bench's worklists.
        barcodes: labware id -> barcode, of labware that has one.
        unit: of numbers whose command names none (a fluorescence).
        lowest, highest: that a number can be; None where nothing is known.
        patience_s: wall time that a worklist may be out.
        poll_s: wall time between two looks into the folder.
    """

    folder: SheetFolder
    barcodes: Mapping[str, str] = field(default_factory=dict)
    unit: str = "rfu"
    lowest: float | None = None
    highest: float | None = None
    patience_s: float = PATIENCE_S
    poll_s: float = 1.0


class _Connector(DeviceConnector):
    async def connect_real(
        self,
        device: Device,
        timeout: float,  # noqa: ASYNC109  (ophyd-async calls it so)
        force_reconnect: bool,
    ) -> None:
        assert isinstance(device, Person)
        await device.identify()
        await super().connect_real(device, timeout, force_reconnect)


class Person(StandardReadable):
    """What every person in place of an instrument can be asked. The verbs are the subclasses'.

    Args:
        name: of the device in the workcell.
        desk: where worklists go.
        bench: the live one.
    """

    forgets_when_safe: ClassVar[bool] = False
    """A worklist that is out is out, whatever is brought to its safe state."""

    def __init__(self, name: str, desk: Desk, *, bench: Bench) -> None:
        self._desk = desk
        self._bench = bench
        self.fence = Fence()
        super().__init__(name=name, connector=_Connector())
        self.origin, self._set_origin = soft_signal_r_and_setter(str)
        self.add_readables([self.origin], Format.CONFIG_SIGNAL)

    async def identify(self) -> Identity:
        """See that worklists can be handed out; what a person reads has the origin ``manual``.

        Raises:
            ConnectionLost: the folder can't be written to.
        """
        with faults_of(self.name):
            try:
                await asyncio.to_thread(self._desk.folder.make)
            except OSError as error:
                raise ConnectionLost(f"no worklist can be handed out in {self._where} ({error}).") from error
        self._set_origin(str(Origin.MANUAL))
        return Identity(
            vendor="a person",
            model="worklists in a folder",
            serial=self._where,
            firmware="none",
            origin=Origin.MANUAL,
        )

    async def disconnect(self) -> None:
        """Nothing: worklists that are out stay out."""

    async def look(self) -> None:
        """Nothing: a worklist shows the same at any time."""

    async def safe(self) -> None:
        """Nothing to be told: whoever stands at a bench leaves it safe by themselves. Safe to repeat."""

    @property
    def _where(self) -> str:
        return str(self._desk.folder.path)

    def verb(
        self,
        command: type[C],
        result: Result[C] | None = None,
        *,
        limits: Limits | None = None,
        show: Callable[[JsonValue], Awaitable[None]] | None = None,
        remark: Callable[[JsonValue], DeviceFault | None] | None = None,
    ) -> Verb[C]:
        """A verb that is a worklist.

        Args:
            result: what the journal keeps, from the command and what was handed in; by default who did it, and when.
            limits: of the workcell file.
            show: puts a journaled result into the device's signals.
            remark: as of :class:`Verb`.
        """
        made: Result[C] = result or _signed

        async def run(command: C) -> JsonValue:
            return await made(command, await self._answered(command))

        async def reconcile(command: C, marks: Sequence[Mark]) -> Reconciliation:
            return await self._reconcile(command, marks, made)

        async def restore(value: JsonValue) -> None:
            await self._restored(value)
            if show is not None:
                await show(value)

        return Verb(
            run,
            command=command,
            limits=limits,
            restore=restore,
            reconcile=reconcile,
            remark=remark,
            close=self._closed,
            stop_waits=False,  # the worklist stays out, and whoever goes on waits for it again
            watchdog_floor_s=self._desk.patience_s,
        )

    async def _answered(self, command: Command) -> HandIn:
        """Have the command done: on the worklist that is out for it already, or on a new one.

        Raises:
            InstrumentError: the person says that it was not done, or is not sure.
            NonsenseReply: what was handed in can't be read, or is not what was asked for.
            ConnectionLost: the folder can't be reached.
        """
        try:
            sheet = await asyncio.to_thread(self._out_for, command)
            if sheet is None:
                sheet = await self._hand_out(command)
            else:
                await mark(HANDED_OUT, sheet=sheet.id)
            while (answer := await asyncio.to_thread(self._read, sheet)) is None:  # noqa: ASYNC110  (no events from a folder)
                await asyncio.sleep(self._desk.poll_s)
            await asyncio.to_thread(self._desk.folder.take, sheet.id)
        except OSError as error:
            raise ConnectionLost(f"the worklists in {self._where} can't be reached ({error}).") from error
        if answer.said is not Said.DONE:
            raise InstrumentError(_told(answer))
        return answer

    def _out_for(self, command: Command) -> Sheet | None:
        """The worklist of this very step that its run has no answer of; None where there is none.

        One that was handed in as not done, or withdrawn, is over: the next try is a new one.
        """
        step = step_under_way()
        arguments = _plain(command.to_json())
        folder = self._desk.folder
        try:
            sheets = folder.sheets()
        except BadInput as damaged:
            raise NonsenseReply(f"a worklist can't be read: {damaged}") from damaged
        return next(
            (
                sheet
                for sheet in reversed(sheets)
                if sheet.step == step
                and sheet.device == self.name
                and sheet.verb == command.verb
                and sheet.arguments == arguments
                and not folder.taken(sheet.id)
                and not self._refused(sheet)
            ),
            None,
        )

    def _refused(self, sheet: Sheet) -> bool:
        try:
            answer = self._desk.folder.answer(sheet.id)
        except BadInput:
            return False  # Whoever reads it says what is wrong with it.
        return answer is not None and answer.said in {Said.NOT_DONE, Said.WITHDRAWN}

    async def _hand_out(self, command: Command) -> Sheet:
        sheet_id = await asyncio.to_thread(self._desk.folder.reserve)
        sheet = self._sheet(sheet_id, command)
        await mark(HANDED_OUT, sheet=sheet_id)
        await asyncio.to_thread(self._desk.folder.hand_out, sheet, papers_of(sheet))
        return sheet

    def _sheet(self, sheet_id: str, command: Command) -> Sheet:
        lines = lines_of(command, self._bench)
        asks = numbers_asked(
            command,
            self._bench,
            unit=self._desk.unit,
            lowest=self._desk.lowest,
            highest=self._desk.highest,
        )
        return Sheet(
            id=sheet_id,
            device=self.name,
            verb=command.verb,
            arguments=_plain(command.to_json()),
            title=title_of(command),
            lines=lines,
            labware=shown(lines, self._bench, dict(self._desk.barcodes)),
            asks=asks,
            made_utc=_now_utc(),
            step=step_under_way(),
        )

    def _read(self, sheet: Sheet) -> HandIn | None:
        """What was handed in, if it is what was asked for; None while nothing was.

        Raises:
            NonsenseReply: it is not; it never counts, and the next try is a new worklist.
        """
        try:
            answer = self._desk.folder.answer(sheet.id)
            problems = () if answer is None else answer.problems(sheet.asks)
        except BadInput as damaged:
            self._desk.folder.take(sheet.id)
            raise NonsenseReply(f"what was handed in for {sheet.id} can't be read: {damaged}") from damaged
        if problems:
            self._desk.folder.take(sheet.id)
            raise NonsenseReply(f"what was handed in for {sheet.id} can't be used: {' '.join(problems)}")
        return answer

    async def _reconcile(self, command: C, marks: Sequence[Mark], result: Result[C]) -> Reconciliation:
        """What came of a worklist: what the person says. One that is out is waited for again, by whoever goes on."""
        last = next((one.details["sheet"] for one in reversed(marks) if one.name == HANDED_OUT), "")
        try:
            answer = await asyncio.to_thread(self._handed_in, last)
        except OSError as error:
            raise ConnectionLost(f"the worklists in {self._where} can't be reached ({error}).") from error
        except (BadInput, NonsenseReply) as damaged:
            # What leaves the material as it is can be asked for again; of all else nobody knows.
            again = Answer.UNKNOWN if command.touches else Answer.NOT_DONE
            return Reconciliation(answer=again, sentence=f"{damaged}")
        if isinstance(answer, Reconciliation):
            return answer
        if answer.said is Said.DONE:
            done = await result(command, answer)
            return Reconciliation(answer=Answer.DONE, sentence=_told(answer), result=done)
        said = Answer.NOT_DONE if answer.said is Said.NOT_DONE else Answer.UNKNOWN
        return Reconciliation(answer=said, sentence=_told(answer))

    def _handed_in(self, last: str) -> HandIn | Reconciliation:
        """What was said of a step's last worklist, or why nothing was.

        Raises:
            BadInput, NonsenseReply: what is in the folder can't be used.
            OSError: the folder can't be reached.
        """
        if not self._desk.folder.exists(last):
            return Reconciliation(answer=Answer.NOT_DONE, sentence="No worklist was handed out.")
        answer = self._read(self._desk.folder.sheet(last))
        if answer is None:
            sentence = f"{last} is still out, and the run waits for it again."
            return Reconciliation(answer=Answer.NOT_DONE, sentence=sentence, amid=True)
        # Nothing is taken: whoever only asks may be asking about a step that is sent again, and then finds the answer.
        return answer

    async def _closed(self, marks: Sequence[Mark], why: str) -> None:
        """A step is over: its last worklist is taken back where it is out still, and counts for nothing any more."""
        last = next((one.details["sheet"] for one in reversed(marks) if one.name == HANDED_OUT), "")
        try:
            if await asyncio.to_thread(self._desk.folder.exists, last):
                await asyncio.to_thread(self._desk.folder.withdraw, last, why, _now_utc())
                await asyncio.to_thread(self._desk.folder.take, last)
        except OSError as error:
            raise ConnectionLost(f"{last} can't be taken back ({error}).") from error

    async def _restored(self, result: JsonValue) -> None:
        """A step counts as done: what was handed in for it is its own, and no later one's.

        One that a person has settled (``drywet resolve``) has no result; its worklist was taken when it was handed in.
        """
        if result is not None:
            await asyncio.to_thread(self._desk.folder.take, result["sheet"])


def _now_utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _plain(arguments: Any) -> Any:
    """Arguments as JSON gives them back: lists for tuples."""
    if isinstance(arguments, Mapping):
        return {name: _plain(value) for name, value in arguments.items()}
    if isinstance(arguments, list | tuple):
        return [_plain(value) for value in arguments]
    if isinstance(arguments, float) and not math.isfinite(arguments):
        raise NonsenseReply(f"{arguments} can't stand on a worklist.", nothing_done=True)
    return arguments


async def _signed(command: Command, answer: HandIn) -> JsonValue:
    return {"sheet": answer.sheet, "by": answer.by, "at_utc": answer.at_utc, "note": answer.note}


def _told(answer: HandIn) -> str:
    """What a person said, in a sentence."""
    words = {
        Said.DONE: "was done",
        Said.NOT_DONE: "was not done",
        Said.UNSURE: "may or may not be done",
        Said.WITHDRAWN: "was withdrawn",
    }
    note = f" {answer.note.rstrip('.')}." if answer.note else ""
    return f"{answer.by} says that {answer.sheet} {words[answer.said]}.{note}"
