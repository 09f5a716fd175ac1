"""Secrets planted in a worker's config provider are found nowhere afterwards: REST, metrics, spans, log, internal topics, dead letters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from lab.committed import messages
from lab.measured import scrape
from lab.otel_collector import Collector, collector
from lab.worker_process import WorkerProcess, free_port

JSON = "org.apache.kafka.connect.json.JsonConverter"
SECRET = "Sekret-Pl4nted"


def shows(text: str) -> bool:
    return SECRET.casefold() in text.casefold()


def everything_in(kafka: str, topic: str) -> str:
    """Keys, values and headers of all records of `topic`."""
    return "\n".join(f"{m.key()!r} {m.value()!r} {m.headers()!r}" for m in messages(kafka, topic))


def until(check: Callable[[], bool], worker: WorkerProcess) -> None:
    deadline = time.monotonic() + 90
    while not check():
        worker.check()
        assert time.monotonic() < deadline, worker.log()
        time.sleep(0.1)


def exported_to(received: Collector) -> dict[str, str]:
    """Return the environment of a worker that sends its spans and metrics there."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={SECRET}",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }


@pytest.fixture
def run() -> str:
    return f"secrets-{uuid4().hex[:8]}"


def settings(kafka: str, run: str) -> dict[str, str]:
    return {
        "bootstrap.servers": kafka, "group.id": run, "key.converter": JSON, "value.converter": JSON,
        "value.converter.schemas.enable": "false", "key.converter.schemas.enable": "false",
        "listeners": f"http://127.0.0.1:{free_port()}", "offset.flush.interval.ms": "300",
        "config.providers": "file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        **{f"{which}.storage.topic": f"{run}-{which}" for which in ("config", "offset", "status")},
        **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")},
    }  # fmt: skip


def connectors(folder: Path, run: str) -> dict[str, dict[str, str]]:
    """Connectors that fail by a planted value, and one that dead-letters a record with it in the message."""

    def placeholder(key: str) -> str:
        return f"${{file:{folder / 'vault.properties'}:{key}}}"

    source = {"connector.class": "FileStreamSource", "file": str(folder / "in.txt"), "topic": f"{run}-out"}
    sink = {"connector.class": "FileStreamSink", "file": str(folder / "out.txt"), "topics": f"{run}-in"}
    return {
        "registry": {**source, "value.converter": "io.confluent.connect.avro.AvroConverter",
                     "value.converter.schema.registry.url": placeholder("url")},
        "topic": {**source, "topic": placeholder("odd")},
        "folder": {**sink, "file": placeholder("path")},
        "store": {**sink, "consumer.override.security.protocol": "SSL", "consumer.override.ssl.ca.location": placeholder("path")},
        "dead": {
            **sink, "errors.tolerance": "all", "errors.log.enable": "true", "errors.log.include.messages": "true",
            "errors.deadletterqueue.topic.name": f"{run}-dlq", "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
            "transforms": "t", "transforms.t.type": "org.apache.kafka.connect.transforms.TimestampConverter$Value",
            "transforms.t.field": "at", "transforms.t.target.type": "Timestamp", "transforms.t.format": placeholder("format"),
        },
    }  # fmt: skip


def test_a_worker_shows_none_of_the_secrets_it_works_with(kafka: str, run: str, tmp_path: Path) -> None:
    (tmp_path / "vault.properties").write_text(
        f"url=ftp://{SECRET}:{SECRET}@host\nodd={SECRET} %%\npath=/nowhere/{SECRET}/x\nformat=yyyy-MM-dd'{SECRET}'\n"
        f"class={SECRET}\n"
    )
    (tmp_path / "in.txt").write_text("a line\n")
    props = settings(kafka, run)
    (tmp_path / "worker.properties").write_text("".join(f"{key}={value}\n" for key, value in props.items()))
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(f"{run}-in", value=b'{"at": "not a date"}')
    assert producer.flush(30) == 0
    answers = []
    arguments = ["worker", tmp_path / "worker.properties", "--log-level", "DEBUG"]
    with (
        collector() as received,
        WorkerProcess(arguments, tmp_path / "worker.log", props["listeners"], exported_to(received)) as worker,
    ):
        worker.wait_ready()

        def ask(method: str, path: str, body: object = None) -> tuple[int, object]:
            code, answer = worker.call(method, path, body)
            answers.append(f"{method} {path}: {code} {json.dumps(answer)}")
            return code, answer

        for name, config in connectors(tmp_path, run).items():
            assert ask("PUT", f"/connectors/{name}/config", config)[0] == 201, answers[-1]
            ask("PUT", "/connector-plugins/FileStream/config/validate", config)
        vault = tmp_path / "vault.properties"
        assert ask("PUT", "/connectors/none/config", {"connector.class": f"${{file:{vault}:class}}"})[0] == 400

        def failed() -> bool:
            return all(
                any(t["state"] == "FAILED" for t in worker.call("GET", f"/connectors/{name}/status")[1]["tasks"])
                for name in ("registry", "topic", "folder", "store")
            )

        until(failed, worker)
        until(lambda: "failed for the record at" in worker.log(10_000_000), worker)
        for name in connectors(tmp_path, run):
            for path in ("", "/config", "/status", "/tasks", "/health", "/topics", "/offsets"):
                ask("GET", f"/connectors/{name}{path}")
            ask("GET", f"/connectors/{name}/tasks/0/status")
        ask("GET", "/connectors?expand=info&expand=status")
        until(lambda: "__connect.errors.exception.message" in everything_in(kafka, f"{run}-dlq"), worker)
        answers.append(str(scrape(worker.rest)))
        worker.stop()
    assert "send topic" in {span.name for span in received.spans}
    assert received.values("kafka_connect_task_error_total_record_failures", connector="dead") != []
    assert not shows(received.bodies.decode("latin-1"))
    assert not [answer for answer in answers if shows(answer)]
    assert not [line for line in (tmp_path / "worker.log").read_text().splitlines() if shows(line)]
    for which in ("config", "status", "offset", "dlq"):
        assert not shows(everything_in(kafka, f"{run}-{which}")), which
    assert "does not match pattern" in everything_in(kafka, f"{run}-dlq")
