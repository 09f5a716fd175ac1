"""The infrastructure itself: what other broker tests take for granted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from lab.jars import fetch_jars
from penstock.testing.broker import BrokerError, JvmError, KafkaBroker

ORPHAN = """
import sys, time
from pathlib import Path
from penstock.testing.broker import KafkaBroker
broker = KafkaBroker(Path(sys.argv[1])).start()
print(broker.pid, broker.folder, flush=True)
time.sleep(600)
"""


def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"read-{topic}", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    values: list[bytes | None] = []
    deadline = time.monotonic() + 30
    while len(values) < count and time.monotonic() < deadline:
        values += [message.value() for message in consumer.consume(count, timeout=0.2)]
    consumer.close()
    return values


def test_records_produced_to_the_session_broker_are_read_back(kafka: str, topic: Callable[..., str]) -> None:
    name = topic()
    produce(kafka, name, b"a", b"b")
    assert consume(kafka, name, 2) == [b"a", b"b"]


def test_topics_are_created_with_the_partitions_and_settings_asked_for(kafka: str, topic: Callable[..., str]) -> None:
    name = topic(partitions=3, cleanup_policy="compact")
    assert len(AdminClient({"bootstrap.servers": kafka}).list_topics(name, timeout=10).topics[name].partitions) == 3


def test_a_private_broker_keeps_port_and_data_over_stop_kill_and_start(
    private_broker: Callable[..., KafkaBroker],
) -> None:
    broker = private_broker()
    address = broker.bootstrap
    produce(address, "kept", b"1")
    broker.stop()
    assert broker.pid is None
    broker.start()
    produce(address, "kept", b"2")
    broker.kill()
    broker.start()
    assert broker.bootstrap == address
    assert consume(address, "kept", 2) == [b"1", b"2"]


def test_a_broker_ends_with_the_process_that_started_it_even_when_that_is_killed(kafka_jars: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", ORPHAN, str(kafka_jars)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid, folder = starter.stdout.readline().split()
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    deadline = time.monotonic() + 20
    while (alive(int(pid)) or Path(folder).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(pid))
    assert not Path(folder).exists()


def alive(pid: int) -> bool:
    """A zombie that nobody waits for counts as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_broker_that_cannot_start_says_why(kafka_jars: Path) -> None:
    broker = KafkaBroker(kafka_jars, {"num.partitions": "none"})
    with pytest.raises(BrokerError, match=r"Invalid value none for configuration num\.partitions"):
        broker.start()
    broker.close()
    assert not broker.folder.exists()


def test_missing_tools_are_named_with_what_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kafka_jars: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    pom = Path(__file__).parent / "pom.xml"
    with pytest.raises(JvmError, match="apt-get install openjdk-17-jdk-headless maven"):
        fetch_jars(pom, tmp_path / "cache")
    with pytest.raises(JvmError, match="Java 17"):
        KafkaBroker(kafka_jars).start()
    monkeypatch.undo()
    assert fetch_jars(pom, kafka_jars.parent) == kafka_jars
