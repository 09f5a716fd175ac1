"""A source of records with a schema, all alike but for their number.

Settings: ``topic``, ``num.messages`` (per task), ``throughput`` (records a second; below zero for no limit),
``multiple.schema`` (every other record has a second schema), ``partition.count`` (what ``partitioning`` counts up to).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from penstock import KAFKA_VERSION
from penstock.api import SourceConnector, SourceTask
from penstock.data import (
    BOOLEAN,
    FLOAT32,
    FLOAT64,
    INT32,
    INT64,
    STRING,
    Headers,
    Schema,
    SchemaBuilder,
    SourceRecord,
    Type,
)
from penstock.errors import ConnectError
from penstock_connectors.reading import PollPause
from penstock_connectors.tools.throttle import Throttle, number
from penstock_connectors.tools.verifiable import SEQNO, NumberedTasks, next_seqno, tell

__all__ = ["SchemaSourceConnector", "SchemaSourceTask"]


def _schema(version: int, with_string: bool) -> Schema:
    builder = (
        SchemaBuilder.struct()
        .version(version)
        .name("record")
        .field("boolean", BOOLEAN)
        .field("int", INT32)
        .field("long", INT64)
        .field("float", FLOAT32)
        .field("double", FLOAT64)
        .field("partitioning", INT32)
    )
    if with_string:
        builder.field("string", SchemaBuilder(Type.STRING).default("abc").build())
    return builder.field("id", INT32).field("seqno", INT64).build()


SCHEMA_1: Final = _schema(1, with_string=False)
SCHEMA_2: Final = _schema(2, with_string=True)
#: 12.2 as 32 bits hold it.
_FLOAT: Final = 12.199999809265137


class SchemaSourceConnector(NumberedTasks, SourceConnector):
    @property
    def task_class(self) -> type[SourceTask]:
        return SchemaSourceTask


class SchemaSourceTask(SourceTask):
    version = KAFKA_VERSION
    java_class: ClassVar[str] = "org.apache.kafka.connect.tools.SchemaSourceTask"
    #: How many records a poll hands over at most.
    BATCH: Final = 500

    def __init__(self) -> None:
        self._pause = PollPause()

    def start(self, props: Mapping[str, str]) -> None:
        who = "SchemaSourceTask"
        self._id = number(props, "id", who)
        self._topic = props.get("topic")
        if not self._topic:
            raise ConnectError(f"Invalid {who} configuration: topic is missing")
        self._limit = number(props, "num.messages", who)
        self._multiple = props.get("multiple.schema", "").lower() == "true"
        self._partitions = number(props, "partition.count", who, "1")
        if self._partitions < 1:
            raise ConnectError(
                f"Invalid {who} configuration: partition.count is {self._partitions}, expected at least 1"
            )
        self._throttle = Throttle(number(props, "throughput", who), self._pause)
        self._source = {"id": self._id}
        self._seqno = next_seqno(self.context.offset_storage_reader.offset(self._source), who)
        self._count = 0
        self.exhausted = self._count >= self._limit

    def poll(self) -> Sequence[SourceRecord] | None:
        left = self._limit - self._count
        if left <= 0:
            self.exhausted = True
            self._pause.wait(1.0)
            return None
        due = self._throttle.due(self._count, min(left, self.BATCH))
        if self._pause.stopped:
            return None
        records = [self._record(self._seqno + i, self._count + i) for i in range(due)]
        tell([{"task": self._id, "seqno": record.source_offset[SEQNO]} for record in records])
        self._seqno += due
        self._count += due
        self.exhausted = self._count >= self._limit
        return records

    def _record(self, seqno: int, count: int) -> SourceRecord:
        assert self._topic is not None
        value: dict[str, Any] = {
            "boolean": True,
            "int": 12,
            "long": 12,
            "float": _FLOAT,
            "double": 12.2,
            "partitioning": seqno % self._partitions,
            "id": self._id,
            "seqno": seqno,
        }
        schema = SCHEMA_1
        if self._multiple and count % 2:
            schema = SCHEMA_2
            value["string"] = "def"
        return SourceRecord(
            self._topic, self._id, STRING, "key", schema, value, None, Headers(), self._source, {SEQNO: seqno}
        )  # fmt: skip

    def stop(self) -> None:
        self._pause.stop()
