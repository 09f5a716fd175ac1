"""The consumer of a sink task's group: one client with its lock, its callbacks, its pauses, seeks and commits.

Facts about the client that this module keeps from its users; one suite holds them for the real client and the fake:

- ``consume(n, timeout)`` waits until it has `n`, so a poll is one message with patience and then whatever else is there.
- ``seek`` is refused until a partition is being fetched, some time after the assignment.
- ``pause`` and ``resume`` of a partition that is not assigned do nothing; a paused partition that goes and comes back is
  still paused.
- Callbacks run inside ``poll``, ``consume`` and ``close``, in the thread that calls them. One that raises must not: the
  assignment would stay half made, and ``close`` would wait for it for ever.
- A closed client raises RuntimeError.
- Headers that are not UTF-8 end the process of whoever looks at them; here they are `penstock.kafka.headers.UNREADABLE`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as _Position

from penstock.api import TopicPartition
from penstock.errors import ConnectError, TaskStopped
from penstock.kafka.errors import CLIENT_ERRORS, Fault, client_errors, connect_error, error_code, meaning_of, reason_of
from penstock.kafka.headers import with_safe_headers
from penstock.kafka.repeats import Repeats

__all__ = ["ConsumerFactory", "GroupConsumer", "Message", "Partitions"]

_log: Final = logging.getLogger(__name__)
#: How long a cancelling thread waits for a call to the client to end.
_CANCEL_WAIT_S: Final = 1.5
#: The pause between two tries of a synchronous commit.
_COMMIT_PAUSE_S: Final = 0.1
#: The client's own news, or of a topic that is not there (yet): the loop goes on.
_PASSING: Final = {KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
#: The errors that no patience mends.
_FINAL: Final = {
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,
}
#: A partition's offset is not known to the client yet: it cannot seek there.
_NOT_FETCHING: Final = {KafkaError._STATE, KafkaError._UNKNOWN_PARTITION, KafkaError._PREV_IN_PROGRESS}
#: The prefix that a user writes before the names of this client's settings.
_PREFIX: Final = "consumer.override."

#: Makes the client, given its own settings and its callbacks (``error_cb``, ``on_commit``).
ConsumerFactory = Callable[..., Consumer]


class Partitions(Protocol):
    """Hears of partitions that come and go; called inside `GroupConsumer.poll` and `GroupConsumer.close`."""

    def assigned(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Take `partitions`; return where to begin, for partitions that shall not begin at the committed offset."""

    def revoked(self, partitions: list[TopicPartition], lost: bool) -> None:
        """Give `partitions` up. They may be committed for the last time, unless `lost`: others may have them by now."""

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """An asynchronous commit of `offsets` succeeded."""

    def not_committed(self) -> None:
        """An asynchronous commit was refused, as a whole or in part. It was logged."""

    def thrown_out(self) -> None:
        """The group gave up on this member, since it did not poll within ``max.poll.interval.ms``. It joins again."""


