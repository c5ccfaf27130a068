"""The twin's ledger on disk."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from digital_twin.ledger import Action, Ledger, LedgerHead
from lab.errors import BadInput, StoreUnusable

HEAD = LedgerHead(seed=7, bench={"positions": [], "labware": []}, seats={}, start_s=12.0)


def action(n: int) -> Action:
    return Action(
        n=n, lab_time_s=20.0 + n, instrument="arm", action="pick", arguments={"position": f"hotel_{n}"}
    )


def written(path: Path, count: int) -> Path:
    ledger = Ledger(path, HEAD)
    for n in range(count):
        ledger.append(action(n))
    ledger.close()
    return path


def test_an_action_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "world.jsonl", HEAD)
    ledger.append(action(0))
    last = (tmp_path / "world.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["arguments"] == {"position": "hotel_0"}
    ledger.close()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    ledger = Ledger.read(written(tmp_path / "world.jsonl", 3))
    assert ledger.head == HEAD
    assert ledger.actions == [action(0), action(1), action(2)]
    assert ledger.end_s == 22.0
    ledger.close()


def test_a_ledger_without_actions_ends_where_it_begins(tmp_path: Path) -> None:
    ledger = Ledger.read(written(tmp_path / "world.jsonl", 0))
    assert ledger.end_s == 12.0
    ledger.close()


@pytest.mark.parametrize("torn", [b"{", b'{"n":3,"lab_time_s":1', b'{"n":3}', b"\xff\x00"])
def test_a_torn_last_line_is_cut_off_and_the_ledger_goes_on(tmp_path: Path, torn: bytes) -> None:
    path = written(tmp_path / "world.jsonl", 3)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    ledger = Ledger.read(path)
    assert path.read_bytes() == whole
    ledger.append(action(3))
    ledger.close()
    again = Ledger.read(path)
    assert [one.n for one in again.actions] == [0, 1, 2, 3]
    again.close()


def test_a_ledger_cut_at_any_byte_keeps_every_whole_line_before_the_cut(tmp_path: Path) -> None:
    content = written(tmp_path / "whole.jsonl", 4).read_bytes()
    head_ends = content.index(b"\n") + 1
    for cut in range(head_ends, len(content)):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(content[:cut])
        ledger = Ledger.read(path)
        assert len(ledger.actions) == content[:cut].count(b"\n") - 1
        ledger.close()


def test_half_a_line_on_a_full_disk_does_not_spoil_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "world.jsonl", 1)
    ledger = Ledger.read(path)
    write = os.write

    def full(file: int, line: bytes) -> int:
        monkeypatch.setattr(os, "write", refuse)
        return write(file, line[:7])

    def refuse(file: int, line: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreUnusable, match="No space"):
        ledger.append(action(1))
    monkeypatch.setattr(os, "write", write)
    ledger.append(action(2))
    ledger.close()
    assert Ledger.read(path).actions == [action(0), action(2)]


def test_damage_before_the_last_line_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "world.jsonl", 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:9] + b"\n" + b"".join(lines[2:]))
    with pytest.raises(BadInput) as refused:
        Ledger.read(path)
    assert refused.value.line == 2


def test_a_ledger_is_never_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path / "world.jsonl", 1)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="can't be created"):
        Ledger(path, HEAD)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't be created"):
        Ledger(tmp_path / "nowhere" / "world.jsonl", HEAD)


@pytest.mark.parametrize("content", [b"", b"[]\n", b'{"anything":1}\n'])
def test_another_file_is_no_ledger(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="no ledger"):
        Ledger.read(path)


def test_a_ledger_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "world.jsonl"
    Ledger(path, LedgerHead(seed=1, bench={}, seats={}, start_s=0.0, format=99)).close()
    with pytest.raises(BadInput, match="format 99"):
        Ledger.read(path)
