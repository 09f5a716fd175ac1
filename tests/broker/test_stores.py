"""The worker's state in real topics: what one worker writes, another reads; leaders that were replaced cannot write."""

import contextlib
import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from lab.patience import PATIENCE_S
from penstock.errors import ConfigError, WorkerError
from penstock.kafka.topic_log import TopicSpec, internal_clients
from penstock.storage.config_records import SessionKey
from penstock.storage.config_store import ConfigStore, PrivilegedWriteError
from penstock.storage.kafka_offsets import KafkaOffsetStore
from penstock.storage.states import ConnectorTaskId, State, TargetState
from penstock.storage.status_records import Status, TopicStatus
from penstock.storage.status_store import StatusStore


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[tuple[object, ...]] = []

    def _add(self, *event: object) -> None:
        with self._lock:
            self._events.append(event)

    def all(self) -> list[tuple[object, ...]]:
        with self._lock:
            return list(self._events)

    def on_connector_config_remove(self, connector: str) -> None:
        self._add("removed", connector)

    def on_connector_config_update(self, connector: str) -> None:
        self._add("updated", connector)

    def on_task_config_update(self, tasks: Sequence[ConnectorTaskId]) -> None:
        self._add("tasks", *map(str, tasks))

    def on_connector_target_state_change(self, connector: str) -> None:
        self._add("target", connector)

    def on_task_target_state_change(self, task: ConnectorTaskId) -> None:
        self._add("task target", str(task))

    def on_session_key_update(self, key: SessionKey) -> None:
        self._add("key", key.created)

    def on_restart_request(self, connector: str, only_failed: bool, include_tasks: bool) -> None:
        self._add("restart", connector, only_failed, include_tasks)

    def on_logging_level_update(self, namespace: str, level: str) -> None:
        self._add("level", namespace, level)


@contextlib.contextmanager
def config_store(
    kafka: str, topic: str, heard: Heard | None = None, transactional_id: str | None = None
) -> Iterator[ConfigStore]:
    spec = TopicSpec(topic, 1, 1, exact_partitions=True, setting="config.storage.topic")
    clients = internal_clients({"bootstrap.servers": kafka})
    store = ConfigStore(clients, spec, heard or Heard(), transactional_id=transactional_id)
    store.start(30)
    try:
        yield store
    finally:
        store.stop()


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def test_what_the_leader_writes_every_worker_reads_and_hears(kafka: str, topic: Callable[..., str]) -> None:
    name, heard = topic(create=False), Heard()
    with config_store(kafka, name) as leader, config_store(kafka, name, heard) as follower:
        leader.put_connector_config("c", {"name": "c"}, TargetState.PAUSED)
        leader.put_task_configs("c", [{"i": "0"}, {"i": "1"}])
        leader.put_target_state("c", TargetState.STARTED)
        leader.put_task_target_state(ConnectorTaskId("c", 1), TargetState.PAUSED)
        leader.put_session_key(SessionKey(b"12345678", "HmacSHA256", 7))
        leader.put_restart_request("c", True, False)
        leader.put_logger_level("penstock", "DEBUG")
        leader.put_task_count_record("c", 2)
        follower.refresh(20)
        leader.refresh(20)

        state = follower.snapshot()
        assert state == leader.snapshot()
        assert state.connectors == {"c": {"name": "c"}}
        assert state.tasks("c") == [ConnectorTaskId("c", 0), ConnectorTaskId("c", 1)]
        assert state.task_target_states == {ConnectorTaskId("c", 1): TargetState.PAUSED}
        assert state.session_key == SessionKey(b"12345678", "HmacSHA256", 7)
        assert state.task_count_records == {"c": 2}
        assert heard.all() == [
            ("updated", "c"), ("tasks", "c-0", "c-1"), ("target", "c"), ("task target", "c-1"), ("key", 7),
            ("restart", "c", True, False), ("level", "penstock", "DEBUG"),
        ]  # fmt: skip


def test_fewer_tasks_and_a_deleted_connector_take_their_target_states_along(
    kafka: str, topic: Callable[..., str]
) -> None:
    with config_store(kafka, topic(create=False)) as store:
        store.put_connector_config("c", {"name": "c"})
        store.put_task_configs("c", [{}, {}])
        for number in (0, 1):
            store.put_task_target_state(ConnectorTaskId("c", number), TargetState.PAUSED)
        store.put_task_configs("c", [{}])
        assert set(store.snapshot().task_target_states) == {ConnectorTaskId("c", 0)}
        store.remove_connector_config("c")
        assert not store.snapshot().task_target_states
        assert not store.contains("c")


def test_a_worker_that_starts_later_has_the_state_and_hears_nothing_old(kafka: str, topic: Callable[..., str]) -> None:
    name, heard = topic(create=False), Heard()
    with config_store(kafka, name) as first:
        first.put_connector_config("c", {"name": "c"})
    with config_store(kafka, name, heard) as second:
        assert second.contains("c")
        assert heard.all() == []


