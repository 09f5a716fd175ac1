"""A collector of OpenTelemetry's data that stands in for a real one: OTLP over HTTP, kept in memory."""

from __future__ import annotations

import gzip
import http.server
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lab.patience import PATIENCE_S

__all__ = ["Collector", "Point", "Span", "collector"]


class Span(NamedTuple):
    """One span as it arrived; ids are hexadecimal, links those of other spans."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[tuple[str, str], ...]
    attributes: Mapping[str, Any]
    failed: bool
    resource: Mapping[str, Any]


class Point(NamedTuple):
    """One value of one metric as it arrived."""

    name: str
    labels: Mapping[str, Any]
    value: float
    #: ``sum`` or ``gauge``.
    kind: str
    resource: Mapping[str, Any]


class Collector:
    """Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Span] = []
        self._points: list[Point] = []
        self._bodies = b""
        self.headers: dict[str, str] = {}
        self.url = ""

    @property
    def spans(self) -> list[Span]:
        with self._lock:
            return list(self._spans)

    @property
    def points(self) -> list[Point]:
        with self._lock:
            return list(self._points)

    @property
    def bodies(self) -> bytes:
        """Return everything that arrived, as it was sent."""
        with self._lock:
            return self._bodies

    def values(self, name: str, **labels: str) -> list[float]:
        """Return the values of a metric in the order in which they arrived."""
        wanted = labels.items()
        return [point.value for point in self.points if point.name == name and wanted <= point.labels.items()]

    def wait(self, probe: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not probe():
            assert time.monotonic() < deadline, f"{what} did not arrive"
            time.sleep(0.02)

    def take(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Take one request in; the status to answer."""
        with self._lock:
            self._bodies += body
            self.headers = dict(headers)
            if path == "/v1/traces":
                self._spans += _spans(ExportTraceServiceRequest.FromString(body))
            elif path == "/v1/metrics":
                self._points += _points(ExportMetricsServiceRequest.FromString(body))
            else:
                return 404
        return 200


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def _spans(request: Any) -> Iterator[Span]:
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    span.name,
                    type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    _attributes(span.attributes),
                    span.status.code == 2,
                    resource,
                )


def _points(request: Any) -> Iterator[Point]:
    for of_resource in request.resource_metrics:
        resource = _attributes(of_resource.resource.attributes)
        for scope in of_resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points:
                    value = getattr(point, point.WhichOneof("value"))
                    yield Point(metric.name, _attributes(point.attributes), value, kind, resource)


@contextmanager
def collector() -> Iterator[Collector]:
    """Serve a collector at a free port of 127.0.0.1."""
    found = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.send_response(found.take(self.path, body, dict(self.headers.items())))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
