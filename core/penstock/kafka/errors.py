"""The Kafka client's errors as penstock's: one table says what each code means and what to change.

::

    try:
        client.list_topics(timeout=4)
    except CLIENT_ERRORS as error:
        raise connect_error(error, "Cannot list topics") from error

The text of an error has three parts: what was attempted (the caller says it, with topic, record and owner), the reason
in the broker's or the client's own words, and what to do, with the settings to change in Kafka's names. `prefix` is what
a user writes before those names where the error is met: ``producer.override.`` for the producer of a connector's task,
nothing for a worker's own clients.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from penstock.errors import ConnectError, RetriableError

__all__ = [
    "CLIENT_ERRORS",
    "AccessError",
    "Fault",
    "FencedError",
    "KafkaError",
    "Meaning",
    "RecordRefusedError",
    "TransactionLostError",
    "client_errors",
    "connect_error",
    "error_code",
    "is_about_group",
    "meaning_of",
    "reason_of",
    "renamed",
]

#: All errors that a call into the client raises about Kafka. ValueError and TypeError come from arguments that it refuses.
CLIENT_ERRORS: Final = (KafkaException, TimeoutError, BufferError, ValueError, TypeError)

_JAVA: Final = "org.apache.kafka.common.errors."
_SETTING: Final = re.compile(r"\{([a-z.]+)\}")


class Fault(enum.Enum):
    """The party at fault for an error. It decides what happens next."""

    #: No party is at fault for good: the same call may succeed later.
    PASSING = "passing"
    #: One record's. Only this may be tolerated with ``errors.tolerance=all``.
    RECORD = "record"
    #: The client is not who it says it is, or is not allowed to do this.
    ACCESS = "access"
    #: Another client has taken over its identity.
    FENCED = "fenced"
    #: The request or a setting is wrong, or the cluster cannot do it.
    REQUEST = "request"
    #: The client is of no further use.
    FATAL = "fatal"


class Meaning(NamedTuple):
    """A row of the table. `advice` is a sentence; a setting of the client in it stands in braces."""

    fault: Fault
    advice: str = ""
    #: Java's exception for the same failure.
    java_class: str = ""

    @property
    def retriable(self) -> bool:
        return self.fault is Fault.PASSING


class RecordRefusedError(ConnectError):
    """Kafka does not take this record; others may be taken."""

    java_class = _JAVA + "InvalidRecordException"


class AccessError(ConnectError):
    """The broker does not let the client do this: credentials or rights are missing."""

    java_class = _JAVA + "AuthorizationException"


class FencedError(ConnectError):
    """Another client took over this client's identity (a transactional id, say); this one may not write any more."""

    java_class = _JAVA + "ProducerFencedException"


class TransactionLostError(ConnectError):
    """A transaction cannot be committed, and no record is to blame: the same records may be sent again in another, by
    another client."""


def _rows(fault: Fault, advice: str, **java_class_by_name: str) -> dict[int, Meaning]:
    return {
        getattr(KafkaError, name): Meaning(fault, advice, _JAVA + java if java else "")
        for name, java in java_class_by_name.items()
        if hasattr(KafkaError, name)  # an older client does not know the newest codes
    }


_UNREACHABLE: Final = (
    "Check that the brokers of {bootstrap.servers} run and can be reached from here, by the listener they advertise"
)
_UNKNOWN_TOPIC: Final = (
    "Create the topic, let the connector create it (topic.creation.default.partitions and "
    "topic.creation.default.replication.factor), or set auto.create.topics.enable=true on the brokers"
)

