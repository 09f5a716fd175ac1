"""Spans of tasks' batches, by OpenTelemetry's SDK."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from penstock.data import ConnectRecord
from penstock.telemetry.tracing import SentHeaders, Show

__all__ = ["BatchSpans"]

_PARENT: Final = "traceparent"
_STATE: Final = "tracestate"
#: The number of links that the SDK keeps by default.
_MAX_LINKS: Final = 128


class BatchSpans:
    """A `penstock.telemetry.tracing.TaskTrace`.

    Records tell which trace they belong to by their header ``traceparent`` (W3C Trace Context). A batch whose records all
    belong to one trace goes on with that trace; else its span is one of its own, with a link to each.
    """

    def __init__(self, tracer: Tracer, connector: str, task: int, show: Show) -> None:
        self._show = show
        self._tracer, self._connector = tracer, connector
        self._attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "kafka.connect.connector": connector,
            "kafka.connect.task": task,
        }
        self._propagator = TraceContextTextMapPropagator()
        #: The headers that records of the open batch are given.
        self._carried: list[tuple[str, str | bytes | None]] = []

    @contextmanager
    def sending(self, records: Sequence[ConnectRecord]) -> Iterator[None]:
        with self._span("send", "send", SpanKind.PRODUCER, records):
            headers: dict[str, str] = {}
            self._propagator.inject(headers)
            self._carried = [(name, value.encode("ascii")) for name, value in headers.items()]
            try:
                yield
            finally:
                self._carried = []

    def carry(self, headers: SentHeaders) -> SentHeaders:
        carried = self._carried
        if not headers:
            return carried or headers
        if any(name == _PARENT for name, _ in headers):
            return headers
        return [*headers, *carried]

    @contextmanager
    def putting(self, records: Sequence[ConnectRecord]) -> Iterator[None]:
        with self._span("put", "process", SpanKind.CONSUMER, records):
            yield

    @contextmanager
    def _span(self, name: str, kind: str, role: SpanKind, records: Sequence[ConnectRecord]) -> Iterator[Span]:
        found, everyone = _parents(records)
        contexts = [self._propagator.extract(headers) for headers in found]
        parent = contexts[0] if everyone and len(contexts) == 1 else None
        attributes: dict[str, str | int] = {
            **self._attributes,
            "messaging.operation.name": name,
            "messaging.operation.type": kind,
            "messaging.batch.message_count": len(records),
        }
        topics = {record.topic for record in records}
        if len(topics) == 1:
            attributes["messaging.destination.name"] = self._show(topics.pop())
        with self._tracer.start_as_current_span(
            f"{name} {self._connector}",
            parent,
            role,
            attributes,
            [] if parent is not None else [link for context in contexts if (link := _link(context)) is not None],
            record_exception=False,  # messages of errors may hold what nobody is to see
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(Status(StatusCode.ERROR))
                raise


def _parents(records: Sequence[ConnectRecord]) -> tuple[list[dict[str, str]], bool]:
    """Return the headers of the traces that `records` belong to, each trace once, and whether every record belongs to one."""
    found: dict[str, dict[str, str]] = {}
    everyone = True
    for record in records:
        text = _text(record, _PARENT) if record.headers else None
        if text is None:
            everyone = False
        elif text not in found and len(found) < _MAX_LINKS:
            state = _text(record, _STATE)
            found[text] = {_PARENT: text} if state is None else {_PARENT: text, _STATE: state}
        elif text not in found:
            break
    return list(found.values()), everyone


def _text(record: ConnectRecord, name: str) -> str | None:
    header = record.headers.last_with_name(name)
    value = None if header is None else header.value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("latin-1")
    return value if isinstance(value, str) else None


def _link(context: Context) -> Link | None:
    """Return a link to the span that `context` tells of; None for what was no ``traceparent``."""
    span = get_current_span(context).get_span_context()
    return Link(span) if span.is_valid else None
