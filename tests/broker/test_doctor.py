"""``penstock doctor`` on a real broker: a healthy set-up, what may be broken, and every wrong converter."""

from __future__ import annotations

import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess
from penstock.cli import main
from penstock.data import SchemaBuilder, Struct
from penstock.data.schema import STRING
from penstock.plugins import PluginKind, Plugins, PluginSettings
from penstock.testing.broker import KafkaBroker, free_ports
from penstock_registry.server.service import RegistryService

pytestmark = pytest.mark.broker
KAFKA, CONFLUENT = "org.apache.kafka.connect.", "io.confluent.connect."
JSON, STRING_CONVERTER = f"{KAFKA}json.JsonConverter", f"{KAFKA}storage.StringConverter"
AVRO = f"{CONFLUENT}avro.AvroConverter"


class Place:
    """A worker's and a connector's file; `run` gives the exit status and the report."""

    def __init__(self, folder: Path, bootstrap: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.group, self._capsys = folder, f"doctor-{uuid.uuid4().hex[:8]}", capsys
        self.worker = {
            "bootstrap.servers": bootstrap,
            "group.id": self.group,
            **{f"{which}.storage.topic": f"{self.group}-{which}" for which in ("config", "offset", "status")},
            **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")},
            "offset.storage.partitions": "2",
            "status.storage.partitions": "2",
            "key.converter": STRING_CONVERTER,
            "value.converter": JSON,
            "value.converter.schemas.enable": "false",
        }
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def worker_file(self, **changed: str) -> Path:
        file = self.folder / "worker.properties"
        props = {**self.worker, **{name.replace("__", "."): value for name, value in changed.items()}}
        file.write_text("".join(f"{name}={value}\n" for name, value in props.items()))
        return file

    def run(self, connector: Mapping[str, str] | None = None, *options: str, **changed: str) -> tuple[int, list[Any]]:
        arguments = ["doctor", str(self.worker_file(**changed)), "--timeout", "8", "--json", *options]
        if connector is not None:
            file = self.folder / "connector.json"
            file.write_text(json.dumps({"name": "c", **connector}))
            arguments.insert(2, str(file))
        self._capsys.readouterr()
        status = main(arguments)
        self.out = self._capsys.readouterr().out
        return status, json.loads(self.out)["findings"]

    def create_topic(self, name: str, partitions: int = 1, **configs: str) -> None:
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(30)

    def create_internal_topics(self) -> None:
        assert main(["internal-topics", "create", "--worker-config", str(self.worker_file())]) == 0

    def topics(self) -> set[str]:
        return set(self.admin.list_topics(timeout=10).topics)


@pytest.fixture
def place(tmp_path: Path, kafka: str, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, kafka, capsys)


def worse(findings: list[Any], *levels: str) -> list[Any]:
    return [finding for finding in findings if finding["level"] in (levels or ("broken", "warning"))]


def sink(topic: str, **settings: str) -> dict[str, str]:
    return {
        "connector.class": "FileStreamSink", "topics": topic, "file": "out.txt",
        **{name.replace("__", "."): value for name, value in settings.items()},
    }  # fmt: skip


def write(kafka: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


# --- healthy, and read only


def test_a_healthy_worker_and_its_sink_have_nothing_worse_than_ok(
    place: Place, kafka: str, topic: Callable[..., str]
) -> None:
    orders = topic("orders", partitions=3)
    write(kafka, orders, [b'{"n": %d}' % n for n in range(10)])
    place.create_internal_topics()
    status, findings = place.run(sink(orders))
    assert (status, worse(findings)) == (0, [])
    told = {(finding["check"], finding["about"]): finding for finding in findings}
    assert "speaks Kafka 4." in told["kafka", "broker 1"]["message"]
    assert "within" in told["clock", "this machine's clock"]["message"]
    assert told["rights", f"group {place.group}"]["level"] == "ok"
    assert told["rights", "group connect-c"]["level"] == "ok"
    assert "reads the newest" in told["converters", f"values of {orders}"]["message"]


def test_the_report_in_words_ends_with_its_numbers(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.create_internal_topics()
    capsys.readouterr()
    assert main(["doctor", str(place.worker_file())]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"settings:", "kafka:", "topics:", "rights:", "registry:"} <= set(lines)
    assert lines[-1].endswith("0 warning, 0 broken, 0 skipped")


def test_topics_that_are_missing_are_tried_and_none_is_made(place: Place) -> None:
    before = place.topics()
    status, findings = place.run(
        sink("not-there-yet", errors__tolerance="all", errors__deadletterqueue__topic__name="letters-of-nobody"),
    )
    missing = {finding["about"]: finding for finding in findings if finding["check"] == "topics"}
    assert [finding["level"] for finding in missing.values()] == ["ok"] * 3
    letters = next(finding for finding in findings if finding["about"] == "topic letters-of-nobody")
    assert letters["level"] == "broken"  # three replicas are asked for, and there is one broker
    assert "errors.deadletterqueue.topic.replication.factor" in letters["advice"]
    assert status == 1
    assert place.topics() - before <= {"__consumer_offsets"}  # the broker's own, once it is asked for a group


# --- each kind of break


def test_internal_topics_that_are_not_fit_are_told_one_by_one(place: Place) -> None:
    place.create_topic(f"{place.group}-config", partitions=2, cleanup_policy="compact")
    place.create_topic(f"{place.group}-offset", cleanup_policy="delete")
    place.create_topic(f"{place.group}-status", cleanup_policy="compact", min_insync_replicas="2")
    status, findings = place.run()
    found = {finding["about"]: finding["message"] for finding in worse(findings, "broken")}
    assert status == 1
    assert "2 partitions" in found[f"{place.group}-config"]
    assert "cleanup.policy is delete" in found[f"{place.group}-offset"]
    assert "no write is taken" in found[f"{place.group}-status"]


def test_more_replicas_than_brokers_are_told_before_the_worker_fails_at_them(place: Place) -> None:
    status, findings = place.run(config__storage__replication__factor="3")
    [told] = worse(findings)
    assert (status, told["check"], told["about"]) == (1, "topics", f"{place.group}-config")
    assert "replication" in told["message"].lower()


def test_a_port_where_nobody_listens_skips_what_needs_kafka(place: Place) -> None:
    [port] = free_ports(1)
    status, findings = place.run(bootstrap__servers=f"127.0.0.1:{port}")
    [told] = worse(findings)
    assert (status, told["check"]) == (1, "kafka")
    assert {finding["check"] for finding in worse(findings, "skipped")} == {"clock", "topics", "rights"}


def test_security_that_the_listener_does_not_have_is_told_as_such(place: Place) -> None:
    status, findings = place.run(security__protocol="SSL")
    [told] = worse(findings, "broken")
    assert (status, told["check"]) == (1, "kafka")
    assert "security.protocol" in told["advice"]
    assert "ssl" in told["message"].lower(), told


def test_a_broker_that_calls_itself_by_a_name_that_nobody_knows_is_told_at_once(
    place: Place, private_broker: Callable[..., KafkaBroker]
) -> None:
    lost = private_broker(advertised_listeners="PLAINTEXT://nowhere.invalid:9092")
    status, findings = place.run(bootstrap__servers=lost.bootstrap)
    [told] = worse(findings)
    assert (status, told["about"]) == (1, "broker 1")
    assert "it calls itself nowhere.invalid:9092" in told["message"]
    assert "advertised.listeners" in told["advice"]
    assert {finding["check"] for finding in worse(findings, "skipped")} == {"clock", "topics", "rights"}


def test_settings_that_are_not_valid_are_told_all_at_once(place: Place) -> None:
    status, findings = place.run(offset__flush__interval__ms="soon", heartbeat__interval__ms="99999999")
    assert status == 1
    assert len(findings) == 2
    assert all(finding["check"] == "settings" and finding["level"] == "broken" for finding in findings)


# --- wrong converters


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    yield service.urls[0]
    service.stop()


def written(kind: str, topic: str, registry: str) -> list[bytes]:
    """Ten values of a kind, as the converter of that kind writes them."""
    if kind == "text":
        return [b"line %d, of ten" % number for number in range(10)]
    if kind == "json":
        return [b'{"item": "ink %d"}' % number for number in range(10)]
    settings = {"schemas.enable": "true"} if kind == "envelope" else {"schema.registry.url": registry}
    name = {"envelope": JSON, "avro": AVRO, "protobuf": f"{CONFLUENT}protobuf.ProtobufConverter"}[kind]
    converter = Plugins.discover(PluginSettings()).new(PluginKind.CONVERTER, name)
    converter.configure({**settings, "converter.type": "value"}, False)
    schema = SchemaBuilder.struct().name("Order").field("item", STRING).build()
    serialize = converter.serializer(topic, schema)
    return [serialize(Struct(schema, {"item": f"ink {number}"})) for number in range(10)]


def settings_of(kind: str, registry: str) -> dict[str, str]:
    return {
        "text": {"value__converter": STRING_CONVERTER},
        "json": {"value__converter": JSON, "value__converter__schemas__enable": "false"},
        "envelope": {"value__converter": JSON},
        "avro": {"value__converter": AVRO, "value__converter__schema__registry__url": registry},
    }[kind]


#: What is in the topic, how the sink is set, the level, and the words that name what is right.
MATRIX = [
    ("avro", "json", "broken", f"value.converter={AVRO}"),
    ("avro", "envelope", "broken", f"value.converter={AVRO}"),
    ("avro", "text", "broken", f"value.converter={AVRO}"),
    ("protobuf", "avro", "broken", f"value.converter={CONFLUENT}protobuf.ProtobufConverter"),
    ("protobuf", "json", "broken", f"value.converter={CONFLUENT}protobuf.ProtobufConverter"),
    ("json", "avro", "broken", f"value.converter={JSON}, value.converter.schemas.enable=false"),
    ("json", "envelope", "broken", f"value.converter={JSON}, value.converter.schemas.enable=false"),
    ("envelope", "json", "warning", "value.converter.schemas.enable=true"),
    ("envelope", "avro", "broken", f"value.converter={JSON}, value.converter.schemas.enable=true"),
    ("text", "json", "broken", f"value.converter={STRING_CONVERTER}"),
    ("text", "avro", "broken", f"value.converter={STRING_CONVERTER}"),
]


@pytest.mark.parametrize(("there", "used", "level", "words"), MATRIX)
def test_a_wrong_converter_is_told_with_the_right_one(
    place: Place, kafka: str, topic: Callable[..., str], registry: str, there: str, used: str, level: str, words: str
) -> None:
    name = topic()
    write(kafka, name, written(there, name, registry))
    place.worker |= {"key.converter": AVRO, "key.converter.schema.registry.url": registry}
    place.create_internal_topics()
    status, findings = place.run(sink(name, **settings_of(used, registry)))
    [told] = worse(findings)
    assert (told["check"], told["about"], told["level"]) == ("converters", f"values of {name}", level)
    assert words in told["advice"]
    assert status == (level == "broken")


@pytest.mark.parametrize("kind", ["text", "json", "envelope", "avro"])
def test_the_right_converter_is_fine(
    place: Place, kafka: str, topic: Callable[..., str], registry: str, kind: str
) -> None:
    name = topic()
    write(kafka, name, written(kind, name, registry))
    place.create_internal_topics()
    assert place.run(sink(name, **settings_of(kind, registry)))[0] == 0


def test_topics_of_a_pattern_are_looked_at_too(place: Place, kafka: str, topic: Callable[..., str]) -> None:
    stem = f"pattern-{uuid.uuid4().hex[:8]}"
    for number in range(2):
        place.create_topic(f"{stem}-{number}")
        write(kafka, f"{stem}-{number}", [b"text"])
    place.create_internal_topics()
    config = sink("", topics__regex=f"{stem}-.*")
    del config["topics"]
    _, findings = place.run(config)
    assert {finding["about"] for finding in worse(findings)} == {f"values of {stem}-0", f"values of {stem}-1"}


def test_only_the_newest_records_are_looked_at(place: Place, kafka: str, topic: Callable[..., str]) -> None:
    name = topic()
    write(kafka, name, [b"text"] * 20 + [b'{"n": 1}'] * 5)
    place.create_internal_topics()
    assert place.run(sink(name), "--records", "5")[0] == 0
    assert place.run(sink(name), "--records", "6")[0] == 1


def test_a_registry_that_wants_another_password_is_told_without_the_one_it_got(
    place: Place, kafka: str, topic: Callable[..., str], registry: str
) -> None:
    users = place.folder / "users"
    users.write_text(f"ann:{bcrypt.hashpw(b'the-right-one', bcrypt.gensalt(4)).decode()}:read\n")
    service = RegistryService()
    service.start(
        {
            "listeners": "http://127.0.0.1:0",
            "authentication.method": "BASIC",
            "authentication.basic.users.file": str(users),
        }
    )
    try:
        name = topic()
        write(kafka, name, written("avro", name, registry))
        place.create_internal_topics()
        avro = {"value__converter": AVRO, "value__converter__schema__registry__url": service.urls[0]}
        avro["value__converter__basic__auth__credentials__source"] = "USER_INFO"
        status, findings = place.run(sink(name, **avro, value__converter__basic__auth__user__info="ann:the-wrong-one"))
        assert status == 1
        told = {finding["check"]: finding for finding in worse(findings)}
        assert "401" in told["registry"]["message"]
        assert "value.converter.basic.auth." in told["registry"]["advice"]
        assert told["converters"]["level"] == "broken"
        assert "the-wrong-one" not in place.out
        _, findings = place.run(sink(name, **avro, value__converter__basic__auth__user__info="ann:the-right-one"))
        assert "registry" not in {finding["check"] for finding in worse(findings)}
    finally:
        service.stop()


# --- rights, on a broker that has some


MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that signs itself, in one PEM file."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=broker -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", "key", "-out", "cert"], cwd=folder, check=True, capture_output=True)
    (folder / "store.pem").write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return folder / "store.pem"


@pytest.fixture(scope="module")
def guarded(kafka_jars: Path, certificate: Path) -> Iterator[tuple[str, str, str]]:
    """Addresses of a broker with ACLs: one for its operator, one that asks for user and password, and one with TLS."""
    port, tls_port = free_ports(2)
    address, tls = f"127.0.0.1:{port}", f"127.0.0.1:{tls_port}"
    broker = KafkaBroker(kafka_jars)
    plain = broker._settings()
    broker._properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_PLAINTEXT,TLS:SSL",
        "listener.name.tls.ssl.keystore.type": "PEM",
        "listener.name.tls.ssl.keystore.location": str(certificate),
        "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": f'{MODULE} required user_ann="hush-hush" user_bob="hush-hush";',
        **{key: f"{plain[key]},SECURED://{address},TLS://{tls}" for key in ("listeners", "advertised.listeners")},
    }
    with broker:
        yield broker.bootstrap, address, tls


