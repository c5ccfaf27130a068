"""The Opentrons Magnetic Module GEN2 (and GEN1), plugged into an OT-2.

Heights are true millimetres above the ledge that the plate rests on, for commands and for what it shows (OpenAPI document of
the robot's HTTP API, version 8.1.0: ``EngageParams``, ``MagneticModuleData``). The range is what both generations reach:
their home is 2.5 mm below the ledge (Opentrons' protocol engine, ``magnetic_module_substate``). A Magnetic Block has no
magnets that move, and no commands: it is a position of the deck.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
from collections.abc import Sequence
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import LineDevice, Query
from devices.fence import mark
from devices.identity import Identity
from devices.magnet.commands import Disengage, Engage
from devices.opentrons_robot.modules import FRAMING, GET, ModuleDialect, tell
from devices.transport import Framing, Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import InstrumentError
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["HOME_MM", "KIND", "MOVES_S", "MagneticModule"]

KIND = "magneticModuleType"

HOME_MM = -2.5
MOVES_S = 4.0
"""Up or down. No source; on hardware only an estimate."""

ANSWER_S = 15.0
CLOSE_MM = 0.5


class MagneticModule(LineDevice):
    """A Magnetic Module.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        limits: of the workcell file: ``height_mm``, ``hold_s``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    dialect = ModuleDialect(KIND)
    framing: ClassVar[Framing] = FRAMING
    maker_limits: ClassVar[Limits] = {"height_mm": (HOME_MM, 20.0), "hold_s": (0.0, 86_400.0)}

    forgets_when_safe: ClassVar[bool] = False
    """The magnets stay where they are."""

    engaged: Annotated[SignalR[bool], Format.UNCACHED_SIGNAL, Query(GET, field="data.engaged")]
    height_mm: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query(GET, field="data.height", units="mm", within=(-10.0, 50.0)),
    ]

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport)
        self.engage = Verb(
            self._raise,
            command=Engage,
            limits=narrowed(self.maker_limits, limits),
            estimate=self._moves_s,
            reconcile=self._reconcile_engage,
        )
        self.disengage = Verb(
            self._lower, command=Disengage, estimate=self._moves_s, reconcile=self._reconcile_disengage
        )
        self.set_name(name)

    async def safe(self) -> None:
        """Nothing but to see that it answers: magnets hurt nobody where they are, and to let go of beads in the midst of a
        separation could spoil it.

        Raises:
            DeviceFault: it does not answer, or is in error.
        """
        await self._link.ask(GET)

    async def _introduce(self) -> Identity:
        return self.dialect.identity(await self._link.ask(GET))

    def _moves_s(self, command: Engage | Disengage, bench: Bench | None) -> float:
        return MOVES_S + (command.hold_s if isinstance(command, Engage) else 0.0)

    async def _raise(self, command: Engage) -> JsonValue:
        await mark("engage")
        await self._link.ask(tell("magneticModule/engage", height=command.height_mm), timeout_s=ANSWER_S)
        if not await self._are_at(command.height_mm):
            raise InstrumentError(f"the magnets are not at {command.height_mm:g} mm.")
        await asyncio.sleep(command.hold_s)
        return {"height_mm": await self.height_mm.get_value(cached=False)}

    async def _lower(self, command: Disengage) -> JsonValue:
        await mark("disengage")
        await self._link.ask(tell("magneticModule/disengage"), timeout_s=ANSWER_S)
        if await self.engaged.get_value(cached=False):
            raise InstrumentError("the magnets are not down.")
        return None

    async def _are_at(self, height_mm: float) -> bool:
        shown_mm = await self.height_mm.get_value(cached=False)
        return await self.engaged.get_value(cached=False) and abs(shown_mm - height_mm) <= CLOSE_MM

    async def _reconcile_engage(self, command: Engage, marks: Sequence[Mark]) -> Reconciliation:
        """Where they are now; what is not there is told again, and what was to be held is held again: that harms nothing."""
        if marks and not command.hold_s and await self._are_at(command.height_mm):
            height_mm = await self.height_mm.get_value(cached=False)
            return Reconciliation(
                answer=Answer.DONE,
                sentence=f"The magnets are at {height_mm:g} mm.",
                result={"height_mm": height_mm},
            )
        return Reconciliation(
            answer=Answer.NOT_DONE, sentence="The magnets are not where they were to be, or not for as long."
        )

    async def _reconcile_disengage(self, command: Disengage, marks: Sequence[Mark]) -> Reconciliation:
        if marks and not await self.engaged.get_value(cached=False):
            return Reconciliation(answer=Answer.DONE, sentence="The magnets are down.")
        return Reconciliation(answer=Answer.NOT_DONE, sentence="The magnets are up.")
