"""The lab service for as long as fifty campaigns take: what it keeps of them, who hears of them, and backups meanwhile.

Campaigns run one after the other on a twin, as fast as they can. All the while a hundred listeners follow the events: some
read slowly, some go and come back. Each must hear every event once and in order, or be given a snapshot in place of what
it missed. Every twenty seconds somebody makes a backup with ``drywet backup``; each is restored in the end and read.

Run: python -m benchmarks.service_long [--keep] [--campaigns 50]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import numpy as np

from benchmarks.machine import RESULTS, machine
from benchmarks.service_load import service
from lab.app.belief import read_bench
from lab.app.house import House
from lab.store import Store
from lab.submissions import CampaignText
from lab.types import CampaignStatus

CAMPAIGNS = 50
BUDGET = 12
MARKS = (5, 10, 20, 30, 40, 50)
"""After so many campaigns it is looked at what the service keeps."""

LISTENERS = 100
SLOW, COMING_BACK = 10, 20
"""Of them: those who take half a second for each event, and those who go and come back."""

SLOW_S = 0.5
BACKUP_EVERY_S = 20.0
LIMIT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the service holds after so many campaigns."""

    campaigns: int
    memory_mb: float
    files: int
    threads: int
    list_ms: float
    """For the list of all campaigns."""

    took_s: float
    """By the last campaign."""

    @classmethod
    def now(cls, campaigns: int, asking: httpx.Client, took_s: float) -> Kept:
        """Of this process, which is the service."""
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        asked = []
        for _ in range(5):
            began = time.perf_counter()
            asking.get("/campaigns").raise_for_status()
            asked.append(time.perf_counter() - began)
        return cls(
            campaigns=campaigns,
            memory_mb=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            files=len(list(Path("/proc/self/fd").iterdir())),
            threads=threading.active_count(),
            list_ms=1e3 * float(np.median(asked)),
            took_s=took_s,
        )


@dataclass(slots=True, kw_only=True)
class Heard:
    """What one listener made of the stream."""

    events: int = 0
    snapshots: int = 0
    lost: int = 0
    """Events that neither came nor were covered by a snapshot, and events that came twice or too late."""

    life: str = ""
    last: int = -1

    def take(self, identifier: str, kind: str) -> None:
        """One more."""
        life, _, written = identifier.partition("-")
        number = int(written)
        if kind == "snapshot":
            self.snapshots += 1
            self.lost += life == self.life and number < self.last
        else:
            self.events += 1
            self.lost += life != self.life or number != self.last + 1
        self.life, self.last = life, number


async def listen(url: str, token: str) -> list[dict[str, object]]:
    """All of them, until a line comes in."""
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=LISTENERS + 10)
    async with httpx.AsyncClient(
        base_url=f"{url}/api", headers=headers, limits=limits, timeout=60.0, trust_env=False
    ) as client:
        heard = [Heard() for _ in range(LISTENERS)]
        listening = [
            asyncio.create_task(
                _follow(
                    client,
                    one,
                    pause_s=SLOW_S if n < SLOW else 0.0,
                    stay=random.Random(n) if SLOW <= n < SLOW + COMING_BACK else None,
                )
            )
            for n, one in enumerate(heard)
        ]
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for task in listening:
            task.cancel()
        ends = await asyncio.gather(*listening, return_exceptions=True)
    broken = [one for one in ends if not isinstance(one, asyncio.CancelledError)]
    assert not broken, broken
    return [asdict(one) for one in heard]


async def _follow(
    client: httpx.AsyncClient, heard: Heard, *, pause_s: float, stay: random.Random | None
) -> None:
    """One listener. Who comes back says what it saw last.

    Args:
        pause_s: that it takes for each event.
        stay: for how many events it stays each time; for all of them without it.
    """
    while True:
        last = {"Last-Event-ID": f"{heard.life}-{heard.last}"} if heard.life else {}
        leaves = None if stay is None else stay.randint(20, 400)
        async with client.stream("GET", "/events", headers=last) as answer:
            if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:  # who went before is still counted
                await asyncio.sleep(0.5)
                continue
            answer.raise_for_status()
            identifier = kind = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    identifier = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    heard.take(identifier, kind)
                    await asyncio.sleep(pause_s)
                    if leaves is not None:
                        leaves -= 1
                        if leaves <= 0:
                            break
        await asyncio.sleep(1.0)


def run_one(house: House, number: int) -> float:
    """A campaign of a seed of its own, to its end; the wall time that it took."""
    text = Path("campaigns/thermostable_protein_g.yaml").read_text(encoding="utf-8")
    name = f"long_{number}"
    for what, value in (("name", name), ("seed", number), ("budget", BUDGET), ("batch_size", BUDGET)):
        text = re.sub(rf"^{what}: *\S+", f"{what}: {value}", text, flags=re.MULTILINE)
    began = time.monotonic()
    house.store.submit(
        name,
        CampaignText(text=text, path=f"campaigns/{name}.yaml"),
        who="ada",
        rehearsal={"baseline": False},
    )
    house.look()
    while True:
        found = [one for one in house.store.campaigns() if one.campaign.name == name]
        if found and found[0].status is CampaignStatus.FINISHED:
            return time.monotonic() - began
        assert not found or found[0].status is CampaignStatus.RUNNING, found[0].sentence
        assert time.monotonic() - began < LIMIT_S, f"{name} does not end"
        time.sleep(0.02)


