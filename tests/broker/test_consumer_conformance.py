"""What penstock relies on in a consumer, on the real client and on the fake that tests use in its place.

One suite for both: a rule that holds on one of them only fails here. The second half holds
`penstock.kafka.consuming.GroupConsumer` to its own contract on top of either.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lab.patience import PATIENCE_S
from penstock import api
from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.kafka.consuming import GroupConsumer
from penstock.testing.fake_kafka import FakeCluster, FakeConsumer

Made = Callable[..., Any]


class Cluster:
    """One of the two, with what a test may do to it."""

    def __init__(self, make: Made, create: Callable[[str, int], None], append: Callable[..., None], away: Made) -> None:
        self.group = f"g-{uuid.uuid4().hex[:8]}"
        self._make, self._create, self._append, self._away = make, create, append, away
        self._consumers: list[Any] = []

    def topic(self, *partitions: list[bytes]) -> str:
        """A new topic with these records in its partitions."""
        name = f"t-{uuid.uuid4().hex[:8]}"
        self._create(name, max(1, len(partitions)))
        for number, values in enumerate(partitions):
            if values:
                self._append(name, number, *values)
        return name

    def append(self, topic: str, partition: int, *values: bytes) -> None:
        self._append(topic, partition, *values)

    def consumer(self, settings: Mapping[str, Any] | None = None, **callbacks: Any) -> Any:
        made = self._make(self.group, callbacks)
        self._consumers.append(made)
        return made

    def away(self) -> Any:
        """A consumer whose brokers do not answer."""
        made = self._away()
        self._consumers.append(made)
        return made

    def close(self) -> None:
        for consumer in self._consumers:
            consumer.close()


@pytest.fixture(
    params=[
        "fake",
        pytest.param("real", marks=[pytest.mark.broker, pytest.mark.flaky(reruns=1)]),
    ]
)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    made = fake_cluster() if request.param == "fake" else real_cluster(request.getfixturevalue("kafka"))
    yield made
    made.close()


def fake_cluster() -> Cluster:
    inner, away = FakeCluster(), FakeCluster()
    away.away = True

    def make(group: str, callbacks: Mapping[str, Any]) -> FakeConsumer:
        return FakeConsumer(inner, group, callbacks.get("on_commit"))

    return Cluster(make, inner.create, inner.append, lambda: FakeConsumer(away))


def real_cluster(bootstrap: str) -> Cluster:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 0})
    common = {
        "auto.offset.reset": "earliest", "enable.auto.commit": False, "enable.auto.offset.store": False,
        "partition.assignment.strategy": "range,roundrobin", "log_level": 0,
    }  # fmt: skip

    def create(name: str, partitions: int) -> None:
        admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])[name].result(30)

    def append(name: str, partition: int, *values: bytes) -> None:
        for value in values:
            producer.produce(name, value, partition=partition)
        assert producer.flush(30) == 0

    def make(group: str, callbacks: Mapping[str, Any]) -> Consumer:
        return Consumer({**common, "bootstrap.servers": bootstrap, "group.id": group, **callbacks})

    return Cluster(
        make, create, append, lambda: Consumer({**common, "bootstrap.servers": "127.0.0.1:1", "group.id": "nobody"})
    )


class Rebalances:
    """Callbacks that remember; `then` is done to the client after each assignment."""

    def __init__(self, then: Callable[[Any], None] = lambda client: None) -> None:
        self.told: list[tuple[str, list[tuple[str, int]]]] = []
        self.begin: dict[tuple[str, int], int] = {}
        self._then = then

    @property
    def callbacks(self) -> dict[str, Any]:
        return {"on_assign": self._assign, "on_revoke": self._revoke, "on_lost": self._revoke}

    def _assign(self, client: Any, positions: list[TopicPartition]) -> None:
        self.told.append(("assign", [(p.topic, p.partition) for p in positions]))
        for position in positions:
            position.offset = self.begin.get((position.topic, position.partition), position.offset)
        client.assign(positions)
        self._then(client)

    def _revoke(self, client: Any, positions: list[TopicPartition]) -> None:
        self.told.append(("revoke", [(p.topic, p.partition) for p in positions]))
        client.unassign()


def read(client: Any, count: int, timeout: float = PATIENCE_S) -> list[tuple[int, bytes]]:
    """Exactly `count` records, as (partition, value), and none more within the same call."""
    found: list[tuple[int, bytes]] = []
    deadline = time.monotonic() + timeout
    while len(found) < count and time.monotonic() < deadline:
        found += [(m.partition(), m.value()) for m in client.consume(count - len(found), 0.3) if m.error() is None]
    return found


def nothing(client: Any) -> bool:
    """No record comes, although some time passes."""
    return not [m for m in client.consume(10, 0.5) if m.error() is None]


def code_of(raised: pytest.ExceptionInfo[KafkaException]) -> int:
    return int(raised.value.args[0].code())


# ---- the client


@pytest.mark.parametrize("topics", [[], ["^(?:a)$"], ["^(?i)a"], ["^a(?!b)"]])
def test_no_topics_and_patterns_that_are_not_posix_are_refused(cluster: Cluster, topics: list[str]) -> None:
    with pytest.raises(KafkaException) as raised:
        cluster.consumer().subscribe(topics)
    assert code_of(raised) == KafkaError._INVALID_ARG


def test_without_a_subscription_nothing_comes_and_nothing_is_assigned(cluster: Cluster) -> None:
    client = cluster.consumer()
    assert client.poll(0.1) is None
    assert client.consume(5, 0.1) == []
    assert client.assignment() == []


@pytest.mark.parametrize("count", [-1, 1_000_001])
def test_consume_refuses_counts_out_of_range(cluster: Cluster, count: int) -> None:
    client = cluster.consumer()
    assert client.consume(0, 0) == []
    with pytest.raises(ValueError, match="num_messages"):
        client.consume(count, 0)


def test_an_assignment_is_made_inside_a_call_and_records_come_in_each_partitions_order(cluster: Cluster) -> None:
    topic = cluster.topic([b"a", b"b", b"c"], [b"x"])
    seen: list[int] = []
    rebalances = Rebalances(lambda client: seen.append(len(client.assignment())))
    client = cluster.consumer()
    client.subscribe([topic], **rebalances.callbacks)
    assert rebalances.told == []
    records = read(client, 4)
    assert [value for partition, value in records if partition == 0] == [b"a", b"b", b"c"]
    assert rebalances.told == [("assign", [(topic, 0), (topic, 1)])]
    assert seen == [2]


def test_a_topic_that_is_not_there_comes_as_a_message_with_an_error(cluster: Cluster) -> None:
    client = cluster.consumer()
    client.subscribe([f"no-{uuid.uuid4().hex[:8]}", cluster.topic([b"a"])], **Rebalances().callbacks)
    errors: list[int] = []
    deadline = time.monotonic() + 20
    while not errors and time.monotonic() < deadline:
        errors += [m.error().code() for m in client.consume(10, 0.3) if m.error() is not None]
    assert errors == [KafkaError.UNKNOWN_TOPIC_OR_PART]


def test_a_partition_begins_where_its_assignment_says(cluster: Cluster) -> None:
    topic = cluster.topic([b"a", b"b", b"c"])
    rebalances, client = Rebalances(), cluster.consumer()
    rebalances.begin[topic, 0] = 2
    client.subscribe([topic], **rebalances.callbacks)
    assert read(client, 1) == [(0, b"c")]


def test_a_seek_is_refused_until_the_partition_is_fetched_and_then_goes_there(cluster: Cluster) -> None:
    topic = cluster.topic([b"a", b"b", b"c"])
    refused: list[int] = []

    def seek(client: Any) -> None:
        with pytest.raises(KafkaException) as raised:
            client.seek(TopicPartition(topic, 0, 1))
        refused.append(code_of(raised))

    client = cluster.consumer()
    with pytest.raises(KafkaException) as raised:
        client.seek(TopicPartition(topic, 0, 1))
    assert code_of(raised) in (KafkaError._UNKNOWN_PARTITION, KafkaError._STATE)
    client.subscribe([topic], **Rebalances(seek).callbacks)
    assert read(client, 3) == [(0, b"a"), (0, b"b"), (0, b"c")]
    assert refused == [KafkaError._STATE]
    client.seek(TopicPartition(topic, 0, 1))
    assert read(client, 2) == [(0, b"b"), (0, b"c")]


def test_a_pause_holds_from_inside_the_assignment_and_a_resume_ends_it(cluster: Cluster) -> None:
    topic = cluster.topic([b"a"], [b"x"])
    client = cluster.consumer()
    client.subscribe([topic], **Rebalances(lambda c: c.pause([TopicPartition(topic, 0)])).callbacks)
    assert read(client, 1) == [(1, b"x")]
    assert nothing(client)
    client.resume([TopicPartition(topic, 0)])
    assert read(client, 1) == [(0, b"a")]


def test_a_pause_holds_back_what_was_fetched_already_and_loses_none_of_it(cluster: Cluster) -> None:
    topic = cluster.topic([b"a", b"b", b"c", b"d"])
    client = cluster.consumer()
    client.subscribe([topic], **Rebalances().callbacks)
    assert read(client, 1) == [(0, b"a")]
    client.pause([TopicPartition(topic, 0)])
    assert nothing(client)
    client.resume([TopicPartition(topic, 0)])
    assert read(client, 3) == [(0, b"b"), (0, b"c"), (0, b"d")]


def test_pausing_and_resuming_what_is_not_assigned_does_nothing(cluster: Cluster) -> None:
    topic = cluster.topic([b"a"])
    client = cluster.consumer()
    client.pause([TopicPartition(topic, 0)])
    client.resume([TopicPartition(topic, 0)])
    client.subscribe([topic], **Rebalances().callbacks)
    assert read(client, 1) == [(0, b"a")]


def test_a_paused_partition_that_goes_and_comes_back_is_still_paused(cluster: Cluster) -> None:
    topic = cluster.topic([b"a"], [b"x"])
    client, paused = cluster.consumer(), Rebalances(lambda c: c.pause([TopicPartition(topic, 0)]))
    client.subscribe([topic], **paused.callbacks)
    assert read(client, 1) == [(1, b"x")]
    client.unsubscribe()
    assert nothing(client)
    client.subscribe([topic], **Rebalances().callbacks)
    assert read(client, 1) == [(1, b"x")]
    assert nothing(client)
    client.resume([TopicPartition(topic, 0)])
    assert read(client, 1) == [(0, b"a")]


def test_another_subscription_revokes_everything_and_reads_from_the_committed_offsets_again(cluster: Cluster) -> None:
    first, second = cluster.topic([b"a", b"b", b"c"]), cluster.topic([b"x"])
    client, rebalances = cluster.consumer(), Rebalances()
    client.subscribe([first], **rebalances.callbacks)
    assert read(client, 2) == [(0, b"a"), (0, b"b")]  # the third is fetched by now, and must not come twice
    client.commit(offsets=[TopicPartition(first, 0, 1)], asynchronous=False)
    client.subscribe([first, second], **rebalances.callbacks)
    assert sorted(read(client, 3)) == [(0, b"b"), (0, b"c"), (0, b"x")]
    assert nothing(client)
    assert [what for what, _ in rebalances.told] == ["assign", "revoke", "assign"]
    assert sorted(rebalances.told[-1][1]) == sorted([(first, 0), (second, 0)])


def test_positions_are_known_after_the_first_record_and_not_right_after_a_seek(cluster: Cluster) -> None:
    topic = cluster.topic([b"a", b"b"], [])
    client = cluster.consumer()
    places = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    assert [p.offset for p in client.position(places)] == [OFFSET_INVALID, OFFSET_INVALID]
    client.subscribe([topic], **Rebalances().callbacks)
    assert len(read(client, 2)) == 2
    assert [p.offset for p in client.position(places)] == [2, OFFSET_INVALID]
    client.seek(TopicPartition(topic, 0, 0))
    assert client.position(places)[0].offset == OFFSET_INVALID


def test_a_synchronous_commit_answers_with_positions_and_is_what_the_group_has(cluster: Cluster) -> None:
    topic = cluster.topic([b"a", b"b"], [])
    client = cluster.consumer()
    client.subscribe([topic], **Rebalances().callbacks)
    read(client, 2)
    (answer,) = client.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    assert (answer.topic, answer.partition, answer.offset, answer.error) == (topic, 0, 2, None)
    known = client.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)], timeout=10)
    assert [p.offset for p in known] == [2, OFFSET_INVALID]


def test_a_synchronous_commit_of_nothing_and_of_an_unknown_topic_raises(cluster: Cluster) -> None:
    topic = cluster.topic([b"a"])
    client = cluster.consumer()
    client.subscribe([topic], **Rebalances().callbacks)
    read(client, 1)
    with pytest.raises(KafkaException) as raised:
        client.commit(offsets=[], asynchronous=False)
    assert code_of(raised) == KafkaError._NO_OFFSET
    with pytest.raises(KafkaException) as raised:
        client.commit(offsets=[TopicPartition(f"no-{topic}", 0, 1)], asynchronous=False)
    assert code_of(raised) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_an_asynchronous_commit_is_answered_inside_a_later_call_partition_by_partition(cluster: Cluster) -> None:
    topic = cluster.topic([b"a"])
    told: list[tuple[int | None, dict[str, int | None]]] = []

    def on_commit(error: Any, positions: Any) -> None:
        told.append(
            (error and error.code(), {p.topic: p.error.code() if p.error is not None else None for p in positions})
        )

    client = cluster.consumer(on_commit=on_commit)
    client.subscribe([topic], **Rebalances().callbacks)
    read(client, 1)
    assert client.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=True) is None
    assert told == []
    until(lambda: client.poll(0.2) is None and told)
    assert told == [(None, {topic: None})]
    unknown = KafkaError.UNKNOWN_TOPIC_OR_PART
    client.commit(offsets=[TopicPartition(topic, 0, 1), TopicPartition(f"no-{topic}", 0, 1)], asynchronous=True)
    until(lambda: not client.consume(1, 0.2) and len(told) > 1)
    # What becomes of the other partition differs from broker to broker: its own error says it.
    error, answers = told[1]
    assert (error, answers[f"no-{topic}"]) == (unknown, unknown)


def test_the_clusters_topics_are_listed_without_errors(cluster: Cluster) -> None:
    topic = cluster.topic([])
    found = cluster.consumer().list_topics(timeout=10).topics
    assert found[topic].error is None


def test_without_a_broker_a_listing_raises_and_a_poll_waits_in_vain(cluster: Cluster) -> None:
    client = cluster.away()
    with pytest.raises(KafkaException) as raised:
        client.list_topics(timeout=0.3)
    assert code_of(raised) in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT)
    client.subscribe(["t"], **Rebalances().callbacks)
    assert client.poll(0.3) is None


def test_closing_revokes_in_the_closing_thread_and_a_closed_client_refuses_everything(cluster: Cluster) -> None:
    topic = cluster.topic([b"a"])
    client, rebalances = cluster.consumer(), Rebalances()
    client.subscribe([topic], **rebalances.callbacks)
    read(client, 1)
    client.close()
    assert rebalances.told[-1] == ("revoke", [(topic, 0)])
    for call in (
        lambda: client.poll(0),
        lambda: client.consume(1, 0),
        client.assignment,
        lambda: client.pause([TopicPartition(topic, 0)]),
        lambda: client.subscribe([topic]),
        lambda: client.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=True),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def until(probe: Callable[[], object], timeout: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < deadline


# ---- the group's consumer on top of it


class Member:
    """Hears of partitions, and remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[api.TopicPartition]]] = []
        self.begin: dict[api.TopicPartition, int] = {}
        self.taken: dict[api.TopicPartition, int] = {}
        self.refused = 0
        self.on_assigned: Callable[[], None] = lambda: None

    def assigned(self, partitions: list[api.TopicPartition]) -> Mapping[api.TopicPartition, int]:
        self.told.append(("assigned", partitions))
        self.on_assigned()
        return {p: self.begin[p] for p in partitions if p in self.begin}

    def revoked(self, partitions: list[api.TopicPartition], lost: bool) -> None:
        self.told.append(("lost" if lost else "revoked", partitions))

    def committed(self, offsets: Mapping[api.TopicPartition, int]) -> None:
        self.taken.update(offsets)

    def not_committed(self) -> None:
        self.refused += 1

    def thrown_out(self) -> None:
        self.told.append(("thrown out", []))


