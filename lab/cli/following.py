"""``drywet run`` and ``drywet resume`` where a lab service owns the store: hand in, go on, and watch what comes of it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from lab.app.at_the_computer import refusals
from lab.app.outcome import Outcome
from lab.campaign import best_so_far
from lab.cli import text
from lab.cli.choosing import chosen, open_to_read
from lab.cli.remote import open_client, presence_of, service_of
from lab.cli.running import EXIT_CODES, Wishes
from lab.cli.summary import show_outcome
from lab.cli.writing import refuse_unwritable
from lab.errors import BadInput
from lab.files import load_campaign
from lab.store import CampaignRecord, Store
from lab.types import CampaignStatus

if TYPE_CHECKING:
    from lab.client import Client, Event

__all__ = ["resume_there", "run_there", "waiting_there"]

_LOOK_S = 0.5
"""Wall time between two looks at what waits for its turn."""

_OVER = frozenset({"rejected", "withdrawn", "failed"})

_GOING_ON = frozenset({CampaignStatus.STOPPED, CampaignStatus.HELD})


@dataclass(slots=True)
class _Watched:
    """A campaign that is watched.

    Args:
        submission: identifier of what was handed in; empty for a campaign that goes on.
        campaign: identifier; empty until it starts.
        begun_lab_s: lab time of its bench when it went on.
        refused: it never started.
        said: last sentence about it that was printed.
    """

    name: str
    submission: str = ""
    campaign: str = ""
    said: str = ""
    refused: bool = False
    ended: bool = False
    begun_lab_s: float = 0.0


def run_there(
    files: Sequence[Path], wishes: Wishes, *, new: bool, baseline: bool, detach: bool, out: Console
) -> int:
    """Have the service run the campaigns of these files, and watch; gives the exit code.

    Raises:
        BadInput: something can't be used, or the service refuses it, with its sentence.
    """
    service, lab = _ready(wishes)
    with service, refusals(), open_to_read(wishes.settings.store) as store:
        documents = [(path, *_document(path, lab)) for path in files]
        watched = []
        for path, content, inside in documents:
            name = load_campaign(path).name
            going = None if new else _unfinished(store, name)
            if going is None:
                handed = service.submit(content, inside, baseline=baseline)
                watched.append(_Watched(name=handed["name"], submission=handed["id"]))
            else:
                watched.append(_go_on(service, store, going))
        return _watch(service, store, watched, wishes, detach=detach, out=out)


def resume_there(name: str | None, wishes: Wishes, *, detach: bool, out: Console) -> int:
    """Have the service go on with a campaign, and watch; gives the exit code.

    Raises:
        BadInput: there is nothing to go on with, or the service refuses it, with its sentence.
    """
    service, _ = _ready(wishes)
    with service, refusals(), open_to_read(wishes.settings.store) as store:
        record = waiting_there(store, name)
        watched = [_go_on(service, store, record)]
        return _watch(service, store, watched, wishes, detach=detach, out=out)


def waiting_there(store: Store, name: str | None) -> CampaignRecord:
    """The campaign that would go on: of this name, or the newest that stands still.

    Raises:
        BadInput: there is none.
    """
    if name is not None:
        return store.campaign(name)
    still = [one for one in store.campaigns() if one.status in _GOING_ON and not one.campaign.baseline_of]
    return still[-1] if still else chosen(store, None)


def _ready(wishes: Wishes) -> tuple[Client, Path]:
    """The service, and the lab's folder.

    Raises:
        BadInput: nobody has logged in, the service has ended, or a wish is not the service's to grant.
    """
    if wishes.pace != "max":
        raise BadInput(
            "A lab service runs this store, and its twins at its own pace.",
            way_out="Leave --pace out; drywet serve takes it.",
            field="--pace",
        )
    if wishes.report is not None:
        refuse_unwritable(wishes.report)
    presence, service = presence_of(wishes.settings), service_of(wishes.settings)
    if presence is None or service is None:
        raise BadInput("The lab service has just ended.", way_out="Do it once more.")
    return service, Path(presence.lab)


def _document(path: Path, lab: Path) -> tuple[str, str]:
    """Text of a campaign file, and where it lies in the lab's folder.

    Raises:
        BadInput: it can't be read, or lies elsewhere.
    """
    try:
        found = path.resolve(strict=True)
        content = found.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise BadInput(f"It can't be read: {reason}.", way_out="Name a campaign file.", file=path) from error
    if not found.is_relative_to(lab):
        raise BadInput(
            f"The lab service looks for campaigns in {lab}, and this lies elsewhere.",
            way_out="Put it and what it names there; or give a store of your own: --store FILE",
            file=path,
        )
    return content, found.relative_to(lab).as_posix()


def _unfinished(store: Store, name: str) -> CampaignRecord | None:
    """The newest campaign of a name, where it has not finished."""
    found = [one for one in store.campaigns() if one.campaign.name == name and not one.campaign.baseline_of]
    newest = found[-1] if found else None
    return newest if newest and newest.status in _GOING_ON | {CampaignStatus.RUNNING} else None


def _go_on(service: Client, store: Store, record: CampaignRecord) -> _Watched:
    """Go on with what stands still; what runs is only watched."""
    begun_lab_s = store.last_lab_time(record.bench_id)
    if record.status is not CampaignStatus.RUNNING:
        service.resume(record.campaign.id)
    return _Watched(name=record.campaign.name, campaign=record.campaign.id, begun_lab_s=begun_lab_s)


def _watch(
    service: Client, store: Store, watched: list[_Watched], wishes: Wishes, *, detach: bool, out: Console
) -> int:
    names = ", ".join(one.name for one in watched)
    if detach:
        if wishes.as_json:
            text.print_json({"handed_in": [_handed_json(one) for one in watched]})
        else:
            _line(out, f"The lab service at {service.url} has {names}. See how it stands: drywet status")
        return 0
    started = time.monotonic()
    try:
        _follow(service, store, watched, None if wishes.as_json else out)
    except KeyboardInterrupt:
        _line(Console(stderr=True), f"You watch no more. {names} goes on at {service.url}.")
        _line(Console(stderr=True), "Stop it with: drywet stop; see how it stands with: drywet status")
        return 0
    return _conclude(service, store, watched, wishes, time.monotonic() - started, out)


def _follow(service: Client, store: Store, watched: list[_Watched], out: Console | None) -> None:
    """Tell what happens until all of them have ended.

    Raises:
        Unreachable: the service has gone.
    """
    events: queue.SimpleQueue[Event | Exception] = queue.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(service, events), name="events", daemon=True)
    listener.start()
    while not all(one.ended for one in watched):
        try:
            event = events.get(timeout=_LOOK_S)
        except queue.Empty:
            event = None
        if isinstance(event, Exception):
            raise event
        for one in watched:
            if one.ended:
                continue
            if not one.campaign:
                _look(service, one, out)
            if event is not None and one.campaign and event.body.get("campaign_id") == one.campaign:
                _tell(store, one, event, out)
            elif event is None and one.campaign:  # It may have ended before anybody listened.
                one.ended = not service.campaign(one.campaign)["live"] and not _runs(store, one)


def _listen(service: Client, events: queue.SimpleQueue[Event | Exception]) -> None:
    """Pass on what happens; the connection is this thread's own."""
    from lab.client import Refused, Unreachable

    try:
        with open_client(service.url, service.token) as own:
            for event in own.events():
                events.put(event)
        events.put(Unreachable(f"The lab service at {service.url} tells nothing more."))
    except (Refused, Unreachable) as gone:
        events.put(gone)


