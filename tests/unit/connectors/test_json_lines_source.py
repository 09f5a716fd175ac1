"""The JSON lines source: schemas declared and inferred, offsets, errors that name line and field."""

import datetime as dt
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import (
    BOOLEAN,
    BYTES,
    DATE,
    FLOAT32,
    FLOAT64,
    INT8,
    INT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    TIMESTAMP,
    SchemaBuilder,
    decimal_schema,
    validate_value,
)
from penstock.errors import ConfigError, ConnectError, DataError
from penstock.testing.fakes import FakeSourceTaskContext, drain
from penstock_connectors.files.fitting import Misfit, fit_for
from penstock_connectors.files.inference import Inference
from penstock_connectors.files.json_lines_source import JsonLinesSource, JsonLinesSourceTask


@pytest.fixture
def source(tmp_path):
    started = []
    path = tmp_path / "in.jsonl"

    def start(content=None, offset=None, **props):
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        props = {"file": str(path), "topic": "t"} | {k.replace("_", "."): v for k, v in props.items()}
        task = JsonLinesSourceTask()
        task.idle_seconds = 0.0
        task.initialize(FakeSourceTaskContext(props, [({"file": str(path)}, offset)] if offset else []))
        task.start(props)
        started.append(task)
        return task

    start.path = path
    yield start
    for task in started:
        task.stop()
        task.close()


def values(records):
    return [r.value for r in records or []]


def fields(schema):
    return {f.name: f.schema for f in schema.fields}


DECLARED = json.dumps(
    {
        "type": "struct",
        "name": "com.example.Order",
        "fields": [
            {"field": "id", "type": "int64"},
            {"field": "note", "type": "string", "optional": True},
        ],
    }
)


def test_inferred_structs_arrays_numbers_and_missing_fields(source):
    task = source(
        '{"id": 1, "price": 1, "who": {"name": "a", "zip": null}, "tags": ["x"], "items": [{"n": 1}], "ok": true}\n'
        '{"id": 2, "price": 1.5, "who": {"name": "b"}, "tags": [], "items": [{"n": 2, "gift": true}]}\n',
        schema_name="com.example.Order",
    )
    records = drain(task)
    schema = records[0].value_schema
    who = SchemaBuilder.struct().name("com.example.OrderWho").field("name", STRING).field("zip", OPTIONAL_STRING)
    item = SchemaBuilder.struct().name("com.example.OrderItems").field("n", INT64)
    assert schema.name == "com.example.Order"
    assert fields(schema) == {
        "id": INT64,
        "price": FLOAT64,
        "who": who.build(),
        "tags": SchemaBuilder.array(STRING).build(),
        "items": SchemaBuilder.array(item.field("gift", BOOLEAN.as_optional()).build()).build(),
        "ok": BOOLEAN.as_optional(),
    }
    assert records[0].value["price"] == 1.0
    assert isinstance(records[0].value["price"], float)
    for record in records:
        assert record.value_schema is schema
        validate_value(schema, record.value)


def test_offsets_count_bytes_and_lines_and_blank_lines_are_passed_over(source):
    task = source('{"a": "ü"}\n\n  \r\n{"a": "b"}\r\n')
    records = drain(task)
    assert values(records) == [{"a": "ü"}, {"a": "b"}]
    short = {"sampled": 2, "sample_limit": 1000}
    assert [r.source_offset for r in records] == [
        {"position": 12, "line": 1, **short},
        {"position": 29, "line": 4, **short},
    ]
    assert records[0].source_partition == {"file": str(source.path)}


def test_it_goes_on_from_its_offset_with_the_same_schema_though_the_file_has_grown(source):
    first = source('{"a": 1}\n{"a": 2}\n')
    before = drain(first)
    with source.path.open("a") as file:
        file.write('{"a": 3}\n{"a": 4, "b": "new"}\n')
    second = source(offset=before[-1].source_offset)
    after = second.poll()
    assert values(after) == [{"a": 3}]
    assert after[0].value_schema == before[0].value_schema
    with pytest.raises(DataError, match="field 'b': not in the schema"):
        second.poll()


def test_a_changed_sample_size_infers_anew(source):
    source.path.write_text('{"a": 1}\n{"a": 2, "b": "new"}\n')
    offset = {"position": 9, "line": 1, "sampled": 1, "sample_limit": 1}
    assert values(drain(source(offset=offset, schema_infer_rows="10"))) == [{"a": 2, "b": "new"}]


