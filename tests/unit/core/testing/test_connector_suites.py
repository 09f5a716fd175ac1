"""The suites of connectors find what is wrong: each broken connector fails the test that is about its fault."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from penstock.api import ExactlyOnceSupport, SinkConnector, SinkTask, SourceConnector, SourceTask, TopicPartition
from penstock.config import Config, ConfigDef, ConfigType, Importance
from penstock.data import STRING, SinkRecord, SourceRecord
from penstock.errors import ConnectError, DataError
from penstock.testing.suites import connectors, sink_suite, source_suite


def failures(suite: type[Any]) -> set[str]:
    """Return the names of the suite's tests that fail."""
    failed = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite(), name)()
            except Exception:
                failed.add(name.removeprefix("test_"))
    return failed


def fails(suite: type[Any], name: str) -> bool:
    """Return whether this one test of the suite fails."""
    try:
        getattr(suite(), f"test_{name}")()
    except Exception:
        return True
    return False


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectors, "_PATIENCE", 0.2)


class Connected:
    """The part of a connector that is right here and wrong in a subclass."""

    version = "1"
    task_kind: ClassVar[type[Any]]

    @classmethod
    def config_def(cls) -> ConfigDef:
        return (
            ConfigDef()
            .define("size", ConfigType.INT, 1, importance=Importance.LOW, doc="A size.")
            .define("place", ConfigType.STRING, importance=Importance.HIGH, doc="A place.")
        )

    def start(self, props: Mapping[str, str]) -> None:
        self.props = dict(props)

    @property
    def task_class(self) -> type[Any]:
        return self.task_kind

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [dict(self.props)] * min(max_tasks, 2)

    def stop(self) -> None:
        """Nothing to free."""


# --- sources


class CountTask(SourceTask):
    """Six numbers, of two partitions in turn, two a poll."""

    version = "1"

    def start(self, props: Mapping[str, str]) -> None:
        self.ended = threading.Event()
        reader = self.context.offset_storage_reader
        self.left = [
            (number, partition)
            for number, partition in zip(range(6), itertools.cycle("ab"), strict=False)
            if number >= self.first(reader.offset({"p": partition}))
        ]

    def first(self, offset: Mapping[str, Any] | None) -> int:
        return 0 if offset is None else int(offset["n"]) + 1

    def poll(self) -> Sequence[SourceRecord] | None:
        if not self.left:
            self.ended.wait(0.01)
            return None
        taken, self.left = self.left[:2], self.left[2:]
        return [self.record(number, partition) for number, partition in taken]

    def record(self, number: int, partition: str) -> SourceRecord:
        return SourceRecord(
            "t", value=number, source_partition={"p": partition}, source_offset={"n": number}, value_schema=None
        )

    def stop(self) -> None:
        if hasattr(self, "ended"):
            self.ended.set()


class CountSource(Connected, SourceConnector):
    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.SUPPORTED


def source(task: type[SourceTask] = CountTask, *parts: type, **more: Any) -> type[Any]:
    kind = type("Counting", (*parts, CountSource), {"task_kind": task})
    return source_suite(kind, {"place": "here"}, records=6, **more)


def test_a_right_source_passes() -> None:
    assert failures(source(wrong_settings={"size": "x", "place": None}, refused_settings=[{}])) == set()


class SkipsNearTheEnd(CountTask):
    def first(self, offset: Mapping[str, Any] | None) -> int:
        first = super().first(offset)
        return first + 2 if first == 3 else first


class ForgetsOnePartition(CountTask):
    def first(self, offset: Mapping[str, Any] | None) -> int:
        return 0 if offset == {"n": 4} else super().first(offset)


class LeavesThread(CountTask):
    def start(self, props: Mapping[str, str]) -> None:
        super().start(props)
        threading.Thread(target=threading.Event().wait, args=[2], daemon=True).start()


class Deaf(CountTask):
    def poll(self) -> Sequence[SourceRecord] | None:
        threading.Event().wait(1)
        return None


class DeepOffset(CountTask):
    def record(self, number: int, partition: str) -> SourceRecord:
        record = super().record(number, partition)
        record.source_offset = {"n": number, "deep": {"n": number}}
        return record


class CloseFails(CountTask):
    def stop(self) -> None:
        self.left.clear()


