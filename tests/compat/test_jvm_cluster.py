"""Taking a JVM cluster over, and being in one with it: its topics are read, ours are read by it, and one group serves both."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from penstock.herder.distributed.protocol import (
    PROTOCOL_TYPE,
    Assignment,
    WorkerState,
    decode_assignment,
    encode_metadata,
    subprotocols,
)
from penstock.kafka.group import GroupMember
from penstock.kafka.topic_log import TopicSpec, internal_clients
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.storage.config_store import ConfigStore
from penstock.storage.kafka_offsets import KafkaOffsetStore
from penstock.storage.status_store import StatusStore
from penstock.testing.jvm_connect import JvmConnect, fetch_connect

POM = Path(__file__).parent / "jvm" / "pom.xml"
SOURCE = {"connector.class": "FileStreamSource", "tasks.max": "1", "topic": ""}
SINK = {"connector.class": "FileStreamSink", "tasks.max": "4", "topics": ""}


class Cluster:
    """Names of one cluster's group and topics, and penstock's stores on them."""

    def __init__(self, kafka: str, folder: Path, exactly_once: str) -> None:
        self.kafka, self.folder, self.exactly_once = kafka, folder, exactly_once
        self.group = f"jvm-{uuid.uuid4().hex[:8]}"
        self._clients = internal_clients({"bootstrap.servers": kafka})
        self.transactional_id = None if exactly_once == "disabled" else f"connect-cluster-{self.group}"

    def topic(self, what: str) -> str:
        return f"{self.group}-{what}"

    @contextlib.contextmanager
    def jvm(self) -> Iterator[JvmConnect]:
        properties = {
            "group.id": self.group,
            **{f"{what}.storage.topic": self.topic(what) for what in ("config", "offset", "status")},
            **{f"{what}.storage.replication.factor": "1" for what in ("config", "offset", "status")},
            "exactly.once.source.support": self.exactly_once,
            "session.timeout.ms": "3000",
            "heartbeat.interval.ms": "700",
            "scheduled.rebalance.max.delay.ms": "1000",
            "offset.flush.interval.ms": "200",
        }
        with JvmConnect(fetch_connect(POM), self.folder, self.kafka, properties) as worker:
            worker.wait_ready(timeout=120)
            yield worker

    @contextlib.contextmanager
    def config(self) -> Iterator[ConfigStore]:
        spec = TopicSpec(self.topic("config"), 1, 1, exact_partitions=True)
        store = ConfigStore(self._clients, spec, Deaf(), transactional_id=self.transactional_id)
        store.start(30)
        yield store
        store.stop()

    @contextlib.contextmanager
    def status(self) -> Iterator[StatusStore]:
        store = StatusStore(self._clients, TopicSpec(self.topic("status"), 5, 1))
        store.start(30)
        yield store
        store.stop()

    @contextlib.contextmanager
    def offsets(self) -> Iterator[KafkaOffsetStore]:
        store = KafkaOffsetStore(self._clients, TopicSpec(self.topic("offset"), 25, 1), transactions=True)
        store.start(30)
        yield store
        store.stop()


class Deaf:
    """A listener for those who look at the snapshot."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *_: None


class Worker:
    """As much of a worker as the group sees: it tells what it has, stops what it is told to, and joins again."""

    def __init__(self, offset: Callable[[], int]) -> None:
        self.offset = offset
        self.has = Assignment()
        self.member: GroupMember | None = None

    def metadata(self, protocol: str) -> bytes:
        return encode_metadata(protocol, WorkerState("http://127.0.0.1:1/", self.offset(), self.has))

    def on_join_prepare(self, generation: int, member_id: str) -> None:
        pass

    def on_lost(self, reason: str) -> None:
        raise AssertionError(reason)

    def perform_assignment(self, leader_id: str, protocol: str, members: Mapping[str, bytes]) -> Mapping[str, bytes]:
        raise AssertionError("the JVM worker was here first and leads")

    def on_assignment(self, generation: int, member_id: str, protocol: str, assignment: bytes) -> None:
        new = decode_assignment(protocol, assignment)
        assert protocol == "sessioned"
        connectors = (set(self.has.connectors) - set(new.revoked_connectors)) | set(new.connectors)
        tasks = (set(self.has.tasks) - set(new.revoked_tasks)) | set(new.tasks)
        self.has = Assignment(
            new.error, new.leader, new.leader_url, new.offset, tuple(connectors), tuple(tasks), delay=new.delay
        )


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@pytest.fixture(params=["disabled", "enabled"])
def cluster(kafka: str, tmp_path: Path, request: pytest.FixtureRequest) -> Cluster:
    return Cluster(kafka, tmp_path, request.param)


