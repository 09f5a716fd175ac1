"""The acceptance suites find what is wrong with a plugin: each broken one fails the test that is about its fault."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from penstock.api import (
    BoundTransform,
    Converter,
    Predicate,
    Shape,
    SinkConnector,
    SinkTask,
    SourceConnector,
    SourceTask,
    Transform,
)
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import INT64, STRING, Schema, SchemaAndValue, SinkRecord, SourceRecord
from penstock.errors import DataError
from penstock.testing import suites
from penstock.testing.suites import Sample, converter_suite, predicate_suite, sink_suite, source_suite, transform_suite


def failures(suite: type[Any]) -> set[str]:
    """The names of the suite's tests that fail."""
    failed = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite(), name)()
            except Exception:
                failed.add(name.removeprefix("test_"))
    return failed


DEFINITION = ConfigDef().define("size", ConfigType.INT, 1, importance=Importance.LOW, doc="A size.")


class Configured:
    version = "1"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return DEFINITION


class Text(Configured, Converter):
    """Right in all it does."""

    def configure(self, configs: Mapping[str, Any], is_key: bool) -> None:
        self.size = DEFINITION.parse(configs)["size"]

    def from_connect(self, topic: str, schema: Schema | None, value: Any) -> bytes | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise DataError(f"expected text, met {value!r}")
        return value.encode()

    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        try:
            return SchemaAndValue(STRING.as_optional(), None if data is None else data.decode())
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error}") from error


def text_suite(kind: type[Converter], **more: Any) -> type[Any]:
    return converter_suite(kind, {"size": 2}, samples=[Sample(STRING, "text"), Sample(STRING, "é")], **more)


def test_a_right_converter_passes() -> None:
    assert (
        failures(text_suite(Text, refused=[(STRING, 1)], malformed=[b"\xff"], refused_settings=[{"size": "x"}]))
        == set()
    )


class NoVersion(Text):
    version = "undefined"


class Short(Text):
    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        found = super().to_connect(topic, data)
        return found if found.value is None else SchemaAndValue(found.schema, found.value[:2])


class Bare(Text):
    def from_connect(self, topic: str, schema: Schema | None, value: Any) -> bytes | None:
        return None if value is None else value.encode()  # type: ignore[no-any-return]  # a fault of its own

    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        return SchemaAndValue(STRING, None if data is None else data.decode())


class OtherForm(Text):
    def serializer(self, topic: str, schema: Schema | None) -> Callable[[Any], bytes | None]:
        return lambda value: b"other"


class NoBytes(Text):
    def from_connect(self, topic: str, schema: Schema | None, value: Any) -> Any:
        data = super().from_connect(topic, schema, value)
        return None if data is None else bytearray(data)


class WrongSchema(Text):
    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        return SchemaAndValue(INT64, super().to_connect(topic, data).value)


class LooseSettings(Text):
    def configure(self, configs: Mapping[str, Any], is_key: bool) -> None:
        pass


class NullIsText(Text):
    def from_connect(self, topic: str, schema: Schema | None, value: Any) -> bytes | None:
        return b"None" if value is None else super().from_connect(topic, schema, value)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (NoVersion, "it_says_its_version_and_its_settings"),
        (Short, "every_sample_is_read_back"),
        (Bare, "values_of_other_types_are_data_errors"),
        (Bare, "damaged_bytes_are_read_or_refused_as_data_errors"),
        (OtherForm, "both_forms_do_the_same"),
        (NoBytes, "bytes_are_bytes_or_a_tombstone"),
        (LooseSettings, "settings_that_are_wrong_are_config_errors"),
        (NullIsText, "a_null_is_read_as_null"),
    ],
)
def test_a_broken_converter_fails_where_it_is_broken(kind: type[Converter], fault: str) -> None:
    assert fault in failures(text_suite(kind, refused_settings=[{"size": "x"}]))


def test_a_schema_that_does_not_fit_is_found() -> None:
    with pytest.raises(DataError):
        text_suite(WrongSchema)().test_what_is_read_fits_the_schema_it_comes_with()


