"""ProteinMPNN against the authors' own code, which the package of its weights brings."""

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import models
from lab.errors import BadInput, MissingData
from lab.types import AMINO_ACIDS, Candidate, ModelChoice
from models import protein_mpnn
from models.mpnn_network import MPNNNetwork
from models.protein_mpnn import ProteinMPNN
from models.weights import in_package, inference, tensors
from tests.models.backbones import hairpin, pdb

PARENT = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"
CRYSTAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "structures" / "1pga.pdb"
L = len(PARENT)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRYWET_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def structure(tmp_path: Path) -> Path:
    """An ideal hairpin."""
    path = tmp_path / "hairpin.pdb"
    path.write_text(pdb(PARENT), encoding="ascii")
    return path


@pytest.fixture(params=["ideal hairpin", "1PGA", "two chains with a gap"])
def any_structure(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "1PGA":
        if not CRYSTAL.is_file():
            pytest.skip("the backbone 1PGA is not in the folder shared/data beside the repository")
        return CRYSTAL
    path = tmp_path / "parent.pdb"
    text = pdb(PARENT)
    if request.param == "two chains with a gap":
        text = pdb(PARENT, missing=(12, 13)) + pdb("AKLVEELKKA", chain="B", atoms=hairpin(10) + 9.0)
    path.write_text(text, encoding="ascii")
    return path


def made(structure: Path, parent: str = PARENT, **settings: object) -> ProteinMPNN:
    choice = ModelChoice(name="protein_mpnn", settings={"structure": str(structure), **settings})
    found = models.model(choice, parent=parent)
    assert isinstance(found, ProteinMPNN)
    return found


def mutant(*substitutions: str) -> Candidate:
    sequence = list(PARENT)
    for name in substitutions:
        sequence[int(name[1:-1]) - 1] = name[-1]
    return Candidate(id="+".join(substitutions) or "parent", sequence="".join(sequence))


def singles() -> list[Candidate]:
    return [
        mutant(f"{old}{i}{new}") for i, old in enumerate(PARENT, start=1) for new in AMINO_ACIDS if new != old
    ]


class Reference:
    """The authors' network and their way of reading a file."""

    def __init__(self, structure: Path) -> None:
        theirs: Any = importlib.import_module("proteinmpnn.protein_mpnn_utils")
        path = in_package("proteinmpnn", "data/vanilla_model_weights/v_48_020.pt", command="", what="")
        state = tensors(path)
        self.network = theirs.ProteinMPNN(
            num_letters=21,
            node_features=128,
            edge_features=128,
            hidden_dim=128,
            augment_eps=0.0,
            k_neighbors=48,
        )
        self.network.load_state_dict(state["model_state_dict"])
        self.network.eval()
        self.ours = MPNNNetwork(state["model_state_dict"])
        chains = ["A", "B"] if " B " in structure.read_text() else ["A"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # they leave the file open
            parsed = theirs.parse_PDB(str(structure), input_chain_list=chains)
        read = theirs.tied_featurize(parsed, "cpu", None)
        self.backbone, self.letters, self.mask = read[:3]
        self.designed, self.chains, self.numbers = read[4], read[5], read[12]
        backbone = self.backbone[0].clone()
        backbone[self.mask[0] == 0] = torch.nan
        with inference():
            self.encoded = self.ours.encode(backbone, self.numbers[0], self.chains[0])

    @inference()
    def ours_in_order(self, letters: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        """Log-probabilities, each site given those before it in the order: L x 21."""
        rank = torch.argsort(order)
        found: torch.Tensor = self.ours.decode(self.encoded, letters, rank[None, :] < rank[:, None])
        return found

    @inference()
    def in_order(self, letters: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        """The same from their network."""
        found: torch.Tensor = self.network(
            *(
                self.backbone,
                letters[None],
                self.mask,
                self.designed,
                self.numbers,
                self.chains,
                torch.zeros(1),
            ),
            use_input_decoding_order=True,
            decoding_order=order[None],
        )
        return found[0]


@inference()
def test_the_network_is_the_authors(any_structure: Path) -> None:
    theirs = Reference(any_structure)
    letters, known = theirs.letters[0], theirs.mask[0] == 1
    n = len(letters)
    alone = theirs.network.unconditional_probs(theirs.backbone, theirs.mask, theirs.numbers, theirs.chains)[0]
    mine = theirs.ours.decode(theirs.encoded, letters, torch.zeros(n, n, dtype=torch.bool))
    torch.testing.assert_close(mine[known], alone[known], atol=1e-5, rtol=1e-5)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    mine = theirs.ours_in_order(letters, order)
    torch.testing.assert_close(mine[known], theirs.in_order(letters, order)[known], atol=1e-5, rtol=1e-5)


def test_given_the_backbone_alone_scores_are_the_authors_log_ratios(any_structure: Path) -> None:
    theirs = Reference(any_structure)
    with inference():
        table = theirs.network.unconditional_probs(
            theirs.backbone, theirs.mask, theirs.numbers, theirs.chains
        )[0]
    around = {"chain": "A", "context_chains": ["B"]} if len(table) > L else {}
    for name in ("L5D", "T25E", "Y45A"):
        site, new, old = int(name[1:-1]) - 1, AMINO_ACIDS.index(name[-1]), AMINO_ACIDS.index(name[0])
        score = made(any_structure, context="backbone", **around).score([mutant(name)])[0]
        assert score == pytest.approx(float(table[site, new] - table[site, old]), abs=1e-5)


def test_one_go_for_all_sites_ranks_substitutions_as_a_pass_for_each_does(any_structure: Path) -> None:
    theirs = Reference(any_structure)
    n = len(theirs.letters[0])
    around = {"chain": "A", "context_chains": ["B"]} if n > L else {}
    model = made(any_structure, context="sequence", **around)
    ours, exact = [], []
    for site in range(1, L, 7):
        if not theirs.mask[0, site]:
            continue
        order = torch.tensor([*(i for i in range(n) if i != site), site])
        table = theirs.ours_in_order(theirs.letters[0], order)[site]
        own = AMINO_ACIDS.index(PARENT[site])
        names = [f"{PARENT[site]}{site + 1}{new}" for new in AMINO_ACIDS]
        ours += model.score([mutant(name) for name in names]).tolist()
        exact += (table[:20] - table[own]).tolist()
    assert np.corrcoef(ours, exact)[0, 1] > 0.95


def test_added_up_doubles_rank_as_the_likelihood_of_both_at_once_does() -> None:
    """What is left out, what two substitutions do to each other, is small beside what each does."""
    if not CRYSTAL.is_file():
        pytest.skip("the backbone 1PGA is not in the folder shared/data beside the repository")
    theirs = Reference(CRYSTAL)
    rng = np.random.default_rng(0)
    parent, added, exact = theirs.letters[0], [], []
    model = made(CRYSTAL, context="sequence")
    for _ in range(20):
        sites = sorted(int(i) for i in rng.choice(L, 2, replace=False))
        new = [int(a) for a in rng.choice(20, 2)]
        order = torch.tensor([*(i for i in range(L) if i not in sites), *sites])
        letters = parent.clone()
        letters[sites] = torch.tensor(new)
        both, before = (theirs.ours_in_order(x, order) for x in (letters, parent))
        exact.append(sum(float(both[s, letters[s]] - before[s, parent[s]]) for s in sites))
        names = [f"{PARENT[s]}{s + 1}{AMINO_ACIDS[a]}" for s, a in zip(sites, new, strict=True)]
        added.append(model.score([mutant(*names)])[0])
    assert spearmanr(added, exact).statistic > 0.9


def test_substitutions_add_up_and_the_parent_is_zero(structure: Path) -> None:
    around = {"chain": "A"}
    one, other, both, parent = made(structure, **around).score(
        [mutant("L5D"), mutant("T25E"), mutant("L5D", "T25E"), mutant()]
    )
    assert both == pytest.approx(one + other)
    assert parent == 0.0
    assert not made(structure, features="nodes", **around).encode([mutant()]).any()


def test_the_default_score_is_the_mean_of_both_contexts(structure: Path) -> None:
    candidates = singles()[:200]
    default, sequence, backbone = (
        made(structure, chain="A", **how).score(candidates)
        for how in ({}, {"context": "sequence"}, {"context": "backbone"})
    )
    np.testing.assert_allclose(default, (sequence + backbone) / 2.0, atol=1e-6)
    assert np.abs(sequence - backbone).max() > 0.1


def test_features_are_ratios_entropy_burial_and_count(structure: Path) -> None:
    model = made(structure, chain="A")
    candidates = [mutant("L5D"), mutant("L5D", "T25E")]
    encoded = model.encode(candidates)
    assert encoded.shape == (2, 6)
    np.testing.assert_allclose(encoded[:, :2].mean(axis=1), model.score(candidates))
    assert (encoded[:, 2] > 0.0).all()
    assert (encoded[:, 2] < np.log(20.0)).all()
    assert encoded[:, 5].tolist() == [1.0, 2.0]
    buried = np.linalg.norm(model._backbone[:, None, 1] - model._backbone[None, :, 1], axis=-1)
    assert encoded[0, 4] == (buried[4] < 10.0).sum() - 1
    assert made(structure, chain="A", features="nodes").encode(candidates).shape == (2, 154)


def test_measured_stabilities_are_ranked_as_the_card_says() -> None:
    from digital_twin.biology.protein_g import load_protein_g_variants

    if not CRYSTAL.is_file():
        pytest.skip("the backbone 1PGA is not in the folder shared/data beside the repository")
    variants = [v for v in load_protein_g_variants().values() if v.sequence != PARENT]
    model = made(CRYSTAL)
    scores = model.score([Candidate(id=v.name, sequence=v.sequence) for v in variants])
    correlation = spearmanr(scores, [v.ddg_kcal_per_mol for v in variants]).statistic
    assert f"{len(variants)} single mutants of protein G {correlation:.2f}" in model.card.tested_on


def test_a_change_where_the_structure_has_no_backbone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gap.pdb"
    path.write_text(pdb(PARENT, missing=(12,)), encoding="ascii")
    model = made(path)
    assert np.isfinite(model.score([mutant("T11A")])).all()
    with pytest.raises(
        BadInput, match=r"K13A differs at position 13, of which the structure has no backbone"
    ):
        model.score([mutant("K13A")])


def test_where_that_is_wanted_a_site_without_a_backbone_counts_as_an_average_one(tmp_path: Path) -> None:
    path = tmp_path / "gap.pdb"
    path.write_text(pdb(PARENT, missing=(12,)), encoding="ascii")
    model = made(path, unresolved="average", features="nodes")
    others = [c for c in singles() if not c.id.startswith("K13")]
    lost, known = model.score([mutant("K13A"), mutant("K13W")]), model.score(others)
    np.testing.assert_allclose(lost, known.mean())
    np.testing.assert_array_equal(known, made(path).score(others))
    rows = model.encode([mutant("K13A"), *others])
    np.testing.assert_allclose(rows[0, 2:5], rows[1:, 2:5].mean(axis=0))
    assert np.isfinite(rows).all()


def test_a_structure_of_c_alphas_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.pdb"
    path.write_text(
        "\n".join(line for line in pdb(PARENT).splitlines() if "  CA  " in line), encoding="ascii"
    )
    with pytest.raises(BadInput, match="no residue with all of N, CA, C and O"):
        made(path)


def test_neighbouring_chains_change_what_sites_at_the_interface_like(tmp_path: Path) -> None:
    path = tmp_path / "two.pdb"
    path.write_text(pdb(PARENT) + pdb("AKLVEELKKA", chain="B", atoms=hairpin(10) + 6.0), encoding="ascii")
    alone, together = (
        made(path, chain="A", **how).score(singles()[:60]) for how in ({}, {"context_chains": ["B"]})
    )
    assert np.abs(alone - together).max() > 0.05


def test_chains_that_are_not_named_or_not_there_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.pdb"
    path.write_text(pdb(PARENT) + pdb(PARENT, chain="B", atoms=hairpin(L) + 30.0), encoding="ascii")
    with pytest.raises(BadInput, match=r"has 2 chains. Name the parent's: 'A', 'B'"):
        made(path)
    with pytest.raises(BadInput, match=r"no chain 'C'"):
        made(path, chain="A", context_chains=["C"])


def test_without_a_parent_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="needs the parent"):
        made(tmp_path / "any.pdb", parent="")


def test_other_weights_have_their_own_hash_and_are_not_said_to_be_measured(structure: Path) -> None:
    default, soluble = (
        made(structure, chain="A"),
        made(structure, chain="A", weights="soluble", version="v_48_010"),
    )
    assert default.card.weights_sha256 != soluble.card.weights_sha256
    assert soluble.card.version == "0.1.3/soluble/v_48_010"
    assert soluble.card.tested_on.startswith("not measured as set")
    assert np.abs(default.score(singles()[:20]) - soluble.score(singles()[:20])).max() > 0.01


def test_weights_that_are_not_those_of_the_card_are_refused(
    structure: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "vanilla_model_weights/v_48_020"
    monkeypatch.setattr(protein_mpnn, "_HASHES", {**protein_mpnn._HASHES, name: "0" * 64})
    with pytest.raises(BadInput, match="not those that the card names"):
        made(structure, chain="A")


def test_what_was_computed_is_read_from_the_cache(structure: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = [c for c in singles() if not c.id.startswith(("K13", "G14"))]
    first = made(structure, chain="A").score(candidates)

    def computed(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(MPNNNetwork, "encode", computed)
    np.testing.assert_array_equal(made(structure, chain="A").score(candidates), first)
    with pytest.raises(AssertionError, match="computed again"):
        made(structure, chain="A", version="v_48_010").score(candidates)


def test_a_structure_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"absent.pdb"):
        made(tmp_path / "absent.pdb")
