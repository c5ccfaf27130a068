"""What ``drywet serve`` runs: store, house, application and server, opened in this order and closed the other way round."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from types import FrameType

import uvicorn

from lab.app.control import control_folder, store_name
from lab.app.house.house import House
from lab.app.house.login_settings import LoginSettings
from lab.app.house.settings import ServiceSettings
from lab.app.notifying import channels_of
from lab.app.settings import Settings
from lab.app.watching import Controller
from lab.errors import BadInput
from lab.service.app import make_app
from lab.service.patience import Patient
from lab.service.settings import Standing
from lab.store import Store

__all__ = ["Left", "address_of", "serve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a service leaves that has ended.

    Args:
        safe: whether every bench was given back with its instruments in their safe state.
        sentences: what goes on at the next start, and what waits for somebody.
    """

    safe: bool
    sentences: tuple[str, ...]


def address_of(settings: ServiceSettings) -> str:
    """Where a service of these settings answers."""
    scheme = "https" if settings.certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{settings.port}"


def _address_here(service: ServiceSettings) -> str:
    """Where a program of this machine reaches it: by a name of its certificate, where it has one."""
    if service.host not in ("0.0.0.0", "::"):
        return address_of(service)
    return address_of(service.model_copy(update={"host": next(iter(service.names), "localhost")}))


def serve(
    settings: Settings,
    service: ServiceSettings,
    ready: Callable[[str], object],
    ending: Callable[[], object] = lambda: None,
) -> Left:
    """Serve until somebody ends the program; then stop at a step boundary, or at once where they press Ctrl-C twice.

    Args:
        ready: called with the address once it answers.
        ending: called once it answers no more, while steps under way come to their end.

    Raises:
        BadInput: a setting that can't be used, or the port is taken.
        StoreUnusable: the store can't be opened for writing.
    """
    _refuse_open_to_all(service)
    folder = control_folder(settings)
    channels = channels_of(settings)
    login = LoginSettings.read().rules(address_of(service))
    with (
        contextlib.closing(_listen(service)) as listening,
        Controller(
            folder,
            store_name(settings.store),
            service=_address_here(service),
            lab=str(service.folder.resolve()),
        ) as controller,
        Store.open(settings.store) as store,
    ):
        house = House(store, settings, service.folder, service.pace)
        controller.steer(house)
        standing = Standing(
            names=_names(service),
            console=service.console.rstrip("/"),
            beside=settings.twin_folder.parent,
            version=version("drywet"),
            channels=channels,
            login=login,
        )
        app = make_app(house, store, standing)
        server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="on",
                http=Patient,
                ws="none",
                ssl_certfile=service.certificate,
                ssl_keyfile=service.key,
                # Who is named in X-Forwarded-For counts only where the lab's own proxy says so.
                proxy_headers=service.behind_proxy,
                forwarded_allow_ips=list(service.proxies),
                server_header=False,
                timeout_graceful_shutdown=5,
            ),
            lambda: ready(address_of(service)),
        )
        # From the first step to the end of the last one, and not only while it answers.
        with _ended_by_signals(server, controller):
            try:
                house.open(resume=service.resume)
                server.run(sockets=[listening])
                ending()
            finally:
                safe = house.close()
        return Left(safe=safe, sentences=house.left())


def _listen(service: ServiceSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    # Only where the protocol is named does asyncio send small answers at once; else each waits for 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((service.host, service.port))
    except OSError as error:
        listening.close()
        raise BadInput(
            f"{service.host} port {service.port} can't be listened at: {error.strerror or error}.",
            way_out="Another service may be there; choose another port with --port.",
            field="--port",
        ) from error
    return listening


class _Server(uvicorn.Server):
    """Says when it answers, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are ours."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As the base's, and then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


@contextlib.contextmanager
def _ended_by_signals(server: uvicorn.Server, controller: Controller) -> Iterator[None]:
    """Ctrl-C and a polite kill end the server, and what is under way at a step boundary; Ctrl-C twice ends that at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        # In the middle of whatever this thread does: nothing here may wait for a lock that it could hold.
        server.should_exit = True
        if number == signal.SIGINT and signal.SIGINT in asked:
            controller.stop_now("Stopped by Ctrl-C, twice.")
        asked.append(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _names(service: ServiceSettings) -> tuple[str, ...]:
    host = () if service.host in ("0.0.0.0", "::") else (service.host,)
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "[::1]", "::1", *host, *service.names)))


def _refuse_open_to_all(service: ServiceSettings) -> None:
    """Passwords and tokens never go over a network in the clear.

    Raises:
        BadInput: it would listen to other machines without TLS.
    """
    try:
        loopback = ipaddress.ip_address(service.host).is_loopback
    except ValueError:
        loopback = service.host == "localhost"
    if (service.certificate is None) != (service.key is None):
        raise BadInput("A certificate needs its key, and a key its certificate.", field="--certificate")
    if not loopback and service.certificate is None and not service.behind_proxy:
        raise BadInput(
            f"At {service.host} other machines could listen in on passwords.",
            way_out="Give --certificate and --key, or --behind-proxy where a proxy of the lab's own ends TLS before it.",
            field="--host",
        )
