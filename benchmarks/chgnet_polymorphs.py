"""Does CHGNet know which structure a compound has? Binary compounds in three structures, each where its energy is lowest.

For every compound the energies of rock salt, caesium chloride and zinc blende are compared at the lattice constant where
CHGNet's own energy is lowest. What each compound is at room temperature, and its lattice constant, which is compared with
that of the lowest energy, are textbook values (see R. W. G. Wyckoff, "Crystal structures", vol. 1, Interscience, 1963).

    python -m benchmarks.chgnet_polymorphs
"""

import tempfile
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from benchmarks.machine import RESULTS, machine
from lab.types import Candidate
from models.crystal_stability import ChgnetStability, ChgnetStabilitySettings

FACES = ((0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))
STRUCTURES = {
    "rock salt": (FACES, [(x + 0.5, y, z) for x, y, z in FACES]),
    "caesium chloride": ([(0, 0, 0)], [(0.5, 0.5, 0.5)]),
    "zinc blende": (FACES, [(x + 0.25, y + 0.25, z + 0.25) for x, y, z in FACES]),
}
COMPOUNDS = {
    "LiF": ("rock salt", 4.027),
    "NaCl": ("rock salt", 5.640),
    "KBr": ("rock salt", 6.600),
    "MgO": ("rock salt", 4.211),
    "CaO": ("rock salt", 4.811),
    "BaO": ("rock salt", 5.539),
    "MnO": ("rock salt", 4.445),
    "NiO": ("rock salt", 4.177),
    "TiN": ("rock salt", 4.235),
    "TiC": ("rock salt", 4.319),
    "PbS": ("rock salt", 5.936),
    "AgBr": ("rock salt", 5.775),
    "CsCl": ("caesium chloride", 4.123),
    "CsBr": ("caesium chloride", 4.286),
    "CsI": ("caesium chloride", 4.567),
    "TlCl": ("caesium chloride", 3.834),
    "NiAl": ("caesium chloride", 2.887),
    "CuZn": ("caesium chloride", 2.945),
    "ZnS": ("zinc blende", 5.409),
    "CdTe": ("zinc blende", 6.480),
    "CuCl": ("zinc blende", 5.416),
    "GaAs": ("zinc blende", 5.654),
    "InSb": ("zinc blende", 6.479),
    "AlP": ("zinc blende", 5.451),
    "BN": ("zinc blende", 3.615),
    "SiC": ("zinc blende", 4.348),
}
FORMULA_SIZE = {"rock salt": 4, "caesium chloride": 1, "zinc blende": 4}


def elements(compound: str) -> tuple[str, str]:
    """Symbols of a binary compound of one atom each."""
    second = max(i for i, letter in enumerate(compound) if letter.isupper())
    return compound[:second], compound[second:]


def poscar(compound: str, structure: str, lattice: float) -> str:
    sites = STRUCTURES[structure]
    cell = "\n".join(" ".join(f"{lattice * (i == j):.6f}" for j in range(3)) for i in range(3))
    rows = "\n".join(" ".join(f"{x:.4f}" for x in site) for group in sites for site in group)
    counts = " ".join(str(len(group)) for group in sites)
    return f"{compound} {structure}\n1.0\n{cell}\n{' '.join(elements(compound))}\n{counts}\ndirect\n{rows}\n"


def lowest(compound: str, structure: str, volume: float, folder: Path) -> tuple[float, float]:
    """Lowest energy in eV an atom and its lattice constant in Å; ``volume`` of a formula unit in Å^3 is where to look."""
    scorer = ChgnetStability(ChgnetStabilitySettings(compound=compound, folder=folder))

    def energy(lattice: float) -> float:
        (folder / "trial").write_text(poscar(compound, structure, lattice), encoding="utf-8")
        return -float(scorer.score([Candidate(id="trial", values={"structure": "trial"})])[0])

    near = (volume * FORMULA_SIZE[structure]) ** (1 / 3)
    lattices = np.linspace(0.85, 1.25, 17) * near
    best = int(np.argmin([energy(a) for a in lattices]))
    step = lattices[1] - lattices[0]
    found = minimize_scalar(
        energy,
        bounds=(lattices[best] - step, lattices[best] + step),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(found.fun), float(found.x)


def main() -> None:
    right, errors = 0, []
    lines = [
        "Structures of binary compounds: which has the lowest energy by CHGNet, and at which lattice constant",
        machine(),
        "",
        f"{'':6} {'is':17} {'lowest energy':17} {'by, eV/atom':>11} {'measured, Å':>12} {'CHGNet, Å':>10}",
    ]
    with tempfile.TemporaryDirectory() as made:
        for compound, (structure, measured) in COMPOUNDS.items():
            volume = measured**3 / FORMULA_SIZE[structure]
            found = {name: lowest(compound, name, volume, Path(made)) for name in STRUCTURES}
            best = min(found, key=lambda name: found[name][0])
            other = min(energy for name, (energy, _) in found.items() if name != structure)
            right += best == structure
            energy, lattice = found[structure]
            errors.append(abs(lattice / measured - 1.0))
            lines.append(
                f"{compound:6} {structure:17} {best:17} {other - energy:11.3f} {measured:12.3f} {lattice:10.3f}"
            )
    lines += [
        "",
        f"{right} of {len(COMPOUNDS)} right; lattice constants off by {100 * np.mean(errors):.2f} % on average",
    ]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (RESULTS / "chgnet_polymorphs.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
