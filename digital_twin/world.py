"""The one world that all twins of a workcell share: what is physically true, and how it came to be.

Everything that happens goes through :meth:`World.act`, which writes it to the ledger before it takes effect. The same
ledger applied to a fresh world of the same seed gives the same world, noise included, because noise depends on nothing
but the seed, the instrument and the count of its actions. Questions change nothing: what a plate went through is worked
out when an action next touches it.

The world never waits. A twin sleeps for as long as its instrument takes, and acts when the effect is due.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from zlib import crc32

import numpy as np

from digital_twin.actions import ACTIONS, BOOKKEEPING
from digital_twin.chemistry.interface import Chemistry
from digital_twin.ledger import Action, Ledger, LedgerHead
from digital_twin.state import Impossible, State
from lab.bench import Bench
from lab.interfaces import Clock
from lab.types import JsonValue

__all__ = ["Impossible", "World"]


class World:
    """Labware, liquids and temperatures of one bench, as they truly are.

    Args:
        clock: lab time.
        seed: every random number of the twin follows from it.
        ledger: file to record actions in, which must not exist yet; None keeps them in memory only.
        bench: what stands where at the beginning, and what is in it.
        chemistry: what the liquids do.
        seats: position -> ``cycler``, ``shaker``, ``reader``, ``storage`` or ``bench``; the last two are the default for
            positions that are a home of labware and others.

    Raises:
        BadInput: the ledger can't be written, or the bench holds what the chemistry does not know.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int,
        ledger: Path | None,
        bench: Bench,
        chemistry: Chemistry,
        seats: Mapping[str, str] | None = None,
    ) -> None:
        head = LedgerHead(seed=seed, bench=bench.to_json(), seats=dict(seats or {}), start_s=clock.now())
        self._begin(clock, chemistry, head)
        self.ledger = Ledger(ledger, head)

    @classmethod
    def rebuild(cls, ledger: Path, *, clock: Clock, chemistry: Chemistry) -> World:
        """The world that a ledger describes, to go on with; a torn last line is cut off the file.

        Give a clock that begins at :func:`lab_time_of` the ledger or later.

        Raises:
            BadInput: no ledger there, or a damaged one.
        """
        world = cls.__new__(cls)
        record = Ledger.read(ledger)
        world._begin(clock, chemistry, record.head)
        world.ledger = record
        for action in record.actions:
            effect = ACTIONS[action.action](
                world.state, action.lab_time_s, action.instrument, **action.arguments
            )
            effect(world._noise(action.instrument, action.action))
        return world

    @staticmethod
    def lab_time_of(ledger: Path) -> float:
        """Lab time of a ledger's last action, at which a clock for :meth:`rebuild` may begin.

        Raises:
            BadInput: no ledger there, or a damaged one.
        """
        record = Ledger.read(ledger)
        record.close()
        return record.end_s

    def act(self, instrument: str, action: str, **arguments: JsonValue) -> JsonValue:
        """Do something: put it on record, then let it take effect. On the loop's thread only.

        Args:
            instrument: name of the device; keys the noise.
            action: one of :data:`digital_twin.actions.ACTIONS`.
            arguments: of the action, JSON.

        Returns:
            What the action gives back (a reading, the labware picked), JSON.

        Raises:
            Impossible: it can't be done; nothing has changed and nothing is on record.
            KeyError: no such action.
        """
        # Through JSON once, so that what takes effect is exactly what a rebuild will read.
        plain = json.loads(json.dumps(arguments, allow_nan=False))
        now_s = self.clock.now()
        effect = ACTIONS[action](self.state, now_s, instrument, **plain)
        self.ledger.append(
            Action(
                n=self._counts.get(_series(instrument, action), 0),
                lab_time_s=now_s,
                instrument=instrument,
                action=action,
                arguments=plain,
            )
        )
        return effect(self._noise(instrument, action))

    def at(self, position: str) -> str | None:
        """The labware that stands at a position.

        Raises:
            Impossible: no such position.
        """
        piece = self.state.at(position)
        return None if piece is None else piece.id

    def held(self, instrument: str) -> str | None:
        """What an arm holds."""
        return self.state.held.get(instrument)

    def lid_of(self, labware: str) -> str | None:
        """The lid on a plate."""
        return self.state.pieces[labware].lid

    def is_shut(self, position: str) -> bool:
        """Whether the cover of a place is closed."""
        return position in self.state.shut

    def tips_on(self, instrument: str) -> tuple[bool, ...]:
        """Whether each channel of a liquid handler has a tip on it."""
        return tuple(channel.tip_volume_ul > 0.0 for channel in self.state.head(instrument))

    def temperature_c(self, position: str) -> float:
        """Temperature of a place now; its plate lags behind.

        Raises:
            Impossible: no such position.
        """
        self.state.at(position)
        return self.state.climates[position].at(self.clock.now())

    def volume_ul(self, labware: str, well: str) -> float:
        """True volume of a well, as of the last action that touched its labware."""
        wells = self.state.pieces[labware].wells
        return 0.0 if wells is None else float(wells.volume_ul[wells.index(well)])

    def close(self) -> None:
        """Close the ledger; safe to repeat."""
        self.ledger.close()

    def _begin(self, clock: Clock, chemistry: Chemistry, head: LedgerHead) -> None:
        self.clock = clock
        self.seed = head.seed
        self.state = State(
            bench=Bench.from_json(head.bench),
            seats=head.seats,
            chemistry=chemistry,
            seed=head.seed,
            time_s=head.start_s,
        )
        self._counts: dict[str, int] = {}

    def _noise(self, instrument: str, action: str) -> np.random.Generator:
        """Generator of the instrument's next action, which is counted with it."""
        series = _series(instrument, action)
        n = self._counts.get(series, 0)
        self._counts[series] = n + 1
        return np.random.default_rng([self.seed, crc32(series.encode()), n])


def _series(instrument: str, action: str) -> str:
    """What an action is counted in: the actions of its instrument, and apart from them what does nothing."""
    return f"{instrument} {action}" if action in BOOKKEEPING else instrument
