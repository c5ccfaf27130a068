"""One command that a person sends to an instrument by hand: a protocol of one step, journaled and leased like any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.app.belief import read_bench
from lab.app.benches import sketch_over
from lab.app.prepare import Prepared, stored_workcell
from lab.app.scripts import prepare_script
from lab.bench import Bench
from lab.errors import BadInput
from lab.store import BenchRecord, CampaignRecord, Store
from lab.strict import did_you_mean
from lab.types import JsonValue, new_id

__all__ = ["prepare_by_hand", "verbs_of"]

_TEXT = '''"""Sent by hand by {who}."""

from protocols.scripts import protocol
from protocols.steps import claimed


@protocol
def {name}(bench):
    """{what}, by hand."""
    yield from claimed({positions!r}, bench.do({device!r}, {verb!r}, **{arguments!r}))
'''


def verbs_of(store: Store, bench_id: str) -> list[dict[str, JsonValue]]:
    """What each device of a bench can be told: device, verb, what it does, and the parts of the command.

    Raises:
        BadInput: nothing ever ran there, so nothing tells what its instruments are.
    """
    from devices.verb import Verb

    workcell = sketch_over(stored_workcell(_newest_on(store, bench_id)), read_bench(store, bench_id).bench)
    return [
        {
            "device": role,
            "verb": child.command_type.verb,
            "summary": (child.command_type.__doc__ or "").strip().split("\n")[0],
            "parts": [_part(field) for field in dataclasses.fields(child.command_type)],
        }
        for role, device in workcell.devices.items()
        for _, child in device.children()
        if isinstance(child, Verb)
    ]


def _part(field: dataclasses.Field[Any]) -> JsonValue:
    optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    default = field.default if isinstance(field.default, (str, int, float, bool)) else None
    return {"name": field.name, "type": str(field.type), "optional": optional, "default": default}


def prepare_by_hand(
    store: Store,
    bench: BenchRecord,
    folder: Path,
    device: str,
    verb: str,
    arguments: Mapping[str, JsonValue],
    who: str,
) -> Prepared:
    """A command by hand, as a campaign of one experiment on a bench of the store.

    Args:
        folder: where its text is kept.

    Raises:
        BadInput: there is no such device or verb, it does not take these arguments, can't be done as the bench stands, or
            would leave a piece where others meet it.
    """
    known = [(str(one["device"]), str(one["verb"])) for one in verbs_of(store, bench.id)]
    if (device, verb) not in known:
        there = [name for role, name in known if role == device]
        raise BadInput(
            f"{bench.workcell} has no {device} that can {verb}.",
            way_out=did_you_mean(verb, there, what="It can:") if there else "See which devices there are.",
            field="verb" if there else "device",
        )
    _refuse_impossible(store, bench, device, verb, arguments)
    name = f"by_hand_{new_id('act').partition('_')[2][-10:].lower()}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    positions = set(Bench.from_json(store.bench(bench.id).first_snapshot).positions)
    what = f"{device} {verb}".replace("_", " ")
    path.write_text(
        _TEXT.format(
            who=who,
            name=name,
            what=what,
            positions=[one for one in arguments.values() if isinstance(one, str) and one in positions],
            device=device,
            verb=verb,
            arguments=dict(arguments),
        ),
        encoding="utf-8",
    )
    record = _newest_on(store, bench.id)
    workcell = Path(record.files["workcell_folder"]) / "workcell.yaml"
    return prepare_script(f"{path}:{name}", workcell, {}, workcell_text=record.files["workcell"])


def _refuse_impossible(
    store: Store, bench: BenchRecord, device: str, verb: str, arguments: Mapping[str, JsonValue]
) -> None:
    """Hold a command against the bench as it is believed, before anything of it is kept.

    Raises:
        BadInput: why not.
    """
    believed = read_bench(store, bench.id)
    kind: Any = believed.commands[device, verb]
    try:
        command = kind.from_json(dict(arguments))
        problems = tuple(command.problems(believed.bench))
    except (TypeError, ValueError, KeyError, AttributeError) as wrong:
        takes = ", ".join(field.name for field in dataclasses.fields(kind))
        raise BadInput(
            f"{device} can't {verb.replace('_', ' ')} with {', '.join(arguments) or 'nothing'}.",
            way_out=f"It takes: {takes}." if takes else "It takes nothing.",
            field="arguments",
        ) from wrong
    if problems:
        raise BadInput(" ".join(problems), field="arguments")
    after = believed.bench.copy()
    command.believe(after)
    for piece in after.labware.values():
        before = believed.bench.labware[piece.id]
        if piece.position not in (None, before.position, piece.home):
            raise BadInput(
                f"{piece.id} would be left at {piece.position}, where others would meet it.",
                way_out=f"By hand a piece can only be brought home, to {piece.home}; instruments fetch plates themselves.",
                field="arguments",
            )


def _newest_on(store: Store, bench_id: str) -> CampaignRecord:
    """Whose workcell file tells what the bench is.

    Raises:
        BadInput: nothing ever ran there.
    """
    found = [record for record in store.campaigns() if record.bench_id == bench_id]
    if not found:
        raise BadInput(f"No campaign ever ran on bench {bench_id}.", way_out="Start one first.")
    return found[-1]