def test_records_before_a_malformed_line_are_delivered_and_then_the_task_fails_naming_it(source):
    task = source('{"a": 1}\n{"a": 2}\n{"a": \n{"a": 4}\n')
    assert values(task.poll()) == [{"a": 1}, {"a": 2}]
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            task.poll()
    message = caught.value.message
    assert "in.jsonl', line 3: malformed JSON at column" in message
    assert "{'position': 25, 'line': 3}" in message


def test_a_malformed_first_line_fails_at_once(source):
    with pytest.raises(DataError, match="line 1: malformed JSON"):
        source("nonsense\n").poll()


def test_a_line_that_does_not_fit_the_inferred_schema_says_what_to_do(source):
    task = source('{"a": {"b": 1}}\n{"a": {"b": "x"}}\n', schema_infer_rows="1")
    assert len(task.poll()) == 1
    with pytest.raises(DataError) as caught:
        task.poll()
    assert "line 2: field 'a.b': expected a whole number (int64), met the string 'x'" in caught.value.message
    assert "inferred from the first 1 records: raise schema.infer.rows or declare the schema" in caught.value.message


def test_values_that_share_no_schema_are_named_with_their_lines(source):
    with pytest.raises(
        DataError,
        match=r"field 'a.b'.*of kind integer in line 1 and of kind string in line 3",
    ):
        source('{"a": {"b": 1}}\n{"a": {"b": 2}}\n{"a": {"b": "x"}}\n').poll()


def test_a_declared_schema_in_the_setting_or_in_a_file(source, tmp_path):
    (tmp_path / "schema.json").write_text(DECLARED)
    expected = (
        SchemaBuilder.struct().name("com.example.Order").field("id", INT64).field("note", OPTIONAL_STRING).build()
    )
    for props in ({"schema": DECLARED}, {"schema_file": str(tmp_path / "schema.json")}):
        records = drain(source('{"id": 1}\n{"id": 2, "note": "x"}\n', **props))
        assert records[0].value_schema == expected
        assert values(records) == [{"id": 1}, {"id": 2, "note": "x"}]
        assert records[0].source_offset == {"position": 10, "line": 1}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"note": "x"}', "field 'id': missing, but required"),
        ('{"id": null}', "field 'id': null, but required"),
        ('{"id": true}', "field 'id': expected a whole number (int64), met the boolean True"),
        ('{"id": 9223372036854775808}', "field 'id': 9223372036854775808 does not fit int64"),
        ('{"id": 1, "extra": 2}', "field 'extra': not in the schema"),
        ("[1]", "the record: expected an object, met the array"),
    ],
)
def test_what_a_declared_schema_refuses(source, line, problem):
    with pytest.raises(DataError) as caught:
        source(line + "\n", schema=DECLARED).poll()
    assert f"line 1: {problem}" in caught.value.message
    assert "schema.infer.rows" not in caught.value.message


def test_unknown_fields_may_be_left_out(source):
    assert values(drain(source('{"id": 1, "x": 2}\n', schema=DECLARED, unknown_fields="ignore"))) == [{"id": 1}]


def test_without_schema_values_are_what_json_says(source):
    records = drain(source('{"a": [1, 2.5, null]}\n5\n', schema="none"))
    assert values(records) == [{"a": [1, 2.5, None]}, 5]
    assert records[0].value_schema is None
    assert records[0].source_offset == {"position": 22, "line": 1}


def test_keys_come_from_a_field(source):
    content = '{"id": 7, "who": {"name": "a"}}\n{"id": 8, "who": null}\n'
    top = drain(source(content, key_field="id"))
    assert [(r.key_schema, r.key) for r in top] == [(INT64, 7), (INT64, 8)]
    deep = drain(source(content, key_field="who.name"))
    assert [(r.key_schema, r.key) for r in deep] == [(OPTIONAL_STRING, "a"), (OPTIONAL_STRING, None)]
    free = drain(source(content, key_field="who.name", schema="none"))
    assert [(r.key_schema, r.key) for r in free] == [(None, "a"), (None, None)]
    with pytest.raises(ConfigError, match=r"key\.field: The schema has no field 'nope'"):
        source(content, key_field="nope").poll()


