"""The Opentrons Temperature Module GEN2, plugged into an OT-2 or Flex.

It keeps labware at 4 to 95 C (docs.opentrons.com, Temperature Module). A plate that is to be kept for a time and no longer
is a ``keep``, as in a climate chamber; ``set_temperature`` stays on between the steps that follow.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

from collections.abc import Sequence
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.climate_chamber.chamber import ClimateChamber, Shown
from devices.climate_chamber.commands import ROOM_C, Keep
from devices.declarative import Query
from devices.fence import mark
from devices.identity import Identity
from devices.opentrons_robot.modules import FRAMING, GET, ModuleDialect, tell
from devices.temperature_module.commands import Deactivate, SetTemperature
from devices.transport import Framing, Transport
from devices.verb import Limits, Verb
from lab.bench import Bench
from lab.errors import DeviceFault, InstrumentError, NonsenseReply, TemperatureNotReached
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["KIND", "TemperatureModule"]

KIND = "temperatureModuleType"

WARMING_C_PER_S = 0.2
COOLING_C_PER_S = 0.025
"""Room to 95 C in about six minutes, to 4 C in about twelve. First estimates; no source."""

ARRIVED_C = 1.0
"""Closeness at which the block counts as there; the module itself says when it holds."""

ANSWER_S = 8.0
POLL_S = 5.0
STARTING_S = 10.0


class TemperatureModule(ClimateChamber):
    """A Temperature Module; arguments as of :class:`ClimateChamber`."""

    dialect = ModuleDialect(KIND)
    framing: ClassVar[Framing] = FRAMING
    maker_limits: ClassVar[Limits] = {"temperature_c": (4.0, 95.0), "hold_s": (0.0, 999_999.0)}

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query(GET, field="data.currentTemperature", units="C", within=(-40.0, 150.0)),
    ]

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport, limits=limits)
        self.set_temperature = Verb(
            self._carry_out_set,
            command=SetTemperature,
            limits=self._allowed,
            estimate=lambda command, bench: self._way_s(ROOM_C, command.temperature_c) + STARTING_S,
            reconcile=self._reconcile_set,
        )
        self.deactivate = Verb(
            self._carry_out_deactivate,
            command=Deactivate,
            estimate=lambda command, bench: 1.0,
            reconcile=self._reconcile_deactivate,
        )
        self.set_name(name)

    async def safe(self) -> None:
        """Off, where it heats. A block that keeps something cold is left to it: it hurts nobody, and what stands on it may
        not become warm.

        Raises:
            DeviceFault: the module does not do it; a person must look.
        """
        told_c = (await self._show()).told_c
        if told_c is None or told_c > ROOM_C:
            await super().safe()

    async def _carry_out_set(self, command: SetTemperature) -> JsonValue:
        self._shown, self._covered_up = None, False
        await mark("set_temperature")
        try:
            await self._go_to(command.temperature_c)
        except DeviceFault as failure:
            await self._safe_after(failure)
            raise
        return await self._measured()

    async def _carry_out_deactivate(self, command: Deactivate) -> JsonValue:
        self._shown, self._covered_up = None, False
        await mark("deactivate")
        await self._off()
        if (await self._show()).told_c is not None:
            raise InstrumentError("the block is still told a temperature.")
        return None

    async def _reconcile_set(self, command: SetTemperature, marks: Sequence[Mark]) -> Reconciliation:
        """What it is told now and where it is; what is not there is told again, which harms nothing."""
        shown = await self._show()
        told = shown.told_c is not None and abs(shown.told_c - command.temperature_c) < 0.05
        if marks and told and abs(shown.air_c - command.temperature_c) <= ARRIVED_C:
            return Reconciliation(
                answer=Answer.DONE,
                sentence="The block holds its temperature.",
                result={"temperature_c": shown.air_c},
            )
        return Reconciliation(
            answer=Answer.NOT_DONE, sentence="The block does not hold what it was to be told."
        )

    async def _reconcile_deactivate(self, command: Deactivate, marks: Sequence[Mark]) -> Reconciliation:
        if marks and (await self._show()).told_c is None:
            return Reconciliation(answer=Answer.DONE, sentence="The block is off.")
        return Reconciliation(answer=Answer.NOT_DONE, sentence="The block is still told a temperature.")

    async def _introduce(self) -> Identity:
        return self.dialect.identity(await self._link.ask(GET))

    def _keep_s(self, command: Keep, bench: Bench | None) -> float:
        return self._way_s(ROOM_C, command.temperature_c) + STARTING_S + command.hold_s

    def _way_s(self, from_c: float, to_c: float) -> float:
        gap_c = to_c - from_c
        return gap_c / WARMING_C_PER_S if gap_c > 0.0 else -gap_c / COOLING_C_PER_S

    async def _show(self) -> Shown:
        shown = await self._link.ask(GET)
        told = self.dialect.pick(shown, "data.targetTemperature")
        return Shown(
            told_c=None if told == "none" else self._float(told),
            air_c=self._float(self.dialect.pick(shown, "data.currentTemperature")),
        )

    async def _reach(self, command: Keep) -> None:
        await self._go_to(command.temperature_c)

    async def _go_to(self, temperature_c: float) -> None:
        await self._link.ask(
            tell("temperatureModule/setTargetTemperature", celsius=temperature_c), timeout_s=ANSWER_S
        )

        async def left_s() -> float:
            shown = await self._link.ask(GET)
            now_c = self._float(self.dialect.pick(shown, "data.currentTemperature"))
            there = self.dialect.pick(shown, "data.status") == "holding at target"
            if there and abs(now_c - temperature_c) <= ARRIVED_C:
                return 0.0
            return max(self._way_s(now_c, temperature_c), POLL_S)

        def stuck() -> DeviceFault:
            return TemperatureNotReached(f"the block does not come to {temperature_c:g} C.")

        await self._wait_out(left_s, poll_s=POLL_S, stuck=stuck)

    async def _off(self) -> None:
        await self._link.ask(tell("temperatureModule/deactivate"), timeout_s=ANSWER_S)

    def _float(self, text: str) -> float:
        try:
            return float(text)
        except ValueError as bad:
            raise NonsenseReply(f"{text!r} is no temperature.") from bad
