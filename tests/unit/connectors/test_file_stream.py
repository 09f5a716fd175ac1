"""The file connectors, driven without a worker. Facts: Kafka 4.3's ``connect/file`` and recorded exchanges."""

import datetime as dt
import logging
import os
from decimal import Decimal

import pytest

from penstock.api import ExactlyOnceSupport, TopicPartition
from penstock.data import (
    DATE,
    FLOAT32,
    INT32,
    OPTIONAL_STRING,
    STRING,
    TIMESTAMP,
    SchemaBuilder,
    SinkRecord,
    decimal_schema,
)
from penstock.errors import ConfigError, ConnectError
from penstock.testing.fakes import FakeSinkTaskContext, FakeSourceTaskContext, drain
from penstock_connectors.file_stream_sink import FileStreamSinkConnector, FileStreamSinkTask
from penstock_connectors.file_stream_source import FileStreamSourceConnector, FileStreamSourceTask
from penstock_connectors.java_text import printer
from penstock_connectors.reading import RecordReader, StandardInput, split_universal


@pytest.fixture
def source(tmp_path):
    started = []

    def start(offset=None, **props):
        path = str(tmp_path / "in.txt")
        props = {"file": path, "topic": "t"} | {k.replace("_", "."): v for k, v in props.items()}
        task = FileStreamSourceTask()
        task.idle_seconds = 0.0
        offsets = [({"filename": path}, {"position": offset})] if offset is not None else []
        task.initialize(FakeSourceTaskContext(props, offsets))
        task.start(props)
        started.append(task)
        return task

    yield start
    for task in started:
        task.stop()
        task.close()


def lines(records):
    return [(r.value, r.source_offset["position"]) for r in records or []]


def test_lines_become_string_records_with_the_position_after_each(source, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"one\ntwo\r\nthree\rfour\n\n")
    task = source()
    records = drain(task)
    assert lines(records) == [("one", 4), ("two", 9), ("three", 15), ("four", 20), ("", 21)]
    first = records[0]
    assert (first.topic, first.key_schema, first.key, first.value_schema) == ("t", None, None, STRING)
    assert first.source_partition == {"filename": str(tmp_path / "in.txt")}
    assert first.partition is None
    assert isinstance(first.timestamp, int)


def test_positions_count_bytes_and_bad_bytes_are_replaced(source, tmp_path):
    (tmp_path / "in.txt").write_bytes("grün\n".encode() + b"a\xffb\n")
    assert lines(drain(source())) == [("grün", 6), ("a\ufffdb", 10)]


def test_a_line_without_end_waits_until_it_is_complete(source, tmp_path, caplog):
    path = tmp_path / "in.txt"
    path.write_bytes(b"one\ntw")
    task = source()
    assert lines(task.poll()) == [("one", 4)]
    with caplog.at_level(logging.WARNING):
        assert not task.poll()
    assert "last 2 bytes" in caplog.text
    with path.open("ab") as file:
        file.write(b"o\n")
    assert lines(task.poll()) == [("two", 8)]


def test_a_carriage_return_at_the_end_waits_for_its_newline(source, tmp_path):
    path = tmp_path / "in.txt"
    path.write_bytes(b"one\r")
    task = source()
    assert not task.poll()
    with path.open("ab") as file:
        file.write(b"\ntwo\n")
    assert lines(task.poll()) == [("one", 5), ("two", 9)]


def test_it_goes_on_from_the_committed_position(source, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"aaaa\nbbbb\n")
    assert lines(drain(source(offset=5))) == [("bbbb", 10)]


def test_a_position_that_is_no_number_is_refused(source, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"a\n")
    with pytest.raises(ConnectError, match="Offset position is the incorrect type"):
        source(offset="x").poll()


def test_batches_are_at_most_batch_size_and_lose_nothing(source, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"".join(b"%d\n" % i for i in range(25)))
    task = source(batch_size="10")
    batches = [task.poll() for _ in range(4)]
    assert [len(b or []) for b in batches] == [10, 10, 5, 0]
    assert [r.value for b in batches for r in b or []] == [str(i) for i in range(25)]


