"""Committed records of a topic, and a check that a counting source's numbers are all there, once."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from typing import Any

from confluent_kafka import Consumer, TopicPartition

__all__ = ["numbers", "once_and_in_order", "read"]


def read(bootstrap: str, topic: str, isolation: str = "read_committed") -> list[Any]:
    """Return the values of a topic, in the order of each partition, up to what is committed now."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"reader-{time.monotonic_ns()}",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    found: list[Any] = []
    ended: set[int] = set()
    deadline = time.monotonic() + 120
    while len(ended) < len(partitions):
        assert time.monotonic() < deadline
        for message in consumer.consume(1000, 1.0):
            if message.error() is None:
                found.append(json.loads(message.value() or b"null"))
            else:
                ended.add(message.partition() or 0)
    consumer.close()
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
