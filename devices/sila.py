"""SiLA 2 servers as a transport of service calls (:mod:`devices.services`), over the client of the package sila2.

A name is ``Feature/Property`` or ``Feature/Command``, by their identifiers; which features there are the server says itself.
Types are SiLA's basic ones: ``Real``, ``Integer``, ``String``, ``Boolean``. An observable command is answered at once with
the identifier of its execution (``Execution``). ``get Feature/Command/EXECUTION`` is how far it is, and its error once it
has failed; ``get Feature/Command/EXECUTION/Result`` is what it gave back.

The client blocks, so it works in threads of its own; a request that is late has its channel closed under it.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from devices.services import OK, ServiceDialect, ServiceRequest, ServiceTransport, bad, given
from lab.errors import BadInput, InstrumentError, MissingData, NonsenseReply, TemperatureNotReached

if TYPE_CHECKING:
    from sila2.client import SilaClient

__all__ = ["DIALECT", "KELVIN", "Sila", "SilaDialect", "load_sila2"]

_loading = threading.Lock()

KELVIN = "Kelvin"
"""In place of ``Real``: a temperature in kelvin, as all of SiLA's are, that is wanted in degrees Celsius."""

ZERO_C = 273.15
WORKERS = 4
_ADDRESS = re.compile(r"sila:([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:]+\]):([0-9]{1,5})")

FAILED = "finishedWithError"
"""Of an execution: it is over, and did not do it."""


def load_sila2() -> None:
    """Import the package sila2, from whatever thread and whatever else the program has imported.

    The package brings ``SiLAFramework_pb2`` ready made and makes it anew when it is imported. The two differ in the order of
    their messages (0.14), which protobuf refuses once ``google.protobuf.descriptor_pb2`` is there, as it is with Streamlit.
    So the one that it would make is put in the place of the other beforehand.

    Raises:
        ImportError: it is not installed.
    """
    import sila2

    name = "sila2.framework.pb2.SiLAFramework_pb2"
    with _loading:
        if name in sys.modules:
            return
        from grpc_tools import protoc

        proto = Path(sila2.resource_dir) / "proto"
        with TemporaryDirectory() as folder:
            words = [
                "protoc",
                f"--proto_path={proto}",
                f"--python_out={folder}",
                str(proto / "SiLAFramework.proto"),
            ]
            if protoc.main(words) != 0:
                raise ImportError("The package sila2 can't compile its own protocol.")
            spec = spec_from_file_location(name, Path(folder) / "SiLAFramework_pb2.py")
            assert spec is not None, "a file of Python can be imported"
            assert spec.loader is not None, "a file of Python can be imported"
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
        sys.modules[name] = module
        import sila2.server


class SilaDialect(ServiceDialect):
    """Replies of SiLA servers."""

    def pick(self, payload: str, name: str) -> str:
        """The value of a reply as text; of :data:`KELVIN` in degrees Celsius."""
        if name != KELVIN:
            return super().pick(payload, name)
        text = super().pick(payload, "Real")
        try:
            return repr(float(text) - ZERO_C)
        except ValueError as error:
            raise NonsenseReply(f"{payload[:80]!r} is no temperature.") from error


DIALECT = SilaDialect(
    {"TemperatureNotReachable": TemperatureNotReached, "ControlInterrupted": InstrumentError},
    frozenset({"ValidationError", "UnknownName", "MistypedArgument"}),
)


class _Gone(OSError):
    """The server does not answer any more."""


