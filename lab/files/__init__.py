"""What people write: campaign, candidate and workcell files, read strictly and turned into values.

Everything that is wrong in a file is reported at once, each with the file, the line, the reason and the way out.
"""

from __future__ import annotations

from lab.files.campaign import MAX_BUDGET, CampaignFile, load_campaign
from lab.files.candidates import CandidateTable, Material, read_candidates, sequence_of
from lab.files.faults import FaultSpec, FaultsSpec
from lab.files.labware import CANDIDATES, LabwareSpec
from lab.files.source import SourceFile
from lab.files.template import write_new_campaign
from lab.files.workcell import DeviceSpec, WorkcellSpec, load_workcell

__all__ = [
    "CANDIDATES",
    "MAX_BUDGET",
    "CampaignFile",
    "CandidateTable",
    "DeviceSpec",
    "FaultSpec",
    "FaultsSpec",
    "LabwareSpec",
    "Material",
    "SourceFile",
    "WorkcellSpec",
    "load_campaign",
    "load_workcell",
    "read_candidates",
    "sequence_of",
    "write_new_campaign",
]
