"""Material: what is on order, what a bench has, and what must not be used; and the deck as a person sets it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from lab.orders import Order
from lab.people import Permission
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import found
from lab.service.parts import StorePart
from lab.service.shapes import plain
from lab.types import JsonValue

__all__ = ["MaterialHouse", "router"]

router = APIRouter(tags=["material"], route_class=CommandRoute)

Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]
Operator = Annotated[Caller, Depends(needs(Permission.OPERATE, somewhere=True))]


class MaterialHouse(Protocol):
    """What of the house concerns material and decks; every method raises BadInput with what is wrong."""

    def bar(
        self, place: str, campaign: str | None, *, who: str, why: str, retract: bool
    ) -> Mapping[str, JsonValue]:
        """Keep material from being used, and what was made from it."""

    def lift(self, place: str, campaign: str | None, *, who: str, why: str) -> Mapping[str, JsonValue]:
        """Let it be used again."""

    def touched(self, place: str, campaign: str | None) -> Sequence[str]:
        """Protocols of the campaigns on the bench of some material."""

    def place_order(self, order_id: str, *, who: str, reference: str) -> Order:
        """Note that it was placed."""

    def receive_order(
        self, order_id: str, *, who: str, barcode: str, well: str, volume_ul: float | None
    ) -> Order:
        """Note that it came."""

    def cancel_order(self, order_id: str, *, who: str, why: str) -> Order:
        """Note that it does not come."""

    def order_again(self, order_id: str, *, who: str) -> Order:
        """Want it once more."""

    def inventory(self, bench_id: str) -> Mapping[str, JsonValue]:
        """What a bench has and who needs it."""

    def checklist(self, campaign_id: str) -> Mapping[str, JsonValue]:
        """What must stand where before a campaign goes on."""

    def cards(self, campaign_id: str) -> Sequence[Mapping[str, JsonValue]]:
        """Cards of the models of a campaign."""


def _house(request: Request) -> MaterialHouse:
    return cast(MaterialHouse, request.app.state.house)


HousePart = Annotated[MaterialHouse, Depends(_house)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Lifted(_Given):
    """Material that may be used again."""

    place: str = Field(min_length=1, max_length=200, description="A sample's id, LABWARE:WELL, or LABWARE.")
    why: str = Field(min_length=1, max_length=2000)
    campaign: str | None = Field(default=None, max_length=200, description="Whose bench is meant.")


class Barred(Lifted):
    """Material that must not be used."""

    retract: bool = Field(default=False, description="Take the results back that rest on it.")


class Placed(_Given):
    """That a supplier was asked."""

    reference: str = Field(default="", max_length=200, description="The supplier's number.")


class Received(_Given):
    """That material came."""

    barcode: str = Field(min_length=1, max_length=200, description="Of the library plate that it is in.")
    well: str = Field(default="", max_length=10, description="The next free one if empty.")
    volume_ul: float | None = Field(default=None, gt=0, le=1e9, allow_inf_nan=False)


class Cancelled(_Given):
    """That it does not come."""

    why: str = Field(min_length=1, max_length=2000)


class BarShape(BaseModel):
    """What was barred, or may be used again."""

    bench_id: str
    places: list[tuple[str, str]]
    resting: list[str] = Field(description="Results that rest on it; taken back where that was asked for.")


class OrderShape(BaseModel):
    """Material that an experiment waits for."""

    id: str
    campaign_id: str
    experiment_id: str
    candidate_id: str
    bench_id: str
    kind: str
    supplier: str
    volume_ul: float
    sequence: str
    status: str
    reference: str
    barcode: str
    labware: str
    well: str
    wanted_utc: datetime | None

    @classmethod
    def of(cls, one: Order) -> OrderShape:
        """From the store's."""
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


@router.post("/material/bar", summary="Keep material from being used")
def bar(barred: Barred, caller: Operator, house: HousePart) -> BarShape:
    """With everything that was made from it. To take results back with it takes whoever may plan."""
    _require(caller, house, barred.place, barred.campaign, retract=barred.retract)
    done = house.bar(barred.place, barred.campaign, who=caller.name, why=barred.why, retract=barred.retract)
    return BarShape.model_validate(dict(done))


