"""The suites for source and sink connectors, with the fakes of `penstock.testing.fakes` in the place of a worker."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from penstock.api import SinkConnector, SinkTask, SourceConnector, SourceTask, Task, TopicPartition
from penstock.data import SinkRecord, SourceRecord, validate_value
from penstock.testing.fakes import (
    FakeConnectorContext,
    FakeErrantRecordReporter,
    FakeSinkTaskContext,
    FakeSourceTaskContext,
)
from penstock.testing.suites.checks import SuiteOfPlugin, check

__all__ = ["sink_suite", "source_suite"]

#: A task's configuration is either given, or made anew for each test: a file of its own, an empty table.
Settings = Mapping[str, str] | Callable[[], Mapping[str, str]]
_POLLS: Final = 1000
#: How long a `poll` may go on after `stop`, in seconds.
_PATIENCE: Final = 10


def source_suite(
    connector: type[SourceConnector],
    settings: Settings,
    *,
    records: int,
    facts: Callable[[SourceRecord], Any] = lambda record: (record.topic, record.key, record.value),
    refused_settings: Sequence[Mapping[str, str]] = (),
) -> type[SourceSuite]:
    """Return the tests of a source connector that, with `settings`, has at least `records` records to give.

    `facts` says of a record what is the same each time it is read: leave out what the clock decides. `settings` may be a
    function; it is called once a test.
    """

    class Suite(SourceSuite):
        pass

    _fill(Suite, connector, settings, refused_settings)
    Suite.expected, Suite.facts = records, staticmethod(facts)
    return Suite


def sink_suite(
    connector: type[SinkConnector],
    settings: Settings,
    *,
    records: Sequence[SinkRecord],
    written: Callable[[Mapping[str, str]], Any] | None = None,
    expected: Any = None,
    refused_settings: Sequence[Mapping[str, str]] = (),
) -> type[SinkSuite]:
    """Return the tests of a sink connector that, with `settings`, takes `records`.

    `written` is given the settings and returns what has arrived where the sink writes to; it has to equal `expected`
    once the records' offsets are safe to commit.
    """
    check(bool(records), "a sink's suite needs at least one record")

    class Suite(SinkSuite):
        pass

    _fill(Suite, connector, settings, refused_settings)
    Suite.records, Suite.expected = records, expected
    Suite.written = None if written is None else staticmethod(written)
    return Suite


def _fill(
    suite: type[_ConnectorSuite], connector: type[Any], settings: Settings, refused: Sequence[Mapping[str, str]]
) -> None:
    suite.plugin, suite.refused_settings = connector, refused
    suite.make_settings = staticmethod(settings if callable(settings) else lambda: settings)
    suite.__name__ = suite.__qualname__ = f"{connector.__name__}Suite"


class _ConnectorSuite(SuiteOfPlugin):
    make_settings: Callable[[], Mapping[str, str]]
    common_settings = frozenset({"name", "tasks.max", "topics", "topics.regex"})

    @property
    def settings(self) -> Mapping[str, str]:  # type: ignore[override]  # made anew, for files and the like
        return dict(self.make_settings())

    def configured(self, settings: Mapping[str, Any] | None = None) -> Any:
        made = self.plugin()
        made.initialize(FakeConnectorContext())
        made.start(dict(self.settings if settings is None else settings))
        return made

    def task_config(self, settings: Mapping[str, str]) -> dict[str, str]:
        """The configuration of the connector's first task."""
        connector = self.configured(settings)
        (config, *_) = connector.task_configs(1)
        connector.stop()
        return dict(config)

    def made_task(self) -> Any:
        connector = self.plugin()
        connector.initialize(FakeConnectorContext())
        settings = self.settings
        connector.start(settings)
        made = connector.task_class()
        connector.stop()
        return made

    def test_settings_that_are_wrong_are_config_errors(self) -> None:
        for settings in self.refused_settings:
            found = self.plugin().validate(dict(settings))
            errors = [error for value in found.values for error in value.errors]
            check(bool(errors), f"validate() finds nothing wrong with {settings}: REST would take them")

    def test_its_settings_are_valid(self) -> None:
        found = self.plugin().validate(self.settings)
        errors = [f"{value.name}: {error}" for value in found.values for error in value.errors]
        check(not errors, f"validate() refuses the suite's settings: {errors}")

    def test_there_are_at_most_as_many_tasks_as_allowed(self) -> None:
        connector = self.configured()
        for limit in (1, 3):
            configs = connector.task_configs(limit)
            check(0 < len(configs) <= limit, f"task_configs({limit}) returned {len(configs)} configurations")
            for config in configs:
                texts = all(isinstance(part, str) for pair in config.items() for part in pair)
                check(isinstance(config, dict) and texts, f"a task's configuration is a dict of texts, not {config!r}")
        connector.stop()

    def test_it_stops_and_closes_without_having_been_started(self) -> None:
        connector = self.plugin()
        connector.stop()  # as after a start() that failed
        connector.close()
        task = self.made_task()
        check(isinstance(task, Task), f"task_class has to be a Task, not {type(task).__name__}")
        task.stop()

    def test_it_can_be_made_many_times_and_closed_without_having_been_used(self) -> None:
        first, second = self.configured(), self.configured()
        for connector in (first, second):
            connector.stop()
            connector.close()


