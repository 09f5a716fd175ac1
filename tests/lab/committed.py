"""Committed records of a topic, and a check that a counting source's numbers are all there, once."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from penstock.kafka.admin import group_offsets

__all__ = ["group_offsets_at", "messages", "numbers", "once_and_in_order", "read"]

_PATIENCE_S: Final = 60.0


def read(bootstrap: str, topic: str, isolation: str = "read_committed") -> list[Any]:
    """Return the values of a topic, in the order of each partition, up to what was committed at the call."""
    return [json.loads(message.value() or b"null") for message in messages(bootstrap, topic, isolation)]


def messages(bootstrap: str, topic: str, isolation: str = "read_committed") -> list[Message]:
    """Return the records of a topic, in the order of each partition, up to what was committed at the call.

    The client tells of a partition's end only when it asked there and nothing came within ``fetch.wait.max.ms``. Under a
    writer that commits more often than that, it never does, so the end is fixed at the beginning.
    """
    settings = {"enable.auto.commit": False, "enable.partition.eof": True, "fetch.wait.max.ms": 20}
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "isolation.level": isolation, **settings}
    )
    try:
        places = [TopicPartition(topic, p, 0) for p in consumer.list_topics(topic, timeout=60).topics[topic].partitions]
        ends = {place.partition: _end(consumer, place) for place in places}
        consumer.assign(places)
        return _up_to(consumer, topic, ends)
    finally:
        consumer.close()


def _end(consumer: Consumer, place: TopicPartition) -> int:
    """Return the partition's end; a broker that has just come back is asked again."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return int(consumer.get_watermark_offsets(place, timeout=_PATIENCE_S)[1])
        except KafkaException as error:
            is_moving = error.args[0].code() in (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
            if not is_moving or time.monotonic() >= deadline:
                raise
            consumer.list_topics(place.topic, timeout=_PATIENCE_S)  # the client asks whom it knows, else
            time.sleep(0.1)


def _up_to(consumer: Consumer, topic: str, ends: dict[int, int]) -> list[Message]:
    """Read until each partition has come to its end. AssertionError if a minute passes without a record or an end."""
    left, found = dict(ends), list[Message]()
    deadline = time.monotonic() + _PATIENCE_S
    while left:
        assert time.monotonic() < deadline, f"nothing came for {_PATIENCE_S:g} s: {topic} before {left} of {ends}"
        for message in consumer.consume(1000, 0.5):
            deadline = time.monotonic() + _PATIENCE_S
            partition, offset, error = message.partition() or 0, message.offset() or 0, message.error()
            assert error is None or error.code() == KafkaError._PARTITION_EOF, error
            if error is None and offset < ends[partition]:
                found.append(message)
            # An end of a transaction, which no message shows, may lie behind the last record.
            if (offset if error is not None else offset + 1) >= left.get(partition, 0):
                left.pop(partition, None)
    return found


def numbers(records: list[Any]) -> dict[int, list[int]]:
    """Return the numbers of each of a `VerifiableSource`'s tasks, in the order they stand in."""
    found: dict[int, list[int]] = defaultdict(list)
    for record in records:
        value = record.get("payload", record)
        found[value["task"]].append(value["seqno"])
    return found


def once_and_in_order(records: list[Any]) -> dict[int, int]:
    """Check that each task's numbers are all there, once and in order. Return how many each has."""
    counts = {}
    for task, seen in numbers(records).items():
        assert seen == list(range(len(seen))), (task, [x for x in seen if seen.count(x) > 1][:10], len(seen))
        counts[task] = len(seen)
    return counts


def group_offsets_at(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """Return the offsets that a consumer group has committed."""
    return group_offsets(lambda group_id: Consumer({"bootstrap.servers": bootstrap, "group.id": group_id}), group)
