"""The schema registry: requests a second beside a bare ASGI "hello" under the same server, writes, start with many schemas, memory.

    registry_bench.py [--bootstrap HOST:PORT] [--runs 3] [--schemas 100000]

Server, "hello" and load generator are processes of their own. Reads and "hello" take turns in short rounds, and are judged
by what a request costs the server's process: where a server has a core to itself, requests a second are in that ratio.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import bcrypt
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from harness import HERE, cpu_seconds, median, resident_mb, table, wait_for
from http_load import CONTENT_TYPE, Connection, generator, load, request_bytes
from lab.jars import fetch_jars
from lab.worker_process import WorkerProcess, free_port
from penstock.testing.broker import KafkaBroker
from penstock_registry.store import SchemaKey
from penstock_registry.store.records import Key, Value, encode_key, encode_value
from penstock_registry.store.sqlite import SqliteStore

CONNECTIONS = 32
CLIENTS = 8
_ROUND_S = 2.0
_FILL = 1000


class Bar(NamedTuple):
    """`at_least` says which side of `bar` is the good one."""

    name: str
    value: float
    bar: float
    unit: str
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def row(self) -> list[str]:
        number = f"{self.value:,.2f}" if self.value < 10 else f"{self.value:,.0f}"
        return [
            self.name,
            number + self.unit,
            f"{'≥' if self.at_least else '≤'} {self.bar:g}{self.unit}",
            "PASS" if self.kept else "FAIL",
        ]


def avro(number: int) -> str:
    """An Avro record of eight fields, another one for each number; 700 bytes, as the registry writes it."""
    fields: list[dict[str, Any]] = [
        {"name": "id", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "customer", "type": "string", "doc": "Who ordered, by the name in the customers' register."},
        {"name": "quantity", "type": "int"},
        {"name": "price", "type": "double"},
        {"name": "paid", "type": "boolean", "default": False},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": f"discount_{number}", "type": ["null", "double"], "default": None},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "SENT", "BACK"]}},
    ]
    record = {"type": "record", "name": "Order", "namespace": "com.example.shop.orders", "fields": fields}
    return json.dumps(record, separators=(",", ":"))


def records(count: int) -> Iterator[tuple[Key, Value]]:
    """The log of a registry with `count` schemas, each the first or second version of a subject."""
    for number in range(count):
        subject, version = f"shop.orders.topic-{number // 2}-value", number % 2 + 1
        yield (
            SchemaKey(subject, version),
            {
                "subject": subject, "version": version, "id": number + 1, "schemaType": "AVRO",
                "schema": avro(number), "deleted": False,
            },
        )  # fmt: skip


class Hello(NamedTuple):
    pid: int
    url: str


class Client:
    """One keep-alive connection."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=60)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, {"Content-Type": CONTENT_TYPE})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:1000]!r}")
        return json.loads(content)

    def milliseconds(self, method: str, path: str, body: Any = None) -> float:
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            self.call(method, path, body)
            taken.append(time.perf_counter() - begun)
        return median(taken) * 1000


