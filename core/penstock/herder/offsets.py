"""Offsets of connectors over REST (KIP-875), with the rules and messages of ``Worker`` and ``SinkUtils``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from penstock.api import SinkConnector, SourceConnector, TopicPartition
from penstock.config.disclosure import LookedUpValues
from penstock.errors import BadRequestError, ConnectError
from penstock.herder.boundary import ConnectorOffsets
from penstock.herder.configs import ConnectorEntry
from penstock.herder.interface import OffsetEntry
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.status import TargetState

__all__ = ["OffsetChanges", "parse_sink_offsets"]

TOPIC_KEY: Final = "kafka_topic"
PARTITION_KEY: Final = "kafka_partition"
OFFSET_KEY: Final = "kafka_offset"

Resolve = Callable[[Mapping[str, str]], Mapping[str, str]]


class OffsetChanges:
    """Reads and changes the offsets of connectors. A change asks config providers and the connector, which take the time
    they like: it is for the thread of the request, never for the herder's. The connector must be STOPPED."""

    def __init__(self, store: ConnectorOffsets, plugins: Plugins, resolve: Resolve) -> None:
        """`resolve` puts the values of config providers into a configuration."""
        self._store, self._plugins, self._resolve = store, plugins, resolve

    def offsets_of(self, name: str, config: Mapping[str, str]) -> list[OffsetEntry]:
        """Return each partition of the connector with its offset."""
        if not isinstance(self._instance(name, config), SinkConnector):
            return list(self._store.source_offsets(name, config))
        return [
            ({TOPIC_KEY: tp.topic, PARTITION_KEY: tp.partition}, {OFFSET_KEY: offset})
            for tp, offset in sorted(self._store.sink_offsets(name, config).items())
        ]

    def alter(self, name: str, entry: ConnectorEntry, entries: Sequence[OffsetEntry]) -> str:
        """Ask the connector, which may refuse by raising, then write the offsets. Return a message for the user."""
        config = _config_of_stopped(name, entry)
        connector, resolved = self._instance(name, config), self._resolve(config)
        if isinstance(connector, SinkConnector):
            sink_offsets = parse_sink_offsets(entries)
            with LookedUpValues(config, resolved).guard():
                handled = connector.alter_offsets(resolved, sink_offsets)
            self._store.write_sink_offsets(name, config, sink_offsets)
        else:
            source_offsets = _parse_source_offsets(entries)
            with LookedUpValues(config, resolved).guard():
                handled = connector.alter_offsets(resolved, {_hashable(p): offset for p, offset in source_offsets})
            self._store.write_source_offsets(name, config, source_offsets)
        return _message("altered", handled)

    def reset(self, name: str, entry: ConnectorEntry) -> str:
        """Ask the connector, which may refuse by raising, then forget its offsets. Return a message for the user."""
        config = _config_of_stopped(name, entry)
        connector, resolved = self._instance(name, config), self._resolve(config)
        if isinstance(connector, SinkConnector):
            known = dict.fromkeys(self._store.sink_offsets(name, config))
            with LookedUpValues(config, resolved).guard():
                handled = connector.alter_offsets(resolved, known)
            self._store.reset_sink_offsets(name, config)
        else:
            partitions = [partition for partition, _ in self._store.source_offsets(name, config)]
            with LookedUpValues(config, resolved).guard():
                handled = connector.alter_offsets(resolved, {_hashable(p): None for p in partitions})
            if partitions:
                self._store.write_source_offsets(name, config, [(p, None) for p in partitions])
        return _message("reset", handled)

    def _instance(self, name: str, config: Mapping[str, str]) -> SourceConnector | SinkConnector:
        class_name = config.get("connector.class")
        if not class_name:
            raise ConnectError(f"Connector {name} has no connector.class; give it one, or delete it")
        connector: SourceConnector | SinkConnector = self._plugins.new(PluginKind.CONNECTOR, class_name)
        return connector


def _config_of_stopped(name: str, entry: ConnectorEntry) -> Mapping[str, str]:
    if entry.target is not TargetState.STOPPED or entry.tasks:
        raise BadRequestError(
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the "
            f"specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
        )
    return entry.config


def _message(what: str, handled: bool) -> str:
    if handled:
        return f"The offsets for this connector have been {what} successfully"
    return (
        f"The Connect framework-managed offsets for this connector have been {what} successfully. However, if this "
        f"connector manages offsets externally, they will need to be manually {what} in the system that the connector uses."
    )


def _hashable(value: Any) -> Any:
    """Return a partition as a tuple of its sorted items, nested objects and lists alike, so that it can be a key."""
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
    """Return the offsets by partition (``SinkUtils.parseSinkConnectorOffsets``). Raises `BadRequestError`."""
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
    """Return the whole number that a JSON number or its text is, as ``Integer.parseInt(String.valueOf(value))`` does."""
    try:
        text = str(value)
        return None if isinstance(value, bool | float) or len(text) > 100 else int(text.replace("_", "?"))
    except ValueError:
        return None
