"""What a transform says about a record it cannot handle: never a bare Python error, and where the trouble is."""

from __future__ import annotations

import contextlib
import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.api import Shape, apply_bound
from penstock.data import (
    BOOLEAN,
    BYTES,
    DATE,
    FLOAT32,
    FLOAT64,
    INT8,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIME,
    TIMESTAMP,
    Int8,
    SchemaBuilder,
    SinkRecord,
)
from penstock.data.logical import decimal_schema
from penstock.errors import ConnectError, DataError
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import ErrorStage, RecordFailure
from penstock_transforms import plugin

CLASSES = {}
for descriptor in plugin.penstock_register_transforms():
    module, _, name = descriptor.target.partition(":")
    CLASSES[name] = getattr(__import__(module, fromlist=[name]), name)

INNER = SchemaBuilder.struct().field("f", INT32).field("y", OPTIONAL_STRING).optional().build()
TYPES = [INT8, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES, decimal_schema(2), DATE, TIME, TIMESTAMP, INNER,
         SchemaBuilder.array(INT32).build()]  # fmt: skip
ANYTHING = st.sampled_from(
    [None, 1, -1, 300, 2**63, 2**70, 1.5, float("nan"), float("inf"), True, "text", "12", b"x", bytearray(b"q"),
     Decimal("1.23"), dt.date(2020, 1, 1), dt.time(1, 2), dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2020, 1, 1),
     [1], ["a"], {"f": 1}, {"f": "t", "y": 5}, {5: 6}, object(), Int8(3), dt.timedelta(1), (1, 2), {1, 2}]
)  # fmt: skip
TO = st.sampled_from(["int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"])
FIELD = st.sampled_from(["f", "in.f", "f.f"])
V2 = {"field.syntax.version": st.just("V2")}


def of(name, **config):
    return st.tuples(st.just(name), st.fixed_dictionaries(config))


TRANSFORMS = st.one_of(
    of("CastValue", spec=st.tuples(FIELD, TO).map(":".join), **V2),
    of("CastValue", spec=TO),
    of("TimestampConverterValue", field=FIELD, format=st.just("yyyy"), **{"target.type": st.sampled_from(["string", "unix", "Date", "Time", "Timestamp"])}, **V2),
    of("TimestampConverterValue", format=st.just("yyyy"), **{"target.type": st.sampled_from(["string", "unix", "Date"])}),
    of("MaskFieldValue", fields=FIELD, **V2),
    of("MaskFieldValue", fields=FIELD, replacement=st.just("7"), **V2),
    of("ExtractFieldValue", field=FIELD, **V2),
    of("HeaderFromValue", fields=FIELD, headers=st.just("h"), operation=st.sampled_from(["move", "copy"]), **V2),
    of("ReplaceFieldValue", renames=FIELD.map(lambda f: f"{f}:z"), **V2),
    of("ReplaceFieldValue", exclude=FIELD, **V2),
    of("ValueToKey", fields=FIELD, **V2),
    of("FlattenValue"),
    of("InsertFieldValue", **{"static.field": FIELD.map(lambda f: f"{f}.q"), "static.value": st.just("1")}, **V2),
    of("InsertFieldValue", **{"timestamp.field": st.just("t"), "offset.field": st.just("o"), "topic.field": st.just("f")}),
    of("HoistFieldValue", field=FIELD),
    of("DropValue", pattern=st.just(".*f"), nested=st.sampled_from(["true", "false"])),
    of("SetSchemaMetadataValue", **{"schema.name": st.just("x")}),
    of("ExtractNewRecordState", **{"add.fields": st.just("op,source.f"), "route.by.field": st.just("f")}),
)  # fmt: skip


def configured(name, config):
    transform = CLASSES[name]()
    transform.configure(config)
    return transform


def run(transform, value, schema=None):
    record = SinkRecord("orders", 0, None, None, schema, value, 1_700_000_000_000, offset=5)
    return apply_bound(transform.bind(Shape("orders", None, schema)), record)


@given(TRANSFORMS, st.sampled_from(TYPES), ANYTHING, st.sampled_from(["field", "nested", "whole", "map", "plain"]))
def test_a_value_that_contradicts_its_schema_is_never_a_bare_python_error(transform, of_type, value, where):
    struct = SchemaBuilder.struct().field("f", of_type).build()
    outer = SchemaBuilder.struct().field("in", struct).build()
    given_value, schema = {
        "field": ({"f": value}, struct),
        "nested": ({"in": {"f": value}}, outer),
        "whole": (value, of_type),
        "map": ({"f": value, "in": {"f": value}}, None),
        "plain": (value, None),
    }[where]
    with contextlib.suppress(ConnectError):  # said in our own words; anything else fails the test
        run(configured(*transform), given_value, schema)


ROW = SchemaBuilder.struct().field("id", INT32).field("in", INNER).build()
CITY = SchemaBuilder.struct().field("in", SchemaBuilder.struct().field("f", STRING).build()).build()
CAST_INNER = ("CastValue", {"spec": "in.f:int8", "field.syntax.version": "V2"})


