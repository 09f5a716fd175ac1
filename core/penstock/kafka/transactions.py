"""A writer that only one worker holds at a time: its transactional id fences whoever held it before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from penstock.errors import ConnectError, RetriableError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.delivery import Outcomes, report
from penstock.kafka.errors import Fault, FencedError, connect_error, meaning_of

__all__ = ["TransactionalWriter"]


class TransactionalWriter:
    """Writes groups of records to one topic, each group all or nothing (``KafkaConfigBackingStore.fencableProducer``).

    Made by `claim`, which fences whoever held the id before. For one thread at a time.
    """

    def __init__(
        self, clients: KafkaClients, topic: str, transactional_id: str, settings: Mapping[str, Any], owner: str
    ) -> None:
        self._topic = topic
        self._name = f"{owner}'s topic {topic}"
        self._producer: Producer = clients.producer(
            {"enable.idempotence": "true", "linger.ms": "0", **settings, "transactional.id": transactional_id},
            self._name,
        )

    def claim(self, timeout: float) -> None:
        """Fence older writers, whose open transactions are aborted. Raises `RetriableError` after `timeout` seconds."""
        try:
            self._producer.init_transactions(timeout)
        except KafkaException as error:
            raise self._error(error, "Cannot claim the right to write to") from error

    def write(self, records: Sequence[tuple[str | bytes, bytes | None]], timeout: float) -> dict[int, int]:
        """Write `records` in one transaction, committed when this returns. Answers how far they reach: for each
        partition the offset after the last of them (`TopicLog.read_up_to`); the transaction's own mark lies behind it.

        Raises `FencedError` if another writer has claimed the id. After any other error too the outcome may be unknown,
        and this writer is of no further use: close it, claim a new one, read the topic.
        """
        deadline = time.monotonic() + timeout
        outcomes = Outcomes()
        reached: dict[int, int] = {}
        try:
            self._producer.begin_transaction()
            for key, value in records:
                told = report(f"Cannot write to {self._name}", outcomes.expect())
                self._producer.produce(self._topic, value, key, on_delivery=partial(_delivered, told, reached))
            self._commit(deadline)
        except KafkaException as error:
            self._abort()
            raise self._error(error, "Cannot write to") from error
        outcomes.result(f"Cannot write to {self._name}: records are left over after the commit")
        return reached

    def _commit(self, deadline: float) -> None:
        while True:
            try:
                return self._producer.commit_transaction(max(0.1, deadline - time.monotonic()))
            except KafkaException as error:
                # The outcome is unknown until the same call has answered.
                if not error.args[0].retriable() or time.monotonic() >= deadline:
                    raise

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(5.0)
        except KafkaException:
            return  # fenced, or out of reach: the broker aborts it when the id is claimed again or its time is up

    def close(self) -> None:
        """Let go without waiting; an open transaction is aborted by the broker."""
        self._producer.purge()
        self._producer.poll(0)

    def _error(self, error: KafkaException, what: str) -> ConnectError:
        cause = error.args[0]
        if meaning_of(error).fault is Fault.FENCED:
            return FencedError(f"{what} {self._name}: another worker has taken over ({cause.str()})")
        if cause.txn_requires_abort() or not cause.retriable():
            return connect_error(error, f"{what} {self._name}")
        return RetriableError(f"{what} {self._name}: {cause.str()}")


def _delivered(
    told: Callable[[Any, Any], None], reached: dict[int, int], error: KafkaError | None, message: Any
) -> None:
    # Called within the commit, by the thread that waits for it.
    told(error, message)
    if error is None:
        reached[message.partition()] = max(reached.get(message.partition(), 0), message.offset() + 1)
