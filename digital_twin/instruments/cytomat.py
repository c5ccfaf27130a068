"""A Thermo Cytomat over the world, behind its serial line: it answers lines, and moves plates on its own.

A move is acknowledged when it is accepted and goes on by itself: the handler takes the plate, and some time later puts it
down. Errors of a move stand in its register until they are reset. Its places are as warm as it was set to at its panel.

A world that was rebuilt while the handler held a plate has a handler that holds it still, as after a power cut.

Faults come from a script, in the words of PyLabRobot's list: busy is ``er 01``, an error of the instrument ``er 11``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from devices.identity import TWIN_SERIAL
from devices.plate_hotel.cytomat import Cytomat, cytomat_driver
from devices.plate_hotel.store import CARRYING_S, StoreDriver
from digital_twin.faults import NO_FAULTS, FaultScript, Repertoire, Request
from digital_twin.instruments.faulty_line import FaultyLine, LineFaults
from digital_twin.instruments.line_faults import SWITCHED, UNANSWERED
from digital_twin.instruments.line_port import TwinPort
from digital_twin.thermal import ROOM_C
from digital_twin.world import Impossible, World
from lab.errors import FaultKind as K

__all__ = ["CYTOMAT", "CytomatTwin", "cytomat_twin"]

TAKING_S = 0.4 * CARRYING_S
"""Until the handler has the plate; the rest is the way and putting it down."""

INITIALISING_S = 60.0
NOT_LOADED, NOT_UNLOADED = "02", "03"
"""Of the error register."""

_MOVE = re.compile(r"mv:(st|ts) (\d{3})$")
_REFUSALS = {K.BUSY: "er 01", K.INSTRUMENT_ERROR: "er 11"}
_PARTS = (
    (re.compile(r"mv:st"), Request("bring_out", frozenset({"fetch"}))),
    (re.compile(r"mv:ts"), Request("take_in", frozenset({"store"}))),
    (re.compile(r"ch:bs"), Request("ask", frozenset({"fetch", "store"}))),
)

CYTOMAT = LineFaults(
    repertoire=Repertoire(
        parts={"bring_out": SWITCHED | {K.BUSY}, "take_in": SWITCHED | {K.BUSY}, "ask": UNANSWERED},
        verbs={
            "fetch": dict.fromkeys(SWITCHED | {K.BUSY}, "bring_out"),
            "store": dict.fromkeys(SWITCHED | {K.BUSY}, "take_in"),
        },
    ),
    read=lambda line, world: next((request for form, request in _PARTS if form.match(line)), None),
    words={"bring_out": _REFUSALS, "take_in": _REFUSALS},
)
"""Of a Cytomat."""


def cytomat_twin(
    world: World,
    *,
    name: str,
    model: str,
    places: Sequence[str],
    station: str,
    nominal_c: float | None = None,
    script: FaultScript = NO_FAULTS,
) -> StoreDriver:
    """The driver of a simulated Cytomat: the real one's, over a port that is the twin.

    Args:
        name: of the device in the workcell.
        model: as the driver calls it.
        places: positions inside, in the order of their numbers.
        station: position of the transfer station.
        nominal_c: what it is set to at its panel; None: not heated.
        script: faults of the bench.

    Raises:
        BadInput: a rule of the script that could never strike.
    """
    twin = CytomatTwin(world, name=name, places=places, station=station, nominal_c=nominal_c)
    faulty = FaultyLine(twin, CYTOMAT, world=world, name=name, script=script)
    return cytomat_driver(Cytomat(model, TwinPort(faulty)), serial=f"{TWIN_SERIAL}-CYTOMAT-{world.seed}")


class CytomatTwin:
    """The incubator. Implements :class:`devices.transport.LineInstrument`; arguments as of :func:`cytomat_twin`."""

    def __init__(
        self, world: World, *, name: str, places: Sequence[str], station: str, nominal_c: float | None = None
    ) -> None:
        self._world = world
        self._name = name
        self._places = list(places)
        self._station = station
        self._nominal_c = nominal_c
        self._motion: asyncio.Task[None] | None = None
        self._error = "00"

    async def reply(self, line: str) -> str:
        """The answer to one line."""
        self._keep_warm()
        asked = line.strip()
        if asked == "ch:bs":
            return f"bs {self._overview()}"
        if asked == "ch:be":
            return f"be {self._error}"
        if asked == "ch:it":
            return f"it {self._set_c:+06.1f} {self._world.temperature_c(self._places[0]):+06.1f}"
        if asked == "rs:be":
            self._error = "00"
            return "ok 00"
        if self._busy:
            return "er 01"
        if asked == "ll:in":
            self._begin(None, None)
            return f"ok {self._overview()}"
        found = _MOVE.match(asked)
        if found is None:
            return "er 02"
        number = int(found[2])
        if not 1 <= number <= len(self._places):
            return "er 05"
        place = self._places[number - 1]
        start, end = (place, self._station) if found[1] == "st" else (self._station, place)
        refused = self._refused(start, end)
        if refused:
            return refused
        self._begin(start, end)
        return f"ok {self._overview()}"

    @property
    def _busy(self) -> bool:
        return self._motion is not None and not self._motion.done()

    @property
    def _set_c(self) -> float:
        return ROOM_C if self._nominal_c is None else self._nominal_c

    def _keep_warm(self) -> None:
        """Its places are kept at what its panel says, from the first time that anybody asks it for anything."""
        if self._nominal_c is None:
            return
        for place in self._places:
            if self._world.state.climates[place].set_c != self._nominal_c:
                self._world.act(self._name, "set_temperature", position=place, temperature_c=self._nominal_c)

    def _refused(self, start: str, end: str) -> str:
        if self._world.held(self._name) is not None:
            return "er 21"
        if start == self._station and self._world.at(start) is None:
            return "er 31"
        if end == self._station and self._world.at(end) is not None:
            return "er 32"
        return ""

    def _overview(self) -> str:
        bits = (
            self._world.at(self._station) is not None,
            False,
            False,
            self._world.held(self._name) is not None,
            self._error != "00",
            False,
            True,
            self._busy,
        )
        return f"{sum(bit << (7 - n) for n, bit in enumerate(bits)):02X}"

    def _begin(self, start: str | None, end: str | None) -> None:
        self._motion = asyncio.get_running_loop().create_task(self._carry(start, end))

    async def _carry(self, start: str | None, end: str | None) -> None:
        if start is None or end is None:
            await asyncio.sleep(INITIALISING_S)
            return
        await asyncio.sleep(TAKING_S)
        try:
            self._world.act(self._name, "pick", position=start)
        except Impossible:
            self._error = NOT_LOADED
            return
        await asyncio.sleep(CARRYING_S - TAKING_S)
        try:
            self._world.act(self._name, "place", position=end)
        except Impossible:
            self._error = NOT_UNLOADED
