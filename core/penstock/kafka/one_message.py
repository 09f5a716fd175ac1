"""Reads one message of a topic, by its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, Message, TopicPartition

from penstock.errors import ConnectError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.errors import client_errors, connect_error, is_about_group
from penstock.kafka.headers import with_safe_headers

__all__ = ["read_message"]

_POLL_S: Final = 0.5


def read_message(
    clients: KafkaClients,
    overrides: Mapping[str, Any],
    owner: str,
    place: tuple[str, int, int],
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> Message:
    """Return the message at topic, partition and offset. Raises `ConnectError` that says why there is none."""
    topic, partition, offset = place
    where = f"topic {topic}, partition {partition}, offset {offset}"
    settings = {**overrides, "auto.offset.reset": "error", "enable.partition.eof": True}
    consumer = clients.consumer(settings, owner)
    try:
        with client_errors(f"cannot read {where}", "consumer.override."):
            consumer.assign([TopicPartition(topic, partition, offset)])
            deadline = clock() + timeout
            while clock() < deadline:
                message = consumer.poll(_POLL_S)
                if message is not None and not _passes(message):
                    return _checked(with_safe_headers([message])[0], offset, where)
        raise ConnectError(f"no answer about {where} within {timeout:.0f} s from {clients.bootstrap_servers}")
    finally:
        consumer.close()


def _passes(message: Message) -> bool:
    error = message.error()
    return error is not None and is_about_group(error)


def _checked(message: Message, offset: int, where: str) -> Message:
    error = message.error()
    if error is not None and error.code() == KafkaError._PARTITION_EOF:
        raise ConnectError(f"there is no record at {where}: the partition ends before it")
    if error is not None:
        raise connect_error(error, f"cannot read {where}", "consumer.override.")
    if message.offset() != offset:
        raise ConnectError(f"there is no record at {where}; the next one has the offset {message.offset()}")
    return message
