from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import BadInput, MissingData
from models.structures import Chain, aligned, read_chains
from tests.models.backbones import hairpin, pdb

PARENT = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"


def chain_of(folder: Path, text: str, name: str = "A") -> Chain:
    path = folder / "structure.pdb"
    path.write_text(text, encoding="ascii")
    return read_chains(path)[name]


def test_letters_numbers_and_backbone_are_read(tmp_path: Path) -> None:
    chain = chain_of(tmp_path, pdb("MKLV", first=10))
    assert (chain.letters, chain.numbers) == ("MKLV", (10, 11, 12, 13))
    np.testing.assert_allclose(chain.backbone, hairpin(4), atol=5e-4)


def test_the_first_position_and_the_first_model_count(tmp_path: Path) -> None:
    one = pdb("MK")
    second = one.replace("MET", "TRP")
    alternative = "\n".join(
        line[:16] + "B" + line[17:30] + "  99.000" + line[38:] for line in one.splitlines()[:4]
    )
    chain = chain_of(tmp_path, f"MODEL 1\n{one}{alternative}\nENDMDL\nMODEL 2\n{second}ENDMDL\n")
    assert chain.letters == "MK"
    np.testing.assert_allclose(chain.backbone, hairpin(2), atol=5e-4)


def test_selenomethionine_is_methionine_and_water_is_nothing(tmp_path: Path) -> None:
    modified = pdb("MK").replace("MET", "MSE").replace("ATOM  ", "HETATM", 4)
    water = "HETATM  999  O   HOH A 900      10.000  10.000  10.000  1.00  0.00\n"
    assert chain_of(tmp_path, modified + water).letters == "MK"


def test_names_that_simulations_give_to_histidine_are_known(tmp_path: Path) -> None:
    assert chain_of(tmp_path, pdb("MHK").replace("HIS", "HIE")).letters == "MHK"


def test_an_atom_that_is_missing_is_not_a_number(tmp_path: Path) -> None:
    lines = pdb("MKL").splitlines()
    chain = chain_of(tmp_path, "\n".join(lines[:5] + lines[6:]))
    assert np.isnan(chain.backbone[1, 1]).all()
    assert np.isfinite(chain.backbone[[0, 2]]).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data_1PGA\n_entry.id 1PGA\n", "no atoms of a protein"),
        (pdb("MK").replace("   0.000", "   x.y  ", 1), "line 1.*can't be read"),
        (pdb("MK").replace("A   1 ", "A  x1 "), "number can't be read"),
        (pdb("MK")[:40], "cut off"),
    ],
)
def test_a_file_that_is_no_pdb_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        chain_of(tmp_path, text)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"absent.pdb"):
        read_chains(tmp_path / "absent.pdb")


@given(data=st.data())
def test_a_file_that_was_tampered_with_is_read_or_refused_and_never_a_crash(data: st.DataObject) -> None:
    text = pdb("MKLV")
    at = data.draw(st.integers(0, len(text) - 1))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "structure.pdb"
        path.write_text(
            text[:at] + data.draw(st.text(max_size=9)) + text[at + data.draw(st.integers(0, 9)) :],
            encoding="utf-8",
        )
        try:
            chains = read_chains(path)
        except BadInput:
            return  # any other error fails the test
        for chain in chains.values():
            assert chain.backbone.shape == (len(chain.letters), 4, 3)
            assert len(chain.numbers) == len(chain.letters)


def places(folder: Path, sequence: str, parent: str, **how: object) -> list[int]:
    return aligned(chain_of(folder, pdb(sequence, **how)), parent).tolist()  # type: ignore[arg-type]


def test_a_chain_whose_numbers_start_elsewhere_is_found(tmp_path: Path) -> None:
    assert places(tmp_path, PARENT, PARENT, first=230) == list(range(56))
    assert places(tmp_path, PARENT[10:40], PARENT, first=1) == [-1] * 10 + list(range(30)) + [-1] * 16


def test_a_residue_that_was_not_resolved_has_no_place_and_shifts_nothing(tmp_path: Path) -> None:
    found = places(tmp_path, PARENT, PARENT, missing=(9, 10, 11))
    assert found[9:12] == [-1, -1, -1]
    assert found[12:] == list(range(9, 53))


def test_a_tag_is_left_out(tmp_path: Path) -> None:
    assert places(tmp_path, "GSHHHHHH" + PARENT, PARENT, first=-7) == list(range(8, 64))


def test_a_structure_of_a_point_mutant_serves(tmp_path: Path) -> None:
    assert places(tmp_path, PARENT.replace("Y", "F"), PARENT) == list(range(56))


def test_numbers_that_jump_are_no_hindrance(tmp_path: Path) -> None:
    """Residue 30 is called 130, and so on: the letters decide."""
    text = "".join(
        line[:22] + f"{int(line[22:26]) + 100:4d}" + line[26:]
        if line.startswith("ATOM") and int(line[22:26]) >= 30
        else line
        for line in pdb(PARENT, missing=(29, 30)).splitlines(keepends=True)
    )
    found = aligned(chain_of(tmp_path, text), PARENT)
    letters = [j for j in found if j >= 0]
    assert letters == list(range(54))
    assert (found[:29] == np.arange(29)).all()
    assert (found[31:] == np.arange(29, 54)).all()


def test_another_protein_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not the parent"):
        places(tmp_path, "AQVINTFDGVADYLQTYHKLPDNYITKSEAQALGWVASKGNLADVAPGKS", PARENT)


def test_residues_that_the_parent_lacks_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"3 residues within the parent .* P21"):
        places(tmp_path, PARENT[:20] + "PWP" + PARENT[20:], PARENT)
