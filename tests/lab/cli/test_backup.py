"""``drywet backup`` and ``drywet restore`` as a person types them."""

from __future__ import annotations

from pathlib import Path

from tests.lab.cli.conftest import Drywet


def test_a_stopped_campaign_is_restored_elsewhere_and_goes_on(
    folder: Path, drywet: Drywet, stopped: Path
) -> None:
    made = drywet("backup", "lab.tar.gz", "--store", str(stopped))
    assert made.code == 0
    assert "1 campaign and 1 twin's ledger are in lab.tar.gz" in made.out
    assert drywet("backup", "lab.tar.gz", "--store", str(stopped)).code == 2
    at = ("--store", str(folder / "again" / "lab.db"))
    back = drywet("restore", "lab.tar.gz", *at)
    assert back.code == 0
    assert "1 campaign as of" in back.out
    assert "stopped" in drywet("status", *at).out
    assert drywet("resume", *at).code == 0
    refused = drywet("restore", "lab.tar.gz", *at)
    assert refused.code == 2
    assert "nothing is written over" in " ".join(refused.err.split())


def test_what_is_no_store_is_not_backed_up(folder: Path, drywet: Drywet) -> None:
    refused = drywet("backup", "lab.tar.gz")
    assert refused.code == 2
    assert not (folder / "lab.tar.gz").exists()
