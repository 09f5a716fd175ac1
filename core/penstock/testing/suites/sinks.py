"""The suite for sink connectors: what the worker relies on, tried with `penstock.testing.harness`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from penstock.api import SinkConnector, TopicPartition
from penstock.data import BYTES, FLOAT64, INT64, STRING, SchemaBuilder, SinkRecord
from penstock.errors import ConnectError
from penstock.testing.harness import SinkHarness
from penstock.testing.suites.checks import check
from penstock.testing.suites.connectors import (
    ConnectorSuite,
    Settings,
    fill,
    is_among,
    no_thread_left,
    same_in_any_order,
)

__all__ = ["SinkSuite", "sink_suite"]

_TASKS: Final = 3
#: A minute of the harness's clock each, for what a sink tries again.
_ROUNDS: Final = 50
#: Settings with which a task has an errant record reporter and is not failed by a record.
_TOLERANT: Final = {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead-letters-of-the-suite"}
_ROW: Final = SchemaBuilder.struct().name("SuiteRow").field("id", INT64).field("name", STRING).build()
_DEEP: Final = SchemaBuilder.struct().field("row", _ROW).build()
#: Records of every form: schema and value. A sink may refuse any of them, as data it cannot handle.
_FORMS: Final = [
    (None, None), (STRING, "text"), (INT64, 5), (FLOAT64, 0.5), (BYTES, b"\xff"), (None, {"id": 1}), (None, [1, "a"]),
    (_ROW, {"id": 1, "name": "x"}), (_DEEP, {"row": {"id": 1, "name": "x"}}), (_ROW.as_optional(), None),
]  # fmt: skip


def sink_suite(
    connector: type[SinkConnector],
    settings: Settings,
    *,
    records: Sequence[SinkRecord],
    written: Callable[[Mapping[str, str]], Any] | None = None,
    expected: Any = None,
    poison: Sequence[SinkRecord] = (),
    refused_settings: Sequence[Mapping[str, str]] = (),
    wrong_settings: Mapping[str, str | None] | None = None,
    undocumented: Collection[str] = (),
    prepare: Callable[[Any], None] | None = None,
) -> type[SinkSuite]:
    """Return the tests of a sink connector that, with `settings`, takes `records`.

    `written` is given the settings and returns what has arrived where the sink writes to; it has to equal `expected`
    once the records' offsets are safe to commit. Lists are best: then it can be told what is missing, and what is there
    twice. `poison` are records that the sink cannot write. `wrong_settings` are laid over the settings, one by one (None
    leaves the setting out), and have to be refused by their names. `undocumented` are settings without a doc text. `prepare`
    is called with each connector and task before it starts.
    """
    check(bool(records), "a sink's suite needs at least one record")

    class Suite(SinkSuite):
        pass

    fill(Suite, connector, settings, refused_settings, wrong_settings or {}, prepare)
    Suite.undocumented = undocumented
    Suite.records, Suite.expected, Suite.poison = records, expected, poison
    Suite.written = None if written is None else staticmethod(written)
    return Suite


class SinkSuite(ConnectorSuite):
    """The promises of `penstock.api.SinkConnector` and `SinkTask`."""

    records: Sequence[SinkRecord]
    written: Callable[[Mapping[str, str]], Any] | None
    expected: Any
    poison: Sequence[SinkRecord]

    def batch(self) -> list[SinkRecord]:
        """Return copies of the records, so that a task that alters them spoils its own test only."""
        return copy.deepcopy(list(self.records))

    def partitions(self) -> list[TopicPartition]:
        return sorted({_partition_of(record) for record in [*self.records, *self.poison]})

    def complete(self, settings: Mapping[str, str]) -> dict[str, str]:
        topics = ",".join(sorted({partition.topic for partition in self.partitions()}))
        return {**({} if "topics.regex" in settings else {"topics": topics}), **settings}

    def harness(self, settings: Mapping[str, str], **more: Any) -> SinkHarness:
        complete = self.complete(settings)
        return SinkHarness(self.plugin, complete, partitions=self.partitions(), prepare=self.prepare, **more)

    def consumed(self) -> dict[TopicPartition, int]:
        """Return the next offset to consume of each partition, after all records."""
        positions: dict[TopicPartition, int] = {}
        for record in self.records:
            partition = _partition_of(record)
            positions[partition] = max(positions.get(partition, 0), record.offset + 1)
        return positions

    def check_written(self, when: str, settings: Mapping[str, str], *, in_order: bool = True) -> None:
        if self.written is None:
            return
        found = self.written(settings)
        right = found == self.expected if in_order else same_in_any_order(found, self.expected)
        check(right, f"{when} what has arrived is {found!r}: expected {self.expected!r}")

    def check_nothing_lost(self, when: str, settings: Mapping[str, str], sink: SinkHarness) -> None:
        """Check that all has arrived, and once only if the sink keeps its own offsets."""
        if self.written is None:
            return
        if _keeps_offsets(sink):
            self.check_written(f"it keeps offsets itself, and {when}", settings, in_order=False)
        else:
            found = self.written(settings)
            check(is_among(self.expected, found), f"{when} what has arrived is {found!r}: expected {self.expected!r}")

    # ---- records and offsets

    def test_it_takes_its_records_and_says_which_offsets_are_safe(self) -> None:
        settings = self.settings
        with self.harness(settings) as sink:
            sink.put(*self.batch())
            sink.commit()
            _check_answers(sink)
            if any(call.result == self.consumed() for call in sink.calls_of("pre_commit")):
                self.check_written("offsets are said to be safe, and", settings)
        self.check_written("after stop()", settings)

    def test_records_are_not_changed(self) -> None:
        given = self.batch()
        with self.harness(self.settings) as sink:
            taken = sink.put(*given)
            sink.commit()
        problem = "put() changed its records: they may go to the dead letter queue yet"
        check(given == list(self.records), problem)
        for one in taken:
            (before,) = [r for r in self.records if (_partition_of(r), r.offset) == (_partition_of(one), one.offset)]
            same = (one.key, one.value, one.headers) == (before.key, before.value, before.headers)
            check(same and one.value_schema is before.value_schema, problem)

    def test_a_batch_may_come_in_pieces(self) -> None:
        settings = self.settings
        with self.harness(settings) as sink:
            for record in self.batch():
                sink.put(record)
                sink.commit()
            _check_answers(sink)
        self.check_written("record by record", settings)

    def test_it_never_agrees_to_more_than_it_was_asked_about(self) -> None:
        settings = self.settings
        with self.harness(settings) as sink:
            sink.put(*self.batch())
            # As while a dead letter in the middle has no answer yet.
            for asked in ({}, _first_offsets(self.records)):
                answer = dict(sink.task.pre_commit(dict(asked)) or {})
                for partition, offset in answer.items():
                    known = asked.get(partition, -1)
                    check(offset <= known, f"asked about {asked}, pre_commit() agrees to {offset} of {partition!r}")
        self.check_written("after a commit of less than it was given", settings, in_order=False)

    def test_a_second_task_goes_on_where_the_first_one_ended(self) -> None:
        settings = self.settings
        with self.harness(settings) as sink:
            sink.put(*self.batch())
            sink.restart()
            sink.round()
        if _keeps_offsets(sink) or sink.committed == self.consumed():
            self.check_written("after a restart", settings)

    def test_nothing_is_lost_by_a_crash_behind_any_record(self) -> None:
        for count in range(len(self.records) + 1):
            settings, batch = self.settings, self.batch()
            with self.harness(settings) as sink:
                sink.put(*batch[: count // 2])
                sink.commit()
                sink.put(*batch[count // 2 : count])
                sink.kill()
                sink.restart()
                sink.put(*batch[count:])
                sink.commit()
            self.check_nothing_lost(f"after a crash behind {count} records", settings, sink)

    def test_its_offsets_may_be_set_over_rest(self) -> None:
        settings = self.settings
        for offsets in (self.consumed(), dict.fromkeys(self.consumed())):
            answer = self.plugin().alter_offsets(self.complete(settings), offsets)
            check(isinstance(answer, bool), f"alter_offsets() has to return a bool, not {answer!r}")

    # ---- partitions

    def test_partitions_may_go_and_come_back(self) -> None:
        settings, batch, partitions = self.settings, self.batch(), self.partitions()
        half = len(batch) // 2
        with self.harness(settings) as sink:
            sink.put(*batch[:half])
            sink.rebalance(*partitions[:1])
            sink.put(*batch[half:])
            sink.rebalance()
            sink.rebalance(*partitions)
            sink.round()
            check(sink.failure is None, f"the task has failed: {sink.failure}")
        _check_answers(sink)
        self.check_nothing_lost("after partitions went and came back", settings, sink)

    def test_lost_partitions_are_given_up(self) -> None:
        settings, batch, partitions = self.settings, self.batch(), self.partitions()
        third = -(-len(batch) // 3)
        with self.harness(settings) as sink:
            sink.put(*batch[:third])
            sink.commit()
            sink.put(*batch[third : 2 * third])
            sink.lose()
            sink.rebalance(*partitions)
            sink.put(*batch[2 * third :])
            check(sink.failure is None, f"the task has failed: {sink.failure}")
        self.check_nothing_lost("after its partitions were lost and came back", settings, sink)

    def test_partitions_are_closed_before_the_task_is_stopped(self) -> None:
        with self.harness(self.settings) as sink:
            sink.put(*self.batch())
        calls = [call.name for call in sink.calls_of("close", "stop", "connector.stop")]
        check(calls == ["close", "stop", "connector.stop"], f"met the calls {calls}")
        check(sink.failure is None, f"the task has failed while it was stopped: {sink.failure}")

    # ---- faults

    def test_poison_records_are_reported_and_others_are_written(self) -> None:
        if not self.poison:
            return
        settings, poison = self.settings, copy.deepcopy(list(self.poison))
        with self.harness({**settings, **_TOLERANT}) as sink:
            half = len(self.records) // 2
            sink.put(*_renumbered([*self.batch()[:half], *poison, *self.batch()[half:]]))
            sink.commit()
            check(sink.failure is None, f"the task has failed in spite of errors.tolerance=all: {sink.failure}")
            found = [record.value for record, _ in sink.reported]
            expected = [record.value for record in self.poison]
            check(found == expected, f"the values {found} were reported; expected {expected}")
        self.check_written("beside poison records", settings, in_order=False)

    def test_a_poison_record_that_is_not_tolerated_fails_the_task_and_is_not_committed(self) -> None:
        for one in self.poison:
            with self.harness(self.settings) as sink:
                place = _partition_of(one)
                poison = copy.deepcopy(one)
                poison.offset = 0
                sink.put(poison)
                for _ in range(_ROUNDS):  # a sink may try again for a while
                    if sink.is_running:
                        sink.commit()
                check(sink.failure is not None, f"the record with {one.value!r} has not failed the task")
                committed = sink.committed.get(place, 0)
                check(committed == 0, f"offset {committed} is committed, behind a record that was not written")

    def test_records_of_every_form_are_taken_or_refused_as_data_errors(self) -> None:
        topic = self.partitions()[0].topic
        for schema, value in _FORMS:
            with self.harness({**self.settings, **_TOLERANT}) as sink:
                sink.put(SinkRecord(topic, 0, STRING, "key", schema, value))
                if sink.is_running:
                    sink.commit()
                failure = sink.failure
                cause = None if failure is None else failure.__cause__ or failure
                shown = "without a schema" if schema is None else f"of type {schema.type.value}"
                check(
                    cause is None or isinstance(cause, ConnectError),
                    f"a record {shown}, {value!r}, has ended the task with {cause!r}: report it, or raise a DataError",
                )

    # ---- life

    def test_no_thread_is_left_over(self) -> None:
        with no_thread_left(), self.harness(self.settings) as sink:
            sink.put(*self.batch())

    def test_it_goes_on_after_a_pause(self) -> None:
        settings, batch = self.settings, self.batch()
        half = len(batch) // 2
        with self.harness(settings) as sink:
            sink.put(*batch[:half])
            sink.pause()
            sink.put(*batch[half:])
            sink.resume()
            sink.round()
            sink.commit()
            check(sink.failure is None, f"the task has failed: {sink.failure}")
        self.check_written("after a pause", settings, in_order=False)

    def test_a_task_that_was_given_nothing_stops(self) -> None:
        with self.harness(self.settings) as sink:
            sink.round()
            sink.commit()
        check(sink.failure is None, f"the task has failed: {sink.failure}")

    def test_each_of_several_tasks_starts(self) -> None:
        settings = {**self.settings, "tasks.max": str(_TASKS)}
        with self.harness(settings) as sink:
            count = len(sink.task_configs)
        for number in range(count):
            with self.harness(settings, task=number) as sink:
                check(sink.is_running, f"task {number} of {count} has not started: {sink.failure}")


def _check_answers(sink: SinkHarness) -> None:
    """Check that each answer of `pre_commit` lies within what it was asked about."""
    for call in sink.calls_of("pre_commit"):
        asked = call.arguments[0]
        for partition, offset in dict(call.result or {}).items():
            check(partition in asked, f"pre_commit() names {partition!r}, which was not among {list(asked)}")
            check(offset <= asked[partition], f"pre_commit() says {offset} of {partition!r}, behind {asked[partition]}")


def _keeps_offsets(sink: SinkHarness) -> bool:
    return any(call.name == "context.offset" and call.arguments[0] for call in sink.requests)


def _first_offsets(records: Sequence[SinkRecord]) -> dict[TopicPartition, int]:
    """Return the offsets behind the first record of each partition."""
    first: dict[TopicPartition, int] = {}
    for record in records:
        first.setdefault(_partition_of(record), record.offset + 1)
    return first


def _renumbered(records: Sequence[SinkRecord]) -> list[SinkRecord]:
    """Return `records` with offsets that follow each other."""
    for record in records:
        record.offset = -1
    return list(records)


def _partition_of(record: SinkRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition or 0)