def source(cluster: Cluster) -> dict[str, str]:
    (cluster.folder / "in.txt").write_text("one\ntwo\n")
    return {**SOURCE, "file": str(cluster.folder / "in.txt"), "topic": cluster.topic("data"), "name": "src"}


def test_a_jvm_clusters_topics_are_read(cluster: Cluster) -> None:
    with cluster.jvm() as jvm, cluster.offsets() as offsets, cluster.status() as status, cluster.config() as config:
        assert jvm.call("PUT", "/connectors/src/config", source(cluster))[0] == 201
        jvm.wait_running("src")
        partition = {"filename": str(cluster.folder / "in.txt")}
        eventually(lambda: offsets.read("src", [partition]) == [{"position": 8}], "the file's offset")
        assert offsets.all("src") == [(partition, {"position": 8})]

        config.refresh(20)
        state = config.snapshot()
        assert state.connectors["src"]["file"] == partition["filename"]
        assert state.tasks("src") == [ConnectorTaskId("src", 0)]
        assert state.session_key is not None
        assert len(state.session_key.key) == 32
        assert state.applied_configs["src"] == state.connectors["src"]
        assert ("src" in state.pending_fencing) == (cluster.exactly_once == "disabled")

        status.flush()
        met = status.task(ConnectorTaskId("src", 0))
        assert met is not None
        assert met.state is State.RUNNING
        assert met.version == "4.3.0"

        assert jvm.call("PUT", "/connectors/src/stop")[0] == 204
        eventually(lambda: config.refresh(20) or config.snapshot().tasks("src") == [], "no tasks")
        assert config.snapshot().target_state("src") is TargetState.STOPPED
        assert jvm.call("DELETE", "/connectors/src/offsets")[0] == 200
        assert offsets.all("src") == []


def test_a_jvm_worker_carries_on_with_what_penstock_wrote(cluster: Cluster) -> None:
    wanted = source(cluster)
    partition = {"filename": wanted["file"]}
    with cluster.config() as config, cluster.offsets() as offsets, cluster.status() as status:
        config.claim_write_privileges()
        config.put_connector_config("src", wanted, TargetState.PAUSED)
        task = {**wanted, "task.class": "org.apache.kafka.connect.file.FileStreamSourceTask"}
        config.put_task_configs("src", [task])
        config.put_task_target_state(ConnectorTaskId("src", 0), TargetState.PAUSED)  # the JVM does not know it
        offsets.write("src", [(partition, {"position": 4})])
        assert status.connectors() == set()
    with cluster.jvm() as jvm:
        eventually(lambda: jvm.call("GET", "/connectors/src/status")[0] == 200, "the connector's status")
        eventually(
            lambda: jvm.call("GET", "/connectors/src/status")[1]["connector"]["state"] == "PAUSED",
            "paused as we left it",
        )
        assert jvm.call("GET", "/connectors/src/offsets")[1] == {
            "offsets": [{"partition": partition, "offset": {"position": 4}}]
        }
        assert jvm.call("PUT", "/connectors/src/resume")[0] == 202
        jvm.wait_running("src")
        with cluster.offsets() as offsets:
            eventually(lambda: offsets.read("src", [partition]) == [{"position": 8}], "the rest of the file")


def test_a_jvm_leader_gives_a_penstock_worker_its_share(cluster: Cluster) -> None:
    sink = {**SINK, "topics": cluster.topic("data"), "file": str(cluster.folder / "out.txt")}
    with cluster.jvm() as jvm, cluster.config() as config:
        assert jvm.call("PUT", "/connectors/snk/config", sink)[0] == 201
        jvm.wait_running("snk")

        def offset() -> int:
            config.refresh(20)
            return config.snapshot().offset

        worker = Worker(offset)
        member = GroupMember(
            {"bootstrap.servers": cluster.kafka},
            cluster.group,
            PROTOCOL_TYPE,
            [(name, lambda name=name: worker.metadata(name)) for name in subprotocols("sessioned")],
            worker,
            session_timeout_ms=3000,
            heartbeat_interval_ms=700,
        )
        member.start()
        try:
            eventually(lambda: len(worker.has.tasks) == 2, "two of the four tasks")
            assert worker.has.leader_url == f"{jvm.rest}/"
            assert worker.has.offset == config.snapshot().offset
        finally:
            member.stop()
        eventually(  # it left: after the delay the JVM has all of them again
            lambda: {t["state"] for t in jvm.call("GET", "/connectors/snk/status")[1]["tasks"]} == {"RUNNING"},
            "all tasks",
        )
