"""A twin's table of values and calls as an OPC UA server on loopback, over asyncua: what a driver meets on a socket.

Nodes stand where LADS has them (OPC 30500-1, 4.1.2), below ``DeviceSet``: device, unit and function.
Browse names of the specifications are in their namespaces, those of the maker's own choosing in the server's. Types are not
instances of the specification's object types: its node set is not part of asyncua.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from digital_twin.instruments.service_twin import Refused, ServiceTwin

if TYPE_CHECKING:
    from asyncua import ua
    from asyncua.common.node import Node
    from asyncua.server.server import Server

__all__ = ["DI_URI", "LADS_URI", "serve_opcua"]

DI_URI = "http://opcfoundation.org/UA/DI/"
LADS_URI = "http://opcfoundation.org/UA/LADS/"
OWN_URI = "urn:drywet:twin"

_DI_NAMES = frozenset({"DeviceSet", "Manufacturer", "Model", "SerialNumber", "SoftwareRevision"})
_CORE_NAMES = frozenset({"CurrentState", "EngineeringUnits"})
_OWN_NAMES = frozenset({"Temperature", "CO2", "Humidity", "Door", "Timer", "Chamber"})


@asynccontextmanager
async def serve_opcua(
    twin: ServiceTwin, *, port: int, device: str, names: Mapping[str, str]
) -> AsyncIterator[Server]:
    """Serve a twin for as long as the block lasts; gives asyncua's server.

    Args:
        port: of 127.0.0.1.
        device: browse name under ``DeviceSet``.
        names: first part of a twin's name -> the path below the device at which it stands.
    """
    from asyncua import ua
    from asyncua.server.server import Server

    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    tree = _Tree(server, twin, [await server.register_namespace(uri) for uri in (DI_URI, LADS_URI, OWN_URI)])
    await tree.grow(device, names)
    async with server:
        yield server


class _Tree:
    """Makes the nodes of a twin.

    Args:
        indices: of the namespaces of DI, LADS and of our own.
    """

    def __init__(self, server: Server, twin: ServiceTwin, indices: list[int]) -> None:
        self._server = server
        self._twin = twin
        self._di, self._lads, self._own = indices
        self._nodes: dict[str, Node] = {"": server.nodes.objects}

    async def grow(self, device: str, names: Mapping[str, str]) -> None:
        """All nodes, each bound to what the twin offers."""

        def place(name: str) -> str:
            first, slash, rest = name.partition("/")
            return f"DeviceSet/{device}/{names.get(first, first)}{slash}{rest}"

        offer = self._twin.offer
        # Shorter names first: a property stands below the variable that it is of.
        for name, (type_, value) in sorted(offer.values.items()):
            await self._variable(place(name), type_, value, offer.settable.get(name))
        for name, (types, do) in offer.calls.items():
            await self._method(place(name), types, do)

    async def _object(self, path: str) -> Node:
        if path not in self._nodes:
            owner, _, name = path.rpartition("/")
            above = await self._object(owner)
            self._nodes[path] = await above.add_object(self._index(name), name)
        return self._nodes[path]

    def _index(self, name: str) -> int:
        if name in _CORE_NAMES:
            return 0
        if name in _DI_NAMES:
            return self._di
        return self._own if name in _OWN_NAMES or name.startswith("Own") else self._lads

    async def _variable(
        self,
        path: str,
        type_: str,
        value: Callable[[], Any],
        settable: tuple[str, Callable[[float], None]] | None,
    ) -> None:
        from asyncua import ua

        owner, _, name = path.rpartition("/")
        above = await self._object(owner)
        node = await above.add_variable(self._index(name), name, _variant(type_, value()))
        self._nodes[path] = node

        def read(_id: ua.NodeId, _attribute: Any) -> ua.DataValue:
            self._twin.wake()
            try:
                return ua.DataValue(_variant(type_, value()))
            except Refused as refusal:
                return ua.DataValue(StatusCode=ua.StatusCode(_code(refusal)))

        self._server.set_attribute_value_callback(node.nodeid, read)
        if settable is not None:
            await node.set_writable()
            take = settable[1]

            def write(_node: Any, _attribute: Any, shown: ua.DataValue) -> None:
                assert shown.Value is not None
                if shown.Value.VariantType is not getattr(ua.VariantType, settable[0]):
                    raise _error(Refused("BadTypeMismatch"))
                try:
                    take(shown.Value.Value)
                except Refused as refusal:
                    raise _error(refusal) from refusal

            self._server.set_attribute_value_setter(node.nodeid, write)

    async def _method(self, path: str, types: tuple[str, ...], do: Callable[..., None]) -> None:
        from asyncua import ua

        async def called(_parent: ua.NodeId, *arguments: ua.Variant) -> ua.StatusCode | list[ua.Variant]:
            try:
                do(*(argument.Value for argument in arguments))
            except Refused as refusal:
                return ua.StatusCode(_code(refusal))
            return []

        owner, _, name = path.rpartition("/")
        above = await self._object(owner)
        inputs = [getattr(ua.VariantType, type_) for type_ in types]
        await above.add_method(self._index(name), name, called, inputs, [])


def _code(refusal: Refused) -> Any:
    from asyncua.ua.status_codes import StatusCodes

    return getattr(StatusCodes, refusal.code)


def _error(refusal: Refused) -> Exception:
    from asyncua.ua import uaerrors

    error: Exception = getattr(uaerrors, refusal.code)()
    return error


def _variant(type_: str, value: Any) -> ua.Variant:
    from asyncua import ua

    match type_:
        case "LocalizedText":
            return ua.Variant(ua.LocalizedText(value), ua.VariantType.LocalizedText)
        case "EUInformation":
            unit = ua.EUInformation(
                NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
                UnitId=value,
                DisplayName=ua.LocalizedText("°C" if value == 4408652 else "%"),
            )
            return ua.Variant(unit, ua.VariantType.ExtensionObject)
    return ua.Variant(value, getattr(ua.VariantType, type_))
