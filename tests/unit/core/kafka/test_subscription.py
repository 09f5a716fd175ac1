"""Which topics a consumer reads, as the cluster's topics come and go: no client, no clock of its own."""

import logging
from collections.abc import Iterable

import pytest

from penstock.errors import RetriableError
from penstock.kafka.subscription import INTERNAL_TOPICS, Subscription


class Group:
    """The cluster's topics and what was subscribed to."""

    def __init__(self, *there: str, pattern: bool = True, internal: bool = False) -> None:
        self.now, self.there, self.away = 0.0, set(there), False
        self.subscribed: list[list[str]] = []
        matches = (lambda name: name.startswith(("a", "_"))) if pattern else None
        self.subscription = Subscription(["a.*"], matches, refresh_s=300, internal=internal, clock=lambda: self.now)

    def topics(self, timeout_s: float) -> frozenset[str]:
        if self.away:
            raise RetriableError("cannot list the cluster's topics")
        return frozenset(self.there)

    def look(self, seconds: float = 0, there: Iterable[str] | None = None) -> list[list[str]]:
        """Let time pass; return all subscriptions so far."""
        self.now += seconds
        self.there = self.there if there is None else set(there)
        if self.subscription.due:
            self.subscription.update("[c|task-0]", self.topics, self.subscribed.append)
        return self.subscribed


def test_names_are_subscribed_to_once_whether_they_are_there_or_not() -> None:
    group = Group(pattern=False)
    group.away = True
    assert group.look() == [["a.*"]]
    assert group.look(10_000) == [["a.*"]]


def test_a_pattern_reads_what_it_matches_and_looks_again_only_after_the_interval() -> None:
    group = Group("a1", "b1")
    assert group.look() == [["a1"]]
    assert group.look(299, ["a1", "a2"]) == [["a1"]]
    assert group.look(1) == [["a1"], ["a1", "a2"]]


def test_a_look_that_finds_the_same_topics_disturbs_nobody() -> None:
    group = Group("a2", "a1")
    for _ in range(5):
        group.look(300)
    assert group.subscribed == [["a1", "a2"]]


def test_a_topic_that_is_missing_once_is_kept_and_one_that_is_missing_twice_is_given_up() -> None:
    group = Group("a1", "a2")
    group.look()
    assert group.look(300, ["a1"]) == [["a1", "a2"]]
    assert group.look(2, ["a1", "a2"]) == [["a1", "a2"]]
    assert group.look(300, ["a1"]) == [["a1", "a2"]]
    assert group.look(2) == [["a1", "a2"], ["a1"]]


def test_a_broker_that_knows_no_topics_for_a_moment_costs_no_rebalance() -> None:
    group = Group("a1")
    group.look()
    group.look(300, [])
    assert group.look(2, ["a1"]) == [["a1"]]


def test_a_listing_that_fails_changes_nothing_and_is_tried_again_soon(caplog: pytest.LogCaptureFixture) -> None:
    group = Group("a1")
    group.look()
    group.away = True
    assert group.look(300) == [["a1"]]
    assert "looking again in 1 s" in caplog.text
    group.away, group.there = False, {"a1", "a2"}
    assert group.look(1) == [["a1"], ["a1", "a2"]]


def test_a_first_listing_that_fails_is_not_tried_again_at_once() -> None:
    group = Group("a1")
    group.away = True
    group.look()
    assert group.subscription.wait == 1
    group.away = False
    assert group.look(0.5) == []
    assert group.look(0.5) == [["a1"]]


def test_while_nothing_matches_the_first_topic_is_noticed_soon(caplog: pytest.LogCaptureFixture) -> None:
    group = Group("b1")
    assert group.look() == []
    assert "no topic matches a.* yet" in caplog.text
    assert group.look(5, ["b1", "a1"]) == [["a1"]]


def test_kafkas_own_topics_are_read_only_if_that_was_asked_for() -> None:
    assert Group("a1", *INTERNAL_TOPICS).look() == [["a1"]]
    assert Group("a1", *INTERNAL_TOPICS, internal=True).look() == [sorted(["a1", *INTERNAL_TOPICS])]


def test_new_topics_and_topics_that_are_gone_are_told_by_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    group = Group("a1", "a2")
    group.look()
    group.look(300, ["a2", "a3"])
    group.look(2)
    assert "[c|task-0] reads 2 topics that a.* matches, new: a1, a2" in caplog.text
    assert "gone: a1" in caplog.text
