"""The committed offsets of a group, as `penstock.kafka.admin.group_offsets` asks for them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from penstock.errors import ConnectError
from penstock.kafka.admin import group_offsets


class Group:
    """A consumer whose `committed` raises `errors` first, one a call."""

    def __init__(self, *errors: int, topics: int = 1) -> None:
        self._errors, self._topics = list(errors), topics
        self.asked, self.closed = 0, False

    def list_topics(self, timeout: float) -> Any:
        return SimpleNamespace(topics={f"t{n}": SimpleNamespace(partitions=[0, 1]) for n in range(self._topics)})

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        self.asked += 1
        if self._errors:
            raise KafkaException(KafkaError(self._errors.pop(0)))
        return [TopicPartition(p.topic, p.partition, OFFSET_INVALID if p.partition else 7) for p in partitions]

    def close(self) -> None:
        self.closed = True


def asked_of(group: Group, timeout: float = 30.0) -> dict[tuple[str, int], int]:
    return group_offsets(lambda _: cast(Consumer, group), "connect-x", timeout)


@pytest.mark.parametrize(
    "errors",
    [[], [KafkaError.NOT_COORDINATOR], [KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE]],
)
def test_a_coordinator_on_its_way_is_asked_again(errors: list[int]) -> None:
    group = Group(*errors)
    assert asked_of(group) == {("t0", 0): 7}
    assert group.asked == len(errors) + 1
    assert group.closed


def test_a_coordinator_that_does_not_come_is_given_up_and_named() -> None:
    group = Group(*[KafkaError.NOT_COORDINATOR] * 1000)
    with pytest.raises(ConnectError, match="Cannot read the offsets of consumer group connect-x"):
        asked_of(group, timeout=0.05)
    assert group.closed


def test_a_refusal_is_raised_at_once() -> None:
    group = Group(KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(ConnectError, match="connect-x"):
        asked_of(group)
    assert group.asked == 1
    assert group.closed


def test_a_cluster_without_topics_is_not_asked() -> None:
    group = Group(topics=0)
    assert asked_of(group) == {}
    assert group.asked == 0
