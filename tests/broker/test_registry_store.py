"""Schemas in a Kafka topic: Confluent's records to the byte, takeover, compaction, fencing."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource

from lab.committed import messages
from penstock.errors import ConfigError, ConnectError
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.formats import Formats
from penstock_registry.server.registry import Registry
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.store import NotLeaderError
from penstock_registry.store.kafka import KafkaStore
from penstock_registry.store.kafka_settings import KafkaStoreSettings

RECORDED = json.loads((Path(__file__).parents[1] / "vectors/schemas_topic.json").read_text())


@pytest.fixture
def name() -> str:
    return f"_schemas-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def open_registry(kafka: str, name: str) -> Iterator[Callable[..., tuple[Registry, KafkaStore]]]:
    made: list[Registry] = []

    def open_one(*, claim: bool = True) -> tuple[Registry, KafkaStore]:
        store = KafkaStore(KafkaStoreSettings({"bootstrap.servers": kafka}, name))
        registry = Registry(store, Formats())
        registry.start()
        made.append(registry)
        if claim:
            store.claim()
        return registry, store

    yield open_one
    for registry in made:
        registry.close()


def schema(number: int) -> SchemaRequest:
    return SchemaRequest(json.dumps({"type": "fixed", "name": "F", "size": number}))


def records(kafka: str, name: str) -> list[tuple[str, str | None]]:
    """What stands in the topic, as another registry would read it."""
    found = [(message.key(), message.value()) for message in messages(kafka, name)]
    assert all(isinstance(key, bytes) for key, _ in found)
    return [(key.decode(), value and value.decode()) for key, value in found]  # type: ignore[union-attr]  # bytes here


def test_the_topic_is_made_as_it_must_be(kafka: str, name: str, open_registry: Callable[..., Any]) -> None:
    open_registry()
    admin = AdminClient({"bootstrap.servers": kafka})
    topic = admin.list_topics(name, timeout=10).topics[name]
    assert len(topic.partitions) == 1
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    assert admin.describe_configs([resource])[resource].result(10)["cleanup.policy"].value == "compact"


def test_a_topic_of_several_partitions_is_refused(topic: Callable[..., str], kafka: str) -> None:
    several = topic(partitions=2, cleanup_policy="compact")
    with pytest.raises(ConfigError, match="single partition"):
        KafkaStore(KafkaStoreSettings({"bootstrap.servers": kafka}, several)).start(print)


def test_a_recorded_topic_is_taken_over_and_gone_on_with(
    kafka: str, topic: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    name = topic(cleanup_policy="compact")
    producer = Producer({"bootstrap.servers": kafka})
    for record in RECORDED["records"]:
        producer.produce(name, record["value_raw"], record["key_raw"])
    producer.produce(name, b"{broken", b'{"keytype":"CONFIG","magic":0}')
    producer.produce(name, b"x", b"not a key")
    producer.produce(name, b'{"version":1}', b'{"keytype":"SCHEMA","subject":"odd","version":1,"magic":1}')
    assert producer.flush(30) == 0
    store = KafkaStore(KafkaStoreSettings({"bootstrap.servers": kafka}, name))
    registry = Registry(store, Formats())
    registry.start()
    try:
        store.claim()
        assert registry.subjects(":*:") == ["imp2", "j", "meta", "p", "ref", "usesref"]
        assert registry.register("next", schema(1)).id == 501
    finally:
        registry.close()
    assert caplog.text.count("is passed over") == 2
    assert "is left out: key SchemaKey(subject='odd', version=1)" in caplog.text
    last_key, last_value = records(kafka, name)[-1]
    assert last_key == '{"keytype":"SCHEMA","subject":"next","version":1,"magic":1}'
    assert json.loads(last_value or "") == {
        "subject": "next", "version": 1, "id": 501, "schemaType": "AVRO",
        "schema": '{"type":"fixed","name":"F","size":1}', "deleted": False,
    }  # fmt: skip


def test_another_registry_sees_each_change_and_after_a_restart_all_is_there(
    open_registry: Callable[..., tuple[Registry, KafkaStore]],
) -> None:
    leader, _ = open_registry()
    follower, follows = open_registry(claim=False)
    for number in range(1, 6):
        assert leader.register(f"s{number}", schema(number)).id == number
    leader.delete_subject("s5")
    follows.catch_up(10)
    assert follower.subjects(":*:") == ["s1", "s2", "s3", "s4"]
    leader.close()
    again, _ = open_registry(claim=False)
    assert [(one.subject, one.id) for one in again.schemas(":*:")] == [("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4)]


def test_who_does_not_lead_does_not_write(open_registry: Callable[..., tuple[Registry, KafkaStore]]) -> None:
    follower, store = open_registry(claim=False)
    with pytest.raises(NotLeaderError):
        follower.register("s", schema(1))
    store.claim()
    assert follower.register("s", schema(1)).id == 1
    store.release()
    with pytest.raises(NotLeaderError):
        follower.register("t", schema(2))


def test_a_leader_that_was_replaced_unawares_can_write_nothing(
    kafka: str, name: str, open_registry: Callable[..., tuple[Registry, KafkaStore]]
) -> None:
    old, old_store = open_registry()
    lost: list[str] = []
    old_store.on_writer_lost = lost.append
    assert old.register("s", schema(1)).id == 1
    new, new_store = open_registry()
    with pytest.raises(ConnectError, match="has taken over"):
        old.register("s2", schema(2))
    assert new.register("s3", schema(3)).id == 2
    new_store.catch_up(10)
    assert new.subjects(":*:") == ["s", "s3"]
    assert len(lost) == 1
    assert [key for key, _ in records(kafka, name) if '"s2"' in key] == []


def test_no_id_is_given_twice_after_deletion_and_compaction(
    kafka: str, topic: Callable[..., str], open_registry: Callable[..., tuple[Registry, KafkaStore]], name: str
) -> None:
    registry, _ = open_registry()
    for number in (1, 2):
        registry.register(f"s{number}", schema(number))
    registry.register(":.c:s", schema(1))
    registry.register(":.c:s2", schema(2))
    for subject in ("s2", ":.c:s2", ":.c:s"):
        registry.delete_subject(subject)
        registry.delete_subject(subject, permanent=True)
    registry.close()
    # What compaction leaves at its most: the last record of each key, and no tombstones.
    latest = {key: value for key, value in records(kafka, name) if value is not None}
    dead = {key for key, value in dict(records(kafka, name)).items() if value is None}
    compacted = topic(cleanup_policy="compact")
    producer = Producer({"bootstrap.servers": kafka})
    for key, value in latest.items():
        if key not in dead:
            producer.produce(compacted, value, key)
    producer.flush()
    store = KafkaStore(KafkaStoreSettings({"bootstrap.servers": kafka}, compacted))
    again = Registry(store, Formats())
    again.start()
    try:
        store.claim()
        assert again.subjects(":*:", deleted=True) == ["s1"]
        assert again.register("new", schema(9)).id == 3
        assert again.register(":.c:new", schema(9)).id == 3
    finally:
        again.close()


def test_many_who_register_at_once_share_transactions_and_followers_see_the_same(
    open_registry: Callable[..., tuple[Registry, KafkaStore]],
) -> None:
    leader, store = open_registry()
    follower, follows = open_registry(claim=False)
    writes: list[int] = []
    append = store.append

    def counted(records: Any) -> None:
        writes.append(len(records))
        append(records)

    store.append = counted  # type: ignore[method-assign]  # counts, and does what it did
    given: dict[int, int] = {}

    def write(which: int) -> None:
        for number in range(which, 160, 8):
            # Answered only when it was read back: whoever asks then finds it.
            given[number] = leader.register(f"s{number}", schema(number + 1)).id
            assert leader.version(f"s{number}", -1).id == given[number]

    threads = [threading.Thread(target=write, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given.values()) == list(range(1, 161))
    assert sum(writes) == 160
    assert len(writes) < 120
    follows.catch_up(30)
    assert {int(one.subject[1:]): one.id for one in follower.schemas(":*:")} == given


def test_an_append_returns_with_its_records_applied_and_does_not_wait_for_the_transactions_mark(
    open_registry: Callable[..., tuple[Registry, KafkaStore]],
) -> None:
    leader, store = open_registry()
    for number in range(1, 30):
        leader.register(
            "s", SchemaRequest(json.dumps({"type": "enum", "name": "E", "symbols": ["A"], "doc": f"{number}"}))
        )
        assert leader.version("s", -1).version == number
    store.catch_up(30)
    assert len(leader.versions("s")) == 29


@pytest.mark.parametrize("told", [True, False], ids=["the broker tells its limit", "the broker refuses"])
def test_a_record_that_is_too_large_fails_alone_and_costs_nobody_the_lead(
    told: bool, kafka: str, topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = topic(cleanup_policy="compact", max_message_bytes="60000")
    if not told:
        monkeypatch.setattr("penstock_registry.store.kafka.max_message_bytes", lambda admin, topic: None)
    lost: list[str] = []
    store = KafkaStore(KafkaStoreSettings({"bootstrap.servers": kafka}, name), on_writer_lost=lost.append)
    registry = Registry(store, Formats())
    registry.start()
    try:
        store.claim()
        large = SchemaRequest(json.dumps({"type": "fixed", "name": "F", "size": 1, "doc": "x" * 100_000}))
        with pytest.raises(RegistryError, match="too large for the store") as refused:
            registry.register("large", large)
        assert refused.value.code == 42209
        with pytest.raises(RegistryError):
            registry.settings.update_config("s", {"compatibilityGroup": "x" * 100_000})
        outcomes: dict[int, object] = {}

        def register(number: int) -> None:
            try:
                outcomes[number] = registry.register(f"s{number}", large if number == 5 else schema(number + 1)).id
            except RegistryError as error:
                outcomes[number] = error.code

        threads = [threading.Thread(target=register, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert outcomes.pop(5) == 42209
        assert sorted(outcomes.values()) == list(range(1, 12))  # type: ignore[type-var]  # all of them are ids
        assert lost == []
        nearly = SchemaRequest(json.dumps({"type": "fixed", "name": "F", "size": 1, "doc": "x" * 59_400}))
        assert registry.register("nearly", nearly).id == 12
        assert registry.problem() is None
    finally:
        registry.close()
    again = Registry(KafkaStore(KafkaStoreSettings({"bootstrap.servers": kafka}, name)), Formats())
    again.start()
    assert len(again.subjects(":*:")) == 12
    again.close()
