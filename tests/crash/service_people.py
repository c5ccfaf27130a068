"""The people of a case: they hand in, approve, pause, settle, and start the service again whenever it is gone.

They act over HTTP alone. What they sent when the service died they send again, with the same key.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from lab.client import Client, Refused, Unreachable
from tests.crash.cases import BY_HAND
from tests.crash.controller import KILLED, OPEN_S, Hung
from tests.crash.deeds import Past
from tests.crash.diary import Diary, read_diary
from tests.crash.person import verdict_on
from tests.crash.service_cases import ServiceScene, write_lab
from tests.crash.service_controller import begin_service
from tests.crash.truth import read_ledger

__all__ = ["ADA", "GRACE", "PASSWORD", "People", "live_through"]

ADA, GRACE = "ada", "grace"
PASSWORD = "seven green bottles 7"
LIMIT_S = 120.0
"""Wall time for anything that they wait for."""

MOST_STAGES = 8
LOOK_S = 0.02

T = TypeVar("T")
Json = Any


@dataclass(slots=True)
class People:
    """They, and the service as they know it.

    Args:
        wrong: what they saw that must not be, a sentence each.
        refused: how often a command that was cut off was not known to be done.
        settled: steps that they said what came of.
        in_the_way: how often a campaign said that the plates of a stopped one stand in its way.
    """

    scene: ServiceScene
    stage: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: int = 0
    settled: int = 0
    in_the_way: int = 0
    _stopped_by_us: set[str] = field(default_factory=set)
    _pid: int = 0
    _tokens: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Client] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)

    # The service.

    def start(self) -> None:
        """Start it, until it answers; once more where it is killed before it does.

        Raises:
            Hung: it does not come up.
        """
        deadline = time.monotonic() + LIMIT_S
        while True:
            if self._pid == 0:
                self.stage += 1
                assert self.stage <= MOST_STAGES, "it was started too often"
                self._pid = begin_service(self.scene, self.stage)
            try:
                with Client(self._url) as anybody:
                    anybody.get("/ready")
                return
            except (Unreachable, Refused):
                self._note_death()
            if time.monotonic() > deadline:
                raise Hung(f"no service answered within {LIMIT_S:.0f} s: {self.log}")
            time.sleep(LOOK_S)

    def _note_death(self) -> bool:
        """Whether the service is gone; says so where nobody killed it."""
        ended, status = os.waitpid(self._pid, os.WNOHANG)
        if not ended:
            return False
        code = os.waitstatus_to_exitcode(status)
        self._pid = 0
        if code != KILLED:
            locked = "://" in self.scene.store and "is writing to this store" in self.log
            if not locked or self.stage > OPEN_S:
                raise Hung(f"a service ended with {code}: {self.log}")
            self.stage -= 1  # The server of the database has not seen yet that its client is dead.
            self._log_of(self.stage + 1).unlink()
            time.sleep(0.2)
        return True

    def kill(self, at: str) -> None:
        """Kill it from outside."""
        Diary(self.scene.diary, self.stage).note(
            "kill", at=at, nth=1, verb="-", index=self._lines(), flying={}
        )
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._pid = 0

    def end(self) -> int:
        """End it politely; its exit code."""
        os.kill(self._pid, signal.SIGTERM)
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            if ended:
                self._pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(LOOK_S)
        raise Hung(f"a service did not end within {LIMIT_S:.0f} s")

    def leave(self) -> None:
        """Leave nothing behind, whatever happened."""
        for client in self._clients.values():
            client.close()
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    @property
    def log(self) -> str:
        """The end of what the last service wrote."""
        log = self._log_of(self.stage)
        return log.read_text(errors="replace")[-3000:] if log.exists() else "nothing"

    def _log_of(self, stage: int) -> Path:
        return self.scene.folder / f"stage_{stage}.log"

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.scene.port}"

    # What they ask.

    def ask(self, do: Callable[[Client], T], who: str = ADA) -> T:
        """Ask the service something, and again of the next one when this one dies."""
        while True:
            if self._pid == 0:
                self.start()
            try:
                return do(self._client(who))
            except Unreachable as gone:
                self._clients.pop(who).close()
                deadline = time.monotonic() + LIMIT_S
                while not self._note_death():
                    if time.monotonic() > deadline:
                        raise Hung(f"a service lives and does not answer: {gone}") from gone
                    time.sleep(LOOK_S)

    def _client(self, who: str) -> Client:
        if who not in self._clients:
            client = Client(self._url, self._tokens.get(who, ""))
            self._clients[who] = client
            if not client.token:
                client.login(who, PASSWORD)
                self._tokens[who] = client.token
        return self._clients[who]

    def send(self, path: str, body: Json, key: str, *, is_done: Callable[[], bool], who: str = ADA) -> None:
        """Send a command; where a kill cut it off, the same once more, or afresh if it turns out not to be done."""
        try:
            self.ask(lambda lab: lab.post(path, body, key=key), who)
        except Refused as refused:
            if refused.code != "not_known":
                raise
            self.refused += 1
            if not is_done():
                self.ask(lambda lab: lab.post(path, body, key=f"{key} again"), who)

    def hand_in(self, name: str, *, seed: int = 1, budget: int = 4, more: str = "") -> None:
        """Hand a campaign in."""
        policy = self.scene.case.policy
        text = write_lab(self.scene.folder, name, policy, seed=seed, budget=budget, more=more)
        body = {"text": text, "path": f"{name}.yaml", "baseline": False}
        self.send("/submissions", body, f"hand in {name}", is_done=lambda: self._was_handed_in(name))

    def _was_handed_in(self, name: str) -> bool:
        return any(one["name"] == name for one in self.ask(lambda lab: lab.submissions()))

    def schedule(self, name: str) -> None:
        """Have a campaign begin by the clock, at a minute that has passed already by the service's."""
        text = write_lab(self.scene.folder, name, self.scene.case.policy, budget=2)
        self.ask(lambda lab: lab.schedules())  # the service is there, and what follows takes a moment
        while datetime.now(UTC).second > 55:
            time.sleep(0.2)
        due = datetime.now(UTC) + timedelta(seconds=self.scene.ahead_s)
        body = {
            "text": text,
            "path": f"{name}.yaml",
            "cron": f"{due.minute} {due.hour} * * *",
            "timezone": "UTC",
        }
        self.send(
            "/schedules",
            body,
            f"schedule {name}",
            is_done=lambda: bool(self.ask(lambda lab: lab.schedules())),
        )

    def campaign(self, name: str) -> Mapping[str, Any] | None:
        """How a campaign stands; None before it has begun."""
        found = [one for one in self.ask(lambda lab: lab.campaigns()) if one["name"] == name]
        return found[0] if found else None

    def until(self, what: str, is_so: Callable[[], T]) -> T:
        """Wait until something is so; they do meanwhile what the service waits for.

        Raises:
            Hung: it never is.
        """
        deadline = time.monotonic() + LIMIT_S
        while not (found := is_so()):
            self.answer()
            if time.monotonic() > deadline:
                stand = [
                    (one["name"], one["status"], one["sentence"])
                    for one in self.ask(lambda lab: lab.campaigns())
                ]
                raise Hung(f"{what} within {LIMIT_S:.0f} s; {stand}; {self.log}")
            time.sleep(LOOK_S)
        return found

    def until_over(self, *names: str) -> None:
        """Wait until campaigns have finished."""

        def are_over() -> bool:
            stand = {one["name"]: one["status"] for one in self.ask(lambda lab: lab.campaigns())}
            return all(stand.get(name) in ("finished", "aborted") for name in names)

        self.until(f"{', '.join(names)} did not finish", are_over)

    def arm(self) -> None:
        """From here on, armed kills count."""
        self.scene.armed.touch()

    # What the service asks of them.

    def answer(self) -> None:
        """Approve what waits for a word, and settle what nobody knows."""
        for one in self.ask(lambda lab: lab.approvals("waiting")):
            self._approve(one["id"], one["version"])
        held = [one for one in self.ask(lambda lab: lab.campaigns()) if one["status"] == "held"]
        for one in held:
            if "left there by" in one["sentence"]:
                self._clear_the_way(one)
            elif not one["sentence"].startswith("Batch "):  # which has asked for a word, and is approved
                self._settle(one)

    def _approve(self, approval: str, version: int) -> None:
        path, body = f"/approvals/{approval}/approve", {"expected": version, "why": "", "left_out": []}

        def is_done() -> bool:
            return bool(self.ask(lambda lab: lab.approval(approval))["status"] == "approved")

        self.send(path, body, f"approve {approval}", is_done=is_done, who=GRACE)

    def _settle(self, campaign: Mapping[str, Any]) -> None:
        """Look at the bench, say what came of each step that nobody knows, and have the campaign go on."""
        steps = [one for one in self.ask(lambda lab: lab.get("/steps/waiting")) if not one["recovery"]]
        mine = [one for one in steps if one["campaign_id"] == campaign["id"]]
        now = self.ask(lambda lab: lab.campaign(campaign["id"]))
        if now["status"] != "held":
            return
        if not steps and not now["sentence"].endswith("It waits to be resumed."):
            self.wrong.append(f"{now['name']} is held, and nothing waits for a person: {now['sentence']}")
            raise Hung(self.wrong[-1])
        for step in mine or steps:
            self._say(step)
        self._resume(campaign["id"])

    def _say(self, step: Mapping[str, Any]) -> None:
        past = Past(*read_ledger(self._ledger(step["bench_id"])))
        of_line = {
            note["index"]: note["step"] for note in read_diary(self.scene.diary) if note["what"] == "action"
        }
        verdict = verdict_on(step["id"], step["action"], step["arguments"], past, of_line)
        body = {"verdict": verdict.value, "why": "I looked at the bench."}

        def is_done() -> bool:
            waiting = self.ask(lambda lab: lab.get("/steps/waiting"))
            return all(one["id"] != step["id"] or one["recovery"] for one in waiting)

        self.send(f"/steps/{step['id']}/resolve", body, f"settle {step['id']}", is_done=is_done)
        self.settled += 1

    def _resume(self, campaign: str) -> None:
        try:
            self.ask(lambda lab: lab.resume(campaign, expected="held"))
        except Refused as refused:
            if refused.status != 409 and "runs already" not in refused.sentence:
                raise

    def stop(self, name: str) -> bool:
        """Ask for a stop, again where a kill came between; whether it has stopped."""
        record = self.campaign(name)
        assert record is not None
        if record["status"] == "running":
            self._stopped_by_us.add(name)
            try:
                self.ask(lambda lab: lab.stop(record["id"]))
            except Refused as refused:
                if refused.code != "not_running":
                    raise
                # It came to its end, or was held, between the look and the word.
                self._stopped_by_us.remove(name)
        return bool(record["status"] != "running")

    def resume_stopped(self, name: str) -> None:
        """Resume what they have stopped, and nobody else may."""
        record = self.campaign(name)
        assert record is not None
        if name not in self._stopped_by_us:
            return
        self._stopped_by_us.remove(name)
        if record["status"] != "stopped":
            self.wrong.append(
                f"{name} was stopped by a person, and is {record['status']} without anybody's word."
            )
            return
        self.ask(lambda lab: lab.resume(record["id"]))

    def _clear_the_way(self, held: Mapping[str, Any]) -> None:
        """Do what a campaign asks for that is held because the plates of a stopped one stand in its way."""
        others = [one for one in self.ask(lambda lab: lab.campaigns()) if one["id"] != held["id"]]
        if any(one["status"] == "running" for one in others):
            return  # It takes its plates away, or is about to stop.
        if self._stopped_by_us:
            self.in_the_way += 1
            self.resume_stopped(next(iter(self._stopped_by_us)))
        else:
            self._resume(held["id"])

    def _ledger(self, bench_id: str) -> Path:
        (path,) = self.scene.folder.rglob(f"{bench_id}.jsonl")
        return path

    def _lines(self) -> int:
        ledgers = list(self.scene.folder.rglob("bch_*.jsonl"))
        return max((len(path.read_bytes().splitlines()) - 1 for path in ledgers), default=0)