class Backups:
    """Made one after the other by the command, while the block lasts.

    Attributes:
        made: the files.
        took_s: what each took.
    """

    def __init__(self, store: Path, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._make)
        self.made: list[Path] = []
        self.took_s: list[float] = []
        self.failed: list[str] = []

    def __enter__(self) -> Backups:
        self._folder.mkdir()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _make(self) -> None:
        while not self._over.wait(BACKUP_EVERY_S):
            target = self._folder / f"{len(self.took_s)}.tar.gz"
            began = time.monotonic()
            done = _drywet("backup", str(target), "--store", str(self._store))
            self.took_s.append(time.monotonic() - began)
            if done.returncode == 0:
                self.made.append(target)
            else:
                self.failed.append(done.stdout)


def _drywet(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab.cli", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def restored(archive: Path, folder: Path) -> int:
    """Put a backup where there is no store, and read all of it; how many campaigns it holds.

    Raises:
        AssertionError: it can't be restored, or a campaign of it can't be read.
    """
    store_file = folder / archive.name.partition(".")[0] / "lab.db"
    done = _drywet("restore", str(archive), "--store", str(store_file))
    assert done.returncode == 0, done.stdout
    with Store.open(str(store_file)) as store:
        records = store.campaigns()
        for record in records:
            history = store.history(record.campaign.id)
            if record.status is CampaignStatus.FINISHED:
                assert history.spent == BUDGET, f"{record.campaign.name} has spent {history.spent}"
            for run in store.runs(record.campaign.id):
                store.steps(run.run.id)
        for bench_id in {record.bench_id for record in records}:
            read_bench(store, bench_id)
    return len(records)


def measure(campaigns: int) -> str:
    """Campaigns, listeners and backups; the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept: list[Kept] = []
        with (
            service(folder, "max") as (house, url, token),
            httpx.Client(
                base_url=f"{url}/api", headers={"Authorization": f"Bearer {token}"}, trust_env=False
            ) as asking,
        ):
            command = [sys.executable, "-m", "benchmarks.service_long", "--listen", url, token]
            listening = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert listening.stdout is not None
            assert listening.stdout.readline().strip() == "ready", "Nobody listens."
            began = time.monotonic()
            with Backups(folder / "lab.db", folder / "backups") as backups:
                for number in range(1, campaigns + 1):
                    took_s = run_one(house, number)
                    kept.append(Kept.now(number, asking, took_s))
                    print(f"{number} of {campaigns}: {kept[-1].memory_mb:.0f} MB", file=sys.stderr)
            took_s = time.monotonic() - began
            time.sleep(2.0)  # until all have heard the last of it
            out, _ = listening.communicate("enough\n")
            assert listening.returncode == 0, "Who listened was broken off."
        heard = [Heard(**one) for one in json.loads(out)]
        held = [restored(one, folder / "restored") for one in backups.made]
    return report(kept, heard, backups, held, took_s)


def report(
    kept: Sequence[Kept], heard: Sequence[Heard], backups: Backups, held: Sequence[int], took_s: float
) -> str:
    """The tables."""
    later = [one for one in kept if one.campaigns >= min(10, len(kept) // 2)]
    numbers = [one.campaigns for one in later]
    growth = np.polyfit(numbers, [one.memory_mb for one in later], 1)[0] if len(later) > 1 else 0.0
    listeners = {
        f"{LISTENERS - SLOW - COMING_BACK} who read on": heard[SLOW + COMING_BACK :],
        f"{SLOW} who take {SLOW_S:g} s for each event": heard[:SLOW],
        f"{COMING_BACK} who go and come back": heard[SLOW : SLOW + COMING_BACK],
    }
    newest = max(one.last for one in heard)
    most = max(backups.took_s, default=0.0)
    return "\n".join(
        [
            "# The service for as long as many campaigns take",
            "",
            f"{machine()}. {len(kept)} campaigns of {BUDGET} experiments each, one after the other",
            f"on a twin as fast as they can, with {LISTENERS} listeners and a backup every {BACKUP_EVERY_S:.0f} s:",
            f"{took_s / 60:.1f} min.",
            "Made with `python -m benchmarks.service_long --keep`.",
            "",
            "| after campaign | memory MB | open files | threads | list of campaigns ms | last campaign s |",
            "|---:|---:|---:|---:|---:|---:|",
            *(
                f"| {one.campaigns} | {one.memory_mb:.0f} | {one.files} | {one.threads} "
                f"| {one.list_ms:.1f} | {one.took_s:.1f} |"
                for one in kept
                if one.campaigns in (*MARKS, len(kept))
            ),
            "",
            f"From campaign {numbers[0]} on, memory grows by {1024 * growth:.0f} KiB with each (a line through all).",
            "Most of what Python itself holds of it are the campaigns' 813 candidates, of which 200,000 are kept at most.",
            "",
            "| listeners | events each | snapshots for what was missed | lost, twice or out of order | behind in the end |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {who} | {min(one.events for one in each)} to {max(one.events for one in each)} "
                f"| {sum(one.snapshots - 1 for one in each)} | {sum(one.lost for one in each)} "
                f"| {min(newest - one.last for one in each)} to {max(newest - one.last for one in each)} |"
                for who, each in listeners.items()
            ),
            "",
            f"Backups: {len(backups.made)} made, {len(backups.failed)} failed, {most:.1f} s at most. Restored and read:",
            f"{len(held)}, of {min(held, default=0)} to {max(held, default=0)} campaigns; what had ended has all results.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the table under benchmarks/results")
    parser.add_argument("--campaigns", type=int, default=CAMPAIGNS)
    parser.add_argument("--listen", nargs=2, metavar=("URL", "TOKEN"))
    given = parser.parse_args()
    if given.listen:
        print(json.dumps(asyncio.run(listen(*given.listen))))
        return
    table = measure(given.campaigns)
    print(table)
    if given.keep:
        (RESULTS / "service_long.md").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
