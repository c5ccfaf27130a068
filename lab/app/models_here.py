"""Which models can be made on this machine, and where what they compute is kept."""

from __future__ import annotations

from models.caching import LIMIT_BYTES, Cache, cache_folder
from models.inventory import ModelState, inventory

__all__ = ["ModelState", "cache_summary", "inventory"]


def cache_summary() -> str:
    """Where results of models are kept, how much there is of them, and how much there may be."""
    path = Cache(cache_folder()).path
    if path is None:
        return "off (DRYWET_CACHE): what models compute is computed for every ask"
    size = path.stat().st_size if path.is_file() else 0
    return f"{path}: {size / 1e6:.0f} MB of at most {LIMIT_BYTES / 1e6:.0f}; elsewhere with DRYWET_CACHE"
