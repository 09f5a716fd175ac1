"""A worker's own clients against a broker that asks who they are: its settings serve every one of them."""

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.patience import PATIENCE_S
from penstock.errors import ConnectError
from penstock.kafka.group import GroupMember
from penstock.kafka.topic_log import TopicLog, TopicSpec, internal_clients
from penstock.testing.broker import KafkaBroker


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def secured(kafka_jars: Path) -> Iterator[str]:
    """Address of a listener that wants user and password."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    properties = {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_PLAINTEXT",
        "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": f'{module} required user_worker="pa\\"ss";',
    }
    broker, address = KafkaBroker(kafka_jars), f"127.0.0.1:{free_port()}"
    plain = broker._settings()
    for key in ("listeners", "advertised.listeners"):
        properties[key] = f"{plain[key]},SECURED://{address}"
    broker._properties = {k: v.replace('\\"', '\\\\"') for k, v in properties.items()}
    with broker:
        yield address


def settings(address: str, password: str) -> dict[str, str]:
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return {
        "bootstrap.servers": address,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": f'{module} required username="worker" password="{password}";',
    }


class Listener:
    def __init__(self) -> None:
        self.assignments: list[bytes] = []

    def on_join_prepare(self, generation: int, member_id: str) -> None:
        pass

    def perform_assignment(self, leader_id: str, protocol: str, members: object) -> dict[str, bytes]:
        return {leader_id: b"yours"}

    def on_assignment(self, generation: int, member_id: str, protocol: str, assignment: bytes) -> None:
        self.assignments.append(assignment)

    def on_lost(self, reason: str) -> None:
        pass


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def test_a_topic_log_and_a_group_member_prove_who_they_are(secured: str) -> None:
    mine = settings(secured, 'pa\\"ss')
    log = TopicLog(TopicSpec(f"t-{uuid.uuid4().hex}", 1, 1), internal_clients(mine), lambda record: None)
    log.start(30)
    log.send_and_flush([("a", b"1")])
    log.read_to_end(20)
    log.stop()

    listener = Listener()
    member = GroupMember(mine, f"g-{uuid.uuid4().hex}", "connect", [("default", lambda: b"")], listener)
    member.start()
    try:
        eventually(lambda: listener.assignments == [b"yours"])
    finally:
        member.stop()


def test_a_wrong_password_ends_in_an_error_without_it(secured: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong = settings(secured, "not-this-one")
    log = TopicLog(TopicSpec("t", 1, 1), internal_clients(wrong), lambda record: None)
    with pytest.raises(ConnectError) as raised:
        log.start(3)
    assert "not-this-one" not in str(raised.value)
    member = GroupMember(wrong, "g", "connect", [("default", lambda: b"")], Listener(), heartbeat_interval_ms=300)
    member.start()
    eventually(lambda: any("no broker answers yet" in record.getMessage() for record in caplog.records))
    member.stop()
    assert "not-this-one" not in caplog.text