def member(cluster: Cluster) -> tuple[GroupConsumer, Member]:
    told = Member()
    made = GroupConsumer(
        lambda extra, **callbacks: cluster.consumer(on_commit=callbacks["on_commit"]),
        "[c|task-0]",
        told,
        cooperative=False,
    )
    made.open()
    return made, told


def values(consumer: GroupConsumer, count: int, timeout: float = PATIENCE_S) -> list[bytes]:
    found: list[bytes] = []
    deadline = time.monotonic() + timeout
    while len(found) < count and time.monotonic() < deadline:
        for message in consumer.poll(0.3, count - len(found)):
            if message.error() is None:
                found.append(message.value() or b"")
            else:
                consumer.check(message.error())  # type: ignore[arg-type]  # looked at the line before
    return found


def test_a_member_seeks_during_its_assignment(cluster: Cluster) -> None:
    topic = cluster.topic([b"a", b"b", b"c"])
    place = api.TopicPartition(topic, 0)
    consumer, told = member(cluster)
    told.on_assigned = lambda: consumer.seek(place, 2)
    consumer.subscribe([topic])
    assert values(consumer, 1) == [b"c"]
    assert values(consumer, 1, timeout=1) == []
    consumer.seek(place, 1)
    assert values(consumer, 2) == [b"b", b"c"]


