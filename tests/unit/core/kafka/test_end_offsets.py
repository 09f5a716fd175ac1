"""Where a topic ends, asked of brokers that come back one thing at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from penstock.errors import ConnectError, RetriableError
from penstock.kafka.topic_admin import end_offsets

NO_LEADERS = KafkaError(KafkaError._NOENT, "Failed to query partition leaders: No leaders found")
NOT_LEADER = KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)
FORBIDDEN = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)


class Admin:
    """Answers with `errors` first, one a request, and then with the offset 7."""

    def __init__(self, errors: Sequence[KafkaError]) -> None:
        self.errors, self.asked = list(errors), 0

    def list_offsets(self, request: Mapping[TopicPartition, Any], **_: Any) -> dict[TopicPartition, Future[Any]]:
        self.asked += 1
        answers = {place: Future[Any]() for place in request}
        error = self.errors.pop(0) if self.errors else None
        for answer in answers.values():
            if error is not None:
                answer.set_exception(KafkaException(error))
            else:
                answer.set_result(SimpleNamespace(offset=7))
        return answers

    def list_topics(self, timeout: float) -> None:
        """Read the metadata anew."""


def ask(admin: Admin, seconds: float = 60) -> dict[int, int]:
    return end_offsets(cast("AdminClient", admin), "t", [0, 1], time.monotonic() + seconds)


def test_a_broker_that_has_just_come_back_is_asked_again() -> None:
    assert ask(Admin([NO_LEADERS, NOT_LEADER])) == {0: 7, 1: 7}


def test_what_does_not_pass_by_the_deadline_may_be_tried_again_by_the_caller() -> None:
    with pytest.raises(RetriableError, match=r"end of topic t: .*No leaders found"):
        ask(Admin([NO_LEADERS] * 100), seconds=0)


def test_what_does_not_pass_is_told_at_once() -> None:
    admin = Admin([FORBIDDEN])
    with pytest.raises(ConnectError) as told:
        ask(admin)
    assert (admin.asked, isinstance(told.value, RetriableError)) == (1, False)
