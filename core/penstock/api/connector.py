"""Connectors and tasks: what a connector plugin implements, and what the worker offers it.

Threads: a connector instance and each of its tasks have one thread of their own each, and every method is called from
it unless its docstring says otherwise. ``stop`` is the exception that matters: a *source* task's ``stop`` is called
from another thread while ``poll`` may be running.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar, Protocol

from penstock.api.metrics import Measured, PluginMetrics
from penstock.api.plugin import Versioned
from penstock.config import Config, ConfigDef
from penstock.data import SinkRecord, SourceRecord

__all__ = [
    "Connector",
    "ConnectorContext",
    "ConnectorTransactionBoundaries",
    "ErrantRecordReporter",
    "ExactlyOnceSupport",
    "OffsetStorageReader",
    "RecordMetadata",
    "SinkConnector",
    "SinkTask",
    "SinkTaskContext",
    "SourceConnector",
    "SourceTask",
    "SourceTaskContext",
    "Task",
    "TopicPartition",
    "TransactionContext",
]


class TopicPartition(tuple[str, int]):
    """A topic and a partition number. A tuple, so cheap to hash and compare."""

    __slots__ = ()

    def __new__(cls, topic: str, partition: int) -> TopicPartition:
        return tuple.__new__(cls, (topic, partition))

    @property
    def topic(self) -> str:
        """Return the topic's name."""
        return self[0]

    @property
    def partition(self) -> int:
        """Return the partition's number."""
        return self[1]

    def __repr__(self) -> str:
        return f"{self[0]}-{self[1]}"


class RecordMetadata(Protocol):
    """The topic, partition and offset that a produced record got."""

    topic: str
    partition: int
    #: None if the client was told not to report it.
    offset: int | None


class OffsetStorageReader(Protocol):
    """Reads source offsets that were committed for this connector. Safe from any thread."""

    def offset(self, partition: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The last committed offset of `partition`, or None if there is none."""

    def offsets(self, partitions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
        """Several at once, in the order asked for."""


class ConnectorContext(Protocol):
    """The worker's services for a connector instance. Safe from any thread."""

    def request_task_reconfiguration(self) -> None:
        """Ask the worker to call `Connector.task_configs` again, soon, and to restart tasks whose config changed."""

    def raise_error(self, error: BaseException) -> None:
        """Report a failure outside any call of the worker's: the connector becomes FAILED."""

    @property
    def plugin_metrics(self) -> PluginMetrics:
        """The connector's `metrics` (KIP-877)."""


class Connector(Versioned, Measured, ABC):
    """Divides the work into tasks.

    Life: ``initialize``, ``start``, any number of ``task_configs``, ``stop``. A restart or a changed configuration
    makes a new instance. Every method may take its time; the worker's other connectors do not wait for it.
    """

    #: Set by the worker before `start`.
    context: ConnectorContext

    @classmethod
    @abstractmethod
    def config_def(cls) -> ConfigDef:
        """The connector's own settings; the common ones (``name``, ``tasks.max``, ...) are added by the worker."""

    def validate(self, configs: Mapping[str, str]) -> Config:
        """Check a whole configuration, for REST. No instance is started; must not have side effects.

        The default checks each setting against `config_def`. Extend it for rules that span settings: add errors to
        the `ConfigValue`s.
        """
        return Config(self.config_def().validate(configs))

    def initialize(self, context: ConnectorContext) -> None:
        """Keep the worker's services as `context`. Called once, before `start`."""
        self.context = context

    @abstractmethod
    def start(self, props: Mapping[str, str]) -> None:
        """Begin. `props` is the connector's whole configuration, providers resolved. An exception makes it FAILED."""

    @property
    @abstractmethod
    def task_class(self) -> type[Task]:
        """The class of this connector's tasks."""

    @abstractmethod
    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        """One configuration per task, at most `max_tasks`. May be called again at any time while started."""

    @abstractmethod
    def stop(self) -> None:
        """End, and free what `start` took. Called once, also after a failed `start`."""

    def close(self) -> None:
        """After everything else, or where only validation was wanted. Must not raise."""


class ExactlyOnceSupport(enum.Enum):
    """A source connector's answer whether it can deliver exactly once with a configuration (KIP-618)."""

    SUPPORTED = "SUPPORTED"
    UNSUPPORTED = "UNSUPPORTED"


class ConnectorTransactionBoundaries(enum.Enum):
    """A source connector's answer whether it can define transactions itself with a configuration (KIP-618)."""

    SUPPORTED = "SUPPORTED"
    UNSUPPORTED = "UNSUPPORTED"


class SourceConnector(Connector):
    """A connector that brings data into Kafka."""

    connector_type: ClassVar[str] = "source"

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport | None:
        """Can this connector deliver exactly once with these settings? None: it does not say (KIP-618)."""
        return None

    def can_define_transaction_boundaries(self, props: Mapping[str, str]) -> ConnectorTransactionBoundaries:
        """Does it call `TransactionContext` itself, with these settings?"""
        return ConnectorTransactionBoundaries.UNSUPPORTED

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[Any, Mapping[str, Any] | None]) -> bool:
        """Offsets are about to be changed over REST (KIP-875); refuse with an exception.

        `offsets` maps source partitions (as tuples of sorted items) to new offsets, None to reset. Called without
        `start`. Returns True if it did something about it; False just checked nothing.
        """
        return False


