"""Settings of the service: from the environment (``DRYWET_SERVICE_...``), overridden by the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["ServiceSettings"]


class ServiceSettings(BaseSettings):
    """Where the service listens, and what it serves.

    Args:
        folder: the lab's folder; campaigns that are handed in name files in it and nowhere else.
        host: address to listen at. Anything but loopback needs ``certificate`` and ``key``, or ``behind_proxy``.
        port: to listen at.
        names: host names that it answers to, beside ``localhost`` and ``host``.
        certificate: file, PEM.
        key: file, PEM.
        behind_proxy: a proxy of the lab's own ends TLS before it.
        proxies: addresses of that proxy, or networks (``10.0.0.0/24``); who it says a request is from counts, and what
            others say of that does not.
        console: address of the console, for links and for what may ask for a stop.
        pace: of twins: ``max``, ``wall`` or a factor.
        resume: go on at the start with what was under way when the service ended.
        traces: file of traces; empty for ``traces.jsonl`` beside the store.
    """

    model_config = SettingsConfigDict(env_prefix="DRYWET_SERVICE_", frozen=True)

    folder: Path = Path()
    host: str = "127.0.0.1"
    port: int = 8517
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    console: str = "http://localhost:8501"
    pace: str = "max"
    resume: bool = True
    traces: str = ""