def login(user: str) -> dict[str, str]:
    jaas = f'{MODULE} required username="{user}" password="hush-hush";'
    return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.jaas.config": jaas}


@pytest.fixture
def guarded_place(tmp_path: Path, guarded: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> Place:
    place = Place(tmp_path, guarded[0], capsys)
    place.create_internal_topics()
    place.worker |= {"bootstrap.servers": guarded[1], **login("ann")}
    place.worker |= {
        f"{kind}.{name}": value for kind in ("consumer", "producer") for name, value in login("bob").items()
    }
    return place


def allow(place: Place, user: str, kind: str, name: str, *operations: str) -> None:
    resource = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER}.get(
        kind, ResourceType.TRANSACTIONAL_ID
    )
    for operation in operations:
        binding = AclBinding(
            resource,
            name,
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            AclOperation[operation],
            AclPermissionType.ALLOW,
        )
        place.admin.create_acls([binding])[binding].result(30)


def test_without_any_right_each_is_told_with_the_command_that_gives_it_and_with_them_none(guarded_place: Place) -> None:
    place, orders = guarded_place, f"orders-{uuid.uuid4().hex[:8]}"
    place.create_topic(orders)
    options = {"exactly__once__source__support": "enabled"}
    status, findings = place.run(sink(orders), **options)
    assert status == 1
    commands = {finding["advice"] for finding in worse(findings, "broken") if finding["check"] == "rights"}
    for_ann, for_bob = (f"kafka-acls.sh --add --allow-principal User:{user}" for user in ("ann", "bob"))
    assert commands == {
        *(f"{for_ann} --operation Read --operation Write --topic {place.group}-{which}" for which in ("config", "offset", "status")),
        f"{for_ann} --operation Read --group {place.group}",
        f"{for_ann} --operation Write --transactional-id connect-cluster-{place.group}",
        f"{for_bob} --operation Read --topic {orders}",
        f"{for_bob} --operation Read --group connect-c",
    }  # fmt: skip
    assert "hush-hush" not in place.out

    for which in ("config", "offset", "status"):
        allow(place, "ann", "topic", f"{place.group}-{which}", "READ", "WRITE", "DESCRIBE_CONFIGS")
    allow(place, "ann", "group", place.group, "READ")
    allow(place, "ann", "transactional-id", f"connect-cluster-{place.group}", "WRITE")
    allow(place, "bob", "topic", orders, "READ")
    allow(place, "bob", "group", "connect-c", "READ")
    deadline = time.monotonic() + 30
    while place.run(sink(orders), **options)[0] and time.monotonic() < deadline:
        pass  # the broker has them in a moment
    status, findings = place.run(sink(orders), **options)
    assert (status, worse(findings)) == (0, [])
    assert [
        finding["about"] for finding in worse(findings, "skipped") if finding["check"] == "clock"
    ]  # no Describe on the cluster


