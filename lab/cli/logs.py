"""Where libraries' log messages go: into a file beside the store. The terminal is for what a person must read."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

__all__ = ["LOG_NAME", "logging_to"]

LOG_NAME = "drywet.log"

_LARGEST_BYTES = 5_000_000


_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What a terminal or an editor would obey in place of showing it."""


class _Lines(logging.Formatter):
    """Whatever is told of what others wrote, nobody can write a line into the log that looks like one of ours."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the base calls it so
        """The message; what stands on further lines of it is moved in."""
        told = super().formatMessage(record).replace("\r\n", "\n").replace("\n", "\n    ")
        return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], told)


@contextmanager
def logging_to(folder: Path) -> Iterator[Path]:
    """Send every log message from INFO on, and Python's warnings, to ``drywet.log`` in a folder.

    Bluesky logs the traceback of every run that ends early, a stop that a person asked for too; on the terminal that would
    look like a crash. What drivers have to say to a person (``drywet.devices``) goes there as well. A log that can't be
    written is no reason to stop an experiment, so its errors are passed over.

    Args:
        folder: made where it is missing.
    """
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOG_NAME
    handler = RotatingFileHandler(path, maxBytes=_LARGEST_BYTES, backupCount=2, encoding="utf-8", delay=True)
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level, raising = root.level, logging.raiseExceptions
    root.addHandler(handler)
    told = logging.StreamHandler()
    told.setFormatter(logging.Formatter("%(message)s"))
    devices = logging.getLogger("drywet.devices")
    devices.addHandler(told)
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    try:
        yield path
    finally:
        logging.captureWarnings(False)
        logging.raiseExceptions = raising
        root.setLevel(level)
        root.removeHandler(handler)
        devices.removeHandler(told)
        with suppress(OSError):
            handler.close()