class SourceSuite(_ConnectorSuite):
    """The promises of `penstock.api.SourceConnector` and `SourceTask`."""

    expected: int
    facts: Callable[[SourceRecord], Any]

    def started(self, config: Mapping[str, str], offsets: Sequence[tuple[Any, Any]] = ()) -> SourceTask:
        task: SourceTask = self.made_task()
        task.initialize(FakeSourceTaskContext(config, offsets))
        task.start(config)
        return task

    def read(
        self, config: Mapping[str, str], wanted: int, offsets: Sequence[tuple[Any, Any]] = ()
    ) -> list[SourceRecord]:
        """The first records of a task that starts with `offsets`; fewer than `wanted` if it is exhausted before."""
        task = self.started(config, offsets)
        found: list[SourceRecord] = []
        for _ in range(_POLLS):
            found += task.poll() or []
            if len(found) >= wanted or task.exhausted:
                break
        task.stop()
        task.close()
        return found[:wanted]

    def test_it_gives_its_records(self) -> None:
        found = self.read(self.task_config(self.settings), self.expected)
        check(len(found) == self.expected, f"expected {self.expected} records, met {len(found)} in {_POLLS} polls")
        for record in found:
            check(isinstance(record, SourceRecord), f"poll() has to return SourceRecords, not {record!r}")
            check(isinstance(record.topic, str) and bool(record.topic), f"a record has no topic: {record!r}")
            for schema, value in ((record.key_schema, record.key), (record.value_schema, record.value)):
                if schema is not None and value is not None:
                    validate_value(schema, value)

    def test_source_partitions_and_offsets_can_be_stored(self) -> None:
        for record in self.read(self.task_config(self.settings), self.expected):
            for what, part in (("partition", record.source_partition), ("offset", record.source_offset)):
                if not part:
                    continue
                names = all(isinstance(name, str) for name in part)
                check(
                    names and json.loads(json.dumps(part)) == part,
                    f"a source {what} is a flat dict of JSON, not {part!r}",
                )

    def test_it_goes_on_behind_a_committed_offset(self) -> None:
        config = self.task_config(self.settings)
        found = self.read(config, self.expected)
        if any(record.source_offset is None for record in found):
            return  # a source that cannot go back
        middle = max(0, len(found) // 2 - 1)
        committed: dict[str, tuple[Any, Any]] = {}
        for record in found[: middle + 1]:
            committed[json.dumps(record.source_partition, sort_keys=True)] = (
                record.source_partition,
                record.source_offset,
            )
        again = self.read(config, len(found) - middle - 1, list(committed.values()))
        rest, expected = [self.facts(r) for r in again], [self.facts(r) for r in found[middle + 1 :]]
        check(rest == expected, f"behind the offset of record {middle} it gives {rest}; expected {expected}")

    def test_stop_ends_a_poll_from_another_thread(self) -> None:
        task = self.started(self.task_config(self.settings))
        ended = threading.Event()

        def poll_until_stopped() -> None:
            while not stopping.is_set():
                task.poll()
            ended.set()

        stopping = threading.Event()
        thread = threading.Thread(target=poll_until_stopped, daemon=True)
        thread.start()
        stopping.set()
        task.stop()
        check(ended.wait(_PATIENCE), f"poll() did not come back within {_PATIENCE} s of stop()")
        thread.join()
        task.close()

    def test_commits_are_taken(self) -> None:
        config = self.task_config(self.settings)
        task = self.started(config)
        for record in task.poll() or []:
            task.commit_record(record, None)
        task.commit()
        task.stop()
        task.close()


class SinkSuite(_ConnectorSuite):
    """The promises of `penstock.api.SinkConnector` and `SinkTask`."""

    records: Sequence[SinkRecord]
    written: Callable[[Mapping[str, str]], Any] | None
    expected: Any

    def batch(self) -> list[SinkRecord]:
        """Copies of the records, so that a task that alters them spoils its own test only."""
        return copy.deepcopy(list(self.records))

    def partitions(self) -> list[TopicPartition]:
        return sorted({TopicPartition(r.topic, r.partition or 0) for r in self.records})

    def started(self, config: Mapping[str, str]) -> SinkTask:
        task: SinkTask = self.made_task()
        task.initialize(FakeSinkTaskContext(config, self.partitions(), FakeErrantRecordReporter()))
        task.start(config)
        task.open(self.partitions())
        return task

    def consumed(self) -> dict[TopicPartition, int]:
        """The next offset to consume of each partition, after all records."""
        positions: dict[TopicPartition, int] = {}
        for record in self.records:
            partition = TopicPartition(record.topic, record.partition or 0)
            positions[partition] = max(positions.get(partition, 0), record.offset + 1)
        return positions

    def finished(self, task: SinkTask) -> None:
        task.close(self.partitions())
        task.stop()

    def test_it_takes_its_records_and_says_which_offsets_are_safe(self) -> None:
        settings = self.settings
        task = self.started(self.task_config(settings))
        task.put([])  # so that time passes, as it does without records
        task.put(self.batch())
        consumed = self.consumed()
        safe = task.pre_commit(dict(consumed))
        for partition, offset in safe.items():
            check(partition in consumed, f"pre_commit() names {partition!r}, which was not among {list(consumed)}")
            check(
                offset <= consumed[partition],
                f"pre_commit() says {offset} of {partition!r}, behind {consumed[partition]}",
            )
        if self.written is not None and dict(safe) == consumed:
            found = self.written(settings)
            check(
                found == self.expected,
                f"offsets are said to be safe, and what has arrived is {found!r}: expected {self.expected!r}",
            )
        self.finished(task)
        if self.written is not None:
            found = self.written(settings)
            check(found == self.expected, f"after stop() what has arrived is {found!r}: expected {self.expected!r}")

    def test_records_are_not_changed(self) -> None:
        task = self.started(self.task_config(self.settings))
        given = self.batch()
        task.put(list(given))
        task.pre_commit(self.consumed())
        self.finished(task)
        check(given == list(self.records), "put() changed its records: they may go to the dead letter queue yet")

    def test_a_batch_may_come_in_pieces(self) -> None:
        settings = self.settings
        task = self.started(self.task_config(settings))
        for record in self.batch():
            task.put([record])
            task.pre_commit({TopicPartition(record.topic, record.partition or 0): record.offset + 1})
        self.finished(task)
        if self.written is not None:
            found = self.written(settings)
            check(found == self.expected, f"record by record what has arrived is {found!r}: expected {self.expected!r}")

    def test_partitions_may_go_and_come_back(self) -> None:
        task = self.started(self.task_config(self.settings))
        task.put(self.batch())
        task.pre_commit(self.consumed())
        task.close(self.partitions())
        task.open(self.partitions())
        task.put([])
        self.finished(task)

    def test_a_second_task_goes_on_where_the_first_one_ended(self) -> None:
        settings = self.settings
        config = self.task_config(settings)
        begins: Mapping[TopicPartition, int] = {}
        for _ in range(2):
            task = self.started(config)
            begins = task.context.rewinds  # type: ignore[attr-defined]  # `FakeSinkTaskContext` keeps what it was asked for
            task.put([record for record in self.batch() if record.offset >= begins.get(_partition_of(record), -1)])
            task.pre_commit(self.consumed())
            self.finished(task)
        if self.written is not None and dict(begins) == self.consumed():
            found = self.written(settings)
            check(
                found == self.expected,
                f"it keeps offsets itself, and after a restart what has arrived is {found!r}: expected {self.expected!r}",
            )


def _partition_of(record: SinkRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition or 0)
