"""The harness of sink connectors: a connector runs in it as a worker runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from penstock.api import Converter, SinkConnector, SinkTask, TopicPartition
from penstock.config import ConfigDef
from penstock.data import INT64, STRING, Headers, SchemaAndValue, SinkRecord
from penstock.errors import ConnectError, DataError, RetriableError
from penstock.testing.harness import HarnessError, SinkHarness, config_errors

T0, T1, T2 = (TopicPartition("t", number) for number in range(3))
TOPICS: dict[str, str | type] = {"topics": "t"}


class KeepTask(SinkTask):
    """Keeps what it takes in memory, and agrees to all."""

    version = "1"

    def start(self, props: Mapping[str, str]) -> None:
        self.kept: list[Any] = []
        self.raises: list[BaseException] = []
        self.poison: list[Any] = []

    def put(self, records: Sequence[SinkRecord]) -> None:
        if records and self.raises:
            raise self.raises.pop(0)
        for record in records:
            if record.value in self.poison:
                reporter = self.context.errant_record_reporter
                if reporter is None:
                    raise DataError("no reporter")
                reporter.report(record, DataError("the store refuses it"))
            else:
                self.kept.append(record.value)

    def stop(self) -> None:
        """Nothing to free."""


class KeepSink(SinkConnector):
    version = "1"
    kind: type[SinkTask] = KeepTask

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None:
        self.props = dict(props)

    @property
    def task_class(self) -> type[SinkTask]:
        return self.kind

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self.props] * max_tasks

    def stop(self) -> None:
        """Nothing to free."""


def connector_of(task: type[SinkTask]) -> type[SinkConnector]:
    class Connector(KeepSink):
        kind = task

    return Connector


def record(value: Any, partition: int = 0, offset: int = -1) -> SinkRecord:
    return SinkRecord("t", partition, None, None, STRING, value, offset=offset)


def kept(sink: SinkHarness) -> list[Any]:
    return sink.task.kept  # type: ignore[attr-defined,no-any-return]  # a KeepTask


def values(records: Sequence[Any]) -> list[Any]:
    return [one.value for one in records]


def test_records_arrive_as_they_are_and_know_where_they_come_from() -> None:
    headers = Headers().add("h", 1, INT64)
    given = SinkRecord("t", 1, STRING, "k", INT64, 5, timestamp=1000, headers=headers, offset=40)
    with SinkHarness(KeepSink, TOPICS, partitions=2) as sink:
        (taken,) = sink.put(given)
        assert (taken.key_schema, taken.key, taken.value_schema, taken.value) == (STRING, "k", INT64, 5)
        assert (taken.timestamp, taken.headers, taken.offset) == (1000, headers, 40)
        assert (taken.original_topic, taken.original_partition, taken.original_offset) == ("t", 1, 40)
        (bare,) = sink.put(SinkRecord("t"))
        assert (bare.value, bare.timestamp, bare.partition, bare.offset) == (None, None, 0, 0)


def test_offsets_are_committed_when_the_clock_has_passed_the_interval() -> None:
    with SinkHarness(KeepSink, TOPICS, partitions=2) as sink:
        sink.put(record("a"), record("b"), record("c", 1, offset=7))
        assert sink.committed == {}
        assert sink.commit() == {T0: 2, T1: 8}
        (call,) = sink.calls_of("pre_commit")
        assert (call.arguments, call.result) == (({T0: 2, T1: 8},), {T0: 2, T1: 8})


def test_the_calls_are_made_in_the_workers_order() -> None:
    with SinkHarness(KeepSink, TOPICS) as sink:
        sink.put(record("a"))
    names = [call.name for call in sink.calls]
    assert names == [
        "connector.start", "connector.task_configs", "start", "open", "put", "put", "put",
        "pre_commit", "close", "stop", "connector.stop", "connector.close",
    ]  # fmt: skip
    assert sink.committed == {T0: 1}


def test_a_restart_goes_on_at_the_committed_offset_and_a_kill_commits_nothing() -> None:
    with SinkHarness(KeepSink, TOPICS, offsets={T0: 1}) as sink:
        assert values(sink.put(record("a"), record("b"))) == ["b"]
        sink.kill()
        assert sink.committed == {T0: 1}
        assert [call.name for call in sink.calls_of("close", "stop")] == ["stop"]
        sink.restart()
        assert values(sink.taken) == ["b", "b"]
        sink.restart()
        assert sink.committed == {T0: 2}
        assert sink.round() == []


def test_a_retriable_error_keeps_the_batch_until_the_clock_is_turned() -> None:
    with SinkHarness(KeepSink, TOPICS) as sink:
        sink.task.raises = [RetriableError("busy")]  # type: ignore[attr-defined]  # a KeepTask
        sink.put(record("a"))
        assert kept(sink) == []
        assert isinstance(sink.calls_of("put")[-1].error, RetriableError)
        sink.round()
        assert kept(sink) == []
        sink.clock.advance(0.3)
        assert values(sink.round()) == ["a"]
        assert kept(sink) == ["a"]


def test_an_error_of_put_fails_the_task_and_what_was_taken_before_is_committed() -> None:
    with SinkHarness(KeepSink, TOPICS) as sink:
        sink.put(record("a"))
        sink.task.raises = [ConnectError("the store is gone")]  # type: ignore[attr-defined]  # a KeepTask
        sink.put(record("b"))
        assert "the store is gone" in str(sink.failure)
        assert not sink.is_running
        assert sink.committed == {T0: 1}
        with pytest.raises(HarnessError, match="the task does not run"):
            sink.round()


def test_errant_records_are_reported_and_become_dead_letters() -> None:
    config = {**TOPICS, "errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead"}
    with SinkHarness(KeepSink, config) as sink:
        sink.task.poison = ["b"]  # type: ignore[attr-defined]  # a KeepTask
        sink.put(record("a"), record("b"), record("c"))
        assert kept(sink) == ["a", "c"]
        ((errant, error),) = sink.reported
        assert (errant.value, errant.offset, str(error)) == ("b", 1, "the store refuses it")
        assert [(letter.topic, letter.value) for letter in sink.dead_letters] == [("dead", "b")]
        assert sink.kafka.created == {"dead": 1}
        assert sink.commit() == {T0: 3}
    with SinkHarness(KeepSink, TOPICS) as sink:
        assert sink.task.context.errant_record_reporter is None


class Numbers(Converter):
    version = "1"

    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        if data == b"x":
            raise DataError("no number")
        return SchemaAndValue(INT64, None if data is None else int(data))


def test_bytes_go_through_the_converters_and_transforms_of_the_configuration() -> None:
    config = {
        **TOPICS, "value.converter": Numbers, "errors.tolerance": "all",
        "transforms": "r", "transforms.r.type": "RegexRouter", "transforms.r.regex": "t", "transforms.r.replacement": "u",
    }  # fmt: skip
    with SinkHarness(KeepSink, config) as sink:
        assert [(r.topic, r.value) for r in sink.put_bytes("t", b"5", timestamp=3, headers=[("h", b"v")])] == [("u", 5)]
        assert sink.put_bytes("t", b"x") == []
        assert [str(failure.error) for failure in sink.failures] == ["no number"]
        assert sink.commit() == {T0: 2}


class Careful(KeepTask):
    """Pauses what it got one record of, and asks for a commit."""

    def put(self, records: Sequence[SinkRecord]) -> None:
        super().put(records)
        for one in records:
            self.context.pause(TopicPartition(one.topic, one.partition or 0))
            self.context.request_commit()


def test_pauses_and_requested_commits_are_seen_and_have_their_effect() -> None:
    with SinkHarness(connector_of(Careful), TOPICS, partitions=2) as sink:
        sink.put(record("a"))
        assert sink.paused == {T0}
        assert [call.name for call in sink.requests] == ["context.pause", "context.request_commit"]
        assert sink.committed == {T0: 1}
        assert values(sink.put(record("b"), record("c", 1))) == ["c"]
        sink.task.context.resume(T0)
        assert sink.paused == {T1}
        assert values(sink.round()) == ["b"]


def test_a_paused_task_gets_nothing_and_goes_on_where_it_was() -> None:
    with SinkHarness(KeepSink, TOPICS) as sink:
        sink.pause()
        assert sink.put(record("a")) == []
        sink.resume()
        sink.round()
        assert kept(sink) == ["a"]


class OwnOffsets(KeepTask):
    """Keeps its offsets with its data."""

    store: ClassVar[dict[TopicPartition, int]]

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        self.context.offset({p: self.store[p] for p in partitions if p in self.store})

    def pre_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        self.store.update(offsets)
        return {}


def test_a_sink_with_offsets_of_its_own_begins_at_them_and_goes_back_when_it_asks() -> None:
    class Own(OwnOffsets):
        store: ClassVar[dict[TopicPartition, int]] = {T0: 2}

    with SinkHarness(connector_of(Own), TOPICS) as sink:
        assert values(sink.put(*map(record, "abcd"))) == ["c", "d"]
        sink.commit()
        assert (sink.committed, Own.store) == ({}, {T0: 4})
        sink.task.context.offset({T0: 1})
        assert values(sink.round()) == ["b", "c", "d"]
        assert [call.arguments for call in sink.requests] == [({T0: 2},), ({T0: 1},)]


def test_a_pre_commit_that_fails_brings_the_records_again() -> None:
    class Failing(KeepTask):
        fails = 1

        def flush(self, offsets: Mapping[TopicPartition, int]) -> None:
            if self.fails:
                self.fails -= 1
                raise RetriableError("busy")

    with SinkHarness(connector_of(Failing), TOPICS) as sink:
        sink.put(record("a"), record("b"))
        assert sink.commit() == {}
        sink.round()
        assert kept(sink) == ["a", "b", "a", "b"]
        assert sink.commit() == {T0: 2}


@pytest.mark.parametrize("cooperative", [False, True])
def test_partitions_come_and_go_as_the_assignor_has_it(cooperative: bool) -> None:
    config = dict(TOPICS)
    if cooperative:
        config["consumer.override.partition.assignment.strategy"] = "cooperative-sticky"
    with SinkHarness(KeepSink, config, partitions=[T0, T1, T2]) as sink:
        sink.put(record("a"), record("b", 1), record("c", 2))
        sink.rebalance(T0, T1)
        assert sink.assignment == {T0, T1}
        assert sink.committed[T2] == 1
        calls = [(call.name, sorted(call.arguments[0])) for call in sink.calls_of("open", "close")]
        if cooperative:
            assert calls == [("open", [T0, T1, T2]), ("close", [T2])]
        else:
            assert calls == [("open", [T0, T1, T2]), ("close", [T0, T1, T2]), ("open", [T0, T1])]
        assert values(sink.put(record("d", 2), record("e"))) == ["e"]
        sink.rebalance(T0, T1, T2)
        assert kept(sink) == ["a", "b", "c", "e", "d"]


def test_lost_partitions_are_closed_without_a_commit() -> None:
    with SinkHarness(KeepSink, TOPICS) as sink:
        sink.put(record("a"))
        sink.lose()
        assert sink.committed == {}
        assert [call.name for call in sink.calls_of("close", "pre_commit")] == ["close"]
        sink.rebalance(T0)
        assert kept(sink) == ["a", "a"]


def test_records_have_to_come_in_order_and_into_partitions_that_are_there() -> None:
    with SinkHarness(KeepSink, TOPICS) as sink:
        sink.put(record("a", offset=5))
        with pytest.raises(HarnessError, match="a record at 5 cannot follow"):
            sink.put(record("b", offset=5))
        with pytest.raises(HarnessError, match="there is no partition t-1"):
            sink.put(record("b", 1))


def test_more_records_than_a_poll_returns_are_given_in_batches() -> None:
    config = {**TOPICS, "consumer.override.max.poll.records": "2"}
    with SinkHarness(KeepSink, config) as sink:
        sink.put(*map(record, "abcde"))
        assert kept(sink) == list("abcde")
        assert max(len(call.arguments[0]) for call in sink.calls_of("put")) == 2


def test_the_topics_may_be_given_by_a_pattern() -> None:
    with SinkHarness(KeepSink, {"topics": "", "topics.regex": "t.*"}, partitions=[T0]) as sink:
        assert values(sink.put(record("a"))) == ["a"]


def test_a_wrong_configuration_is_refused_by_the_names_of_its_settings() -> None:
    assert "topics" in config_errors(KeepSink, {})
    assert set(config_errors(KeepSink, {**TOPICS, "value.converter": "nonsense"})) == {"value.converter"}
    assert config_errors(KeepSink, TOPICS) == {}