@contextlib.contextmanager
def hello(folder: Path) -> Iterator[Hello]:
    port = free_port()
    with (folder / "hello.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, HERE / "bare_asgi.py", str(port)], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"

            def answers() -> bool:
                if process.poll() is not None:
                    raise SystemExit(f"the bare server ended:\n{(folder / 'hello.log').read_text()}")
                with contextlib.suppress(OSError):
                    Client(url).call("GET", "/")
                    return True
                return False

            wait_for("the bare server", answers)
            yield Hello(process.pid, url)
        finally:
            process.kill()
            process.wait()


class Bench:
    def __init__(self, bootstrap: str, folder: Path, runs: int, schemas: int) -> None:
        self.bootstrap, self.folder, self.runs, self.schemas = bootstrap, folder, runs, schemas
        self.bars: list[Bar] = []

    def registry(self, settings: str) -> WorkerProcess:
        name = uuid.uuid4().hex[:8]
        url = f"http://127.0.0.1:{free_port()}"
        file = self.folder / f"{name}.properties"
        file.write_text(f"listeners={url}\n{settings}\n")
        return WorkerProcess(["registry", file], self.folder / f"{name}.log", url)

    def kafka(self, topic: str) -> str:
        return (
            f"kafkastore.bootstrap.servers={self.bootstrap}\nkafkastore.topic={topic}\n"
            f"schema.registry.group.id={topic}\nkafkastore.topic.replication.factor=1"
        )

    # --- reads

    def reads(self) -> None:
        """Every case by turns with the others, so that all meet the same machine."""
        users = self.folder / "users"
        users.write_text(f"reader:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}:admin\n")
        guarded = f"store=memory\nauthentication.method=BASIC\nauthentication.basic.users.file={users}"
        with (
            self.registry("store=memory") as registry,
            self.registry(guarded) as secured,
            hello(self.folder) as bare,
        ):
            client = Client(registry.wait_ready("/subjects").rest)
            user = secured.wait_ready("/health").rest.replace("http://", "http://reader:secret@")
            for number in range(100):
                client.call("POST", f"/subjects/s{number}/versions", {"schema": avro(number)})
            address, request = request_bytes(f"{user}/subjects/s7/versions", json.dumps({"schema": avro(7)}).encode())
            Connection(address).ask(request)
            lookup = json.dumps({"schema": avro(7)}).encode()
            cases: dict[str, tuple[int, str, bytes | None]] = {
                "bare hello": (bare.pid, bare.url, None),
                "schema by id": (registry.pid, f"{registry.rest}/schemas/ids/7", None),
                "schema by id, a user": (secured.pid, f"{user}/schemas/ids/1", None),
                "lookup": (registry.pid, f"{registry.rest}/subjects/s7", lookup),
                "latest version": (registry.pid, f"{registry.rest}/subjects/s7/versions/latest", None),
            }
            rates: dict[str, list[float]] = {name: [] for name in cases}
            cpu: dict[str, list[float]] = {name: [] for name in cases}
            for _ in range(self.runs * 2):
                for name, (pid, url, body) in cases.items():
                    before = cpu_seconds(pid)
                    rates[name].append(load(url, _ROUND_S, CONNECTIONS, body))
                    cpu[name].append((cpu_seconds(pid) - before) / (rates[name][-1] * _ROUND_S) * 1e6)
        rows = []
        for name in cases:
            of_rate = median(one / base for one, base in zip(rates[name], rates["bare hello"], strict=True))
            of_cpu = median(base / one for one, base in zip(cpu[name], cpu["bare hello"], strict=True))
            rows.append(
                [name, f"{median(rates[name]):,.0f}", f"{of_rate:.2f}", f"{median(cpu[name]):.0f}", f"{of_cpu:.2f}"]
            )
            bar = {"schema by id": 0.7, "lookup": 0.2}.get(name)
            if bar:
                self.bars.append(
                    Bar(f"{name}: requests of a core, of the bare hello's", of_cpu, bar, "", at_least=True)
                )
        known = median(
            without / with_user
            for without, with_user in zip(cpu["schema by id"], cpu["schema by id, a user"], strict=True)
        )
        self.bars.append(
            Bar("schema by id: requests of a core for a user, of those without users", known, 0.6, "", at_least=True)
        )
        table(
            f"Registry, reads: {CONNECTIONS} connections, load by {generator()}",
            ["", "requests/s", "of hello", "CPU us", "of hello"],
            rows,
        )

    # --- writes

    def writes(self, count: int = 2000) -> None:
        rows = []
        for name in ("kafka", "sqlite", "memory"):
            rates, cpu, reads = zip(*(self._write(name, count) for _ in range(self.runs)), strict=True)
            rows.append([name, f"{median(rates):,.0f}", f"{median(cpu):.0f}", f"{median(reads):.1f}"])
            if name == "kafka":
                self.bars.append(
                    Bar(f"new Avro schemas on Kafka, {CLIENTS} clients", median(rates), 300, "/s", at_least=True)
                )
        table(
            f"Registry, new Avro schemas: {CLIENTS} clients, each a subject of its own",
            ["store", "schemas/s", "CPU us", "reads by id meanwhile, median ms"],
            rows,
        )

    def _settings(self, name: str) -> str:
        if name == "kafka":
            return self.kafka(f"_schemas-{uuid.uuid4().hex[:8]}")
        return "store=memory" if name == "memory" else f"store=sqlite:{self.folder / uuid.uuid4().hex}.db"

    def _write(self, name: str, count: int) -> tuple[float, float, float]:
        """Schemas a second, microseconds of CPU for one, and milliseconds that a read takes meanwhile."""
        with self.registry(self._settings(name)) as registry:
            registry.wait_ready("/health/ready")
            for number in range(20):  # the first request imports the format
                Client(registry.rest).call("POST", f"/subjects/warm/versions?number={number}", {"schema": avro(10**6)})
            answers: list[bytes] = []
            done = threading.Event()
            reads: list[float] = []
            bodies = [json.dumps({"schema": avro(number)}).encode() for number in range(count)]
            requests = [
                request_bytes(f"{registry.rest}/subjects/s{n}/versions", body)[1] for n, body in enumerate(bodies)
            ]
            address, read_first = request_bytes(f"{registry.rest}/schemas/ids/1", None)

            def write(which: int) -> None:
                with contextlib.closing(Connection(address)) as connection:
                    for number in range(which, count, CLIENTS):
                        answers.append(connection.ask(requests[number]))

            def read() -> None:
                with contextlib.closing(Connection(address)) as connection:
                    while not done.wait(0.02):
                        begun = time.perf_counter()
                        connection.ask(read_first)
                        reads.append(time.perf_counter() - begun)

            clients = [threading.Thread(target=write, args=(which,)) for which in range(CLIENTS)]
            reader = threading.Thread(target=read)
            begun, cpu = time.monotonic(), cpu_seconds(registry.pid)
            for thread in [*clients, reader]:
                thread.start()
            for thread in clients:
                thread.join()
            took, cpu = time.monotonic() - begun, cpu_seconds(registry.pid) - cpu
            done.set()
            reader.join()
            if sorted(json.loads(answer)["id"] for answer in answers) != list(range(2, count + 2)):
                raise SystemExit(f"{name}: {count} schemas were registered, but the ids are not 2 to {count + 1}")
            return count / took, cpu / count * 1e6, median(reads or [0]) * 1000

    # --- many schemas

    def many(self) -> None:
        rows = []
        for name, settings in (("kafka", self._fill_kafka()), ("sqlite", self._fill_sqlite())):
            taken = [self._start(settings) for _ in range(self.runs)]
            cpu, wall, memory = (median(one[index] for one in taken) for index in range(3))
            answers = [f"{median(one[3][index] for one in taken):.1f}" for index in range(3)]
            rows.append([name, f"{cpu:.1f}", f"{wall:.1f}", f"{memory:.0f}", *answers])
            self.bars += [
                Bar(f"{self.schemas:,} schemas on {name}: CPU to start", cpu, 20, " s"),
                Bar(f"{self.schemas:,} schemas on {name}: resident", memory, 500, " MB"),
            ]
        head = ["store", "CPU s", "wall s", "resident MB", "list ms", "latest ms", "lookup ms"]
        table(f"Registry, start with {self.schemas:,} schemas", head, rows)

    def _fill_kafka(self) -> str:
        topic = f"_schemas-{uuid.uuid4().hex[:8]}"
        new = NewTopic(topic, 1, 1, config={"cleanup.policy": "compact"})
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([new])[topic].result(30)
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 20, "acks": "all"})
        for key, value in records(self.schemas):
            producer.produce(topic, encode_value(value), encode_key(key))
            if len(producer) > 50_000:
                producer.flush(60)
        if producer.flush(60):
            raise SystemExit(f"{len(producer)} schemas were not written to {topic}")
        return self.kafka(topic)

    def _fill_sqlite(self) -> str:
        path = self.folder / "many.db"
        store = SqliteStore(path)
        store.start(lambda _: None)
        batch: list[tuple[Key, Value | None]] = []
        for record in records(self.schemas):
            batch.append(record)
            if len(batch) == _FILL:
                store.append(batch)
                batch = []
        store.append(batch)
        store.close()
        return f"store=sqlite:{path}"

    def _start(self, settings: str) -> tuple[float, float, float, Sequence[float]]:
        begun = time.monotonic()
        with self.registry(settings) as registry:
            registry.wait_ready("/health/ready", timeout=300)
            cpu, wall = cpu_seconds(registry.pid), time.monotonic() - begun
            client = Client(registry.rest)
            subject = "/subjects/shop.orders.topic-7-value"
            answers = (
                client.milliseconds("GET", "/subjects"),
                client.milliseconds("GET", f"{subject}/versions/latest"),
                client.milliseconds("POST", subject, {"schema": avro(14)}),
            )
            return cpu, wall, resident_mb(registry.pid), answers

    # --- nothing to do

    def idle(self) -> None:
        rows = []
        for name in ("memory", "sqlite", "kafka"):
            taken = median(self._idle(self._settings(name)) for _ in range(self.runs))
            rows.append([name, f"{taken:.0f}"])
            self.bars.append(Bar(f"idle on {name}: resident", taken, 90, " MB"))
        table("Registry, idle", ["store", "resident MB"], rows)

    def _idle(self, settings: str) -> float:
        with self.registry(settings) as registry:
            registry.wait_ready("/health/ready")
            time.sleep(2)
            return resident_mb(registry.pid)

    def verdict(self) -> bool:
        table("Registry, bars", ["", "measured", "bar", ""], [bar.row() for bar in self.bars])
        return all(bar.kept for bar in self.bars)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", help="a running broker; without it one is started")
    parser.add_argument("--runs", type=int, default=3, help="runs per case, of which the median is shown (default: 3)")
    parser.add_argument("--schemas", type=int, default=100_000, help="for the start with many (default: 100000)")
    parser.add_argument("--only", default="", help="some of: reads, writes, many, idle")
    chosen = parser.parse_args()
    with contextlib.ExitStack() as stack:
        bootstrap = chosen.bootstrap
        if not bootstrap:
            jars = fetch_jars(HERE.parent / "tests" / "broker" / "pom.xml")
            bootstrap = stack.enter_context(KafkaBroker(jars)).bootstrap
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-"))
        bench = Bench(bootstrap, Path(folder), chosen.runs, chosen.schemas)
        for part in ("reads", "writes", "many", "idle"):
            if chosen.only in part:
                getattr(bench, part)()
        return 0 if bench.verdict() else 1


if __name__ == "__main__":
    sys.exit(main())
