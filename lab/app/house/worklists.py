"""What of the house concerns worklists of people at a bench."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lab.app.drivers.persons import worklists_of
from lab.app.prepare import stored_workcell
from lab.app.unfinished import UNFINISHED
from lab.app.worklists import Given, Worklist, hand_in, worklists
from lab.errors import BadInput
from lab.service.worklists import PAPERS, Results
from lab.store import CampaignRecord, Store
from lab.types import JsonValue

if TYPE_CHECKING:
    from devices.person.folder import SheetFolder

__all__ = ["Worklists"]


@dataclass(slots=True)
class _Place:
    """A folder of worklists, and the campaigns whose people get theirs there."""

    id: str
    workcell: str
    path: Path
    records: list[CampaignRecord]

    @property
    def folder(self) -> SheetFolder:
        from devices.person.folder import SheetFolder

        return SheetFolder(self.path)

    @property
    def unfinished(self) -> list[CampaignRecord]:
        return [one for one in self.records if one.status in UNFINISHED]


class Worklists:
    """Implements :class:`lab.service.worklists.WorklistHouse`.

    Attributes:
        store: of the house.
    """

    store: Store

    def worklists(self, *, everything: bool) -> Sequence[Mapping[str, JsonValue]]:
        """See :class:`lab.service.worklists.WorklistHouse`."""
        return [
            _told(place, one)
            for place in self._places()
            for one in worklists(place.folder)
            if everything or one.answer is None
        ]

    def worklist(self, place: str, sheet: str) -> Mapping[str, JsonValue]:
        """See :class:`lab.service.worklists.WorklistHouse`."""
        found, one = self._sheet(place, sheet)
        return {**one.sheet.to_json(), **_told(found, one)}

    def worklist_protocols(self, place: str) -> Sequence[str]:
        """See :class:`lab.service.worklists.WorklistHouse`."""
        found = self._place(place)
        records = found.unfinished or found.records
        return list(dict.fromkeys(one.campaign.protocol.name for one in records))

    def worklist_paper(self, place: str, sheet: str, name: str) -> bytes:
        """See :class:`lab.service.worklists.WorklistHouse`."""
        _, one = self._sheet(place, sheet)
        path = one.path / name
        if name not in PAPERS or not path.is_file():
            raise BadInput(
                f"{sheet} has no {name}.", way_out=f"It may have: {', '.join(PAPERS)}.", field="name"
            )
        return path.read_bytes()

    def hand_worklist_in(
        self, place: str, sheet: str, said: str, *, who: str, note: str, results: Results | None
    ) -> Mapping[str, JsonValue]:
        """See :class:`lab.service.worklists.WorklistHouse`."""
        found, one = self._sheet(place, sheet)
        if results is None:
            hand_in(found.folder, one.sheet.id, said, by=who, note=note)
        else:
            with TemporaryDirectory(prefix="drywet_results_") as beside:
                file = Path(beside) / results.name
                file.write_bytes(results.content)
                given = Given(file=file, barcode=results.barcode, page=results.page, reader=results.reader)
                hand_in(found.folder, one.sheet.id, said, by=who, note=note, given=given)
        return self.worklist(place, sheet)

    def _sheet(self, place: str, sheet: str) -> tuple[_Place, Worklist]:
        found = self._place(place)
        for one in worklists(found.folder):
            if one.sheet.id == sheet:
                return found, one
        raise BadInput(f"There is no worklist {sheet!r} there.", way_out="See which there are.")

    def _place(self, place: str) -> _Place:
        for one in self._places():
            if one.id == place:
                return one
        raise BadInput(f"There are no worklists of {place!r}.", way_out="See which there are.")

    def _places(self) -> Iterator[_Place]:
        """Folders of the people of all campaigns, the newest first."""
        found: dict[Path, _Place] = {}
        read: dict[tuple[str, str], tuple[str, tuple[Path, ...]]] = {}
        for record in reversed(self.store.campaigns()):
            text, folder = record.files.get("workcell", ""), record.files.get("workcell_folder", "")
            if record.campaign.baseline_of or "person/" not in text:
                continue
            if (text, folder) not in read:
                spec = stored_workcell(record)
                read[text, folder] = (spec.name, worklists_of(spec))
            name, paths = read[text, folder]
            for path in paths:
                place = found.setdefault(path, _Place(_id(path), name, path, []))
                place.records.append(record)
        yield from found.values()


def _id(path: Path) -> str:
    """What a folder is called in addresses: where it lies is nobody's business there."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:16]


def _told(place: _Place, one: Worklist) -> dict[str, JsonValue]:
    asks, answer = one.sheet.asks, one.answer
    return {
        "place": place.id,
        "id": one.sheet.id,
        "workcell": place.workcell,
        "campaigns": [record.campaign.name for record in place.unfinished],
        "device": one.sheet.device,
        "title": one.sheet.title,
        "count": len(one.sheet.lines),
        "asks_for": "" if asks is None else f"{asks.quantity} of {len(asks.wells)} wells of {asks.plate}",
        "made_utc": one.sheet.made_utc,
        "said": "" if answer is None else str(answer.said),
        "by": "" if answer is None else answer.by,
        "note": "" if answer is None else answer.note,
        "handed_in_utc": None if answer is None else answer.at_utc,
        "papers": [name for name in PAPERS if (one.path / name).is_file()],
    }