def test_with_exactly_once_a_worker_writes_only_after_claiming_and_until_another_claims(
    kafka: str, topic: Callable[..., str]
) -> None:
    name, transactional_id = topic(create=False), f"connect-cluster-{uuid.uuid4()}"
    with (
        config_store(kafka, name, transactional_id=transactional_id) as old,
        config_store(kafka, name, transactional_id=transactional_id) as new,
    ):
        with pytest.raises(WorkerError, match="has not claimed"):
            old.put_connector_config("c", {"by": "nobody"})
        old.claim_write_privileges()
        old.put_connector_config("c", {"by": "old"})
        old.put_task_configs("c", [{"i": "0"}])
        new.claim_write_privileges()
        with pytest.raises(PrivilegedWriteError, match="another worker has taken over"):
            old.put_connector_config("c", {"by": "a fenced leader"})
        new.put_connector_config("d", {"by": "new"})
        old.refresh(20)
        assert old.snapshot().connectors == {"c": {"by": "old"}, "d": {"by": "new"}}
        old.claim_write_privileges()  # it leads again
        old.put_connector_config("c", {"by": "old again"})
        assert old.snapshot().connectors["c"] == {"by": "old again"}


def test_a_config_topic_with_more_partitions_is_refused_by_its_setting(kafka: str, topic: Callable[..., str]) -> None:
    with (
        pytest.raises(ConfigError, match=r"'config\.storage\.topic' .* single partition"),
        config_store(kafka, topic(partitions=2, cleanup_policy="compact")),
    ):
        pass


def test_statuses_of_one_worker_are_seen_by_another(kafka: str, topic: Callable[..., str]) -> None:
    spec, clients = TopicSpec(topic(create=False), 2, 1), internal_clients({"bootstrap.servers": kafka})
    one, other = StatusStore(clients, spec), StatusStore(clients, spec)
    one.start(30)
    other.start(30)
    try:
        task, running = ConnectorTaskId("c", 0), Status(State.RUNNING, None, "w1", 3, "1.0")
        one.put_connector("c", running)
        one.put_task(task, running)
        one.put_topic(TopicStatus("orders", "c", 0, 5))
        one.flush()
        other.flush()
        assert other.connector("c") == running
        assert other.tasks("c") == {task: running}
        assert [t.topic for t in other.topics("c")] == ["orders"]

        other.put_task_safe(task, Status(State.UNASSIGNED, None, "w2", 2))  # late news of an older generation
        other.flush()
        assert other.task(task) == running
        failed = Status(State.FAILED, "trace", "w2", 4)
        other.put_task_safe(task, failed)
        other.flush()
        assert other.task(task) == failed

        one.flush()
        one.remove_connector("c", "w1", 5)
        one.flush()
        other.flush()
        assert other.connectors() <= {"c"}
        assert other.connector("c") is None
        assert other.tasks("c") == {}
        assert other.topics("c") == []
    finally:
        one.stop()
        other.stop()


def test_a_status_is_written_before_the_store_stops(kafka: str, topic: Callable[..., str]) -> None:
    spec, clients = TopicSpec(topic(create=False), 1, 1), internal_clients({"bootstrap.servers": kafka})
    store = StatusStore(clients, spec)
    store.start(30)
    status = Status(State.UNASSIGNED, None, "w", 1)
    store.put_connector("c", status)
    store.stop()
    later = StatusStore(clients, dataclasses.replace(spec))
    later.start(30)
    assert later.connector("c") == status
    later.stop()


def test_offsets_are_read_by_another_worker_right_after_they_were_written(
    kafka: str, topic: Callable[..., str]
) -> None:
    spec, clients = TopicSpec(topic(create=False), 5, 1), internal_clients({"bootstrap.servers": kafka})
    one, other = KafkaOffsetStore(clients, spec), KafkaOffsetStore(clients, spec)
    one.start(30)
    other.start(30)
    try:
        files = [{"file": f"f{i}", "host": "h"} for i in range(10)]
        for at in range(3):
            one.write("c", [(file, {"at": at}) for file in files])
            assert other.read("c", files) == [{"at": at}] * 10
        other.write("c", [({"host": "h", "file": "f0"}, None)])  # the same partition, written in another order
        assert one.read("c", files[:2]) == [None, {"at": 2}]
        assert len(one.all("c")) == 9
        assert one.all("d") == []
    finally:
        one.stop()
        other.stop()


def test_stores_make_their_topics_with_the_settings_given(kafka: str, topic: Callable[..., str]) -> None:
    name = topic(create=False)
    spec = TopicSpec(name, -1, -1, {"segment.bytes": "1048576"})
    store = KafkaOffsetStore(internal_clients({"bootstrap.servers": kafka}), spec)
    store.start(30)
    store.stop()
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    admin = AdminClient({"bootstrap.servers": kafka})
    configs = admin.describe_configs([resource])[resource].result(10)
    assert configs["segment.bytes"].value == "1048576"
    assert configs["cleanup.policy"].value == "compact"
