import sys
from pathlib import Path

import numpy as np
import pytest

import models
from lab.errors import BadInput, MissingData
from lab.interfaces import Encoder, Scorer
from lab.types import Candidate, ModelChoice

POSCAR = """{name}
1.0
{a} 0.0 0.0
0.0 {a} 0.0
0.0 0.0 {a}
{elements}
{numbers}
direct
{sites}
"""
FACES = ["0 0 0", "0.5 0.5 0", "0.5 0 0.5", "0 0.5 0.5"]
HALFWAY = ["0.5 0.5 0.5", "0 0 0.5", "0 0.5 0", "0.5 0 0"]


def write(folder: Path, name: str, elements: str, a: float, *sites: list[str]) -> str:
    folder.mkdir(exist_ok=True)
    numbers = " ".join(str(len(s)) for s in sites)
    lines = "\n".join(line for s in sites for line in s)
    text = POSCAR.format(name=name, a=a, elements=elements, numbers=numbers, sites=lines)
    (folder / name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRYWET_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def salts(tmp_path: Path) -> Path:
    """NaCl as rock salt, as it is, and as CsCl, as it is not; lattice constants near the lowest energy of each."""
    write(tmp_path, "rock_salt", "Na Cl", 5.64, FACES, HALFWAY)
    write(tmp_path, "caesium_chloride", "Na Cl", 3.45, ["0 0 0"], ["0.5 0.5 0.5"])
    return tmp_path


@pytest.fixture
def alloys(tmp_path: Path) -> Path:
    """Aluminium and nickel as references, NiAl as it is (B2, cubic, 2.887 Å), and iron with sodium, which do not mix."""
    write(tmp_path / "references", "Al", "Al", 4.05, FACES)
    write(tmp_path / "references", "Ni", "Ni", 3.52, FACES)
    write(tmp_path, "NiAl", "Ni Al", 2.887, ["0 0 0"], ["0.5 0.5 0.5"])
    write(tmp_path, "expanded", "Ni Al", 3.3, ["0 0 0"], ["0.5 0.5 0.5"])
    write(tmp_path, "Al", "Al", 4.05, FACES)
    return tmp_path


def candidates(*names: object) -> list[Candidate]:
    return [Candidate(id=str(name), values={"structure": name}) for name in names]


def encoder(campaign_folder: Path, **settings: object) -> Encoder:
    found = models.model(ModelChoice(name="chgnet", settings=settings, folder=str(campaign_folder)))
    assert isinstance(found, Encoder)
    return found


def scorer(folder: Path, **settings: object) -> Scorer:
    found = models.model(ModelChoice(name="chgnet_stability", settings=settings, folder=str(folder)))
    assert isinstance(found, Scorer)
    return found


def test_a_crystal_has_sixty_four_numbers_whatever_cell_it_is_written_in(salts: Path) -> None:
    doubled = [f"0 0 {z}" for z in (0, 0.5)], [f"0.5 0.5 {z}" for z in (0.25, 0.75)]
    text = POSCAR.format(
        name="doubled", a=3.45, elements="Na Cl", numbers="2 2", sites="\n".join(doubled[0] + doubled[1])
    ).replace("0.0 0.0 3.45", "0.0 0.0 6.9")
    (salts / "doubled").write_text(text, encoding="utf-8")
    encoded = encoder(salts).encode(candidates("caesium_chloride", "doubled", "rock_salt"))
    assert encoded.shape == (3, 64)
    np.testing.assert_allclose(encoded[0], encoded[1], atol=1e-4)
    assert np.abs(encoded[0] - encoded[2]).max() > 0.05


def test_a_cif_and_a_poscar_of_one_crystal_are_encoded_alike(salts: Path) -> None:
    from pymatgen.core import Structure

    structure = Structure.from_str((salts / "rock_salt").read_text(), fmt="poscar")
    (salts / "rock_salt.cif").write_text(structure.to(fmt="cif"), encoding="utf-8")
    encoded = encoder(salts).encode(candidates("rock_salt", "rock_salt.cif"))
    np.testing.assert_allclose(encoded[0], encoded[1], atol=1e-4)


def test_features_come_from_the_cache_the_second_time(salts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = encoder(salts).encode(candidates("rock_salt"))
    monkeypatch.setitem(sys.modules, "chgnet.model", None)
    np.testing.assert_array_equal(encoder(salts).encode(candidates("rock_salt")), first)
    with pytest.raises(MissingData, match="needs the package chgnet") as missing:
        encoder(salts).encode(candidates("caesium_chloride"))
    assert "drywet[materials]" in missing.value.way_out


def test_the_polymorph_that_nature_has_is_the_more_stable(salts: Path) -> None:
    natural, other = scorer(salts, compound="NaCl").score(candidates("rock_salt", "caesium_chloride"))
    assert 0.02 < natural - other < 0.5


def test_a_compound_that_forms_lies_below_its_elements_and_an_element_on_them(alloys: Path) -> None:
    formed, expanded, element = scorer(alloys, references="references").score(
        candidates("NiAl", "expanded", "Al")
    )
    assert 0.5 < formed < 0.8  # measured heat of formation: 0.61 eV an atom
    assert expanded < formed - 0.2
    assert element == pytest.approx(0.0, abs=1e-5)


def test_another_compound_is_refused_where_one_is_compared(alloys: Path) -> None:
    with pytest.raises(BadInput, match="Candidate Al is Al, not NiAl"):
        scorer(alloys, compound="NiAl").score(candidates("NiAl", "Al"))


def test_an_element_without_a_reference_is_refused(alloys: Path) -> None:
    write(alloys, "salt", "Na Cl", 5.64, FACES, HALFWAY)
    with pytest.raises(BadInput, match="salt holds Cl, which none of the references is made of"):
        scorer(alloys, references="references").score(candidates("NiAl", "salt"))


def test_references_must_hold_the_elements_alone(alloys: Path) -> None:
    (alloys / "references" / "Al").unlink()
    write(alloys / "references", "NiAl", "Ni Al", 2.887, ["0 0 0"], ["0.5 0.5 0.5"])
    with pytest.raises(BadInput, match="hold no structure of Al alone"):
        scorer(alloys, references="references")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "say nothing of stability"),
        ({"compound": "NaCl", "references": "references"}, "say nothing of stability"),
        ({"compound": "nacl"}, "'nacl', the compound to compare, can't be read"),
    ],
)
def test_stability_needs_to_know_what_to_compare_with(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        scorer(tmp_path, **settings)


def test_a_folder_of_references_that_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="no folder of reference structures"):
        scorer(tmp_path, references="phases")
    (tmp_path / "phases").mkdir()
    with pytest.raises(BadInput, match="holds no structures"):
        scorer(tmp_path, references="phases")


