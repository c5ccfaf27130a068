"""What is told of the steps of a lane: that one has ended, and that something went wrong."""

from __future__ import annotations

import time

from lab.engine.flight import Flight
from lab.engine.progress import FaultMet, StepEnded, Watcher
from lab.engine.session import BenchSession
from lab.engine.settle import sentence_of
from lab.errors import FaultKind
from lab.interfaces import Command, Verb
from lab.recovery import Recovery

__all__ = ["StepTeller"]


class StepTeller:
    """Tells of the steps of one campaign. Loop thread only.

    Args:
        session: the bench, whose store keeps what went wrong.
        watch: told of every step that ends and of every fault.
    """

    def __init__(self, session: BenchSession, campaign_id: str, watch: Watcher) -> None:
        self._session = session
        self._campaign_id = campaign_id
        self._watch = watch

    async def fault(
        self,
        flight: Flight,
        verb: Verb,
        kind: FaultKind,
        why: str,
        recovery: Recovery | None,
        *,
        done: bool = False,
    ) -> str:
        """Keep and tell what went wrong with a step.

        Args:
            recovery: what is done about it; None where nothing needs to be.
            done: the step is done all the same.

        Returns:
            The sentence that says so.

        Raises:
            StoreUnusable: it can't be kept.
        """
        assert flight.step is not None
        sentence = sentence_of(flight.step.action, verb.device, flight.step_id, why, recovery, done=done)
        now_s = self._session.clock.now()
        details = {"step": flight.step_id, "fault": str(kind), "recovery": str(recovery or "")}
        await self._session.clock.outside(
            "the journal",
            lambda: self._session.store.log(self._campaign_id, "fault", sentence, now_s, details),
        )
        self._watch(
            FaultMet(
                campaign_id=self._campaign_id,
                lab_time_s=now_s,
                run_id=flight.run.id,
                device=verb.device,
                action=flight.step.action,
                fault=str(kind),
                recovery=str(recovery or ""),
                sentence=sentence,
            )
        )
        return sentence

    def ended(self, flight: Flight, verb: Verb, command: Command, *, replayed: bool) -> None:
        """Tell that a step has ended.

        Args:
            replayed: an earlier stretch of the run did it, and it was walked past.
        """
        now_s = self._session.clock.now()
        self._watch(
            StepEnded(
                campaign_id=self._campaign_id,
                lab_time_s=now_s,
                run_id=flight.run.id,
                number=0 if flight.step is None else flight.step.ordinal,
                device=verb.device,
                action=command.verb,
                replayed=replayed,
                took_s=None if replayed else now_s - flight.sent_s,
                wall_s=None if replayed else time.monotonic() - flight.sent_wall_s,
            )
        )
