"""What a device is built from: its lines of the workcell file, the belief, and the world of a twin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.bench import Bench
from lab.files import DeviceSpec, WorkcellSpec
from lab.types import JsonValue

if TYPE_CHECKING:
    from devices.transport import LineInstrument, Transport
    from digital_twin.faults import FaultScript
    from digital_twin.instruments.faulty_line import LineFaults
    from digital_twin.world import World

__all__ = ["Fitting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """What a device is built from.

    Args:
        bench: the live belief.
        world: of the bench's twins; None where this device is real.
        script: what goes wrong with a twin of it.
    """

    spec: DeviceSpec
    workcell: WorkcellSpec
    bench: Bench
    world: World | None
    script: FaultScript

    @property
    def settings(self) -> Mapping[str, JsonValue]:
        """What the workcell file says beside the address; for the driver to check."""
        return self.spec.settings

    @property
    def position(self) -> str:
        """The position of a device that works on one plate.

        Raises:
            CampaignFileError: it has none, or several.
        """
        names = [p.name for p in self.workcell.positions if p.device == self.spec.role]
        if len(names) != 1:
            raise self.workcell.error(
                f"devices.{self.spec.role}",
                f"{self.spec.role} works on one plate, but {len(names)} positions belong to it.",
                "Give it exactly one entry under positions.",
            )
        return names[0]

    def transport(
        self,
        twin: Callable[[World], LineInstrument],
        framing: Any,
        faults: LineFaults,
        schemes: Collection[str] = ("serial", "tcp"),
    ) -> Transport:
        """The wire to the instrument at its address, or to its twin and what goes wrong with it.

        Args:
            schemes: of the addresses that the driver speaks.
        """
        from devices.addresses import open_transport
        from devices.transport import InProcess
        from digital_twin.instruments.faulty_line import FaultyLine

        if self.world is not None:
            model = twin(self.world)
            if not self.script.rules:
                return InProcess(model)
            faulty = FaultyLine(model, faults, world=self.world, name=self.spec.role, script=self.script)
            return InProcess(faulty, where=f"in process, {type(model).__name__}")
        if not self.spec.address:
            raise self.workcell.error(
                f"devices.{self.spec.role}",
                f"{self.spec.role} has no address.",
                "Write one, such as serial:/dev/ttyUSB0 or tcp:192.168.0.1:10100, or set twin: true.",
            )
        return open_transport(self.spec.address, framing=framing, schemes=schemes)
