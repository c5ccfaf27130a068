"""What people who watch cost a campaign that runs: the run engine's loop and its steps, with nobody there and under load.

One service as ``drywet serve`` runs it, over a twin at 120 times the speed of a bench. Half of the time nobody looks; the
other half 50 listeners hold a stream of events open and 20 requests a second come in: what the console's pages ask for, and
one in twenty a command that is audited. The load comes from a process of its own.

Run: python -m benchmarks.service_load [--keep]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import uvicorn

from benchmarks.machine import RESULTS, machine
from lab.app.house import House
from lab.app.settings import Settings
from lab.engine.progress import Progress, StepEnded
from lab.people import Permission, TokenKind
from lab.service.app import make_app
from lab.service.settings import Standing
from lab.service.tokens import hashed, make_secret
from lab.store import Store
from lab.submissions import CampaignText

LISTENERS = 50
REQUESTS_PER_S = 20
PHASE_S = 60.0
PACE = "120"
PROBE_S = 0.02
"""Between two looks at the loop."""

PAGES = (
    "/campaigns",
    "/snapshot",
    "/submissions?waiting=true",
    "/steps/waiting",
    "/campaigns/{campaign}",
    "/campaigns/{campaign}/events",
    "/campaigns/{campaign}/experiments",
    "/benches/{bench}/deck",
    "/benches/{bench}/devices",
    "/audit",
)


class Watched:
    """What the loop and the steps of a campaign took, phase by phase."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.phase = ""
        self.stalls: dict[str, list[float]] = {}
        self.steps: dict[str, list[float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._probe, daemon=True)
        house.listen(self._tell)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self, event: Progress) -> None:
        if isinstance(event, StepEnded) and self.phase and event.wall_s is not None:
            self.steps.setdefault(self.phase, []).append(event.wall_s)

    def _probe(self) -> None:
        """How long the loop lets a call wait that is due at once."""
        while not self._over.wait(PROBE_S):
            for laboratory in self._house._shifts.laboratories:
                team = laboratory._working
                if team is None or not self.phase:
                    continue
                phase, asked, answered = self.phase, time.perf_counter(), threading.Event()
                team.clock.loop.call_soon_threadsafe(answered.set)
                if answered.wait(10.0):
                    self.stalls.setdefault(phase, []).append(time.perf_counter() - asked)


@contextmanager
def service(folder: Path, pace: str = PACE) -> Iterator[tuple[House, str, str]]:
    """A service on a free port, over a twin at a pace, with the token of somebody who may do everything."""
    settings = Settings(store=str(folder / "lab.db"))
    with Store.open(settings.store) as store:
        house = House(store, settings, Path(), pace)
        person = store.add_person("ada", roles=["admin", "scientist", "operator", "approver"])
        secret = make_secret(TokenKind.API)
        store.add_token(
            person.id,
            kind=TokenKind.API,
            hashed=hashed(secret),
            expires_utc=datetime.now(UTC) + timedelta(hours=1),
            name="benchmark",
            scope=list(Permission),
        )
        app = make_app(house, store, Standing(names=("127.0.0.1",), beside=folder))
        server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        house.open(resume=False)
        try:
            yield house, f"http://127.0.0.1:{port}", secret
        finally:
            house.request_stop("The benchmark is over.")
            server.should_exit = True
            thread.join()
            house.close(60.0)


def begin(house: House) -> tuple[str, str]:
    """A campaign that runs for longer than the benchmark; its identifier and its bench's."""
    text = Path("campaigns/thermostable_protein_g.yaml").read_text(encoding="utf-8")
    house.store.submit(
        "thermostable_protein_g",
        CampaignText(text=text, path="campaigns/load.yaml"),
        who="ada",
        rehearsal={"baseline": False},
    )
    house.look()
    while not house.live():
        time.sleep(0.1)
    (live,) = house.live()
    return live.campaign_id, live.bench_id


