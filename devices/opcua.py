"""OPC UA servers as a transport of service calls (:mod:`devices.services`), over asyncua.

A name is a path below one device of the server's ``DeviceSet``, by browse names; which namespace a name is of differs from
maker to maker, so it is looked for in all of them and must be found once. Types are those of OPC UA's variants. What a
server says of a value's quality counts: only ``Good`` values are values.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from devices.services import OK, ServiceDialect, ServiceRequest, ServiceTransport, bad, given
from lab.errors import BadInput, CommandTimeout, ConnectionLost, InstrumentBusy, MissingData
from lab.types import JsonValue

if TYPE_CHECKING:
    from asyncua.client.client import Client
    from asyncua.common.node import Node

__all__ = ["DIALECT", "LOST", "OpcUa"]

BUSY = frozenset({"BadInvalidState", "BadResourceUnavailable", "BadTooManyOperations", "BadTcpServerTooBusy"})
REFUSED = frozenset(
    {
        "BadOutOfRange",
        "BadTypeMismatch",
        "BadUserAccessDenied",
        "BadNotWritable",
        "BadNotReadable",
        "BadInvalidArgument",
        "BadArgumentsMissing",
        "BadTooManyArguments",
        "BadNodeIdUnknown",
        "BadNoMatch",
        "BadMethodInvalid",
        "BadNotImplemented",
        "BadNotSupported",
    }
)
"""Status codes of a server that has not begun (OPC 10000-4, 7.39)."""

LOST = frozenset(
    {
        "BadSessionIdInvalid",
        "BadSessionClosed",
        "BadSessionNotActivated",
        "BadSecureChannelClosed",
        "BadSecureChannelIdInvalid",
        "BadSecureChannelTokenUnknown",
        "BadConnectionClosed",
        "BadConnectionRejected",
        "BadServerNotConnected",
        "BadServerHalted",
        "BadShutdown",
        "BadCommunicationError",
    }
)
"""Status codes that mean that this session is of no use any more; the next request makes another."""

DIALECT = ServiceDialect(
    {
        **dict.fromkeys(BUSY, InstrumentBusy),
        **dict.fromkeys(LOST, ConnectionLost),
        "BadTimeout": CommandTimeout,
        "BadRequestTimeout": CommandTimeout,
    },
    REFUSED,
)

FAREWELL_S = 2.0
"""Longest time that saying goodbye to a server may take."""

LIFE = 0.75
"""Share of what a server grants a channel or an idle session after which the next request makes a new one."""

_CLIENT_PATIENCE_S = 3600.0
"""asyncua's own limit of a request. Each exchange has one of ours, which is shorter."""


class _Lost(OSError):
    """The server says that this session is over."""


