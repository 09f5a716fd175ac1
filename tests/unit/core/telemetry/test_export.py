"""Spans and metrics as a collector gets them from a worker's tasks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry.trace import get_current_span

from lab.otel_collector import Collector, Span, collector
from lab.worker_process import WorkerProcess
from penstock.api import SinkConnector, SinkTask, SourceConnector, SourceTask, Transform
from penstock.config import ConfigDef
from penstock.data import STRING, Header, Headers, SinkRecord, SourceRecord
from penstock.errors import RetriableError
from penstock.measurements import Measurement
from penstock.telemetry.service import Telemetry, telemetry_of
from penstock.telemetry.tracing import task_trace
from penstock.testing.broker import free_ports
from penstock.testing.harness import SinkHarness, SourceHarness

OURS, OTHERS = ("00-" + digit * 32 + "-" + digit * 16 + "-01" for digit in "12")
SECRET = "hunter2hunter2"


@pytest.fixture
def received() -> Iterator[Collector]:
    with collector() as found:
        yield found


Start = Callable[..., Telemetry]


@pytest.fixture
def started(received: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start exporting to the collector; what is started is stopped."""
    running: list[Telemetry] = []

    def start(measure: Callable[[], Any] = list, **environ: str) -> Telemetry:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.url, **environ}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        made = telemetry_of(environ, "worker1:8083", measure)
        assert made is not None
        made.start()
        running.append(made)
        return made

    yield start
    for telemetry in running:
        telemetry.stop()


def spans_of(received: Collector, telemetry: Telemetry) -> list[Span]:
    telemetry._provider.force_flush()
    return received.spans


# --- sources


class SaidTask(SourceTask):
    """Sends, with each poll, a record for each of the next list of headers."""

    version = "1"
    batches: ClassVar[list[list[Headers]]] = []

    def start(self, props: Mapping[str, str]) -> None:
        self.rest = list(self.batches)
        self.number = 0

    def poll(self) -> Sequence[SourceRecord] | None:
        return [self.record(headers) for headers in self.rest.pop(0)] if self.rest else None

    def record(self, headers: Headers) -> SourceRecord:
        self.number += 1
        return SourceRecord(
            "t", value_schema=STRING, value="v", headers=Headers(headers), source_partition={"p": 1},
            source_offset={"n": self.number},
        )  # fmt: skip

    def stop(self) -> None:
        """Nothing to free."""


class HearingTask(SaidTask):
    """Wants to hear of each record, so that each is handed over by itself."""

    def commit_record(self, record: SourceRecord, metadata: Any) -> None:
        """Heard."""


class SaidSource(SourceConnector):
    version = "1"
    kind: type[SourceTask] = SaidTask

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None:
        """Nothing to prepare."""

    def stop(self) -> None:
        """Nothing to free."""

    @property
    def task_class(self) -> type[SourceTask]:
        return self.kind

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{}]


class HearingSource(SaidSource):
    kind = HearingTask


class Plain(Transform):
    """A transform of the simple form: nothing of it is known beforehand."""

    def apply(self, record: Any) -> Any:
        return record


def parents_sent(
    batches: list[list[Headers]], connector: type[SourceConnector] = SaidSource, **settings: Any
) -> list[list[str]]:
    """Return the headers ``traceparent`` of each record that was sent."""
    SaidTask.batches = batches
    with SourceHarness(connector, {"value.converter": "string", **settings}) as harness:
        for _ in batches:
            harness.poll()
        return [[text_of(header) for header in sent.headers if header.key == "traceparent"] for sent in harness.sent]


def parent_of(text: str, span: Span) -> str:
    """Return the ``traceparent`` of `span`, which was taken; but for that flag its flags are those of `text`."""
    assert int(text[-2:], 16) & 1
    return f"00-{span.trace_id}-{span.span_id}-{text[-2:]}"


def text_of(header: Header) -> str:
    return header.value.decode() if isinstance(header.value, bytes) else str(header.value)


@pytest.mark.parametrize(
    ("connector", "settings"),
    [
        (SaidSource, {}),
        (HearingSource, {}),
        (SaidSource, {"transforms": "p", "transforms.p.type": Plain}),
        (SaidSource, {"errors.tolerance": "all"}),
    ],
    ids=["straight", "each by itself", "simple transform", "tolerant"],
)
def test_every_record_of_a_batch_carries_the_trace_of_its_span(
    received: Collector, started: Start, connector: type[SourceConnector], settings: dict[str, Any]
) -> None:
    telemetry = started()
    other = Headers().add("other", "kept", STRING)
    found = parents_sent([[Headers(), other, Headers()], [Headers()]], connector, **settings)
    first, second = spans_of(received, telemetry)
    assert found == [
        [parent_of(text, span)] for (text,), span in zip(found, (first, first, first, second), strict=True)
    ]
    assert (first.kind, first.name.partition(" ")[0], first.parent_id, first.failed) == ("PRODUCER", "send", "", False)
    assert first.attributes["messaging.batch.message_count"] == 3
    assert first.attributes["messaging.destination.name"] == "t"
    assert first.attributes["kafka.connect.task"] == 0