# ----------------------------------------------------------------------------------------------------------------- days


def live_through(people: People) -> None:
    """The day of a case, until nothing is left to do."""
    _DAYS[people.scene.case.day](people)


def _one(people: People) -> None:
    people.hand_in("one")
    people.until_over("one")


def _approval(people: People) -> None:
    people.hand_in("asks", more="approval:\n  each_batch: true\n")
    people.until_over("asks")


def _schedule(people: People) -> None:
    people.schedule("nightly")
    people.until_over("nightly")


def _paused(people: People) -> None:
    people.hand_in("one")
    people.until("nothing moved", lambda: _has_moved(people, "one"))
    record = people.campaign("one")
    assert record is not None
    people.ask(lambda lab: lab.pause(record["id"]))
    people.until("it did not pause", lambda: _live(people, "one").get("paused"))
    people.kill("paused")
    people.until("it is not there any more", lambda: _live(people, "one"))
    if not _live(people, "one").get("pausing"):
        people.wrong.append(
            "It was paused when the service was killed, and goes on now though nobody said so."
        )
    people.until("it does not stand still", lambda: _live(people, "one").get("paused"))
    people.ask(lambda lab: lab.let_go_on(record["id"]))
    people.until_over("one")


def _by_hand(people: People) -> None:
    people.hand_in("one", budget=2)
    people.until_over("one")
    record = people.campaign("one")
    assert record is not None
    people.arm()
    body = {"device": "thermocycler", "verb": "open_lid", "arguments": {}}

    def sent() -> list[Json]:
        return [one for one in people.ask(lambda lab: lab.campaigns()) if one["name"].startswith(BY_HAND)]

    people.send(f"/benches/{record['bench_id']}/commands", body, "open it", is_done=lambda: bool(sent()))
    people.until("the command did not end", lambda: {one["status"] for one in sent()} == {"finished"})


