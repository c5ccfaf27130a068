"""Traces campaign -> batch -> step, in OpenTelemetry's form: to a file, and to a collector where one is named.

All that was done for one campaign is one trace, whatever interrupted it: its number comes from the campaign's identifier.
Spans are on the clock of the machine; lab time is in their attributes.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Status, StatusCode, Tracer, set_span_in_context

from lab.engine.progress import (
    BatchProposed,
    CampaignEnded,
    CampaignOpened,
    FaultMet,
    Progress,
    ResultsRecorded,
    RunOpened,
    StepEnded,
)
from lab.types import CampaignStatus

__all__ = ["FILE", "LinesToFile", "Traces"]

log = logging.getLogger("drywet.service")

FILE = "traces.jsonl"
MOST_BYTES = 16 * 1024 * 1024
KEPT = 4
"""Full files that are kept beside the one that is written: ``traces.jsonl.1`` is the newest."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_OTLP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class LinesToFile(SpanExporter):
    """Spans as lines of JSON in a file that begins anew when it is full. Called by one thread.

    Args:
        path: its folder is made.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._kept = kept
        self._failed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write some; a disk that takes nothing is told of once, until it takes something again."""
        lines = "".join(f"{span.to_json(indent=None)}\n" for span in spans)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > self._most_bytes:
                self._begin_anew()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:
            if not self._failed:
                log.warning("Traces can't be written to %s: %s", self._path, error)
            self._failed = True
            return SpanExportResult.FAILURE
        self._failed = False
        return SpanExportResult.SUCCESS

    def _begin_anew(self) -> None:
        for number in range(self._kept, 1, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def shutdown(self) -> None:
        """Nothing is kept open."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """All is written when :meth:`export` returns."""
        return True


class _Numbers(RandomIdGenerator):
    """Numbers of spans by chance; of a trace, the one that was said before. One thread."""

    def __init__(self) -> None:
        self.trace_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id or super().generate_trace_id()


@dataclass(slots=True)
class _Open:
    """The spans of a campaign that have not ended."""

    campaign: Span
    batch: Span | None = None
    number: int = 0


class Traces:
    """Makes spans of progress. One thread.

    Args:
        folder: that the file lies in.
    """

    def __init__(self, folder: Path) -> None:
        self._numbers = _Numbers()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "drywet")}),
            id_generator=self._numbers,
            shutdown_on_exit=False,
        )
        for exporter in _exporters(folder):
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("drywet")
        self._open: dict[str, _Open] = {}

    def close(self) -> None:
        """End what is open, and see that all is written."""
        for found in self._open.values():
            if found.batch is not None:
                found.batch.end()
            found.campaign.end()
        self._open.clear()
        self._provider.shutdown()

    def tell(self, event: Progress, wall_ns: int) -> None:
        """Take what happened into account.

        Args:
            wall_ns: when, since 1970.
        """
        found = self._of(event.campaign_id, wall_ns)
        match event:
            case CampaignOpened():
                found.campaign.set_attribute("drywet.budget", event.budget)
            case BatchProposed():
                self._batch(found, event.batch.number, event.lab_time_s, wall_ns)
            case RunOpened():
                batch = self._batch(found, event.batch.number, event.lab_time_s, wall_ns)
                batch.set_attributes(
                    {
                        "drywet.run_id": event.run.id,
                        "drywet.attempt": event.run.attempt,
                        "drywet.stretch": event.run.stretch,
                        "drywet.steps": event.steps,
                    }
                )
            case StepEnded():
                self._step(found, event, wall_ns)
            case FaultMet():
                (found.batch or found.campaign).add_event(
                    "fault",
                    {
                        "drywet.device": event.device,
                        "drywet.action": event.action,
                        "drywet.fault": event.fault,
                        "drywet.recovery": event.recovery,
                        "drywet.sentence": event.sentence,
                    },
                    wall_ns,
                )
            case ResultsRecorded():
                self._end_batch(found, wall_ns)
            case CampaignEnded():
                self._end(event, found, wall_ns)

    def _of(self, campaign_id: str, wall_ns: int) -> _Open:
        found = self._open.get(campaign_id)
        if found is None:
            self._numbers.trace_id = int.from_bytes(hashlib.sha256(campaign_id.encode()).digest()[:16], "big")
            campaign = self._span(self._tracer, "campaign", None, wall_ns)
            campaign.set_attribute("drywet.campaign_id", campaign_id)
            found = self._open[campaign_id] = _Open(campaign)
        return found

    def _batch(self, found: _Open, number: int, lab_time_s: float, wall_ns: int) -> Span:
        if found.batch is not None and found.number == number:
            return found.batch
        self._end_batch(found, wall_ns)
        found.batch = self._span(self._tracer, f"batch {number}", found.campaign, wall_ns)
        found.batch.set_attributes({"drywet.batch": number, "drywet.lab_time_s": lab_time_s})
        found.number = number
        return found.batch

    def _step(self, found: _Open, event: StepEnded, wall_ns: int) -> None:
        if event.wall_s is None or event.took_s is None:
            return  # it was done in an earlier stretch, whose trace has it
        began_ns = wall_ns - int(event.wall_s * 1e9)
        name = f"{event.device} {event.action}"
        step = self._span(self._tracer, name, found.batch or found.campaign, began_ns)
        step.set_attributes(
            {
                "drywet.run_id": event.run_id,
                "drywet.step": event.number,
                "drywet.device": event.device,
                "drywet.action": event.action,
                "drywet.lab_time_s": event.lab_time_s,
                "drywet.took_lab_s": event.took_s,
            }
        )
        step.end(wall_ns)

    def _end_batch(self, found: _Open, wall_ns: int) -> None:
        if found.batch is not None:
            found.batch.end(wall_ns)
        found.batch = None

    def _end(self, event: CampaignEnded, found: _Open, wall_ns: int) -> None:
        self._end_batch(found, wall_ns)
        found.campaign.set_attributes({"drywet.status": str(event.status), "drywet.sentence": event.sentence})
        if event.status in (CampaignStatus.HELD, CampaignStatus.ABORTED):
            found.campaign.set_status(Status(StatusCode.ERROR, event.sentence))
        found.campaign.end(wall_ns)
        del self._open[event.campaign_id]

    @staticmethod
    def _span(tracer: Tracer, name: str, parent: Span | None, begun_ns: int) -> Span:
        context = None if parent is None else set_span_in_context(parent)
        span = tracer.start_span(name, context=context, start_time=begun_ns)
        assert isinstance(span, Span)  # nothing is left out by sampling
        return span


def _exporters(folder: Path) -> list[SpanExporter]:
    """Where spans go: the file, and a collector that the standard variables of the environment name."""
    chosen = {one.strip() for one in os.environ.get("OTEL_TRACES_EXPORTER", "").split(",")} - {""}
    if "none" in chosen or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    found: list[SpanExporter] = [LinesToFile(folder / FILE)]
    if "otlp" in chosen or any(os.environ.get(name) for name in _ENDPOINTS):
        try:
            exporter: SpanExporter = import_module(_OTLP).OTLPSpanExporter()
            found.append(exporter)
        except ModuleNotFoundError:
            log.warning(
                "A collector for traces is named, but opentelemetry-exporter-otlp-proto-http is not installed; "
                "traces are written to %s only.",
                folder / FILE,
            )
    return found
