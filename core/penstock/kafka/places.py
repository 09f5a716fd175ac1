"""Offsets at which topics begin, end, and stand at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # exported, though not in __all__

from penstock.errors import ConnectError
from penstock.kafka.errors import CLIENT_ERRORS, client_errors, connect_error

__all__ = ["begins", "ends", "partitions_of", "places_at"]

_TIMEOUT_S: Final = 30.0


def partitions_of(admin: AdminClient, topics: Iterable[str]) -> list[tuple[str, int]]:
    """Return all partitions of `topics`. Raises `ConnectError` for a topic that is not there."""
    with client_errors("Cannot list topics"):
        known: Any = admin.list_topics(timeout=_TIMEOUT_S).topics
    found = []
    for topic in topics:
        if topic not in known:
            raise ConnectError(f"There is no topic {topic} in this Kafka cluster")
        found += [(topic, number) for number in sorted(known[topic].partitions)]
    return found


def begins(admin: AdminClient, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return the offset of the first record that each partition still has."""
    return _ask_offsets(admin, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # no annotations there


def ends(admin: AdminClient, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return the offset behind the last record of each partition."""
    return _ask_offsets(admin, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # no annotations there


def places_at(
    admin: AdminClient, partitions: Sequence[tuple[str, int]], milliseconds: int
) -> dict[tuple[str, int], int]:
    """Return for each partition the offset of the first record with that timestamp or a later one; its end if none is."""
    found = _ask_offsets(admin, partitions, OffsetSpec.for_timestamp(milliseconds))
    behind = [partition for partition, offset in found.items() if offset < 0]
    return found | (ends(admin, behind) if behind else {})


def _ask_offsets(admin: AdminClient, partitions: Sequence[tuple[str, int]], spec: Any) -> dict[tuple[str, int], int]:
    request = {TopicPartition(topic, number): spec for topic, number in partitions}
    if not request:
        return {}
    try:
        answers = admin.list_offsets(
            request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_TIMEOUT_S
        )
        return {(asked.topic, asked.partition): a.result(_TIMEOUT_S + 1).offset for asked, a in answers.items()}
    except CLIENT_ERRORS as error:
        raise connect_error(error, "Cannot find offsets in Kafka") from error
