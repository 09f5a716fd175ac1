"""Every error of the Kafka client becomes one of penstock's, with the reason and what to change."""

import concurrent.futures

import pytest
from confluent_kafka import KafkaError, KafkaException

from penstock.errors import ConnectError, RetriableError, java_class_of
from penstock.kafka.errors import (
    CLIENT_ERRORS,
    MEANINGS,
    AccessError,
    Fault,
    FencedError,
    RecordRefusedError,
    client_errors,
    connect_error,
    error_code,
    meaning_of,
)

CODES = {
    name: getattr(KafkaError, name)
    for name in dir(KafkaError)
    if isinstance(getattr(KafkaError, name), int) and name.strip("_").isupper() and name != "NO_ERROR"
}
_APACHE = "org.apache.kafka.common.errors."


def _exception(code: int, reason: str | None = None, **flags: bool) -> KafkaException:
    return KafkaException(KafkaError(code, reason, **flags) if reason or flags else KafkaError(code))


@pytest.mark.parametrize("name", sorted(CODES))
def test_every_code_becomes_an_error_with_the_attempt_and_the_reason(name: str) -> None:
    error = connect_error(_exception(CODES[name]), "Cannot do it")
    assert isinstance(error, ConnectError)
    assert error.message.startswith(f"Cannot do it: {KafkaError(CODES[name]).str()}")
    assert isinstance(error, RetriableError) == meaning_of(KafkaError(CODES[name])).retriable


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_no_advice_is_left_with_a_place_for_a_settings_name(code: int) -> None:
    text = connect_error(KafkaError(code), "x", "producer.override.").message
    assert "{" not in text
    assert ".." not in text


@pytest.mark.parametrize(
    ("name", "kind", "setting", "java_class"),
    [
        ("MSG_SIZE_TOO_LARGE", RecordRefusedError, "producer.override.max.request.size", "RecordTooLargeException"),
        ("TOPIC_EXCEPTION", RecordRefusedError, "249", "InvalidTopicException"),
        ("INVALID_RECORD", RecordRefusedError, "key", "InvalidRecordException"),
        ("TOPIC_AUTHORIZATION_FAILED", AccessError, "Write", "TopicAuthorizationException"),
        ("_AUTHENTICATION", AccessError, "producer.override.sasl.jaas.config", "SaslAuthenticationException"),
        ("PRODUCER_FENCED", FencedError, "", "ProducerFencedException"),
        ("_UNKNOWN_TOPIC", ConnectError, "topic.creation.default.partitions", "UnknownTopicOrPartitionException"),
        ("INVALID_REPLICATION_FACTOR", ConnectError, "replication factor", "InvalidReplicationFactorException"),
        ("_MAX_POLL_EXCEEDED", ConnectError, "producer.override.max.poll.records", ""),
    ],
)
def test_an_error_names_what_to_change_and_its_java_class(
    name: str, kind: type[ConnectError], setting: str, java_class: str
) -> None:
    error = connect_error(_exception(CODES[name]), "Cannot write", "producer.override.")
    assert type(error) is kind
    assert setting in error.message
    if java_class:
        assert java_class_of(error) == _APACHE + java_class


def test_the_brokers_own_reason_is_told() -> None:
    reason = "Unable to replicate the partition 3 time(s): only 1 broker(s) are registered."
    error = connect_error(_exception(KafkaError.INVALID_REPLICATION_FACTOR, reason), "Cannot create topic t")
    assert error.message == f"Cannot create topic t: {reason} Lower the replication factor, or add brokers."


def test_a_fatal_error_is_never_a_records_fault_nor_retriable() -> None:
    for code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._TRANSPORT, KafkaError.UNKNOWN):
        meaning = meaning_of(KafkaError(code, "broken", fatal=True))
        assert meaning.fault is Fault.FATAL
    assert meaning_of(KafkaError(KafkaError._FENCED, "x", fatal=True)).fault is Fault.FENCED


def test_a_code_that_the_table_does_not_know_is_retriable_if_the_client_says_so() -> None:
    assert isinstance(connect_error(_exception(KafkaError.UNKNOWN, "x", retriable=True), "y"), RetriableError)
    assert not isinstance(connect_error(_exception(KafkaError.UNKNOWN, "x"), "y"), RetriableError)


@pytest.mark.parametrize(
    ("raised", "kind", "says"),
    [
        (concurrent.futures.TimeoutError(), RetriableError, "no broker answered in time"),
        (BufferError("Local: Queue full"), RetriableError, "buffer.memory"),
        (ValueError("bad number"), ConnectError, "bad number"),
        (TypeError("must be str"), ConnectError, "must be str"),
        (KafkaException("no error object"), ConnectError, "no error object"),
    ],
)
def test_whatever_else_a_call_raises_is_told_the_same_way(raised: Exception, kind: type, says: str) -> None:
    assert isinstance(raised, CLIENT_ERRORS)
    with pytest.raises(ConnectError, match="Cannot list topics") as caught, client_errors("Cannot list topics"):
        raise raised
    assert type(caught.value) is kind
    assert says in caught.value.message
    assert error_code(raised) is None


def test_an_error_of_penstocks_own_stays_as_it_is() -> None:
    known = FencedError("taken over")
    assert connect_error(known, "again") is known
