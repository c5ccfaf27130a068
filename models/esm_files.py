"""Where the files of an ESM-2 are: a folder, or a hub's copy on this machine. Downloads only where that is asked
for.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import BadInput, MissingData

__all__ = ["ESMFiles", "in_folder", "in_hub"]

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
HUB = "pip install 'drywet[hub]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class ESMFiles:
    """What a model is made of.

    Args:
        config: what ``config.json`` holds.
        weights: the file beside it.
        source: where both are from, for the card.
    """

    config: Mapping[str, Any]
    weights: Path
    source: str


def in_folder(folder: Path, *, source: str = "") -> ESMFiles:
    """The files of a folder in Hugging Face's format.

    Raises:
        MissingData: a file is not there.
        BadInput: ``config.json`` can't be read.
    """
    config = folder / "config.json"
    if not config.is_file():
        raise MissingData(
            f"{folder} has no config.json, so it is no model in Hugging Face's format.",
            way_out="Give the folder that holds config.json and model.safetensors, or pytorch_model.bin.",
        )
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return ESMFiles(
                config=_read(config), weights=folder / name, source=source or f"folder {folder.name}"
            )
    raise MissingData(
        f"{folder} has no weights: neither {_WEIGHTS[0]} nor {_WEIGHTS[1]}.",
        way_out="Copy them there; weights in several parts can't be read, save them as one file first.",
    )


def in_hub(name: str, *, revision: str, download: bool) -> ESMFiles:
    """The files of a hub's model that are on this machine, or, where that is allowed, after a download.

    Args:
        name: as the hub knows it (``facebook/esm2_t6_8M_UR50D``).
        revision: branch, tag or commit; empty for the newest.

    Raises:
        MissingData: they are not here and may not be downloaded, or can't be.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingData(
            "Models of a hub are found with the package huggingface_hub.", way_out=f"Run: {HUB}"
        )
    config = _fetched(name, "config.json", revision, download)
    if config is None:
        raise _absent(name, download)
    for file in _WEIGHTS:
        if (weights := _fetched(name, file, revision, download)) is not None:
            return ESMFiles(config=_read(config), weights=weights, source=f"hub model {name}")
    raise _absent(name, download)


def _absent(name: str, download: bool) -> MissingData:
    if download:
        return MissingData(
            f"The hub's model {name} could not be downloaded: the hub is not reached, or has no such files.",
            way_out="Check the name and the network, or give a folder with the files.",
        )
    return MissingData(
        f"The hub's model {name} is not on this machine, and nothing is downloaded without being asked.",
        way_out="Set download: true to get it once, or give a folder with its files.",
    )


def _fetched(name: str, file: str, revision: str, download: bool) -> Path | None:
    """One file; None where it is not to be had. Without ``download`` nothing but this machine's disk is asked."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if not download:
            kept = try_to_load_from_cache(name, file, revision=revision or None)
            return Path(kept) if isinstance(kept, str) else None
        return Path(hf_hub_download(name, file, revision=revision or None))
    except HFValidationError as error:
        raise BadInput(
            f"{name!r} is no name of a hub's model.", way_out="Write it as owner/model.", field="hub"
        ) from error
    except OSError:  # no such model or file, or no network
        return None  # the caller says what is missing, once every file that would do was tried


def _read(config: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{config} can't be read as JSON: {error}.", way_out="Get the file again.") from error
    if not isinstance(found, dict):
        raise BadInput(f"{config} holds no settings of a model.", way_out="Get the file again.")
    return found
