"""A protocol under watch while it is walked: its messages pass, and what goes wrong in it names its line."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from bluesky.utils import Msg

from lab.errors import ActionOutsideStep, BadInput, DrywetError, Infeasible
from protocols.scripts.actions import TURN
from protocols.scripts.bench import ScriptBench
from protocols.scripts.results import results_to_json

__all__ = ["MOST_ACTIONS", "Guard"]

MOST_ACTIONS = 5000
"""Of one run. A loop that waits for a reading, and never gets it in a dry run, ends here."""

_MOST_MESSAGES = 100 * MOST_ACTIONS

Plan = Generator[Msg, Any, Any]


class Guard:
    """Watches the walks of one protocol.

    Args:
        name: of its function.
        file: that it stands in.
        line: at which it begins.
    """

    def __init__(self, name: str, file: str, line: int) -> None:
        self._name = name
        self._file = file
        self._line = line

    def walk(self, bench: ScriptBench, start: Callable[[], Plan], lines: list[int]) -> Plan:
        """The protocol's messages, less the turns between actions; what goes wrong in it names its line.

        Returns:
            JSON of what it gives back.

        Raises:
            BadInput: the protocol itself fails.
            ActionOutsideStep: it acts outside a step; names the line.
        """
        answer: Any = None
        thrown: Exception | None = None
        actions = messages = 0
        plan = None
        try:
            plan = self._whole(bench, start())
        except DrywetError:
            raise
        except Exception as error:
            raise self.failed(error) from error
        while True:
            try:
                msg = plan.send(answer) if thrown is None else plan.throw(thrown)
            except StopIteration as end:
                return end.value
            except ActionOutsideStep as refused:
                raise self._with_line(refused) from refused
            except Infeasible as wrong:
                raise self._located(wrong) from wrong
            except DrywetError:
                raise
            except Exception as error:
                if error is thrown:
                    raise
                raise self.failed(error) from error
            if isinstance(thrown, DrywetError):
                # The protocol has caught it and would go on, which is not for it to decide.
                raise self._with_line(thrown) if isinstance(thrown, ActionOutsideStep) else thrown
            answer, thrown = None, None
            messages += 1
            actions += msg is TURN
            if actions > MOST_ACTIONS or messages > _MOST_MESSAGES:
                raise Infeasible(
                    (
                        f"{self._name} asks for more than {MOST_ACTIONS:,} actions (line {bench.line_under_way}).",
                    ),
                    way_out="Let each loop end by itself: for _ in range(20): ... and break on a reading.",
                )
            if msg is TURN:
                continue
            if msg.command == "step_begin":
                lines.append(bench.line_under_way)
            try:
                answer = yield msg
            except GeneratorExit:
                plan.close()
                raise
            except Exception as error:  # noqa: BLE001  whatever the run engine throws belongs to the plan
                thrown = error

    def _whole(self, bench: ScriptBench, body: Plan) -> Plan:
        """The protocol, and everything home after it."""
        returned = results_to_json((yield from body))
        yield from bench.finish()
        return returned

    def _line_of(self, error: BaseException) -> int | None:
        """The line of the protocol's file that an error comes from."""
        line, frames = None, error.__traceback__
        while frames is not None:
            if frames.tb_frame.f_code.co_filename == self._file:
                line = frames.tb_lineno
            frames = frames.tb_next
        return line

    def failed(self, error: Exception, what: str = "protocol") -> BadInput:
        """What to raise where the protocol, or its analysis, failed by itself."""
        return BadInput(
            f"This {what} failed: {type(error).__name__}: {error}.",
            way_out="Mend the file.",
            file=self._file,
            line=self._line_of(error),
        )

    def _with_line(self, refused: ActionOutsideStep) -> ActionOutsideStep:
        line = self._line_of(refused)
        words = f"{str(refused).rstrip('.')} ({Path(self._file).name}, line {line or self._line})."
        return refused if " in line " in str(refused) else ActionOutsideStep(words)

    def _located(self, wrong: Infeasible) -> Infeasible:
        line = self._line_of(wrong)
        if line is None:
            return wrong
        return Infeasible(
            tuple(f"Line {line}: {problem}" for problem in wrong.problems), way_out=wrong.way_out
        )
