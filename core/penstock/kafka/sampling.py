"""Reads the newest records of topics without joining a group or committing anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from penstock.errors import ConnectError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.errors import client_errors, connect_error, is_about_group
from penstock.kafka.headers import with_safe_headers

__all__ = ["matching_topics", "newest_records"]

_POLL_S: Final = 0.2


def matching_topics(
    clients: KafkaClients, overrides: Mapping[str, Any], owner: str, matches: Callable[[str], bool], timeout: float
) -> list[str]:
    """Return the topics of the cluster that the consumer may see and `matches` takes, by name."""
    consumer = clients.consumer(overrides, owner)
    try:
        with client_errors("Cannot list topics", "consumer.override."):
            return sorted(filter(matches, consumer.list_topics(timeout=timeout).topics))
    finally:
        consumer.close()


def newest_records(
    clients: KafkaClients,
    overrides: Mapping[str, Any],
    owner: str,
    topic: str,
    most: int,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> list[Message]:
    """Return up to `most` of the newest records of `topic`, about as many of each partition; fewer where `timeout` seconds
    do not suffice. `overrides` names the consumer's ``group.id``. Raises `ConnectError` if Kafka gives none for a reason.
    """
    settings = {**overrides, "auto.offset.reset": "earliest", "isolation.level": "read_uncommitted"}
    consumer = clients.consumer({**settings, "enable.partition.eof": True}, owner)
    try:
        with client_errors(f"Cannot read topic {topic}", "consumer.override."):
            deadline = clock() + timeout
            ranges = _ends(consumer, topic, most, deadline, clock)
            if not ranges:
                return []
            consumer.assign([TopicPartition(topic, number, begin) for number, (begin, _) in ranges.items()])
            return _read(consumer, topic, {number: end for number, (_, end) in ranges.items()}, deadline, clock)
    finally:
        consumer.close()


def _ends(
    consumer: Consumer, topic: str, most: int, deadline: float, clock: Callable[[], float]
) -> dict[int, tuple[int, int]]:
    """Return the offsets to begin with and to end before, of each partition that has records."""
    known = consumer.list_topics(topic, timeout=max(0.5, deadline - clock())).topics[topic]
    if known.error is not None:
        raise connect_error(known.error, f"Cannot read topic {topic}", "consumer.override.")
    each = max(1, most // max(1, len(known.partitions)))
    found = {}
    for number in sorted(known.partitions)[:most]:
        marks: Any = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=max(0.5, deadline - clock()))
        low, high = marks or (0, 0)  # None if no broker answered
        if low < high:
            found[number] = max(low, high - each), high
    return found


def _read(
    consumer: Consumer, topic: str, left: dict[int, int], deadline: float, clock: Callable[[], float]
) -> list[Message]:
    found: list[Message] = []
    while left and clock() < deadline:
        for message in with_safe_headers(consumer.consume(100, _POLL_S)):
            error, number, offset = message.error(), message.partition() or 0, message.offset() or 0
            if error is not None and is_about_group(error):
                continue
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                left.pop(number, None)
            elif error is not None:
                raise _refused(error, topic)
            elif number in left:
                if offset < left[number]:
                    found.append(message)
                if offset + 1 >= left[number]:
                    del left[number]
    return found


def _refused(error: KafkaError, topic: str) -> ConnectError:
    return connect_error(error, f"Cannot read topic {topic}", "consumer.override.")
