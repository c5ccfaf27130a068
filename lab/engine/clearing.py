"""A run that is given up: what was decided, what it has made is barred, what it left standing is brought home."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lab.engine.lane import Lane, Plan
from lab.engine.session import BenchSession
from lab.errors import BatchRedone, CampaignAborted, DrywetError, FaultKind, RunHeld, RunStopped
from lab.interfaces import Place, Workcell
from lab.recovery import Recovery
from lab.store import Store
from lab.types import JsonValue, Policies, Run, RunStatus, StepStatus

__all__ = ["ClearAway", "Clearing", "refuse_given_up"]

ClearAway = Callable[[Workcell, Sequence[str]], Plan]
"""The plan that brings labware home, for a run that is given up."""


def refuse_given_up(store: Store, run: Run, policies: Policies) -> None:
    """What was decided about a run before an interruption holds after it.

    Raises:
        BatchRedone, CampaignAborted: that was decided.
    """
    for step in store.steps(run.id):
        decided, why = step.recovery, step.error
        if step.status is StepStatus.DONE and step.fault == FaultKind.SATURATED:
            # Remarked on a reading that is done, and decided by the policy alone.
            decided, why = str(policies.recovery(FaultKind.SATURATED, 1)), "It saturated."
        why = f"{step.action} on {step.device} ({step.id}): {why}"
        if decided == Recovery.REDO_BATCH:
            raise BatchRedone(why)
        if decided == Recovery.ABORT:
            raise CampaignAborted(why)


class Clearing:
    """Closes runs that are given up. Goes on where it was cut off.

    Args:
        session: the bench.
        lane: that the clearing is carried out on.
        clear_away: the plan for it.
    """

    def __init__(self, session: BenchSession, lane: Lane, clear_away: ClearAway) -> None:
        self._session = session
        self._lane = lane
        self._clear_away = clear_away

    def clear(self, run: Run, why: str, metadata: Mapping[str, JsonValue]) -> None:
        """Bar what a run has made, bring home what it left standing, and abandon it.

        Raises:
            RunHeld: a piece is lost, or can't be brought home.
            RunStopped: a stop was asked for; the next start goes on with it.
        """
        session, store = self._session, self._session.store
        session.bar(self._made_by(run), run_id=run.id)
        session.clock.run(session.close_run(run))
        if lost := session.lost_by(run.id):
            held = RunHeld(f"{why} It can't be cleared away before a person has looked: {lost}")
            store.finish_run(run.id, RunStatus.FAILED, reason="", error=str(held))
            raise held
        if left := session.left_by(run.id):
            run = store.next_stretch(run.id)
            plan = self._clear_away(session.workcell, left)
            try:
                self._lane.carry_out(run, plan, metadata, branch=f"clearing_{run.stretch}")
            except RunStopped as stop:
                store.finish_run(run.id, RunStatus.STOPPED, reason=str(stop), error="")
                raise
            except DrywetError as error:
                store.finish_run(run.id, RunStatus.FAILED, reason="", error=str(error))
                raise RunHeld(
                    f"{why} What the run left standing ({', '.join(left)}) can't be brought home: {error}"
                ) from error
        store.finish_run(run.id, RunStatus.ABANDONED, reason="", error=why)

    def _made_by(self, run: Run) -> dict[Place, str]:
        """Wells that a run has filled, with why they must not be used."""
        bench = self._session.bench
        return {
            (use.labware, use.well): f"{run.id} was given up."
            for use in run.layout.wells
            if bench.well(use.labware, use.well).volume_ul > 0
        }