def test_a_missing_file_is_waited_for(source, tmp_path, caplog):
    task = source()
    assert task.poll() is None
    assert "Couldn't find file" in caplog.text
    assert not task.exhausted
    (tmp_path / "in.txt").write_bytes(b"late\n")
    assert lines(task.poll()) == [("late", 5)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_an_unreadable_file_is_named(source, tmp_path):
    (tmp_path / "in.txt").touch(mode=0)
    with pytest.raises(ConnectError, match=r"in\.txt.*Permission denied"):
        source().poll()


def test_a_folder_is_refused_by_name(source, tmp_path):
    (tmp_path / "in.txt").mkdir()
    with pytest.raises(ConnectError, match=r"in\.txt.*directory"):
        source().poll()


def test_it_is_exhausted_at_the_end_until_the_file_grows(source, tmp_path):
    path = tmp_path / "in.txt"
    path.write_bytes(b"a\n")
    task = source()
    task.poll()
    assert not task.exhausted
    task.poll()
    assert task.exhausted
    with path.open("ab") as file:
        file.write(b"b\n")
    assert lines(task.poll()) == [("b", 4)]
    assert not task.exhausted


def test_a_truncated_file_is_read_on_from_the_old_position(source, tmp_path):
    path = tmp_path / "in.txt"
    path.write_bytes(b"one\ntwo\n")
    task = source()
    task.poll()
    path.write_bytes(b"new\n")
    assert not task.poll()
    with path.open("ab") as file:
        file.write(b"xxx\nyyy\n")
    assert lines(task.poll()) == [("yyy", 12)]


def test_stop_ends_a_wait(source):
    task = source()
    task.idle_seconds = 60.0
    task.stop()
    assert task.poll() is None


def test_a_very_long_line_is_read_whole():
    class Drip:
        ended = False
        data = b"x" * 100_000 + b"\nend\n"

        def read(self, size):
            piece, self.data = self.data[:size], self.data[size:]
            return piece

        def close(self):
            pass

    reader = RecordReader(Drip(), split_universal, chunk=16)
    assert [len(line) for line in reader.take(10)] == [100_001, 4]
    assert reader.position == 100_005


def test_standard_input_ends_when_its_writer_closes():
    read_end, write_end = os.pipe()
    try:
        reader = RecordReader(StandardInput(read_end), split_universal)
        assert reader.take(5) == []
        os.write(write_end, b"a\nb\n")
        assert reader.take(5) == [b"a\n", b"b\n"]
    finally:
        os.close(write_end)
    assert reader.take(5) == []
    os.close(read_end)


def test_one_task_whatever_tasks_max_says():
    connector = FileStreamSourceConnector()
    props = {"file": "/x", "topic": "t", "tasks.max": "5"}
    connector.start(props)
    assert connector.task_configs(5) == [props]
    assert connector.task_class is FileStreamSourceTask


def test_a_source_without_topic_does_not_start():
    with pytest.raises(ConfigError, match='Missing required configuration "topic"'):
        FileStreamSourceConnector().start({"file": "/x"})


def test_exactly_once_needs_a_file():
    connector = FileStreamSourceConnector()
    assert connector.exactly_once_support({"file": "/x", "topic": "t"}) is ExactlyOnceSupport.SUPPORTED
    assert connector.exactly_once_support({"topic": "t"}) is ExactlyOnceSupport.UNSUPPORTED
    assert connector.exactly_once_support({"topic": "t", "file": ""}) is ExactlyOnceSupport.UNSUPPORTED


PARTITION = (("filename", "/x"),)


@pytest.mark.parametrize(
    ("partition", "offset", "message"),
    [
        (PARTITION, {"p": 1}, "Offset objects should either be null or contain the key 'position'"),
        (
            PARTITION,
            {"position": "x"},
            "The value for the 'position' key in the offset is expected to be a Long value",
        ),
        (
            PARTITION,
            {"position": True},
            "The value for the 'position' key in the offset is expected to be a Long value",
        ),
        (PARTITION, {"position": -1}, "The value for the 'position' key in the offset should be a non-negative value"),
        (None, {"position": 1}, "Partition objects cannot be null"),
        ((("wrong", "x"),), {"position": 1}, "Partition objects should contain the key 'filename'"),
    ],
)
def test_offsets_that_mean_nothing_are_refused(partition, offset, message):
    with pytest.raises(ConnectError) as caught:
        FileStreamSourceConnector().alter_offsets({"file": "/x", "topic": "t"}, {partition: offset})
    assert caught.value.message == message


def test_offsets_may_be_set_and_any_may_be_removed():
    connector = FileStreamSourceConnector()
    props = {"file": "/x", "topic": "t"}
    assert connector.alter_offsets(props, {PARTITION: {"position": 5}, (("junk", 1),): None})


def test_standard_input_has_no_offsets_to_alter():
    with pytest.raises(ConnectError, match="stdin is used for input and offsets are not tracked"):
        FileStreamSourceConnector().alter_offsets({"topic": "t"}, {PARTITION: {"position": 5}})


@pytest.fixture
def sink(tmp_path):
    task = FileStreamSinkTask()
    task.initialize(FakeSinkTaskContext())
    task.start({"file": str(tmp_path / "out.txt")})
    yield task
    task.stop()


def test_values_are_appended_as_lines(sink, tmp_path):
    path = tmp_path / "out.txt"
    path.write_bytes(b"before\n")
    schema = SchemaBuilder.struct().field("a", INT32).field("b", OPTIONAL_STRING).field("c", STRING).build()
    sink.put([SinkRecord("t", 0, value="grün"), SinkRecord("t", 0, value=None)])
    sink.put([SinkRecord("t", 0, value_schema=schema, value={"a": 1, "b": None, "c": "x"})])
    sink.put([])
    sink.flush({TopicPartition("t", 0): 3})
    assert path.read_text("utf-8") == "before\ngrün\nnull\nStruct{a=1,c=x}\n"


def test_without_a_file_lines_go_to_standard_output(capsys):
    task = FileStreamSinkTask()
    task.start({})
    task.put([SinkRecord("t", 0, value={"a": [True, 2, 1.5]})])
    task.flush({})
    task.stop()
    assert capsys.readouterr().out == "{a=[true, 2, 1.5]}\n"


def test_a_sink_whose_folder_is_missing_says_which_file(tmp_path):
    with pytest.raises(ConnectError, match=r"Couldn't find or create file '.*no/out\.txt' for FileStreamSinkTask"):
        FileStreamSinkTask().start({"file": str(tmp_path / "no/out.txt")})


def test_a_full_disk_fails_the_sink_instead_of_losing_lines():
    task = FileStreamSinkTask()
    task.start({"file": "/dev/full"})
    with pytest.raises(ConnectError, match="cannot write to '/dev/full'"):
        task.put([SinkRecord("t", 0, value="x")])
    task.stop()


def test_every_sink_task_gets_the_whole_configuration():
    connector = FileStreamSinkConnector()
    connector.start({"file": "/x", "topics": "t"})
    assert connector.task_configs(2) == [{"file": "/x", "topics": "t"}] * 2
    assert connector.alter_offsets({}, {TopicPartition("t", 0): 5})


@pytest.mark.parametrize(
    ("value", "schema", "text"),
    [
        (1.0, None, "1.0"),
        (1e7, None, "1.0E7"),
        (9999999.0, None, "9999999.0"),
        (0.001, None, "0.001"),
        (0.00012, None, "1.2E-4"),
        (-1.5e300, None, "-1.5E300"),
        (100.0, None, "100.0"),
        (-0.0, None, "-0.0"),
        (float("nan"), None, "NaN"),
        (float("-inf"), None, "-Infinity"),
        (12.199999809265137, FLOAT32, "12.2"),
        (16777216.0, FLOAT32, "1.6777216E7"),
        (True, None, "true"),
        (b"abc", None, "YWJj"),
        (Decimal("1.50"), decimal_schema(2), "1.50"),
        (dt.date(2024, 2, 29), DATE, "Thu Feb 29 00:00:00 UTC 2024"),
        (dt.datetime(2024, 2, 29, 12, 30, 1, tzinfo=dt.UTC), TIMESTAMP, "Thu Feb 29 12:30:01 UTC 2024"),
        ({"a": None}, None, "{a=null}"),
        ([1, "x"], SchemaBuilder.array(STRING).build(), "[1, x]"),
        (None, STRING, "null"),
    ],
)
def test_text_is_what_the_jvm_prints(value, schema, text):
    assert printer(schema)(value) == text