MEANINGS: Final[dict[int, Meaning]] = {
    # ---- what passes
    **_rows(
        Fault.PASSING,
        _UNREACHABLE,
        _TRANSPORT="NetworkException",
        _ALL_BROKERS_DOWN="NetworkException",
        _RESOLVE="NetworkException",
        NETWORK_EXCEPTION="NetworkException",
        _TIMED_OUT="TimeoutException",
        _TIMED_OUT_QUEUE="TimeoutException",
        REQUEST_TIMED_OUT="TimeoutException",
    ),
    **_rows(
        Fault.PASSING,
        "The broker did not take the record within {delivery.timeout.ms}; raise it to wait longer for a broker that is away",
        _MSG_TIMED_OUT="TimeoutException",
    ),
    **_rows(
        Fault.PASSING,
        "The client's queue is full; the broker is slow or away. {buffer.memory} bounds the queue",
        _QUEUE_FULL="TimeoutException",
    ),
    **_rows(
        Fault.PASSING,
        "",
        FENCED_LEADER_EPOCH="FencedLeaderEpochException",
        UNKNOWN_LEADER_EPOCH="UnknownLeaderEpochException",
        LEADER_NOT_AVAILABLE="LeaderNotAvailableException",
        NOT_LEADER_FOR_PARTITION="NotLeaderOrFollowerException",
        BROKER_NOT_AVAILABLE="BrokerNotAvailableException",
        REPLICA_NOT_AVAILABLE="ReplicaNotAvailableException",
        COORDINATOR_LOAD_IN_PROGRESS="CoordinatorLoadInProgressException",
        COORDINATOR_NOT_AVAILABLE="CoordinatorNotAvailableException",
        NOT_COORDINATOR="NotCoordinatorException",
        NOT_CONTROLLER="NotControllerException",
        CONCURRENT_TRANSACTIONS="ConcurrentTransactionsException",
        KAFKA_STORAGE_ERROR="KafkaStorageException",
        OFFSET_NOT_AVAILABLE="OffsetNotAvailableException",
        UNSTABLE_OFFSET_COMMIT="UnstableOffsetCommitException",
        REBALANCE_IN_PROGRESS="RebalanceInProgressException",
        INVALID_MSG="CorruptRecordException",  # damaged on the way: the checksum differs
        _WAIT_COORD="",
        _WAIT_CACHE="",
        _RETRY="",
        _IN_PROGRESS="",
        _PREV_IN_PROGRESS="",
        _INTR="",
        REBOOTSTRAP_REQUIRED="",
    ),
    **_rows(
        Fault.PASSING,
        "Too few replicas of the partition are in sync; check the brokers, and min.insync.replicas of the topic",
        NOT_ENOUGH_REPLICAS="NotEnoughReplicasException",
        NOT_ENOUGH_REPLICAS_AFTER_APPEND="NotEnoughReplicasAfterAppendException",
        _ISR_INSUFF="NotEnoughReplicasException",
    ),
    **_rows(
        Fault.PASSING,
        "The cluster's quota for such requests is used up",
        THROTTLING_QUOTA_EXCEEDED="ThrottlingQuotaExceededException",
    ),
    # ---- one record's fault
    **_rows(
        Fault.RECORD,
        "Raise {max.request.size}, and max.message.bytes of the topic if the broker refuses it, too",
        MSG_SIZE_TOO_LARGE="RecordTooLargeException",
        INVALID_MSG_SIZE="RecordTooLargeException",
    ),
    **_rows(
        Fault.RECORD,
        "The broker refuses a batch beyond the topic's segment.bytes; lower {batch.size}",
        RECORD_LIST_TOO_LARGE="RecordBatchTooLargeException",
    ),
    **_rows(
        Fault.RECORD,
        "A topic's name has at most 249 letters, digits, '.', '_' and '-'",
        TOPIC_EXCEPTION="InvalidTopicException",
    ),
    **_rows(
        Fault.RECORD,
        "A compacted topic takes only records that have a key",
        INVALID_RECORD="InvalidRecordException",
    ),
    **_rows(
        Fault.RECORD,
        "The topic takes only timestamps near the broker's time: message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic",
        INVALID_TIMESTAMP="InvalidTimestampException",
    ),
    **_rows(
        Fault.RECORD,
        "The record names a partition that the topic does not have",
        _UNKNOWN_PARTITION="InvalidRecordException",
    ),
    **_rows(Fault.RECORD, "", _BAD_MSG="CorruptRecordException", _INVALID_DIFFERENT_RECORD="InvalidRecordException"),
    # ---- rights and credentials
    **_rows(
        Fault.ACCESS,
        "Check the credentials: {security.protocol}, {sasl.mechanism} and {sasl.jaas.config}, or the client's certificate",
        _AUTHENTICATION="SaslAuthenticationException",
        SASL_AUTHENTICATION_FAILED="SaslAuthenticationException",
        UNSUPPORTED_SASL_MECHANISM="UnsupportedSaslMechanismException",
        ILLEGAL_SASL_STATE="IllegalSaslStateException",
    ),
    **_rows(
        Fault.ACCESS,
        "Check {security.protocol}, and the certificates of {ssl.truststore.location} and {ssl.keystore.location}",
        _SSL="SslAuthenticationException",
    ),
    **_rows(
        Fault.ACCESS,
        "Allow the client's principal this on the topic (Describe, and Write, Read or Create)",
        TOPIC_AUTHORIZATION_FAILED="TopicAuthorizationException",
    ),
    **_rows(
        Fault.ACCESS,
        "Allow the client's principal Read on the group",
        GROUP_AUTHORIZATION_FAILED="GroupAuthorizationException",
    ),
    **_rows(
        Fault.ACCESS,
        "Allow the client's principal this on the cluster (Create for topics, IdempotentWrite for {enable.idempotence})",
        CLUSTER_AUTHORIZATION_FAILED="ClusterAuthorizationException",
    ),
    **_rows(
        Fault.ACCESS,
        "Allow the client's principal Write and Describe on the transactional id",
        TRANSACTIONAL_ID_AUTHORIZATION_FAILED="TransactionalIdAuthorizationException",
    ),
    # ---- somebody else has taken over
    **_rows(
        Fault.FENCED,
        "Another client has the same identity and is newer",
        _FENCED="ProducerFencedException",
        PRODUCER_FENCED="ProducerFencedException",
        INVALID_PRODUCER_EPOCH="InvalidProducerEpochException",
        FENCED_INSTANCE_ID="FencedInstanceIdException",
        TRANSACTION_COORDINATOR_FENCED="TransactionCoordinatorFencedException",
    ),
    # ---- a request that cannot be met as it stands
    **_rows(
        Fault.REQUEST,
        _UNKNOWN_TOPIC,
        UNKNOWN_TOPIC_OR_PART="UnknownTopicOrPartitionException",
        _UNKNOWN_TOPIC="UnknownTopicOrPartitionException",
    ),
    **_rows(
        Fault.REQUEST,
        "Lower the replication factor, or add brokers",
        INVALID_REPLICATION_FACTOR="InvalidReplicationFactorException",
    ),
    **_rows(
        Fault.REQUEST,
        "Give a positive number of partitions",
        INVALID_PARTITIONS="InvalidPartitionsException",
    ),
    **_rows(
        Fault.REQUEST,
        "Correct the setting of the topic that the broker names",
        INVALID_CONFIG="InvalidConfigurationException",
    ),
    **_rows(
        Fault.REQUEST,
        "A policy of the cluster forbids it; ask its operators, or create the topic yourself",
        POLICY_VIOLATION="PolicyViolationException",
    ),
    **_rows(
        Fault.REQUEST,
        "The brokers are too old for this",
        UNSUPPORTED_VERSION="UnsupportedVersionException",
        _UNSUPPORTED_FEATURE="UnsupportedVersionException",
        UNSUPPORTED_FOR_MESSAGE_FORMAT="UnsupportedForMessageFormatException",
    ),
    **_rows(
        Fault.REQUEST,
        "Use another {compression.type}",
        UNSUPPORTED_COMPRESSION_TYPE="UnsupportedCompressionTypeException",
        _BAD_COMPRESSION="",
    ),
    **_rows(
        Fault.REQUEST,
        "Lower {transaction.timeout.ms}, or raise transaction.max.timeout.ms of the brokers",
        INVALID_TRANSACTION_TIMEOUT="InvalidTxnTimeoutException",
    ),
    **_rows(
        Fault.REQUEST,
        "The partition has no record at the offset to begin with; {auto.offset.reset} says where to begin instead",
        _AUTO_OFFSET_RESET="NoOffsetForPartitionException",
        OFFSET_OUT_OF_RANGE="OffsetOutOfRangeException",
    ),
    **_rows(
        Fault.REQUEST,
        "The group still has members; stop the connector, and wait for {session.timeout.ms} if a worker died",
        NON_EMPTY_GROUP="GroupNotEmptyException",
        UNKNOWN_MEMBER_ID="UnknownMemberIdException",
        GROUP_SUBSCRIBED_TO_TOPIC="GroupSubscribedToTopicException",
    ),
    **_rows(
        Fault.REQUEST,
        "The members of the group use different {partition.assignment.strategy}, or the group belongs to other software",
        INCONSISTENT_GROUP_PROTOCOL="InconsistentGroupProtocolException",
    ),
    **_rows(
        Fault.REQUEST,
        "The task worked on one batch for too long; raise {max.poll.interval.ms} or lower {max.poll.records}",
        _MAX_POLL_EXCEEDED="",
    ),
    # ---- the client is finished
    **_rows(
        Fault.FATAL,
        "",
        _FATAL="KafkaException",
        OUT_OF_ORDER_SEQUENCE_NUMBER="OutOfOrderSequenceException",
        INVALID_PRODUCER_ID_MAPPING="InvalidPidMappingException",
        UNKNOWN_PRODUCER_ID="UnknownProducerIdException",
        _GAPLESS_GUARANTEE="KafkaException",
        _CRIT_SYS_RESOURCE="KafkaException",
        _DESTROY="KafkaException",
    ),
}  # fmt: skip

