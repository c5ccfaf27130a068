"""Cole-Parmer Masterflex L/S peristaltic pump drives over their serial line, through PyLabRobot's backend.

Command set of the drives' manuals (A-1299-0726 and A-1299-1127b, Masterflex linkable and computerized drives) as
PyLabRobot and two open drivers (Wyss/masterflex; a MATLAB class for the 7550-20) speak it: a start of text, ``P`` and the
drive's number in two digits, a command, a carriage return. What is told is answered by one character, ACK or NAK; what is
asked, by a start of text, the value behind the letter of the question, and a carriage return.

=====  =============================================  ===============
ENQ    who is there                                   ``P?0``, ``P02I00000``
R      listen to this line, not to the panel          ACK
S+     speed, rpm; ``+`` is clockwise                 ACK
Z, Z0  forget the turns to go; the turns counted      ACK
V      turns to run, then ``G`` to run them           ACK
H      halt                                           ACK
C, E   turns counted; turns to go                     ``C0000012.50``
=====  =============================================  ===============

There is neither a checksum nor a watchdog; but the drive runs a number of turns and stops by itself, and counts them. Turns
counted and turns to go are held against what was asked for.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import LineDevice, Query
from devices.fence import mark
from devices.identity import TWIN_SERIAL, Identity, origin_of
from devices.pump.commands import Deliver
from devices.pump.masterflex_line import ACK, ENQUIRY, NAK, MasterflexFraming
from devices.transport import Framing, Transport
from devices.tube import HANDLING_S, VESSEL_WELL
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import BadInput, InstrumentError, NonsenseReply, ShortVolume
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["MOST_TURNS", "Masterflex", "Tubing"]

MOST_TURNS = 99_999.99
"""Of one run; the drive counts them in hundredths."""

MOST_COUNTED = 500_000.0
"""Weeks at the panel, where nobody told the drive to forget; more is no count."""

TURN = 0.01

POLL_S = 5.0


class MasterflexDialect:
    """Answers of a drive, without start of text and carriage return."""

    framing: Framing = MasterflexFraming()

    def payload(self, request: str, reply: str) -> str:
        """The value of an answer; empty for ACK.

        Raises:
            InstrumentError: it does not take the command.
            NonsenseReply: no answer to this.
        """
        if reply == NAK:
            raise InstrumentError(f"{request!r} is refused.")
        asks = request in ("C", "E", "I", ENQUIRY)
        if reply == ACK and not asks:
            return ""
        if not asks or reply in ("", ACK):
            raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
        if request in ("C", "E"):
            if not reply.startswith(request):
                raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
            return reply[1:]
        return reply

    def pick(self, payload: str, name: str) -> str:
        """The number of turns."""
        if re.fullmatch(r" *\d{1,8}(\.\d{1,2})?", payload, re.ASCII) is None:
            raise NonsenseReply(f"{payload!r} is no number of {name}.")
        return payload.strip()


COUNTED = Query("C", field="turns", units="rev", within=(0.0, MOST_COUNTED))
TO_GO = Query("E", field="turns", units="rev", within=(0.0, MOST_TURNS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tubing:
    """What is in the pump head.

    Args:
        ul_per_turn: that this tube gives, measured.
        rpm: lowest and highest speed of the drive.
        outlet: well over which the tube ends.
    """

    ul_per_turn: float
    rpm: tuple[float, float] = (10.0, 600.0)
    outlet: str = VESSEL_WELL

    def __post_init__(self) -> None:
        if not 0.1 <= self.ul_per_turn <= 100_000.0:
            raise BadInput(
                f"No tube for this pump gives {self.ul_per_turn:g} uL a turn.",
                way_out="Pump for 100 turns into a weighed vessel, and write a hundredth of it.",
                field="settings.ul_per_turn",
            )
        if not 0.1 <= self.rpm[0] < self.rpm[1] <= 999.9:
            raise BadInput(
                f"No drive turns at {self.rpm[0]:g} to {self.rpm[1]:g} rpm.",
                way_out="Write its range, as [10, 600] or [1.6, 100].",
                field="settings.rpm",
            )


class Masterflex(LineDevice):
    """One drive whose tube goes from one vessel to over one well.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        tubing: in its head.
        limits: of the workcell file: ``volume_ul``, ``rate_ul_per_min``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    dialect = MasterflexDialect()
    framing: ClassVar[Framing] = MasterflexDialect.framing
    forgets_when_safe: ClassVar[bool] = False

    counted_turns: Annotated[SignalR[float], Format.HINTED_UNCACHED_SIGNAL, COUNTED]
    turns_to_go: Annotated[SignalR[float], Format.UNCACHED_SIGNAL, TO_GO]

    def __init__(
        self, name: str, transport: Transport, *, tubing: Tubing, limits: Limits | None = None
    ) -> None:
        super().__init__(name, transport)
        self._tubing = tubing
        self._attended = False
        per_turn = tubing.ul_per_turn
        maker = {
            "volume_ul": (per_turn * TURN, per_turn * MOST_TURNS),
            "rate_ul_per_min": (per_turn * tubing.rpm[0], per_turn * tubing.rpm[1]),
        }
        self.deliver = Verb(
            self._carry_out,
            command=Deliver,
            limits=narrowed(maker, limits),
            estimate=lambda command, bench: HANDLING_S + command.volume_ul / command.rate_ul_per_min * 60.0,
            objections=self._objections,
            reconcile=self._reconcile,
        )

    async def safe(self) -> None:
        """The rollers stand still, and have no turns left to run. What they counted is kept.

        Raises:
            InstrumentError: it does not stop.
        """
        # A drive that its panel was given back takes no command but this one.
        await self._link.ask("R")
        await self._link.ask("H")
        await self._link.ask("Z")

    async def _introduce(self) -> Identity:
        text = await self._link.ask(ENQUIRY)
        if re.fullmatch(r"P\?.", text, re.ASCII):
            # As after it was switched on: it waits for a number, and tells its status from then on.
            await self._link.ask("")
            text = await self._link.ask("I")
        found = re.fullmatch(r"P(\d\d)I(\d{5}|SIMUL)", text, re.ASCII)
        if found is None:
            raise NonsenseReply(f"{text!r} is no answer of a Masterflex drive.")
        # Drives have no serial number: the one on their line stands in. The status of a twin is none of the maker's.
        serial = f"drive {found[1]}" if found[2].isdecimal() else f"{TWIN_SERIAL}-{found[1]}"
        return Identity(
            vendor="Cole-Parmer",
            model="Masterflex L/S",
            serial=serial,
            firmware="not told",
            origin=origin_of(serial),
        )

    def _objections(self, command: Deliver, bench: Bench | None) -> tuple[str, ...]:
        if command.well != self._tubing.outlet:
            return (f"its tube ends over {self._tubing.outlet}, not over {command.well}.",)
        return ()

    def _turns(self, command: Deliver) -> float:
        return max(TURN, round(command.volume_ul / self._tubing.ul_per_turn, 2))

    async def _carry_out(self, command: Deliver) -> JsonValue:
        """Set the drive and start it; it stops by itself. Whatever goes wrong, the rollers stand still."""
        turns, per_turn = self._turns(command), self._tubing.ul_per_turn
        self._attended = True
        try:
            await mark("set")
            await self.safe()
            await self._link.ask("Z0")
            await self._link.ask(f"S+{command.rate_ul_per_min / per_turn:05.1f}")
            if (counted := await self._counted()) != 0.0:
                raise InstrumentError(f"it counts {counted:g} turns though it was told to forget them.")
            await mark("give")
            await self._link.ask(f"V{turns}G")
            await self._wait_out(
                lambda: self._left_s(command, turns),
                poll_s=1.0,
                stuck=lambda: InstrumentError("what it counts does not grow."),
            )
            counted = await self._counted()
            if counted < turns - TURN:
                raise ShortVolume(f"it stopped at {counted * per_turn:g} of {command.volume_ul:g} uL.")
            if counted > turns + TURN:
                raise InstrumentError(f"it counts {counted:g} turns where {turns:g} were asked for.")
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        return {"given_ul": counted * per_turn}

    async def _left_s(self, command: Deliver, turns: float) -> float:
        """How long the drive still takes; 0 when it has no turns to go.

        Raises:
            NonsenseReply: turns counted and turns to go are not those that were asked for.
        """
        to_go = float(await self._link.read(TO_GO))
        if to_go > turns + TURN:
            raise NonsenseReply(f"it has {to_go:g} turns to go of {turns:g}.")
        left_ul = to_go * self._tubing.ul_per_turn
        return 0.0 if to_go == 0.0 else min(max(left_ul / command.rate_ul_per_min * 60.0, 0.1), POLL_S)

    async def _counted(self) -> float:
        return float(await self._link.read(COUNTED))

    async def _reconcile(self, command: Deliver, marks: Sequence[Mark]) -> Reconciliation:
        """What the drive counted since it was told to forget.

        =======  =====================================================================================================
        none     not done: nothing moved
        set      not done: the drive was set at most
        give     the count began at nothing. Done if it is all of it; in between, that much was given, and a person
                 decides. Not done if it is nothing and this program told it to forget, for then it was never started.
                 Else nobody knows: a drive that lost power counts nothing either
        =======  =====================================================================================================
        """
        if not marks or marks[-1].name == "set":
            return Reconciliation(answer=Answer.NOT_DONE, sentence="The pump had not been started.")
        turns, counted = self._turns(command), await self._counted()
        to_go = float(await self._link.read(TO_GO))
        given_ul = counted * self._tubing.ul_per_turn
        if counted > turns + TURN:
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence=f"The pump counts {given_ul:g} uL, more than the {command.volume_ul:g} uL it was asked for.",
            )
        if counted >= turns - TURN:
            return Reconciliation(
                answer=Answer.DONE,
                sentence=f"The pump counts {given_ul:g} uL.",
                result={"given_ul": given_ul},
            )
        if to_go > 0.0:
            return Reconciliation(
                answer=Answer.UNKNOWN, sentence=f"The pump has {to_go:g} turns to go still.", amid=True
            )
        if counted == 0.0 and self._attended:
            return Reconciliation(answer=Answer.NOT_DONE, sentence="The pump counts nothing and stands.")
        if counted == 0.0:
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="The pump counts nothing: it was never started, or has lost power since.",
            )
        return Reconciliation(
            answer=Answer.UNKNOWN,
            sentence=f"The pump stopped at {given_ul:g} of {command.volume_ul:g} uL.",
            part={"given_ul": given_ul},
        )