async def load(url: str, token: str, campaign: str, bench: str, seconds: float) -> dict[str, object]:
    """Listeners and requests, for so long; what the requests took, and what went wrong."""
    took: list[float] = []
    errors: list[str] = []
    heard = [0] * LISTENERS
    limits = httpx.Limits(max_connections=LISTENERS + 40)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=f"{url}/api", headers=headers, limits=limits, timeout=30.0
    ) as client:

        async def listen(number: int) -> None:
            async with client.stream("GET", "/events") as answer:
                async for line in answer.aiter_lines():
                    heard[number] += line.startswith("event:")

        async def ask(number: int) -> None:
            began = time.perf_counter()
            if number % 20 == 19:
                answer = await client.post(f"/campaigns/{campaign}/continue", json={"reason": "a benchmark"})
            else:
                page = PAGES[number % len(PAGES)].format(campaign=campaign, bench=bench)
                answer = await client.get(page)
            took.append(time.perf_counter() - began)
            if answer.is_error:
                errors.append(f"{answer.status_code} {answer.text[:100]}")

        listening = [asyncio.create_task(listen(number)) for number in range(LISTENERS)]
        asking: list[asyncio.Task[None]] = []
        began = time.perf_counter()
        number = 0
        while time.perf_counter() - began < seconds:
            asking.append(asyncio.create_task(ask(number)))
            number += 1
            await asyncio.sleep(max(0.0, began + number / REQUESTS_PER_S - time.perf_counter()))
        await asyncio.gather(*asking)
        for one in listening:
            one.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    return {"took": took, "errors": errors, "heard": heard}


def row(name: str, values: Sequence[float]) -> str:
    """Median, 95th percentile and most, in milliseconds."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    shown = [f"{value * 1e3:.1f}" for value in (statistics.median(ordered), p95, ordered[-1])]
    return f"| {name} | {len(ordered)} | {' | '.join(shown)} |"


def measure(phase_s: float) -> str:
    """Both phases; the table."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as (house, url, token):
        watched = Watched(house)
        campaign, bench = begin(house)
        time.sleep(5.0)
        watched.phase = "idle"
        time.sleep(phase_s)
        watched.phase = ""
        command = [
            sys.executable,
            "-m",
            "benchmarks.service_load",
            "--load",
            url,
            token,
            campaign,
            bench,
            str(phase_s),
        ]
        loading = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(3.0)  # until they listen
        watched.phase = "load"
        out, _ = loading.communicate()
        watched.phase = ""
        watched.end()
        asked = json.loads(out)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return "\n".join(
        [
            "# The service under load",
            "",
            f"{machine()}. {LISTENERS} listeners of events and {REQUESTS_PER_S} requests a second, one in twenty of them",
            f"a command, beside a campaign on the twin at {PACE} times the speed of a bench; {phase_s:.0f} s with nobody",
            "there, then as long under load.",
            "Made with `python -m benchmarks.service_load --keep`.",
            "",
            "| | count | median ms | 95 % ms | most ms |",
            "|---|---:|---:|---:|---:|",
            row("loop stall, nobody there", watched.stalls["idle"]),
            row("loop stall, under load", watched.stalls["load"]),
            row("step by the machine's clock, nobody there", watched.steps["idle"]),
            row("step by the machine's clock, under load", watched.steps["load"]),
            row("request under load", asked["took"]),
            "",
            f"Requests that failed: {len(asked['errors'])}.",
            f"Events heard by each listener: {min(asked['heard'])} to {max(asked['heard'])}.",
            f"Memory of the service at its most: {memory_mb:.0f} MB.",
            "",
            "A loop stall is what a call waits that is due at once on the loop of the run engine. A step by the machine's",
            "clock holds the twin's own paced time, and so compares only between the two rows.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the table under benchmarks/results")
    parser.add_argument("--seconds", type=float, default=PHASE_S)
    parser.add_argument("--load", nargs=5, metavar=("URL", "TOKEN", "CAMPAIGN", "BENCH", "SECONDS"))
    given = parser.parse_args()
    if given.load:
        url, token, campaign, bench, seconds = given.load
        print(json.dumps(asyncio.run(load(url, token, campaign, bench, float(seconds)))))
        return
    table = measure(given.seconds)
    print(table)
    if given.keep:
        (RESULTS / "service_load.md").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
