"""Internal topics: made if missing, checked if there, and where they end."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import IsolationLevel, KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, though not in __all__
    AdminClient,
    ConfigResource,
    OffsetSpec,
)

from penstock.errors import ConfigError, ConnectError, RetriableError, WorkerError
from penstock.kafka.admin import create_topic
from penstock.kafka.errors import CLIENT_ERRORS, connect_error, error_code, reason_of

__all__ = ["TopicSpec", "end_offsets", "ensure_topic"]

_log: Final = logging.getLogger(__name__)
_CALL_S: Final = 30.0
_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """The wanted form of an internal topic. `partitions` and `replication` may be -1: the broker's own default.

    `setting` is the worker's setting that names the topic, `holds` what is in it: both for messages. With
    `exact_partitions` a topic of another number is refused (the topic of configurations has one, for its order).
    Without `create` a missing topic is refused as well (KIP-1209).
    """

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str] = field(default_factory=dict)
    exact_partitions: bool = False
    setting: str = "topic"
    holds: str = "the worker's state"
    create: bool = True


def ensure_topic(admin: AdminClient, spec: TopicSpec, owner: str, deadline: float) -> list[int]:
    """The topic's partitions; it is made if it is missing. `deadline` is of `time.monotonic`.

    Raises `ConfigError` for a topic that cannot serve, `WorkerError` if it is not there by then.
    """
    what = f"Cannot prepare {owner}'s topic {spec.name}"
    refused: ConnectError | None = None
    while True:
        try:
            found = _partitions(admin, spec.name, max(0.5, min(_CALL_S, deadline - time.monotonic())))
            if found is None and not spec.create:
                raise _missing(spec)
            if found is None and refused is None:
                refused = _create(admin, spec, owner)
            if found:
                break
            problem: ConnectError = refused or RetriableError("the topic is not there yet")
        except RetriableError as error:
            problem = error
        if time.monotonic() >= deadline or refused is not None:
            raise WorkerError(f"{what}: {problem.message}") from problem
        time.sleep(_PAUSE_S)
    _check(admin, spec, found)
    return found


def _partitions(admin: AdminClient, name: str, timeout: float) -> list[int] | None:
    """Return the partitions of a topic; None if there is no such topic, empty while its leaders are not known."""
    try:
        described: Any = admin.describe_topics(TopicCollection([name]), request_timeout=timeout)[name].result(timeout)
    except CLIENT_ERRORS as error:
        if error_code(error) in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            return None
        raise connect_error(error, f"Cannot describe topic {name}") from error
    if any(partition.leader is None for partition in described.partitions):
        return []
    return sorted(partition.id for partition in described.partitions)


def _create(admin: AdminClient, spec: TopicSpec, owner: str) -> ConnectError | None:
    """Return None if the topic was made, by us or by somebody else; otherwise the reason why not."""
    try:
        if create_topic(
            admin, spec.name, spec.partitions, spec.replication, {**spec.configs, "cleanup.policy": "compact"}
        ):
            _log.info("%s made topic %s", owner, spec.name)
        return None
    except RetriableError:
        raise
    except ConnectError as error:
        return error


def _missing(spec: TopicSpec) -> ConfigError:
    """The error about a topic that must be there (``TopicAdmin``, KIP-1209)."""
    return ConfigError(
        f"Topic '{spec.name}' specified via the '{spec.setting}' property is missing. The config "
        "'internal.topics.automatic.creation.enable' is set to 'false', so automatic creation of internal topics is "
        "disabled. Either enable automatic creation or create the topics manually."
    )


def _check(admin: AdminClient, spec: TopicSpec, partitions: Sequence[int]) -> None:
    if spec.exact_partitions and len(partitions) != spec.partitions:
        raise ConfigError(
            f"Topic '{spec.name}' supplied via the '{spec.setting}' property is required to have "
            f"{'a single partition' if spec.partitions == 1 else f'{spec.partitions} partitions'} in order to guarantee "
            f"consistency of {spec.holds}, but found {len(partitions)} partitions."
        )
    policy = _topic_setting(admin, spec.name, "cleanup.policy")
    if policy is not None and policy != "compact":
        raise ConfigError(
            f"Topic '{spec.name}' supplied via the '{spec.setting}' property is required to have 'cleanup.policy=compact' "
            f"to guarantee consistency and durability of {spec.holds}, but found the topic currently has "
            f"'cleanup.policy={policy}'. Records would be deleted by age or size; change the topic's policy, or name another "
            f"topic in '{spec.setting}'."
        )


def max_message_bytes(admin: AdminClient, topic: str) -> int | None:
    """Return how large a batch the topic takes (``max.message.bytes``); None if the broker does not tell."""
    told = _topic_setting(admin, topic, "max.message.bytes")
    return int(told) if told is not None and told.isdecimal() else None


def _topic_setting(admin: AdminClient, name: str, setting: str) -> str | None:
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    try:
        configs: Any = admin.describe_configs([resource], request_timeout=_CALL_S)[resource].result(_CALL_S)
    except CLIENT_ERRORS as error:
        _log.info("Cannot read %s of topic %s: %s", setting, name, reason_of(error))
        return None
    entry = configs.get(setting)
    return None if entry is None else str(entry.value)


def end_offsets(admin: AdminClient, topic: str, partitions: Sequence[int], deadline: float) -> dict[int, int]:
    """Return the end of each partition for a reader of uncommitted records: open transactions lie before it.

    Tried again while the error is one that passes; then raised, at `deadline` (of `time.monotonic`) at the latest.
    """
    request = {TopicPartition(topic, p): OffsetSpec.latest() for p in partitions}  # type: ignore[no-untyped-call]  # no annotations there
    while True:
        left = max(0.5, min(_CALL_S, deadline - time.monotonic()))
        try:
            answers = admin.list_offsets(request, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=left)
            return {asked.partition: answer.result(left + 1).offset for asked, answer in answers.items()}
        except CLIENT_ERRORS as error:
            failure = connect_error(error, f"Cannot find the end of topic {topic}")
            if error_code(error) == KafkaError._NOENT:  # "No leaders found": the broker has just come back
                failure = RetriableError(failure.message)
            cause: BaseException = error
        if not isinstance(failure, RetriableError) or time.monotonic() + _PAUSE_S >= deadline:
            raise failure from cause
        _refresh(admin, left)
        time.sleep(_PAUSE_S)


def _refresh(admin: AdminClient, timeout: float) -> None:
    # librdkafka asks again with the leader epoch it knows, for ever, unless the metadata is read anew.
    try:
        admin.list_topics(timeout=min(timeout, 5.0))
    except CLIENT_ERRORS as error:
        _log.debug("Cannot read metadata: %s", reason_of(error))
