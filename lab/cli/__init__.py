"""The command line, ``drywet``. Commands import what they need when they run, so that ``--help`` answers at once."""

from lab.cli.main import main

__all__ = ["main"]
