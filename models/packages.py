"""Packages that a model rests on and drywet does not install: missing, they are named with the command that brings them."""

from importlib import import_module
from types import ModuleType

from lab.errors import MissingData

__all__ = ["MATERIALS", "needed"]

MATERIALS = "pip install 'drywet[materials]'"
"""Command that brings what formulas and crystal structures are read with."""


def needed(module: str, *, model: str, package: str, command: str) -> ModuleType:
    """Import what a model rests on.

    Args:
        module: dotted name.
        model: its name, for the error.
        package: what brings the module, as a package index calls it.
        command: that brings it and what it needs.

    Raises:
        MissingData: it, or a package that it needs itself, is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        reason = f"The model {model} needs the package {package}, which is not installed."
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            reason = (
                f"The package {package}, which the model {model} rests on, needs the Python module {error.name}, which "
                "is not installed."
            )
        raise MissingData(reason, way_out=f"Run: {command}") from error
