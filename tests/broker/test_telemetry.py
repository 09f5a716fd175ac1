"""OpenTelemetry of a worker at work on a real broker: one trace from a source through Kafka to a sink."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.committed import messages
from lab.in_process import InProcessWorker
from lab.otel_collector import Span, collector

SOURCE = {"connector.class": "lab.measured:MeasuredSource", "value.converter": "string"}


def contexts(span: Span) -> set[str]:
    """Return the spans before `span`: its parent, or those that it is linked to."""
    return {span.parent_id} if span.parent_id else {link[1] for link in span.links}


@pytest.mark.parametrize("delivery", [{}, {"exactly.once.support": "required", "transaction.boundary": "poll"}])
def test_a_trace_goes_from_a_source_through_kafka_to_a_sink(
    kafka: str, topic: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivery: dict[str, str]
) -> None:
    name, store = topic(partitions=1), topic(create=False)
    with collector() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "500")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        once = {**delivery, "offsets.storage.topic": store} if delivery else {}
        with InProcessWorker(tmp_path, kafka) as worker:
            worker.put("from", {**SOURCE, "topic": name, **once})
            sink = {"connector.class": "lab.sinks:RecordingSink", "topics": name, "file": str(tmp_path / "out")}
            worker.put("to", {**sink, "consumer.override.isolation.level": "read_committed"})
            received.wait(lambda: sum(span.name == "put to" for span in received.spans) >= 3, "three spans of the sink")
            received.wait(
                lambda: received.values("kafka_connect_sink_task_sink_record_send", connector="to") != [], "metrics"
            )
        sent = {span.span_id: span for span in received.spans if span.name == "send from"}
        put = [span for span in received.spans if span.name == "put to"]
        written = messages(kafka, name)
        carried = [dict(message.headers() or ())["traceparent"].decode() for message in written]
        assert len(written) == sum(span.attributes["messaging.batch.message_count"] for span in sent.values())
        for text in carried:
            _, trace, span_id, _ = text.split("-")
            assert sent[span_id].trace_id == trace
        assert all(span.attributes["messaging.destination.name"] == name for span in (*put, *sent.values()))
        for span in put:
            before = contexts(span)
            assert before
            assert before <= sent.keys()
            if span.parent_id:
                assert sent[span.parent_id].trace_id == span.trace_id
        polled = received.values("kafka_connect_source_task_source_record_poll", connector="from")
        assert polled == sorted(polled)
        assert polled[-1] > 0
        assert {point.resource["service.instance.id"] for point in received.points} == {
            worker.url.removeprefix("http://")
        }