def _two(people: People) -> None:
    people.hand_in("one", budget=6)
    people.until("nothing moved", lambda: _has_moved(people, "one"))
    people.hand_in("two", seed=2, budget=2)
    people.until("the second did not begin", lambda: _has_moved(people, "two"))
    people.arm()
    people.until_over("one", "two")


def _stopped(people: People) -> None:
    people.hand_in("one", budget=6)
    people.until("nothing moved", lambda: _has_moved(people, "one"))
    people.hand_in("two", seed=2, budget=2)
    people.until("the second did not begin", lambda: _has_moved(people, "two"))
    people.arm()
    people.until("it did not stop", lambda: people.stop("one"))
    people.until_over("two")
    people.resume_stopped("one")
    people.until_over("one")


def _live(people: People, name: str) -> Mapping[str, Any]:
    record = people.campaign(name)
    return {} if record is None else record["live"] or {}


def _has_moved(people: People, name: str) -> bool:
    """Whether a step of it has ended; also where all of them have."""
    record = people.campaign(name)
    return record is not None and (
        record["status"] == "finished" or int((record["live"] or {}).get("step", 0)) > 1
    )


_DAYS: dict[str, Callable[[People], None]] = {
    "one": _one,
    "approval": _approval,
    "schedule": _schedule,
    "paused": _paused,
    "by_hand": _by_hand,
    "two": _two,
    "stopped": _stopped,
}
