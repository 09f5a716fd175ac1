"""What is wrong from outside, met by the real program: each time a clear message, a refused request or a failed task, and
nothing lost.

The messages are read as a user would: who complains, what was met, what was expected, what to do. No secret is in them.
"""

import contextlib
import io
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from kafka import KafkaProducer

from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port
from penstock.cli import main
from penstock.testing.broker import KafkaBroker

SECRET = "correct-horse-battery"
JAVA_OFFSETS = b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap"


# ---- at the start


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ("offset.flush.interval.ms=soon", ["soon", "offset.flush.interval.ms", "Not a number"]),
        ("listeners=ftp://127.0.0.1:8083", ["ftp://127.0.0.1:8083", "listeners", "expected http://HOST:PORT"]),
        ("bootstrap.servers=broker-1", ["broker-1", "bootstrap.servers", "expected HOST:PORT"]),
        ("bootstrap.servers=", ["bootstrap.servers", "expected at least one broker"]),
        ("key.converter=AvroConvertor", ["key.converter", "AvroConvertor", "AvroConverter", "penstock plugins"]),
        ("producer.interceptor.classes=com.acme.X", ["producer", "interceptor.classes", "not supported", "leave it out"]),
        (
            f"consumer.sasl.jaas.config=com.acme.Login required password=\"{SECRET}\";",
            ["consumer", "sasl.jaas.config", "PlainLoginModule"],
        ),
        (
            f"ssl.keystore.location=store.jks\nssl.keystore.password={SECRET}",
            ["ssl.keystore.location", "store.jks", "keytool -importkeystore"],
        ),
        ("connector.client.config.override.policy=Some", ["override.policy", "Some", "All, None, Principal"]),
        ("a.b=\\u00zz", ["worker.properties", "line 7", "Malformed \\u escape"]),
        ("offset.storage.file.filename=/no/such/folder/offsets", ["/no/such/folder/offsets", "create it or change"]),
    ],
)  # fmt: skip
def test_a_worker_with_broken_properties_says_which_and_ends_with_1(
    tmp_path: Path, properties: str, expected: list[str]
) -> None:
    code, said = start_and_end(tmp_path, properties)
    assert code == 1
    assert "Traceback" not in said
    for part in expected:
        assert part in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (JAVA_OFFSETS, ["written by the JVM worker", "left alone", "penstock offsets import"]),
        (b'{"position": 1}', ["not penstock's", "left alone", "offset.storage.file.filename"]),
        (b"position=1\n", ["not JSON", "left alone", "offset.storage.file.filename"]),
    ],
)
def test_an_offsets_file_of_somebody_else_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes, expected: list[str]
) -> None:
    file = tmp_path / "offsets.json"
    file.write_bytes(content)
    code, said = start_and_end(tmp_path, "")
    assert code == 1
    for part in (str(file), *expected):
        assert part in said
    assert file.read_bytes() == content


