"""A record as the JVM prints it, for messages that show one."""

from __future__ import annotations

from typing import Any

from penstock.data import SinkRecord, SourceRecord
from penstock.data.javatext import java_text

__all__ = ["record_text"]


def record_text(record: Any) -> str:
    """``SinkRecord.toString`` or ``SourceRecord.toString``."""
    headers = ", ".join(
        f"ConnectHeader(key={h.key}, value=SchemaAndValue{{schema={h.schema or 'null'}, value={java_text(h.value, h.schema)}}})"
        for h in record.headers
    )
    common = (
        f"ConnectRecord{{topic='{record.topic}', kafkaPartition={_or_null(record.partition)}, "
        f"key={java_text(record.key, record.key_schema)}, keySchema={record.key_schema or 'null'}, "
        f"value={java_text(record.value, record.value_schema)}, valueSchema={record.value_schema or 'null'}, "
        f"timestamp={_or_null(record.timestamp)}, headers=ConnectHeaders(headers={f'[{headers}]' if headers else ''})}}"
    )
    if isinstance(record, SinkRecord):
        topic = record.topic if record.original_topic is None else record.original_topic
        partition = record.partition if record.original_partition is None else record.original_partition
        offset = record.offset if record.original_offset is None else record.original_offset
        return (
            f"SinkRecord{{kafkaOffset={record.offset}, timestampType={record.timestamp_type.value}, "
            f"originalTopic={topic}, originalKafkaPartition={_or_null(partition)}, originalKafkaOffset={offset}}} {common}"
        )
    if isinstance(record, SourceRecord):
        return (
            f"SourceRecord{{sourcePartition={java_text(dict(record.source_partition))}, "
            f"sourceOffset={java_text(dict(record.source_offset))}}} {common}"
        )
    return common


def _or_null(value: object) -> object:
    return "null" if value is None else value
