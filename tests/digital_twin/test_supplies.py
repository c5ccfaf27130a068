"""What comes from outside is put into a dry well, once."""

from __future__ import annotations

import pytest

from digital_twin.world import Impossible
from tests.twin_bench import hands


def test_an_order_comes_once_and_says_where_it_is_when_it_is_asked_for_again() -> None:
    world = hands().world
    wanted = {"order": "ord_1", "content": "A26V", "volume_ul": 80.0}
    assert world.act("supplier", "deliver", labware="library", well="H12", **wanted) == ["library", "H12"]
    there_ul = world.volume_ul("library", "H12")
    assert there_ul == pytest.approx(80.0)
    assert world.act("supplier", "deliver", labware="library", well="H11", **wanted) == ["library", "H12"]
    assert world.volume_ul("library", "H12") == there_ul
    assert world.volume_ul("library", "H11") == 0.0


@pytest.mark.parametrize(
    ("labware", "well", "content", "why"),
    [
        ("library", "A1", "A26V", "A1 of library is not empty"),
        ("library", "Z9", "A26V", "there is no well Z9 of library"),
        ("lid_1", "A1", "A26V", "there is no well A1 of lid_1"),
        ("library", "H12", "moonshine", "nobody can make moonshine"),
    ],
)
def test_what_can_not_come_changes_nothing(labware: str, well: str, content: str, why: str) -> None:
    world = hands().world
    with pytest.raises(Impossible, match=why):
        world.act(
            "supplier",
            "deliver",
            order="ord_1",
            labware=labware,
            well=well,
            content=content,
            volume_ul=80.0,
        )
    assert world.volume_ul("library", "H12") == 0.0