def grant(place: Place, command: str) -> None:
    """Do what one of the doctor's commands does."""
    words = command.removeprefix("kafka-acls.sh --add --allow-principal User:").split()
    kind, name = words[-2].removeprefix("--"), words[-1]
    operations = [word for word in words[1:-2] if not word.startswith("--")]
    allow(place, words[0], kind, name, *(re.sub("(?<=[a-z])(?=[A-Z])", "_", word).upper() for word in operations))


def test_with_the_rights_that_the_doctor_asks_for_a_worker_and_its_connectors_work(
    guarded_place: Place, guarded: tuple[str, str, str]
) -> None:
    place, stem = guarded_place, uuid.uuid4().hex[:8]
    orders, lines = f"orders-{stem}", f"lines-{stem}"
    for name in (orders, lines):
        place.create_topic(name)
    write(guarded[0], orders, [b'{"n": 1}'])
    (place.folder / "lines.txt").write_text("one\n")
    source = {"connector.class": "FileStreamSource", "topic": lines, "file": str(place.folder / "lines.txt")}
    connectors = {"c": sink(orders, file=str(place.folder / "out.txt")), "s": source}
    for name, config in [*connectors.items()] * 2:  # the settings of a topic are read once it may be described
        for finding in place.run({**config, "name": name})[1]:
            if (finding["advice"] or "").startswith("kafka-acls.sh"):
                grant(place, finding["advice"])
    [port] = free_ports(1)
    rest = f"http://127.0.0.1:{port}"
    with WorkerProcess(["worker", place.worker_file(listeners=rest)], place.folder / "worker.log", rest) as worker:
        worker.wait_ready()
        for name, config in connectors.items():
            assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
            worker.wait_running(name)
        eventually("the sink's record", lambda: "n=1" in (place.folder / "out.txt").read_text())
        eventually("the source's record", lambda: ends(guarded[0], lines) == 1)
        assert worker.stop() == 0
        assert "uthorization" not in worker.log(), worker.log()