class SharedCount(CountTask):
    """Keeps its position where a crash does not reach, and not in its offsets."""

    place: ClassVar[dict[str, int]] = {}

    def first(self, offset: Mapping[str, Any] | None) -> int:
        return self.place.get("n", 0)

    def record(self, number: int, partition: str) -> SourceRecord:
        self.place["n"] = number + 1
        return super().record(number, partition)


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        (SkipsNearTheEnd, "it_goes_on_behind_a_committed_offset"),
        (ForgetsOnePartition, "it_goes_on_behind_a_committed_offset"),
        (LeavesThread, "no_thread_is_left_over"),
        (Deaf, "stop_ends_a_poll_from_another_thread"),
        (DeepOffset, "source_partitions_and_offsets_can_be_stored"),
        (CloseFails, "it_stops_and_closes_without_having_been_started"),
        (SharedCount, "it_goes_on_after_a_restart_and_begins_again_after_a_crash"),
    ],
)
def test_a_broken_source_task_fails_where_it_is_broken(task: type[SourceTask], fault: str) -> None:
    assert fails(source(task), fault)


class TooManyTasks:
    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{}, {}]


class NoText:
    def task_configs(self, max_tasks: int) -> list[dict[str, Any]]:
        return [{"number": 1}]


class OtherEachTime:
    numbers = itertools.count()

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{"number": str(next(self.numbers))}]


class StartsOnce:
    def start(self, props: Mapping[str, str]) -> None:
        if hasattr(self, "props"):
            raise ConnectError("started twice")
        self.props = dict(props)


class BlamesAnother:
    def validate(self, configs: Mapping[str, str]) -> Config:
        found = super().validate(configs)  # type: ignore[misc]  # mixed into a connector
        by_name = {value.name: value for value in found.values}
        by_name["size"].errors, by_name["place"].errors = by_name["place"].errors, by_name["size"].errors
        return found  # type: ignore[no-any-return]  # as above


class Unsteady:
    numbers = itertools.count()

    def validate(self, configs: Mapping[str, str]) -> Config:
        found = super().validate(configs)  # type: ignore[misc]  # mixed into a connector
        if next(self.numbers) % 2:
            found.values[0].add_error("an error every other time")
        return found  # type: ignore[no-any-return]  # as above


class RefusesOffsets:
    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[Any, Any]) -> bool:
        raise ConnectError("I keep no offsets")


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        (TooManyTasks, "there_are_at_most_as_many_tasks_as_allowed"),
        (NoText, "there_are_at_most_as_many_tasks_as_allowed"),
        (OtherEachTime, "the_same_settings_make_the_same_tasks"),
        (StartsOnce, "it_goes_on_after_a_pause"),
        (BlamesAnother, "a_wrong_value_is_refused_by_the_name_of_its_setting"),
        (Unsteady, "validation_changes_nothing_and_may_be_repeated"),
        (RefusesOffsets, "its_offsets_may_be_set_over_rest"),
    ],
)
def test_a_broken_source_connector_fails_where_it_is_broken(part: type, fault: str) -> None:
    assert fails(source(CountTask, part), fault)


def test_a_source_that_wrongly_says_that_it_delivers_exactly_once_is_found() -> None:
    class Again(CountTask):
        """Reads the last record again after a restart."""

        def first(self, offset: Mapping[str, Any] | None) -> int:
            return max(0, super().first(offset) - 1)

    assert fails(source(Again), "a_source_that_says_so_delivers_exactly_once")


# --- sinks

STORE: list[Any] = []
OFFSETS: dict[TopicPartition, int] = {}


class KeepTask(SinkTask):
    """Writes what it takes with the next commit; refuses negative numbers."""

    version = "1"

    def start(self, props: Mapping[str, str]) -> None:
        self.waiting: list[tuple[TopicPartition, Any]] = []

    def put(self, records: Sequence[SinkRecord]) -> None:
        for record in records:
            if isinstance(record.value, int) and record.value < 0:
                self.refuse(record, DataError("negative"))
            else:
                place = TopicPartition(record.original_topic or "", record.original_partition or 0)
                self.waiting.append((place, record.value))

    def refuse(self, record: SinkRecord, error: DataError) -> None:
        reporter = self.context.errant_record_reporter
        if reporter is None:
            raise error
        reporter.report(record, error)

    def flush(self, offsets: Mapping[Any, int]) -> None:
        STORE.extend(value for _, value in self.waiting)
        self.waiting.clear()

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        self.waiting = [(place, value) for place, value in self.waiting if place not in partitions]

    def stop(self) -> None:
        """Nothing to free."""


class KeepSink(Connected, SinkConnector):
    """Keeps values."""


def settings() -> dict[str, str]:
    STORE.clear()
    OFFSETS.clear()
    return {"place": "here"}


