"""Barcodes of labware in the workcell file: one for each piece, each its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import CampaignFileError
from lab.files import load_workcell
from tests.devices.person.bench import WORKCELL


def test_each_piece_has_the_barcode_at_its_place_in_the_list(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(WORKCELL)
    assert load_workcell(path).barcodes == {
        "library": "L0001",
        "assay_1": "P1",
        "assay_2": "P2",
        "assay_3": "P3",
        "assay_4": "P4",
    }


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("[P1, P2, P3, P4]", "[P1, P2]", "4 pieces of assay can't have 2 barcodes."),
        ("[P1, P2, P3, P4]", "[P1, P2, P3, L0001]", "library has the barcode L0001 already."),
        ("[P1, P2, P3, P4]", "[P1, P1, P3, P4]", "assay has the barcode P1 already."),
        ("[P1, P2, P3, P4]", "['P 1', P2, P3, P4]", "'P 1' is no barcode."),
        ("[P1, P2, P3, P4]", "['=1+1', P2, P3, P4]", "'=1+1' is no barcode."),
        ("[P1, P2, P3, P4]", "['Ｐ１', P2, P3, P4]", "'Ｐ１' is no barcode."),
    ],
)
def test_barcodes_that_tell_no_pieces_apart_are_refused_at_their_line(
    tmp_path: Path, before: str, after: str, reason: str
) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(WORKCELL.replace(before, after))
    with pytest.raises(CampaignFileError) as caught:
        load_workcell(path)
    assert reason in [one.reason for one in caught.value.problems]
    assert caught.value.line is not None
