"""The suite for source connectors: what the worker relies on, tried with `penstock.testing.harness`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from penstock.api import ConnectorTransactionBoundaries, ExactlyOnceSupport, SourceConnector
from penstock.data import SourceRecord, validate_value
from penstock.storage.offsets import partition_key
from penstock.testing.harness import SourceHarness
from penstock.testing.suites.checks import check
from penstock.testing.suites.connectors import ConnectorSuite, Settings, fill, no_thread_left, patience_s
from penstock.testing.suites.poison import settings_without_poison, with_poison

__all__ = ["SourceSuite", "source_suite"]

_Positions = list[tuple[Mapping[str, Any], Mapping[str, Any]]]
_TASKS: Final = 3


def source_suite(
    connector: type[SourceConnector],
    settings: Settings,
    *,
    records: int,
    facts: Callable[[SourceRecord], Any] = lambda record: (record.topic, record.key, record.value),
    refused_settings: Sequence[Mapping[str, str]] = (),
    wrong_settings: Mapping[str, str | None] | None = None,
    undocumented: Collection[str] = (),
    prepare: Callable[[Any], None] | None = None,
) -> type[SourceSuite]:
    """Return the tests of a source connector that, with `settings`, has at least `records` records to give.

    `facts` says of a record what is the same each time it is read: leave out what the clock decides. `settings` may be a
    function; it is called once a test. `wrong_settings` are laid over the settings, one by one (None leaves the setting
    out), and have to be refused by their names. `undocumented` are settings without a doc text. `prepare` is called with each
    connector and task before it starts.
    """

    class Suite(SourceSuite):
        pass

    fill(Suite, connector, settings, refused_settings, wrong_settings or {}, prepare)
    Suite.undocumented = undocumented
    Suite.expected, Suite.facts = records, staticmethod(facts)
    return Suite


class SourceSuite(ConnectorSuite):
    """The promises of `penstock.api.SourceConnector` and `SourceTask`."""

    expected: int
    facts: Callable[[SourceRecord], Any]

    def harness(self, settings: Mapping[str, str], offsets: _Positions | None = None, **more: Any) -> SourceHarness:
        return SourceHarness(self.plugin, settings, offsets=offsets or [], prepare=self.prepare, **more)

    def read(self, settings: Mapping[str, str], offsets: _Positions | None = None) -> list[SourceRecord]:
        """Return the first records behind `offsets`; fewer than expected if there are no more."""
        with self.harness(settings, offsets) as source:
            return self.take(source, self.expected)[: self.expected]

    def take(self, source: SourceHarness, count: int) -> list[SourceRecord]:
        return source.take(count, patience_s=patience_s())

    def facts_of(self, records: Sequence[SourceRecord]) -> list[Any]:
        return [self.facts(record) for record in records]

    def check_rest(self, what: str, found: Sequence[SourceRecord], expected: Sequence[SourceRecord]) -> None:
        """Check that `found` goes on as `expected` does, in the order of each source partition."""
        if self.facts_of(found) == self.facts_of(expected):
            return
        got, wanted = self._by_partition(found), self._by_partition(expected)
        right = len(found) == len(expected) and all(
            facts == wanted.get(partition, [])[: len(facts)] for partition, facts in got.items()
        )
        check(right, f"{what} it gives {self.facts_of(found)}; expected {self.facts_of(expected)}")

    def _by_partition(self, records: Sequence[SourceRecord]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for record in records:
            found.setdefault(partition_key(record.source_partition), []).append(self.facts(record))
        return found

    # ---- records and offsets

    def test_it_gives_its_records(self) -> None:
        found = self.read(self.settings)
        check(len(found) == self.expected, f"expected {self.expected} records, met {len(found)}")
        for record in found:
            check(isinstance(record, SourceRecord), f"poll() has to return SourceRecords, not {record!r}")
            check(isinstance(record.topic, str) and bool(record.topic), f"a record has no topic: {record!r}")
            for schema, value in ((record.key_schema, record.key), (record.value_schema, record.value)):
                if schema is not None and value is not None:
                    validate_value(schema, value)

    def test_source_partitions_and_offsets_can_be_stored(self) -> None:
        with self.harness(self.settings) as source:
            for record in self.take(source, self.expected):
                for what, part in (("partition", record.source_partition), ("offset", record.source_offset)):
                    names = all(isinstance(name, str) for name in part or ())
                    check(
                        names and json.loads(json.dumps(part)) == part,
                        f"a source {what} is a flat dict of JSON, not {part!r}",
                    )
            source.commit()
            check(not source.refused_offsets, f"offsets cannot be stored: {source.refused_offsets[:1]}")

    def test_it_goes_on_behind_a_committed_offset(self) -> None:
        settings = self.settings
        found = self.read(settings)
        if any(not record.source_offset for record in found):
            return  # a source that cannot go back
        for count in range(1, len(found)):
            with self.harness(settings, _committed(found[:count])) as source:
                rest = self.take(source, len(found) - count)[: len(found) - count]
            self.check_rest(f"behind the offset of record {count - 1}", rest, found[count:])

    def test_it_goes_on_after_a_restart_and_begins_again_after_a_crash(self) -> None:
        settings = self.settings
        found = self.read(settings)
        if any(not record.source_offset for record in found):
            return
        with self.harness(settings) as source:
            before = self.take(source, 1)
            source.restart()
            wanted = max(0, len(found) - len(before))
            self.check_rest("after a stop and a start", self.take(source, wanted)[:wanted], found[len(before) :])
        with self.harness(settings) as source:
            self.take(source, 1)
            source.kill()
            source.restart()
            again = self.take(source, len(found))[: len(found)]
            self.check_rest("after a crash before the first commit", again, found)

    def test_its_offsets_may_be_set_over_rest(self) -> None:
        settings = self.settings
        found = [record for record in self.read(settings) if record.source_offset]
        for value in (True, False):
            offsets = {tuple(sorted(p.items())): o if value else None for p, o in _committed(found)}
            answer = self.plugin().alter_offsets(dict(settings), offsets)
            check(isinstance(answer, bool), f"alter_offsets() has to return a bool, not {answer!r}")

    # ---- faults

    def test_a_poison_record_fails_the_task_and_comes_first_after_the_restart(self) -> None:
        settings, number = self.settings, self.expected // 2
        if not self.expected:
            return
        with self.harness(with_poison(settings, number)) as source:
            found = self.take(source, self.expected)
            failure = source.failure
            check(failure is not None, "a record that a transform refuses has not failed the task")
            check("poison" in str(failure), f"the task has failed before it met the record that is poison: {failure}")
            if any(not record.source_offset for record in found):
                return
            source.restart(settings_without_poison())
            wanted = len(found) - number
            self.check_rest("after a poison record", self.take(source, wanted)[:wanted], found[number:])

    def test_a_poison_record_that_is_tolerated_is_passed_over(self) -> None:
        if not self.expected:
            return
        settings = {**with_poison(self.settings, self.expected // 2), "errors.tolerance": "all"}
        with self.harness(settings) as source:
            found = self.take(source, self.expected)
            source.commit()
            check(source.failure is None, f"the task has failed in spite of errors.tolerance=all: {source.failure}")
            check(len(source.sent) == len(found) - 1, f"of {len(found)} records, {len(source.sent)} have been sent")
            expected = _committed(found)
            if all(offset for _, offset in expected):
                problem = f"the committed offsets are {source.offsets}; expected {expected}"
                check(source.offsets == expected, problem)

    # ---- life

    def test_stop_ends_a_poll_from_another_thread(self) -> None:
        with no_thread_left():
            source = self.harness(self.settings).start()
            ended = source.stop_during_poll(patience_s())
            check(ended, f"poll() did not come back within {patience_s()} s of stop()")
            source.stop()

    def test_no_thread_is_left_over(self) -> None:
        with no_thread_left(), self.harness(self.settings) as source:
            self.take(source, 1)

    def test_a_task_that_was_never_polled_stops(self) -> None:
        with self.harness(self.settings) as source:
            source.stop()
            calls = [call.name for call in source.calls_of("stop", "close", "connector.stop")]
            check(calls == ["stop", "close", "connector.stop"], f"met the calls {calls}")

    def test_it_goes_on_after_a_pause(self) -> None:
        settings = self.settings
        found = self.read(settings)
        with self.harness(settings) as source:
            before = self.take(source, 1)
            source.pause()
            check(source.poll() == [], "a paused task was polled")
            source.resume()
            wanted = max(0, len(found) - len(before))
            self.check_rest("after a pause", self.take(source, wanted)[:wanted], found[len(before) :])

    def test_each_of_several_tasks_starts(self) -> None:
        settings = {**self.settings, "tasks.max": str(_TASKS)}
        with self.harness(settings) as source:
            count = len(source.task_configs)
        for number in range(count):
            with self.harness(settings, task=number) as source:
                check(source.is_running, f"task {number} of {count} has not started: {source.failure}")

    def test_commits_are_taken(self) -> None:
        with self.harness(self.settings) as source:
            source.poll()
            source.commit()
            source.commit()

    # ---- exactly once

    def test_a_source_that_says_so_delivers_exactly_once(self) -> None:
        settings = self.settings
        connector = self.plugin()
        if connector.exactly_once_support(settings) is not ExactlyOnceSupport.SUPPORTED:
            return
        self._check_exactly_once(settings, {"exactly.once.support": "required"})
        if connector.can_define_transaction_boundaries(settings) is ConnectorTransactionBoundaries.SUPPORTED:
            self._check_exactly_once(settings, {"transaction.boundary": "connector"})

    def _check_exactly_once(self, settings: Mapping[str, str], delivery: Mapping[str, str]) -> None:
        found = self.read(settings)
        with self.harness({**settings, **delivery}, exactly_once=True) as source:
            self.take(source, 1)
            if any(not transaction.committed for transaction in source.transactions):
                return  # its offsets pass over what it aborts
            before = source.records[: len(source.sent)]
            source.kill()
            source.restart()
            again = self.take(source, len(found) - len(before))
            check(bool(source.offsets), "nothing was committed together with the records")
        self.check_rest("in transactions, with a crash in between,", [*before, *again][: len(found)], found)


def _committed(records: Sequence[SourceRecord]) -> _Positions:
    """Return the offsets that stand once `records` are acknowledged, by partition in the order of their first records."""
    last: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for record in records:
        last[partition_key(record.source_partition)] = (record.source_partition, record.source_offset)
    return list(last.values())