@router.post("/material/lift", summary="Let barred material be used again")
def lift(lifted: Lifted, caller: Operator, house: HousePart) -> BarShape:
    """With what was barred for its sake only."""
    _require(caller, house, lifted.place, lifted.campaign)
    done = house.lift(lifted.place, lifted.campaign, who=caller.name, why=lifted.why)
    return BarShape.model_validate(dict(done))


@router.get("/benches/{bench_id}/inventory", summary="What a bench has, and who needs it")
def inventory(bench_id: str, caller: Viewer, store: StorePart, house: HousePart) -> dict[str, Any]:
    """There, pending, reserved and free, thing by thing, in ul or pieces."""
    found(lambda: store.bench(bench_id), "bench")
    return dict(plain(dict(house.inventory(bench_id))))


@router.get("/campaigns/{campaign_id}/checklist", summary="What must stand where before it goes on")
def checklist(campaign_id: str, caller: Viewer, store: StorePart, house: HousePart) -> dict[str, Any]:
    """As its bench was left."""
    record = found(lambda: store.campaign(campaign_id), "campaign")
    return dict(plain(dict(house.checklist(record.campaign.id))))


@router.get("/campaigns/{campaign_id}/cards", summary="What its models are, can and can't")
def cards(campaign_id: str, caller: Viewer, store: StorePart, house: HousePart) -> list[dict[str, Any]]:
    """Cards of its planners' models and of those that it names."""
    record = found(lambda: store.campaign(campaign_id), "campaign")
    return [dict(plain(dict(one))) for one in house.cards(record.campaign.id)]


@router.get("/orders", summary="Material that experiments wait for")
def orders(
    caller: Viewer,
    store: StorePart,
    campaign: Annotated[str | None, Query(max_length=200)] = None,
    everything: Annotated[bool, Query(description="Also what was received or cancelled.")] = False,
) -> list[OrderShape]:
    """In the order of wanting."""
    wanted = None
    if campaign is not None:
        wanted = found(lambda: store.campaign(campaign), "campaign").campaign.id
    return [OrderShape.of(one) for one in store.orders(wanted) if everything or one.open]


@router.get("/orders/{order_id}")
def order(order_id: str, caller: Viewer, store: StorePart) -> OrderShape:
    """One of them."""
    return OrderShape.of(found(lambda: store.order(order_id), "order"))


@router.post("/orders/{order_id}/place", summary="Note that an order was placed")
def place(order_id: str, placed: Placed, caller: Operator, store: StorePart, house: HousePart) -> OrderShape:
    """Its lead time runs from now."""
    one = _order(order_id, caller, store)
    return OrderShape.of(house.place_order(one.id, who=caller.name, reference=placed.reference))


@router.post("/orders/{order_id}/receive", summary="Note that material came")
def receive(
    order_id: str, received: Received, caller: Operator, store: StorePart, house: HousePart
) -> OrderShape:
    """Its experiment may use it from here on."""
    one = _order(order_id, caller, store)
    return OrderShape.of(house.receive_order(one.id, who=caller.name, **received.model_dump()))


@router.post("/orders/{order_id}/cancel", summary="Note that an order does not come")
def cancel(
    order_id: str, cancelled: Cancelled, caller: Operator, store: StorePart, house: HousePart
) -> OrderShape:
    """Given up, or lost on its way."""
    one = _order(order_id, caller, store)
    return OrderShape.of(house.cancel_order(one.id, who=caller.name, why=cancelled.why))


@router.post("/orders/{order_id}/again", summary="Want it once more", status_code=201)
def again(order_id: str, caller: Operator, store: StorePart, house: HousePart) -> OrderShape:
    """What was cancelled, or came and can't be used any more."""
    return OrderShape.of(house.order_again(_order(order_id, caller, store).id, who=caller.name))


def _order(order_id: str, caller: Caller, store: StorePart) -> Order:
    """An order that somebody may settle.

    Raises:
        Refusal: 404, or 403 for the protocol of its campaign.
    """
    one = found(lambda: store.order(order_id), "order")
    record = store.campaign(one.campaign_id)
    caller.require(Permission.OPERATE, protocol=record.campaign.protocol.name)
    return one


def _require(
    caller: Caller, house: MaterialHouse, place: str, campaign: str | None, *, retract: bool = False
) -> None:
    for protocol in house.touched(place, campaign):
        caller.require(Permission.OPERATE, protocol=protocol)
        if retract:
            caller.require(Permission.PLAN, protocol=protocol)
