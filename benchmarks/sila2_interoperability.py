"""How the SiLA 2 interoperability suite grades our client.

The suite's server (PyPI ``sila2-interop-communication-tester``) notes which calls reach it and then runs its own tests on
them, each of which wants one thing of a client. It is driven here through :class:`devices.sila.Sila`, with what our lines
can carry and nothing else, so what a device of ours could not do counts as not done.

Run: make sila2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.machine import RESULTS, machine
from devices.services import call, get
from devices.sila import FAILED, Sila

ROOT = Path(__file__).parent.parent
SUITE = ROOT / ".venv-sila2-interop" / "bin" / "python"
NAME = "sila2_interoperability.md"

START_S = 30.0
ANSWER_S = 20.0
POLL_S = 0.5

PROPERTIES = {
    "SiLAService": "ServerName ServerType ServerUUID ServerDescription ServerVersion ServerVendorURL ImplementedFeatures",
    "UnobservablePropertyTest": "AnswerToEverything SecondsSince1970",
    "ObservablePropertyTest": "FixedValue Alternating Editable",
    "BasicDataTypesTest": "StringValue IntegerValue RealValue BooleanValue DateValue TimeValue TimestampValue",
    "ListDataTypeTest": "EmptyStringList StringList IntegerList StructureList",
    "StructureDataTypeTest": "StructureValue DeepStructureValue",
    "AnyTypeTest": "AnyTypeStringValue AnyTypeIntegerValue AnyTypeRealValue AnyTypeBooleanValue AnyTypeBinaryValue"
    " AnyTypeDateValue AnyTypeTimeValue AnyTypeTimestampValue AnyTypeListValue AnyTypeStructureValue",
    "BinaryTransferTest": "BinaryValueDirectly BinaryValueDownload",
    "ErrorHandlingTest": "RaiseDefinedExecutionErrorOnGet RaiseDefinedExecutionErrorOnSubscribe"
    " RaiseUndefinedExecutionErrorOnGet RaiseUndefinedExecutionErrorOnSubscribe",
}

COMMANDS = (
    call("SiLAService/GetFeatureDefinition", "org.silastandard/core/SiLAService/v1"),
    call("SiLAService/SetServerName", "SiLA is Awesome"),
    call("UnobservableCommandTest/CommandWithoutParametersAndResponses"),
    call("UnobservableCommandTest/ConvertIntegerToString", 12345),
    call("UnobservableCommandTest/JoinIntegerAndString", 123, "abc"),
    *(
        call("UnobservableCommandTest/SplitStringAfterFirstCharacter", text)
        for text in ("", "a", "ab", "abcde")
    ),
    call("BasicDataTypesTest/EchoStringValue", "SiLA2_Test_String_Value"),
    call("BasicDataTypesTest/EchoIntegerValue", 5124),
    call("BasicDataTypesTest/EchoRealValue", 3.1415926),
    call("BasicDataTypesTest/EchoBooleanValue", True),
    call("ListDataTypeTest/EchoStringList", ["SiLA 2", "is", "great"]),
    call("ListDataTypeTest/EchoIntegerList", [1, 2, 3]),
    *(call("ObservablePropertyTest/SetValue", value) for value in (1, 2, 3)),
    call("ErrorHandlingTest/RaiseDefinedExecutionError"),
    call("ErrorHandlingTest/RaiseUndefinedExecutionError"),
)

EXECUTIONS = (
    call("ObservableCommandTest/Count", 5, 1.0),
    call("ObservableCommandTest/EchoValueAfterDelay", 3, 5.0),
    call("ErrorHandlingTest/RaiseDefinedExecutionErrorObservably"),
    call("ErrorHandlingTest/RaiseUndefinedExecutionErrorObservably"),
)


@dataclass(frozen=True, slots=True)
class Grade:
    """What the suite's tests said.

    Args:
        passed: test -> whether it passed, by the file that it stands in.
    """

    passed: dict[tuple[str, str], bool]


async def exercise(port: int) -> list[str]:
    """Send the suite's server all that our lines can carry; gives what it answered that nobody expects."""
    wire = Sila(f"sila:127.0.0.1:{port}")
    async with asyncio.timeout(START_S):
        while True:
            try:
                await wire.open()
                break
            except Exception as unready:  # noqa: BLE001  (whatever it is, it is tried again until the time is over)
                print(f"Not there yet: {unready}")
                await asyncio.sleep(POLL_S)
    odd: list[str] = []
    for feature, names in PROPERTIES.items():
        for name in names.split():
            reply = await wire.exchange(get(f"{feature}/{name}"), timeout_s=ANSWER_S)
            if reply.startswith("bad") and feature != "ErrorHandlingTest":
                odd.append(f"{feature}/{name}: {reply}")
    for request in COMMANDS:
        reply = await wire.exchange(request, timeout_s=ANSWER_S)
        if reply.startswith("bad") and "Raise" not in request:
            odd.append(f"{request}: {reply}")
    for request in EXECUTIONS:
        await _execute(wire, request)
    await wire.close()
    return odd


