"""What a model needs and drywet does not install: said by name, with the command that brings it."""

from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from lab.errors import MissingData

__all__ = ["file_sha256", "needed", "package_file"]

_MISSING = "The model {model} needs the Python package {package}, which is not installed."


def needed(modules: str, *, model: str, package: str, install: str) -> ModuleType:
    """Import a module that a model rests on.

    Args:
        modules: dotted name.
        model: its name, for the error.
        package: what brings the module, as a package index calls it.
        install: what to give to ``pip install``.

    Raises:
        MissingData: it, or a package that it needs itself, is not installed.
    """
    try:
        return import_module(modules)
    except ModuleNotFoundError as error:
        reason = _MISSING.format(model=model, package=package)
        if error.name is not None and error.name.partition(".")[0] != modules.partition(".")[0]:
            reason = (
                f"The package {package}, which the model {model} rests on, needs the Python module {error.name}, which "
                "is not installed."
            )
        raise MissingData(reason, way_out=f"Install it: pip install {install}") from error


def package_file(module: str, inside: str, *, model: str, package: str, install: str) -> Path:
    """A file that a package brings, found without importing the package.

    Args:
        module: top-level module of the package.
        inside: path within its folder.
        model, package, install: as for :func:`needed`.

    Raises:
        MissingData: the package is not installed, or this version of it does not bring the file.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingData(
            _MISSING.format(model=model, package=package), way_out=f"Install it: pip install {install}"
        )
    found = Path(next(iter(spec.submodule_search_locations))) / inside
    if not found.is_file():
        raise MissingData(
            f"The installed version of {package} does not bring {inside}, which the model {model} reads.",
            way_out=f"Install the version that does: pip install {install}",
        )
    return found


@cache
def file_sha256(path: Path) -> str:
    """Hash of a file that does not change while the program runs, as hexadecimal digits."""
    return sha256(path.read_bytes()).hexdigest()
