"""``penstock transform`` and `penstock.testing.transforms`: a chain on given records, stage by stage."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer

from penstock.api import Transform
from penstock.cli import main
from penstock.cli.record_json import RecordReader, split_records
from penstock.data import INT32, INT64, STRING, SchemaBuilder, SinkRecord, SourceRecord
from penstock.errors import ConfigError, DataError
from penstock.plugins import Plugins
from penstock.plugins.settings import PluginSettings
from penstock.testing.transforms import StageFailed, run_transforms

ROW = SchemaBuilder.struct().name("Row").field("id", INT64).field("count", INT32).build()
CONFIG = {
    "name": "orders",
    "connector.class": "FileStreamSource",
    "transforms": "site,types,few",
    "transforms.site.type": "InsertField$Value",
    "transforms.site.static.field": "site",
    "transforms.site.static.value": "plant-1",
    "transforms.types.type": "Cast$Value",
    "transforms.types.spec": "count:string",
    "transforms.few.type": "Filter",
    "transforms.few.predicate": "big",
    "predicates": "big",
    "predicates.big.type": "RecordMatches$Value",
    "predicates.big.condition": "value.id > 5",
}
ENVELOPE = {
    "schema": {
        "type": "struct",
        "name": "Row",
        "fields": [{"field": "id", "type": "int64"}, {"field": "count", "type": "int32"}],
    },
    "payload": {"id": 3, "count": 4},
}


@pytest.fixture
def plugins():
    return Plugins.discover(PluginSettings.load(None))


@pytest.fixture
def command(tmp_path, capsys):
    def run(records, config=None, *arguments):
        (tmp_path / "connector.json").write_text(json.dumps({**CONFIG, **(config or {})}))
        given = ["--config", str(tmp_path / "connector.json"), *arguments]
        if records is not None:
            text = records if isinstance(records, str) else "\n".join(json.dumps(r) for r in records)
            (tmp_path / "records.json").write_text(text)
            given += ["--record", str(tmp_path / "records.json")]
        status = main(["transform", *given])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


class Half(Transform):
    """A stranger's transform in the per-record form, with a bug for odd numbers."""

    def apply(self, record):
        if record.value["id"] % 2:
            raise ValueError("odd")
        return SourceRecord(record.topic, value={"id": record.value["id"] // 2})


def test_the_api_keeps_what_every_stage_made():
    record = SourceRecord("t", value_schema=ROW, value={"id": 3, "count": 4})
    run = run_transforms(CONFIG, record)
    assert [(s.alias, s.applied) for s in run.stages] == [("site", True), ("types", True), ("few", False)]
    assert run.stage("site").before is record
    assert run.stage("site").after.value == {"id": 3, "count": 4, "site": "plant-1"}
    assert run.stage("types").after.value_schema.field("count").schema == STRING
    assert run.result.value == {"id": 3, "count": "4", "site": "plant-1"}
    assert record.value == {"id": 3, "count": 4}
    assert run.failed is None
    with pytest.raises(KeyError):
        run.stage("nothing")


def test_a_dropped_record_has_no_result_and_sees_no_later_stage():
    config = {**CONFIG, "transforms": "few,site"}
    run = run_transforms(config, SourceRecord("t", value={"id": 9}))
    assert run.result is None
    assert [s.alias for s in run.stages] == ["few"]


def test_a_plugins_own_transform_takes_part_unchanged():
    config = {**CONFIG, "transforms": "half,site", "transforms.half.type": f"{Half.__module__}:Half"}
    assert run_transforms(config, SourceRecord("t", value={"id": 4})).result.value == {"id": 2, "site": "plant-1"}
    run = run_transforms(config, SourceRecord("t", value={"id": 5}))
    assert run.failed.alias == "half"
    with pytest.raises(StageFailed, match=r"stage half \(.*Half\) failed for the record of topic t: ValueError: odd"):
        _ = run.result


def test_a_chain_that_cannot_be_made_is_an_error_at_once():
    with pytest.raises(ConfigError, match=r"transforms\.few\.predicate"):
        run_transforms({**CONFIG, "predicates": ""}, SourceRecord("t"))


def test_every_stage_is_shown_before_and_after_with_its_schema_changes(command):
    status, out, err = command([{"topic": "t", "key": "k", "value": ENVELOPE, "headers": {"h": 1}}])
    assert (status, err) == (0, "")
    assert [line for line in out.split("\n") if line.startswith("stage")] == [
        "stage site (org.apache.kafka.connect.transforms.InsertField$Value)",
        "stage types (org.apache.kafka.connect.transforms.Cast$Value)",
        "stage few (org.apache.kafka.connect.transforms.Filter): left out by its predicate",
    ]
    lines = [" ".join(line.split()) for line in out.split("\n")]
    assert lines.count("value.id int64 3") == 5
    assert "+ value.site string? 'plant-1'" in lines
    assert "! value.count string '4' schema was int32" in lines
    assert "header h - 1" in lines


def test_a_stage_that_drops_a_record_says_so(command):
    status, out, _ = command([{"value": {"id": 9, "count": 1}}])
    assert status == 0
    assert out.rstrip().endswith("dropped")


def test_a_stage_that_fails_is_named_and_the_status_is_1(command):
    status, out, err = command([{"topic": "a", "value": {"id": 1}}, {"topic": "b", "value": "text"}])
    assert status == 1
    assert "record 1 of 2" in out
    assert "stage site (org.apache.kafka.connect.transforms.InsertField$Value) failed for record 2, topic b" in err
    assert "Only Map objects supported" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "record 1: not JSON"),
        ('{"id": 1}', 'a record is a JSON object with "value" or "key"'),
        ('{"value": 1, "topik": "x"}', "but not topik"),
        ('{"value": 1, "partition": "x"}', "partition of a record is a whole number"),
        ('{"value": 1, "headers": ["x"]}', "a header in a list"),
        ('[{"value": 1}, {"value": {"schema": {"type": "nothing"}, "payload": 1}}]', "record 2: "),
    ],
)
def test_what_is_no_record_is_refused_with_its_place(command, text, words):
    status, _, err = command(text)
    assert status == 1
    assert words in err


