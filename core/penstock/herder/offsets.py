"""Looking at and changing connectors' offsets over REST (KIP-875): rules and messages of ``Worker`` and ``SinkUtils``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.api import SinkConnector, SourceConnector, TopicPartition
from penstock.errors import BadRequestError
from penstock.herder.boundary import ConnectorOffsets
from penstock.herder.interface import OffsetEntry

__all__ = ["alter_offsets", "offsets_of", "parse_sink_offsets", "reset_offsets"]

TOPIC_KEY: Final = "kafka_topic"
PARTITION_KEY: Final = "kafka_partition"
OFFSET_KEY: Final = "kafka_offset"

_Connector = SourceConnector | SinkConnector


def offsets_of(store: ConnectorOffsets, sink: bool, name: str, config: Mapping[str, str]) -> list[OffsetEntry]:
    if not sink:
        return list(store.source_offsets(name, config))
    return [
        ({TOPIC_KEY: tp.topic, PARTITION_KEY: tp.partition}, {OFFSET_KEY: offset})
        for tp, offset in sorted(store.sink_offsets(name, config).items())
    ]


def alter_offsets(
    store: ConnectorOffsets,
    connector: _Connector,
    name: str,
    config: Mapping[str, str],
    resolved: Mapping[str, str],
    entries: Sequence[OffsetEntry],
) -> str:
    """The connector is asked first, and may refuse by raising; then the offsets are written. A message for the user."""
    if isinstance(connector, SinkConnector):
        sink_offsets = parse_sink_offsets(entries)
        handled = connector.alter_offsets(resolved, sink_offsets)
        store.write_sink_offsets(name, config, sink_offsets)
    else:
        source_offsets = _parse_source_offsets(entries)
        handled = connector.alter_offsets(resolved, {_hashable(p): offset for p, offset in source_offsets})
        store.write_source_offsets(name, config, source_offsets)
    return _message("altered", handled)


def reset_offsets(
    store: ConnectorOffsets, connector: _Connector, name: str, config: Mapping[str, str], resolved: Mapping[str, str]
) -> str:
    if isinstance(connector, SinkConnector):
        handled = connector.alter_offsets(resolved, dict.fromkeys(store.sink_offsets(name, config)))
        store.reset_sink_offsets(name, config)
    else:
        partitions = [partition for partition, _ in store.source_offsets(name, config)]
        handled = connector.alter_offsets(resolved, {_hashable(p): None for p in partitions})
        if partitions:
            store.write_source_offsets(name, config, [(p, None) for p in partitions])
    return _message("reset", handled)


def _message(what: str, handled: bool) -> str:
    if handled:
        return f"The offsets for this connector have been {what} successfully"
    return (
        f"The Connect framework-managed offsets for this connector have been {what} successfully. However, if this "
        f"connector manages offsets externally, they will need to be manually {what} in the system that the connector uses."
    )


def _hashable(value: Any) -> Any:
    """A partition as a tuple of its sorted items, nested objects and lists alike, so that it can be a key."""
    if isinstance(value, Mapping):
        return tuple((key, _hashable(value[key])) for key in sorted(value))
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def _parse_source_offsets(entries: Sequence[OffsetEntry]) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    parsed: list[tuple[Mapping[str, Any], Mapping[str, Any] | None]] = []
    for partition, offset in entries:
        if partition is None:
            raise BadRequestError("The partition for a source connector offset cannot be null or missing")
        parsed.append((partition, offset))
    return parsed


def parse_sink_offsets(entries: Sequence[OffsetEntry]) -> dict[TopicPartition, int | None]:
    """``SinkUtils.parseSinkConnectorOffsets``. Raises `BadRequestError`."""
    parsed: dict[TopicPartition, int | None] = {}
    for partition, offset in entries:
        parsed[_sink_partition(partition)] = None if offset is None else _sink_offset(offset)
    return parsed


def _sink_partition(partition: Mapping[str, Any] | None) -> TopicPartition:
    if partition is None:
        raise BadRequestError("The partition for a sink connector offset cannot be null or missing")
    if TOPIC_KEY not in partition or PARTITION_KEY not in partition:
        raise BadRequestError(
            f"The partition for a sink connector offset must contain the keys '{TOPIC_KEY}' and '{PARTITION_KEY}'"
        )
    topic, number = partition[TOPIC_KEY], partition[PARTITION_KEY]
    if topic is None:
        raise BadRequestError("Kafka topic names must be valid strings and may not be null")
    if number is None:
        raise BadRequestError("Kafka partitions must be valid numbers and may not be null")
    parsed = _integer(number)
    if parsed is None or not 0 <= parsed < 2**31:
        raise BadRequestError(
            f"Failed to parse the following Kafka partition value in the provided offsets: '{number}'. "
            "Partition values for sink connectors need to be integers."
        )
    return TopicPartition(str(topic), parsed)


def _sink_offset(offset: Mapping[str, Any]) -> int:
    if OFFSET_KEY not in offset:
        raise BadRequestError(
            f"The offset for a sink connector should either be null or contain the key '{OFFSET_KEY}'"
        )
    parsed = _integer(offset[OFFSET_KEY])
    if parsed is None or not 0 <= parsed < 2**63:
        raise BadRequestError(
            f"Failed to parse the following Kafka offset value in the provided offsets: '{offset[OFFSET_KEY]}'. "
            "Offset values for sink connectors need to be integers."
        )
    return parsed


def _integer(value: object) -> int | None:
    """A JSON number, or its text, as ``Integer.parseInt(String.valueOf(value))`` takes it."""
    try:
        return None if isinstance(value, bool | float) else int(str(value).replace("_", "?"))
    except ValueError:
        return None
