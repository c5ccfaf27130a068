"""What routes are handed of the application that they belong to.

On the loop: a stop must not wait for one of the threads in which routes wait for the store.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from lab.service.house import House
from lab.service.hub import Hub
from lab.service.messenger import Messenger
from lab.service.settings import Standing
from lab.store import Store

__all__ = ["HousePart", "HubPart", "MessengerPart", "StandingPart", "StorePart"]


async def _house(request: Request) -> House:
    return cast(House, request.app.state.house)


async def _store(request: Request) -> Store:
    return cast(Store, request.app.state.store)


async def _hub(request: Request) -> Hub:
    return cast(Hub, request.app.state.hub)


async def _messenger(request: Request) -> Messenger:
    return cast(Messenger, request.app.state.messenger)


async def _standing(request: Request) -> Standing:
    return cast(Standing, request.app.state.standing)


HousePart = Annotated[House, Depends(_house)]
StorePart = Annotated[Store, Depends(_store)]
HubPart = Annotated[Hub, Depends(_hub)]
MessengerPart = Annotated[Messenger, Depends(_messenger)]
StandingPart = Annotated[Standing, Depends(_standing)]
