"""The few admin calls Connect makes: topics, and the offsets of consumer groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError
from confluent_kafka import TopicPartition as _TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported, though not in __all__

from penstock.java.text import well_formed
from penstock.kafka.errors import CLIENT_ERRORS, client_errors, connect_error, error_code

__all__ = ["alter_group_offsets", "cluster_id", "create_topic", "delete_group", "existing_topics", "group_offsets"]


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
    admin: AdminClient, group: str, timeout: float = 30.0, *, embedded: bool = False
) -> dict[tuple[str, int], int]:
    """Return the committed offsets of a consumer group; empty if the group is unknown. An `embedded` broker must be asked
    about each partition; it answers nothing about all of them."""
    group = _safe(group)
    with client_errors(f"Cannot read the offsets of consumer group {group}"):
        partitions = _every_partition(admin, timeout) if embedded else None
        if partitions == []:
            return {}
        request = ConsumerGroupTopicPartitions(group, partitions)
        answer: Any = admin.list_consumer_group_offsets([request], request_timeout=timeout)[group].result(timeout)
    return {(p.topic, p.partition): p.offset for p in answer.topic_partitions or [] if p.offset >= 0}


def _safe(text: str) -> str:
    """Return `text` with ``?`` for half of a surrogate pair, as Java sends it; the client ends the process there."""
    return well_formed(text)


def _every_partition(admin: AdminClient, timeout: float) -> list[_TopicPartition]:
    topics = admin.list_topics(timeout=timeout).topics
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
