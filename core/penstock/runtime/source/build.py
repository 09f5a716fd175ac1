"""Makes source tasks out of configurations: plugin, converters, chain, producer, topic creation, delivery."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from penstock.api import SourceTask, Task
from penstock.config.connector import source_connector_config_def
from penstock.config.worker import WorkerConfig
from penstock.kafka import ClientKind, KafkaClients
from penstock.plugins import Plugins
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.assembly import build_chain, build_converters, log_reporters, made, strip_prefix, used_plugins
from penstock.runtime.disclosure import disclosed_text
from penstock.runtime.meters import TaskMeter, meter_windows
from penstock.runtime.source.at_least_once import AtLeastOnce
from penstock.runtime.source.boundaries import TransactionBoundary, WorkerTransactionContext
from penstock.runtime.source.context import TaskOffsetReader, WorkerSourceTaskContext
from penstock.runtime.source.conversion import SourceConversion
from penstock.runtime.source.delivery import Delivery, TaskSide
from penstock.runtime.source.exactly_once import ExactlyOnce, Gate, TransactionSettings
from penstock.runtime.source.exactly_once_worker import ExactlyOnceWorker, standalone_transactions
from penstock.runtime.source.offset_stores import ConnectorOffsets, SourceOffsetStores
from penstock.runtime.source.task import SourceTaskParts, WorkerSourceTask, hears_of_records, wants_each_record
from penstock.runtime.source.topics import TopicCreation, topic_groups
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.tolerance import ErrorPolicy
from penstock.telemetry.tracing import task_trace

__all__ = ["SourceTaskBuilder"]

_MINUTE_MS: Final = 60_000
#: The bound that brokers set unless transaction.max.timeout.ms says otherwise.
_BROKERS_LIMIT_MS: Final = 900_000


@dataclass(frozen=True, slots=True)
class _Transactions:
    settings: TransactionSettings
    id: str
    gate: Gate


#: For transactions, unless a user sets them. The client's thread spins while an idempotent producer waits for a response
#: with one request open: at Connect's 16 kB a batch and one request that took five times the CPU, and more than a third of
#: the throughput. Several requests are safe here, since the broker keeps their order by sequence number.
_IDEMPOTENT: Final = {"batch.size": "131072", "max.in.flight.requests.per.connection": "5"}


def transaction_defaults(worker: Mapping[str, Any], settings: TransactionSettings) -> dict[str, str]:
    """Return the producer settings that transactions have of their own, those left out that `worker` has as ``producer.*``."""
    own = {**_IDEMPOTENT, "transaction.timeout.ms": str(_transaction_timeout_ms(settings))}
    return {key: value for key, value in own.items() if f"producer.{key}" not in worker}


def _transaction_timeout_ms(settings: TransactionSettings) -> int:
    """Return how long a transaction may stay open: Kafka's minute, or so much longer than the interval it is open for."""
    if settings.boundary is not TransactionBoundary.INTERVAL:
        return _MINUTE_MS
    return min(_MINUTE_MS + int(settings.interval_s * 1000), _BROKERS_LIMIT_MS)