def test_a_record_with_a_trace_of_its_own_keeps_it_and_the_span_is_linked_to_it(
    received: Collector, started: Start
) -> None:
    telemetry = started()
    own = Headers().add("traceparent", OURS, STRING)
    found = parents_sent([[own, Headers()]])
    (span,) = spans_of(received, telemetry)
    assert found == [[OURS], [parent_of(found[1][0], span)]]
    assert span.links == (("1" * 32, "1" * 16),)
    assert span.parent_id == ""


def test_a_batch_of_one_trace_goes_on_with_it(received: Collector, started: Start) -> None:
    telemetry = started()
    parents_sent([[Headers().add("traceparent", OURS, STRING)] * 2])
    (span,) = spans_of(received, telemetry)
    assert (span.trace_id, span.parent_id, span.links) == ("1" * 32, "1" * 16, ())


def test_a_sampler_that_takes_nothing_still_hands_its_decision_on(received: Collector, started: Start) -> None:
    telemetry = started(OTEL_TRACES_SAMPLER="always_off")
    ((text,),) = parents_sent([[Headers()]])
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", text)
    assert not int(text[-2:], 16) & 1
    assert spans_of(received, telemetry) == []


def test_without_telemetry_nothing_is_added(received: Collector) -> None:
    assert task_trace("c", 0, str) is None
    assert parents_sent([[Headers()]]) == [[]]


# --- sinks


class TakeTask(SinkTask):
    version = "1"

    def start(self, props: Mapping[str, str]) -> None:
        self.raises: list[BaseException] = []

    def put(self, records: Sequence[SinkRecord]) -> None:
        if records:
            self.inside = format(get_current_span().get_span_context().span_id, "016x")
        if records and self.raises:
            raise self.raises.pop(0)

    def stop(self) -> None:
        """Nothing to free."""


class TakeSink(SinkConnector):
    version = "1"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None:
        """Nothing to prepare."""

    def stop(self) -> None:
        """Nothing to free."""

    @property
    def task_class(self) -> type[SinkTask]:
        return TakeTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{}]


def taken(*headers: Headers) -> None:
    with SinkHarness(TakeSink, {"topics": "t"}, partitions=1) as harness:
        harness.put(*(SinkRecord("t", 0, None, None, STRING, "v", headers=one) for one in headers))


def parent(text: str | bytes) -> Headers:
    return Headers().add("traceparent", text, STRING if isinstance(text, str) else None)


@pytest.mark.parametrize(
    ("headers", "trace", "links"),
    [
        ([Headers()], None, set()),
        ([parent(OURS), parent(OURS)], "1" * 32, set()),
        ([parent(OURS), parent(OTHERS), Headers()], None, {"1" * 16, "2" * 16}),
        ([parent(OURS), Headers()], None, {"1" * 16}),
        ([parent("no such thing")], None, set()),
        ([parent("no such thing"), parent(OTHERS)], None, {"2" * 16}),
    ],
)
def test_a_put_goes_on_with_the_one_trace_of_its_records_or_is_linked_to_all(
    received: Collector, started: Start, headers: list[Headers], trace: str | None, links: set[str]
) -> None:
    telemetry = started()
    taken(*headers)
    (span,) = spans_of(received, telemetry)
    assert (span.kind, span.name.partition(" ")[0]) == ("CONSUMER", "put")
    assert span.attributes["messaging.batch.message_count"] == len(headers)
    assert {link[1] for link in span.links} == links
    if trace is None:
        assert span.parent_id == ""
    else:
        assert (span.trace_id, span.parent_id) == (trace, "1" * 16)


def test_what_a_library_traces_inside_a_put_is_part_of_its_span(received: Collector, started: Start) -> None:
    telemetry = started()
    with SinkHarness(TakeSink, {"topics": "t"}, partitions=1) as harness:
        harness.put(SinkRecord("t", 0, None, None, STRING, "v"))
        (span,) = spans_of(received, telemetry)
        assert harness.task.inside == span.span_id  # type: ignore[attr-defined]  # TakeTask's