class OpcUa(ServiceTransport):
    """One device of an OPC UA server.

    Args:
        url: ``opc.tcp://HOST:PORT``, with a path where the server has one.
        device: browse name of the device in the server's ``DeviceSet``.
        names: first part of a name -> the path below the device that it stands for; others stand for themselves.

    Raises:
        BadInput: this is no address of an OPC UA server.
    """

    lost = (OSError, asyncio.IncompleteReadError)

    def __init__(self, url: str, *, device: str, names: Mapping[str, str] | None = None) -> None:
        super().__init__()
        parts = urlsplit(url)
        if parts.scheme != "opc.tcp" or not parts.hostname or parts.username:
            raise BadInput(
                f"{url!r} is no address of an OPC UA server.",
                way_out="Write opc.tcp://192.168.0.1:4840, without a user.",
                field="address",
            )
        self._url = url
        self._device = device
        self._names = dict(names or {})
        self._client: Client | None = None
        self._good_until_s = 0.0
        self._nodes: dict[str, Node] = {}

    @property
    def where(self) -> str:
        """For messages."""
        return self._url

    def _connected(self) -> bool:
        from asyncua.client.ua_client import UaClientState

        if self._client is None or asyncio.get_running_loop().time() > self._good_until_s:
            return False
        return self._client.state is UaClientState.CONNECTED

    async def _connect(self) -> None:
        client_type = _client_type()
        from asyncua.ua.uaerrors import UaError

        # asyncua tells of each loss as an error with a traceback; here it is a fault of the device.
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)
        self._client = client = client_type(self._url, timeout=_CLIENT_PATIENCE_S)
        try:
            # The steps of asyncua's connect(), without its tasks that watch, reconnect and renew: here a request finds out
            # by itself, and makes a new connection before the channel's lifetime is over.
            await client.connect_socket()
            await client.send_hello()
            await client.open_secure_channel()
            await client.create_session()
            await client.activate_session()
        except UaError as refused:
            raise ConnectionRefusedError(f"the server refuses: {refused}") from refused
        lifetime_s = min(client.secure_channel_timeout, client.session_timeout) / 1000.0
        self._good_until_s = asyncio.get_running_loop().time() + LIFE * lifetime_s

    async def _drop(self) -> None:
        client, self._client = self._client, None
        self._nodes.clear()
        if client is None:
            return
        goodbye = asyncio.ensure_future(client.disconnect())
        await asyncio.wait({goodbye}, timeout=FAREWELL_S)
        if not goodbye.done():
            goodbye.cancel()
            client.disconnect_socket()
        # The other side may be gone already; that is what is wanted here.
        await asyncio.gather(goodbye, return_exceptions=True)

    async def _serve(self, request: ServiceRequest) -> str:
        from asyncua import ua
        from asyncua.ua.uaerrors import UaStatusCodeError

        try:
            match request.kind:
                case "get":
                    return await self._get(request.name)
                case "set":
                    node = await self._node(request.name)
                    variant = ua.Variant(request.values[0], ua.VariantType[request.type])
                    await node.write_value(ua.DataValue(variant))
                    return OK
                case "call":
                    return await self._call(request)
        except UaStatusCodeError as refusal:
            name, meaning = ua.status_codes.get_name_and_doc(refusal.code)
            # A server that ends the connection may say why, in codes of the layer beneath.
            if name in LOST or not self._connected():
                raise _Lost(name) from refusal
            return bad(name, meaning)

    async def _get(self, name: str) -> str:
        node = await self._node(name)
        shown = await node.read_data_value(raise_on_bad_status=False)
        # A server may leave a good status out.
        if shown.StatusCode is not None and not shown.StatusCode.is_good():
            return bad(shown.StatusCode.name, f"{name} has no good value")
        return _written(shown.Value)

    async def _call(self, request: ServiceRequest) -> str:
        from asyncua import ua

        owner, _, _ = request.name.rpartition("/")
        arguments = [
            ua.Variant(float(v), ua.VariantType.Double) if _is_number(v) else v for v in request.values
        ]
        result = await (await self._node(owner)).call_method(
            (await self._node(request.name)).nodeid, *arguments
        )
        if result is None or result == []:
            return OK
        return given("Variant", str(result))

    async def _node(self, name: str) -> Node:
        """The node that a name stands for.

        Raises:
            UaStatusCodeError: there is none, or there are several.
        """
        if name not in self._nodes:
            first, slash, rest = name.partition("/")
            path = f"{self._names.get(first, first)}{slash}{rest}"
            assert self._client is not None
            node = self._client.nodes.objects
            for part in ("DeviceSet", self._device, *path.split("/")):
                node = await _child(node, part)
            self._nodes[name] = node
        return self._nodes[name]


def _client_type() -> type[Client]:
    try:
        from asyncua.client.client import Client
    except ImportError as missing:
        raise MissingData(
            "Python can't talk OPC UA: the module asyncua is not installed.",
            way_out="Install it with: pip install 'drywet[buses]'",
        ) from missing
    return Client


async def _child(node: Node, name: str) -> Node:
    from asyncua import ua

    children = await node.get_children_descriptions()
    found = [child for child in children if child.BrowseName is not None and child.BrowseName.Name == name]
    if len(found) != 1:
        raise ua.uaerrors.BadNoMatch
    from asyncua.common.node import Node

    return Node(node.session, found[0].NodeId)


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written(variant: Any) -> str:
    """A variant as its type and value; what is neither a scalar nor a unit is written as text, and no driver takes it for a
    number.
    """
    from asyncua import ua

    value = variant.Value
    if isinstance(value, ua.LocalizedText):
        return given("LocalizedText", value.Text or "")
    if isinstance(value, ua.EUInformation):
        return given("EUInformation", value.UnitId)
    if variant.is_array or not isinstance(value, bool | int | float | str):
        return f"Other {json.dumps(str(value)[:80])}"
    return given(variant.VariantType.name, value)
