"""A JVM cluster's topics are read by penstock's stores, and what they write is read by a JVM worker."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.jvm_cluster import eventually
from lab.jvm_connect import JvmConnect, fetch_connect
from penstock.kafka.topic_log import TopicSpec, internal_clients
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.storage.config_store import ConfigStore
from penstock.storage.kafka_offsets import KafkaOffsetStore
from penstock.storage.status_store import StatusStore

POM = Path(__file__).parent / "jvm" / "pom.xml"
SOURCE = {"connector.class": "FileStreamSource", "tasks.max": "1", "topic": ""}


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
            worker.wait_ready()
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


@pytest.mark.parametrize(
    "cluster", ["enabled"], indirect=True
)  # the other way a whole worker goes, test_jvm_takeover.py
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
