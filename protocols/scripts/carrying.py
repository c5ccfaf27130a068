"""Which plates stand where while a protocol works: fetched when they are needed, and home before another device is used.

A section of the plan has the places of one device to itself. It begins with the first step that needs a plate brought
there and ends where the protocol goes on to another device, so that two transfers in a row carry nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from bluesky.utils import Msg

from devices.plate_hotel import Move, PutLid, TakeLid
from lab.bench import Bench
from lab.errors import Infeasible
from lab.interfaces import Command
from lab.types import JsonValue
from protocols.stock import lids, places_to_work

__all__ = ["Carrying"]

Plan = Generator[Msg, Any, Any]


class Carrying:
    """Brings plates to devices and home again.

    Args:
        bench: as imagined; changed by what is carried out.
        carry_out: one step: device and command.
    """

    def __init__(self, bench: Bench, carry_out: Callable[[str, Command], Plan]) -> None:
        self._bench = bench
        self._carry_out = carry_out
        self._device = ""
        self._places: tuple[str, ...] = ()
        self._lid: str | None = None
        self._guests: list[str] = []

    @property
    def working(self) -> bool:
        """Whether a section is under way."""
        return bool(self._device)

    def bring(
        self, device: str, labware: Sequence[str], *, lid: bool = False, before: Command | None = None
    ) -> Plan:
        """Have labware stand on a device, whatever it takes.

        Args:
            lid: a lid to seal it with is needed as well.
            before: what the device has to do before an arm can reach in.

        Raises:
            Infeasible: there are not enough places, or no lid.
        """
        away = [name for name in labware if self._bench.device_at(name) != device]
        if self._device != device or (lid and self._lid is None):
            yield from self.home()
        if not away and not lid:
            return  # Everything it needs is at home there.
        if not self._device:
            yield from self._begin(device, lid=lid)
            away = [name for name in labware if self._bench.device_at(name) != device]
        if away and before is not None:
            yield from self._carry_out(device, before)
        for name in away:
            yield from self._fetch(name, keep=labware)

    def home(self) -> Plan:
        """Bring home what was fetched, and give its places back."""
        while self._guests:
            name = self._guests[-1]
            yield from self._move(name, self._bench.labware[name].home)
            self._guests.pop()
        if self._device:
            self._device, self._places, self._lid = "", (), None
            yield Msg("release", None)

    def seal(self, plate: str) -> Plan:
        """Put the section's lid on a plate."""
        assert self._lid is not None  # asked for with bring(lid=True)
        yield from self._carry_out("arm", PutLid(lid=self._lid, plate=plate))

    def unseal(self, plate: str) -> Plan:
        """Take it off again."""
        assert self._lid is not None  # asked for with bring(lid=True)
        destination = self._bench.labware[self._lid].home
        yield from self._carry_out("arm", TakeLid(plate=plate, destination=destination))

    def _begin(self, device: str, *, lid: bool) -> Plan:
        places = places_to_work(self._bench, device)
        if not places:
            raise Infeasible(
                (f"The {device} has no position for a plate.",), way_out="Add one to the workcell file."
            )
        found = lids(self._bench) if lid else ()
        if lid and not found:
            raise Infeasible(
                ("There is no lid to seal plates with.",), way_out="Add one to the workcell file's labware."
            )
        self._device, self._places = device, places
        self._lid = found[0].id if found else None
        yield Msg("claim", None, (*places, *(item.home for item in found[:1])))

    def _fetch(self, name: str, keep: Sequence[str]) -> Plan:
        free = [place for place in self._places if self._bench.at(place) is None]
        if not free:
            unneeded = [guest for guest in self._guests if guest not in keep]
            if not unneeded:
                raise Infeasible(
                    (
                        (
                            f"{len(keep)} pieces of labware are needed on the {self._device} at once, which has "
                            f"{len(self._places)} places for plates."
                        ),
                    ),
                    way_out="Do it in several steps, or add positions to the workcell file.",
                )
            free = [self._bench.labware[unneeded[0]].position or ""]
            yield from self._move(unneeded[0], self._bench.labware[unneeded[0]].home)
            self._guests.remove(unneeded[0])
        yield from self._move(name, free[0])
        self._guests.append(name)

    def _move(self, labware: str, place: str) -> Generator[Msg, Any, JsonValue]:
        result: JsonValue = yield from self._carry_out("arm", Move(labware=labware, destination=place))
        return result
