"""The harness of source connectors: a connector runs in it as a worker runs it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from penstock.api import (
    ConnectorTransactionBoundaries,
    Converter,
    ExactlyOnceSupport,
    SourceConnector,
    SourceTask,
    Transform,
)
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import STRING, Schema, SourceRecord
from penstock.errors import ConnectError, DataError, RetriableError
from penstock.runtime.status import State
from penstock.runtime.tolerance import ErrorStage, ToleranceExceeded
from penstock.testing.harness import ConfigRefusedError, HarnessError, SourceHarness, config_errors

COUNTER = {"counter": 1}


class CountTask(SourceTask):
    """Counts; three numbers a poll."""

    version = "1"
    step = 3

    def start(self, props: Mapping[str, str]) -> None:
        before = self.context.offset_storage_reader.offset(COUNTER)
        self.next = before["n"] + 1 if before else 1
        self.last = int(props["last"])
        self.topic = props["topic"]
        self.acknowledged: list[tuple[int, int | None]] = []
        self.commits = 0

    @property
    def exhausted(self) -> bool:  # type: ignore[override]  # the API allows a property
        return self.next > self.last

    def poll(self) -> Sequence[SourceRecord] | None:
        numbers = range(self.next, min(self.next + self.step, self.last + 1))
        self.next = numbers.stop
        return [self.record(number) for number in numbers]

    def record(self, number: int) -> SourceRecord:
        return SourceRecord(
            self.topic,
            value_schema=STRING,
            value=str(number),
            source_partition=COUNTER,
            source_offset={"n": number},
        )

    def commit_record(self, record: SourceRecord, metadata: Any) -> None:
        self.acknowledged.append((int(record.value), None if metadata is None else metadata.offset))

    def commit(self) -> None:
        self.commits += 1

    def stop(self) -> None:
        """Nothing to free."""


class CountSource(SourceConnector):
    version = "1"
    kind: type[SourceTask] = CountTask

    @classmethod
    def config_def(cls) -> ConfigDef:
        return (
            ConfigDef()
            .define("topic", ConfigType.STRING, importance=Importance.HIGH, doc="The topic.")
            .define("last", ConfigType.INT, 10, importance=Importance.LOW, doc="The last number.")
        )

    def start(self, props: Mapping[str, str]) -> None:
        self.props = {"last": "10", **props}

    @property
    def task_class(self) -> type[SourceTask]:
        return self.kind

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{**self.props, "number": str(number)} for number in range(max_tasks)]

    def stop(self) -> None:
        """Nothing to free."""

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.SUPPORTED


def connector_of(task: type[SourceTask]) -> type[SourceConnector]:
    class Connector(CountSource):
        kind = task

    return Connector


TOPIC: dict[str, str | type] = {"topic": "numbers"}


def values(records: Sequence[Any]) -> list[Any]:
    return [record.value for record in records]


def test_a_round_gives_the_records_and_a_commit_stores_how_far_kafka_has_them() -> None:
    with SourceHarness(CountSource, TOPIC) as source:
        assert values(source.poll()) == ["1", "2", "3"]
        assert source.offsets == []
        assert source.commit()
        assert source.offsets == [(COUNTER, {"n": 3})]
        assert [(sent.topic, sent.value, sent.value_schema) for sent in source.sent] == [
            ("numbers", text, STRING) for text in ("1", "2", "3")
        ]
        assert source.task.acknowledged == [(1, 0), (2, 1), (3, 2)]
        assert source.task.commits == 1


def test_it_begins_behind_the_offsets_that_it_is_given_and_after_a_restart_behind_those_it_committed() -> None:
    with SourceHarness(CountSource, TOPIC, offsets=[(COUNTER, {"n": 7})]) as source:
        assert values(source.poll()) == ["8", "9", "10"]
        source.restart({"last": "12"})
        assert values(source.poll()) == ["11", "12"]
    assert source.offsets == [(COUNTER, {"n": 12})]


def test_what_was_not_committed_before_a_kill_comes_again() -> None:
    with SourceHarness(CountSource, TOPIC) as source:
        source.poll()
        source.commit()
        assert values(source.poll()) == ["4", "5", "6"]
        source.kill()
        assert source.offsets == [(COUNTER, {"n": 3})]
        assert values(source.restart().poll()) == ["4", "5", "6"]


def test_offsets_are_committed_when_the_clock_has_passed_the_interval() -> None:
    with SourceHarness(CountSource, TOPIC) as source:
        source.poll()
        source.clock.advance(59)
        source.poll()
        assert source.offsets == []
        source.clock.advance(1)
        source.poll()
        assert source.offsets == [(COUNTER, {"n": 6})]


def test_nothing_is_committed_that_kafka_has_not_acknowledged() -> None:
    with SourceHarness(CountSource, TOPIC) as source:
        source.kafka.acknowledging = False
        source.poll()
        assert source.commit()
        assert (source.offsets, source.task.acknowledged) == ([], [])
        source.kafka.acknowledging = True
        source.commit()
        assert source.offsets == [(COUNTER, {"n": 3})]


def test_the_calls_are_made_in_the_workers_order() -> None:
    with SourceHarness(CountSource, TOPIC) as source:
        source.poll()
    assert [call.name for call in source.calls if call.name != "commit_record"] == [
        "connector.start", "connector.task_configs", "start", "poll",
        "stop", "commit", "close", "connector.stop", "connector.close",
    ]  # fmt: skip
    assert [state for who, state in source.states if who == "task"] == [State.RUNNING, State.UNASSIGNED]


class Upper(Transform):
    version = "1"

    def apply(self, record: Any) -> Any:
        return None if record.value == "2" else SourceRecord(record.topic, value=f"<{record.value}>")

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()


class Bytes(Converter):
    version = "1"

    def from_connect(self, topic: str, schema: Schema | None, value: Any) -> bytes | None:
        if value == "5":
            raise DataError("five is poison")
        return None if value is None else str(value).encode()


def test_records_go_through_the_transforms_and_converters_of_the_configuration() -> None:
    config = {**TOPIC, "transforms": "up", "transforms.up.type": Upper, "value.converter": Bytes}
    with SourceHarness(CountSource, config) as source:
        source.poll()
        assert values(source.sent) == [b"<1>", b"<3>"]
        assert source.task.acknowledged == [(2, None), (1, 0), (3, 1)]


def test_a_record_that_cannot_be_converted_fails_the_task_and_what_came_before_is_committed() -> None:
    with SourceHarness(CountSource, {**TOPIC, "value.converter": Bytes}) as source:
        source.poll()
        assert values(source.poll()) == ["4", "5", "6"]
        assert isinstance(source.failure, ToleranceExceeded)
        assert "five is poison" in str(source.failure)
        assert not source.is_running
        assert source.offsets == [(COUNTER, {"n": 4})]
        with pytest.raises(HarnessError, match="the task does not run"):
            source.poll()


def test_a_tolerated_record_is_left_out_and_kept_as_a_failure() -> None:
    with SourceHarness(CountSource, {**TOPIC, "value.converter": Bytes, "errors.tolerance": "all"}) as source:
        assert len(source.take(6)) == 6
        assert values(source.sent) == [b"1", b"2", b"3", b"4", b"6"]
        (failure,) = source.failures
        assert (failure.stage, failure.record.value) == (ErrorStage.VALUE_CONVERTER, "5")
        assert source.failure is None


def test_a_record_that_kafka_refuses_fails_the_task() -> None:
    with SourceHarness(CountSource, TOPIC) as source:
        source.kafka.refuses = lambda record: record.value == "2"
        source.poll()
        source.poll()
        assert "cannot write a record" in str(source.failure)


class Moody(CountTask):
    def poll(self) -> Sequence[SourceRecord] | None:
        if not self.commits:
            self.commits = 1
            raise RetriableError("the source is away")
        if self.next == 4:
            raise ConnectError("the source is gone")
        return super().poll()


def test_a_retriable_error_of_poll_costs_the_workers_pause_and_others_fail_the_task() -> None:
    with SourceHarness(connector_of(Moody), TOPIC) as source:
        assert source.poll() == []
        assert source.clock() == pytest.approx(0.3)
        assert len(source.poll()) == 3
        source.poll()
        assert str(source.failure) == "the source is gone"


def test_a_failure_that_nobody_looked_at_is_raised_at_the_end() -> None:
    with pytest.raises(ConnectError, match="the source is gone"), SourceHarness(connector_of(Moody), TOPIC) as source:
        source.take(6)


def test_an_assertion_that_fails_carries_the_connectors_failure_as_a_note() -> None:
    source = SourceHarness(connector_of(Moody), TOPIC).start()
    source.take(6)
    error = AssertionError("the test's own")
    source.__exit__(type(error), error, None)
    assert "the source is gone" in error.__notes__[0]


def test_a_paused_task_is_not_polled() -> None:
    with SourceHarness(CountSource, TOPIC) as source:
        source.poll()
        source.pause()
        assert source.poll() == source.poll() == []
        source.resume()
        assert values(source.poll()) == ["4", "5", "6"]
    assert [state for who, state in source.states if who == "task"] == [
        State.RUNNING, State.PAUSED, State.RUNNING, State.UNASSIGNED,
    ]  # fmt: skip


def test_the_connector_may_ask_for_a_reconfiguration_and_report_an_error() -> None:
    with SourceHarness(CountSource, TOPIC) as source:
        source.connector.context.request_task_reconfiguration()
        assert source.reconfigurations == 1
        assert not source.reconfigure()
        source.connector.props["last"] = "2"
        assert source.reconfigure()
        assert values(source.poll()) == ["1", "2"]
        source.connector.context.raise_error(ConnectError("the database is gone"))
        assert str(source.failure) == "the database is gone"
        assert ("connector", State.FAILED) in source.states


def test_each_task_gets_its_own_configuration_with_what_the_worker_adds() -> None:
    with SourceHarness(CountSource, {**TOPIC, "tasks.max": "3"}, task=2) as source:
        (call,) = source.calls_of("start")
        assert call.arguments[0]["number"] == "2"
        assert call.arguments[0]["task.class"].endswith("CountTask")
    with pytest.raises(HarnessError, match="there is no task 3"), SourceHarness(CountSource, TOPIC, task=3):
        pass


def test_a_wrong_configuration_is_refused_by_the_names_of_its_settings() -> None:
    wrong = {"last": "many", "errors.tolerance": "some", "transforms": "x"}
    found = config_errors(CountSource, wrong)
    assert set(found) == {"topic", "last", "errors.tolerance", "transforms.x.type"}
    with pytest.raises(ConfigRefusedError, match="topic: Missing required configuration") as refused:
        SourceHarness(CountSource, wrong).start()
    assert refused.value.errors == found
    assert config_errors(CountSource, TOPIC) == {}


def test_a_connector_or_a_task_that_does_not_start_has_failed() -> None:
    class BadTask(CountTask):
        def start(self, props: Mapping[str, str]) -> None:
            raise ConnectError("no such table")

    class BadConnector(CountSource):
        def start(self, props: Mapping[str, str]) -> None:
            raise ConnectError("no such database")

    with SourceHarness(connector_of(BadTask), TOPIC) as source:
        assert str(source.failure) == "no such table"
        assert [call.name for call in source.calls][-3:] == ["start", "stop", "close"]
    with SourceHarness(BadConnector, TOPIC) as source:
        assert str(source.failure) == "no such database"
        assert not source.is_running


def test_offsets_that_cannot_be_stored_are_told() -> None:
    class Odd(CountTask):
        def record(self, number: int) -> SourceRecord:
            record = super().record(number)
            record.source_offset = {"n": {"deep": number}}
            return record

    with SourceHarness(connector_of(Odd), TOPIC) as source:
        source.poll()
        assert not source.commit()
        assert "field n contains MAP" in str(source.refused_offsets[0])


def test_plugins_may_be_prepared_before_they_start() -> None:
    seen: list[Any] = []
    with SourceHarness(CountSource, TOPIC, prepare=seen.append) as source:
        assert seen == [source.connector, source.task]


def test_stop_during_a_poll_tells_whether_it_comes_back() -> None:
    class Waiting(CountTask):
        deaf = False

        def start(self, props: Mapping[str, str]) -> None:
            self.stopped = threading.Event()
            super().start(props)

        def poll(self) -> Sequence[SourceRecord] | None:
            self.stopped.wait(0.3 if self.deaf else 30)
            return None

        def stop(self) -> None:
            if not self.deaf:
                self.stopped.set()

    class Deaf(Waiting):
        deaf = True

    with SourceHarness(connector_of(Waiting), TOPIC) as source:
        assert source.stop_during_poll()
        assert [call.name for call in source.calls][-1] == "close"
    with SourceHarness(connector_of(Deaf), TOPIC) as source:
        assert not source.stop_during_poll(0.05)


# --- exactly once


def test_each_poll_is_a_transaction_with_its_offsets() -> None:
    config = {**TOPIC, "exactly.once.support": "required"}
    with SourceHarness(CountSource, config, exactly_once=True) as source:
        source.poll()
        assert source.offsets == [(COUNTER, {"n": 3})]
        source.poll()
        assert [(t.committed, values(t.records)) for t in source.transactions] == [
            (True, ["1", "2", "3"]),
            (True, ["4", "5", "6"]),
        ]


def test_transactions_end_with_the_interval_and_those_open_at_a_kill_are_aborted() -> None:
    config = {**TOPIC, "transaction.boundary": "interval", "transaction.boundary.interval.ms": "1000"}
    with SourceHarness(CountSource, config, exactly_once=True) as source:
        source.poll()
        assert source.sent == []
        source.clock.advance(1)
        source.poll()
        assert len(source.sent) == 6
        source.poll()
        source.kill()
        source.restart()
        assert values(source.poll()) == ["7", "8", "9"]
        source.clock.advance(1)
        source.poll()
    assert values(source.sent) == [str(n) for n in range(1, 11)]
    assert source.offsets == [(COUNTER, {"n": 10})]


class Bounded(CountTask):
    """Ends a transaction behind each even number; aborts behind 6."""

    def record(self, number: int) -> SourceRecord:
        record = super().record(number)
        context = self.context.transaction_context
        assert context is not None
        if number == 6:
            context.abort_transaction(record)
        elif number % 2 == 0:
            context.commit_transaction(record)
        return record


def test_a_connector_may_set_the_boundaries_itself() -> None:
    class Connector(CountSource):
        kind = Bounded

        def can_define_transaction_boundaries(self, props: Mapping[str, str]) -> Any:
            return ConnectorTransactionBoundaries.SUPPORTED

    with SourceHarness(Connector, {**TOPIC, "transaction.boundary": "connector"}, exactly_once=True) as source:
        source.take(9)
        assert [(t.committed, values(t.records)) for t in source.transactions if t.records] == [
            (True, ["1", "2"]), (True, ["3", "4"]), (False, ["5", "6"]), (True, ["7", "8"]),
        ]  # fmt: skip
        assert source.offsets == [(COUNTER, {"n": 8})]
