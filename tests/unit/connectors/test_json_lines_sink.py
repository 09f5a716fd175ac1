import datetime as dt
import json
from decimal import Decimal

import pytest

from penstock.api import TopicPartition
from penstock.data import (
    BYTES,
    DATE,
    FLOAT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIMESTAMP,
    Int32,
    SchemaBuilder,
    SinkRecord,
    decimal_schema,
)
from penstock.errors import ConfigError, ConnectError, DataError
from penstock.testing.fakes import FakeSinkTaskContext
from penstock_connectors.files.json_lines_sink import JsonLinesSink, JsonLinesSinkTask


@pytest.fixture
def sink(tmp_path):
    started = []

    def start(**props):
        task = JsonLinesSinkTask()
        task.initialize(FakeSinkTaskContext())
        task.start({"file": str(tmp_path / "out.jsonl")} | {k.replace("_", "."): v for k, v in props.items()})
        started.append(task)
        return task

    start.path = tmp_path / "out.jsonl"
    yield start
    for task in started:
        task.stop()


ADDRESS = SchemaBuilder.struct().field("zip", OPTIONAL_STRING).field("ratio", FLOAT32).build()
ORDER = (
    SchemaBuilder.struct()
    .field("id", INT64)
    .field("price", decimal_schema(2))
    .field("day", DATE)
    .field("at", TIMESTAMP)
    .field("raw", BYTES)
    .field("note", OPTIONAL_STRING)
    .field("address", ADDRESS.as_optional())
    .field("more", SchemaBuilder.array(ADDRESS).build())
    .build()
)
VALUE = {
    "id": 1,
    "price": Decimal("12345678901234567890.10"),
    "day": dt.date(2024, 2, 29),
    "at": dt.datetime(2024, 2, 29, 12, 0, tzinfo=dt.UTC),
    "raw": b"abc",
    "address": {"ratio": 12.199999809265137},
    "more": [{"zip": "1", "ratio": 0.5}],
}


def test_a_struct_is_an_object_with_all_its_fields(sink):
    value = dict(VALUE)
    sink().put([SinkRecord("t", 0, value_schema=ORDER, value=value)])
    assert json.loads(sink.path.read_text()) == {
        "id": 1,
        "price": "12345678901234567890.10",
        "day": "2024-02-29",
        "at": "2024-02-29T12:00:00Z",
        "raw": "YWJj",
        "note": None,
        "address": {"zip": None, "ratio": 12.2},
        "more": [{"zip": "1", "ratio": 0.5}],
    }
    assert value == VALUE
    assert value["address"] == {"ratio": 12.199999809265137}


def test_decimals_as_numbers_keep_every_digit(sink):
    sink(decimal_format="number").put([SinkRecord("t", 0, value_schema=ORDER, value=VALUE)])
    assert '"price":12345678901234567890.10,' in sink.path.read_text()


def test_values_without_schema_and_tombstones(sink):
    task = sink()
    task.put([SinkRecord("t", 0, value={"a": [Int32(1), 2.5, None], 5: "x"}), SinkRecord("t", 0, value=None)])
    task.put([])
    task.put([SinkRecord("t", 0, value_schema=STRING, value="ü")])
    assert sink.path.read_text("utf-8") == '{"a":[1,2.5,null],"5":"x"}\nnull\n"ü"\n'


def test_key_and_metadata_on_request(sink):
    record = SinkRecord("t", 3, key="k", value={"a": 1}, timestamp=17, offset=5)
    sink(include_key="true", include_metadata="true").put([record])
    assert json.loads(sink.path.read_text()) == {
        "key": "k",
        "value": {"a": 1},
        "topic": "t",
        "partition": 3,
        "offset": 5,
        "timestamp": 17,
    }


def test_lines_are_appended_and_a_torn_last_line_is_ended(sink, caplog):
    sink.path.write_text('{"a":1}\n{"a')
    task = sink()
    assert "is incomplete" in caplog.text
    task.put([SinkRecord("t", 0, value=1)])
    task.pre_commit({TopicPartition("t", 0): 1})
    assert sink.path.read_text() == '{"a":1}\n{"a\n1\n'


def test_a_value_json_cannot_hold_names_its_record(sink):
    task = sink()
    with pytest.raises(DataError, match="record of t-0 at offset 7 as JSON"):
        task.put([SinkRecord("t", 0, value=1, offset=6), SinkRecord("t", 0, value=2**70, offset=7)])
    assert sink.path.read_text() == ""


def test_a_missing_folder_and_a_full_disk_are_named(tmp_path):
    with pytest.raises(ConnectError, match="Couldn't find or create file"):
        JsonLinesSinkTask().start({"file": str(tmp_path / "no" / "out")})
    task = JsonLinesSinkTask()
    task.start({"file": "/dev/full"})
    with pytest.raises(ConnectError, match="JsonLinesSink cannot write to '/dev/full'"):
        task.put([SinkRecord("t", 0, value=1)])
    task.stop()


def test_the_connector_checks_its_settings():
    connector = JsonLinesSink()
    with pytest.raises(ConfigError, match=r"decimal\.format"):
        connector.start({"file": "x", "decimal.format": "float"})
    connector.start({"file": "x"})
    assert connector.task_configs(2) == [{"file": "x"}] * 2
    assert connector.task_class is JsonLinesSinkTask


@pytest.mark.parametrize("settings", [{}, {"include.key": "true", "include.metadata": "true"}])
def test_half_a_character_pair_is_written_as_a_question_mark(tmp_path, settings):
    value = {"a\ud83d": ["cut \ud83d", {"b": "\ud83d\ude00"}]}
    file = tmp_path / "out"
    task = JsonLinesSinkTask()
    task.start({"file": str(file), **settings})
    task.put([SinkRecord("t", 0, key="k\ud83d", value=value, offset=1)])
    line = json.loads(file.read_text().splitlines()[0])
    assert (line["value"] if settings else line) == {"a?": ["cut ?", {"b": "\U0001f600"}]}