_UNKNOWN: Final = Meaning(Fault.REQUEST)
_TIMEOUT: Final = Meaning(Fault.PASSING, _UNREACHABLE, _JAVA + "TimeoutException")
_FULL: Final = MEANINGS[KafkaError._QUEUE_FULL]
_ARGUMENT: Final = Meaning(Fault.REQUEST)


def _kafka_error(error: BaseException | KafkaError) -> KafkaError | None:
    """Return the client's error object, which an exception carries; None for other exceptions."""
    if isinstance(error, KafkaError):
        return error
    cause: Any = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return cause if isinstance(cause, KafkaError) else None


def error_code(error: BaseException | KafkaError) -> int | None:
    """Return Kafka's code (`KafkaError.code`); None for an exception that carries none."""
    cause = _kafka_error(error)
    return None if cause is None else int(cause.code())


def is_about_group(error: KafkaError) -> bool:
    """Return whether `error` tells that the consumer's group may not be read.

    A reader that was assigned its partitions commits nothing, and needs no such right: the library asks for the
    coordinator of the group all the same, since it wants every consumer to name one. Fetching goes on.
    """
    return bool(error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED)


def meaning_of(error: BaseException | KafkaError) -> Meaning:
    """Return the table's row for `error`, an exception of `CLIENT_ERRORS` or a `KafkaError` out of a callback.

    A fatal error is `Fault.FATAL` or `Fault.FENCED`, whatever its code means elsewhere.
    """
    cause = _kafka_error(error)
    if cause is None:
        if isinstance(error, TimeoutError):
            return _TIMEOUT
        return _FULL if isinstance(error, BufferError) else _ARGUMENT
    known = MEANINGS.get(cause.code())
    if cause.fatal():
        return known if known and known.fault is Fault.FENCED else Meaning(Fault.FATAL, "", known[2] if known else "")
    if known is None:
        return Meaning(Fault.PASSING) if cause.retriable() else _UNKNOWN
    return known