def test_settings_that_it_does_not_know_are_found() -> None:
    suite = converter_suite(Text, {"other": 1}, samples=[Sample(STRING, "x")])
    assert "every_setting_given_is_a_setting_it_knows" in failures(suite)


# --- transforms


class Mark(Configured, Transform):
    def apply(self, record: Any) -> Any:
        if not isinstance(record.value, dict):
            return record
        changed = copy.copy(record)
        changed.value = {**record.value, "mark": 1}
        return changed


class InPlaceMark(Mark):
    def apply(self, record: Any) -> Any:
        if isinstance(record.value, dict):
            record.value["mark"] = 1
        return record


class UndeclaredMark(Mark):
    def bind(self, shape: Shape) -> BoundTransform:
        return BoundTransform(InPlaceMark().apply, None)


class WrongShape(Mark):
    def bind(self, shape: Shape) -> BoundTransform:
        return BoundTransform(self.apply, Shape("elsewhere", None, None))


class BareMark(Mark):
    def apply(self, record: Any) -> Any:
        changed = copy.copy(record)
        changed.value = {**record.value, "mark": 1}
        return changed


class Forgets(Mark):
    def apply(self, record: Any) -> Any:
        return SourceRecord(record.topic, value=record.value)


MARKED = [SourceRecord("t", value={"a": 1}, source_partition={"p": 1}, source_offset={"o": 1})]


def test_a_right_transform_passes() -> None:
    assert failures(transform_suite(Mark, records=MARKED)) == set()


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (InPlaceMark, "a_record_that_is_handed_over_is_not_changed"),
        (UndeclaredMark, "a_record_that_is_handed_over_is_not_changed"),
        (WrongShape, "the_shape_that_is_announced_is_the_shape_that_comes"),
        (BareMark, "records_of_every_form_are_handled_or_refused_as_data_errors"),
        (Forgets, "offsets_and_partitions_of_the_source_stay"),
    ],
)
def test_a_broken_transform_fails_where_it_is_broken(kind: type[Transform], fault: str) -> None:
    assert fault in failures(transform_suite(kind, records=copy.deepcopy(MARKED)))


class HasValue(Configured, Predicate):
    def test(self, record: Any) -> bool:
        return record.value is not None


class HasName(HasValue):
    def test(self, record: Any) -> bool:
        return bool(record.value["name"])


VERDICTS = [(SourceRecord("t", value={"name": "x"}), True), (SourceRecord("t", value=None), False)]


def test_a_predicate_passes_or_fails_where_it_is_broken() -> None:
    assert failures(predicate_suite(HasValue, records=VERDICTS)) == set()
    assert failures(predicate_suite(HasName, records=VERDICTS[:1])) == {
        "records_of_every_form_get_a_verdict_or_a_data_error"
    }
    assert "every_verdict_is_right_in_both_forms" in failures(
        predicate_suite(HasValue, records=[(VERDICTS[0][0], False)])
    )


# --- connectors


class Count(Configured, SourceConnector):
    task_kind: ClassVar[type[SourceTask]]

    def start(self, props: Mapping[str, str]) -> None:
        self.props = dict(props)

    @property
    def task_class(self) -> type[SourceTask]:
        return self.task_kind

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self.props]

    def stop(self) -> None:
        pass


class CountTask(SourceTask):
    version = "1"

    def start(self, props: Mapping[str, str]) -> None:
        before = self.context.offset_storage_reader.offset({"c": 1})
        self.next = before["n"] + 1 if before else 1

    def poll(self) -> Sequence[SourceRecord] | None:
        self.next += 1
        return [SourceRecord("t", value=self.next - 1, source_partition={"c": 1}, source_offset={"n": self.next - 1})]

    def stop(self) -> None:
        pass


class Starts0ver(CountTask):
    def start(self, props: Mapping[str, str]) -> None:
        self.next = 1


class OddOffset(CountTask):
    def poll(self) -> Sequence[SourceRecord] | None:
        return [SourceRecord("t", value=1, source_partition={"c": 1}, source_offset={"n": (1, 2)})]


