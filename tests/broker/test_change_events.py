"""Debezium's unwrap in a worker on a real broker, as a source's and as a sink's: what is in the topic and in the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.change_source import change
from lab.sink_worker import read_topic
from lab.source_worker import Source, SourceWorker

COUNT = 2_000
UNWRAP = {"transforms": "unwrap", "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState"}
CHANGES = {"connector.class": "lab.change_source:ChangeSource", "count": str(COUNT)}


def json_converters(schemas: bool) -> dict[str, str]:
    jvm = "org.apache.kafka.connect.json.JsonConverter"
    parts = ("key.converter", "value.converter")
    return {**dict.fromkeys(parts, jvm), **{f"{part}.schemas.enable": str(schemas).lower() for part in parts}}


def rows() -> list[tuple[dict[str, Any], Any]]:
    """Keys and values of what is left of the events: rows, and a null for each deleted row; tombstones are gone."""
    events = [(number - number % 5, change(number)) for number in range(COUNT)]
    return [({"id": row}, value["after"]) for row, value in events if value is not None]


@pytest.fixture(scope="module")
def connector(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Source]]:
    """``connector(name, config)`` creates a connector in the one worker of these tests."""
    worker = SourceWorker(tmp_path_factory.mktemp("changes"), kafka)
    with worker.start() as running:
        yield lambda name, config: Source(worker, running, name, config)


def test_a_source_sends_rows_in_order_and_nothing_again(
    connector: Callable[..., Source], kafka: str, topic: Callable[..., str]
) -> None:
    name = topic()
    source = connector(name, {"topic": name, **CHANGES, **UNWRAP, **json_converters(False)})
    source.wait(lambda: source.offsets == {"s": COUNT - 1}, "the committed offset")
    source.restart()
    source.wait(lambda: source.state == "RUNNING", "the restart")
    sent = read_topic(kafka, name)
    assert [(json.loads(m.key()), m.value() and json.loads(m.value())) for m in sent] == rows()


def test_a_sink_reads_events_with_their_schemas_and_writes_rows(
    connector: Callable[..., Source], kafka: str, topic: Callable[..., str], tmp_path: Any
) -> None:
    name, file = topic(), tmp_path / "rows"
    source = connector(f"{name}-in", {"topic": name, **CHANGES, **json_converters(True)})
    source.wait(lambda: source.offsets == {"s": COUNT - 1}, "the committed offset")
    assert len(read_topic(kafka, name)) == COUNT
    sink = connector(
        f"{name}-out",
        {
            "connector.class": "FileStreamSink", "topics": name, "file": str(file), **json_converters(True), **UNWRAP,
            "transforms": "unwrap,note", "transforms.note.type": "ExtractField$Value", "transforms.note.field": "note",
            "transforms.unwrap.delete.tombstone.handling.mode": "drop",
        },
    )  # fmt: skip
    expected = [value["note"] for _, value in rows() if value is not None]
    sink.wait(lambda: file.exists() and file.read_text().count("\n") == len(expected), "the file")
    assert file.read_text().splitlines() == expected
