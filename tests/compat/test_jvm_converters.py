"""Round trips with the JVM's own worker and converters through real topics and penstock's registry.

One JVM worker, one penstock worker and one registry serve all cases. The same source runs in both workers and must write
the same bytes; the sinks of both read both topics and must write the same text.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from lab.jvm_connect import JvmConnect, fetch_connect
from lab.worker_process import WorkerProcess, free_port
from penstock.cli import main
from penstock.storage.offsets import FileOffsetStore

POM = Path(__file__).parent / "jvm" / "pom.xml"
TRANSFORMS = "org.apache.kafka.connect.transforms."
RECORDS = 20
Config = dict[str, str]


@dataclass
class Workers:
    """Both workers, with one REST API; connectors are deleted by name."""

    jvm: WorkerProcess
    penstock: WorkerProcess
    registry: str
    bootstrap: str
    folder: Path

    def both(self) -> list[tuple[str, WorkerProcess]]:
        return [("jvm", self.jvm), ("penstock", self.penstock)]

    def converters(self, name: str, **settings: str) -> Config:
        config = {}
        for which in ("key", "value"):
            config[f"{which}.converter"] = name
            config |= {f"{which}.converter.{key.replace('_', '.')}": value for key, value in settings.items()}
            if "Avro" in name or "Protobuf" in name:
                config[f"{which}.converter.schema.registry.url"] = self.registry
        return config


@pytest.fixture(scope="module")
def workers(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    folder = tmp_path_factory.mktemp("jvm")
    registry, rest = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    (folder / "registry.properties").write_text(f"listeners={registry}\nstore=memory\n")
    (folder / "worker.properties").write_text(
        f"bootstrap.servers={kafka}\nlisteners={rest}\noffset.storage.file.filename={folder / 'offsets.json'}\n"
        "key.converter=string\nvalue.converter=string\n"
    )
    with contextlib.ExitStack() as running:
        jvm = running.enter_context(JvmConnect(fetch_connect(POM), folder, kafka))
        schemas = running.enter_context(
            WorkerProcess(["registry", folder / "registry.properties"], folder / "registry.log", registry)
        )
        ours = running.enter_context(
            WorkerProcess(["standalone", folder / "worker.properties"], folder / "worker.log", rest)
        )
        schemas.wait_ready("/subjects")
        yield Workers(jvm.wait_ready(), ours.wait_ready(), registry, kafka, folder)


FORMATS: dict[str, tuple[str, Config]] = {
    "json": ("org.apache.kafka.connect.json.JsonConverter", {"schemas_enable": "false"}),
    "json with schema": ("org.apache.kafka.connect.json.JsonConverter", {"schemas_enable": "true"}),
    "string": ("org.apache.kafka.connect.storage.StringConverter", {}),
    "avro": ("io.confluent.connect.avro.AvroConverter", {}),
    "avro, all Connect says": (
        "io.confluent.connect.avro.AvroConverter",
        {"connect_meta_data": "true", "enhanced_avro_schema_support": "true"},
    ),
    "protobuf": ("io.confluent.connect.protobuf.ProtobufConverter", {}),
}

#: A transform that both have, so that the source's plain fields become what it has no example of.
MOMENTS = {
    "transforms": "seqno,when,day,hour,in,where,from",
    "transforms.seqno.type": TRANSFORMS + "ReplaceField$Value",
    "transforms.seqno.renames": "seqno:when,long:day,int:n",
    "transforms.when.type": TRANSFORMS + "TimestampConverter$Value",
    "transforms.when.field": "when",
    "transforms.when.target.type": "Timestamp",
    "transforms.day.type": TRANSFORMS + "TimestampConverter$Value",
    "transforms.day.field": "day",
    "transforms.day.target.type": "Date",
    "transforms.hour.type": TRANSFORMS + "Cast$Value",
    "transforms.hour.spec": "n:int8,partitioning:int16,id:string,boolean:boolean",
    "transforms.in.type": TRANSFORMS + "HoistField$Value",
    "transforms.in.field": "inner",
    "transforms.where.type": TRANSFORMS + "InsertField$Value",
    "transforms.where.static.field": "site",
    "transforms.where.static.value": "Zürich \U0001f6b0",
    "transforms.from.type": TRANSFORMS + "InsertHeader",
    "transforms.from.header": "from",
    "transforms.from.value.literal": "here",
}


@pytest.mark.parametrize("transformed", [False, True], ids=["plain", "transformed"])
@pytest.mark.parametrize("form", FORMATS)
def test_the_same_source_writes_the_same_bytes_in_both_workers_and_the_sinks_of_both_read_both(
    workers: Workers, topic: Callable[..., str], form: str, transformed: bool
) -> None:
    name, settings = FORMATS[form]
    config = {
        "connector.class": "org.apache.kafka.connect.tools.SchemaSourceConnector",
        "tasks.max": "1",
        "id": "0",
        "num.messages": str(RECORDS),
        "throughput": "-1",
        "partition.count": "3",
        **workers.converters(name, **settings),
        **(MOMENTS if transformed else {}),
    }
    written = {}
    for who, worker in workers.both():
        target = topic(who)
        start(worker, target, {**config, "topic": target})
        written[who] = target
    read = {who: records(workers, target, RECORDS) for who, target in written.items()}
    assert read["penstock"] == read["jvm"]
    assert len(read["jvm"]) == RECORDS

    texts = sink_texts(workers, list(written.values()), workers.converters(name, **settings), RECORDS)
    if form == "json":  # a map without schema: a HashMap's order is its own
        assert len({str([sorted(re.split(r"[{},= ]+", x)) for x in lines]) for lines in texts.values()}) == 1, texts
    else:
        assert len({tuple(lines) for lines in texts.values()}) == 1, texts
    assert all("12.2" in line for line in texts["jvm", written["penstock"]])


RICH_SCHEMA = {
    "type": "struct",
    "name": "com.example.Rich",
    "fields": [
        {"field": "i8", "type": "int8"},
        {"field": "i16", "type": "int16", "optional": True},
        {"field": "i64", "type": "int64"},
        {"field": "f32", "type": "float"},
        {"field": "f64", "type": "double"},
        {"field": "text", "type": "string", "optional": True, "default": "none"},
        {"field": "raw", "type": "bytes", "optional": True},
        {"field": "tags", "type": "array", "items": {"type": "string"}},
        {"field": "counts", "type": "map", "keys": {"type": "string"}, "values": {"type": "int32"}},
        {
            "field": "price",
            "type": "bytes",
            "name": "org.apache.kafka.connect.data.Decimal",
            "version": 1,
            "parameters": {"scale": "2"},
        },
        {"field": "day", "type": "int32", "name": "org.apache.kafka.connect.data.Date", "version": 1},
        {
            "field": "at",
            "type": "int64",
            "name": "org.apache.kafka.connect.data.Timestamp",
            "version": 1,
            "optional": True,
        },
        {
            "field": "lines",
            "type": "array",
            "items": {
                "type": "struct",
                "name": "com.example.Line",
                "fields": [
                    {"field": "sku", "type": "string"},
                    {"field": "left", "type": "boolean", "optional": True},
                ],
            },
        },
    ],
}
RICH = [
    {
        "i8": -128, "i16": 32767, "i64": 2**63 - 1, "f32": 0.1, "f64": 1e-7, "text": "Grüße \u2028 \U0001f6b0", "raw": "AAH/",
        "tags": ["a", ""], "counts": {"x": 1}, "price": 12.34, "day": "2024-02-29", "at": "2024-02-29T23:59:59.999Z",
        "lines": [{"sku": "s", "left": True}, {"sku": ""}],
    },
    {
        "i8": 127, "i64": -(2**63), "f32": -3.4028234e38, "f64": 1.7976931348623157e308, "tags": [], "counts": {},
        "price": -0.01, "day": "1969-12-31", "lines": [],
    },
]  # fmt: skip


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("string", "json")])
def test_nested_optional_and_logical_values_that_penstock_wrote_are_read_by_the_jvm_as_penstock_reads_them(
    workers: Workers, topic: Callable[..., str], form: str
) -> None:
    name, settings = FORMATS[form]
    target = topic()
    file = workers.folder / f"{target}.jsonl"
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in RICH))
    config = {
        "connector.class": "jsonlines-source",
        "file": str(file),
        "topic": target,
        "schema": json.dumps(RICH_SCHEMA),
        **workers.converters(name, **settings),
        "key.converter": "string",
    }
    start(workers.penstock, target, config)
    reading = {**workers.converters(name, **settings), "key.converter": "string"}
    texts = sink_texts(workers, [target], reading, len(RICH), jvm={"key.converter": JAVA_STRING})
    # Java prints the identity of a byte array, or what a buffer is, penstock the bytes in Base64: they are not compared.
    seen = {who: [re.sub(r"raw=[^,]+,", "raw=,", line) for line in lines] for (who, _), lines in texts.items()}
    assert seen["jvm"] == seen["penstock"]
    assert "raw=AAH/" in texts["penstock", target][0]
    assert "12.34" in texts["jvm", target][0]


JAVA_STRING = "org.apache.kafka.connect.storage.StringConverter"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("converters.IntegerConverter", "converters.LongConverter"),
        ("json.JsonConverter", "json.JsonConverter"),
        ("storage.StringConverter", "storage.StringConverter"),
    ],
)
def test_keys_and_values_that_are_bare_numbers_are_the_same_bytes(
    workers: Workers, topic: Callable[..., str], key: str, value: str
) -> None:
    config = {
        "connector.class": "VerifiableSourceConnector",
        "throughput": "-1",
        "id": "7",
        "max.messages": str(RECORDS),
        "key.converter": "org.apache.kafka.connect." + key,
        "value.converter": "org.apache.kafka.connect." + value,
    }
    read = []
    for who, worker in workers.both():
        target = topic(who)
        start(worker, target, {**config, "topic": target})
        read.append(records(workers, target, RECORDS))
        worker.call("DELETE", f"/connectors/{target}")  # the JVM's has no end
    assert read[0][:RECORDS] == read[1][:RECORDS]


def test_lines_of_a_file_come_out_of_the_other_worker_as_they_went_in(
    workers: Workers, topic: Callable[..., str]
) -> None:
    file = workers.folder / "lines.txt"
    lines = ["one", "", "  three  ", "vier: ä \U0001f6b0", '{"a": 1}']
    file.write_text("".join(line + "\n" for line in lines))
    targets = []
    for who, worker in workers.both():
        target = topic(who)
        start(worker, target, {"connector.class": "FileStreamSource", "file": str(file), "topic": target})
        targets.append(target)
    texts = sink_texts(workers, targets, {}, len(lines))
    assert all(text == lines for text in texts.values()), texts


def test_the_jvm_workers_offsets_file_is_imported(workers: Workers, topic: Callable[..., str]) -> None:
    file, target, name = workers.folder / "some.txt", workers.folder / "imported.json", topic()
    file.write_text("one\ntwo\n")
    start(workers.jvm, name, {"connector.class": "FileStreamSource", "file": str(file), "topic": name})
    records(workers, name, 2)
    assert workers.jvm.call("PUT", f"/connectors/{name}/stop")[0] == 204
    wanted = {"offsets": [{"partition": {"filename": str(file)}, "offset": {"position": 8}}]}
    deadline = time.monotonic() + 60
    while workers.jvm.call("GET", f"/connectors/{name}/offsets")[1] != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert main(["offsets", "import", str(workers.folder / "jvm-offsets"), str(target)]) == 0
    store = FileOffsetStore(target)
    store.start()
    assert store.all(name) == [({"filename": str(file)}, {"position": 8})]


def start(worker: WorkerProcess, name: str, config: Config) -> None:
    """Creates the connector and waits until it runs."""
    code, answer = worker.call("PUT", f"/connectors/{name}/config", config)
    assert code == 201, answer
    worker.wait_running(name)


def sink_texts(
    workers: Workers, topics: list[str], config: Config, count: int, jvm: Mapping[str, str] = {}
) -> dict[tuple[str, str], list[str]]:
    """What the file sink of each worker makes of each topic, its lines."""
    files = {}
    for who, worker in workers.both():
        for topic in topics:
            file = files[who, topic] = workers.folder / f"{topic}-{who}.txt"
            name = f"{topic}-{who}-sink"
            sink = {"connector.class": "FileStreamSink", "file": str(file), "topics": topic, **config}
            start(worker, name, {**sink, **(jvm if who == "jvm" else {})})
    deadline = time.monotonic() + 60
    while not all(file.exists() and file.read_text().count("\n") >= count for file in files.values()):
        for who, worker in workers.both():
            for topic in topics:
                worker.wait_running(f"{topic}-{who}-sink", timeout=1)  # says at once when one has failed
        assert time.monotonic() < deadline, {key: file.exists() and file.read_text() for key, file in files.items()}
        time.sleep(0.05)
    for who, worker in workers.both():
        for topic in topics:
            worker.call("DELETE", f"/connectors/{topic}-{who}-sink")
    return {key: file.read_text().split("\n")[:-1] for key, file in files.items()}


def records(workers: Workers, topic: str, count: int) -> list[tuple[bytes | None, bytes | None, object]]:
    """Key, value and headers of the first `count` records of the topic's one partition."""
    consumer = Consumer({"bootstrap.servers": workers.bootstrap, "group.id": topic, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[tuple[bytes | None, bytes | None, object]] = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        found += [(m.key(), m.value(), m.headers()) for m in consumer.consume(count - len(found), 0.2)]
        if not found:
            for _, worker in workers.both():
                if topic in worker.call("GET", "/connectors")[1]:
                    worker.wait_running(topic, timeout=5)
        assert time.monotonic() < deadline, f"{topic}: only {len(found)} records"
    consumer.close()
    return found
