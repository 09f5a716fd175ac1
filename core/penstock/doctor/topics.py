"""The three topics that a group of workers keeps its state in: there, and fit for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from penstock.config.worker import WorkerConfig
from penstock.doctor.cluster import Cluster
from penstock.doctor.finding import Finding, broken, ok, warning
from penstock.doctor.situation import WORKER, Situation
from penstock.errors import ConnectError
from penstock.kafka.examining import TopicFacts

__all__ = ["InternalTopic", "TopicsCheck", "internal_topics"]

_HOLDS: Final = {"config": "configurations", "offset": "source offsets", "status": "states"}


class InternalTopic(NamedTuple):
    """A topic as the worker's settings have it. `prefix` is ``config.storage.`` and the like."""

    prefix: str
    name: str
    holds: str
    partitions: int
    replication: int
    configs: Mapping[str, str]

    @property
    def setting(self) -> str:
        return f"{self.prefix}topic"


def internal_topics(config: WorkerConfig) -> list[InternalTopic]:
    """Return the topics of a worker's group."""
    found = []
    for which, holds in _HOLDS.items():
        prefix = f"{which}.storage."
        partitions = 1 if which == "config" else config[f"{prefix}partitions"]
        replication = config[f"{prefix}replication.factor"]
        configs = {**config.topic_settings(prefix), "cleanup.policy": "compact"}
        found.append(InternalTopic(prefix, config[f"{prefix}topic"], holds, partitions, replication, configs))
    return found


class TopicsCheck:
    """Describes the topics, and has the broker check a request for those that are missing."""

    name = "topics"
    needs = ("kafka",)

    def __init__(self, situation: Situation, cluster: Cluster) -> None:
        self._situation, self._config, self._cluster = situation, situation.worker, cluster

    def findings(self) -> Iterator[Finding]:
        wanted = internal_topics(self._config)
        there = self._cluster.topics([topic.name for topic in wanted])
        brokers = len(self._cluster.facts().brokers)
        for topic in wanted:
            facts = there[topic.name]
            if isinstance(facts, ConnectError):
                yield broken(topic.name, f"{topic.setting}: {facts.message}")
            elif facts is None:
                yield self._missing(topic)
            else:
                problems = [*self._readable(topic, facts), *_form(topic, facts), *_safety(topic, facts, brokers)]
                yield from problems or [ok(topic.name, _described(topic, facts))]

    def _readable(self, topic: InternalTopic, facts: TopicFacts) -> Iterator[Finding]:
        if facts.settings is None:
            yield warning(
                topic.name,
                "its settings may not be read, so that a wrong cleanup.policy would not be noticed",
                self._situation.grant(WORKER, ["DescribeConfigs"], "topic", topic.name),
            )

    def _missing(self, topic: InternalTopic) -> Finding:
        if not self._config["internal.topics.automatic.creation.enable"]:
            return broken(
                topic.name,
                f"the topic of {topic.setting} does not exist, and workers may not make it "
                "(internal.topics.automatic.creation.enable=false)",
                "penstock internal-topics create --worker-config FILE makes it",
            )
        refused = self._cluster.creation_refused(topic.name, topic.partitions, topic.replication, topic.configs)
        if refused is not None:
            return broken(
                topic.name,
                f"the topic of {topic.setting} does not exist, and the broker would not make it: {refused.message}",
                f"Correct {topic.prefix}replication.factor and {topic.prefix}*, or have the topic made for you",
            )
        return ok(topic.name, f"does not exist; the first worker makes it ({topic.setting})")


def _described(topic: InternalTopic, facts: TopicFacts) -> str:
    return f"keeps {topic.holds}: {len(facts.partitions)} partitions, replication {facts.replication}, compacted"


def _alter(topic: str, change: str) -> str:
    return f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {change}"


def _form(topic: InternalTopic, facts: TopicFacts) -> Iterator[Finding]:
    """Yield what the worker refuses at its start."""
    count = len(facts.partitions)
    if topic.prefix == "config.storage." and count != 1:
        yield broken(
            topic.name,
            f"it has {count} partitions, but configurations need the order that a single one gives",
            f"Name another topic in {topic.setting}: a topic's partitions cannot be taken away",
        )
    policy = (facts.settings or {}).get("cleanup.policy")
    if policy not in (None, "compact"):
        yield broken(
            topic.name,
            f"cleanup.policy is {policy}: Kafka would delete {topic.holds} by age or size",
            _alter(topic.name, "cleanup.policy=compact"),
        )


def _safety(topic: InternalTopic, facts: TopicFacts, brokers: int) -> Iterator[Finding]:
    """Yield what makes the topic stand still or forget when brokers fail."""
    leaderless = [str(p.number) for p in facts.partitions if not p.led]
    if leaderless:
        yield broken(topic.name, f"partition {', '.join(leaderless)} has no leader", "Start the brokers that hold it")
    behind = [str(p.number) for p in facts.partitions if p.led and p.in_sync < p.replicas]
    if behind:
        yield warning(topic.name, f"partition {', '.join(behind)} has replicas that are not in sync")
    settings, replicas = facts.settings or {}, facts.replication
    in_sync = int(settings.get("min.insync.replicas", "1"))
    if replicas < min(brokers, 3):
        yield warning(
            topic.name,
            f"it has {replicas} of {min(brokers, 3)} possible replicas: {topic.holds} are lost with the broker that holds them",
            "kafka-reassign-partitions.sh gives it three replicas",
        )
    if in_sync > replicas:
        yield broken(
            topic.name,
            f"min.insync.replicas is {in_sync}, but there are {replicas} replicas: no write is taken",
            _alter(topic.name, f"min.insync.replicas={max(1, replicas - 1)}"),
        )
    elif in_sync == replicas > 1:
        yield warning(
            topic.name,
            f"min.insync.replicas is {in_sync} of {replicas} replicas: workers stand still while one broker is away",
            _alter(topic.name, f"min.insync.replicas={replicas - 1}"),
        )
    elif in_sync == 1 and replicas > 2:
        yield warning(
            topic.name,
            f"min.insync.replicas is 1 of {replicas} replicas: what a single broker has taken may be lost with it",
            _alter(topic.name, "min.insync.replicas=2"),
        )
    if settings.get("unclean.leader.election.enable") == "true":
        yield warning(
            topic.name,
            "unclean.leader.election.enable is true: after a failure Kafka may go on with an old state",
            _alter(topic.name, "unclean.leader.election.enable=false"),
        )
