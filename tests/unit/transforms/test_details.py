"""What the recorded cases do not show: nulls under a schema, what is shared with whom, messages of our own."""

from __future__ import annotations

import pytest

from penstock.api import Shape, apply_bound
from penstock.data import (
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    SchemaBuilder,
    SinkRecord,
    SourceRecord,
    TimestampType,
    Type,
)
from penstock.errors import ConfigError, DataError
from penstock_transforms.cast import CastValue
from penstock_transforms.extract_field import ExtractFieldValue
from penstock_transforms.flatten import FlattenValue
from penstock_transforms.insert_field import InsertFieldValue
from penstock_transforms.insert_header import InsertHeader
from penstock_transforms.mask_field import MaskFieldValue
from penstock_transforms.predicates.topic_name_matches import TopicNameMatches
from penstock_transforms.regex_router import RegexRouter
from penstock_transforms.replace_field import ReplaceFieldValue
from penstock_transforms.timestamp_converter import TimestampConverterValue
from penstock_transforms.timestamp_router import TimestampRouter

PAIR = SchemaBuilder.struct().field("a", INT32).field("b", OPTIONAL_STRING).build()


def made(cls, **config):
    transform = cls()
    transform.configure({name.replace("_", "."): value for name, value in config.items()})
    return transform


def test_a_null_under_an_optional_schema_keeps_it_and_the_bound_form_promises_no_shape():
    schema = PAIR.as_optional()
    bound = made(CastValue, spec="a:string").bind(Shape("t", None, schema))
    assert bound.shape is None
    out = apply_bound(bound, SourceRecord("t", value_schema=schema, value=None))
    assert (out.value, out.value_schema) == (None, schema)


def test_a_null_passes_where_the_schema_cannot_be_handled():
    transform = made(InsertFieldValue, topic_field="a")
    record = SourceRecord("t", value_schema=PAIR.as_optional())
    assert transform.apply(record) == record
    with pytest.raises(DataError, match="field name duplication a"):
        transform.apply(SourceRecord("t", value_schema=PAIR, value={"a": 1}))


def test_an_offset_field_asks_for_a_sink_only_where_there_is_a_value():
    transform = made(InsertFieldValue, offset_field="o")
    assert transform.apply(SourceRecord("t")).value is None
    with pytest.raises(DataError, match="Only SinkRecord supported"):
        transform.apply(SourceRecord("t", value={"a": 1}))


def test_masked_lists_are_not_shared_between_records():
    transform = made(MaskFieldValue, fields="l")
    bound = transform.bind(Shape("t", None, None))
    first = apply_bound(bound, SourceRecord("t", value={"l": [1]}))
    first.value["l"].append("mine")
    assert apply_bound(bound, SourceRecord("t", value={"l": [1]})).value == {"l": []}


def test_defaults_fill_nulls_of_fields_that_are_not_named():
    schema = PAIR.replace(fields=[("a", INT32), ("d", SchemaBuilder(Type.INT64).optional().default(7).build())])
    record = SourceRecord("t", value_schema=schema, value={"a": 1})
    assert made(ReplaceFieldValue, renames="a:x").apply(record).value == {"x": 1, "d": 7}
    kept = made(ReplaceFieldValue, renames="a:x", replace_null_with_default="false")
    assert kept.apply(record).value == {"x": 1}


def test_a_flattened_struct_gets_the_defaults_of_the_struct_it_was_in():
    inner = SchemaBuilder.struct().optional().field("x", INT32).default({"x": 5}).build()
    schema = SchemaBuilder.struct().field("in", inner).build()
    out = made(FlattenValue).apply(SourceRecord("t", value_schema=schema, value={"in": None}))
    field = out.value_schema.field("in.x").schema
    assert (field.optional, field.default) == (True, 5)
    assert out.value.get("in.x") is None


def test_the_router_names_each_day_by_its_own_date():
    bound = made(TimestampRouter).bind(Shape("t", None, None))
    topics = [apply_bound(bound, SourceRecord("t", timestamp=day * 86_400_000 + 5)).topic for day in (0, 1, 1, 0, -1)]
    assert topics == ["t-19700101", "t-19700102", "t-19700102", "t-19700101", "t-19691231"]


