"""Reads a part of topics that has a begin and an end, and stops there whatever is written meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, Message, TopicPartition

from penstock.errors import ConnectError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.errors import client_errors, connect_error, is_about_group
from penstock.kafka.headers import with_safe_headers

__all__ = ["read_between"]

_POLL_S: Final = 0.5
_AT_ONCE: Final = 500


def read_between(
    clients: KafkaClients,
    overrides: Mapping[str, Any],
    owner: str,
    ranges: Mapping[tuple[str, int], tuple[int, int]],
    patience: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Message]:
    """Yield the committed records of `ranges` (by topic and partition: first offset, and the one behind the last), each
    partition's in order. Raises `ConnectError` if Kafka refuses, or gives nothing for `patience` seconds.
    """
    left = {place: end for place, (begin, end) in ranges.items() if begin < end}
    settings = {**overrides, "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    settings |= {"enable.partition.eof": True, "group.id": "penstock-reads"}  # a name is wanted; nothing is committed
    consumer = clients.consumer(settings, owner)
    try:
        with client_errors("Cannot read dead letters", "consumer.override."):
            consumer.assign([TopicPartition(topic, number, ranges[topic, number][0]) for topic, number in left])
            deadline = clock() + patience
            while left:
                messages = with_safe_headers(consumer.consume(_AT_ONCE, _POLL_S))
                if not messages and clock() >= deadline:
                    raise ConnectError(f"No answer about {_names(left)} from Kafka within {patience:.0f} s")
                for message in messages:
                    deadline = clock() + patience
                    if _within(message, left):
                        yield message
    finally:
        consumer.close()


def _within(message: Message, left: dict[tuple[str, int], int]) -> bool:
    """Return whether it is a record of the range; a partition that has come to its end is taken out of `left`."""
    place = message.topic() or "", message.partition() or 0
    offset = message.offset() or 0
    error = message.error()
    if error is not None and is_about_group(error):
        return False
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise connect_error(error, f"Cannot read {_names([place])}", "consumer.override.")
    end = left.get(place)
    if end is None:
        return False
    behind = offset if error is not None else offset + 1
    if behind >= end:
        del left[place]
    return error is None and offset < end


def _names(places: Any) -> str:
    return ", ".join(f"{topic}-{number}" for topic, number in places)
