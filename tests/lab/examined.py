"""A worker's and a connector's file on a real broker, and what ``penstock doctor`` says of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported, though not in __all__

from penstock.cli import main

__all__ = ["AVRO", "CONFLUENT", "JSON", "STRING_CONVERTER", "Place", "sink", "worse", "write"]

KAFKA: Final = "org.apache.kafka.connect."
CONFLUENT: Final = "io.confluent.connect."
JSON: Final = f"{KAFKA}json.JsonConverter"
STRING_CONVERTER: Final = f"{KAFKA}storage.StringConverter"
AVRO: Final = f"{CONFLUENT}avro.AvroConverter"


class Place:
    """A worker's and a connector's file; `run` gives the exit status and the report."""

    def __init__(self, folder: Path, bootstrap: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.group, self._capsys = folder, f"doctor-{uuid.uuid4().hex[:8]}", capsys
        self.worker = {
            "bootstrap.servers": bootstrap,
            "group.id": self.group,
            **{f"{which}.storage.topic": f"{self.group}-{which}" for which in ("config", "offset", "status")},
            **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")},
            "offset.storage.partitions": "2",
            "status.storage.partitions": "2",
            "key.converter": STRING_CONVERTER,
            "value.converter": JSON,
            "value.converter.schemas.enable": "false",
        }
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def worker_file(self, **changed: str) -> Path:
        file = self.folder / "worker.properties"
        props = {**self.worker, **{name.replace("__", "."): value for name, value in changed.items()}}
        file.write_text("".join(f"{name}={value}\n" for name, value in props.items()))
        return file

    def run(self, connector: Mapping[str, str] | None = None, *options: str, **changed: str) -> tuple[int, list[Any]]:
        arguments = ["doctor", str(self.worker_file(**changed)), "--timeout", "8", "--json", *options]
        if connector is not None:
            file = self.folder / "connector.json"
            file.write_text(json.dumps({"name": "c", **connector}))
            arguments.insert(2, str(file))
        self._capsys.readouterr()
        status = main(arguments)
        self.out = self._capsys.readouterr().out
        return status, json.loads(self.out)["findings"]

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> None:
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(30)

    def create_internal_topics(self) -> None:
        assert main(["internal-topics", "create", "--worker-config", str(self.worker_file())]) == 0

    def topics(self) -> set[str]:
        return set(self.admin.list_topics(timeout=10).topics)


def worse(findings: list[Any], *levels: str) -> list[Any]:
    """Return the findings of `levels`; without any, those that are broken or warnings."""
    return [finding for finding in findings if finding["level"] in (levels or ("broken", "warning"))]


def sink(topic: str, **settings: str) -> dict[str, str]:
    """Return a sink's configuration; `settings` have ``__`` for a dot."""
    return {
        "connector.class": "FileStreamSink", "topics": topic, "file": "out.txt",
        **{name.replace("__", "."): value for name, value in settings.items()},
    }  # fmt: skip


def write(kafka: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0