def reason_of(error: BaseException | KafkaError) -> str:
    """Return the reason in the broker's or the client's own words, without advice."""
    cause = _kafka_error(error)
    if cause is not None:
        text: str = cause.str()
        return text
    if isinstance(error, TimeoutError):
        return "no broker answered in time"
    return str(error) or type(error).__name__


def connect_error(error: BaseException | KafkaError, what: str, prefix: str = "") -> ConnectError:
    """Return the error to raise or report: `what`, the reason, and what to do.

    Returns a `RetriableError` if the same call may succeed later, a `RecordRefusedError`, `AccessError` or
    `FencedError` where the table says so, else a `ConnectError`. An error that is penstock's own already is returned
    as it is.
    """
    if isinstance(error, ConnectError):
        return error
    meaning = meaning_of(error)
    advice = _SETTING.sub(lambda found: prefix + found[1], meaning.advice)
    reason = reason_of(error)
    text = f"{what}: {reason.removesuffix('.')}. {advice}." if advice else f"{what}: {reason}"
    made = _CLASSES[meaning.fault](text)
    if meaning.java_class and not meaning.retriable:
        made.java_class = meaning.java_class  # type: ignore[misc]  # the instance's own, finer than its class's
    return made


def renamed(error: ConnectError, text: str) -> ConnectError:
    """Return an error of the same kind, Java's name included, that says `text`."""
    made = type(error)(text)
    made.java_class = error.java_class  # type: ignore[misc]  # the instance's own, finer than its class's
    return made


_CLASSES: Final[dict[Fault, type[ConnectError]]] = {
    Fault.PASSING: RetriableError,
    Fault.RECORD: RecordRefusedError,
    Fault.ACCESS: AccessError,
    Fault.FENCED: FencedError,
    Fault.REQUEST: ConnectError,
    Fault.FATAL: ConnectError,
}


@contextmanager
def client_errors(what: str, prefix: str = "") -> Iterator[None]:
    """Turn what a call into the client raises inside the ``with`` into penstock's errors, by `connect_error`."""
    try:
        yield
    except CLIENT_ERRORS as error:
        raise connect_error(error, what, prefix) from error