FLAT = b"a cell without a volume\n1\n1 0 0\n0 0 0\n0 0 1\nH\n1\nDirect\n0 0 0\n"


@pytest.mark.parametrize("name", ["odd.cif", "odd"])
@pytest.mark.parametrize("content", [b"", b"no structure\n", b"1\n1\n0 0\n", FLAT, b"\xff\xfe\x00"])
def test_a_file_that_holds_no_structure_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match="can't be read as a crystal structure") as refusal:
        encoder(tmp_path).encode(candidates(name))
    assert str(tmp_path / name) in str(refusal.value)


def test_an_atom_without_neighbours_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "far", "Na", 30.0, ["0 0 0"])
    with pytest.raises(BadInput, match="no neighbour within 6"):
        encoder(tmp_path).encode(candidates("far"))


def test_an_element_past_plutonium_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "heavy", "Am", 4.9, FACES)
    with pytest.raises(BadInput, match="holds Am, which CHGNet does not know"):
        encoder(tmp_path).encode(candidates("heavy"))


def test_a_disordered_structure_is_refused(tmp_path: Path) -> None:
    from pymatgen.core import Lattice, Structure

    mixed = Structure(Lattice.cubic(2.9), [{"Ni": 0.5, "Al": 0.5}], [[0, 0, 0]])
    (tmp_path / "mixed.cif").write_text(mixed.to(fmt="cif"), encoding="utf-8")
    with pytest.raises(BadInput, match="disordered"):
        encoder(tmp_path).encode(candidates("mixed.cif"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"file": "x"}, "no value 'structure'"),
        ({"structure": 3.0}, "3.0 for structure, where the name of a structure file"),
    ],
)
def test_a_candidate_without_a_structure_is_refused(
    tmp_path: Path, values: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        encoder(tmp_path).encode([Candidate(id="odd", values=values)])


def test_a_structure_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"no file of structure .*absent"):
        encoder(tmp_path).encode(candidates("absent"))


def test_the_folder_of_structures_is_found_from_that_of_the_campaign(salts: Path) -> None:
    write(salts / "cells", "metal", "Al", 4.05, FACES)
    assert encoder(salts, folder="cells").encode(candidates("metal")).shape == (1, 64)


def test_no_candidates_have_no_rows(tmp_path: Path) -> None:
    assert encoder(tmp_path).encode([]).shape == (0, 64)
    assert scorer(tmp_path, compound="NaCl").score([]).shape == (0,)