def ends(kafka: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "looks"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1])
    finally:
        consumer.close()


def eventually(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not in time"
        time.sleep(0.1)


def test_tls_is_spoken_by_every_client_and_a_certificate_that_nobody_trusts_is_told(
    guarded_place: Place, guarded: tuple[str, str, str], certificate: Path
) -> None:
    place = guarded_place
    place.worker = {name: value for name, value in place.worker.items() if "sasl." not in name}
    trust = {"security.protocol": "SSL", "ssl.truststore.location": str(certificate.with_name("cert.pem"))}
    certificate.with_name("cert.pem").write_text(certificate.with_name("cert").read_text())
    place.worker |= {
        "bootstrap.servers": guarded[2],
        **trust,
        **{f"consumer.{name}": text for name, text in trust.items()},
    }
    place.create_topic(orders := f"orders-{uuid.uuid4().hex[:8]}")
    status, findings = place.run(sink(orders))
    assert (status, worse(findings)) == (0, [])
    assert next(finding for finding in findings if finding["check"] == "clock")["level"] == "ok"
    del place.worker["ssl.truststore.location"]
    status, findings = place.run(sink(orders))
    [told] = worse(findings, "broken")
    assert (status, told["check"]) == (1, "kafka")
    assert "certificate" in told["message"]
    assert "ssl.truststore.location" in told["message"]


def test_a_wrong_password_is_told_without_it(guarded_place: Place) -> None:
    wrong = login("ann")["sasl.jaas.config"].replace("hush-hush", "never-this")
    status, findings = guarded_place.run(sasl__jaas__config=wrong)
    [told] = worse(findings, "broken")
    assert (status, told["check"]) == (1, "kafka")
    assert "sasl" in f"{told['message']} {told['advice']}".lower()
    assert "uthentication" in told["message"], told
    assert "never-this" not in guarded_place.out
    assert "hush-hush" not in guarded_place.out


def test_tasks_clients_without_security_are_told_by_the_prefix_that_they_need(guarded_place: Place) -> None:
    place = guarded_place
    place.worker = {name: value for name, value in place.worker.items() if not name.startswith("consumer.")}
    status, findings = place.run(sink("anything"))
    assert status == 1
    assert [finding["about"] for finding in worse(findings, "warning")] == ["consumer.security.protocol"]
    clients = [finding for finding in worse(findings, "broken") if finding["about"] == "consumer client"]
    assert len(clients) == 1