class SinkConnector(Connector):
    """A connector that takes data out of Kafka."""

    connector_type: ClassVar[str] = "sink"

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        """Consumer offsets are about to be changed over REST (KIP-875); refuse with an exception.

        `offsets` maps partitions to the next record to consume, None to reset. A sink that keeps offsets with its data
        changes those here, since they win over the consumer's; it returns True."""
        return False


class Task(Versioned, Measured, ABC):
    """Moves data. Made without arguments."""

    #: The class name that ``task.class`` shows in the REST API and the config topic, where it is not this class's
    #: Python path: the JVM's name for a task that takes over from a JVM class.
    java_class: ClassVar[str | None] = None

    @abstractmethod
    def start(self, props: Mapping[str, str]) -> None:
        """Begin with this task's configuration. Called once. An exception makes the task FAILED."""

    @abstractmethod
    def stop(self) -> None:
        """End and free what `start` took. Called once, also after a failed `start`."""


class TransactionContext(Protocol):
    """For exactly-once sources that set their own boundaries (``transaction.boundary=connector``)."""

    def commit_transaction(self, record: SourceRecord | None = None) -> None:
        """Commit after the batch being returned, or after `record`."""

    def abort_transaction(self, record: SourceRecord | None = None) -> None:
        """Abort after the batch being returned, or after `record`; offsets still move past what was aborted."""


class SourceTaskContext(Protocol):
    """The worker's services for a source task."""

    def configs(self) -> Mapping[str, str]:
        """The task's configuration now, providers resolved again."""

    @property
    def offset_storage_reader(self) -> OffsetStorageReader:
        """Return the reader of the offsets that were committed for this connector."""

    @property
    def plugin_metrics(self) -> PluginMetrics:
        """The task's `metrics` (KIP-877)."""

    @property
    def transaction_context(self) -> TransactionContext | None:
        """Return the transaction context; None unless exactly-once is on and the connector sets the boundaries."""


class SourceTask(Task):
    """Reads from somewhere.

    Life, all in the task's thread but for `stop`: ``initialize``, ``start``, then ``poll`` over and over, with
    ``commit_record`` and ``commit`` in between.
    """

    context: SourceTaskContext

    #: True once `poll` will never return records again (a finite source read to its end); ``penstock dev --once``
    #: ends when every source task says so. May be a property. Read from any thread.
    exhausted: bool = False

    def initialize(self, context: SourceTaskContext) -> None:
        """Keep the worker's services as `context`. Called once, before `start`."""
        self.context = context

    @abstractmethod
    def poll(self) -> Sequence[SourceRecord] | None:
        """The next records, in order; None or empty if there are none now.

        May block, but should come back after a second or so with nothing, so that a pause takes effect, and must come
        back soon after `stop` was called. The records belong to the worker until they are committed: do not alter
        them or what they hold afterwards. Raise `RetriableError` to be called again after a pause; any other
        exception fails the task.
        """

    @abstractmethod
    def stop(self) -> None:
        """Called from *another thread*, once, possibly during `poll`: make `poll` return. Free resources in `close`
        or when `poll` comes back; records still on their way to Kafka may yet be committed."""

    def close(self) -> None:
        """Called last, in the task's own thread, once everything that will be committed is. Must not raise."""

    def commit(self) -> None:
        """Offsets up to some point were stored. How far is not said; use `commit_record` for that.
        Called from the committing thread, while `poll` may run. Exceptions are logged."""

    def commit_record(self, record: SourceRecord, metadata: RecordMetadata | None) -> None:
        """This record was acknowledged by Kafka, or dropped (then `metadata` is None).

        Only overridden where needed: a task class with its own `commit_record` is run with a delivery callback per
        record. Called from the thread that serves the producer, in no promised order across partitions.
        Exceptions are logged.
        """