def test_a_second_worker_on_the_same_port_ends_and_says_what_to_do(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with worker_in(first, "127.0.0.1:1") as running:
        running.wait_ready()
        second.mkdir()
        code, said = start_and_end(second, f"listeners={running.rest}")
        assert code == 1
        assert f"Cannot listen on {running.rest} (listeners): Address already in use" in said
        assert "Stop what uses the port, or name another one" in said
        running.check()
        assert running.call("GET", "/connectors") == (200, [])


# ---- over REST


@pytest.fixture(scope="module")
def worker(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """One worker for what breaks only connectors."""
    with worker_in(tmp_path_factory.mktemp("bad-input"), kafka) as running:
        yield running.wait_ready()


SOURCE = {"connector.class": "FileStreamSource", "topic": "bad-input", "file": "/dev/null"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"connector.class": "FileStreamSorce"}, ["FileStreamSorce", "FileStreamSource", "penstock plugins"]),
        ({"topic": "t", "db.password": SECRET}, ["no connector type"]),
        ({"connector.class": "FileStreamSource"}, ['Missing required configuration "topic"']),
        ({**SOURCE, "batch.size": "many"}, ["many", "batch.size", "Not a number"]),
        ({**SOURCE, "tasks.max": "0"}, ["tasks.max", "at least 1"]),
        ({**SOURCE, "producer.override.acks": "most"}, ["configuration acks", "most"]),
        (
            {**SOURCE, "producer.override.partitioner.class": "com.acme.P"},
            ["partitioner.class", "com.acme.P", "leave it out"],
        ),
        ({**SOURCE, "errors.tolerance": "some"}, ["errors.tolerance", "some", "none, all"]),
        ({**SOURCE, "value.converter": "Avroh"}, ["value.converter", "Avroh", "nearest known: Avro"]),
        (
            {**SOURCE, "transforms": "x", "transforms.x.type": "org.apache.kafka.connect.transforms.Cost$Value"},
            ["transforms.x.type", "Cost$Value", "Cast$Value"],
        ),
        ({**SOURCE, "transforms": "x"}, ['"transforms.x.type"']),
        ({**SOURCE, "value.converter": "avro"}, ['Missing required configuration "schema.registry.url"']),
        ({"connector.class": "FileStreamSink", "topics.regex": "a("}, ["topics.regex", "a(", "Invalid regex"]),
    ],
)
def test_a_connector_that_cannot_work_is_refused_and_the_answer_says_what_to_change(
    worker: WorkerProcess, config: Mapping[str, str], expected: list[str]
) -> None:
    code, answer = worker.call("PUT", "/connectors/refused/config", config)
    assert code == 400
    for part in expected:
        assert part in answer["message"]
    assert SECRET not in json.dumps(answer) + worker.log()
    assert worker.call("GET", "/connectors/refused")[0] == 404


def test_a_class_that_a_pip_command_brings_is_refused_with_the_command(kafka: str, tmp_path: Path) -> None:
    (tmp_path / "plugins.toml").write_text('[install]\n"com.acme.connect.AcmeSource" = "penstock-acme"\n')
    with worker_in(tmp_path, kafka, arguments=["--plugins", tmp_path / "plugins.toml"]) as running:
        running.wait_ready()
        code, answer = running.call("PUT", "/connectors/c/config", {"connector.class": "com.acme.connect.AcmeSource"})
        assert code == 400
        assert 'To install it: pip install "penstock-acme"' in answer["message"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"file": "FOLDER"}, ["FileStreamSource cannot read", "FOLDER", "Is a directory"]),
        ({"connector.class": "jsonlines-source", "file": "FOLDER"}, ["JsonLinesSource cannot read", "FOLDER"]),
        (
            {"connector.class": "FileStreamSink", "topics": "bad-input", "file": "FOLDER"},
            ["FileStreamSink", "FOLDER", "Is a directory"],
        ),
        ({"connector.class": "FileStreamSink", "topics": "in valid", "file": "FILE"}, ["topics", "in valid", "letters"]),
        ({"topic": "in valid"}, ["in valid", "Invalid topic"]),
        (
            {
                "topic": "with-replicas",
                "topic.creation.default.partitions": "1",
                "topic.creation.default.replication.factor": "5",
            },
            ["Cannot create topic with-replicas", "replication 5", "only 1 broker"],
        ),
        (
            {
                "topic": "compacted-without-keys",
                "topic.creation.default.partitions": "1",
                "topic.creation.default.replication.factor": "1",
                "topic.creation.default.cleanup.policy": "compact",
            },
            ["cannot write a record", "to topic compacted-without-keys", "failed to validate record"],
        ),
        (
            {
                "connector.class": "FileStreamSink",
                "topics": "bad-input",
                "file": "FILE",
                "errors.deadletterqueue.topic.name": "letters-3",
            },
            ["letters-3", "errors.deadletterqueue.topic.replication.factor (3)"],
        ),
        (
            {
                "value.converter": "avro",
                "value.converter.schema.registry.url": "http://127.0.0.1:9",
                "value.converter.basic.auth.credentials.source": "USER_INFO",
                "value.converter.basic.auth.user.info": SECRET,
            },
            ["basic.auth.user.info", "expected user:password"],
        ),
        (
            {"producer.override.security.protocol": "SASL_PLAINTEXT", "producer.override.sasl.mechanism": "PLAIN",
             "producer.override.sasl.jaas.config":
                 f'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="{SECRET}";'},
            ["refuses the producer's credentials", "SASL"],
        ),
        (
            {"producer.override.ssl.keystore.location": "/no/store.p12", "producer.override.ssl.keystore.password": SECRET,
             "producer.override.security.protocol": "SSL"},
            ["/no/store.p12", "no such file"],
        ),
    ],
)  # fmt: skip
def test_a_task_that_cannot_work_is_failed_and_its_trace_says_what_to_change(
    worker: WorkerProcess, tmp_path: Path, config: Mapping[str, str], expected: list[str], request: Any
) -> None:
    file = tmp_path / "in.txt"
    file.write_text("one\n")
    names = {"FOLDER": str(tmp_path), "FILE": str(tmp_path / "out.txt")}
    given = {**SOURCE, "file": str(file), **{k: names.get(v, v) for k, v in config.items()}}
    if given["connector.class"].endswith("Sink"):
        del given["topic"]
    name = f"failing-{abs(hash(request.node.name))}"
    assert worker.call("PUT", f"/connectors/{name}/config", given)[0] == 201
    trace = failure(worker, name)
    for part in expected:
        assert names.get(part, part) in trace
    assert SECRET not in trace + worker.log(1_000_000)
    assert worker.call("DELETE", f"/connectors/{name}")[0] == 204