def _look(service: Client, one: _Watched, out: Console | None) -> None:
    """See whether it has started."""
    found = service.get(f"/submissions/{one.submission}")
    one.campaign = found["campaign_id"]
    if found["status"] in _OVER:
        one.refused = one.ended = True
    waits = "waits for a person's approval" if found["status"] == "waiting" else "waits for its turn"
    said = found["sentence"] or ("" if one.campaign else f"It {waits}.")
    if said and said != one.said:
        one.said = said
        _say(out, f"{one.name}: {said}")


def _tell(store: Store, one: _Watched, event: Event, out: Console | None) -> None:
    body: Any = event.body
    match event.kind:
        case "batch":
            _say(out, f"{one.name}: batch {body['batch']}, {text.count(body['experiments'], 'experiment')}")
        case "fault":
            _say(out, f"{one.name}: {body['sentence']}")
        case "results":
            record = store.campaign(one.campaign)
            best = best_so_far(record.campaign, store.history(one.campaign))
            told = "nothing that can be used yet" if best is None else f"best so far {text.result(*best)}"
            _say(out, f"{one.name}: {body['spent']} of {record.campaign.budget} measured; {told}")
        case "campaign" if body["status"] != "running":
            one.ended = True


def _runs(store: Store, one: _Watched) -> bool:
    return store.campaign(one.campaign).status is CampaignStatus.RUNNING


def _conclude(
    service: Client,
    store: Store,
    watched: Sequence[_Watched],
    wishes: Wishes,
    wall_s: float,
    out: Console,
) -> int:
    outcomes = [_outcome(store, one, wall_s) for one in watched if one.campaign]
    written = None
    if wishes.report is not None and outcomes:
        wishes.report.write_bytes(service.report(outcomes[0].campaign.id))
        written = wishes.report
    if wishes.as_json:
        text.print_json(
            {
                "campaigns": [one.to_json() for one in outcomes],
                "report": None if written is None else str(written),
            }
        )
    else:
        for outcome in outcomes:
            show_outcome(store, outcome, wishes.store, out)
        if written is not None:
            _line(out, f"Report: {written}")
    codes = [EXIT_CODES.get(one.status, 1) for one in outcomes]
    codes += [2 for one in watched if one.refused]
    return max(codes, key=lambda code: (code == 2, code == 1, code == 3), default=0)


def _outcome(store: Store, one: _Watched, wall_s: float) -> Outcome:
    record = store.campaign(one.campaign)
    history = store.history(one.campaign)
    return Outcome(
        campaign=record.campaign,
        status=record.status,
        sentence=record.sentence,
        results=history.serving(record.campaign.goal),
        measured=len(history.usable(record.campaign.goal.target)),
        twin=store.bench(record.bench_id).twin,
        lab_s=max(0.0, store.last_lab_time(record.bench_id) - one.begun_lab_s),
        wall_s=wall_s,
    )


def _handed_json(one: _Watched) -> dict[str, Any]:
    return {"name": one.name, "submission": one.submission or None, "campaign": one.campaign or None}


def _say(out: Console | None, sentence: str) -> None:
    if out is not None:
        _line(out, sentence)


def _line(out: Console, sentence: str) -> None:
    out.print(sentence, markup=False, highlight=False, soft_wrap=True)
