"""New Era NE-1000 series syringe pumps over their serial line, in safe mode.

Command set of the user manual (publication 1200-01), as the open driver nesp-lib speaks it: an address, a command of three
letters, its value; every answer is the address in two digits, a prompt that says what the pump is at, and a value. ``?`` and
a word refuse a command; ``A?`` and a letter are an alarm, which is told once, in place of the answer, and takes no command
with it. The pump counts what it has given (``DIS``) until it is told to forget it (``CLD``) or loses power.

In safe mode the pump stops by itself when it hears nothing for a while (``SAF``): that is its watchdog.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR, StrictEnum
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import LineDevice, Query
from devices.fence import mark
from devices.identity import TWIN_SERIAL, Identity, origin_of
from devices.syringe_pump.commands import Dispense
from devices.syringe_pump.safe_mode import SafeMode
from devices.transport import Framing, Transport
from devices.tube import HANDLING_S, VESSEL_WELL
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import BadInput, DeviceFault, InstrumentError, NonsenseReply, ShortVolume
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["FRAMING", "NE1000", "Alarm", "Prompt", "number"]

FRAMING = SafeMode(baud=19200)

WATCHDOG_S = 30
"""The pump stops when it hears nothing for so long."""

POLL_S = 5.0
"""Between two questions to a pump that works; well within the watchdog."""

DIGITS = 4
"""Of any number that the pump writes (the manual, section 10.3)."""

RESOLUTION_UL = 0.002
"""Of what the pump says that it gave, beside four digits of the number."""

FASTEST_MM_PER_MIN = 51.005
"""Speed of the pusher: 5.1005 cm/min (the manual's specifications)."""


class Prompt(StrictEnum):
    """What the pump is at."""

    INFUSING = "infusing"
    WITHDRAWING = "withdrawing"
    STOPPED = "stopped"
    PAUSED = "paused"
    PAUSE_PHASE = "pause_phase"
    WAITING = "waiting"
    PURGING = "purging"


PROMPTS = {
    "I": Prompt.INFUSING,
    "W": Prompt.WITHDRAWING,
    "S": Prompt.STOPPED,
    "P": Prompt.PAUSED,
    "T": Prompt.PAUSE_PHASE,
    "U": Prompt.WAITING,
    "X": Prompt.PURGING,
}

ALARMS = {
    "R": "it was reset: power was interrupted",
    "S": "its motor is stalled",
    "T": "it heard nothing for too long and stopped",
    "E": "its pumping program is wrong",
    "O": "a phase of its pumping program is out of range",
}

REFUSALS = {
    "": "it does not know this",
    "NA": "this can't be done now",
    "OOR": "the value is out of range",
    "COM": "the packet arrived damaged",
    "IGN": "it ignores this now",
}


class Alarm(InstrumentError):
    """The pump stands still and says why. It is said once, and what was asked was not carried out.

    Args:
        letter: of the alarm.
    """

    def __init__(self, letter: str) -> None:
        self.letter = letter
        super().__init__(f"alarm {letter}: {ALARMS[letter]}.")


_ANSWER = re.compile(r"(\d\d)([IWSPTUX])(.*)", re.DOTALL | re.ASCII)
_ALARM = re.compile(r"(\d\d)A\?([RSTEO])", re.ASCII)
_GIVEN = re.compile(r"I(\d+\.?\d*|\.\d+)W(\d+\.?\d*|\.\d+)(UL|ML)", re.ASCII)


class PumpDialect:
    """Answers of the pump that is alone on its line; what is left is the prompt and the value, as ``S 5.000UL``."""

    framing: Framing = FRAMING
    address = 0
    """On the line; 0 is what pumps come with, and what answers a command without one."""

    def payload(self, request: str, reply: str) -> str:
        """Prompt and value of an answer.

        Raises:
            Alarm: the pump tells an alarm in place of the answer.
            InstrumentError: it refuses the command.
            NonsenseReply: no answer of this pump.
        """
        if alarm := _ALARM.fullmatch(reply):
            self._check(alarm[1], reply)
            raise Alarm(alarm[2])
        answer = _ANSWER.fullmatch(reply)
        if answer is None:
            raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
        self._check(answer[1], reply)
        if answer[3].startswith("?"):
            why = REFUSALS.get(answer[3][1:])
            if why is None:
                raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
            raise InstrumentError(f"{request!r} is refused: {why}.")
        return f"{answer[2]} {answer[3]}"

    def pick(self, payload: str, name: str) -> str:
        """``prompt``, or the volume ``given_ul`` out of the answer to ``DIS``."""
        prompt, _, value = payload.partition(" ")
        if name == "prompt":
            return prompt
        given = _GIVEN.fullmatch(value)
        if given is None or sum(map(str.isdigit, given[1])) > DIGITS:
            raise NonsenseReply(f"{value!r} is no dispensed volume.")
        return repr(float(given[1]) * (1000.0 if given[3] == "ML" else 1.0))

    def _check(self, address: str, reply: str) -> None:
        if int(address) != self.address:
            raise NonsenseReply(f"{reply!r} is the answer of pump {int(address)}.")


def number(value: float) -> str:
    """A number as the pump takes it: four digits, a point, at most three digits after it.

    Raises:
        ValueError: it does not fit.
    """
    for places in (3, 2, 1, 0):
        text = f"{value:.{places}f}"
        if len(text.replace(".", "")) <= 4:
            return text
    raise ValueError(f"{value:g} has more than four digits")


STATE = Query("", field="prompt", words=PROMPTS)
GIVEN = Query("DIS", field="given_ul", units="uL", within=(0.0, 9_999_000.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Syringe:
    """What is clamped in the pump.

    Args:
        diameter_mm: inside.
        volume_ul: that it holds.
        outlet: well over which its tube ends.
    """

    diameter_mm: float
    volume_ul: float
    outlet: str = VESSEL_WELL

    def __post_init__(self) -> None:
        if not 0.1 <= self.diameter_mm <= 50.0:
            raise BadInput(
                f"No syringe for this pump is {self.diameter_mm:g} mm wide.",
                way_out="Write its inside diameter, 0.1 to 50 mm; the maker of the syringe states it.",
                field="settings.diameter_mm",
            )
        if not 0.0 < self.volume_ul <= 140_000.0:
            raise BadInput(
                f"No syringe for this pump holds {self.volume_ul:g} uL.", field="settings.syringe_volume_ul"
            )

    @property
    def fastest_ul_per_min(self) -> float:
        """At the highest speed of the pusher."""
        return math.pi * self.diameter_mm**2 / 4.0 * FASTEST_MM_PER_MIN


class NE1000(LineDevice):
    """One pump with one syringe whose tube ends over one well.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        syringe: in it.
        limits: of the workcell file: ``volume_ul``, ``rate_ul_per_min``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    dialect = PumpDialect()
    framing: ClassVar[Framing] = FRAMING
    forgets_when_safe: ClassVar[bool] = False

    state: Annotated[SignalR[Prompt], Format.UNCACHED_SIGNAL, STATE]
    given_ul: Annotated[SignalR[float], Format.HINTED_UNCACHED_SIGNAL, GIVEN]

    def __init__(
        self, name: str, transport: Transport, *, syringe: Syringe, limits: Limits | None = None
    ) -> None:
        super().__init__(name, transport)
        self._syringe = syringe
        self._power_lost = False
        self._attended = False
        self._told: Alarm | None = None
        # An alarm is told once, to whoever asks next, and that may be a view that shows the pump.
        self._link.on_fault = self._note
        fastest = min(syringe.fastest_ul_per_min, 9999.0)
        maker = {"volume_ul": (0.01, min(syringe.volume_ul, 9999.0)), "rate_ul_per_min": (0.01, fastest)}
        self.dispense = Verb(
            self._carry_out,
            command=Dispense,
            limits=narrowed(maker, limits),
            estimate=lambda command, bench: HANDLING_S + command.volume_ul / command.rate_ul_per_min * 60.0,
            objections=self._objections,
            reconcile=self._reconcile,
        )

    async def safe(self) -> None:
        """The pusher stands still. What the pump counted is kept.

        Raises:
            InstrumentError: it does not stop.
        """
        for _ in range(3):
            # The first stop pauses a program, the second ends it; an alarm comes in place of one answer.
            if await self._prompt() == Prompt.STOPPED:
                return
            await self._past_alarm("STP")
        if (state := await self._prompt()) != Prompt.STOPPED:
            raise InstrumentError(f"it is {state} though it was told to stop.")

    async def _introduce(self) -> Identity:
        text = (await self._past_alarm("VER")).partition(" ")[2]
        found = re.fullmatch(r"NE(\w+?)V(\d+\.\d+)", text, re.ASCII)
        if found is None:
            raise NonsenseReply(f"{text!r} is no version of a New Era pump.")
        # The firmware has no serial number: the address on the line stands in. Those of twins have version 0.
        twin = found[2].startswith("0.")
        serial = f"{TWIN_SERIAL}-{self.dialect.address}" if twin else f"address {self.dialect.address}"
        return Identity(
            vendor="New Era",
            model=f"NE-{found[1]}",
            serial=serial,
            firmware=found[2],
            origin=origin_of(serial),
        )

    def _objections(self, command: Dispense, bench: Bench | None) -> tuple[str, ...]:
        if command.well != self._syringe.outlet:
            return (f"its tube ends over {self._syringe.outlet}, not over {command.well}.",)
        return ()

    async def _carry_out(self, command: Dispense) -> JsonValue:
        """Set the pump and start it; it stops by itself. Whatever goes wrong, the pusher stands still."""
        self._power_lost, self._attended = False, True
        try:
            await mark("set")
            await self._set(command)
            self._power_lost, self._told = False, None
            await mark("give")
            await self._link.ask("RUN")
            await self._wait_out(
                lambda: self._left_s(command),
                poll_s=1.0,
                stuck=lambda: InstrumentError("what it counts does not grow."),
            )
            given_ul = float(await self._link.read(GIVEN))
            if given_ul < command.volume_ul - self._tolerance_ul(command):
                if self._told is not None:
                    raise Alarm(self._told.letter)
                raise ShortVolume(f"it stopped at {given_ul:g} of {command.volume_ul:g} uL.")
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        return {"given_ul": given_ul}

    async def _set(self, command: Dispense) -> None:
        """All that the pump must know, with its count at nothing; it stands still meanwhile."""
        await self.safe()
        for line in (
            f"SAF{WATCHDOG_S}",
            f"DIA{number(self._syringe.diameter_mm)}",
            "DIRINF",
            "VOLUL",
            f"VOL{number(command.volume_ul)}",
            f"RAT{number(command.rate_ul_per_min)}UM",
            "CLDINF",
        ):
            await self._link.ask(line)
        for line, value in (("VOL", command.volume_ul), ("RAT", command.rate_ul_per_min)):
            await self._check_kept(line, value)
        if (counted_ul := float(await self._link.read(GIVEN))) != 0.0:
            raise InstrumentError(f"it counts {counted_ul:g} uL though it was told to forget them.")

    async def _check_kept(self, line: str, value: float) -> None:
        text = (await self._link.ask(line)).partition(" ")[2]
        kept = re.fullmatch(r"(\d*\.?\d+|\d+\.)(UL|UM)", text, re.ASCII)
        if kept is None:
            raise NonsenseReply(f"{text!r} is no answer to {line!r}.")
        if float(kept[1]) != float(number(value)):
            raise InstrumentError(f"it keeps {text} for {line}, not {number(value)}.")

    async def _left_s(self, command: Dispense) -> float:
        """How long the pump still takes; 0 when it stands."""
        answer = await self._link.ask("DIS")
        if PROMPTS[self.dialect.pick(answer, "prompt")] != Prompt.INFUSING:
            return 0.0
        left_ul = command.volume_ul - float(self.dialect.pick(answer, "given_ul"))
        return min(max(left_ul / command.rate_ul_per_min * 60.0, 0.1), POLL_S)

    async def _reconcile(self, command: Dispense, marks: Sequence[Mark]) -> Reconciliation:
        """What the pump counted since it was told to forget.

        =======  =====================================================================================================
        none     not done: nothing moved
        set      not done: the pump was set at most
        give     the count began at nothing. Done if it is all of it; in between, that much was given, and a person
                 decides. Not done if it is nothing, the pump stands, and this program has heard it since. Nobody knows
                 where it lost power, for then it forgets; it says so once, which another program may have heard
        =======  =====================================================================================================
        """
        if not marks or marks[-1].name == "set":
            return Reconciliation(answer=Answer.NOT_DONE, sentence="The pump had not been started.")
        state = await self._prompt()
        if self._power_lost:
            return Reconciliation(
                answer=Answer.UNKNOWN, sentence="The pump lost power, and what it counted with it."
            )
        given_ul = float(await self._link.read(GIVEN))
        if given_ul >= command.volume_ul - self._tolerance_ul(command):
            return Reconciliation(
                answer=Answer.DONE,
                sentence=f"The pump counts {given_ul:g} uL.",
                result={"given_ul": given_ul},
            )
        if state != Prompt.STOPPED:
            return Reconciliation(answer=Answer.UNKNOWN, sentence=f"The pump is {state} still.", amid=True)
        if given_ul == 0.0 and not self._attended:
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="The pump counts nothing: it was never started, or has lost power since.",
            )
        if given_ul == 0.0:
            return Reconciliation(answer=Answer.NOT_DONE, sentence="The pump counts nothing and stands.")
        return Reconciliation(
            answer=Answer.UNKNOWN,
            sentence=f"The pump stopped at {given_ul:g} of {command.volume_ul:g} uL.",
            part={"given_ul": given_ul},
        )

    @staticmethod
    def _tolerance_ul(command: Dispense) -> float:
        # Four digits, the last of which may be cut off.
        return max(RESOLUTION_UL, 1.5e-3 * command.volume_ul)

    async def _prompt(self) -> str:
        return PROMPTS[(await self._past_alarm("")).partition(" ")[0]]

    async def _past_alarm(self, request: str) -> str:
        """Ask again after an alarm that was told in place of the answer; only for what may be asked in any state."""
        try:
            return await self._link.ask(request)
        except Alarm:
            return await self._link.ask(request)

    def _note(self, fault: DeviceFault) -> None:
        if isinstance(fault, Alarm):
            self._told = fault
            self._power_lost = self._power_lost or fault.letter == "R"