def test_dates_and_decimals_where_asked_for(source):
    content = (
        '{"d": "2024-02-29", "t": "2024-02-29T12:00:00.5Z", "p": "1.5", "items": [{"p": 2}], "s": "2024-13-01"}\n'
        '{"d": "2024-03-01", "t": "2024-02-29 12:00:00+02:00", "p": "12.34", "items": [], "s": "2024-01-01"}\n'
    )
    records = drain(source(content, schema_infer_dates="true", decimal_fields="p:2,items.p:3"))
    schema = records[0].value_schema
    assert {n: s for n, s in fields(schema).items() if n != "items"} == {
        "d": DATE,
        "t": TIMESTAMP,
        "p": decimal_schema(2),
        "s": STRING,
    }
    assert fields(fields(schema)["items"].value_schema) == {"p": decimal_schema(3)}
    first, second = values(records)
    assert first["d"] == dt.date(2024, 2, 29)
    assert first["t"] == dt.datetime(2024, 2, 29, 12, 0, 0, 500_000, tzinfo=dt.UTC)
    assert second["t"] == dt.datetime(2024, 2, 29, 10, tzinfo=dt.UTC)
    assert str(first["p"]) == "1.50"
    assert str(first["items"][0]["p"]) == "2.000"


def test_decimal_fields_that_are_not_there_are_refused(source):
    with pytest.raises(ConfigError, match=r"decimal\.fields names 'q'"):
        source('{"p": "1"}\n', decimal_fields="q:2").poll()
    with pytest.raises(ConfigError, match="Expected field:scale"):
        JsonLinesSource().start({"file": "x", "topic": "t", "decimal.fields": "p"})


def test_stop_takes_the_last_line_without_its_end_and_is_exhausted(source):
    task = source('{"a": 1}\n{"a": 2}', file_end="stop")
    assert values(drain(task)) == [{"a": 1}, {"a": 2}]
    assert task.exhausted


def test_stop_is_exhausted_by_an_empty_file_and_refuses_a_missing_one(source):
    task = source("", file_end="stop")
    assert task.poll() is None
    assert task.exhausted
    source.path.unlink()
    with pytest.raises(ConnectError, match=r"cannot read .*No such file"):
        source(file_end="stop").poll()


def test_wait_tails_the_file_and_is_never_exhausted(source):
    task = source()
    assert task.poll() is None
    source.path.write_text('{"a": 1}\n{"a"')
    assert values(task.poll()) == [{"a": 1}]
    assert not task.poll()
    assert not task.exhausted
    with source.path.open("a") as file:
        file.write(": 2}\n")
    assert values(task.poll()) == [{"a": 2}]


def test_a_file_that_was_cut_short_or_replaced_fails_the_task(source):
    task = source('{"a": 1}\n{"a": 2}\n')
    drain(task)
    source.path.write_text("{}\n")
    with pytest.raises(ConnectError, match="was cut short: 18 bytes were read, 3 are left"):
        task.poll()
    with pytest.raises(ConnectError, match="has 3 bytes, but 18 were read already"):
        source(offset={"position": 18, "line": 2}).poll()
    task = source('{"a": 1}\n')
    drain(task)
    source.path.rename(source.path.with_suffix(".1"))
    source.path.write_text('{"a": 9}\n')
    with pytest.raises(ConnectError, match="was replaced by another file"):
        task.poll()


def test_a_record_without_end_is_refused_at_the_limit(source):
    task = source(b'{"a": 1}\n"' + b"x" * 1_000_000, max_record_bytes="300000", schema="none")
    assert values(task.poll()) == [{"a": 1}]
    with pytest.raises(DataError, match=r"line 2: .*no end within max\.record\.bytes \(300000\)"):
        task.poll()


def test_a_byte_order_mark_is_not_data(source):
    assert values(drain(source(b'\xef\xbb\xbf{"a": 1}\n'))) == [{"a": 1}]


