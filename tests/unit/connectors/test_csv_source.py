"""The CSV source: where records end, what columns become, positions that hold across quoted line ends."""

import csv
import datetime as dt
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    decimal_schema,
    validate_value,
)
from penstock.errors import ConfigError, DataError
from penstock.testing.fakes import FakeSourceTaskContext, drain
from penstock_connectors.files.csv_source import CsvSource, CsvSourceTask
from penstock_connectors.files.csv_text import csv_splitter


@pytest.fixture
def source(tmp_path):
    started = []
    path = tmp_path / "in.csv"

    def start(content=None, offset=None, **props):
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        props = {"file": str(path), "topic": "t"} | {k.replace("_", "."): v for k, v in props.items()}
        task = CsvSourceTask()
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


def test_columns_are_inferred_from_the_sample(source):
    records = drain(
        source(
            "id,price,zip,ok,note,day,qty\n1,2,00123,true,,2024-01-01,5\n2,2.5,12345,false,hi,2024-01-02,\n",
            schema_infer_dates="true",
            schema_name="com.example.Row",
        )
    )
    schema = records[0].value_schema
    assert schema.name == "com.example.Row"
    assert fields(schema) == {
        "id": INT64,
        "price": FLOAT64,
        "zip": STRING,
        "ok": BOOLEAN,
        "note": OPTIONAL_STRING,
        "day": DATE,
        "qty": OPTIONAL_INT64,
    }
    assert values(records) == [
        {"id": 1, "price": 2.0, "zip": "00123", "ok": True, "note": None, "day": dt.date(2024, 1, 1), "qty": 5},
        {"id": 2, "price": 2.5, "zip": "12345", "ok": False, "note": "hi", "day": dt.date(2024, 1, 2), "qty": None},
    ]
    for record in records:
        validate_value(schema, record.value)


def test_quoted_line_ends_belong_to_the_field_and_offsets_stay_exact(source):
    content = 'a,b\r\n1,"x\ny"\r\n\n2,"say ""hi"", ok"\r\n'
    records = drain(source(content))
    assert values(records) == [{"a": 1, "b": "x\ny"}, {"a": 2, "b": 'say "hi", ok'}]
    assert [(r.source_offset["position"], r.source_offset["line"]) for r in records] == [(14, 3), (len(content), 5)]
    again = drain(source(offset=records[0].source_offset))
    assert values(again) == values(records)[1:]
    assert [r.source_offset for r in again] == [records[1].source_offset]


def test_an_inch_sign_inside_a_field_is_a_character(source):
    assert values(drain(source('a,b\n5" disk,1\n6" disk,2\n'))) == [{"a": '5" disk', "b": 1}, {"a": '6" disk', "b": 2}]


def test_names_may_be_given_instead_of_a_header(source):
    assert values(drain(source("1;x\n", csv_header="none", csv_columns="id,name", csv_separator=";"))) == [
        {"id": 1, "name": "x"}
    ]
    assert values(drain(source("A\tB\n1\tx\n", csv_header="skip", csv_columns="id,name", csv_separator="\\t"))) == [
        {"id": 1, "name": "x"}
    ]


def test_without_schema_rows_are_maps_of_strings(source):
    records = drain(source("a,b\n1,\n", schema="none"))
    assert values(records) == [{"a": "1", "b": ""}]
    assert records[0].value_schema is None


DECLARED = json.dumps(
    {
        "type": "struct",
        "fields": [
            {"field": "id", "type": "int32"},
            {
                "field": "price",
                "type": "bytes",
                "name": "org.apache.kafka.connect.data.Decimal",
                "parameters": {"scale": "2"},
            },
            {"field": "when", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp", "optional": True},
        ],
    }
)


def test_a_declared_schema_types_the_columns(source):
    records = drain(source("id,price,when\n1,1.5,2024-01-01T00:00:00Z\n2,3,\n", schema=DECLARED, key_field="id"))
    assert [str(v["price"]) for v in values(records)] == ["1.50", "3.00"]
    assert [v["when"] for v in values(records)] == [dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None]
    assert [r.key for r in records] == [1, 2]


def test_decimals_by_column(source):
    records = drain(source("id,price\n1,1.5\n", decimal_fields="price:2"))
    assert fields(records[0].value_schema)["price"] == decimal_schema(2)
    with pytest.raises(ConfigError, match="Expected one of the columns id, price"):
        source("id,price\n1,1.5\n", decimal_fields="total:2").poll()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("x,1.00,", "field 'id': expected a whole number, met 'x'"),
        ("99999999999,1.00,", "field 'id': 99999999999 does not fit int32"),
        ("1,1.005,", "field 'price': 1.005 has more decimals than the scale 2"),
        (",1.00,", "field 'id': expected a whole number, met ''"),
        ("1,1.00", "the row has 2 fields, expected 3"),
        ("1,1.00,soon", "field 'when': expected a timestamp such as"),
    ],
)
def test_a_bad_row_fails_after_those_before_it(source, row, problem):
    task = source(f"id,price,when\n1,1.00,\n{row}\n", schema=DECLARED)
    assert len(task.poll()) == 1
    with pytest.raises(DataError) as caught:
        task.poll()
    assert "in.csv', line 3: " + problem in caught.value.message


