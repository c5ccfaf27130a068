"""Steps are read back from the journal as the commands of the devices that they were sent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ophyd_async.core import Device

from devices.verb import Verb
from lab.app.benches import commands_of_devices
from lab.bench import Bench
from lab.interfaces import Workcell
from lab.types import JsonValue
from tests.lab.engine.bench import Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(Stamp):
    """A stamp that is pressed, by another device."""

    verb: ClassVar[str] = "stamp"
    force_n: float

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Press:
        return cls(**arguments)


class Stamper(Device):
    """A device with one verb, ``stamp``, of whatever command."""

    def __init__(self, name: str, command: type[Stamp]) -> None:
        self.stamp = Verb(self._stamp, command=command)
        super().__init__(name=name)

    async def _stamp(self, command: Stamp) -> JsonValue:
        return {"well": command.well}


def test_two_devices_may_have_a_verb_of_one_name_with_other_fields() -> None:
    devices = {"hand": Stamper("hand", Stamp), "press": Stamper("press", Press)}
    workcell = Workcell(name="two", devices=devices, bench=Bench((), ()), twins=frozenset())
    commands = commands_of_devices(workcell)
    assert commands["hand", "stamp"].from_json({"well": "A1"}) == Stamp(well="A1")
    assert commands["press", "stamp"].from_json({"well": "A1", "force_n": 3.0}) == Press(
        well="A1", force_n=3.0
    )
