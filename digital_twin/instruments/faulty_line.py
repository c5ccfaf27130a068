"""An instrument that answers lines, with faults: it stands between the wire and the twin's model.

Nothing above can tell it from an instrument that fails: what comes back are the firmware's own words, or none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from devices.transport import LineInstrument
from digital_twin.faults import RECOVERED, Faults, FaultScript, Repertoire, Request, Strike
from digital_twin.world import World
from lab.errors import FaultKind

__all__ = ["NONSENSE", "FaultyLine", "LineFaults", "Trouble"]

NONSENSE = "\x15?\x7f#"
"""What a line with a loose contact or the wrong speed gives: printable by luck only, and no protocol's answer."""


class Trouble:
    """A fault that outlasts the request it begins with.

    Args:
        request: that was struck.
    """

    def __init__(self, request: str) -> None:
        self.struck = request

    def begin(self) -> str:
        """What reaches the model in place of the request that was struck."""
        return self.struck

    def ends(self, line: str) -> bool:
        """Whether the trouble is over with a request, which then reaches the model as it is."""
        raise NotImplementedError

    def reply(self, line: str, reply: str) -> str:
        """What comes back in place of the model's reply to a request."""
        return reply


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFaults:
    """How one make of instrument fails.

    Args:
        repertoire: what can go wrong.
        read: what a line asks for; None where nothing can go wrong with it.
        words: part of what it does -> kind -> the reply of an instrument that refuses, which then does nothing.
        troubles: kind -> what lasts, made from the request struck. Where there are words too, nothing reaches the model.
    """

    repertoire: Repertoire
    read: Callable[[str, World], Request | None]
    words: Mapping[str, Mapping[FaultKind, str]]
    troubles: Mapping[FaultKind, Callable[[str], Trouble]] = field(default_factory=dict)


class FaultyLine:
    """A model with faults before it. Implements :class:`devices.transport.LineInstrument`.

    Args:
        model: the twin.
        faults: how its make fails.
        world: it stands in.
        name: of the device.
        script: of the bench.

    Raises:
        BadInput: a rule of the script that could never strike.
    """

    def __init__(
        self, model: LineInstrument, faults: LineFaults, *, world: World, name: str, script: FaultScript
    ) -> None:
        self._model = model
        self._faults = faults
        self._world = world
        self._name = name
        self._script = Faults(world, name, faults.repertoire, script)
        self._trouble: Trouble | None = None
        if name in world.state.troubles:
            # The world was rebuilt from a ledger that ends in the midst of it.
            kind, line = world.state.troubles[name]
            self._trouble = faults.troubles[FaultKind(kind)](line)

    async def reply(self, line: str) -> str:
        """The answer to one line, if there is one.

        Raises:
            ConnectionError: the wire is lost.
        """
        request = self._faults.read(line.strip(), self._world)
        strike = self._script.strike(request, line=line.strip(), lasting=self._faults.troubles)
        if strike is None or request is None:
            return await self._ask(line)
        match strike.kind:
            case FaultKind.CONNECTION_LOST | FaultKind.TIMEOUT | FaultKind.NONSENSE_REPLY:
                return await self._without_answer(line, strike)
            case FaultKind.GRIP:
                return await self._without_grip(line, strike)
        words = self._faults.words.get(request.part, {}).get(strike.kind)
        if strike.kind in self._faults.troubles:
            self._trouble = self._faults.troubles[strike.kind](line.strip())
            if words is None:
                asked = self._trouble.begin()
                return self._trouble.reply(line.strip(), await self._model.reply(asked))
        assert words is not None, "a fault that lasts or is answered"
        return words

    async def _without_answer(self, line: str, strike: Strike) -> str:
        """The instrument acts or doesn't; its answer does not arrive as one."""
        if strike.after:
            await self._ask(line)
        match strike.kind:
            case FaultKind.CONNECTION_LOST:
                raise ConnectionError("the cable is out")
            case FaultKind.NONSENSE_REPLY:
                return NONSENSE
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody answers this future")

    async def _without_grip(self, line: str, strike: Strike) -> str:
        """The fingers close on nothing, or what they held falls."""
        if strike.after:
            reply = await self._ask(line)
            if self._world.held(self._name) is None:
                return reply
            self._world.act(self._name, "drop")
        return self._faults.words["pick"][FaultKind.GRIP]

    async def _ask(self, line: str) -> str:
        if self._trouble is not None and self._trouble.ends(line.strip()):
            self._trouble = None
            self._world.act(self._name, RECOVERED)
        reply = await self._model.reply(line)
        return reply if self._trouble is None else self._trouble.reply(line.strip(), reply)