class Sila(ServiceTransport):
    """One SiLA 2 server.

    Args:
        address: ``sila:HOST:PORT``.
        certificate: file with the certificates that the server's is checked against; None does not encrypt, which SiLA
            allows for tests only.

    Raises:
        BadInput: this is no address.
    """

    def __init__(self, address: str, *, certificate: Path | None = None) -> None:
        super().__init__()
        found = _ADDRESS.fullmatch(address)
        if found is None or not 0 < int(found[2]) < 65536:
            raise BadInput(
                f"{address!r} is no address of a SiLA server.",
                way_out="Write sila:192.168.0.40:50052.",
                field="address",
            )
        self._host, self._port = found[1], int(found[2])
        self._certificate = certificate
        self._client: SilaClient | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._executions: dict[str, Any] = {}

    @property
    def where(self) -> str:
        """For messages."""
        return f"sila {self._host}:{self._port}"

    def _connected(self) -> bool:
        return self._client is not None

    async def _connect(self) -> None:
        try:
            load_sila2()
            from sila2.client import SilaClient
            from sila2.framework import SilaConnectionError
        except ImportError as missing:
            raise MissingData(
                "Python can't talk SiLA: the module sila2 is not installed.",
                way_out="Install it with: pip install 'drywet[buses]'",
            ) from missing
        # Refused at once where nobody listens, which gRPC would go on trying.
        _, writer = await asyncio.open_connection(self._host, self._port)
        writer.close()
        roots = None if self._certificate is None else self._certificate.read_bytes()
        self._pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="sila")

        def connect() -> SilaClient:
            return SilaClient(self._host, self._port, root_certs=roots, insecure=roots is None)

        try:
            self._client = await asyncio.get_running_loop().run_in_executor(self._pool, connect)
        except (SilaConnectionError, RuntimeError) as refused:
            raise _Gone(f"{refused}") from refused

    async def _drop(self) -> None:
        client, self._client = self._client, None
        pool, self._pool = self._pool, None
        for execution in self._executions.values():
            execution.cancel_execution_info_subscription()
        self._executions.clear()
        if client is not None:
            # Ends the requests that wait on it.
            client.close()
            # The client never ends the threads in which it follows properties.
            client._task_executor.shutdown(wait=False, cancel_futures=True)
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, request: ServiceRequest) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._work, request)

    def _work(self, request: ServiceRequest) -> str:
        """Carry a request out, in a thread of the pool."""
        from sila2.framework import (
            DefinedExecutionError,
            FrameworkError,
            SilaConnectionError,
            UndefinedExecutionError,
            ValidationError,
        )

        try:
            return self._asked(request)
        except DefinedExecutionError as error:
            return bad(str(error.fully_qualified_identifier).rpartition("/")[2], error.message)
        except (ValidationError, UndefinedExecutionError, FrameworkError) as error:
            return bad(type(error).__name__, str(error))
        except SilaConnectionError as gone:
            raise _Gone(str(gone)) from gone

    def _asked(self, request: ServiceRequest) -> str:
        feature, _, item = request.name.partition("/")
        item, _, execution = item.partition("/")
        if execution and request.kind == "get":
            return self._progress(execution)
        offered: Any = getattr(getattr(self._client, feature, None), item, None)
        if request.kind == "get" and hasattr(offered, "get"):
            return _written(offered.get())
        if request.kind == "call" and callable(offered):
            return self._called(request.name, offered, request)
        return bad("UnknownName", f"no {request.name} to {request.kind}")

    def _called(self, name: str, command: Any, request: ServiceRequest) -> str:
        from sila2.client import ClientObservableCommandInstance

        try:
            result = command(*request.values)
        except TypeError as mistyped:
            # The package checks the number and types of arguments before it sends them.
            return bad("MistypedArgument", str(mistyped))
        if isinstance(result, ClientObservableCommandInstance):
            before = self._executions.pop(name, None)
            if before is not None:
                before.cancel_execution_info_subscription()
            self._executions[name] = result
            return given("Execution", str(result.execution_uuid))
        fields = tuple(result)
        return OK if not fields else _written(fields[0])

    def _progress(self, execution: str) -> str:
        """How far an execution is, by SiLA's words; its error once it has failed."""
        execution, _, wanted = execution.partition("/")
        for one in self._executions.values():
            if str(one.execution_uuid) == execution and wanted == "Result":
                fields = tuple(one.get_responses())
                return _written(fields[0]) if fields else "Nothing null"
            if str(one.execution_uuid) == execution:
                status = "waiting" if one.status is None else str(one.status.name)
                if status == FAILED:
                    one.get_responses()
                return given("String", status)
        return bad("UnknownName", f"no execution {execution}")


def _written(value: Any) -> str:
    """A value with the name of its type; what is no basic type is told as another."""
    match value:
        case bool():
            return given("Boolean", value)
        case int():
            return given("Integer", value)
        case float():
            return given("Real", value)
        case str():
            return given("String", value)
    return given("Other", str(value)[:80])
