"""The few admin calls Connect makes: topics, and the offsets of consumer groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka import TopicPartition as _TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported, though not in __all__

from penstock.errors import ConnectError, RetriableError

__all__ = ["alter_group_offsets", "create_topic", "delete_group", "existing_topics", "group_offsets"]

_RETRIABLE = {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError.REQUEST_TIMED_OUT}


def _connect_error(error: KafkaException, what: str) -> ConnectError:
    cause = error.args[0]
    text = f"{what}: {cause.str()}"
    return RetriableError(text) if cause.retriable() or cause.code() in _RETRIABLE else ConnectError(text)


def existing_topics(admin: AdminClient, timeout: float = 4.0) -> set[str]:
    """Every topic of the cluster. Raises `RetriableError` if no broker answers in time."""
    try:
        return set(admin.list_topics(timeout=timeout).topics)
    except KafkaException as error:
        raise _connect_error(error, "Cannot list topics") from error


def create_topic(
    admin: AdminClient, name: str, partitions: int, replication: int, configs: Mapping[str, str], timeout: float = 60.0
) -> bool:
    """Create a topic; False if it was there already. -1 leaves a number to the broker."""
    topic = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=dict(configs))
    try:
        admin.create_topics([topic], request_timeout=timeout)[name].result(timeout)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise _connect_error(
            error, f"Cannot create topic {name} ({partitions} partitions, replication {replication})"
        ) from error
    return True


def group_offsets(admin: AdminClient, group: str, timeout: float = 30.0) -> dict[tuple[str, int], int]:
    """Committed offsets of a consumer group; empty if the group is unknown."""
    request = ConsumerGroupTopicPartitions(group)
    try:
        answer: Any = admin.list_consumer_group_offsets([request], request_timeout=timeout)[group].result(timeout)
    except KafkaException as error:
        raise _connect_error(error, f"Cannot read the offsets of consumer group {group}") from error
    return {(p.topic, p.partition): p.offset for p in answer.topic_partitions or [] if p.offset >= 0}


def alter_group_offsets(
    admin: AdminClient, group: str, offsets: Mapping[tuple[str, int], int], timeout: float = 30.0
) -> None:
    """Set committed offsets of a group without members. Each partition answers for itself; the first refusal is raised."""
    wanted = [_TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
    request = ConsumerGroupTopicPartitions(group, wanted)
    try:
        answer: Any = admin.alter_consumer_group_offsets([request], request_timeout=timeout)[group].result(timeout)
    except KafkaException as error:
        raise _connect_error(error, f"Cannot alter the offsets of consumer group {group}") from error
    for partition in answer.topic_partitions or []:
        if partition.error is not None:
            raise ConnectError(
                f"Cannot alter the offset of {partition.topic}-{partition.partition} for consumer group {group}: {partition.error.str()}"
            )


def delete_group(admin: AdminClient, groups: Iterable[str], timeout: float = 30.0) -> None:
    """Delete consumer groups without members; an unknown group is no error."""
    for group, future in admin.delete_consumer_groups(list(groups), request_timeout=timeout).items():
        try:
            future.result(timeout)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise _connect_error(error, f"Cannot delete consumer group {group}") from error