def test_a_row_that_does_not_fit_the_inferred_schema_says_what_to_do(source):
    task = source("a\n1\nx\n", schema_infer_rows="1")
    assert len(task.poll()) == 1
    with pytest.raises(DataError, match=r"line 3: .*raise schema\.infer\.rows or declare the schema"):
        task.poll()


def test_text_behind_a_closed_quote_is_malformed(source):
    with pytest.raises(DataError, match="line 2: malformed CSV"):
        source('a,b\n"x"y,1\n').poll()


def test_bytes_that_are_not_utf_8_are_refused(source):
    with pytest.raises(DataError, match=r"line 2: not UTF-8"):
        source(b"a\n\xff\n").poll()


def test_a_quote_that_is_never_closed_is_found(source):
    with pytest.raises(DataError, match="line 2: malformed CSV: unexpected end of data"):
        drain(source('a,b\n1,"x\n2,y\n', file_end="stop", schema="none"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a,a\n1,2\n", "line 1 has the column 'a' twice"),
        ("a,\n1,2\n", "line 1 has a column without a name"),
        ("\n1,2\n", "met an empty line"),
    ],
)
def test_a_header_that_names_no_columns_is_refused(source, content, problem):
    with pytest.raises((ConfigError, DataError)) as caught:
        source(content).poll()
    assert problem in caught.value.message


def test_a_schema_that_does_not_match_the_columns_is_refused(source):
    with pytest.raises(ConfigError, match="column 'x' is not a field of the schema"):
        source("id,x\n1,2\n", schema=DECLARED).poll()
    with pytest.raises(ConfigError, match="field 'price' is required, but no column"):
        source("id\n1\n", schema=DECLARED).poll()
    nested = '{"type":"struct","fields":[{"field":"a","type":"array","items":{"type":"string"}}]}'
    with pytest.raises(ConfigError, match="holds plain values only"):
        source("a\n1\n", schema=nested).poll()


def test_a_header_alone_has_no_records(source):
    task = source("a,b\n", file_end="stop")
    assert task.poll() is None
    assert task.exhausted
    waiting = source("a,b\n")
    assert waiting.poll() is None
    assert not waiting.exhausted
    with source.path.open("a") as file:
        file.write("1,2\n")
    assert values(waiting.poll()) == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("props", "problem"),
    [
        ({"csv.header": "none"}, "Expected csv.columns"),
        ({"csv.columns": "a"}, "Expected no csv.columns"),
        ({"csv.separator": "::"}, "Expected one ASCII character"),
        ({"csv.quote": "''"}, "Expected one ASCII character"),
        ({"csv.header": "none", "csv.columns": "a,a"}, "twice"),
    ],
)
def test_wrong_settings_are_named(props, problem):
    with pytest.raises(ConfigError) as caught:
        CsvSource().start({"file": "x", "topic": "t"} | props)
    assert problem in caught.value.message


ROWS = st.lists(st.lists(st.text(alphabet='ab",\n;ü', max_size=4), min_size=1, max_size=3), min_size=1, max_size=6)


@given(ROWS)
def test_records_end_where_the_csv_module_says(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    data = text.getvalue().encode()
    records, rest = csv_splitter(b",", b'"')(data)
    assert rest == b""
    assert b"".join(records) == data
    assert [next(csv.reader([r.decode()])) for r in records] == rows


@given(ROWS, st.integers(0, 60))
def test_a_cut_anywhere_keeps_whole_records_and_the_rest(rows, at):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    data = text.getvalue().encode()
    split = csv_splitter(b",", b'"')
    whole, _ = split(data)
    first, rest = split(data[:at])
    second, nothing = split(rest + data[at:])
    assert (first + second, nothing) == (whole, b"")
