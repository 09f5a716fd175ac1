"""Producers whose transactional id fences whoever held it before, and the writer that only one worker holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from penstock.errors import ConnectError, RetriableError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.delivery import Outcomes, report
from penstock.kafka.errors import (
    CLIENT_ERRORS,
    Fault,
    FencedError,
    RecordRefusedError,
    TransactionLostError,
    connect_error,
    meaning_of,
    reason_of,
)
from penstock.kafka.producing import RecordProducer

__all__ = ["TransactionalProducer", "TransactionalWriter"]


_ABORT_S: Final = 5.0


class TransactionalProducer(RecordProducer):
    """A producer whose records are written in transactions, all of one or none. For one thread at a time, but `poll`.

    Its errors: `FencedError` if another client has claimed the transactional id; `RetriableError` if the same call may
    be made again; `TransactionLostError` if the transaction cannot be committed any more, by the fault of no record; any
    other `ConnectError` means the same, but another transaction will fare no better. Then `abort` it, or discard the
    producer.
    """

    def init(self, timeout: float) -> None:
        """Claim the transactional id: fence who held it before, whose open transaction is aborted."""
        self._call(partial(self._client.init_transactions, timeout), "cannot claim its transactional id")

    def begin(self) -> None:
        self._call(self._client.begin_transaction, "cannot begin a transaction")

    def commit(self, timeout: float) -> None:
        """Commit the open transaction, with all records sent in it; waits for those that are on their way.

        A timeout leaves the outcome unknown until the same call has answered, so it is made again until `timeout`
        seconds have passed in all; then a `RetriableError` says so.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self._call(
                    partial(self._client.commit_transaction, max(0.1, deadline - time.monotonic())),
                    "cannot commit a transaction",
                )
            except RetriableError:
                if time.monotonic() >= deadline:
                    raise

    def abort(self, timeout: float) -> None:
        """Abort the open transaction; what was sent in it and not written is dropped."""
        self._call(partial(self._client.abort_transaction, timeout), "cannot abort a transaction")

    def _call(self, call: Callable[[], Any], what: str) -> None:
        try:
            call()
        except CLIENT_ERRORS as error:
            raise self._error(error, f"{self._owner} {what}") from error

    def _finished(self, error: BaseException | KafkaError) -> ConnectError:
        return self._error(error, f"{self._owner} the producer failed for good")

    def _error(self, error: BaseException | KafkaError, what: str) -> ConnectError:
        if meaning_of(error).fault is Fault.FENCED:
            return FencedError(f"{what}: another worker has taken over ({reason_of(error)})")
        cause = error.args[0] if isinstance(error, KafkaException) and error.args else error
        lost = isinstance(cause, KafkaError) and (cause.fatal() or cause.txn_requires_abort())
        if isinstance(cause, KafkaError) and cause.retriable() and not lost:
            return RetriableError(f"{what}: {reason_of(error)}")
        if lost and meaning_of(error).fault in (Fault.PASSING, Fault.FATAL):
            # The client says this of every further try, too.
            return TransactionLostError(connect_error(error, what, self._prefix).message)
        return connect_error(error, what, self._prefix)


class TransactionalWriter:
    """Writes groups of records to one topic, each group all or nothing (``KafkaConfigBackingStore.fencableProducer``).

    Made by `claim`, which fences whoever held the id before. For one thread at a time.
    """

    def __init__(
        self, clients: KafkaClients, topic: str, transactional_id: str, settings: Mapping[str, Any], owner: str
    ) -> None:
        self._topic = topic
        self._name = f"{owner}'s topic {topic}"
        own = {"enable.idempotence": "true", "linger.ms": "0", **settings, "transactional.id": transactional_id}
        self._producer = TransactionalProducer(
            lambda extra, **callbacks: clients.producer({**own, **extra}, self._name, **callbacks),
            f"{self._name}:",
        )

    def claim(self, timeout: float) -> None:
        """Fence older writers, whose open transactions are aborted. Raises `RetriableError` after `timeout` seconds."""
        self._producer.init(timeout)

    def write(self, records: Sequence[tuple[str | bytes, bytes | None]], timeout: float) -> dict[int, int]:
        """Write `records` in one transaction, committed when this returns. Returns how far they reach: for each
        partition the offset after the last of them (`TopicLog.read_up_to`); the transaction's own mark lies behind it.

        Raises `FencedError` if another writer has claimed the id, `RecordRefusedError` if the broker does not take one of
        the records: then none was written. After any other error too the outcome may be unknown,
        and this writer is of no further use: close it, claim a new one, read the topic.
        """
        outcomes = Outcomes()
        reached: dict[int, int] = {}
        try:
            self._producer.begin()
            for key, value in records:
                told = report(f"Cannot write to {self._name}", outcomes.expect())
                record = self._topic, value, key.encode() if isinstance(key, str) else key, -1, 0, None
                self._producer.send(record, partial(_delivered, told, reached))
            self._producer.commit(timeout)
        except ConnectError as error:
            self._abort()
            if isinstance(outcomes.failure, RecordRefusedError):
                raise outcomes.failure from error  # the reason; the commit tells what came of it
            raise
        outcomes.result(f"Cannot write to {self._name}: records are left over after the commit")
        return reached

    def _abort(self) -> None:
        try:
            self._producer.abort(_ABORT_S)
        except ConnectError:
            return  # fenced, or out of reach: the broker aborts it when the id is claimed again or its time is up

    def close(self) -> None:
        """Let go without waiting; an open transaction is aborted by the broker."""
        self._producer.purge()


def _delivered(
    told: Callable[[Any, Any], None], reached: dict[int, int], error: KafkaError | None, message: Any
) -> None:
    # Called within the commit, by the thread that waits for it.
    told(error, message)
    if error is None:
        reached[message.partition()] = max(reached.get(message.partition(), 0), message.offset() + 1)
