"""What ``drywet new`` writes runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import CampaignFileError
from lab.files import load_campaign, write_new_campaign

REPOSITORY = Path(__file__).parents[3]


def test_a_new_campaign_is_right_as_written(tmp_path):
    written = write_new_campaign(tmp_path / "heat.yaml")
    assert [file.name for file in written] == ["heat.yaml", "heat_candidates.csv", "protein_bench_twin.yaml"]
    campaign = load_campaign(tmp_path / "heat.yaml")
    assert campaign.name == "heat"
    assert len(campaign.candidates) == 92
    assert campaign.workcell.twin


@pytest.mark.parametrize("name", ["heat", "my campaign: #2.yaml", "sub/folder/heat.yml", "é'a.yaml"])
def test_any_name_that_a_file_may_have_gives_a_right_campaign(tmp_path, name):
    assert load_campaign(write_new_campaign(tmp_path / name)[0]).candidates


def test_a_workcell_that_is_there_is_used(tmp_path):
    write_new_campaign(tmp_path / "first.yaml")
    (tmp_path / "protein_bench_twin.yaml").write_text("mine")
    assert len(write_new_campaign(tmp_path / "second.yaml")) == 2
    assert (tmp_path / "protein_bench_twin.yaml").read_text() == "mine"


@pytest.mark.parametrize("there", ["heat.yaml", "heat_candidates.csv"])
def test_nothing_is_overwritten(tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(CampaignFileError, match="exists already") as caught:
        write_new_campaign(tmp_path / "heat.yaml")
    assert caught.value.file == tmp_path / there
    assert caught.value.way_out == "Choose another name, or move it away."
    assert [file.name for file in tmp_path.iterdir()] == [there]


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CampaignFileError, match="It can't be written: ") as caught:
        write_new_campaign(tmp_path / "file" / "heat.yaml")
    assert caught.value.way_out == "Choose a folder that you may write to and that has room."


def test_a_name_without_letters_is_refused(tmp_path):
    with pytest.raises(CampaignFileError, match="no letter or digit"):
        write_new_campaign(tmp_path / "---.yaml")


def test_the_workcell_it_writes_is_the_one_of_the_repository():
    name = "protein_bench_twin.yaml"
    packaged = (REPOSITORY / "lab" / "files" / "templates" / name).read_text()
    assert packaged == (REPOSITORY / "workcells" / name).read_text()


def test_its_candidates_stand_where_the_library_of_the_repository_has_them():
    packaged = (REPOSITORY / "lab" / "files" / "templates" / "candidates.csv").read_text().splitlines()
    library = (REPOSITORY / "campaigns" / "protein_g_library.csv").read_text().splitlines()
    assert packaged == [line for line in library if line.split(",")[1] in ("plate", "1")]
