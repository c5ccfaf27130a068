"""The routers of the API, one module for each subject."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from lab.service import (
    approvals,
    beliefs,
    benches,
    campaigns,
    choices,
    corrections,
    events,
    first_admin,
    login,
    material,
    notices,
    oidc,
    own,
    people,
    runs,
    schedules,
    stopping,
    submissions,
    system,
    worklists,
)
from lab.service.shapes import RefusalShape

__all__ = ["include_routers"]

_REFUSALS: dict[int | str, dict[str, Any]] = {
    422: {"model": RefusalShape, "description": "Something in the request can't be."},
    "4XX": {"model": RefusalShape, "description": "Refused."},
    "5XX": {"model": RefusalShape, "description": "It can't be done at this moment, or failed."},
}
"""What every route may answer."""


def include_routers(app: FastAPI) -> None:
    """All of them, below ``/api``."""
    for module in (
        stopping,
        submissions,
        approvals,
        campaigns,
        beliefs,
        runs,
        benches,
        choices,
        corrections,
        material,
        worklists,
        events,
        schedules,
        notices,
        login,
        oidc,
        own,
        people,
        first_admin,
        system,
    ):
        app.include_router(module.router, prefix="/api", responses=_REFUSALS)
    app.include_router(own.open_router, prefix="/api", responses=_REFUSALS)
    app.include_router(login.commands, prefix="/api", responses=_REFUSALS)
