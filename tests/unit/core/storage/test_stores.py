"""The tables that internal topics make, beyond what was recorded: penstock's own records, late news, foreign keys."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConnectError, DataError
from penstock.storage import config_records as records
from penstock.storage import jsontext
from penstock.storage.cluster_state import ConfigRecordReader
from penstock.storage.config_records import SessionKey, parse_task_key
from penstock.storage.offset_records import OffsetTable, encode_offset
from penstock.storage.states import ConnectorTaskId, State, TargetState
from penstock.storage.status_records import (
    Status,
    StatusTable,
    TopicStatus,
    connector_status_record,
    topic_status_record,
)

TASK = ConnectorTaskId("c", 0)


class Reading:
    """A reader that numbers its records and counts the news."""

    def __init__(self) -> None:
        self.reader, self.offset, self.news = ConfigRecordReader(), 0, 0

    def take(self, *group: records.Record) -> Reading:
        for key, value in group:
            self.news += self.reader.read(key, value, self.offset) is not None
            self.offset += 1
        return self


def test_a_tasks_own_target_state_is_kept_until_its_tombstone() -> None:
    reading = Reading().take(records.task_target_record(TASK, TargetState.PAUSED))
    assert reading.reader.snapshot().task_target_states == {TASK: TargetState.PAUSED}
    reading.take(records.task_target_record(TASK, TargetState.PAUSED))
    assert reading.news == 1  # the same again is no news
    reading.take(records.task_target_record(TASK, None))
    assert not reading.reader.snapshot().task_target_states
    assert reading.news == 2


def test_our_own_key_begins_with_none_of_connects_prefixes() -> None:
    key, _ = records.task_target_record(TASK, TargetState.PAUSED)
    ours = (records.CONNECTOR, records.TASK, records.TASKS_COMMIT, records.TARGET_STATE, records.TASK_COUNT)
    assert not key.startswith((*ours, records.RESTART, records.LOGGER, records.SESSION_KEY))


@pytest.mark.parametrize(
    ("key", "parts", "task"),
    [
        ("task-a-b-3", 1, ConnectorTaskId("a-b", 3)),
        ("task--0", 1, ConnectorTaskId("", 0)),
        ("task-a-", 1, None),
        ("task-a-x", 1, None),
        ("task-5", 1, None),
        ("task-a-99999999999", 1, None),
        ("task-a-+7", 1, ConnectorTaskId("a", 7)),
        ("status-task-a-b-3", 2, ConnectorTaskId("a-b", 3)),
        ("penstock-task-state-a-b-3", 3, ConnectorTaskId("a-b", 3)),
    ],
)
def test_task_keys_are_taken_apart_as_java_does(key: str, parts: int, task: ConnectorTaskId | None) -> None:
    assert parse_task_key(key, parts) == task


def test_a_connector_that_was_deleted_and_made_again_still_needs_its_old_producers_fenced() -> None:
    reading = Reading().take(
        *records.connector_records("c", {"name": "c"}, None),
        *records.task_records("c", [{}, {}]),
        records.commit_record("c", 2),
        records.task_count_record("c", 2),
        *records.connector_removal("c"),
        *records.connector_records("c", {"name": "c"}, None),
    )
    state = reading.reader.snapshot()
    assert state.task_count_records == {"c": 2}
    assert state.tasks("c") == []
    assert state.target_state("c") is TargetState.STARTED


def test_fewer_tasks_leave_no_old_ones_in_the_snapshot() -> None:
    reading = Reading().take(
        *records.connector_records("c", {}, None),
        *records.task_records("c", [{"i": "0"}, {"i": "1"}]),
        records.commit_record("c", 2),
        *records.task_records("c", [{"i": "new"}]),
        records.commit_record("c", 1),
    )
    state = reading.reader.snapshot()
    assert state.tasks("c") == [TASK]
    assert state.task_config(TASK) == {"i": "new"}
    assert state.task_config_generations == {"c": 1}


def test_compaction_between_records_and_commit_makes_a_connector_inconsistent_until_new_tasks_come() -> None:
    reading = Reading().take(
        *records.connector_records("c", {}, None),
        *records.task_records("c", [{"i": "0"}]),
        records.commit_record("c", 2),
    )
    assert reading.reader.snapshot().inconsistent == {"c"}
    reading.take(*records.task_records("c", [{}, {}]), records.commit_record("c", 2))
    assert not reading.reader.snapshot().inconsistent


def test_a_commit_that_claims_more_tasks_than_fit_into_memory_makes_the_connector_inconsistent() -> None:
    reader = ConfigRecordReader()
    for offset, (key, value) in enumerate(
        [
            ("connector-c", b'{"properties":{}}'),
            ("task-c-0", b'{"properties":{}}'),
            ("commit-c", b'{"tasks":2147483647}'),
        ]
    ):
        reader.read(key, value, offset)
    assert reader.snapshot().inconsistent == {"c"}
    assert reader.snapshot().tasks("c") == []


def test_a_snapshot_does_not_change_when_more_is_read() -> None:
    reading = Reading().take(*records.connector_records("c", {"a": "1"}, None))
    before = reading.reader.snapshot()
    reading.take(*records.connector_removal("c"))
    assert before.connectors == {"c": {"a": "1"}}
    assert not reading.reader.snapshot().connectors


def test_a_session_key_never_shows_in_a_text() -> None:
    key = SessionKey(b"very secret bytes", "HmacSHA256", 5)
    assert "secret" not in repr(key)
    reading = Reading().take(records.session_key_record(key))
    assert reading.reader.snapshot().session_key == key
    with pytest.raises(ConnectError, match="Illegal base64 character 2a") as raised:
        reading.take((records.SESSION_KEY, b'{"key":"*secret*","algorithm":"HmacSHA256","creation-timestamp":1}'))
    assert "secret" not in str(raised.value)
    assert reading.reader.snapshot().session_key == key


def test_late_news_of_an_older_generation_is_dropped_unless_it_is_the_workers_own() -> None:
    known = Status(State.RUNNING, None, "w2", 5)
    assert not Status(State.UNASSIGNED, None, "w1", 4).may_replace(known)
    assert Status(State.UNASSIGNED, None, "w1", 5).may_replace(known)
    assert Status(State.UNASSIGNED, None, "w2", 4).may_replace(known)
    assert Status(State.UNASSIGNED, None, "w1", 1).may_replace(None)


def test_a_connectors_tombstone_takes_its_tasks_statuses_along_but_not_its_topics() -> None:
    table = StatusTable()
    for key, value in (
        connector_status_record("c", Status(State.RUNNING, None, "w", 1)),
        ("status-task-c-0", b'{"state":"RUNNING","worker_id":"w","generation":1}'),
        topic_status_record(TopicStatus("t", "c", 0, 1)),
        connector_status_record("c", Status(State.DESTROYED, None, "w", 1)),
    ):
        table.read(key, value)
    assert table.connector("c") is None
    assert table.task(TASK) is None
    assert table.topic("c", "t") == TopicStatus("t", "c", 0, 1)


@pytest.mark.parametrize(
    "value",
    [b"{}", b"5", b"null", b"not json", b'{"state":"NEW"}', b'{"state":"RUNNING","generation":"x"}', b'{"state":5}'],
)
def test_a_status_that_makes_no_sense_is_skipped(value: bytes) -> None:
    table = StatusTable()
    table.read("status-connector-c", b'{"state":"RUNNING","worker_id":"w","generation":1}')
    table.read("status-connector-c", value)
    met = table.connector("c")
    assert met is not None
    assert met.generation == 1


def test_a_partition_is_found_whatever_the_order_of_its_members_and_keeps_its_key() -> None:
    table = OffsetTable()
    table.read(b'["c",{"b":1,"a":2}]', b'{"at":1}')
    assert table.offset("c", {"a": 2, "b": 1}) == {"at": 1}
    assert table.raw_key("c", {"a": 2, "b": 1}) == b'["c",{"b":1,"a":2}]'
    table.read(b'["c",{"a":2,"b":1}]', None)
    assert table.all("c") == []


def test_an_offset_that_json_cannot_hold_is_refused_with_its_field() -> None:
    with pytest.raises(DataError, match=r"field when contains class java\.util\.Date"):
        encode_offset("c", {}, {"when": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)})
    with pytest.raises(DataError, match="String keys"):
        encode_offset("c", {1: "x"}, {})  # type: ignore[dict-item]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_json_text_is_read_back(tree: object) -> None:
    assert jsontext.loads(jsontext.dumps(tree)) == tree
