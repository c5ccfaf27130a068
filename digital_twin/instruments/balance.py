"""A Mettler Toledo WXS205SDU over the world, behind its serial line: it answers MT-SICS.

It does one thing at a time, as the manual says: what comes meanwhile is answered ``I``, but for ``@``, which ends what it
waits for. A weighing looks at its load when it is steady.

Faults come from a script, in the words of the manual: busy is ``I``, an error of the instrument is a load past its range.
"""

from __future__ import annotations

import asyncio
import re

from devices.balance.balance import BalanceDriver
from devices.balance.mettler_toledo import WXS205, MtSics, mettler_toledo_driver
from devices.identity import TWIN_SERIAL
from digital_twin.actions.machines import load_g
from digital_twin.faults import NO_FAULTS, FaultScript, Repertoire, Request
from digital_twin.instruments.faulty_line import FaultyLine, LineFaults
from digital_twin.instruments.line_faults import SWITCHED
from digital_twin.instruments.line_port import TwinPort
from digital_twin.world import World
from lab.errors import FaultKind as K

__all__ = ["METTLER_TOLEDO", "BalanceTwin", "mettler_toledo_twin"]

ZERO_RANGE_G = 4.0
"""Further from its zero at switching on it can't be set to zero: 2 % of its range."""

CANCEL_S = 0.05
"""After ``@`` it answers what it waited for first."""

_PARTS = (
    (re.compile(r"ZI?$"), Request("zero", frozenset({"zero"}))),
    (re.compile(r"SI?$"), Request("weigh", frozenset({"weigh"}))),
)

METTLER_TOLEDO = LineFaults(
    repertoire=Repertoire(
        parts={"zero": SWITCHED | {K.BUSY}, "weigh": SWITCHED | {K.BUSY}},
        verbs={
            "zero": dict.fromkeys(SWITCHED | {K.BUSY}, "zero"),
            "weigh": dict.fromkeys(SWITCHED | {K.BUSY}, "weigh"),
        },
    ),
    read=lambda line, world: next((request for form, request in _PARTS if form.match(line)), None),
    words={
        "zero": {K.BUSY: "Z I", K.INSTRUMENT_ERROR: "Z +"},
        "weigh": {K.BUSY: "S I", K.INSTRUMENT_ERROR: "S +"},
    },
)
"""Of a balance that speaks MT-SICS."""


def mettler_toledo_twin(
    world: World, *, name: str, position: str, script: FaultScript = NO_FAULTS
) -> BalanceDriver:
    """The driver of a simulated balance: the real one's, over a port that is the twin.

    Args:
        name: of the device in the workcell; keys its noise.
        position: its pan.
        script: faults of the bench.

    Raises:
        BadInput: a rule of the script that could never strike.
    """
    model = BalanceTwin(world, name=name, position=position)
    faulty = FaultyLine(model, METTLER_TOLEDO, world=world, name=name, script=script)
    return mettler_toledo_driver(MtSics(TwinPort(faulty)))


class BalanceTwin:
    """The balance. Implements :class:`devices.transport.LineInstrument`.

    Args:
        name: of the device.
        position: its pan.
    """

    def __init__(self, world: World, *, name: str, position: str) -> None:
        self._world = world
        self._name = name
        self._position = position
        self._waiting: asyncio.Event | None = None

    async def reply(self, line: str) -> str:
        """The answer to one line."""
        word = line.strip()
        serial = f'I4 A "{TWIN_SERIAL}-WXS205-{self._world.seed}"'
        if word == "@":
            if self._waiting is not None:
                self._waiting.set()
                await asyncio.sleep(CANCEL_S)
            return serial
        if self._waiting is not None:
            return f"{word[:1] or 'S'} I"
        match word:
            case "I2":
                return 'I2 A "WXS205SDU"'
            case "I3":
                return 'I3 A "simulated"'
            case "I4":
                return serial
            case "M21 0 0":
                return "M21 A"
            case "S":
                return await self._steady("S") or self._weighed("S")
            case "SI":
                return self._weighed("D")
            case "Z":
                return await self._steady("Z") or self._zeroed("Z A")
            case "ZI":
                return self._zeroed("ZI D")
        return "ES"

    async def _steady(self, word: str) -> str:
        """Wait until it is; empty when it is, and the answer where ``@`` came between."""
        self._waiting = asyncio.Event()
        try:
            async with asyncio.timeout(WXS205.settle_s):
                await self._waiting.wait()
        except TimeoutError:
            return ""
        finally:
            self._waiting = None
        return f"{word} I"

    def _weighed(self, status: str) -> str:
        shown_g = self._world.act(self._name, "weigh", position=self._position)
        if shown_g > WXS205.capacity_g:
            return "S +"
        return f"S {status} {shown_g:10.5f} g"

    def _zeroed(self, done: str) -> str:
        state = self._world.state
        if load_g(state, state.at(self._position)) > ZERO_RANGE_G:
            return "Z +"
        self._world.act(self._name, "zero_balance", position=self._position)
        return done