async def _execute(wire: Sila, request: str) -> None:
    """Run an observable command to its end and fetch its result or error."""
    execution = json.loads((await wire.exchange(request, timeout_s=ANSWER_S)).partition(" ")[2])
    name = f"{request.split()[1]}/{execution}"
    while True:
        reply = await wire.exchange(get(name), timeout_s=ANSWER_S)
        if reply.startswith("bad") or "finished" in reply:
            break
        await asyncio.sleep(POLL_S)
    assert FAILED not in reply, "the error itself is told in its place"
    if not reply.startswith("bad"):
        await wire.exchange(get(f"{name}/Result"), timeout_s=ANSWER_S)


def graded() -> tuple[Grade, list[str]]:
    """Start the suite's server, exercise it, and let it grade what it saw."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        server = subprocess.Popen(
            [
                str(SUITE),
                "-m",
                "sila2_interop_communication_tester.test_server",
                "--server-address",
                f"127.0.0.1:{port}",
                "--report-file",
                str(report),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            odd = asyncio.run(exercise(port))
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=120.0)
        return _read(report), odd


def _read(report: Path) -> Grade:
    passed = {}
    for case in ET.parse(report).iter("testcase"):
        where = case.get("classname", "").rpartition(".")[2]
        passed[where, case.get("name", "")] = not len(case.findall("failure") + case.findall("error"))
    return Grade(passed)


def table(grade: Grade, odd: list[str]) -> str:
    """The grade as a page."""
    total, won = len(grade.passed), sum(grade.passed.values())
    of = Counter(where for where, _ in grade.passed)
    good = Counter(where for (where, _), passed in grade.passed.items() if passed)
    rows = [f"| {_said(where)} | {good[where]} | {of[where]} |" for where in sorted(of)]
    missed = [
        f"* {_said(where)}: {name.removeprefix('test_').replace('_', ' ')}"
        for (where, name), passed in sorted(grade.passed.items())
        if not passed
    ]
    unexpected = [f"* `{line}`" for line in odd] or ["None."]
    return "\n".join(
        [
            "# SiLA 2 interoperability of our client",
            "",
            machine(),
            "",
            "The suite `sila2-interop-communication-tester` 0.10.3 grades a client by the calls that reach its server.",
            f"Ours, `devices.sila.Sila`, passes **{won} of {total}**. Made with `make sila2`.",
            "",
            "Our client carries what devices need: properties, the current value of observable ones, commands with basic",
            "values and lists of them, observable commands with their progress, result and errors. It carries no dates,",
            "structures, binaries, values of any type, metadata, logins or intermediate responses. What asks for those",
            "counts as missed.",
            "",
            "| of | passed | tests |",
            "|---|---:|---:|",
            *rows,
            "",
            "## Refused though it should not be",
            "",
            *unexpected,
            "",
            "## Missed",
            "",
            *missed,
            "",
        ]
    )


def _said(where: str) -> str:
    return where.removeprefix("test_").replace("_", " ")


def main() -> None:
    """Grade, print, and with ``--keep`` keep the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--keep", action="store_true", help=f"write benchmarks/results/{NAME}")
    if not SUITE.exists():
        raise SystemExit("The suite is not installed. Run: make sila2")
    keep = arguments.parse_args().keep
    page = table(*graded())
    print(page)
    if keep:
        (RESULTS / NAME).write_text(page)


if __name__ == "__main__":
    main()
