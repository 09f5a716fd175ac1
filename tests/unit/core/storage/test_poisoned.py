"""Records of the internal topics that no worker writes: each is told of, and none does harm to other connectors."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from penstock.errors import ConnectError, DataError
from penstock.storage import jsontext
from penstock.storage.cluster_state import ConfigRecordReader
from penstock.storage.config_records import java_int
from penstock.storage.offset_records import OffsetTable
from penstock.storage.offsets import FileOffsetStore, MemoryOffsetStore
from penstock.storage.skipped import SkippedRecords, summarize
from penstock.storage.states import State, TargetState
from penstock.storage.status_records import StatusTable

GOOD = {"name": "good", "connector.class": "X"}


def record(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def read(*records: tuple[str, bytes | None]) -> ConfigRecordReader:
    """A reader that met a good connector, then `records`, then another good one."""
    reader = ConfigRecordReader()
    around = ("connector-good", record({"properties": GOOD})), ("connector-later", record({"properties": GOOD}))
    for offset, (key, value) in enumerate([around[0], *records, around[1]]):
        with contextlib.suppress(ConnectError):  # as the store does
            reader.read(key, value, offset)
    return reader


_DEEP = b"[" * 5000 + b"]" * 5000
#: Key and value, and what is told of it.
POISON: list[tuple[str, bytes, str]] = [
    ("connector-x", b"{", "not JSON"),
    ("connector-", b'{"properties":{"connector.class":"C"}}', "its key names no connector"),
    ("connector-x", b"\xff\xfe\x00", "not JSON"),
    ("connector-x", b'{"properties":{"a":' + _DEEP + b"}}", "nested deeper than 200 levels"),
    ("connector-x", b'{"properties":{"a":' + b"9" * 100_000 + b"}}", "at most 1000 are allowed"),
    ("connector-x", b"[]", "its value is not a JSON object"),
    ("connector-x", b"17", "its value is not a JSON object"),
    ("connector-x", b'{"properties":[]}', "it has no properties"),
    ("connector-x", b"{}", "it has no properties"),
    ("connector-" + "n" * 40_000, record({"properties": GOOD}), "longer than 32000 bytes"),
    ("task-x-0", b'{"properties":1}', "it has no properties"),
    ("task-x", b'{"properties":{}}', "its key does not name a task"),
    ("task-x-" + "9" * 100_000, b'{"properties":{}}', "its key does not name a task"),
    ("commit-good", b"[]", "its value is not a JSON object"),
    ("commit-good", b'{"tasks":"2"}', "Expected integer value"),
    ("commit-good", b'{"tasks":1e999}', "Expected integer value"),
    ("commit-good", b'{"tasks":true}', "Expected integer value"),
    ("target-state-good", b'{"state":"FLYING"}', "not a target state"),
    ("target-state-good", b'{"state":{}}', "not a target state"),
    ("target-state-good", b'"PAUSED"', "its value is not a JSON object"),
    ("tasks-fencing-good", b'{"task-count":null}', "Expected integer value"),
    ("restart-connector-good", b"true", "its value is not a JSON object"),
    ("logger-cluster-x", b'{"level":5}', "the logging level is not a text"),
    ("session-key", b'{"key":5}', "the session key is not complete"),
    ("session-key", b'{"key":"","algorithm":"HmacSHA256","creation-timestamp":1}', "Empty key"),
    ("penstock-task-state-good", b'{"state":"PAUSED"}', "its key does not name a task"),
    ("penstock-task-state-good-0", b'{"state":7}', "not a target state"),
    ("somebody-elses", b"{}", "of no kind that Connect or penstock writes"),
    ("\ud800", b"{}", "of no kind that Connect or penstock writes"),
]


@pytest.mark.parametrize(
    ("key", "value", "told"), POISON, ids=lambda part: str(part)[:30].encode("ascii", "replace").decode()
)
def test_a_config_record_without_sense_is_told_of_and_harms_nobody_else(key: str, value: bytes, told: str) -> None:
    reader = read((key, value))
    state = reader.snapshot()
    assert {name: state.target_state(name) for name in ("good", "later")} == dict.fromkeys(
        ("good", "later"), TargetState.STARTED
    )
    assert set(state.connectors) == {"good", "later"}
    (problem,) = reader.problems()
    assert told in problem
    assert len(problem) < 600
    problem.encode()  # it can be logged and answered


def test_a_good_record_of_the_same_key_takes_the_complaint_back() -> None:
    reader = read(("connector-x", b"{}"), ("connector-x", record({"properties": {**GOOD, "name": "x"}})))
    assert reader.problems() == []
    assert "x" in reader.snapshot().connectors


@pytest.mark.parametrize(
    ("properties", "read_as"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": True, "b": None, "c": 1.5, "d": ["x", 1]}, {"a": "true", "c": "1.5", "d": '["x",1]'}),
        ({"connector.class": 17}, {"connector.class": "17"}),
        ({}, {}),
    ],
)
def test_a_connector_of_other_types_is_kept_as_texts_so_that_it_can_be_seen_and_deleted(
    properties: Mapping[str, Any], read_as: Mapping[str, str]
) -> None:
    reader = read(("connector-g1", record({"properties": properties})))
    assert reader.snapshot().connectors["g1"] == read_as
    assert len(reader.problems()) == 1


def test_a_surrogate_in_a_configuration_is_kept() -> None:
    reader = read(("connector-g1", b'{"properties":{"connector.class":"X","a":"\\ud800"}}'))
    assert reader.snapshot().connectors["g1"]["a"] == "\ud800"


def test_a_topic_full_of_garbage_fills_neither_memory_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    reader = read(*[(f"garbage-{i}", b"{}") for i in range(1000)])
    assert len(reader.problems()) == 100
    assert sum(line.levelname == "ERROR" for line in caplog.records) == 101
    summary = summarize(reader.problems())
    assert summary is not None
    assert summary.count("garbage-") == 3
    assert summary.endswith("and 97 more.")


STATUS_POISON: list[tuple[str, bytes, str]] = [
    ("status-connector-x", b"{", "not JSON"),
    ("status-connector-x", b"[]", "list"),
    ("status-connector-x", b"{}", "it has no state"),
    ("status-connector-x", b'{"state":"FLYING","generation":1}', "FLYING"),
    ("status-connector-x", b'{"state":[],"generation":1}', "not a valid State"),
    ("status-connector-x", b'{"state":"RUNNING","generation":"1"}', "expected a whole number"),
    ("status-connector-x", b'{"state":"RUNNING","generation":1,"trace":{}}', "expected a text"),
    ("status-connector-x", b'{"state":"RUNNING","generation":1e999}', "expected a whole number"),
    ("status-connector-", b'{"state":"RUNNING","generation":1}', "its key names no connector"),
    ("status-task-x-" + "9" * 100_000, b'{"state":"RUNNING","generation":1}', "does not name a task"),
    ("status-topic-t:x", b"{}", "does not name a topic"),
    ("status-topic-t:connector-x", b'{"topic":3}', "not subscriptable"),
    ("status-topic-t:connector-x", b'{"topic":{"name":1}}', "expected a text"),
    ("nobody-knows", b"{}", "of no kind"),
]


@pytest.mark.parametrize(("key", "value", "told"), STATUS_POISON, ids=lambda part: str(part)[:40])
def test_a_status_record_without_sense_is_told_of_and_harms_nobody_else(key: str, value: bytes, told: str) -> None:
    table, good = StatusTable(), b'{"state":"RUNNING","trace":null,"worker_id":"w:1","generation":3}'
    table.read("status-connector-good", good)
    table.read(key, value)
    table.read("status-task-good-0", good)
    assert [status.state for status in table.tasks("good").values()] == [State.RUNNING]
    assert table.connectors() - {"x"} == {"good"}
    (problem,) = table.problems()
    assert told in problem


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"{", b"{}"),
        (None, b"{}"),
        (b'["c",{"a":' + _DEEP + b"}]", b"{}"),
        (b'["c"]', b"{}"),
        (b'[1,{"p":1}]', b"{}"),
        (b'["c",{"p":9}]', b"{"),
        (b'["c",{"p":9}]', b'{"o":' + _DEEP + b"}"),
        (b'["c",{"p":9}]', b"[1]"),
    ],
)
def test_an_offset_record_without_sense_leaves_the_other_offsets(key: bytes | None, value: bytes) -> None:
    table = OffsetTable()
    table.read(b'["c",{"p":1}]', b'{"o":1}')
    table.read(key, value)
    assert table.all("c") == [({"p": 1}, {"o": 1})]


def test_an_offset_of_a_partition_with_a_surrogate_is_stored(tmp_path: Any) -> None:
    partition, offset = {"filename": "r\udce9sum\udce9.txt"}, {"position": 2**70}
    stores = (MemoryOffsetStore(), FileOffsetStore(tmp_path / "offsets.json"))
    for store in stores:
        store.write("c", [(partition, offset)])
        assert store.read("c", [partition]) == [offset]
    again = FileOffsetStore(tmp_path / "offsets.json")
    again.start()
    assert again.all("c") == [(partition, offset)]
    table = OffsetTable()
    table.read(jsontext.dumps(["c", partition]), b'{"position":1}')
    assert table.offset("c", partition) == {"position": 1}


@pytest.mark.parametrize(
    "text", [b'{"a":01,"b":"' + b'\\"' * 200_000, b"[01," + b"0" * 300_000, b'{"a":01' + b',"' * 100_000]
)
def test_the_time_to_read_a_broken_document_grows_with_its_length_only(text: bytes) -> None:
    began = time.process_time()
    with pytest.raises(DataError):
        jsontext.loads(text)
    assert time.process_time() - began < 2  # the square of the length would take hours


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("+7", 7), ("007", 7), ("", None), ("-", None), ("2147483648", None), ("9" * 10**6, None)],
)
def test_the_number_of_a_task_is_a_java_int_of_any_text(text: str, number: int | None) -> None:
    assert java_int(text) == number


def test_a_skipped_record_is_logged_with_its_offset_and_a_bounded_text(caplog: pytest.LogCaptureFixture) -> None:
    SkippedRecords("Config topic").note("k" * 5000, "r" * 5000, 12)
    assert " at offset 12 is skipped: " in caplog.text
    assert len(caplog.messages[0]) < 600