def sink(task: type[SinkTask] = KeepTask, **more: Any) -> type[Any]:
    records = [SinkRecord("t", n % 2, None, None, STRING, f"v{n}", offset=n // 2) for n in range(6)]
    return sink_suite(
        type("Keeping", (KeepSink,), {"task_kind": task}), settings, records=records, written=lambda _: list(STORE),
        expected=[f"v{n}" for n in range(6)], poison=[SinkRecord("t", 0, value=-n, offset=n) for n in (1, 2)], **more,
    )  # fmt: skip


def test_a_right_sink_passes() -> None:
    assert failures(sink(wrong_settings={"size": "x", "place": None})) == set()


class OwnTask(KeepTask):
    """Writes its offsets with its data."""

    def start(self, props: Mapping[str, str]) -> None:
        self.batch: list[tuple[TopicPartition, int, Any]] = []
        super().start(props)

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        self.context.offset({p: OFFSETS[p] for p in partitions if p in OFFSETS})

    def put(self, records: Sequence[SinkRecord]) -> None:
        for record in records:
            place = TopicPartition(record.original_topic or "", record.original_partition or 0)
            self.batch.append((place, record.original_offset or 0, record))

    def pre_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        ready = [row for row in self.batch if row[1] < offsets.get(row[0], 0)]
        self.batch = [row for row in self.batch if row not in ready]
        super().put([record for _, _, record in ready])
        super().flush(offsets)
        OFFSETS.update(offsets)
        return {}

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        self.batch = [row for row in self.batch if row[0] not in partitions]


def test_a_right_sink_that_keeps_its_own_offsets_passes() -> None:
    assert (
        failures(sink(OwnTask))
        - {
            "poison_records_are_reported_and_others_are_written",  # it looks at a record only when it is committed
            "a_poison_record_that_is_not_tolerated_fails_the_task_and_is_not_committed",
        }
        == set()
    )


class OwnTaskThatForgetsToGoBack(OwnTask):
    def open(self, partitions: Sequence[TopicPartition]) -> None:
        self.context.offset({p: 0 for p in partitions if p in OFFSETS})


class OwnTaskThatKeepsLostRecords(OwnTask):
    def close(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget nothing."""


class Hasty(KeepTask):
    def flush(self, offsets: Mapping[Any, int]) -> None:
        """Say that all is written."""


class Greedy(KeepTask):
    """Agrees to all that it was ever given."""

    def pre_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        self.flush(offsets)
        return {TopicPartition("t", 0): 3, TopicPartition("t", 1): 3}


class DropsPoison(KeepTask):
    def refuse(self, record: SinkRecord, error: DataError) -> None:
        """Say nothing."""


class DropsPoisonAlone(KeepTask):
    def refuse(self, record: SinkRecord, error: DataError) -> None:
        if self.context.errant_record_reporter is not None:
            super().refuse(record, error)


class FailsOnNull(KeepTask):
    def put(self, records: Sequence[SinkRecord]) -> None:
        for record in records:
            len(record.value)
        super().put(records)


class ClosesOnce(KeepTask):
    closed = False

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        if self.closed:
            raise ConnectError("closed twice")
        self.closed = True


class SinkLeavesThread(KeepTask):
    def start(self, props: Mapping[str, str]) -> None:
        super().start(props)
        threading.Thread(target=threading.Event().wait, args=[2], daemon=True).start()


class Replaces(KeepTask):
    def put(self, records: Sequence[SinkRecord]) -> None:
        super().put(records)
        for record in records:
            record.value = None


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        (Hasty, "it_takes_its_records_and_says_which_offsets_are_safe"),
        (Greedy, "it_never_agrees_to_more_than_it_was_asked_about"),
        (DropsPoison, "poison_records_are_reported_and_others_are_written"),
        (DropsPoisonAlone, "a_poison_record_that_is_not_tolerated_fails_the_task_and_is_not_committed"),
        (FailsOnNull, "records_of_every_form_are_taken_or_refused_as_data_errors"),
        (ClosesOnce, "partitions_may_go_and_come_back"),
        (SinkLeavesThread, "no_thread_is_left_over"),
        (Replaces, "records_are_not_changed"),
        (OwnTaskThatForgetsToGoBack, "nothing_is_lost_by_a_crash_behind_any_record"),
        (OwnTaskThatForgetsToGoBack, "a_second_task_goes_on_where_the_first_one_ended"),
        (OwnTaskThatKeepsLostRecords, "lost_partitions_are_given_up"),
    ],
)
def test_a_broken_sink_fails_where_it_is_broken(task: type[SinkTask], fault: str) -> None:
    assert fails(sink(task), fault)


def test_a_sink_that_needs_no_list_is_compared_as_a_whole() -> None:
    make: Callable[[], dict[str, str]] = settings
    records = [SinkRecord("t", 0, value="a", offset=0)]
    kind = type("Keeping", (KeepSink,), {"task_kind": KeepTask})
    right = sink_suite(kind, make, records=records, written=lambda _: set(STORE), expected={"a"})
    wrong = sink_suite(kind, make, records=records, written=lambda _: set(STORE), expected={"b"})
    assert failures(right) == set()
    assert fails(wrong, "nothing_is_lost_by_a_crash_behind_any_record")