def test_a_member_begins_where_its_listener_says(cluster: Cluster) -> None:
    topic = cluster.topic([b"a", b"b"])
    consumer, told = member(cluster)
    told.begin[api.TopicPartition(topic, 0)] = 1
    consumer.subscribe([topic])
    assert values(consumer, 1) == [b"b"]


def test_a_partition_paused_during_its_assignment_waits_and_one_that_was_resumed_while_it_was_away_goes_on(
    cluster: Cluster,
) -> None:
    topic = cluster.topic([b"a"])
    place = api.TopicPartition(topic, 0)
    consumer, told = member(cluster)
    told.on_assigned = lambda: consumer.pause([place])
    consumer.subscribe([topic])
    assert values(consumer, 1, timeout=2) == []
    assert [what for what, _ in told.told] == ["assigned"]
    consumer.subscribe([])
    assert values(consumer, 1, timeout=1) == []
    told.on_assigned = lambda: None
    consumer.resume([place])
    consumer.subscribe([topic])
    assert values(consumer, 1) == [b"a"]


def test_pausing_everything_holds_for_partitions_that_come_later_and_leaves_single_pauses_when_it_ends(
    cluster: Cluster,
) -> None:
    topic = cluster.topic([b"a"], [b"x"])
    consumer, told = member(cluster)
    consumer.pause_all()
    consumer.subscribe([topic])
    assert values(consumer, 1, timeout=2) == []
    assert told.told
    consumer.pause([api.TopicPartition(topic, 1)])
    consumer.resume_all()
    assert values(consumer, 2, timeout=2) == [b"a"]
    consumer.resume([api.TopicPartition(topic, 1)])
    assert values(consumer, 1) == [b"x"]