@pytest.mark.parametrize(
    ("props", "problem"),
    [
        ({"schema": "yes"}, "Expected infer, none, or a schema as JSON"),
        ({"schema": '{"type": "strukt"}'}, "has the type 'strukt'"),
        ({"schema": '{"type": "struct"}'}, "is a struct without fields"),
        ({"schema": '{"type": "int32", "nmae": 1}'}, "unknown member 'nmae'"),
        ({"schema": "{"}, "is not JSON"),
        ({"schema": '{"type":"map","keys":{"type":"int32"},"values":{"type":"string"}}'}, "string keys"),
        ({"schema": "none", "schema.file": "x"}, "give one of the two"),
        ({"batch.size": "0"}, "at least 1"),
        ({"topic": ""}, "must be non-empty"),
    ],
)
def test_wrong_settings_are_named(props, problem):
    with pytest.raises(ConfigError) as caught:
        JsonLinesSource().start({"file": "x", "topic": "t"} | props)
    assert problem in caught.value.message


def test_new_offsets_are_checked():
    connector = JsonLinesSource()
    partition = (("file", "x"),)
    assert connector.alter_offsets({}, {partition: {"position": 5, "line": 1}, (("junk", 1),): None})
    for offset in ({"position": -1}, {"position": "5"}, {}, {"position": 5, "line": None}):
        with pytest.raises(ConnectError, match="must be"):
            connector.alter_offsets({}, {partition: offset})
    with pytest.raises(ConnectError, match="Source partitions of this connector"):
        connector.alter_offsets({}, {(("filename", "x"),): {"position": 5}})


@pytest.mark.parametrize(
    ("schema", "given_value", "expected"),
    [
        (INT8, 127, 127),
        (FLOAT32, 12.2, 12.199999809265137),
        (FLOAT64, 3, 3.0),
        (BYTES, "YWJj", b"abc"),
        (decimal_schema(2), 12.5, Decimal("12.50")),
        (decimal_schema(2), "1e2", Decimal("100.00")),
        (decimal_schema(0), 10**18, Decimal(10**18)),
        (DATE, 1, dt.date(1970, 1, 2)),
        (TIMESTAMP, "2024-01-01T00:00:00.123456", dt.datetime(2024, 1, 1, 0, 0, 0, 123000, tzinfo=dt.UTC)),
        (TIMESTAMP, 1000, dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)),
        (SchemaBuilder.map(STRING, DATE).build(), {"a": "2024-01-01"}, {"a": dt.date(2024, 1, 1)}),
        (OPTIONAL_INT64, None, None),
    ],
)
def test_forms_that_fit(schema, given_value, expected):
    fitted = fit_for(schema)(given_value)
    assert fitted == expected
    assert str(fitted) == str(expected)


@pytest.mark.parametrize(
    ("schema", "given_value", "problem"),
    [
        (INT8, 128, "128 does not fit int8"),
        (FLOAT32, 1e300, "does not fit float32"),
        (BYTES, "%", "Base64"),
        (decimal_schema(2), "1.234", "more decimals than the scale 2"),
        (decimal_schema(2), "abc", "a decimal number"),
        (decimal_schema(2), "NaN", "a decimal number"),
        (decimal_schema(2), "1e99999", "exponent beyond"),
        (decimal_schema(2), True, "a decimal as"),
        (DATE, "2024-02-30", "a date such as"),
        (DATE, 10**9, "outside the years"),
        (STRING, 5, "expected a string, met the number 5"),
        (STRING, None, "met null"),
    ],
)
def test_forms_that_do_not_fit(schema, given_value, problem):
    with pytest.raises(Misfit) as caught:
        fit_for(schema)(given_value)
    assert problem in caught.value.problem


def test_the_path_of_a_misfit_has_fields_and_places():
    item = SchemaBuilder.struct().field("price", FLOAT64).build()
    schema = SchemaBuilder.struct().field("items", SchemaBuilder.array(item).build()).build()
    with pytest.raises(Misfit) as caught:
        fit_for(schema)({"items": [{"price": 1.0}, {"price": "x"}]})
    assert caught.value.where == "items[1].price"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), below, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=2), JSON_VALUES, max_size=4), min_size=1, max_size=5))
def test_what_was_sampled_fits_the_inferred_schema(rows):
    inference = Inference("x.R", dates=True)
    inference.see_all((row, i + 1) for i, row in enumerate(rows))
    try:
        schema = inference.schema
    except DataError:
        return  # values of one place that share no schema
    fit = fit_for(schema)
    for row in rows:
        validate_value(schema, fit(json.loads(json.dumps(row))))
