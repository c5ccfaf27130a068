"""Weights of pretrained models: found, checked and loaded, or a sentence that says how to get them.

Nothing is downloaded here. A file whose hash is not the one on the card is refused: a model under another's name would be
wrong without anybody noticing.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from lab.errors import BadInput, MissingData

__all__ = ["checked", "in_package", "inference", "need_torch", "sha256_of", "tensors", "torch_library"]

TORCH = "pip install 'drywet[planning]'"


def in_package(package: str, file: str, *, command: str, what: str) -> Path:
    """A file inside an installed package, which is not imported for it.

    Args:
        package: top-level module.
        file: relative to the module's folder.
        command: that installs it.
        what: of what these are the files.

    Raises:
        MissingData: the package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    for folder in folders:
        if (path := Path(folder) / file).is_file():
            return path
    state = f"is installed, but has no file {file}" if folders else "is not installed"
    raise MissingData(
        f"The files of {what} come in the package {package}, which {state}.", way_out=f"Run: {command}"
    )


def sha256_of(path: Path) -> str:
    """Hash of a file's content, in hexadecimal.

    Raises:
        MissingData: the file is not there or can't be read.
    """
    try:
        state = path.stat()
        return _hashed(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise MissingData(
            f"The file {path} can't be read: {error.strerror or error}.",
            way_out="Give the path of one that is there.",
        ) from error


@lru_cache(maxsize=256)
def _hashed(path: Path, size: int, changed_ns: int) -> str:
    """Hash of a file as it was when it had this size and time of change, so that large weights are read once a process."""
    del size, changed_ns
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked(path: Path, sha256: str, *, command: str) -> Path:
    """The path, once its content is what the card says.

    Raises:
        BadInput: it is other content.
        MissingData: the file is not there or can't be read.
    """
    found = sha256_of(path)
    if found != sha256:
        raise BadInput(
            f"The weights {path} are not those that the card names: their SHA-256 begins with {found[:12]}, where "
            f"{sha256[:12]} is expected.",
            way_out=f"Get them again: {command}",
        )
    return path


def need_torch() -> None:
    """See that PyTorch is there, without the seconds that importing it takes.

    Raises:
        MissingData: it is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingData("Pretrained protein models are run with PyTorch.", way_out=f"Run: {TORCH}")


def torch_library() -> Any:
    """The module torch.

    Raises:
        MissingData: it is not installed.
    """
    need_torch()
    import torch

    return torch


@contextmanager
def inference(*, threads: int | None = 1) -> Iterator[None]:
    """PyTorch without gradients, and on so many threads.

    Args:
        threads: small networks are fastest on one, by far where the machine has other work; None for all.
    """
    torch = torch_library()
    with threadpool_limits(limits=threads), torch.inference_mode():
        yield


def tensors(path: Path) -> Mapping[str, Any]:
    """What a weights file holds: a ``.safetensors`` file, or one of PyTorch that is read without running code from it.

    Raises:
        BadInput: it is neither, or damaged.
        MissingData: a package to read it with is not installed.
    """
    torch = torch_library()
    way_out = "Get the file again; it may have been cut off, or be a pointer that stands for a large file."
    try:
        if path.suffix == ".safetensors":
            return _safetensors(path)
        found: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except MissingData:
        raise
    except Exception as error:  # each reader has errors of its own, and a damaged file can raise any of them
        raise BadInput(
            f"{path} can't be read as weights: {error}.".replace("\n", " "), way_out=way_out
        ) from error
    return found


def _safetensors(path: Path) -> Mapping[str, Any]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingData(
            f"{path} is read with the package safetensors.", way_out="Run: pip install 'drywet[hub]'"
        ) from error
    found: Mapping[str, Any] = load_file(path)
    return found
