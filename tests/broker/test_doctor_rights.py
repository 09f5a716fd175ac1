"""``penstock doctor`` on a broker with users, ACLs and TLS: each right that lacks is told, and those asked for suffice."""

from __future__ import annotations

import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from lab.examined import Place, sink, worse, write
from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess
from penstock.testing.broker import KafkaBroker, free_ports

pytestmark = pytest.mark.broker
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