def test_records_are_an_object_an_array_or_lines():
    assert split_records('{"a": 1}') == [{"a": 1}]
    assert split_records('[{"a": 1}, 2]') == [{"a": 1}, 2]
    assert split_records('{"a": 1}\n\n{"a": 2}\n') == [{"a": 1}, {"a": 2}]
    with pytest.raises(DataError, match="not JSON"):
        split_records('{"a": 1}\n{')


def test_a_record_comes_for_the_side_its_connector_is_on(plugins):
    node = {"value": ENVELOPE, "headers": [{"key": "h", "value": 1}, {"key": "h", "value": None}], "offset": 7}
    sink = RecordReader(plugins, sink=True).read(node)
    assert isinstance(sink, SinkRecord)
    assert (sink.partition, sink.offset) == (0, 7)
    assert sink.value_schema == ROW
    assert [h.value for h in sink.headers] == [1, None]
    assert isinstance(RecordReader(plugins, sink=False).read(node), SourceRecord)


def test_reading_from_a_topic_needs_an_offset_and_a_cluster(command):
    status, _, err = command(None, None, "--topic", "t", "--offset", "1")
    assert status == 1
    assert "--bootstrap-servers" in err


def test_a_record_of_a_topic_comes_through_the_connectors_converters(command, kafka, topic):
    name = topic()
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(3):
        producer.produce(name, key=b"k", value=json.dumps({"id": number, "count": 1}), headers={"h": b"x"})
    assert producer.flush(30) == 0
    converters = {
        "topics": name,
        "connector.class": "FileStreamSink",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
    }
    arguments = ["--topic", name, "--bootstrap-servers", kafka, "--offset"]
    status, out, _ = command(None, converters, *arguments, "2")
    lines = [" ".join(line.split()) for line in out.split("\n")]
    assert status == 0
    assert {"value.id - 2", "key string? 'k'", "+ value.site - 'plant-1'"} <= set(lines)
    status, _, err = command(None, converters, *arguments, "3")
    assert status == 1
    assert f"there is no record at topic {name}, partition 0, offset 3" in err
