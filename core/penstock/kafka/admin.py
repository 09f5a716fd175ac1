"""The few admin calls Connect makes: topics, and the offsets of consumer groups."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka import TopicPartition as _TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported, though not in __all__

from penstock.java.text import well_formed
from penstock.kafka.errors import CLIENT_ERRORS, client_errors, connect_error, error_code

__all__ = ["alter_group_offsets", "cluster_id", "create_topic", "delete_group", "existing_topics", "group_offsets"]

#: The answers of a broker while the coordinator of a group is elsewhere, or on its way.
_MOVING: Final = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
_AGAIN_S: Final = 0.1


def cluster_id(admin: AdminClient, timeout: float) -> str | None:
    """Return the cluster's id; None if it has none. Raises `RetriableError` if no broker answers in time."""
    with client_errors("Cannot reach Kafka"):
        found: str | None = admin.list_topics(timeout=timeout).cluster_id
        return found


def existing_topics(admin: AdminClient, timeout: float = 4.0) -> set[str]:
    """Return every topic of the cluster. Raises `RetriableError` if no broker answers in time."""
    with client_errors("Cannot list topics"):
        return set(admin.list_topics(timeout=timeout).topics)


def create_topic(
    admin: AdminClient, name: str, partitions: int, replication: int, configs: Mapping[str, str], timeout: float = 60.0
) -> bool:
    """Create a topic; False if it was there already. -1 leaves a number to the broker."""
    what = f"Cannot create topic {name} ({partitions} partitions, replication {replication})"
    try:
        topic = NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replication,
            config={_safe(key): _safe(value) for key, value in configs.items()},
        )
        admin.create_topics([topic], request_timeout=timeout)[name].result(timeout)
    except CLIENT_ERRORS as error:
        if error_code(error) == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise connect_error(error, what) from error
    return True


def group_offsets(
    make_consumer: Callable[[str], Consumer], group: str, timeout: float = 30.0
) -> dict[tuple[str, int], int]:
    """Return the committed offsets of a consumer group in the topics there are; empty if the group is unknown.

    `make_consumer` makes the client of a group's id. It asks only, and joins nothing. The admin client's own call ends the
    process (librdkafka 2.16): where the broker answers that it does not coordinate the group, as it does for a moment
    after its start and whenever partitions move, ``rd_kafka_handle_OffsetFetch`` follows a pointer that only consumers have.
    """
    group = _safe(group)
    what = f"Cannot read the offsets of consumer group {group}"
    consumer = make_consumer(group)
    try:
        with client_errors(what):
            partitions = _every_partition(consumer, timeout)
            found = _committed(consumer, partitions, timeout) if partitions else []
    finally:
        consumer.close()
    for partition in found:
        if partition.error is not None:
            raise connect_error(partition.error, f"{what} for {partition.topic}-{partition.partition}")
    return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}


def _committed(consumer: Consumer, partitions: list[_TopicPartition], timeout: float) -> list[_TopicPartition]:
    """Ask until `timeout`: a broker that does not coordinate the group yet, or any more, says so instead of answering."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return consumer.committed(partitions, timeout=max(0.1, deadline - time.monotonic()))
        except KafkaException as error:
            if error_code(error) not in _MOVING or time.monotonic() + _AGAIN_S >= deadline:
                raise
        time.sleep(_AGAIN_S)


def _safe(text: str) -> str:
    """Return `text` with ``?`` for half of a surrogate pair, as Java sends it; the client ends the process there."""
    return well_formed(text)


def _every_partition(client: Consumer, timeout: float) -> list[_TopicPartition]:
    topics = client.list_topics(timeout=timeout).topics
    return [_TopicPartition(topic, partition) for topic, known in topics.items() for partition in known.partitions]


def alter_group_offsets(
    admin: AdminClient, group: str, offsets: Mapping[tuple[str, int], int], timeout: float = 30.0
) -> None:
    """Set committed offsets of a group without members. Each partition answers for itself; the first refusal is raised."""
    group = _safe(group)
    with client_errors(f"Cannot alter the offsets of consumer group {group}"):
        wanted = [_TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
        request = ConsumerGroupTopicPartitions(group, wanted)
        answer: Any = admin.alter_consumer_group_offsets([request], request_timeout=timeout)[group].result(timeout)
    for partition in answer.topic_partitions or []:
        if partition.error is not None:
            what = f"Cannot alter the offset of {partition.topic}-{partition.partition} for consumer group {group}"
            raise connect_error(partition.error, what)


def delete_group(admin: AdminClient, groups: Iterable[str], timeout: float = 30.0) -> None:
    """Delete consumer groups without members; an unknown group is no error."""
    for group, future in admin.delete_consumer_groups(
        [_safe(group) for group in groups], request_timeout=timeout
    ).items():
        try:
            future.result(timeout)
        except CLIENT_ERRORS as error:
            if error_code(error) != KafkaError.GROUP_ID_NOT_FOUND:
                raise connect_error(error, f"Cannot delete consumer group {group}") from error
