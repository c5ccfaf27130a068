"""Protocols that are functions: ``@protocol`` above one makes its signature a form and its body a plan."""

from protocols.scripts.bench import ScriptBench
from protocols.scripts.kinds import Plate, PlateMap, Reagent, Sample, Samples, Well, Wells, read_plate_map
from protocols.scripts.loading import ScriptFile, load_script, read_scripts, script_from_text, split_name
from protocols.scripts.readings import Reading, readings_of
from protocols.scripts.results import Measured, Recorded
from protocols.scripts.script import Script, protocol

__all__ = [
    "Measured",
    "Plate",
    "PlateMap",
    "Reading",
    "Reagent",
    "Recorded",
    "Sample",
    "Samples",
    "Script",
    "ScriptBench",
    "ScriptFile",
    "Well",
    "Wells",
    "load_script",
    "protocol",
    "read_plate_map",
    "read_scripts",
    "readings_of",
    "script_from_text",
    "split_name",
]
