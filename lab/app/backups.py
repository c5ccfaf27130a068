"""Backup of a store with the ledgers of its twins, taken while a program works on it, and its return.

Store and ledgers must be of one moment: a ledger that is behind has not done what the store says is done, and one that is
ahead would be asked to do it again. The store is copied as of one moment; of a ledger that grew meanwhile, what came after
the last that the copied journal knows is left out, as if the program had been killed there.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lab.app.settings import Settings
from lab.app.unfinished import UNFINISHED
from lab.errors import BadInput, StoreUnusable
from lab.store import Store
from lab.store.copying import put_back, refuse_taken
from lab.types import CampaignStatus

__all__ = ["Backup", "back_up", "restore"]

FORMAT = 1
MANIFEST = "manifest.json"
_STORE = {"sqlite": "store.db", "postgresql": "store.dump"}
_MOST_TRIES = 100
"""Copies of a busy store before somebody should pause it."""
_MOST_MANIFEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What is in a backup.

    Args:
        made_utc: the moment that it holds.
        kind: of database: ``sqlite`` or ``postgresql``.
        files: name within the archive -> SHA-256.
        ledgers: bench -> name of its ledger within the archive.
        campaigns: how many.
        real: names of workcells of real instruments whose campaigns had not finished.
    """

    made_utc: datetime
    drywet: str
    revision: str
    kind: str
    files: Mapping[str, str]
    ledgers: Mapping[str, str]
    campaigns: int
    real: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The manifest."""
        return {
            "format": FORMAT,
            "made_utc": self.made_utc.isoformat(),
            "drywet": self.drywet,
            "revision": self.revision,
            "kind": self.kind,
            "files": dict(self.files),
            "ledgers": dict(self.ledgers),
            "campaigns": self.campaigns,
            "real": list(self.real),
        }


def back_up(where: str, target: Path) -> Backup:
    """Write a backup of a store, which a program may be working on, into one file.

    Raises:
        BadInput: the file is there already, or can't be written.
        StoreUnusable: the store can't be read, or is too busy for a moment of it to be caught.
    """
    if target.exists():
        raise BadInput(
            "It is there already, and nothing is written over.", way_out="Name another.", file=target
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as folder:
            made = _gather(where, Path(folder))
            _pack(made, Path(folder), target)
    except OSError as error:
        raise BadInput(
            f"The backup can't be written: {error.strerror}.", way_out="See that there is room.", file=target
        ) from error
    return made


def _gather(where: str, folder: Path) -> Backup:
    """Store and ledgers of one moment in a folder, and what they are."""
    with Store.open(where, read_only=True) as store:
        kind = store.kind
        copy = folder / _STORE[kind]
        for _ in range(_MOST_TRIES):
            with suppress(FileNotFoundError):
                copy.unlink()
            before = _lengths(store)
            moment = datetime.now(UTC)
            store.copy_to(copy)
            after = _lengths(store)
            # Of a dump on a server only what stood still meanwhile is known to be of its moment.
            ledgers = before if before == after else None
            if ledgers is None and kind == "sqlite":
                ledgers = _of_the_copy(copy, before, after)
            if ledgers is not None:
                break
        else:
            raise StoreUnusable(
                "The store is too busy for one moment of it to be caught.",
                way_out="Let it rest for the backup: drywet pause, and drywet continue after it.",
            )
        records = store.campaigns()
        twins = {bench.id: bench.twin for bench in store.benches()}
        names = {bench.id: Path(bench.ledger).name for bench in store.benches() if bench.ledger}
        for path, length in ledgers.items():
            _copy_beginning(path, folder / path.name, length)
        files = [copy.name, *sorted(path.name for path in ledgers)]
        return Backup(
            made_utc=moment,
            drywet=_version(),
            revision=store.revision,
            kind=kind,
            files={name: _sha256(folder / name) for name in files},
            ledgers={bench: f"{name}" for bench, name in names.items() if name in files},
            campaigns=len(records),
            real=tuple(
                dict.fromkeys(
                    one.campaign.workcell
                    for one in records
                    if one.status in UNFINISHED and not twins[one.bench_id]
                )
            ),
        )


def _lengths(store: Store) -> dict[Path, int]:
    """Ledger -> bytes that it has now; of those that are there."""
    paths = [Path(bench.ledger) for bench in store.benches() if bench.ledger]
    return {path: path.stat().st_size for path in paths if path.exists()}


def _of_the_copy(copy: Path, before: Mapping[Path, int], after: Mapping[Path, int]) -> dict[Path, int] | None:
    """How much of each ledger belongs to a copied store; None where that can't be told.

    Args:
        before, after: bytes that they had before the copy was begun and after it had ended.
    """
    with Store.open(copy, read_only=True) as copied:
        last_s = {
            Path(bench.ledger): copied.last_lab_time(bench.id) for bench in copied.benches() if bench.ledger
        }
    found: dict[Path, int] = {}
    for path, end in after.items():
        if path not in last_s:
            continue  # a bench that came after the copy
        length = _until(path, before.get(path, 0), end, last_s[path])
        if length is None:
            return None
        found[path] = length
    return found


def _until(path: Path, begin: int, end: int, last_s: float) -> int | None:
    """Bytes of a ledger up to the last action that a journal knows; None where one is at that very moment.

    Args:
        begin: bytes that were there before the journal was copied, all of which belong to it.
    """
    with path.open("rb") as file:
        file.seek(begin)
        grown = file.read(end - begin)
    length = begin
    for line in grown.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        action = json.loads(line)
        if "lab_time_s" not in action:  # the head of a ledger that was just begun
            length += len(line)
            continue
        if action["lab_time_s"] == last_s:
            return None  # of a step that the journal knows has ended, or of one that it does not know
        if action["lab_time_s"] > last_s:
            break
        length += len(line)
    return length


def _copy_beginning(source: Path, target: Path, length: int) -> None:
    with source.open("rb") as file:
        target.write_bytes(file.read(length))


def _pack(made: Backup, folder: Path, target: Path) -> None:
    """All of it into one file that only its owner may read: hashes of passwords are in it."""
    manifest = json.dumps(made.to_json(), indent=2).encode()
    packed = folder / "packed"
    with tarfile.open(packed, "w:gz") as archive:
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mtime, entry.mode = len(manifest), int(made.made_utc.timestamp()), 0o600
        archive.addfile(entry, io.BytesIO(manifest))
        for name in made.files:
            archive.add(folder / name, name, recursive=False)
    packed.chmod(0o600)
    with packed.open("rb+") as file:
        os.fsync(file.fileno())
    os.link(packed, target)  # never over what came there meanwhile


def restore(archive: Path, settings: Settings) -> Backup:
    """Put a backup where there is no store. What is there is never written over.

    Campaigns of real benches that had not finished are held: what was done on them since the backup is not known.

    Raises:
        BadInput: it is no backup, it is damaged, or a newer drywet made it.
        StoreUnusable: there is a store already, or it can't be put there.
    """
    refuse_taken(settings.store)
    target = settings.twin_folder.parent
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".restore-") as folder:
            made = _unpack(archive, Path(folder))
            _refuse_other_kind(made, settings.store)
            ledgers = _place_ledgers(made, Path(folder), settings.twin_folder)
            put_back(Path(folder) / _STORE[made.kind], settings.store)
    except OSError as error:
        raise BadInput(
            f"The backup can't be put there: {error.strerror}.",
            way_out="See that there is room.",
            file=archive,
        ) from error
    with Store.open(settings.store) as store:  # brings an older one up to date
        for bench_id, path in ledgers.items():
            store.move_ledger(bench_id, str(path.resolve()))
        _hold_real_ones(store, made)
    return made


def _refuse_other_kind(made: Backup, where: str) -> None:
    kind = "postgresql" if "postgres" in where.partition("://")[0] and "://" in where else "sqlite"
    if kind != made.kind:
        raise BadInput(
            f"This is a backup of a {made.kind} store, and {kind} is where it is to be put.",
            way_out="Name a store of the same kind with --store.",
        )


def _unpack(archive: Path, folder: Path) -> Backup:
    """The files of a backup in a folder, each as it was, and its manifest."""
    damaged = BadInput(
        "This is no backup of drywet, or it is damaged.", way_out="Take another copy of it.", file=archive
    )
    try:
        with tarfile.open(archive, "r:gz") as packed:
            made = _manifest(packed, archive)
            for name, sha256 in made.files.items():
                entry = packed.getmember(name)
                file = packed.extractfile(entry) if entry.isfile() and Path(name).name == name else None
                if file is None:
                    raise damaged
                with file, (folder / name).open("wb") as copy:
                    while block := file.read(1 << 20):
                        copy.write(block)
                if _sha256(folder / name) != sha256:
                    raise damaged
    except FileNotFoundError as missing:
        raise BadInput("There is no such file.", way_out="Name a backup.", file=archive) from missing
    except (tarfile.TarError, KeyError, ValueError, EOFError) as broken:
        raise damaged from broken
    return made


def _manifest(packed: tarfile.TarFile, archive: Path) -> Backup:
    entry = packed.getmember(MANIFEST)
    file = packed.extractfile(entry)
    if file is None or entry.size > _MOST_MANIFEST:
        raise ValueError("no manifest")
    told = json.loads(file.read())
    if told["format"] != FORMAT:
        raise BadInput(
            f"This backup was made by drywet {told['drywet']}, which is newer.",
            way_out="Update drywet: pip install --upgrade drywet.",
            file=archive,
        )
    return Backup(
        made_utc=datetime.fromisoformat(told["made_utc"]),
        drywet=str(told["drywet"]),
        revision=str(told["revision"]),
        kind=str(told["kind"]),
        files=dict(told["files"]),
        ledgers=dict(told["ledgers"]),
        campaigns=int(told["campaigns"]),
        real=tuple(told["real"]),
    )


def _place_ledgers(made: Backup, folder: Path, twins: Path) -> dict[str, Path]:
    """The ledgers where twins look for theirs; one that an earlier try has put there is taken as it is.

    Raises:
        StoreUnusable: another ledger of the same name is there.
    """
    twins.mkdir(parents=True, exist_ok=True)
    found = {}
    for bench_id, name in made.ledgers.items():
        path = twins / name
        try:
            os.link(folder / name, path)
        except FileExistsError:
            if _sha256(path) != made.files[name]:
                raise StoreUnusable(
                    f"There is another ledger at {path}, and nothing is written over.",
                    way_out="Restore into another folder.",
                ) from None
        found[bench_id] = path
    return found


def _hold_real_ones(store: Store, made: Backup) -> None:
    sentence = (
        f"Restored from a backup of {made.made_utc:%Y-%m-%d %H:%M} UTC. What was done on the bench since is not known here: "
        "see that everything stands as this store says before it goes on."
    )
    for record in store.campaigns():
        if record.status in UNFINISHED and not store.bench(record.bench_id).twin:
            store.set_campaign_status(record.campaign.id, CampaignStatus.HELD, sentence)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version() -> str:
    try:
        return version("drywet")
    except PackageNotFoundError:
        return "unknown"
