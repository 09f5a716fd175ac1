"""A JVM cluster with data moves to penstock and back: connectors, states, offsets and every line."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from lab.committed import messages
from lab.jvm_cluster import JvmCluster
from lab.worker_process import WorkerProcess, free_port
from penstock import KAFKA_VERSION

POM = Path(__file__).parent / "jvm" / "pom.xml"
JSON = "org.apache.kafka.connect.json.JsonConverter"
AVRO = "io.confluent.connect.avro.AvroConverter"
TRANSFORMS = "org.apache.kafka.connect.transforms."
PARTITIONS = 3
WORDS = 12
MOVING = ("json-src", "json-snk", "avro-src", "avro-snk")
QUIET = ("idle-src", "idle-snk")  # one is paused, the other stopped


class Writer:
    """Appends lines to two files, at most `limit` each: numbered ones to `numbers`, words that come again to `words`."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.numbers, self.words, self.limit = folder / "numbers.txt", folder / "words.txt", limit
        self.lines = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        for path in (self.numbers, self.words):
            path.touch()

    def append(self, count: int) -> None:
        with self.numbers.open("a") as numbers, self.words.open("a") as words:
            for i in range(self.lines, self.lines + count):
                numbers.write(f"line {i}\n")
                words.write(f"word {i % WORDS}\n")
        self.lines += count

    def begin(self) -> None:
        """Go on appending until `rest`."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self.lines < self.limit and not self._stop.wait(0.02):
            self.append(3)

    def rest(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join(10)
            self._thread = None


class Move:
    """Connectors of a cluster, and what must be true of them whoever runs them."""

    def __init__(self, cluster: JvmCluster, registry: str, writer: Writer) -> None:
        self.cluster, self.registry, self.writer = cluster, registry, writer

    def out(self, which: str) -> Path:
        return self.cluster.folder / f"{which}-out.txt"

    def configs(self) -> dict[str, dict[str, str]]:
        json = {"value.converter": JSON, "value.converter.schemas.enable": "true", "key.converter": JSON}
        avro = {
            f"{which}.converter{rest}": value
            for which in ("key", "value")
            for rest, value in (("", AVRO), (".schema.registry.url", self.registry))
        }
        keyed = {  # a line becomes a struct, and the key: equal lines must stay in one partition
            "transforms": "hoist,key",
            "transforms.hoist.type": TRANSFORMS + "HoistField$Value",
            "transforms.hoist.field": "line",
            "transforms.key.type": TRANSFORMS + "ValueToKey",
            "transforms.key.fields": "line",
        }
        source, sink = ({"connector.class": f"FileStream{kind}", "tasks.max": "1"} for kind in ("Source", "Sink"))
        java = {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector"}
        words, numbers = self.cluster.topic("words"), self.cluster.topic("numbers")
        configs = {
            "json-src": {**source, **json, **keyed, "file": str(self.writer.words), "topic": words},
            "json-snk": {**sink, **json, "tasks.max": "2", "file": str(self.out("json")), "topics": words},
            "avro-src": {**source, **avro, **keyed, "file": str(self.writer.numbers), "topic": numbers},
            "avro-snk": {**sink, **avro, **java, "file": str(self.out("avro")), "topics": numbers},
            "idle-src": {**source, **json, "file": str(self.writer.words), "topic": self.cluster.topic("idle")},
            "idle-snk": {**sink, **json, "file": str(self.out("idle")), "topics": words},
        }
        return {self.name(which): config for which, config in configs.items()}

    def name(self, which: str) -> str:
        """Unique, as the broker is everybody's and a sink's consumer group has its connector's name."""
        return f"{which}-{self.cluster.group}"

    def create(self, worker: WorkerProcess) -> None:
        admin = AdminClient({"bootstrap.servers": self.cluster.kafka})
        made = admin.create_topics([NewTopic(self.cluster.topic(t), PARTITIONS, 1) for t in ("words", "numbers")])
        for future in made.values():
            future.result(30)
        for name, config in self.configs().items():
            self.cluster.call(worker, "PUT", f"/connectors/{name}/config", config, expect=201)
        for name in self.configs():
            worker.wait_running(name)
        self.writer.append(20)
        self.cluster.eventually(
            lambda: self.offsets(worker, self.name("idle-src")), "an offset of the source to be paused"
        )
        self.cluster.eventually(
            lambda: self.offsets(worker, self.name("idle-snk")), "offsets of the sink to be stopped"
        )
        self.cluster.call(worker, "PUT", f"/connectors/{self.name('idle-src')}/pause", expect=202)
        self.cluster.call(worker, "PUT", f"/connectors/{self.name('idle-snk')}/stop", expect=204)
        self.settled(worker)

    def offsets(self, worker: WorkerProcess, name: str) -> list[Any]:
        found = self.cluster.call(worker, "GET", f"/connectors/{name}/offsets", expect=200)["offsets"]
        return sorted(found, key=str)

    def settled(self, worker: WorkerProcess) -> None:
        """All that should run runs, the others are as they were left, and as many tasks as there should be."""

        def states() -> dict[str, Any]:
            return {
                name: (state, [task for task, _ in tasks])
                for name in self.configs()
                for state, tasks in [self.cluster.states(worker, name)]
            }

        wanted = {self.name(w): ("RUNNING", ["RUNNING"] * (2 if w == "json-snk" else 1)) for w in MOVING}
        wanted |= {self.name("idle-src"): ("PAUSED", ["PAUSED"]), self.name("idle-snk"): ("STOPPED", [])}
        self.cluster.eventually(lambda: states() == wanted, f"states as they were left: {wanted}")

    def expected(self) -> dict[str, Counter[str]]:
        lines = self.writer.lines
        return {
            "json": Counter(f"Struct{{line=word {i % WORDS}}}" for i in range(lines)),
            "avro": Counter(f"Struct{{line=line {i}}}" for i in range(lines)),
        }

    def delivered(self) -> dict[str, Counter[str]]:
        return {which: Counter(self.out(which).read_text().split("\n")[:-1]) for which in ("json", "avro")}

    def picture(self, worker: WorkerProcess) -> dict[str, Any]:
        """What must be the same before and after, once nothing moves: offsets are compared with what was written."""
        size = {self.name("json-src"): self.writer.words, self.name("avro-src"): self.writer.numbers}
        ends = {self.name("json-snk"): self.ends("words"), self.name("avro-snk"): self.ends("numbers")}

        def caught_up() -> bool:
            at = [self.offsets(worker, name)[0]["offset"]["position"] for name in size]
            return at == [path.stat().st_size for path in size.values()] and all(
                {o["partition"]["kafka_partition"]: o["offset"]["kafka_offset"] for o in self.offsets(worker, name)}
                == end
                for name, end in ends.items()
            )

        self.cluster.eventually(caught_up, "offsets of all that was written")
        info = self.cluster.call(worker, "GET", "/connectors?expand=info", expect=200)
        status = self.cluster.call(worker, "GET", "/connectors?expand=status", expect=200)
        return {
            "info": info,
            "offsets": {name: self.offsets(worker, name) for name in self.configs()},
            "states": {
                name: (
                    found["status"]["type"],
                    [
                        {key: value for key, value in part.items() if key not in ("worker_id", "version")}
                        for part in (found["status"]["connector"], *found["status"]["tasks"])
                    ],
                )
                for name, found in status.items()
            },
            "versions": {
                part["version"]
                for found in status.values()
                for part in (found["status"]["connector"], *found["status"]["tasks"])
            },
            "topics": {
                name: sorted(self.cluster.call(worker, "GET", f"/connectors/{name}/topics", expect=200)[name]["topics"])
                for name in self.configs()
            },
        }

    def ends(self, what: str) -> dict[int, int]:
        """The offset after the last record of each partition that has any; ends of transactions take offsets too."""
        return {partition: offset + 1 for partition, offset, _ in self.records(what)}

    def records(self, what: str) -> list[tuple[int, int, bytes]]:
        """Partition, offset and key of each record, those of aborted transactions too."""
        found = messages(self.cluster.kafka, self.cluster.topic(what), "read_uncommitted")
        return [(m.partition() or 0, m.offset() or 0, m.key() or b"") for m in found]  # type: ignore[misc]  # keys are bytes


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[WorkerProcess]:
    """Started, and perhaps not yet ready."""
    address = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "registry.properties").write_text(f"listeners={address}\nstore=memory\n")
    with WorkerProcess(["registry", tmp_path / "registry.properties"], tmp_path / "registry.log", address) as process:
        yield process