class SourceTaskBuilder:
    """One a worker. Safe from any thread; a task's plugins are made here and then used from its thread only."""

    def __init__(
        self,
        config: WorkerConfig,
        plugins: Plugins,
        clients: KafkaClients,
        offsets: SourceOffsetStores,
        exactly_once: ExactlyOnceWorker | None,
        resolve: Callable[[Mapping[str, str]], Mapping[str, str]],
        converter_defaults: Mapping[str, str],
        admission: UnreadLimit | None,
        topic_listener: Callable[[ConnectorTaskId], Callable[[str], None]],
        in_session: Callable[[], bool] | None,
    ) -> None:
        self._config = config
        self._plugins = plugins
        self._clients = clients
        self._offsets = offsets
        self._exactly_once = exactly_once
        self._resolve = resolve
        self._converter_defaults = converter_defaults
        self._admission = admission
        self._topic_listener, self._in_session = topic_listener, in_session
        self._windows = meter_windows(config.values)

    def build(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        listener: StatusListener,
        task_class: type[Task],
        generation: int | None = None,
    ) -> WorkerSourceTask:
        """Make the task out of both configurations, resolved. `generation` is that of the task configurations. Raises what is wrong with them; nothing was started then."""
        return WorkerSourceTask(
            task_id, listener, target, self.parts(task_id, connector, task_config, task_class, generation)
        )

    def parts(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        task_class: type[Task],
        generation: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> SourceTaskParts:
        """Make the parts of a task, as `build` does; its plugin's task is initialized. `clock` decides when transactions end."""
        common = source_connector_config_def().parse(connector)
        transactions = self._transactions(task_id, connector, common, generation)
        offsets = self._offsets.open(task_id.connector, connector, exactly_once=transactions is not None)
        task = made(task_class, SourceTask)
        meter = TaskMeter(self._admission, self._topic_listener(task_id), self._windows)
        policy = ErrorPolicy.from_config(task_id, common, log_reporters(common, meter), threading.Event(), meter)
        chain = build_chain(self._plugins, connector)
        converters = build_converters(self._plugins, connector, self._converter_defaults)
        trace = task_trace(*task_id, partial(disclosed_text, task_id.connector))
        parts = SourceTaskParts(
            task=task,
            config=task_config,
            conversion=SourceConversion(chain, converters, None if trace is None else trace.carry),
            policy=policy,
            topics=self._topics(task_id, connector),
            delivery=self._delivery(task_id, connector, task, policy, meter, offsets, transactions, clock),
            meter=meter,
            in_session=self._in_session,
            offsets=offsets,
            plugins=used_plugins("source", task, chain, converters),
            trace=trace,
        )
        context = None if transactions is None else transactions.settings.context
        task.initialize(
            WorkerSourceTaskContext(
                TaskOffsetReader(offsets.store, task_id, policy.stopping),
                lambda: self._resolve(task_config),
                context,
                task.metrics,
            )
        )
        return parts

    def _transactions(
        self, task_id: ConnectorTaskId, connector: Mapping[str, str], common: Mapping[str, Any], generation: int | None
    ) -> _Transactions | None:
        """Return how the task delivers exactly once; None if it delivers at least once."""
        worker = self._exactly_once
        if worker is None:
            worker = standalone_transactions(self._config, self._clients, common)
        if worker is None:
            return None
        boundary = TransactionBoundary(common["transaction.boundary"].lower())
        interval = common["transaction.boundary.interval.ms"] or self._config["offset.flush.interval.ms"]
        context = WorkerTransactionContext() if boundary is TransactionBoundary.CONNECTOR else None
        settings = TransactionSettings(
            boundary, interval / 1000, self._config["offset.flush.timeout.ms"] / 1000, context
        )
        transactional_id = f"{worker.prefix}-{task_id.connector}-{task_id.task}"
        return _Transactions(settings, transactional_id, worker.gate(task_id, generation))

    def _delivery(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task: SourceTask,
        policy: ErrorPolicy,
        meter: TaskMeter,
        offsets: ConnectorOffsets,
        transactions: _Transactions | None,
        clock: Callable[[], float],
    ) -> Callable[[TaskSide], Delivery]:
        owner = f"task {task_id}"
        overrides = strip_prefix(connector, "producer.override.")
        settings = {"client.id": f"connector-producer-{task_id}", **overrides}
        if transactions is not None:
            settings |= {"enable.idempotence": "true", "transactional.id": transactions.id}
            settings = {**transaction_defaults(self._config.raw, transactions.settings), **settings}
        # Made and thrown away: a setting the client refuses shall fail the task now, not at its first record.
        self._clients.settings(ClientKind.PRODUCER, settings, owner)

        def make_producer(extra: Mapping[str, Any], **callbacks: Callable[..., Any]) -> Any:
            watched, told = meter.client.watched({**settings, **extra}, callbacks)
            return self._clients.producer(watched, owner, **told)

        if transactions is not None:
            return lambda side: ExactlyOnce(
                side,
                offsets,
                make_producer,
                transactions.gate,
                transactions.settings,
                meter,
                per_record=hears_of_records(task),
                clock=clock,
            )
        return lambda side: AtLeastOnce(
            side,
            offsets.store,
            make_producer,
            meter,
            per_record=wants_each_record(task, policy),
            flush_timeout_s=self._config["offset.flush.timeout.ms"] / 1000,
            clock=clock,
        )

    def _topics(self, task_id: ConnectorTaskId, connector: Mapping[str, str]) -> TopicCreation:
        groups = topic_groups(connector) if self._config["topic.creation.enable"] else []
        settings = {"client.id": f"connector-adminclient-{task_id}", **strip_prefix(connector, "admin.override.")}
        return TopicCreation(groups, lambda: self._clients.admin(settings, f"task {task_id}"))
