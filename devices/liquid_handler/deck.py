"""PyLabRobot's picture of a deck, made to agree with what we believe of the bench.

The store owns volumes and tips; PyLabRobot's trackers are loaded from the live bench before each command, so that a
failed command leaves nothing wrong behind in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from pylabrobot.resources import Container, Plate, Resource, ResourceHolder, TipRack, TipSpot, Trough

from devices.labware import make_resource
from lab.bench import Bench, Labware
from lab.errors import DeviceFault

__all__ = ["DeckMirror"]


class DeckMirror:
    """The labware on one deck, as PyLabRobot resources.

    Args:
        sites: position of the bench -> place on the deck.
        bench: the live one.
    """

    def __init__(self, sites: Mapping[str, ResourceHolder], bench: Bench) -> None:
        self._sites = dict(sites)
        self._bench = bench
        self._resources: dict[str, Resource] = {}

    def load(self, used: Iterable[str]) -> None:
        """Put on every site what the bench believes to stand there, and load the labware that a command uses.

        Args:
            used: labware whose volumes the command looks at or changes; racks are always loaded.
        """
        for position, site in self._sites.items():
            item = self._bench.at(position)
            wanted = None if item is None else self._resource(item)
            if site.resource is not wanted:
                if site.resource is not None:
                    site.resource.unassign()
                if wanted is not None:
                    site.assign_child_resource(wanted)
            if item is not None and item.type.kind == "tip_rack":
                self._load_tips(item)
        for labware in used:
            self._load_volumes(self._bench.labware[labware])

    def container(self, labware: str, well: str) -> Container:
        """Where a channel goes for a well.

        Raises:
            DeviceFault: the labware is not on this deck.
        """
        resource = self._on_deck(labware)
        return cast(
            Container, resource if isinstance(resource, Trough) else cast(Plate, resource).get_item(well)
        )

    def tip_spot(self, rack: str, spot: str) -> TipSpot:
        """Where a channel goes for a tip.

        Raises:
            DeviceFault: the rack is not on this deck.
        """
        return cast(TipRack, self._on_deck(rack)).get_item(spot)

    def _on_deck(self, labware: str) -> Resource:
        resource = self._resources.get(labware)
        if resource is None or not any(site.resource is resource for site in self._sites.values()):
            raise DeviceFault(f"{labware} does not stand on the deck.")
        return resource

    def _resource(self, item: Labware) -> Resource:
        if item.id not in self._resources:
            self._resources[item.id] = make_resource(item.type, item.id)
        return self._resources[item.id]

    def _load_tips(self, item: Labware) -> None:
        rack, present = cast(TipRack, self._resources[item.id]), set(item.tips)
        for name in item.type.wells:
            spot = rack.get_item(name)
            if spot.has_tip() != (name in present):
                rack.set_tip_state({name: name in present})

    def _load_volumes(self, item: Labware) -> None:
        resource = self._on_deck(item.id)
        self._load_lid(item, resource)
        for well, contents in item.wells.items():
            self.container(item.id, well).tracker.set_volume(contents.volume_ul)

    def _load_lid(self, item: Labware, resource: Resource) -> None:
        plate = cast(Any, resource)
        on_it = plate.lid
        if on_it is not None and on_it.name != item.lid:
            on_it.unassign()
            on_it = None
        if item.lid is not None and on_it is None:
            plate.assign_child_resource(self._resource(self._bench.labware[item.lid]))