def test_a_put_that_fails_is_told_without_its_message(received: Collector, started: Start) -> None:
    telemetry = started()
    with SinkHarness(TakeSink, {"topics": "t"}, partitions=1) as harness:
        harness.task.raises = [RetriableError(f"the store refuses {SECRET}")]  # type: ignore[attr-defined]  # TakeTask's
        harness.put(SinkRecord("t", 0, None, None, STRING, "v"))
        harness.clock.advance(60)
        harness.round()
    first, second = spans_of(received, telemetry)
    assert (first.failed, first.attributes["error.type"]) == (True, "RetriableError")
    assert not second.failed
    assert SECRET.encode() not in received.bodies


# --- metrics and what both have


def measured() -> Iterator[Measurement]:
    yield Measurement("source-task-metrics", "source-record-poll-total", 7, {"connector": "c", "task": "0"})
    yield Measurement("source-task-metrics", "poll-batch-avg-time-ms", 1.5, {"connector": "c", "task": "0"})
    yield Measurement("source-task-metrics", "poll-batch-max-time-ms", float("nan"), {"connector": "c", "task": "0"})
    yield Measurement("connector-task-metrics", "status", "running", {"connector": "c", "task": "0"})


def test_metrics_have_the_names_that_prometheus_reads(received: Collector, started: Start) -> None:
    telemetry = started(measured, OTEL_METRIC_EXPORT_INTERVAL="100000", OTEL_TRACES_EXPORTER="none")
    telemetry.stop()
    telemetry.stop = lambda: None  # type: ignore[method-assign]  # it is stopped
    labels = {"connector": "c", "task": "0"}
    polled = "kafka_connect_source_task_source_record_poll"
    assert received.values(polled, **labels) == [7]
    assert {point.kind for point in received.points if point.name == polled} == {"sum"}
    assert received.values("kafka_connect_source_task_poll_batch_avg_time_ms", **labels) == [1.5]
    assert received.values("kafka_connect_source_task_poll_batch_max_time_ms") == []
    assert received.values("kafka_connect_connector_status", status="running", **labels) == [1]
    assert received.values("process_resident_memory_bytes")[0] > 0
    assert received.spans == []


def test_metrics_are_sent_on_the_interval(received: Collector, started: Start) -> None:
    numbers = iter(range(1000))
    started(
        lambda: [Measurement("connect-worker-metrics", "task-count", next(numbers))], OTEL_METRIC_EXPORT_INTERVAL="50"
    )
    received.wait(lambda: len(received.values("kafka_connect_worker_task_count")) >= 3, "three sendings")
    assert received.values("kafka_connect_worker_task_count")[:3] == [0, 1, 2]


def test_a_process_says_who_it_is_unless_the_environment_does(received: Collector, started: Start) -> None:
    for environ, name in (({}, "penstock"), ({"OTEL_SERVICE_NAME": "orders"}, "orders")):
        telemetry = started(OTEL_RESOURCE_ATTRIBUTES="team=data", OTEL_EXPORTER_OTLP_HEADERS="api-key=abc", **environ)
        parents_sent([[Headers()]])
        resource = spans_of(received, telemetry)[-1].resource
        assert (resource["service.name"], resource["service.instance.id"]) == (name, "worker1:8083")
        assert resource["team"] == "data"
        assert received.headers["api-key"] == "abc"


def test_a_collector_that_is_not_there_stops_no_task_and_holds_nobody_up(started: Start) -> None:
    telemetry = started(
        measured, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_ports(1)[0]}", OTEL_EXPORTER_OTLP_TIMEOUT="1"
    )
    assert len(parents_sent([[Headers()], [Headers()]])) == 2
    telemetry.stop()
    telemetry.stop = lambda: None  # type: ignore[method-assign]  # it is stopped


def test_a_registry_sends_its_metrics_and_a_last_time_when_it_stops(received: Collector, tmp_path: Path) -> None:
    file, url = tmp_path / "registry.properties", f"http://127.0.0.1:{free_ports(1)[0]}"
    file.write_text(f"listeners={url}\nstore=memory\n")
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.url, "OTEL_METRIC_EXPORT_INTERVAL": "100000"}
    with WorkerProcess(["registry", file], tmp_path / "registry.log", url, environ) as registry:
        registry.wait_ready("/subjects")
        assert registry.call("POST", "/subjects/s/versions", {"schema": '"int"'})[0] == 200
        assert registry.stop() == 0
    assert received.values("kafka_schema_registry_registered_count") == [1]
    assert {point.resource["service.instance.id"] for point in received.points} == {url}
