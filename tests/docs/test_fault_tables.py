"""The tables of faults in the page on workcell files say what the twins can have."""

from __future__ import annotations

from digital_twin.faults import repertoires
from lab.errors import FaultKind
from lab.files.faults import FaultFields, FaultsFields
from tests.project.source_tree import REPOSITORY

PAGE = (REPOSITORY / "docs" / "workcell-files.md").read_text(encoding="utf-8")
WIRE = {FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT}


def test_every_field_of_the_section_is_told():
    fields = (*FaultsFields.model_fields, *FaultFields.model_fields)
    assert [name for name in fields if f"| `{name}` |" not in PAGE] == []


def test_every_verb_and_part_is_told_with_the_faults_it_can_have():
    told = [line for line in PAGE.splitlines() if line.startswith("| `")]
    for driver, repertoire in repertoires().items():
        for where, kinds in (*repertoire.verbs.items(), *repertoire.parts.items()):
            others = ", ".join(f"`{kind}`" for kind in sorted(set(kinds) - WIRE)) or "nothing"
            row = f" | `{where}` | {others} |"
            assert any(f"`{driver}`" in line and line.endswith(row) for line in told), (driver, row)
            assert set(kinds) >= WIRE