#: The version of a connector that comes with the worker is the worker's.
VERSIONS = {"jvm": {"4.3.0"}, "penstock": {KAFKA_VERSION}}

#: What a cluster's topics may hold that penstock does not write, or cannot use: (topic, key, value). ``{json-src}`` and
#: others stand for the connector of that name.
STRANGE: list[tuple[str, str | None, str | None]] = [
    ("config", "tasks-autoscaling-{json-src}", '{"from": "a newer worker"}'),
    ("config", "connector-", None),
    ("config", "task-gone-0", '{"properties": {"task.class": "x"}}'),
    ("config", "commit-gone", '{"tasks": 1}'),
    ("config", "task-{json-src}-x", '{"properties": {}}'),
    ("config", "tasks-fencing-gone", '{"task-count": 3}'),
    ("config", "target-state-{idle-src}", '{"state": "HIBERNATING", "state.v2": "HIBERNATING", "more": 1}'),
    ("config", "restart-connector-gone", '{"include-tasks": true, "only-failed": false}'),
    ("config", "restart-connector-{json-snk}", '{"only-failed": "yes"}'),
    ("config", "logger-cluster-org.example.Nobody", '{"level": "DEBUG", "more": [1]}'),
    ("config", "logger-cluster-org.example.Nobody", None),
    ("config", "session-key", '{"algorithm": "HmacFuture", "key": "AAAA"}'),
    ("config", None, '{"properties": {}}'),
    ("config", "connector-{json-src}", "not JSON at all"),
    ("config", "commit-{json-snk}", '"two"'),
    ("status", "status-worker-1", '{"state": "RUNNING"}'),
    ("status", "status-connector-{json-src}", '{"state": "DREAMING"}'),
    ("status", "status-task-{json-src}", None),
    ("status", None, None),
    ("offset", '["{json-src}"]', '{"position": 1}'),
    ("offset", '["gone",{"filename":"x"}]', None),
    ("offset", "[", None),
    ("offset", None, "{}"),
]