@pytest.mark.parametrize(
    ("transform", "value", "schema", "message", "place"),
    [
        (("CastValue", {"spec": "id:int8"}), {"id": "x"}, ROW, "What value.id holds is not what its schema says: TypeError", None),
        (CAST_INNER, {"in": {"f": "x"}}, ROW, "What value.in.f holds is not what its schema says", None),
        (CAST_INNER, {"in": {"f": "x"}}, CITY, "Value (x) was out of range for requested data type", "at value.in.f"),
        (CAST_INNER, {"in": {"f": "x"}}, None, "Value (x) was out of range for requested data type", "at value.in.f"),
        (CAST_INNER, {"in": "text"}, ROW, "Only Struct objects supported for [cast types], found: java.lang.String", "at value.in"),
        (("CastValue", {"spec": "in:int8"}), {"in": {"f": 1}}, ROW, "Cast transformation does not support casting from STRUCT", "at value.in"),
        (("CastValue", {"spec": "int8"}), "x", STRING, "Value (x) was out of range for requested data type", "at value"),
        (("MaskFieldValue", {"fields": "in"}), {"in": {"f": 1}}, ROW, "Cannot mask value of type", "at value.in"),
        (("FlattenValue", {}), {"in": 5}, ROW, "Only Struct objects supported for [flattening]", "at value.in"),
        (("TimestampConverterValue", {"field": "in.f", "target.type": "unix", "format": "yyyy", "field.syntax.version": "V2"}),
         {"in": {"f": "x"}}, CITY, "Could not parse timestamp: value (x) does not match pattern (yyyy)", "at value.in.f"),
    ],
)  # fmt: skip
def test_an_error_says_which_field_it_is_about(transform, value, schema, message, place):
    with pytest.raises(DataError) as caught:
        run(configured(*transform), value, schema)
    assert caught.value.message.startswith(message)
    assert getattr(caught.value, "__notes__", [None]) == [place]  # None: the message itself says it


def test_each_record_of_a_shape_that_cannot_be_handled_is_told_once_where():
    bound = configured("CastValue", {"spec": "in:int8"}).bind(Shape("t", None, ROW))
    for _ in range(3):
        with pytest.raises(DataError) as caught:
            apply_bound(bound, SinkRecord("t", value_schema=ROW, value={"in": {"f": 1}}))
        assert caught.value.__notes__ == ["at value.in"]


def test_a_failure_is_reported_with_stage_class_position_and_field():
    with pytest.raises(DataError) as caught:
        run(configured(*CAST_INNER), {"in": {"f": "x"}}, CITY)
    failure = RecordFailure(
        ConnectorTaskId("shop", 0), ErrorStage.TRANSFORMATION, "org.apache.kafka.connect.transforms.Cast$Value as types",
        caught.value, "topic orders, partition 0, offset 5",
    )  # fmt: skip
    said = failure.describe()
    for part in (
        "Cast$Value as types",
        "topic orders, partition 0, offset 5",
        "Value (x) was out of range",
        "at value.in.f",
    ):
        assert part in said


NULL_SAFE = [
    ("CastValue", {"spec": "id:int8"}), ("FlattenValue", {}), ("ReplaceFieldValue", {"exclude": "id"}),
    ("InsertFieldValue", {"static.field": "a", "static.value": "b"}), ("DropValue", {"pattern": "id"}),
    ("TimestampConverterValue", {"field": "id", "target.type": "unix"}), ("ExtractFieldValue", {"field": "id"}),
    ("SetSchemaMetadataValue", {"schema.name": "x"}), ("RegexRouter", {"regex": "o", "replacement": "p"}),
    ("InsertHeader", {"header": "a", "value.literal": "1"}), ("DropHeaders", {"headers": "a"}),
    ("TimestampRouter", {}), ("ExtractNewRecordState", {"delete.tombstone.handling.mode": "rewrite-with-tombstone"}),
    ("TimezoneConverter", {"converted.timezone": "UTC"}), ("ByLogicalTableRouter", {"topic.regex": "o", "topic.replacement": "p"}),
]  # fmt: skip
DATED = SchemaBuilder.struct().field("id", INT64).build()
REFUSE_NULL = [
    ("MaskFieldValue", {"fields": "id"}), ("HeaderFromValue", {"fields": "id", "headers": "h", "operation": "copy"}),
    ("ValueToKey", {"fields": "id"}),
]  # fmt: skip


@pytest.mark.parametrize("transform", NULL_SAFE, ids=lambda t: t[0])
@pytest.mark.parametrize("schema", [None, DATED.as_optional()])
def test_tombstones_go_through(transform, schema):
    assert run(configured(*transform), None, schema).value is None


@pytest.mark.parametrize("transform", REFUSE_NULL, ids=lambda t: t[0])
def test_tombstones_are_refused_where_kafka_refuses_them(transform):
    with pytest.raises(DataError, match=r"Only Map objects supported in absence of schema for \[.*\], found: null"):
        run(configured(*transform), None)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (("ExtractFieldValue", {"field": "in.f.x", "field.syntax.version": "V2"}), None),
        (("ReplaceFieldValue", {"exclude": "in.f", "field.syntax.version": "V2"}), {"in": None}),
        (("CastValue", {"spec": "in.f:int8", "field.syntax.version": "V2"}), {"in": None}),
        (("MaskFieldValue", {"fields": "in.f", "field.syntax.version": "V2"}), {"in": None}),
    ],
)
def test_a_path_through_a_null_leads_to_nothing(transform, expected):
    assert run(configured(*transform), {"in": None}).value == expected


@pytest.mark.parametrize(
    "transform",
    [
        ("ReplaceFieldValue", {"renames": "id:in"}),
        ("InsertFieldValue", {"static.field": "id", "static.value": "x"}),
        ("ExtractNewRecordState", {"add.fields": "op:f", "add.fields.prefix": ""}),
    ],
)
def test_two_fields_of_one_name_are_a_data_error(transform):
    envelope = (
        SchemaBuilder.struct().name("x.Envelope").field("before", INNER).field("after", INNER).field("op", STRING)
    )
    schema, value = ROW, {"id": 1}
    if transform[0] == "ExtractNewRecordState":
        schema, value = envelope.build(), {"after": {"f": 1}, "op": "c"}
    with pytest.raises(DataError, match="Cannot create field because of field name duplication"):
        run(configured(*transform), value, schema)