class NoTopic(CountTask):
    def poll(self) -> Sequence[SourceRecord] | None:
        return [SourceRecord("", value=1)]


class NeverStarted(CountTask):
    def stop(self) -> None:
        del self.next


def source_of(task: type[SourceTask], **more: Any) -> type[Any]:
    kind = type("Counting", (Count,), {"task_kind": task})
    return source_suite(kind, {"size": "1"}, records=4, **more)


def test_a_right_source_passes() -> None:
    assert failures(source_of(CountTask, refused_settings=[{"size": "x"}])) == set()


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        (Starts0ver, "it_goes_on_behind_a_committed_offset"),
        (OddOffset, "source_partitions_and_offsets_can_be_stored"),
        (NoTopic, "it_gives_its_records"),
    ],
)
def test_a_broken_source_fails_where_it_is_broken(task: type[SourceTask], fault: str) -> None:
    assert fault in failures(source_of(task))


def test_a_task_that_cannot_be_stopped_before_it_started_is_found() -> None:
    with pytest.raises(AttributeError):
        source_of(NeverStarted)().test_it_stops_and_closes_without_having_been_started()


def test_a_poll_that_does_not_come_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(CountTask):
        def poll(self) -> Sequence[SourceRecord] | None:
            time.sleep(1)
            return None

    monkeypatch.setattr(suites.connectors, "_PATIENCE", 0.05)
    with pytest.raises(AssertionError, match="did not come back"):
        source_of(Deaf)().test_stop_ends_a_poll_from_another_thread()


class Keep(Configured, SinkConnector):
    task_kind: ClassVar[type[SinkTask]]
    start, stop, task_configs = Count.start, Count.stop, Count.task_configs  # type: ignore[assignment]  # the same for both

    @property
    def task_class(self) -> type[SinkTask]:
        return self.task_kind


KEPT: list[Any] = []


class KeepTask(SinkTask):
    version = "1"

    def start(self, props: Mapping[str, str]) -> None:
        self.waiting: list[Any] = []

    def put(self, records: Sequence[SinkRecord]) -> None:
        self.waiting += [record.value for record in records]

    def flush(self, offsets: Mapping[Any, int]) -> None:
        KEPT.extend(self.waiting)
        self.waiting.clear()

    def stop(self) -> None:
        pass


class Hasty(KeepTask):
    def flush(self, offsets: Mapping[Any, int]) -> None:
        pass


class Beyond(KeepTask):
    def pre_commit(self, offsets: Mapping[Any, int]) -> Mapping[Any, int]:
        return {partition: offset + 1 for partition, offset in offsets.items()}


class Alters(KeepTask):
    def put(self, records: Sequence[SinkRecord]) -> None:
        for record in records:
            record.value["seen"] = True


class NeedsRecords(KeepTask):
    def put(self, records: Sequence[SinkRecord]) -> None:
        assert records, "an empty batch"


def sink_of(task: type[SinkTask]) -> type[Any]:
    def settings() -> dict[str, str]:
        KEPT.clear()
        return {"size": "1"}

    records = [SinkRecord("t", partition=0, value={"n": n}, offset=n) for n in range(3)]
    kind = type("Keeping", (Keep,), {"task_kind": task})
    return sink_suite(
        kind, settings, records=records, written=lambda _: list(KEPT), expected=[{"n": n} for n in range(3)]
    )


def test_a_right_sink_passes() -> None:
    assert failures(sink_of(KeepTask)) == set()


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        (Hasty, "it_takes_its_records_and_says_which_offsets_are_safe"),
        (Beyond, "it_takes_its_records_and_says_which_offsets_are_safe"),
        (Alters, "records_are_not_changed"),
        (NeedsRecords, "partitions_may_go_and_come_back"),
    ],
)
def test_a_broken_sink_fails_where_it_is_broken(task: type[SinkTask], fault: str) -> None:
    assert fault in failures(sink_of(task))
