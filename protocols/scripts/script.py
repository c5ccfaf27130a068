"""A function as a protocol: its form, its layout, its plan and what its readings mean."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import Msg

from lab.bench import Bench
from lab.errors import BadInput, DrywetError, Infeasible
from lab.interfaces import RunRecord, StepEnd, Ticket, Untried, Workcell
from lab.types import Batch, Campaign, JsonValue, Layout, Observation, WellUse, new_id
from protocols.parameters import read_parameters
from protocols.scripts.bench import ScriptBench
from protocols.scripts.form import Form, form_of
from protocols.scripts.guarding import Guard
from protocols.scripts.kinds import Plate, PlateMap, Reagent, Sample, Samples, Well, Wells
from protocols.scripts.readings import RETURNED, Returned, readings_of, returned_of
from protocols.scripts.results import READINGS, Recorded, flat_results, observations_of, results_to_json

__all__ = ["IMAGINED", "Script", "parameters_of", "protocol"]

IMAGINED = (0.0, 1.0)
"""What readings show while a run is laid out and tried dry: a protocol that asks what it read goes both ways."""

Function = Callable[..., Generator[Msg, Any, Any]]
Analysis = Callable[..., Any]
Plan = Generator[Msg, Any, Any]


@dataclass(slots=True)
class _Walk:
    """What a walk without devices found.

    Args:
        returned: JSON of what the protocol gave back; None where it could not get that far.
    """

    bench: ScriptBench
    final: Bench
    returned: JsonValue = None


class Script:
    """A protocol made from a function. Implements :class:`lab.interfaces.ProtocolModule`.

    Call it with a bench and values, as the function, to use it within another protocol.

    Args:
        function: a generator function; its first parameter is the bench.
        measures: names of the results that it gives back, for the goal of a campaign; of ``{sample: ...}``, those within.

    Raises:
        BadInput: its signature makes no form, or it is no generator function.
    """

    def __init__(self, function: Function, measures: Sequence[str] = ()) -> None:
        code = function.__code__
        if not inspect.isgeneratorfunction(function):
            raise BadInput(
                f"{function.__name__} has no step.",
                way_out="Take at least one, such as: yield from bench.read_absorbance(plate, 450)",
                file=code.co_filename,
                line=code.co_firstlineno,
            )
        self.function = function
        self.name = function.__name__
        self.form: Form = form_of(function)
        self.Parameters: Any = self.form.model
        self.measures = tuple(measures)
        self.file = code.co_filename
        self.line = code.co_firstlineno
        self.text = ""
        self._analysis: Analysis | None = None
        self._guard = Guard(self.name, self.file, self.line)

    def __call__(self, bench: ScriptBench, *values: Any, **named: Any) -> Plan:
        """The steps, for another protocol: ``yield from dilute(bench, plate)``."""
        return self.function(bench, *values, **named)

    def analyse_with(self, function: Analysis) -> Analysis:
        """Decorator for what works out the results from the readings of a run.

        It is given a :class:`~protocols.scripts.Recorded`, then those parameters of the protocol that it names; it gives
        back what the protocol would: ``{target: value}``, or ``{sample: {target: value}}``.
        """
        self._analysis = function
        return function

    # ------------------------------------------------------------------------------ as the campaign loop sees it

    def targets(self, parameters: Any) -> tuple[str, ...]:
        """What a goal may speak of."""
        del parameters
        return self.measures or (READINGS,)

    def foreseen(self, batch: Batch, campaign: Campaign, bench: Bench, parameters: Any) -> tuple[str, ...]:
        """Targets of what it gives back in a dry run, for a batch of one experiment; errors as of :meth:`layout`."""
        if self._analysis is not None:
            return self.targets(parameters)
        walk = self._walk(bench.to_json(), None, batch, campaign, parameters, seed=0, imagined=IMAGINED[0])
        return tuple(target for target, _ in flat_results(walk.returned or {})) or (READINGS,)

    def layout(
        self, batch: Batch, campaign: Campaign, bench: Bench, parameters: Any, rng: np.random.Generator
    ) -> Layout:
        """Walk through it without devices, to see which plates and wells it takes.

        Raises:
            Infeasible: it asks for plates or liquids that are not there.
            BadInput: it fails; names its line.
        """
        seed = int(rng.integers(2**32))
        snapshot = bench.to_json()
        walks = [
            self._walk(snapshot, None, batch, campaign, parameters, seed=seed, imagined=imagined)
            for imagined in IMAGINED
        ]
        fresh = max((walk.bench.fresh for walk in walks), key=len)
        uses = dict(_uses(walks, Bench.from_json(snapshot), batch, campaign))
        return Layout(
            labware={f"plate_{n}": plate for n, plate in enumerate(fresh, start=1)},
            wells=tuple(uses.values()),
            choices={
                "bench": snapshot,
                "seed": seed,
                "labels": [
                    [well.labware, well.well, label]
                    for well, label in {**walks[0].bench.labels, **walks[-1].bench.labels}.items()
                ],
            },
        )

    def plan(
        self,
        batch: Batch,
        campaign: Campaign,
        workcell: Workcell,
        layout: Layout,
        parameters: Any,
        *,
        imagined: float = IMAGINED[0],
        lines: list[int] | None = None,
    ) -> Plan:
        """The plan of one run.

        Args:
            imagined: what readings show in a dry run.
            lines: filled with the line of the file that asks for each step.
        """
        bench = ScriptBench(
            Bench.from_json(layout.choices["bench"]),
            workcell,
            plates=tuple(layout.labware.values()),
            seed=layout.choices["seed"],
            imagined=imagined,
            file=self.file,
        )
        return bpp.finalize_wrapper(
            self._steps(bench, batch, campaign, parameters, lines), lambda: _released(bench)
        )

    def analyse(
        self, record: RunRecord, batch: Batch, campaign: Campaign, parameters: Any
    ) -> tuple[Observation, ...]:
        """Observations from the readings, by the protocol's own analysis or from what it gave back at its end.

        Raises:
            BadInput: the analysis fails, or gives back what is no result; names its line.
        """
        readings = readings_of(record.documents)
        results = returned_of(record.documents)
        if self._analysis is not None:
            results = self._analysed(record, campaign, parameters)
        return observations_of(results or {}, record, batch, self._method(), readings)

    # ------------------------------------------------------------------------------------------------ its walks

    def _method(self) -> str:
        return f"{self.name}: {self.form.summary}".rstrip(": ")

    def _analysed(self, record: RunRecord, campaign: Campaign, parameters: Any) -> JsonValue:
        analysis = self._analysis
        assert analysis is not None
        wells: dict[str, list[Well]] = {}
        for use in record.layout.wells:
            if use.sample_id not in record.barred:
                wells.setdefault(use.content, []).append(Well(use.labware, use.well))
        recorded = Recorded(
            readings=readings_of(record.documents),
            returned=returned_of(record.documents),
            wells={sample: tuple(found) for sample, found in wells.items()},
            samples=tuple(wells),
        )
        wanted = list(inspect.signature(analysis).parameters)[1:]
        given = {name: getattr(parameters, name) for name in wanted if hasattr(parameters, name)}
        try:
            return results_to_json(analysis(recorded, **given))
        except DrywetError:
            raise
        except Exception as error:
            raise self._guard.failed(error, "analysis") from error

    def _steps(
        self, bench: ScriptBench, batch: Batch, campaign: Campaign, parameters: Any, lines: list[int] | None
    ) -> Plan:
        returned = yield from self._guard.walk(
            bench, self._bound(bench, batch, campaign, parameters), [] if lines is None else lines
        )
        yield from bps.create(name=RETURNED)
        yield from bps.read(Returned(returned))
        yield from bps.save()

    def _walk(
        self,
        snapshot: Mapping[str, Any],
        workcell: Workcell | None,
        batch: Batch,
        campaign: Campaign,
        parameters: Any,
        *,
        seed: int,
        imagined: float,
    ) -> _Walk:
        """Through the whole protocol at once, answering as a bench that does everything would."""
        final = Bench.from_json(snapshot)
        bench = ScriptBench(final, workcell, plates=None, seed=seed, imagined=imagined, file=self.file)
        walk = _Walk(bench, final)
        plan = self._guard.walk(bench, self._bound(bench, batch, campaign, parameters), [])
        answer: Any = None
        try:
            while True:
                msg = plan.send(answer)
                answer = _answer(msg)
        except StopIteration as end:
            walk.returned = end.value
        return walk

    def _bound(
        self, bench: ScriptBench, batch: Batch, campaign: Campaign, parameters: Any
    ) -> Callable[[], Plan]:
        """The function with its bench and its parameters, plates and wells as the things that they name."""

        def start() -> Plan:
            values: dict[str, Any] = {}
            for entry in self.form.entries:
                value = getattr(parameters, entry.name)
                try:
                    values[entry.name] = _given(entry.kind, value, bench, batch, campaign)
                except Infeasible:
                    raise
                except BadInput as wrong:
                    raise BadInput(wrong.reason, way_out=wrong.way_out, field=entry.name) from wrong
            return self.function(bench, **values)

        return start


@overload
def protocol(function: Function) -> Script: ...
@overload
def protocol(*, measures: str | Sequence[str] = ()) -> Callable[[Function], Script]: ...
def protocol(
    function: Function | None = None, *, measures: str | Sequence[str] = ()
) -> Script | Callable[[Function], Script]:
    """Make a protocol of a function: ``@protocol`` above it.

    Args:
        measures: names of its results, where it is to be the plan of a campaign: ``@protocol(measures="growth")``.
    """
    names = (measures,) if isinstance(measures, str) else tuple(measures)
    if function is not None:
        return Script(function, names)
    return lambda found: Script(found, names)


def _answer(msg: Msg) -> Any:
    match msg.command:
        case "step_begin":
            return Ticket(key="", done=False)
        case "step_end":
            return StepEnd(again=False, result=Untried())
    return None


def _given(kind: Any, value: Any, bench: ScriptBench, batch: Batch, campaign: Campaign) -> Any:
    """A parameter as the function gets it."""
    if kind is Plate:
        return bench.plate(value)
    if kind is Wells:
        return Wells.read(value, 16, 24) if value.lower() != "all" else Wells.read(value)
    if kind is Reagent:
        return Reagent(value)
    if kind is PlateMap:
        return PlateMap(value)
    if kind is Samples:
        return Samples(_samples(value, bench, batch, campaign))
    return value


def _samples(names: Sequence[str], bench: ScriptBench, batch: Batch, campaign: Campaign) -> Iterator[Sample]:
    if names:
        for name in names:
            found = bench.holding(name)
            yield Sample(id=name, source=found[0] if found else None)
        return
    chosen = [(experiment.candidate, False) for experiment in batch.experiments]
    for candidate, control in (*chosen, (campaign.reference, True)):
        place = campaign.sources.get(candidate.id)
        yield Sample(
            id=candidate.id,
            values=candidate.values,
            source=None if place is None else Well(*place),
            control=control,
        )


def _uses(
    walks: Sequence[_Walk], before: Bench, batch: Batch, campaign: Campaign
) -> Iterator[tuple[tuple[str, str], WellUse]]:
    """What each well is for that the protocol fills, labels or gives to a sample."""
    experiments = {experiment.candidate.id: experiment for experiment in batch.experiments}
    only = batch.experiments[0] if len(batch.experiments) == 1 else None
    for walk in walks:
        wells = [*walk.bench.owners, *walk.bench.labels, *_filled(before, walk.final)]
        for well in dict.fromkeys(wells):
            owner = walk.bench.owners.get(well, "")
            label = walk.bench.labels.get(well, "")
            experiment = experiments.get(owner) if owner else (None if label else only)
            reference = owner == campaign.reference.id and bool(owner)
            kind: Any = "reference" if reference else "variant" if experiment is not None else "blank"
            content = (
                owner or label or "+".join(sorted(walk.final.well(well.labware, well.well).parts)) or "blank"
            )
            yield (
                (well.labware, well.well),
                WellUse(
                    labware=well.labware,
                    well=well.well,
                    content=content,
                    kind=kind,
                    experiment_id="" if experiment is None else experiment.id,
                    sample_id=new_id("smp"),
                ),
            )


def _filled(before: Bench, after: Bench) -> Iterator[Well]:
    """Wells of plates that hold more than they did."""
    for item in after.of_kind("plate"):
        for name, well in item.wells.items():
            if well.volume_ul > before.well(item.id, name).volume_ul + 1e-9:
                yield Well(item.id, name)


def _released(bench: ScriptBench) -> Plan:
    """Positions back, where the protocol did not get to its end; what stands there is somebody else's to clear away."""
    if bench.working:
        yield Msg("release", None)


def parameters_of(script: Script, written: Mapping[str, JsonValue]) -> Any:
    """Parameters of a script, checked.

    Raises:
        CampaignFileError: all that is wrong with them, each with its name as the field.
    """
    return read_parameters(script.Parameters, written)
