"""A source of counted records and a sink for them, both telling on standard output, in JSON, what they did.

Source settings: ``topic``, ``throughput`` (records a second and task; below zero for no limit),
``complete.record.data`` (values are structs instead of numbers). Each task has the settings with an ``id`` of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson

from penstock import KAFKA_VERSION
from penstock.api import Connector, RecordMetadata, SinkConnector, SinkTask, SourceConnector, SourceTask, TopicPartition
from penstock.config import ConfigDef
from penstock.data import INT32, INT64, STRING, Headers, SchemaBuilder, SinkRecord, SourceRecord
from penstock.errors import ConnectError
from penstock_connectors.reading import PollPause
from penstock_connectors.tools.throttle import Throttle, number

__all__ = [
    "NumberedTasks",
    "VerifiableSinkConnector",
    "VerifiableSinkTask",
    "VerifiableSourceConnector",
    "VerifiableSourceTask",
    "next_seqno",
    "tell",
]

SEQNO: Final = "seqno"
COMPLETE_SCHEMA: Final = (
    SchemaBuilder.struct()
    .field("name", STRING)
    .field("task", INT32)
    .field("topic", STRING)
    .field("time_ms", INT64)
    .field("seqno", INT64)
    .build()
)


class NumberedTasks(Connector):
    """A connector of as many tasks as may be, each with its number as ``id``."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self._props | {"id": str(i)} for i in range(max_tasks)]

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""


class VerifiableSourceConnector(NumberedTasks, SourceConnector):
    @property
    def task_class(self) -> type[SourceTask]:
        return VerifiableSourceTask


class VerifiableSinkConnector(NumberedTasks, SinkConnector):
    @property
    def task_class(self) -> type[SinkTask]:
        return VerifiableSinkTask


def _line(line: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(line, str).decode() + "\n"
    except orjson.JSONEncodeError:  # half a character pair
        return json.dumps(line, default=str, separators=(",", ":")) + "\n"


def tell(lines: Sequence[Mapping[str, Any]]) -> None:
    """A JSON object a line, all in one write."""
    sys.stdout.write("".join([_line(line) for line in lines]))
    sys.stdout.flush()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def next_seqno(offset: Mapping[str, Any] | None, who: str) -> int:
    if offset is None:
        return 0
    seqno = offset.get(SEQNO)
    if type(seqno) is not int:
        raise ConnectError(f"{who} has the offset {dict(offset)} committed; expected {{'{SEQNO}': whole number}}")
    return seqno + 1


class VerifiableSourceTask(SourceTask):
    version = KAFKA_VERSION
    java_class: ClassVar[str] = "org.apache.kafka.connect.tools.VerifiableSourceTask"
    #: How many records a poll hands over at most.
    BATCH: Final = 500

    def __init__(self) -> None:
        self._pause = PollPause()

    def start(self, props: Mapping[str, str]) -> None:
        self._name = props.get("name")
        self._id = number(props, "id", "VerifiableSourceTask")
        self._topic = props.get("topic")
        if not self._topic:
            raise ConnectError("Invalid VerifiableSourceTask configuration: topic is missing")
        self._throttle = Throttle(number(props, "throughput", "VerifiableSourceTask"), self._pause)
        self._complete = props.get("complete.record.data", "").lower() == "true"
        self._partition = {"id": self._id}
        self._first = self._seqno = next_seqno(
            self.context.offset_storage_reader.offset(self._partition), "VerifiableSourceTask"
        )

    def poll(self) -> Sequence[SourceRecord] | None:
        count = self._throttle.due(self._seqno - self._first, self.BATCH)
        if self._pause.stopped:
            return None
        now = now_ms()
        lines = [self._line(now, self._seqno + i) for i in range(count)]
        tell(lines)
        self._seqno += count
        return [self._record(line) for line in lines]

    def _line(self, now: int, seqno: Any) -> dict[str, Any]:
        return {"name": self._name, "task": self._id, "topic": self._topic, "time_ms": now, "seqno": seqno}

    def _record(self, line: dict[str, Any]) -> SourceRecord:
        assert self._topic is not None
        schema, value = (COMPLETE_SCHEMA, line) if self._complete else (INT64, line[SEQNO])
        return SourceRecord(
            self._topic, None, INT32, self._id, schema, value, None, Headers(), self._partition, {SEQNO: line[SEQNO]}
        )

    def commit_record(self, record: SourceRecord, metadata: RecordMetadata | None) -> None:
        tell([self._line(now_ms(), record.value) | {"committed": True}])

    def stop(self) -> None:
        self._pause.stop()


class VerifiableSinkTask(SinkTask):
    version = KAFKA_VERSION
    java_class: ClassVar[str] = "org.apache.kafka.connect.tools.VerifiableSinkTask"

    def __init__(self) -> None:
        self._unflushed: dict[TopicPartition, list[dict[str, Any]]] = {}

    def start(self, props: Mapping[str, str]) -> None:
        self._name = props.get("name")
        self._id = number(props, "id", "VerifiableSinkTask")

    def put(self, records: Sequence[SinkRecord]) -> None:
        now = now_ms()
        lines = []
        for record in records:
            line = {
                "name": self._name,
                "task": record.key,
                "sinkTask": self._id,
                "topic": record.topic,
                "time_ms": now,
                "seqno": record.value,
                "offset": record.offset,
            }
            lines.append(line)
            where = TopicPartition(record.topic, record.partition or 0)
            self._unflushed.setdefault(where, []).append(line)
        tell(lines)

    def flush(self, offsets: Mapping[TopicPartition, int]) -> None:
        now = now_ms()
        for partition in offsets:
            lines = self._unflushed.pop(partition, [])
            tell([line | {"time_ms": now, "flushed": True} for line in lines])

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""