class ErrantRecordReporter(Protocol):
    """Takes records that the sink's task could not write (KIP-610)."""

    def report(self, record: SinkRecord, error: BaseException) -> Future[None]:
        """Report `record` and go on. The future is done when the dead letter is confirmed; the record's offset is
        not committed before. Raises if errors are not tolerated. Safe from any thread."""


class SinkTaskContext(Protocol):
    """All of it to be called from the task's thread, `request_commit` and `configs` from any."""

    def configs(self) -> Mapping[str, str]:
        """Return the task's configuration now, providers resolved again."""

    def offset(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Consume from these offsets next: each is the next record that `put` shall get of its partition.

        For sinks that keep offsets with their data; may be called in `open`, which is the place for it, and in any other
        method. It takes effect before the next `put`, and before the next commit, which asks about no offset beyond; a
        batch that is kept for another try loses the partition's records. In `pre_commit` it wins over the way back that
        the worker chooses after an error. A partition that is not assigned is passed over with a warning, before the first
        assignment it waits for `open`; what was asked for is forgotten when the partition goes."""

    def timeout(self, timeout_ms: int) -> None:
        """The pause before `put` is tried again after a `RetriableError`. Counts once."""

    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions that the task has now."""

    def pause(self, *partitions: TopicPartition) -> None:
        """Consume nothing from these partitions until `resume`."""

    def resume(self, *partitions: TopicPartition) -> None:
        """Consume from these partitions again."""

    @property
    def plugin_metrics(self) -> PluginMetrics:
        """The task's `metrics` (KIP-877)."""

    def request_commit(self) -> None:
        """Commit offsets at the next opportunity instead of at the interval's end."""

    @property
    def errant_record_reporter(self) -> ErrantRecordReporter | None:
        """Return the reporter; None unless a dead letter queue or ``errors.log.enable=true`` is configured."""


OffsetMap = Mapping[TopicPartition, int]


class SinkTask(Task):
    """Writes to somewhere. All calls come from the task's thread.

    Life: ``initialize``, ``start``, ``open`` for the first assignment, ``put`` over and over (also with an empty
    batch, so that time passes), ``pre_commit`` before each commit, ``open`` and ``close`` as partitions come and go,
    ``stop``.

    Exactly once: a task that writes its offsets together with its data, in one transaction, asks in `open` for what it
    has (`SinkTaskContext.offset`), writes in `pre_commit` up to the offsets that it is given there, and forgets in `close`
    what it has not written. docs/plugins.md has the rules and an example.
    """

    context: SinkTaskContext

    def initialize(self, context: SinkTaskContext) -> None:
        """Keep the worker's services as `context`. Called once, before `start`."""
        self.context = context

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions were assigned, with the next records from them to follow.

        They begin at the consumer group's offsets, unless `context.offset` says otherwise in here. Partitions assigned
        before stay; `context.assignment()` has all. An exception fails the task."""

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are about to go. `pre_commit` was called for them just before, unless nothing was taken of
        them, or they were lost: then another task may have them by now, and a task that keeps offsets with its data must
        drop what it has not written. They may come back with another `open`."""

    @abstractmethod
    def put(self, records: Sequence[SinkRecord]) -> None:
        """Take a batch. Need not write it yet: what is written is said in `pre_commit`.

        Raise `RetriableError` to get the same batch again after a pause (the whole of it); any other exception fails
        the task. The sequence is the task's to keep.
        """

    def flush(self, offsets: OffsetMap) -> None:
        """Write everything up to `offsets` (next offset to consume, per partition). Only called by the default
        `pre_commit`. An exception means: not written; the worker goes back to the last committed offsets."""

    def pre_commit(self, offsets: OffsetMap) -> OffsetMap:
        """Return the offsets that are safe to commit, of those consumed so far (`offsets`). Empty: none now.

        `offsets` are those of the next record. They lie behind what `put` was given as long as a dead letter before it
        has no answer from Kafka; when partitions go they name only those. The default flushes and agrees to all. Offsets
        beyond those consumed, and of partitions that were not asked about, are ignored.

        A task that keeps offsets with its data writes both here. It may return an empty mapping for ever, so that the
        consumer group has no offsets, or what it wrote, so that the group's lag can be watched.

        After an exception the task goes on from the last committed offsets, or where reading began if there are none; a
        task that keeps offsets itself calls `context.offset` before it raises."""
        self.flush(offsets)
        return offsets
