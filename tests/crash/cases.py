"""One case of the crash tests: which campaign, where it is killed, and what is done about it. A line of text and back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.campaign_files import write_campaign

__all__ = [
    "BATCH_SIZE",
    "BY_HAND",
    "NAME",
    "POLICIES",
    "PROTOCOL",
    "STORES",
    "Case",
    "shortened",
    "write_files",
]

NAME = "crash"
PROTOCOL = "every_verb"
"""Of the harness's own: the thermal challenge, and then the verbs that it does without."""

BY_HAND = "by_hand_"
"""How the names begin of campaigns that are one command by hand."""

POLICIES = ("hold", "redo_batch", "skip_sample")
"""What the campaign file says of unknown outcomes. Where ``skip_sample`` can't be done it holds, or redoes the batch."""

STORES = ("sqlite", "postgres")

BATCH_SIZE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What happens to one campaign.

    Args:
        seed: of the campaign: what it chooses, and all noise of its twin.
        budget: of the campaign; two experiments are a batch.
        at: kill point (``action-after``, ``end_step-before``); empty for a campaign that nobody disturbs.
        nth: how often the point is passed before the controller is killed at it, this time included.
        policy: one of :data:`POLICIES`.
        store: one of :data:`STORES`.
        then: kill point of a later process, the person's among them, and how often it is passed (``decide_step-after:1``);
            empty lets it be.
        again: instead of ``then``, kill points of all kinds that the first resume passes, the last included; 0 lets it be.
        fault: rule of the twin's fault script, as ``device/fault/verb/first occasion/occasions``; empty for a sound bench.
        sabotage: a fault built into the controller on purpose (:mod:`tests.crash.sabotage`); empty for none.
    """

    seed: int = 1
    budget: int = 4
    at: str = ""
    nth: int = 1
    policy: str = "hold"
    store: str = "sqlite"
    then: str = ""
    again: int = 0
    fault: str = ""
    sabotage: str = ""

    def __str__(self) -> str:
        words = [f"seed={self.seed}", f"budget={self.budget}", f"policy={self.policy}", f"store={self.store}"]
        if self.at:
            words.append(f"at={self.at}:{self.nth}")
        if self.then:
            words.append(f"then={self.then}")
        if self.again:
            words.append(f"again={self.again}")
        if self.fault:
            words.append(f"fault={self.fault}")
        if self.sabotage:
            words.append(f"sabotage={self.sabotage}")
        return ",".join(words)

    @classmethod
    def read(cls, text: str) -> Case:
        """The case that :func:`str` wrote.

        Raises:
            ValueError: no case.
        """
        fields: dict[str, Any] = {}
        for word in text.split(","):
            name, _, value = word.partition("=")
            match name:
                case "seed" | "budget" | "again":
                    fields[name] = int(value)
                case "at":
                    fields["at"], _, nth = value.partition(":")
                    fields["nth"] = int(nth)
                case "policy" | "store" | "then" | "fault" | "sabotage":
                    fields[name] = value
                case _:
                    raise ValueError(f"{word!r} is no part of a case")
        return cls(**fields)

    @property
    def undisturbed(self) -> Case:
        """The same campaign, left alone."""
        return replace(
            self, at="", nth=1, then="", again=0, fault="", sabotage="", store="sqlite", policy="hold"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a case takes place.

    Args:
        folder: of its own; the store's file and the twin's ledger are under it.
        store: path or URL.
        diary: what the harness itself saw, line by line (:mod:`tests.crash.diary`).
    """

    case: Case
    folder: Path
    store: str
    diary: Path
    file: Path = field(default=Path())


def write_files(folder: Path, case: Case) -> Path:
    """Write campaign, candidate and workcell file of a case; gives the path of the first.

    Small, so that a case takes a second: batches of two, short waits. The Sobol planner's choices depend on nothing
    that is measured, so that two runs of a campaign can be compared whatever was lost of one.
    """
    path = write_campaign(
        folder, NAME, budget=case.budget, batch_size=BATCH_SIZE, seed=case.seed, baseline="random"
    )
    text = shortened(path.read_text(), case.policy)
    path.write_text(text + "\n")
    if case.fault:
        device, fault, verb, first, count = case.fault.split("/")
        rule = f"{{device: {device}, fault: {fault}, verb: {verb}, at: [{first}], count: {count}}}"
        with (folder / "bench.yaml").open("a") as bench:
            bench.write(f"\nfaults:\n  rules:\n    - {rule}\n")
    return path


def shortened(text: str, policy: str) -> str:
    """A campaign file of :func:`tests.campaign_files.write_campaign`, of short waits and a planner that measures nothing.

    Args:
        policy: for unknown outcomes.
    """
    lines = [line for line in text.splitlines() if not line.startswith("baseline:")]
    text = "\n".join(lines)
    for old, new in (
        ("name: adaptive ", "name: sobol "),
        ("name: thermal_challenge", f"name: {PROTOCOL}"),
        ("challenge_duration_s: 10 min ", "challenge_duration_s: 60 "),
        (
            "replicates: 3",
            "replicates: 2\n    reference_wells: 3\n    blank_wells: 3\n    binding_duration_s: 60",
        ),
        ("repeat_failed: 1 ", f"repeat_failed: 0\n  recovery:\n    unknown_outcome: {policy}\n  #"),
    ):
        assert text.count(old) == 1, f"{old!r} is not in the campaign file once"
        text = text.replace(old, new)
    return text
