"""Loaders of materials and reactions; settings and names of ingredients in, a :class:`PlanningSet` out."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.planning.sets import Column, Outcome, PlanningSet, Protocol
from benchmarks.stabilities import DATA
from lab.errors import MissingData
from lab.types import Candidate, ModelChoice

__all__ = ["arylation", "buchwald", "file_of", "made_up", "olympus", "pvlab", "yield_cost"]


def file_of(*parts: str) -> Path:
    """A published file.

    Raises:
        MissingData: it is not here.
    """
    path = DATA.joinpath(*parts)
    if not path.is_file():
        raise MissingData(
            f"The measurements {'/'.join(parts)} are not here: this benchmark reads them from ../shared/data beside the "
            "repository.",
            way_out="benchmarks/planning/README.md names who published them.",
        )
    return path


def pvlab(
    name: str, file: str, direction: Literal["maximize", "minimize"], protocol: Protocol
) -> PlanningSet:
    """A set of Liang et al. 2021: numbers in all columns but the last, which is the target; repeats are averaged."""
    with file_of("pvlab_materials", f"{file}_dataset.csv").open(newline="", encoding="utf-8-sig") as opened:
        head, *rows = list(csv.reader(opened))
    return _numbers_and_names(name, head[:-1], rows, head[-1], direction, protocol)


def olympus(name: str, protocol: Protocol, target: str = "") -> PlanningSet:
    """A set of olympus (Hase et al. 2021), whose tables have no header; repeats are averaged.

    Args:
        target: of several measurements the one that counts; empty where there is one.
    """
    config = json.loads(file_of("olympus_sdl", name, "config.json").read_text())
    parameters = [p["name"] for p in config["parameters"]]
    measured = [m["name"] for m in config["measurements"]]
    at = measured.index(target) if target else 0
    goals = config["default_goal"]
    direction = goals[at] if isinstance(goals, list) else goals
    with file_of("olympus_sdl", name, "data.csv").open(newline="") as opened:
        rows = [[*row[: len(parameters)], row[len(parameters) + at]] for row in csv.reader(opened) if row]
    return _numbers_and_names(name, parameters, rows, measured[at], direction, protocol)


def _numbers_and_names(
    name: str,
    parameters: Sequence[str],
    rows: Sequence[Sequence[str]],
    target: str,
    direction: Literal["maximize", "minimize"],
    protocol: Protocol,
) -> PlanningSet:
    """Rows of parameters and one value, averaged over equal parameters. A parameter is a number where all its values are."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        groups.setdefault(tuple(row[:-1]), []).append(float(row[-1]))
    columns = tuple(_column(parameter, [key[i] for key in groups]) for i, parameter in enumerate(parameters))
    values = np.array([np.mean(group) for group in groups.values()])
    return _from_columns(name, columns, (Outcome(target, values, direction),), protocol)


def _column(name: str, texts: Sequence[str]) -> Column:
    try:
        return Column(name, [float(text) for text in texts])
    except ValueError:
        return Column(name, list(texts))


def _from_columns(
    name: str, columns: tuple[Column, ...], outcomes: tuple[Outcome, ...], protocol: Protocol
) -> PlanningSet:
    n = len(columns[0].values)
    candidates = tuple(Candidate(id=f"c{i}", values={c.name: c.values[i] for c in columns}) for i in range(n))
    return PlanningSet(
        name=name, candidates=candidates, outcomes=outcomes, columns=columns, protocol=protocol
    )


def arylation(name: str, described: bool, protocol: Protocol) -> PlanningSet:
    """Yield in percent of 1,728 direct arylations; ingredients by name, or by their computed descriptors."""
    return _arylation(name, described, protocol, ("yield",))


def yield_cost(name: str, protocol: Protocol) -> PlanningSet:
    """The same by name, with what each costs in dollars as a second objective."""
    return _arylation(name, False, protocol, ("yield", "cost"))


def _arylation(name: str, described: bool, protocol: Protocol, targets: Sequence[str]) -> PlanningSet:
    with file_of("edboplus_bms_yield_cost", "experiments_yield_and_cost.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    parts = ("base", "ligand", "solvent")
    columns = [Column(part, [row[part] for row in rows]) for part in parts]
    columns += [Column(part, [float(row[part]) for row in rows]) for part in ("concentration", "temperature")]
    outcomes = tuple(
        Outcome(
            target,
            np.array([float(row[target]) for row in rows]),
            "minimize" if target == "cost" else "maximize",
        )
        for target in targets
    )
    if not described:
        return _from_columns(name, tuple(columns), outcomes, protocol)
    tables = {part: descriptors(part) for part in parts}
    columns = [Column(c.name, c.values, tables[c.name]) if c.name in tables else c for c in columns]
    choices = tuple(
        ModelChoice(
            name="descriptors",
            settings={"file": str(file_of("edboplus_bms_yield_cost", f"{part}_dft.csv")), "value": part},
        )
        for part in parts
    )
    return replace(_from_columns(name, tuple(columns), outcomes, protocol), models=choices)


def descriptors(part: str) -> Mapping[str, Sequence[float]]:
    """Name of a base, ligand or solvent -> its computed descriptors, turned to their principal axes.

    Descriptors that vary are brought to one variance. Of k ingredients, k - 1 axes hold all differences, so every distance
    between two ingredients is that of all their descriptors; the axes are in order of what they explain.
    """
    with file_of("edboplus_bms_yield_cost", f"{part}_dft.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    kept: list[np.ndarray] = []
    for title in rows[0]:
        try:
            numbers = np.array([float(row[title]) for row in rows])
        except ValueError:
            continue
        if not np.isnan(numbers).any() and np.ptp(numbers) > 1e-9:
            kept.append((numbers - numbers.mean()) / numbers.std())
    left, sizes, _ = np.linalg.svd(np.stack(kept, axis=1) / np.sqrt(len(kept)), full_matrices=False)
    table = (left * sizes)[:, : len(rows) - 1]
    return {
        row[f"{part}_file_name"]: [float(x) for x in numbers]
        for row, numbers in zip(rows, table, strict=True)
    }


def buchwald(name: str, protocol: Protocol) -> PlanningSet:
    """Yield in percent of C-N couplings with base, ligand, aryl halide and additive (Ahneman et al. 2018)."""
    parts = ("base", "ligand", "aryl_halide", "additive")
    with file_of("buchwald_aryl_halide", "data.csv").open(newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if all(row[part] for part in parts)]
    columns = tuple(Column(part, [row[part] for row in rows]) for part in parts)
    values = np.array([float(row["yield"]) for row in rows])
    return _from_columns(name, columns, (Outcome("yield", values),), protocol)


def made_up(name: str, n: int) -> PlanningSet:
    """n points of six numbers with two smooth hills, for timing alone."""
    points = np.random.default_rng(0).random((n, 6))
    hills = [
        height * np.exp(-4.0 * np.square(points - at).sum(axis=1)) for at, height in ((0.3, 1.0), (0.8, 0.7))
    ]
    columns = tuple(Column(f"x{i + 1}", points[:, i].tolist()) for i in range(6))
    return _from_columns(name, columns, (Outcome("height", sum(hills)),), Protocol(95, 5, 100))
