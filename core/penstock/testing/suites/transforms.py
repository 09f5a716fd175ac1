"""The suites for transforms and predicates."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from penstock.api import Predicate, Shape, Transform, apply_bound
from penstock.data import INT64, STRING, ConnectRecord, SchemaBuilder, SinkRecord, SourceRecord, validate_value
from penstock.testing.suites.checks import SuiteOfPlugin, check, refusal_of

__all__ = ["predicate_suite", "transform_suite"]

_STRUCT: Final = SchemaBuilder.struct().name("penstock.Suite").field("n", INT64).build()


def transform_suite(
    transform: type[Transform],
    settings: Mapping[str, Any] | None = None,
    *,
    records: Sequence[ConnectRecord],
    refused_settings: Sequence[Mapping[str, Any]] = (),
    refused: Sequence[ConnectRecord] = (),
) -> type[TransformSuite]:
    """Return the tests of a transform. `records` are some that it handles, `refused` some that are data errors."""
    check(bool(records), "a transform's suite needs at least one record")

    class Suite(TransformSuite):
        pass

    Suite.plugin, Suite.settings, Suite.refused_settings = transform, settings or {}, refused_settings
    Suite.records, Suite.refused = records, refused
    Suite.__name__ = Suite.__qualname__ = f"{transform.__name__}Suite"
    return Suite


def predicate_suite(
    predicate: type[Predicate],
    settings: Mapping[str, Any] | None = None,
    *,
    records: Sequence[tuple[ConnectRecord, bool]],
    refused_settings: Sequence[Mapping[str, Any]] = (),
) -> type[PredicateSuite]:
    """Return the tests of a predicate. `records` are some with the verdict that is right for them."""
    check(bool(records), "a predicate's suite needs at least one record")

    class Suite(PredicateSuite):
        pass

    Suite.plugin, Suite.settings, Suite.refused_settings = predicate, settings or {}, refused_settings
    Suite.records = records
    Suite.__name__ = Suite.__qualname__ = f"{predicate.__name__}Suite"
    return Suite


def _facts(record: ConnectRecord | None) -> Any:
    """All that a record says, in a form that can be compared."""
    if record is None:
        return None
    headers = [(h.key, h.schema, h.value) for h in record.headers or ()]
    return (
        type(record), record.topic, record.partition, record.timestamp, record.key_schema, record.key, record.value_schema,
        record.value, headers,
    )  # fmt: skip


def _shape(record: ConnectRecord) -> Shape:
    return Shape(record.topic, record.key_schema, record.value_schema)


def _odd_records() -> Iterator[ConnectRecord]:
    """Records of every form that may come, most of which have nothing to do with the plugin."""
    for value in (None, "text", b"bytes", 1, 1.5, True, [1], {}, {"n": 1}):
        yield SourceRecord("odd", value=value)
        yield SourceRecord("odd", key=value, value=value)
    yield SourceRecord("odd", value_schema=STRING, value="text")
    yield SourceRecord("odd", key_schema=INT64, key=1, value_schema=_STRUCT, value={"n": 1})
    yield SourceRecord("odd", value_schema=_STRUCT.as_optional(), value=None)
    yield SinkRecord("odd", partition=0, value_schema=_STRUCT, value={"n": 1}, offset=3)


def _run_bound(transform: Transform, record: ConnectRecord) -> None:
    apply_bound(transform.bind(_shape(record)), record)


class TransformSuite(SuiteOfPlugin):
    """The promises of `penstock.api.Transform`."""

    records: Sequence[ConnectRecord]
    refused: Sequence[ConnectRecord]

    def configured(self, settings: Mapping[str, Any] | None = None) -> Transform:
        made: Transform = self.plugin()
        made.configure(dict(self.settings if settings is None else settings))
        return made

    def test_both_forms_do_the_same(self) -> None:
        transform = self.configured()
        for record in self.records:
            simple = _facts(transform.apply(copy.deepcopy(record)))
            bound = transform.bind(_shape(record))
            for _ in range(2):  # a bound function is called for record after record
                found = _facts(apply_bound(bound, copy.deepcopy(record)))
                check(found == simple, f"bind() makes {found} of {_facts(record)}, apply() makes {simple}")

    def test_a_record_that_is_handed_over_is_not_changed(self) -> None:
        transform = self.configured()
        for record in self.records:
            before = _facts(copy.deepcopy(record))
            transform.apply(record)
            check(_facts(record) == before, f"apply() changed its record {before} into {_facts(record)}: change a copy")
            apply_bound(transform.bind(_shape(record)), record)
            check(
                _facts(record) == before,
                f"the bound form changed {before} into {_facts(record)}: name in `writes` what it changes in place, and copy"
                " what lies deeper",
            )

    def test_what_comes_out_fits_its_schemas(self) -> None:
        transform = self.configured()
        for record in self.records:
            result = transform.apply(copy.deepcopy(record))
            for schema, value in (
                [] if result is None else [(result.key_schema, result.key), (result.value_schema, result.value)]
            ):
                if schema is not None and value is not None:
                    validate_value(schema, value)

    def test_the_shape_that_is_announced_is_the_shape_that_comes(self) -> None:
        transform = self.configured()
        for record in self.records:
            bound = transform.bind(_shape(record))
            result = apply_bound(bound, copy.deepcopy(record))
            if bound.shape is not None and result is not None:
                check(_shape(result) == bound.shape, f"bind() announces {bound.shape} and makes {_shape(result)}")

    def test_offsets_and_partitions_of_the_source_stay(self) -> None:
        transform = self.configured()
        for record in self.records:
            given = copy.deepcopy(record)
            result = transform.apply(given)
            if result is None:
                continue
            check(type(result) is type(record), f"a {type(record).__name__} became a {type(result).__name__}")
            names = ("source_partition", "source_offset") if isinstance(record, SourceRecord) else ("offset",)
            for name in names if isinstance(record, SourceRecord | SinkRecord) else ():
                check(getattr(result, name) == getattr(record, name), f"the transform changed the record's {name}")

    def test_records_of_every_form_are_handled_or_refused_as_data_errors(self) -> None:
        transform = self.configured()
        for record in _odd_records():
            refusal_of(f"a record with {_facts(record)}", transform.apply, record)
            refusal_of(f"in the bound form a record with {_facts(record)}", _run_bound, transform, record)

    def test_what_has_to_be_refused_is_refused(self) -> None:
        transform = self.configured()
        for record in self.refused:
            error = refusal_of(f"a record with {_facts(record)}", transform.apply, record)
            check(error is not None, f"the transform took {_facts(record)}: expected a DataError")


class PredicateSuite(SuiteOfPlugin):
    """The promises of `penstock.api.Predicate`."""

    records: Sequence[tuple[ConnectRecord, bool]]

    def configured(self, settings: Mapping[str, Any] | None = None) -> Predicate:
        made: Predicate = self.plugin()
        made.configure(dict(self.settings if settings is None else settings))
        return made

    def test_every_verdict_is_right_in_both_forms(self) -> None:
        predicate = self.configured()
        for record, expected in self.records:
            before = _facts(copy.deepcopy(record))
            check(predicate.test(record) is expected, f"test() of {before}: expected {expected}")
            bound = predicate.bind(_shape(record))
            verdict = bound if isinstance(bound, bool) else bound(record)
            check(verdict is expected, f"the bound form of {before} says {verdict}: expected {expected}")
            check(_facts(record) == before, f"the predicate changed its record {before}")

    def test_records_of_every_form_get_a_verdict_or_a_data_error(self) -> None:
        predicate = self.configured()
        for record in _odd_records():
            refusal_of(f"a record with {_facts(record)}", predicate.test, record)