def test_a_poll_takes_no_more_than_it_is_asked_for(cluster: Cluster) -> None:
    topic = cluster.topic([b"%d" % n for n in range(20)])
    consumer, _ = member(cluster)
    consumer.subscribe([topic])
    until(lambda: len(consumer.poll(1, 1)) == 1)
    assert 0 < len(consumer.poll(1, 7)) <= 7


def test_commits_are_told_of_and_a_refused_one_is_logged_and_tells_of_what_was_taken(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    topic = cluster.topic([b"a"])
    place, unknown = api.TopicPartition(topic, 0), api.TopicPartition(f"no-{topic}", 0)
    consumer, told = member(cluster)
    consumer.subscribe([topic])
    assert values(consumer, 1) == [b"a"]
    assert consumer.commit_now({place: 1}, 5)
    consumer.commit_later({place: 1})
    until(lambda: not consumer.poll(0.2, 1) and told.taken)
    assert told.taken == {place: 1}
    consumer.commit_later({unknown: 1})
    until(lambda: not consumer.poll(0.2, 1) and "[c|task-0] commit of offsets failed" in caplog.text)
    assert told.taken == {place: 1}
    assert told.refused == 1
    assert not consumer.commit_now({unknown: 1}, 5)


def test_topics_are_listed_and_a_listing_without_a_broker_is_retriable(cluster: Cluster) -> None:
    topic = cluster.topic([])
    consumer, told = member(cluster)
    assert topic in consumer.cluster_topics(10)
    lost = GroupConsumer(lambda extra, **callbacks: cluster.away(), "[c|task-0]", told, cooperative=False)
    lost.open()
    with pytest.raises(RetriableError, match=r"^\[c\|task-0\] cannot list the cluster's topics: "):
        lost.cluster_topics(0.3)


def test_a_pattern_that_the_client_refuses_is_a_named_error(cluster: Cluster) -> None:
    consumer, _ = member(cluster)
    with pytest.raises(ConnectError, match=r"cannot subscribe to \^\(\?i\)a"):
        consumer.subscribe(["^(?i)a"])


@pytest.mark.parametrize("polls", [1, 500])
def test_what_the_listener_raises_comes_out_of_the_poll_and_the_member_can_still_be_closed(
    cluster: Cluster, polls: int
) -> None:
    topic = cluster.topic([b"a"])
    consumer, told = member(cluster)

    def fail() -> None:
        raise LookupError("the plugin's open")

    told.on_assigned = fail
    consumer.subscribe([topic])
    with pytest.raises(LookupError, match="the plugin's open"):
        until(lambda: consumer.poll(0.3, polls) and False)
    consumer.close()
    assert [what for what, _ in told.told] == ["assigned", "revoked"]


def test_a_member_that_was_cut_off_says_nothing_more_and_its_listener_hears_nothing(cluster: Cluster) -> None:
    topic = cluster.topic([b"a"])
    consumer, told = member(cluster)
    consumer.subscribe([topic])
    assert values(consumer, 1) == [b"a"]
    consumer.cut_off()
    with pytest.raises(TaskStopped):
        consumer.commit_now({api.TopicPartition(topic, 0): 1}, 5)
    with pytest.raises(TaskStopped):
        consumer.poll(0, 1)
    consumer.close()
    assert [what for what, _ in told.told] == ["assigned"]
