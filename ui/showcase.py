"""``make demo-console``: the lab service, the console and a campaign on the twin, all of it until Ctrl-C."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.client import Client, Unreachable

__all__ = ["main"]

CAMPAIGN = Path("campaigns/thermostable_protein_g.yaml")
PACE = "60"
"""Lab seconds per second: a batch of the demo takes about a minute."""

START_S = 60.0
"""Wall time that service and console have to answer."""


def main(folder: Path) -> int:
    """Run the demo with all its files in a folder; gives the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "drywet.db"
    name, password = "demo", "-".join(secrets.token_hex(2) for _ in range(4))
    service_port, console_port = _free(8517), _free(8501)
    service, console = f"http://127.0.0.1:{service_port}", f"http://localhost:{console_port}"
    roles = [flag for role in ("admin", "scientist", "operator", "approver") for flag in ("--role", role)]
    added = _drywet("users", "add", name, *roles, "--password-stdin", "--store", str(store))
    subprocess.run(added, input=f"{password}\n", text=True, check=True, stdout=subprocess.DEVNULL)
    served = _drywet(
        "serve",
        "--store",
        str(store),
        "--folder",
        ".",
        "--port",
        str(service_port),
        "--pace",
        PACE,
        "--console",
        console,
    )
    shown = _drywet("console", "--service", service, "--port", str(console_port))
    with (
        _running(served, folder / "service.log") as serving,
        _running(shown, folder / "console.log") as showing,
    ):
        with Client(service) as lab:
            _wait_for(lab, serving, folder / "service.log")
            lab.login(name, password)
            lab.submit(CAMPAIGN.read_text(encoding="utf-8"), str(CAMPAIGN), baseline=False)
        _wait_for_port(console_port, showing, folder / "console.log")
        _say(f"\nThe console is at  {console}\nLog in as          {name}\nwith the password  {password}\n")
        _say(
            "A campaign runs on the twin, a minute of lab time in each second. Ctrl-C ends everything; nothing is lost."
        )
        return _until_ended(serving, showing)


def _until_ended(*programs: subprocess.Popen[bytes]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while all(one.poll() is None for one in programs):
            time.sleep(0.5)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it ends already, and what it started is waited for
        _say("\nEnding at a step boundary ...")
        return 0
    return 1


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _drywet(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "lab.cli", *arguments]


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a group of its own, so that Ctrl-C ends it through us; it is ended with the block."""
    with log.open("wb") as written:
        program = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            yield program
        finally:
            program.terminate()
            try:
                program.wait(timeout=60)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


def _wait_for(lab: Client, program: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            lab.get("/health")
        except Unreachable:
            _refuse_late(program, log, end)
        else:
            return


def _wait_for_port(port: int, program: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            _refuse_late(program, log, end)
        else:
            return


def _refuse_late(program: subprocess.Popen[bytes], log: Path, end: float) -> None:
    if program.poll() is not None or time.monotonic() > end:
        sys.exit(f"It did not start:\n{log.read_text(errors='replace')[-3000:]}")
    time.sleep(0.2)


def _free(wanted: int) -> int:
    """The port that is usual, or any that is free."""
    for port in (wanted, 0):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = tried.getsockname()[1]
            return found
    sys.exit("There is no free port.")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