def test_a_record_without_timestamp_is_shown_as_the_jvm_shows_it():
    record = SinkRecord("t", 0, STRING, "k", None, {"a": 1.5}, offset=7, timestamp_type=TimestampType.CREATE_TIME)
    record.headers.add("h", 1, INT64)
    with pytest.raises(DataError) as caught:
        made(TimestampRouter).apply(record)
    assert str(caught.value) == (
        "Timestamp missing on record: SinkRecord{kafkaOffset=7, timestampType=CreateTime, originalTopic=t, "
        "originalKafkaPartition=0, originalKafkaOffset=7} ConnectRecord{topic='t', kafkaPartition=0, key=k, "
        "keySchema=Schema{STRING}, value={a=1.5}, valueSchema=null, timestamp=null, headers=ConnectHeaders(headers="
        "[ConnectHeader(key=h, value=SchemaAndValue{schema=Schema{INT64}, value=1})])}"
    )


def test_a_topic_that_does_not_match_keeps_its_record():
    record = SourceRecord("other")
    assert made(RegexRouter, regex="a(.*)", replacement="$1").apply(record) is record


def test_a_pattern_beyond_what_is_supported_is_refused_when_configured():
    with pytest.raises(
        ConfigError, match=r"for configuration pattern: Invalid regex: .*javaLowerCase.*not supported here"
    ):
        made(TopicNameMatches, pattern="\\p{javaLowerCase}+")


def test_a_headers_value_keeps_the_type_its_text_shows():
    out = made(InsertHeader, header="n", value_literal="2.5").apply(SourceRecord("t"))
    assert out.headers[0].value == 2.5


def test_years_beyond_python_stay_milliseconds_beside_a_schema():
    record = SourceRecord("t", value_schema=INT64, value=10**15)
    out = made(TimestampConverterValue, target_type="Timestamp").apply(record)
    assert out.value == 10**15
    back = made(TimestampConverterValue, target_type="string", format="yyyy").apply(out)
    assert back.value == "33658"


def test_strings_without_a_format_are_an_error_of_the_record():
    transform = made(TimestampConverterValue, target_type="unix")
    assert transform.apply(SourceRecord("t", value_schema=OPTIONAL_STRING)).value is None
    with pytest.raises(DataError, match="setting format"):
        transform.apply(SourceRecord("t", value_schema=STRING, value="2024"))


def test_an_extracted_field_may_be_changed_without_touching_the_record_it_came_from():
    value = {"in": {"x": 1}}
    extract = made(ExtractFieldValue, field="in").bind(Shape("t", None, None))
    insert = made(InsertFieldValue, static_field="y", static_value="z").bind(extract.shape)
    out = apply_bound(insert, apply_bound(extract, SourceRecord("t", value=value)))
    assert out.value == {"x": 1, "y": "z"}
    assert value == {"in": {"x": 1}}


@pytest.mark.parametrize("value", [1700000000123456, -1700000000123456, 2**31 * 86_400, -(2**31) * 86_400 - 86_400])
def test_a_date_beyond_32_bits_is_the_records_error_and_names_the_field(value):
    schema = SchemaBuilder.struct().field("x", INT64).build()
    record = SourceRecord("t", value_schema=schema, value={"x": value})
    with pytest.raises(DataError, match="do not fit Connect's Date") as caught:
        made(TimestampConverterValue, target_type="Date", field="x", unix_precision="seconds").apply(record)
    assert "value.x" in " ".join(caught.value.__notes__)


def test_the_last_day_of_32_bits_is_a_date():
    schema = SchemaBuilder.struct().field("x", INT64).build()
    record = SourceRecord("t", value_schema=schema, value={"x": (2**31 - 1) * 86_400})
    out = made(TimestampConverterValue, target_type="Date", field="x", unix_precision="seconds").apply(record)
    assert out.value["x"] == (2**31 - 1) * 86_400_000
