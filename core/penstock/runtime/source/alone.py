"""Records of batches that the broker refused, sent again one by one.

The client sends records in batches, and the broker takes a batch or refuses it as a whole. One record that is too large
or otherwise wrong takes those beside it with it. So each record of such a batch is sent again alone, in order; only the
one that is refused alone is at fault. Batches of the same partition that the client had already sent by then stand before
it in the topic.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from penstock.kafka.errors import KafkaError
from penstock.kafka.producing import Delivered, Outgoing, ProducedMessage, RecordProducer
from penstock.kafka.repeats import Repeats

__all__ = ["RefusedBatches", "is_batch_refusal", "outgoing_of"]

_log: Final = logging.getLogger(__name__)
_LOOK_S: Final = 0.2
#: The broker's reasons to refuse a batch of which only one record need be at fault.
_OF_A_BATCH: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError._INVALID_DIFFERENT_RECORD,
    }
)


def is_batch_refusal(error: KafkaError) -> bool:
    """Return whether a record may have been refused for the sake of another one of its batch."""
    return error.code() in _OF_A_BATCH and not error.fatal()


def outgoing_of(message: Any, headers: Sequence[tuple[str, Any]] | None) -> Outgoing:
    """Return a reported message as it was sent: to its partition, with its timestamp, and with `headers`."""
    return (
        message.topic() or "",
        message.value(),
        message.key(),
        message.partition() if message.partition() is not None else -1,
        max(0, message.timestamp()[1]),
        headers,
    )


_Fate: TypeAlias = tuple[KafkaError | None, ProducedMessage]


class _Refused(NamedTuple):
    out: Outgoing
    #: Told of the record's fate when it was sent alone.
    told: Delivered


class RefusedBatches:
    """The records that wait to be sent alone. `add` is called from any thread; `send` by one thread at a time, which others
    wait for: nothing new is handed to the producer meanwhile."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._lock = threading.Lock()
        self._sending = threading.RLock()
        self._waiting: deque[_Refused] = deque()
        #: Whether something waits or is being sent; looked at before each batch, so it must cost nothing.
        self.busy = False
        #: The record that was sent alone and has not met its fate.
        self._open: tuple[_Refused, list[_Fate]] | None = None
        self._complaints = Repeats()

    def add(self, error: KafkaError, out: Outgoing, told: Delivered) -> None:
        """Keep a record of a refused batch. What `told` holds, it keeps meanwhile."""
        if self._complaints.admit(out[0]):
            _log.warning(
                "%s the broker refused a batch of records for topic %s: %s. Its records are sent again one by one, which "
                "is slow; if it happens often, set producer.override.batch.size below max.message.bytes of the topic",
                self._label, out[0], error.str(),
            )  # fmt: skip
        with self._lock:
            self._waiting.append(_Refused(out, told))
            self.busy = True

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)

    def send(self, producer: RecordProducer, check: Callable[[], None]) -> None:
        """Send what waits, each record alone. Returns at once if nothing waits, and nobody else is sending.

        `check` is called between looks at the client and may raise; what is left waits on, and a record whose fate is
        still open then is not sent once more.
        """
        with self._sending:
            while self._open is not None or len(self):
                producer.raise_failure()  # after which nothing may be written any more: it would come again
                if self._open is None:
                    self._drain(producer, check)
                    self._open = self._send_one(producer, check)
                self._drain(producer, check)
                refused, fate = self._open
                self._open = None
                error, message = fate[0] if fate else (None, _Gone(refused.out))
                refused.told(error, message)
            with self._lock:
                self.busy = bool(self._waiting)

    def _drain(self, producer: RecordProducer, check: Callable[[], None]) -> None:
        while producer.flush(_LOOK_S):
            producer.raise_failure()
            check()

    def _send_one(self, producer: RecordProducer, check: Callable[[], None]) -> tuple[_Refused, list[_Fate]]:
        with self._lock:
            refused = self._waiting.popleft()
        fate: list[_Fate] = []
        try:
            producer.send(refused.out, lambda error, message: fate.append((error, message)), check)
        except BaseException:
            with self._lock:
                self._waiting.appendleft(refused)
            raise
        return refused, fate


class _Gone:
    """A record that was written, as the client tells it when it reports errors only."""

    def __init__(self, out: Outgoing) -> None:
        self._out = out

    def topic(self) -> str:
        return self._out[0]

    def partition(self) -> int:
        return self._out[3]

    def offset(self) -> int | None:
        return None

    def value(self) -> bytes | None:
        return self._out[1]

    def key(self) -> bytes | None:
        return self._out[2]

    def timestamp(self) -> tuple[int, int]:
        return 1, self._out[4]

    def headers(self) -> None:
        return None
