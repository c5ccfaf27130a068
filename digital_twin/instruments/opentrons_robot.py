"""An Opentrons OT-2 or Flex over the world, behind its HTTP API: an ASGI application that tracks its deck.

It answers the part of the API (version 8.1.0) that a client needs to drive a robot: health, instruments, modules, runs with
their commands and actions, protocols and analyses. What its commands do is in
:mod:`digital_twin.instruments.opentrons_run`; the run and all that it believes are lost with the process, as they are when a
real robot is switched off.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from devices.opentrons_robot.kit import RobotKit
from devices.opentrons_robot.records import ENDED
from devices.opentrons_robot.recovery import ASSUME, RESUME, offers
from digital_twin.faults import NO_FAULTS, Faults, FaultScript, Request, Strike
from digital_twin.instruments.opentrons_api import (
    ROUTES,
    SOFTWARE,
    Refusal,
    health,
    legacy_error,
    many,
    named,
    shown,
    shown_pipette,
)
from digital_twin.instruments.opentrons_engine import Engine
from digital_twin.instruments.opentrons_faults import OPENTRONS_FAULTS, PLAY, inside, part_of
from digital_twin.instruments.opentrons_files import ProtocolRequests
from digital_twin.instruments.opentrons_hardware import CommandError, Hardware
from digital_twin.instruments.opentrons_modules import Garbled, Plugged
from digital_twin.instruments.opentrons_protocols import Analyser, ProtocolShelf
from digital_twin.instruments.opentrons_run import Run
from digital_twin.instruments.opentrons_stamp import stamp
from digital_twin.world import World
from lab.errors import FaultKind

__all__ = ["OpentronsTwin"]

PAGE = 20
"""Commands of a list, where the asker does not say how many."""

SILENCE_S = 3600.0
"""How long an answer keeps that does not come."""

_WIRE = frozenset({FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT, FaultKind.NONSENSE_REPLY})
_IN_FILES = frozenset({"run_file"})
_VERBS = frozenset({"distribute", "add_reagent", "mix"})

Answer = tuple[int, Any]
Handler = Callable[..., Awaitable[Answer]]


class OpentronsTwin(ProtocolRequests):
    """One simulated robot.

    Args:
        name: of the device in the workcell, to which its positions belong; also keys its noise.
        kit: what it is fitted with.
        script: faults of the bench.
        analyser: analyses protocol files; without one the robot takes files and says that it can't analyse them.
        modules: that are plugged in.
        software: its version; since 8.2 it takes failures for false alarms where it is told so.

    Raises:
        BadInput: a rule of the script that could never strike.
    """

    def __init__(
        self,
        world: World,
        *,
        name: str,
        kit: RobotKit,
        script: FaultScript = NO_FAULTS,
        analyser: Analyser | None = None,
        modules: Sequence[Plugged] = (),
        software: str = SOFTWARE,
    ) -> None:
        self._world = world
        self._name = name
        self._kit = kit
        self._faults = Faults(world, name, OPENTRONS_FAULTS, script)
        self._inside = Faults(world, name, OPENTRONS_FAULTS, inside(script))
        self._software = software
        self._hardware = Hardware(world=world, name=name, kit=kit)
        self._runs: dict[str, Run] = {}
        self._plugged = {module.id: module for module in modules}
        self._at_work: set[asyncio.Future[Any]] = set()
        self._strikes: dict[str, Strike] = {}
        self._shelf = ProtocolShelf(new_id=self._new_id, now=world.clock.now, analyser=analyser)

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            raise NotImplementedError(f"a robot answers HTTP, not {scope['type']}")
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        status, answer = await self._answer(scope["method"], scope["path"], query, headers, bytes(body))
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        head = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(raw)).encode()),
            (b"opentrons-version", headers.get("opentrons-version", "2").encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": raw})

    async def _answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if "opentrons-version" not in headers:
            return 422, legacy_error("header.opentrons-version: field required")
        for pattern, verb, name in ROUTES:
            found = pattern.fullmatch(path)
            if found is None or verb != method:
                continue
            handler: Handler = getattr(self, name)
            try:
                if name == "_upload":
                    return await self._upload(headers.get("content-type", ""), body)
                data = json.loads(body)["data"] if body and path != "/robot/home" else {}
                return await handler(*found.groups(), query=query, data=data)
            except Refusal as refusal:
                return refusal.status, refusal.body
            except Garbled as garbled:
                return 200, garbled.raw.encode()
            except (KeyError, TypeError, ValueError) as wrong:
                return 422, legacy_error(f"{type(wrong).__name__}: {wrong}")
        return 404, legacy_error(f"Not Found: {method} {path}")

    # what it is

    async def _health(self, *, query: Any, data: Any) -> Answer:
        return 200, health(self._name, self._kit.model, self._world.seed, self._software)

    async def _instruments(self, *, query: Any, data: Any) -> Answer:
        feels = self._hardware.feels_tips
        items = [
            shown_pipette(mount, pipette, tip_on=self._hardware.tips_on(mount) if feels else None)
            for mount, pipette in self._kit.pipettes.items()
        ]
        return 200, many(items)

    async def _modules(self, *, query: Any, data: Any) -> Answer:
        return 200, many([await module.shown() for module in self._plugged.values()])

    async def _do_now(self, *, query: Any, data: Mapping[str, Any]) -> Answer:
        """A command outside any run; only those of modules are of use there."""
        current = self._current()
        if current is not None and current.status not in ENDED | {"idle"}:
            raise Refusal(409, "RunActive", "There is an active run. Close the current run.")
        record: dict[str, Any] = {
            "id": self._new_id(),
            "createdAt": stamp(self._world.clock.now()),
            "commandType": data["commandType"],
            "key": data.get("key") or self._new_id(),
            "params": data["params"],
        }
        module = self._plugged.get(data["params"].get("moduleId"))
        try:
            if module is None:
                raise CommandError(
                    "ModuleNotLoadedError", f"Module {data['params'].get('moduleId')} not found."
                )
            # A module goes on with what it was told when the asker stops waiting.
            work = asyncio.ensure_future(module.do(data["commandType"], data["params"]))
            self._at_work.add(work)
            work.add_done_callback(self._at_work.discard)
            record |= {"result": await asyncio.shield(work), "status": "succeeded"}
        except CommandError as error:
            record |= {
                "status": "failed",
                "error": error.shown(self._new_id(), stamp(self._world.clock.now())),
            }
        return 201, {"data": record}

    async def _home(self, *, query: Any, data: Any) -> Answer:
        await self._hardware.home()
        return 200, {"message": "Homing robot."}

    # runs

    async def _list_runs(self, *, query: Mapping[str, str], data: Any) -> Answer:
        current = self._current()
        links = {} if current is None else {"current": {"href": f"/runs/{current.id}"}}
        return 200, {**many([shown(run) for run in self._runs.values()]), "links": links}

    async def _create_run(self, *, query: Any, data: Mapping[str, Any]) -> Answer:
        current = self._current()
        if current is not None and (current.busy or current.status not in ENDED | {"idle"}):
            raise Refusal(409, "RunAlreadyActive", "There is already an active run. Close the current run.")
        protocol_id = data.get("protocolId")
        if protocol_id is not None and protocol_id not in self._shelf.protocols:
            raise Refusal(404, "ProtocolNotFound", f"Protocol {protocol_id} was not found.")
        if current is not None:
            current.current = False
        offsets = [self._offset(one) for one in data.get("labwareOffsets", [])]
        run = Run(
            id=self._new_id(),
            engine=Engine(
                hardware=self._hardware, new_id=self._new_id, strike=self._strike_at, offsets=offsets
            ),
            now=self._world.clock.now,
            new_id=self._new_id,
            protocol_id=protocol_id,
            offsets=offsets,
            before=self._draw,
            created=stamp(self._world.clock.now()),
        )
        self._runs[run.id] = run
        if protocol_id is not None:
            for command in self._shelf.commands(protocol_id):
                params = {**command["params"], **named(command)}
                run.enqueue(command["commandType"], params, intent="protocol", key=command.get("key"))
        return 201, {"data": shown(run)}

    async def _get_run(self, run_id: str, *, query: Any, data: Any) -> Answer:
        return 200, {"data": shown(self._run(run_id))}

    async def _patch_run(self, run_id: str, *, query: Any, data: Mapping[str, Any]) -> Answer:
        run = self._live(run_id)
        if data.get("current") is False:
            if run.busy or run.status not in ENDED | {"idle"}:
                raise Refusal(409, "RunNotIdle", f"Run {run_id} is not idle.")
            run.current = False
        return 200, {"data": shown(run)}

    async def _delete_run(self, run_id: str, *, query: Any, data: Any) -> Answer:
        run = self._run(run_id)
        if run.busy:
            raise Refusal(409, "RunNotIdle", f"Run {run_id} is not idle.")
        del self._runs[run_id]
        return 200, {}

    async def _act(self, run_id: str, *, query: Any, data: Mapping[str, Any]) -> Answer:
        run, kind = self._live(run_id), data["actionType"]
        allowed = {
            "play": {"idle", "paused"},
            "pause": {"running"},
            "stop": set(_GOING),
            RESUME: {"awaiting-recovery"},
            ASSUME: {"awaiting-recovery"},
        }.get(kind)
        if allowed is None or (kind == ASSUME and ASSUME not in offers(self._software)):
            return 422, legacy_error(f"data.actionType: {kind} is no action of software {self._software}")
        if run.status not in allowed:
            raise Refusal(409, "RunActionNotAllowed", f"Cannot {kind} a run that is {run.status}.")
        struck = self._struck_on_the_wire(kind, _IN_FILES) if kind == PLAY and run.status == "idle" else None
        if struck is not None and not struck.after:
            await self._hang_up(struck)
        action = {"id": self._new_id(), "createdAt": stamp(self._world.clock.now()), "actionType": kind}
        run.actions.append(action)
        match kind:
            case "play":
                run.play()
            case "pause":
                run.pause()
            case "stop":
                await run.stop()
            case _:
                run.resume(assume=kind == ASSUME)
        if struck is not None and struck.after:
            await self._hang_up(struck)
        return 201, b'{"data": {"id": ' if struck is not None else {"data": action}

    async def _set_policy(self, run_id: str, *, query: Any, data: Mapping[str, Any]) -> Answer:
        self._live(run_id).rules = list(data["policyRules"])
        return 200, {}

    async def _add_offset(self, run_id: str, *, query: Any, data: Mapping[str, Any]) -> Answer:
        run = self._live(run_id)
        if run.status != "idle":
            raise Refusal(409, "RunNotIdle", f"Run {run_id} is not idle.")
        offset = self._offset(data)
        run.offsets.append(offset)
        return 201, {"data": offset}

    # commands

    async def _enqueue(self, run_id: str, *, query: Mapping[str, str], data: Mapping[str, Any]) -> Answer:
        kind, intent = data["commandType"], data.get("intent", "setup")
        struck = None if intent == "fixit" else self._struck_on_the_wire(kind)
        if struck is not None and not struck.after:
            await self._hang_up(struck)
        run = self._live(run_id)
        if intent == "setup" and run.status != "idle":
            raise Refusal(
                409, "SetupCommandNotAllowed", f"Setup commands are not allowed: the run is {run.status}."
            )
        if intent == "fixit" and run.status != "awaiting-recovery":
            raise Refusal(
                400, "CommandNotAllowed", "Fixit commands are not allowed when the run is not in recovery."
            )
        failed = query.get("failedCommandId")
        record = run.enqueue(kind, data["params"], intent=intent, key=data.get("key"), failed=failed)
        if query.get("waitUntilComplete", "false").lower() == "true":
            limit = query.get("timeout")
            await run.wait_for(record["id"], None if limit is None else int(limit) / 1000.0)
        if struck is not None:
            await self._hang_up(struck)
            return 201, b'{"data": {"id": '
        return 201, {"data": record}

    async def _get_command(self, run_id: str, command_id: str, *, query: Any, data: Any) -> Answer:
        for record in self._run(run_id).commands:
            if record["id"] == command_id:
                return 200, {"data": record}
        raise Refusal(404, "CommandNotFound", f"Command {command_id} was not found.")

    async def _list_commands(self, run_id: str, *, query: Mapping[str, str], data: Any) -> Answer:
        run = self._run(run_id)
        length = int(query.get("pageLength", PAGE))
        first = int(query["cursor"]) if "cursor" in query else max(0, len(run.commands) - length)
        page = [
            {k: v for k, v in one.items() if k != "result"} for one in run.commands[first : first + length]
        ]
        meta = {"cursor": first, "totalLength": len(run.commands)}
        return 200, {"data": page, "meta": meta, "links": {}}

    # underneath

    def _offset(self, written: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": self._new_id(),
            "createdAt": stamp(self._world.clock.now()),
            "definitionUri": written["definitionUri"],
            "location": written["location"],
            "vector": written["vector"],
        }

    def _current(self) -> Run | None:
        return next((run for run in self._runs.values() if run.current), None)

    def _run(self, run_id: str) -> Run:
        run = self._runs.get(run_id)
        if run is None:
            raise Refusal(404, "RunNotFound", f"Run {run_id} was not found.")
        return run

    def _live(self, run_id: str) -> Run:
        run = self._run(run_id)
        if not run.current or run.status in ENDED:
            raise Refusal(409, "RunStopped", f"Run {run_id} is not the current run.")
        return run

    def _new_id(self) -> str:
        # Not from the seed: a robot that is switched on again must not give a new run the id of an old one.
        return str(uuid4())

    def _strike_at(self, part: str) -> Strike | None:
        """What goes wrong with the command that is being carried out."""
        return self._strikes.pop(part, None)

    def _draw(self, kind: str) -> None:
        """What goes wrong with a command of a protocol; nothing on the wire, where it does not pass."""
        part = part_of(kind)
        strike = None if part is None else self._inside.strike(Request(part, _IN_FILES))
        if strike is not None and part is not None:
            self._strikes[part] = strike

    def _struck_on_the_wire(self, kind: str, verbs: frozenset[str] = _VERBS) -> Strike | None:
        """What goes wrong with a command; what happens on the deck is kept until it is carried out."""
        part = part_of(kind)
        strike = None if part is None else self._faults.strike(Request(part, verbs))
        if strike is None:
            return None
        if strike.kind is FaultKind.BUSY:
            raise Refusal(503, "ServerInitializing", "The robot is not ready.", code="4001")
        if strike.kind in _WIRE:
            return strike
        assert part is not None
        self._strikes[part] = strike
        return None

    async def _hang_up(self, strike: Strike) -> None:
        if strike.kind is FaultKind.CONNECTION_LOST:
            raise ConnectionResetError("the robot's network is gone")
        if strike.kind is FaultKind.TIMEOUT:
            await asyncio.sleep(SILENCE_S)


_GOING = ("idle", "running", "paused", "awaiting-recovery")
