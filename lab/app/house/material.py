"""What of the house concerns material and decks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from lab.app import orders
from lab.app.barring import bar, benches_meant, lift, plan_bar, plan_lift
from lab.app.deck import checklist_of
from lab.app.inventory import read_inventory
from lab.app.lineage import find_place
from lab.app.reporting import cards_for
from lab.orders import Order
from lab.store import Store
from lab.types import JsonValue

__all__ = ["Material"]


class Material:
    """Implements :class:`lab.service.material.MaterialHouse`.

    Attributes:
        store: of the house.
    """

    store: Store

    def bar(
        self, place: str, campaign: str | None, *, who: str, why: str, retract: bool
    ) -> Mapping[str, JsonValue]:
        """See :class:`lab.service.material.MaterialHouse`."""
        plan = plan_bar(self.store, place, campaign, why)
        bar(self.store, plan, who=who, retract=retract)
        resting = [one.observation.id for one in plan.resting]
        return {"bench_id": plan.bench_id, "places": [list(at) for at in plan.fresh], "resting": resting}

    def lift(self, place: str, campaign: str | None, *, who: str, why: str) -> Mapping[str, JsonValue]:
        """See :class:`lab.service.material.MaterialHouse`."""
        plan = plan_lift(self.store, place, campaign, why)
        lift(self.store, plan, who=who, why=why)
        places = [list(at) for at in (plan.place, *plan.others)]
        return {"bench_id": plan.bench_id, "places": places, "resting": []}

    def touched(self, place: str, campaign: str | None) -> Sequence[str]:
        """See :class:`lab.service.material.MaterialHouse`."""
        bench_id, _ = find_place(self.store, benches_meant(self.store, campaign), place)
        here = (one for one in self.store.campaigns() if one.bench_id == bench_id)
        return list(dict.fromkeys(one.campaign.protocol.name for one in here))

    def place_order(self, order_id: str, *, who: str, reference: str) -> Order:
        """See :class:`lab.service.material.MaterialHouse`."""
        return orders.place(self.store, order_id, who=who, reference=reference)

    def receive_order(
        self, order_id: str, *, who: str, barcode: str, well: str, volume_ul: float | None
    ) -> Order:
        """See :class:`lab.service.material.MaterialHouse`."""
        return orders.receive(self.store, order_id, barcode=barcode, who=who, well=well, volume_ul=volume_ul)

    def cancel_order(self, order_id: str, *, who: str, why: str) -> Order:
        """See :class:`lab.service.material.MaterialHouse`."""
        return orders.cancel(self.store, order_id, who=who, why=why)

    def order_again(self, order_id: str, *, who: str) -> Order:
        """See :class:`lab.service.material.MaterialHouse`."""
        return orders.again(self.store, order_id, who=who)

    def inventory(self, bench_id: str) -> Mapping[str, JsonValue]:
        """See :class:`lab.service.material.MaterialHouse`."""
        return read_inventory(self.store, bench_id).to_json()

    def checklist(self, campaign_id: str) -> Mapping[str, JsonValue]:
        """See :class:`lab.service.material.MaterialHouse`."""
        return asdict(checklist_of(self.store, self.store.campaign(campaign_id)))

    def cards(self, campaign_id: str) -> Sequence[Mapping[str, JsonValue]]:
        """See :class:`lab.service.material.MaterialHouse`."""
        return [asdict(card) for card in cards_for(self.store.campaign(campaign_id).campaign)]