def write_strange_records(cluster: JvmCluster, move: Move) -> None:
    producer = Producer({"bootstrap.servers": cluster.kafka, "acks": "all"})
    for what, key, value in STRANGE:
        for which in ("json-src", "json-snk", "idle-src"):
            key = key and key.replace(f"{{{which}}}", move.name(which))
        producer.produce(cluster.topic(what), value, key)
    assert producer.flush(30) == 0


#: How the worker that runs ends, who comes after it, and its ``exactly.once.source.support``.
Step = tuple[str, str, str]
MOVES: dict[str, list[Step]] = {
    "there and back": [("stop", "penstock", ""), ("stop", "jvm", "enabled"), ("kill", "penstock", "")],
    "at least once": [("stop", "penstock", ""), ("kill", "jvm", "disabled"), ("kill", "penstock", "")] * 3,
    "exactly once": [("kill", "penstock", ""), ("stop", "jvm", "enabled"), ("stop", "penstock", "")] * 3,
}


@pytest.mark.parametrize(
    "steps", [pytest.param(MOVES[name], id=name, marks=pytest.mark.soak if i else ()) for i, name in enumerate(MOVES)]
)
def test_a_cluster_moves_from_the_jvm_to_penstock_and_back(
    kafka: str, tmp_path: Path, registry: WorkerProcess, steps: list[Step]
) -> None:
    """Lines are appended all the while. Clean stops deliver each once; a kill loses none."""
    writer = Writer(tmp_path, 20_000)
    with JvmCluster(POM, kafka, tmp_path) as cluster:

        def start(kind: str, exactly_once: str) -> WorkerProcess:
            if kind == "penstock":
                return cluster.start_penstock().wait_ready()
            # What a killed worker leaves open holds up those who read only what is committed, for so long.
            eos = {"exactly.once.source.support": exactly_once, "producer.transaction.timeout.ms": "3000"}
            return cluster.start_jvm(**eos).wait_ready()

        worker, killed = start("jvm", "enabled" if steps[0][0] == "kill" else "disabled"), False
        registry.wait_ready("/subjects")
        move = Move(cluster, registry.rest, writer)
        move.create(worker)
        before = move.picture(worker)
        assert before["versions"] == VERSIONS["jvm"]
        for end, successor, exactly_once in steps:
            if end == "kill":
                write_strange_records(cluster, move)
            writer.begin()
            enough = writer.lines + 30
            cluster.eventually(lambda enough=enough: writer.lines > enough, "some lines")
            if end == "kill":
                cluster.kill(worker)
                killed = True
            else:
                assert cluster.stop(worker) in (0, 143), cluster.logs()  # 143: how a JVM says SIGTERM
            worker = start(successor, exactly_once)
            move.settled(worker)
            writer.rest()
            if killed:
                cluster.eventually(
                    lambda: all(move.delivered()[which] >= lines for which, lines in move.expected().items()),
                    "every line",
                )
                assert {k: set(v) for k, v in move.delivered().items()} == {
                    k: set(v) for k, v in move.expected().items()
                }
            else:
                cluster.eventually(
                    lambda: min(found.total() for found in move.delivered().values()) >= writer.lines, "every line"
                )
                assert move.delivered() == move.expected()
            # Now that nothing moves, nothing may have changed but what was delivered.
            after = move.picture(worker)
            for what in ("info", "states", "topics"):
                assert after[what] == before[what]
            assert after["versions"] == VERSIONS[successor]
            for name in map(move.name, QUIET):
                assert after["offsets"][name] == before["offsets"][name] != []
            before = after
        places = {(key, partition) for partition, _, key in move.records("words")}
        assert len(places) == WORDS  # a word stays in its partition, whoever writes it