class GroupConsumer:
    """One member of a consumer group. Used from one thread, except `cut_off` and what it ends.

    Errors of the client that only time mends are logged; others raise `ConnectError`. After `cut_off` every call raises
    `TaskStopped`. Offsets are those of the next record, as Kafka commits them.
    """

    def __init__(self, factory: ConsumerFactory, owner: str, partitions: Partitions, *, cooperative: bool) -> None:
        """`owner` begins every message; `cooperative`: whether the assignor gives and takes single partitions."""
        self._factory = factory
        self._owner = owner
        self._partitions = partitions
        self._cooperative = cooperative
        self._client: Consumer | None = None
        #: Held in every call to the client: whoever cuts the member off may close it only in between.
        self._lock = threading.RLock()
        self._cut_off = False
        self._paused: set[TopicPartition] = set()
        self._all_paused = False
        #: Seeks that the client refused because it does not fetch the partition yet.
        self._seeks: dict[TopicPartition, int] = {}
        #: Partitions that a seek was asked for during the poll that runs, or before and in vain.
        self._moved: set[TopicPartition] = set()
        #: The error that `Partitions` raised inside a callback; the call that the callback ran in raises it.
        self._raised: BaseException | None = None
        #: The error that the client tells only its error callback, and that makes going on useless.
        self._failure: KafkaError | None = None
        self._complaints = Repeats()

    # ---- life

    def open(self) -> None:
        """Make the client. Raises `ConfigError` for settings that it refuses."""
        self._client = self._factory({}, error_cb=self._on_error, on_commit=self._on_commit)

    def close(self) -> None:
        """Leave the group; `Partitions.revoked` is called for what is still assigned. May be called again."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None:
                client.close()
                self._raise_raised()

    def cut_off(self) -> None:
        """From any thread: no call reaches the client any more, so that nothing is committed; it is closed at once or
        after the call it is in. Closing may take a while if no broker answers, and nobody waits for it."""
        self._cut_off = True

        def close() -> None:
            if self._lock.acquire(timeout=_CANCEL_WAIT_S):
                try:
                    self.close()
                finally:
                    self._lock.release()
            else:
                _log.warning("%s is inside a call to Kafka; its consumer leaves the group once that ends", self._owner)

        threading.Thread(target=close, name=f"cancel-{self._owner}", daemon=True).start()

    def refuse_if_cut_off(self) -> None:
        """Raise `TaskStopped` if `cut_off` was called."""
        if self._cut_off:
            raise TaskStopped(f"{self._owner} was cancelled; it has nothing to say to Kafka any more")

    @property
    def _usable(self) -> Consumer:
        self.refuse_if_cut_off()
        if self._client is None:
            raise ConnectError(f"{self._owner} the consumer is not there yet; use the context after start()")
        return self._client

    # ---- topics

    def subscribe(self, topics: Sequence[str]) -> None:
        """Read these topics from now on, none if there are none. What is assigned is revoked before a new assignment."""
        with self._lock:
            client = self._usable
            with client_errors(f"{self._owner} cannot subscribe to {', '.join(topics)}", _PREFIX):
                if topics:
                    client.subscribe(
                        list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
                    )
                else:
                    client.unsubscribe()

    def cluster_topics(self, timeout_s: float) -> frozenset[str]:
        """Return the names of all topics of the cluster. Raises `RetriableError` if no broker answers in time."""
        with self._lock:
            client = self._usable
            with client_errors(f"{self._owner} cannot list the cluster's topics", _PREFIX):
                topics = client.list_topics(timeout=timeout_s).topics
        return frozenset(
            name for name, topic in topics.items() if topic.error is None or topic.error.code() not in _PASSING
        )

    # ---- records

    def poll(self, timeout_s: float, max_records: int) -> list[Message]:
        """Return up to `max_records` messages; wait up to `timeout_s` for the first. Messages with an error are for
        `check`. Raises `ConnectError` if the client failed for good."""
        with self._lock:
            client = self._usable
            if self._seeks:
                self._seek_where_possible()
            self._moved = set(self._seeks)
            first = client.poll(timeout_s)
            messages = [] if first is None else [first, *client.consume(max_records - 1, 0)]
            with_safe_headers(messages)
            self._raise_raised()
            if self._failure is not None:
                self.check(self._failure)
            if self._moved:  # their messages are of before the seek
                messages = [m for m in messages if (m.topic(), m.partition()) not in self._moved]
                self._seek_where_possible()
        return messages

    def check(self, error: KafkaError) -> None:
        """Log what a message's error says; raise `ConnectError` if it is one that no patience mends."""
        code = error.code()
        if code in _PASSING:
            if code != KafkaError._PARTITION_EOF and self._complaints.admit(error.str()):
                _log.info("%s consumer: %s", self._owner, error.str())
        elif error.fatal() or code in _FINAL:
            raise ConnectError(connect_error(error, f"{self._owner} cannot consume", _PREFIX).message)
        elif code == KafkaError._MAX_POLL_EXCEEDED:
            self._partitions.thrown_out()
        elif self._complaints.admit(error.str()):
            _log.warning("%s consumer: %s", self._owner, error.str())

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on from `offset`. The caller drops what it has read of the partition before."""
        with self._lock:
            self._usable  # noqa: B018 - refuses if cut off
            self._seeks[partition] = offset
            self._moved.add(partition)
            self._seek_where_possible()

    def _seek_where_possible(self) -> None:
        """Try the seeks; those that the client still refuses are kept for later."""
        client = self._usable
        for partition, offset in list(self._seeks.items()):
            try:
                client.seek(_Position(partition.topic, partition.partition, offset))
            except CLIENT_ERRORS as error:
                if error_code(error) in _NOT_FETCHING:
                    continue
                what = f"{self._owner} cannot go to offset {offset} of {partition}"
                raise connect_error(error, what, _PREFIX) from error
            del self._seeks[partition]

    # ---- pauses

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Take no more records of `partitions`, until `resume`; also after they went and came back."""
        partitions = list(partitions)
        with self._lock:
            self._paused.update(partitions)
            self._usable.pause(self._positions(partitions))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Undo `pause`. While everything is paused, `partitions` wait for `resume_all`."""
        partitions = list(partitions)
        with self._lock:
            client = self._usable
            self._paused.difference_update(partitions)
            if not self._all_paused:
                client.resume(self._positions(partitions))

    def pause_all(self) -> None:
        """Take no more records, until `resume_all`. Polling goes on, which keeps the member in its group."""
        with self._lock:
            client = self._usable
            self._all_paused = True
            client.pause(client.assignment())

    def resume_all(self) -> None:
        """Undo `pause_all`; what `pause` named stays paused."""
        with self._lock:
            client = self._usable
            self._all_paused = False
            client.resume([p for p in client.assignment() if (p.topic, p.partition) not in self._paused])

    def _positions(self, partitions: Iterable[TopicPartition]) -> list[_Position]:
        """Return the partitions that the client has: while an assignment is made it does not have the new ones yet."""
        has = {(p.topic, p.partition) for p in self._usable.assignment()}
        return [_Position(p.topic, p.partition) for p in partitions if p in has]

    # ---- offsets

    def commit_later(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Send a commit; `Partitions` hears of it inside a later poll. A refusal is logged; False if it was at once."""
        with self._lock:
            try:
                self._usable.commit(offsets=_positions_of(offsets), asynchronous=True)
            except CLIENT_ERRORS as error:
                self._commit_failed(error)
                return False
        return True

    def commit_now(self, offsets: Mapping[TopicPartition, int], timeout_s: float) -> bool:
        """Commit, wait for the answer, and try again for up to `timeout_s` while that may help. False if it failed."""
        deadline = time.monotonic() + timeout_s
        while True:
            refused: BaseException | KafkaError | None
            try:
                with self._lock:
                    answered = self._usable.commit(offsets=_positions_of(offsets), asynchronous=False)
                refused = next((p.error for p in answered or () if p.error is not None), None)
            except CLIENT_ERRORS as error:
                refused = error
            if refused is None:
                return True
            again = error_code(refused) == KafkaError._WAIT_COORD or meaning_of(refused).fault is Fault.PASSING
            if not again or time.monotonic() >= deadline:
                self._commit_failed(refused)
                return False
            threading.Event().wait(_COMMIT_PAUSE_S)

    def _on_commit(self, error: KafkaError | None, positions: Sequence[_Position]) -> None:
        # One partition's refusal is the whole commit's error, too; the others' offsets are committed all the same.
        taken = {TopicPartition(p.topic, p.partition): p.offset for p in positions if p.error is None}
        if error is not None:
            self._commit_failed(error)
            self._partitions.not_committed()
            if all(p.error is None for p in positions):
                return
        if taken:
            self._partitions.committed(taken)

    def _commit_failed(self, error: BaseException | KafkaError) -> None:
        _log.warning(
            "%s commit of offsets failed: %s; they are committed with the next commit, or their records come again",
            self._owner,
            reason_of(error),
        )

    # ---- partitions come and go; called inside poll(), consume() and close()

    def _on_assign(self, client: Consumer, positions: list[_Position]) -> None:
        added = [TopicPartition(p.topic, p.partition) for p in positions]
        # Before the client knows of them: where to begin goes into the assignment itself.
        begin: Mapping[TopicPartition, int] = {}
        try:
            begin = self._partitions.assigned(added)
        except BaseException as error:
            self._raised = self._raised or error
        for position in positions:
            start = begin.get(TopicPartition(position.topic, position.partition))
            if start is not None:
                position.offset = start
        if self._cooperative:
            client.incremental_assign(positions)
        else:
            client.assign(positions)
        held = [p for p in positions if self._all_paused or (p.topic, p.partition) in self._paused]
        free = [p for p in positions if p not in held]
        if held:
            client.pause(held)
        if free:
            client.resume(free)

    def _on_revoke(self, client: Consumer, positions: list[_Position]) -> None:
        self._take_away(client, positions, lost=False)

    def _on_lost(self, client: Consumer, positions: list[_Position]) -> None:
        self._take_away(client, positions, lost=True)

    def _take_away(self, client: Consumer, positions: list[_Position], lost: bool) -> None:
        gone = [TopicPartition(p.topic, p.partition) for p in positions]
        for partition in gone:
            self._seeks.pop(partition, None)
        try:
            # The thread of a member that was cut off may be anywhere, and this one may be the one that closes it.
            if not self._cut_off:
                self._partitions.revoked(gone, lost)
        except BaseException as error:
            self._raised = self._raised or error
        if self._cooperative:
            client.incremental_unassign(positions)
        else:
            client.unassign()

    def _raise_raised(self) -> None:
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION and self._failure is None:
            self._failure = error  # it would try again for ever, twenty times a second
        if self._complaints.admit(error.str()):
            _log.warning("%s consumer: %s", self._owner, error.str())


def _positions_of(offsets: Mapping[TopicPartition, int]) -> list[_Position]:
    return [_Position(p.topic, p.partition, offset) for p, offset in offsets.items()]
