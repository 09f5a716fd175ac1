"""Kafka's test connectors."""

import importlib
import json

import pytest

from penstock.api import Connector, TopicPartition
from penstock.data import INT32, INT64, STRING, SinkRecord, validate_value
from penstock.errors import ConnectError
from penstock.testing.fakes import FakeConnectorContext, FakeSinkTaskContext, FakeSourceTaskContext, drain
from penstock_connectors.appending import AppendedFile
from penstock_connectors.plugin import penstock_register_connectors
from penstock_connectors.reading import FileBytes, PollPause
from penstock_connectors.tools.mock import MockSinkConnector, MockSinkTask, MockSourceConnector, MockSourceTask
from penstock_connectors.tools.schema_source import SCHEMA_1, SCHEMA_2, SchemaSourceConnector, SchemaSourceTask
from penstock_connectors.tools.throttle import Throttle
from penstock_connectors.tools.verifiable import COMPLETE_SCHEMA, VerifiableSinkTask, VerifiableSourceTask


def started(task, props, offsets=()):
    task.initialize(FakeSourceTaskContext(props, offsets))
    task.start(props)
    return task


def told(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("plugin", penstock_register_connectors(), ids=lambda p: p.name)
def test_every_announced_connector_is_there(plugin):
    module, _, name = plugin.target.partition(":")
    connector = getattr(importlib.import_module(module), name)
    assert issubclass(connector, Connector)
    assert connector.connector_type == plugin.connector_type
    assert connector.version == plugin.version
    instance = connector()
    java = instance.task_class.java_class
    assert (java is not None) == bool(plugin.aliases)
    if java is not None:
        package, _, alias = plugin.aliases[0].rpartition(".")
        assert java.startswith(f"{package}.")
        assert java.rpartition(".")[2] == alias.removesuffix("Connector") + "Task"


def test_schema_source_makes_its_number_of_records_and_is_exhausted(capsys):
    props = {"id": "3", "topic": "t", "num.messages": "5", "throughput": "-1", "partition.count": "2"}
    task = started(SchemaSourceTask(), props)
    records = drain(task)
    assert task.exhausted
    assert [r.value["seqno"] for r in records] == [0, 1, 2, 3, 4]
    assert [r.value["partitioning"] for r in records] == [0, 1, 0, 1, 0]
    first = records[0]
    assert (first.topic, first.partition, first.key_schema, first.key) == ("t", 3, STRING, "key")
    assert (first.source_partition, first.source_offset) == ({"id": 3}, {"seqno": 0})
    assert first.value_schema is SCHEMA_1
    validate_value(SCHEMA_1, first.value)
    assert told(capsys)[:2] == [{"task": 3, "seqno": 0}, {"task": 3, "seqno": 1}]


def test_schema_source_resumes_behind_its_offset_and_alternates_schemas():
    props = {"id": "0", "topic": "t", "num.messages": "2", "throughput": "-1", "multiple.schema": "true"}
    records = drain(started(SchemaSourceTask(), props, [({"id": 0}, {"seqno": 9})]))
    assert [r.value["seqno"] for r in records] == [10, 11]
    assert [r.value_schema for r in records] == [SCHEMA_1, SCHEMA_2]
    assert records[1].value["string"] == "def"
    validate_value(SCHEMA_2, records[1].value)


@pytest.mark.parametrize("missing", ["id", "num.messages", "throughput", "topic"])
def test_schema_source_names_the_setting_it_misses(missing):
    props = {"id": "0", "topic": "t", "num.messages": "2", "throughput": "-1"}
    del props[missing]
    with pytest.raises(ConnectError, match=f"Invalid SchemaSourceTask configuration: .*{missing}"):
        started(SchemaSourceTask(), props)


def test_every_task_gets_its_number():
    connector = SchemaSourceConnector()
    connector.start({"topic": "t", "id": "9"})
    assert [c["id"] for c in connector.task_configs(3)] == ["0", "1", "2"]


def test_verifiable_source_counts_and_tells(capsys):
    props = {"name": "c", "id": "1", "topic": "t", "throughput": "-1"}
    task = started(VerifiableSourceTask(), props, [({"id": 1}, {"seqno": 4})])
    records = task.poll()
    first = records[0]
    assert (first.key_schema, first.key, first.value_schema, first.value) == (INT32, 1, INT64, 5)
    assert (first.source_partition, first.source_offset) == ({"id": 1}, {"seqno": 5})
    line = told(capsys)[0]
    assert {k: line[k] for k in ("name", "task", "topic", "seqno")} == {
        "name": "c",
        "task": 1,
        "topic": "t",
        "seqno": 5,
    }
    task.commit_record(first, None)
    assert told(capsys)[0]["committed"] is True
    task.stop()
    assert not task.poll()


def test_verifiable_source_with_whole_records():
    props = {"name": "c", "id": "1", "topic": "t", "throughput": "-1", "complete.record.data": "TRUE"}
    record = started(VerifiableSourceTask(), props).poll()[0]
    assert record.value_schema is COMPLETE_SCHEMA
    validate_value(COMPLETE_SCHEMA, record.value)


def test_verifiable_sink_tells_what_it_took_and_what_was_flushed(capsys):
    task = VerifiableSinkTask()
    task.initialize(FakeSinkTaskContext())
    task.start({"name": "s", "id": "2"})
    task.put([SinkRecord("t", 0, key=1, value=5, offset=9), SinkRecord("t", 1, key=1, value=6, offset=3)])
    assert [(x["task"], x["sinkTask"], x["seqno"], x["offset"]) for x in told(capsys)] == [(1, 2, 5, 9), (1, 2, 6, 3)]
    task.flush({TopicPartition("t", 0): 10})
    assert [(x["seqno"], x["flushed"]) for x in told(capsys)] == [(5, True)]
    task.flush({TopicPartition("t", 0): 10, TopicPartition("t", 1): 4})
    assert [x["seqno"] for x in told(capsys)] == [6]


def test_the_throttle_keeps_the_average():
    now = [0.0]
    waits = []

    class Pause(PollPause):
        def wait(self, seconds):
            waits.append(round(seconds, 3))
            now[0] += seconds

    throttle = Throttle(10, Pause(), clock=lambda: now[0])
    assert throttle.due(0, 500) == 1
    assert waits == []
    assert throttle.due(1, 500) == 1
    assert waits == [0.1]
    now[0] = 2.0
    assert throttle.due(2, 500) == 19
    assert throttle.due(2, 5) == 5
    assert Throttle(-1, Pause(), clock=lambda: now[0]).due(10**9, 7) == 7
    assert Throttle(0, Pause(), clock=lambda: now[0]).due(0, 7) == 0


def test_a_mock_source_task_fails_after_its_delay():
    task = started(MockSourceTask(), {"mock_mode": "task-failure", "delay_ms": "0"})
    with pytest.raises(RuntimeError, match="Mock task failure"):
        task.poll()


def test_a_mock_source_without_mode_has_nothing():
    task = started(MockSourceTask(), {})
    task.idle_seconds = 0.0
    assert task.poll() is None


def test_a_mock_sink_task_asks_to_be_called_again_and_fails_in_time():
    context = FakeSinkTaskContext()
    task = MockSinkTask()
    task.initialize(context)
    task.start({"mock_mode": "task-failure", "delay_ms": "60000"})
    task.put([])
    assert context.timeouts == [250, 250]
    task.start({"mock_mode": "task-failure", "delay_ms": "0"})
    with pytest.raises(RuntimeError, match="Mock task failure"):
        task.put([])


@pytest.mark.parametrize("kind", [MockSourceConnector, MockSinkConnector])
def test_a_mock_connector_fails_through_its_context(kind):
    connector = kind()
    context = FakeConnectorContext()
    connector.initialize(context)
    connector.start({"mock_mode": "connector-failure", "delay_ms": "0"})
    connector._timer.join(5)
    connector.stop()
    assert [str(e) for e in context.errors] == ["Mock connector failure after 0.0 s, as mock_mode asks for"]
    assert connector.task_configs(4) == [{"mock_mode": "connector-failure", "delay_ms": "0"}]


def test_a_mock_connector_that_is_stopped_first_does_not_fail():
    connector = MockSourceConnector()
    context = FakeConnectorContext()
    connector.initialize(context)
    connector.start({"mock_mode": "connector-failure", "delay_ms": "60000"})
    connector.stop()
    assert context.errors == []


@pytest.mark.parametrize("path", ["/tmp/half \ud800", "/tmp/nul \0"], ids=["surrogate", "NUL"])
@pytest.mark.parametrize("opened", [lambda path: AppendedFile(path, "a sink"), lambda path: FileBytes(path, 0)])
def test_what_can_be_no_files_name_is_told_in_a_sentence(opened, path):
    with pytest.raises(ConnectError, match=r"cannot open '/tmp/.*\\(ud800|x00)': no file can have this name"):
        opened(path)
