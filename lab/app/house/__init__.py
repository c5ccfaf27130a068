"""The house: every laboratory of one process, and what comes to it through the service."""

from lab.app.house.house import House
from lab.app.house.settings import ServiceSettings

__all__ = ["House", "ServiceSettings"]
