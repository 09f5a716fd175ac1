"""The checks that ask Kafka: brokers, the workers' topics, rights, the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lab.surroundings import FakeCluster, findings, situation, topic_facts
from penstock.doctor import Finding, Level
from penstock.doctor.brokers import KafkaCheck, addresses
from penstock.doctor.clock import ClockCheck
from penstock.doctor.rights import RightsCheck, wants
from penstock.doctor.situation import ADMIN, CONSUMER, PRODUCER, WORKER
from penstock.doctor.topics import TopicsCheck
from penstock.errors import ConnectError
from penstock.kafka.probing import Moment

OK, WARNING, BROKEN, SKIPPED = Level.OK, Level.WARNING, Level.BROKEN, Level.SKIPPED
SINK = {"connector.class": "FileStreamSink", "topics": "orders", "file": "f"}
SOURCE = {"connector.class": "FileStreamSource", "topic": "lines", "file": "f"}


def worst(found: list[Finding]) -> Finding:
    order = [OK, SKIPPED, WARNING, BROKEN]
    return max(found, key=lambda finding: order.index(finding.level))


# --- brokers


def test_entries_of_bootstrap_servers_are_hosts_with_ports() -> None:
    text = "a:1, [::1]:9093,SSL://b:2,c"
    assert list(addresses(text)) == [("a", 1), ("::1", 9093), ("b", 2), ("c", 9092)]


def kafka_check(cluster: FakeCluster, unreachable: Mapping[str, str] = {}, **changed: str) -> list[Finding]:
    reach = lambda host, port, timeout: unreachable.get(host)  # noqa: E731 - one line says it
    return findings(KafkaCheck(situation(**changed), cluster, reach))


def test_brokers_that_answer_are_told_with_their_versions() -> None:
    found = kafka_check(FakeCluster(brokers=2))
    assert [finding.level for finding in found] == [OK] * 3
    assert "kafka1:9092 speaks Kafka 4.1" in found[2].message


def test_nobody_behind_any_address_blocks_what_needs_kafka() -> None:
    [finding] = kafka_check(FakeCluster(), {"kafka": "Connection refused"})
    assert finding.level is BROKEN
    assert finding.blocks
    assert "Connection refused" in finding.message


def test_one_of_several_addresses_that_is_not_reached_is_a_warning() -> None:
    changed = {"bootstrap__servers": "kafka:9092,gone:9092"}
    found = kafka_check(FakeCluster(brokers=1), {"gone": "the name gone is not known here"}, **changed)
    assert [finding.level for finding in found] == [WARNING, OK, OK]


def test_a_listener_that_answers_nothing_points_at_security() -> None:
    [finding] = kafka_check(FakeCluster(down=ConnectError("no broker answered in time")))
    assert finding.level is BROKEN
    assert finding.blocks
    assert "security.protocol" in finding.advice


def test_a_broker_that_advertises_an_unreachable_address_is_named_with_it() -> None:
    found = kafka_check(FakeCluster(brokers=2), {"kafka1": "the name kafka1 is not known here"})
    assert worst(found).about == "broker 1"
    assert "advertised.listeners" in worst(found).advice
    assert not worst(found).blocks
    found = kafka_check(FakeCluster(brokers=2), {"kafka0": "Connection refused", "kafka1": "Connection refused"})
    assert all(finding.blocks for finding in found[1:]), "nobody is left to ask"


@pytest.mark.parametrize(
    ("speaks", "exactly_once", "level"),
    [((4, 1), "enabled", OK), ((2, 4), "disabled", OK), ((2, 4), "enabled", BROKEN), ((0, 10), "disabled", BROKEN)],
)
def test_brokers_must_be_new_enough_for_what_the_worker_does(
    speaks: tuple[int, ...], exactly_once: str, level: Level
) -> None:
    changed = {"exactly__once__source__support": exactly_once}
    assert worst(kafka_check(FakeCluster(brokers=1, speaks=speaks), **changed)).level is level


# --- the workers' topics


def topics_check(brokers: int = 3, refused: ConnectError | None = None, changed: Any = None, **known: Any) -> Any:
    fit = {name: topic_facts(name) for name in ("configs", "offsets", "states")}
    there = {name: facts for name, facts in {**fit, **known}.items() if facts is not None}
    cluster = FakeCluster(brokers=brokers, known=there, refused=refused)
    return findings(TopicsCheck(situation(**(changed or {})), cluster)), cluster


def test_topics_that_are_fit_are_told_as_such() -> None:
    found, _ = topics_check()
    assert [(finding.level, finding.about) for finding in found] == [(OK, "configs"), (OK, "offsets"), (OK, "states")]


#: What is wrong with the topic of configurations, the level, and words of the message or the advice.
UNFIT = [
    (topic_facts("configs", partitions=2), BROKEN, "2 partitions"),
    (topic_facts("configs", settings={"cleanup.policy": "delete"}), BROKEN, "cleanup.policy=compact"),
    (topic_facts("configs", settings={"cleanup.policy": "compact,delete"}), BROKEN, "cleanup.policy is compact,delete"),
    (topic_facts("configs", led=False), BROKEN, "no leader"),
    (topic_facts("configs", in_sync=2), WARNING, "not in sync"),
    (topic_facts("configs", replicas=1), WARNING, "1 of 3 possible replicas"),
    (topic_facts("configs", settings={"min.insync.replicas": "4"}), BROKEN, "no write is taken"),
    (topic_facts("configs", settings={"min.insync.replicas": "3"}), WARNING, "min.insync.replicas=2"),
    (topic_facts("configs", settings={"min.insync.replicas": "1"}), WARNING, "min.insync.replicas=2"),
    (topic_facts("configs", settings={"unclean.leader.election.enable": "true"}), WARNING, "unclean.leader.election"),
    (topic_facts("configs", readable=False), WARNING, "DescribeConfigs"),
    (ConnectError("not authorized"), BROKEN, "config.storage.topic: not authorized"),
]


@pytest.mark.parametrize(("facts", "level", "words"), UNFIT, ids=[words for _, _, words in UNFIT])
def test_a_topic_that_is_not_fit_is_told_with_what_to_change(facts: Any, level: Level, words: str) -> None:
    found, _ = topics_check(configs=facts)
    told = worst(found)
    assert (told.level, told.about) == (level, "configs")
    assert words in f"{told.message} {told.advice}"


def test_one_broker_can_hold_one_replica_only() -> None:
    alone = {name: topic_facts(name, replicas=1) for name in ("configs", "offsets", "states")}
    found, _ = topics_check(brokers=1, **alone)
    assert {finding.level for finding in found} == {OK}


def test_topics_that_the_first_worker_makes_are_tried_and_not_made() -> None:
    found, cluster = topics_check(configs=None, offsets=None)
    assert [finding.level for finding in found] == [OK, OK, OK]
    assert [(name, partitions, replication) for name, partitions, replication, _ in cluster.tried] == [
        ("configs", 1, 3), ("offsets", 25, 3),
    ]  # fmt: skip
    assert cluster.tried[0][3] == {"cleanup.policy": "compact"}


def test_a_topic_that_the_broker_would_not_make_is_broken_with_the_brokers_reason() -> None:
    found, _ = topics_check(states=None, refused=ConnectError("replication factor 3 is larger than 1 broker"))
    assert worst(found).about == "states"
    assert "larger than 1 broker" in worst(found).message
    assert "status.storage.replication.factor" in worst(found).advice


def test_a_missing_topic_that_workers_may_not_make_is_broken_and_not_tried() -> None:
    found, cluster = topics_check(states=None, changed={"internal__topics__automatic__creation__enable": "false"})
    assert worst(found).level is BROKEN
    assert "penstock internal-topics create" in worst(found).advice
    assert cluster.tried == []


# --- rights


def rights(
    connector: Any = None, *, clusters: Mapping[str, FakeCluster] = {}, **changed: str
) -> tuple[list[Finding], dict[str, FakeCluster]]:
    known = {name: topic_facts(name) for name in ("configs", "offsets", "states", "orders", "lines", "letters")}
    opened = {role: clusters.get(role, FakeCluster(known=dict(known))) for role in (WORKER, CONSUMER, PRODUCER, ADMIN)}
    return findings(RightsCheck(situation(connector, **changed), opened.__getitem__)), opened


def test_each_client_is_asked_for_what_it_needs() -> None:
    connector = {**SINK, "errors.deadletterqueue.topic.name": "letters"}
    changed = {"exactly__once__source__support": "enabled"}
    assert [(want.role, want.kind, want.name, want.operations) for want in wants(situation(connector, **changed))] == [
        (WORKER, "topic", "configs", ("READ", "WRITE")),
        (WORKER, "topic", "offsets", ("READ", "WRITE")),
        (WORKER, "topic", "states", ("READ", "WRITE")),
        (WORKER, "group", "workers", ("READ",)),
        (WORKER, "transactional-id", "connect-cluster-workers", ("WRITE",)),
        (CONSUMER, "topic", "orders", ("READ",)),
        (CONSUMER, "group", "connect-c", ("READ",)),
        (PRODUCER, "topic", "letters", ("WRITE",)),
    ]
    assert [want[:4] for want in wants(situation(SOURCE, **changed))][-2:] == [
        (PRODUCER, "topic", "lines", ("WRITE",)),
        (PRODUCER, "transactional-id", "workers-c-0", ("WRITE",)),
    ]


def test_rights_that_are_there_are_told_one_by_one() -> None:
    found, _ = rights(SINK)
    assert [finding.level for finding in found] == [OK] * 6


def test_a_right_that_lacks_is_told_with_the_command_that_gives_it() -> None:
    lacking = FakeCluster(known={"orders": topic_facts("orders", operations={"DESCRIBE"})})
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="ann" password="hush";'
    changed = {"consumer__security__protocol": "SASL_SSL", "consumer__sasl__jaas__config": jaas}
    told = worst(rights(SINK, clusters={CONSUMER: lacking}, **changed)[0])
    assert told.level is BROKEN
    assert "Read is not allowed to the consumer client" in told.message
    assert told.advice == "kafka-acls.sh --add --allow-principal User:ann --operation Read --topic orders"
    assert "hush" not in repr(told)


def test_a_topic_that_may_not_be_described_lacks_its_rights() -> None:
    hidden = FakeCluster(known={"lines": ConnectError("Topic authorization failed")})
    told = worst(rights(SOURCE, clusters={PRODUCER: hidden})[0])
    assert "Topic authorization failed" in told.message
    assert told.advice.endswith("--operation Write --topic lines")


@pytest.mark.parametrize(
    ("connector", "role", "cluster", "advice"),
    [
        (SINK, CONSUMER, FakeCluster(known={"orders": topic_facts("orders")}, groups=False), "--group connect-c"),
        (
            SOURCE,
            PRODUCER,
            FakeCluster(known={"lines": topic_facts("lines")}, transactions=False),
            "--transactional-id",
        ),
    ],
)
def test_groups_and_transactional_ids_are_asked_for_too(
    connector: Any, role: str, cluster: FakeCluster, advice: str
) -> None:
    told = worst(rights(connector, clusters={role: cluster}, exactly__once__source__support="enabled")[0])
    assert told.level is BROKEN
    assert advice in told.advice


def test_a_question_that_the_broker_does_not_answer_is_no_verdict() -> None:
    silent = FakeCluster(known={"orders": topic_facts("orders")}, groups=ConnectError("no coordinator yet"))
    assert worst(rights(SINK, clusters={CONSUMER: silent})[0]).level is SKIPPED


def test_tasks_clients_that_get_no_answer_are_broken_though_the_worker_is_served() -> None:
    told = worst(rights(SINK, clusters={CONSUMER: FakeCluster(down=ConnectError("timed out"))})[0])
    assert (told.level, told.about) == (BROKEN, "consumer client")
    assert "consumer.override." in told.advice


@pytest.mark.parametrize(("refused", "level"), [(None, OK), (ConnectError("not authorized"), BROKEN)])
def test_a_dead_letter_topic_that_is_missing_is_tried_with_the_connectors_admin_client(
    refused: ConnectError | None, level: Level
) -> None:
    connector = {**SINK, "errors.deadletterqueue.topic.name": "letters"}
    clusters = {PRODUCER: FakeCluster(), ADMIN: FakeCluster(refused=refused)}
    found, opened = rights(connector, clusters=clusters)
    [told] = [finding for finding in found if finding.about == "topic letters"]
    assert told.level is level
    assert opened[ADMIN].tried == [("letters", 1, 3, {})]


def test_a_source_whose_topic_is_missing_and_not_made_by_it_is_warned_about() -> None:
    told = worst(rights(SOURCE, clusters={PRODUCER: FakeCluster()})[0])
    assert told.level is WARNING
    assert "auto.create.topics.enable" in told.advice


# --- the clock


@pytest.mark.parametrize(
    ("ahead_ms", "level", "words"),
    [
        (0, OK, "within"),
        (-4_000, OK, "within 4.1 s"),
        (6_000, WARNING, "6.0 s ahead of"),
        (-86_400_000, WARNING, "behind"),
        (3_700_000, BROKEN, "message.timestamp.after.max.ms"),
    ],
)
def test_clocks_may_differ_a_little(ahead_ms: int, level: Level, words: str) -> None:
    [finding] = findings(ClockCheck(FakeCluster(moment=Moment(1_000_000, 1_000_000.0 + ahead_ms, 100.0))))
    assert finding.level is level
    assert words in finding.message


def test_a_slow_answer_makes_no_wrong_clock() -> None:
    [finding] = findings(ClockCheck(FakeCluster(moment=Moment(0, 9_000.0, 5_000.0))))
    assert finding.level is OK


def test_a_controller_that_may_not_be_asked_leaves_the_clock_open() -> None:
    [finding] = findings(ClockCheck(FakeCluster(moment=ConnectError("not authorized"))))
    assert finding.level is SKIPPED