# ---- in the data


def test_a_malformed_line_fails_the_task_with_file_and_line_after_what_stands_before_it_and_can_be_passed_over(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, file = topic(), tmp_path / "orders.jsonl"
    file.write_text('{"n": 1}\n{"n": 2}\n{"n": oops}\n{"n": 4}\n')
    config = {"connector.class": "jsonlines-source", "file": str(file), "topic": name, "schema": "none"}
    assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
    trace = failure(worker, name)
    assert f"{str(file)!r}, line 3: malformed JSON at column 7" in trace
    assert read(kafka, name, 2) == [b'{"n":1}', b'{"n":2}']
    assert source_offset(worker, name) == {"position": 18, "line": 2}

    advised = trace.partition("set this connector's source offset to ")[2].splitlines()[0]
    offset = json.loads(advised.replace("'", '"'))
    assert worker.call("PUT", f"/connectors/{name}/stop")[0] == 204
    entry = {"partition": {"file": str(file)}, "offset": offset}
    assert worker.call("PATCH", f"/connectors/{name}/offsets", {"offsets": [entry]})[0] == 200
    assert worker.call("PUT", f"/connectors/{name}/resume")[0] == 202
    assert read(kafka, name, 3)[2] == b'{"n":4}'


def test_a_value_of_the_wrong_type_fails_the_task_with_line_field_and_what_was_expected(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, file = topic(), tmp_path / "orders.jsonl"
    file.write_text('{"n": 1}\n{"n": "two"}\n')
    schema = {"type": "struct", "fields": [{"field": "n", "type": "int32"}]}
    config = {"connector.class": "jsonlines-source", "file": str(file), "topic": name, "schema": json.dumps(schema)}
    assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
    trace = failure(worker, name)
    assert "line 2: field 'n': expected a whole number (int32), met the string 'two'" in trace
    assert len(read(kafka, name, 1)) == 1

    file.write_text('{"n": 1}\n{"n": 2}\n')
    assert worker.call("POST", f"/connectors/{name}/tasks/0/restart")[0] == 204
    assert [json.loads(value) for value in read(kafka, name, 2)] == [{"n": 1}, {"n": 2}]


def test_a_poison_record_fails_the_sink_with_its_place_and_what_it_looks_like_and_comes_again_after_the_restart(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic()
    produce(kafka, name, b'{"n":1}', b"\x00\x00\x00\x00\x01oh", b'{"n":3}')
    out = tmp_path / "out.txt"
    config = {"connector.class": "FileStreamSink", "topics": name, "file": str(out)}
    assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
    trace = failure(worker, name)
    assert f"topic {name}, partition 0, offset 1" in trace
    assert "VALUE_CONVERTER" in trace
    assert "the value is the 7 bytes 00 00 00 00 01 6f 68, which look like data behind schema id 1" in trace
    # With the record tolerated the rest is delivered, and nothing of it twice or not at all.
    config["errors.tolerance"] = "all"
    assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 200
    poll(lambda: out.exists() and out.read_text() == "{n=1}\n{n=3}\n", worker, "the records beside the poison")


def test_poison_goes_to_the_dead_letter_queue_with_its_story_and_the_rest_is_delivered(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, letters = topic(), topic("letters", create=False)
    out = tmp_path / "out.txt"
    config = {
        "connector.class": "FileStreamSink", "topics": name, "file": str(out), "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": letters, "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true",
    }  # fmt: skip
    produce(kafka, name, b'{"n":1}', b"{oh", b'{"n":3}', key=b"k", headers=[("of", b"the user")])
    assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
    poll(lambda: out.exists() and out.read_text() == "{n=1}\n{n=3}\n", worker, "the records beside the poison")
    (letter,) = messages(kafka, letters, 1)
    assert (letter.key(), letter.value()) == (b"k", b"{oh")
    headers = dict(letter.headers() or [])
    assert headers["of"] == b"the user"
    prefix = "__connect.errors."
    told = {key.removeprefix(prefix): value for key, value in headers.items() if key.startswith(prefix)}
    assert told.pop("exception.stacktrace")
    assert told.pop("exception.message").startswith(b"Converting byte[] to Kafka Connect data failed")
    assert told == {
        "topic": name.encode(), "partition": b"0", "offset": b"1", "connector.name": name.encode(), "task.id": b"0",
        "stage": b"VALUE_CONVERTER", "class.name": b"org.apache.kafka.connect.json.JsonConverter",
        "exception.class.name": b"org.apache.kafka.connect.errors.DataException",
    }  # fmt: skip


#: So many that the interpreter specialises the calls of the loop that reads them.
HOT = 200


class NotUtf8(str):
    """A header's name that is bytes of any kind, as clients in some languages let one write."""

    def encode(self, *_: Any) -> bytes:
        return b"\xff\xed\xa0\x80"


def test_a_record_with_a_header_whose_name_is_not_utf8_is_a_dead_letter_and_ends_nobodys_process(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, letters = topic(), topic("letters", create=False)
    out = tmp_path / "out.txt"
    config = {
        "connector.class": "FileStreamSink", "topics": name, "file": str(out), "errors.tolerance": "all",
        "errors.log.enable": "true", "errors.log.include.messages": "true",
        "errors.deadletterqueue.topic.name": letters, "errors.deadletterqueue.topic.replication.factor": "1",
    }  # fmt: skip
    produce(kafka, name, b'{"n":1}')
    other = KafkaProducer(bootstrap_servers=kafka)
    for _ in range(HOT):
        other.send(name, b'{"n":2}', headers=[(NotUtf8("x"), b"1"), ("fine", b"2")])
    other.flush()
    other.close()
    produce(kafka, name, b'{"n":3}')
    assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
    poll(lambda: out.exists() and out.read_text() == "{n=1}\n{n=3}\n", worker, "the records beside it")
    assert [letter.value() for letter in messages(kafka, letters, HOT)] == [b'{"n":2}'] * HOT


# ---- around it


def test_a_broker_that_is_away_at_the_start_and_in_the_middle_costs_no_record(
    private_broker: Callable[..., KafkaBroker], tmp_path: Path
) -> None:
    broker = private_broker(start=False)
    file, out = tmp_path / "in.txt", tmp_path / "out.txt"
    lines = [f"line {number}" for number in range(3000)]
    append(file, lines[:1000])
    source = {
        "connector.class": "FileStreamSource", "file": str(file), "topic": "lines", "value.converter": "string",
        "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
    }  # fmt: skip
    sink = {
        "connector.class": "FileStreamSink", "file": str(out), "topics": "lines", "value.converter": "string",
        "consumer.override.metadata.max.age.ms": "500", "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": "letters", "errors.deadletterqueue.topic.replication.factor": "1",
    }  # fmt: skip
    with worker_in(tmp_path, broker.bootstrap, "offset.flush.interval.ms=200") as running:
        running.wait_ready()
        for name, config in (("source", source), ("sink", sink)):
            assert running.call("PUT", f"/connectors/{name}/config", config)[0] == 201
        poll(lambda: f"no broker at {broker.bootstrap} answers" in running.log(), running, "a word about the broker")
        assert "FAILED" not in json.dumps(running.call("GET", "/connectors?expand=status"))
        broker.start()
        poll(lambda: written(out) == lines[:1000], running, "the first lines")
        running.wait_running("source")
        running.wait_running("sink")

        broker.kill()
        append(file, lines[1000:2000])
        time.sleep(1)
        broker.start()
        append(file, lines[2000:])
        poll(lambda: set(written(out)) >= set(lines), running, "all lines")
        poll(lambda: source_offset(running, "source") == {"position": file.stat().st_size}, running, "the offset")
        assert list(dict.fromkeys(written(out))) == lines
        assert "FAILED" not in json.dumps(running.call("GET", "/connectors?expand=status"))
        assert running.stop() == 0


def test_a_registry_that_is_away_is_waited_for_as_long_as_the_connector_says_and_then_fails_the_task(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, out = topic(), tmp_path / "out.txt"
    url = f"http://127.0.0.1:{free_port()}"
    (tmp_path / "registry.properties").write_text(f"listeners={url}\nstore=sqlite:{tmp_path / 'schemas.db'}\n")
    file = tmp_path / "in.jsonl"
    append(file, ['{"n": 1}', '{"n": 2}'])
    avro = {"value.converter": "avro", "value.converter.schema.registry.url": url.replace("//", f"//user:{SECRET}@")}
    source = {"connector.class": "jsonlines-source", "file": str(file), "topic": name, **avro}
    sink = {"connector.class": "FileStreamSink", "file": str(out), "topics": name, **avro}

    def registry() -> WorkerProcess:
        return WorkerProcess(["registry", tmp_path / "registry.properties"], tmp_path / "registry.log", url)

    with worker_in(tmp_path, kafka) as running:
        running.wait_ready()
        # Away at the start, no patience: FAILED, and what it had is sent after the restart.
        started = time.monotonic()
        assert running.call("PUT", "/connectors/source/config", {**source, "errors.retry.timeout": "1000"})[0] == 201
        trace = failure(running, "source")
        assert time.monotonic() - started > 0.3  # the first pause was made
        assert f"Schema registry at {url} does not answer while registering subject {name}-value" in trace
        with registry() as first:
            first.wait_ready("/subjects")
            assert running.call("POST", "/connectors/source/tasks/0/restart")[0] == 204
            read(kafka, name, 2)
        # In the middle: known schemas go on; who needs an unknown one waits.
        append(file, ['{"n": 3}'])
        assert running.call("PUT", "/connectors/sink/config", {**sink, "errors.retry.timeout": "60000"})[0] == 201
        read(kafka, name, 3)
        running.wait_running("sink")
        time.sleep(1)
        assert running.call("GET", "/connectors/sink/status")[1]["tasks"][0]["state"] == "RUNNING"
        assert not written(out)
        with registry() as second:
            second.wait_ready("/subjects")
            poll(lambda: len(written(out)) == 3, running, "the records that waited")
        assert written(out) == ["Struct{n=1}", "Struct{n=2}", "Struct{n=3}"]
        assert SECRET not in running.log(10_000_000) + trace
        assert running.stop() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_full_disk_stores_no_offsets_but_work_goes_on_and_they_are_stored_when_there_is_room(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, file = topic(), tmp_path / "in.txt"
    append(file, ["one"])
    config = {"connector.class": "FileStreamSource", "file": str(file), "topic": name, "value.converter": "string"}
    aside = tmp_path / "offsets.json.tmp"
    aside.symlink_to("/dev/full")
    with worker_in(tmp_path, kafka, "offset.flush.interval.ms=200") as running:
        running.wait_ready()
        assert running.call("PUT", "/connectors/lines/config", config)[0] == 201
        poll(lambda: "No space left on device" in running.log(), running, "a word about the disk")
        assert f"Cannot write the offsets file {tmp_path / 'offsets.json'}" in running.log()
        append(file, ["two"])
        assert read(kafka, name, 2) == [b"one", b"two"]
        running.wait_running("lines")
        assert not (tmp_path / "offsets.json").exists()
        aside.unlink()
        poll(lambda: source_offset(running, "lines") == {"position": 8}, running, "the offset")
        stored = json.loads((tmp_path / "offsets.json").read_text())
        assert [entry["offset"] for entry in stored["offsets"]] == [{"position": 8}]
        assert running.stop() == 0


# ---- helpers


def properties_of(folder: Path, bootstrap: str, extra: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "worker.properties").write_text(
        f"bootstrap.servers={bootstrap}\n"
        f"listeners=http://127.0.0.1:{free_port()}\n"
        f"offset.storage.file.filename={folder / 'offsets.json'}\n"
        "key.converter=string\n"
        "value.converter=org.apache.kafka.connect.json.JsonConverter\n"
        f"value.converter.schemas.enable=false\n{extra}\n"
    )
    return folder / "worker.properties"


def worker_in(folder: Path, bootstrap: str, extra: str = "", arguments: Sequence[Any] = ()) -> WorkerProcess:
    file = properties_of(folder, bootstrap, extra)
    rest = next(x for x in file.read_text().splitlines() if x.startswith("listeners=")).removeprefix("listeners=")
    return WorkerProcess(["standalone", *arguments, file], folder / "worker.log", rest)


def start_and_end(folder: Path, extra: str) -> tuple[int, str]:
    """A worker that is expected not to start: its exit code and all it said. In this process, to spare the imports."""
    file = properties_of(folder, "127.0.0.1:1", extra)
    root, said = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            code = main(["standalone", str(file)])
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for number, handler in signals.items():
            signal.signal(number, handler)
    return code, said.getvalue()


def failure(running: WorkerProcess, connector: str, timeout: float = PATIENCE_S) -> str:
    """The trace of the connector's task once it is FAILED."""
    found: list[str] = []

    def failed() -> bool:
        _, status = running.call("GET", f"/connectors/{connector}/status")
        found[:] = [task["trace"] for task in status.get("tasks", ()) if task["state"] == "FAILED"]
        return bool(found)

    poll(failed, running, f"failure of {connector}", timeout)
    return found[0]


def poll(probe: Callable[[], bool], running: WorkerProcess, what: str, timeout: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        running.check()
        assert time.monotonic() < deadline, f"no {what} within {timeout:g} s:\n{running.log()}"
        time.sleep(0.05)


def source_offset(running: WorkerProcess, connector: str) -> object:
    _, answer = running.call("GET", f"/connectors/{connector}/offsets")
    return answer["offsets"][0]["offset"] if answer["offsets"] else None


def append(file: Path, lines: list[str]) -> None:
    with file.open("a") as stream:
        stream.writelines(line + "\n" for line in lines)


def written(file: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return file.read_text().splitlines()
    return []


def produce(bootstrap: str, topic: str, *values: bytes, key: bytes | None = None, headers: Any = None) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for value in values:
        producer.produce(topic, value, key, headers=headers)
    assert producer.flush(30) == 0


def messages(bootstrap: str, topic: str, count: int, timeout: float = PATIENCE_S) -> list[Message]:
    """The first `count` records of a topic of one partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"read-{topic}", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Message] = []
    deadline = time.monotonic() + timeout
    while len(found) < count:
        found += [m for m in consumer.consume(count - len(found), 0.2) if m.error() is None]
        assert time.monotonic() < deadline, f"{topic} has {len(found)} of {count} records"
    consumer.close()
    return found


def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    return [message.value() for message in messages(bootstrap, topic, count)]
