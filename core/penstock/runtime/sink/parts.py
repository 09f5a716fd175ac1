"""The parts that the worker hands a sink task."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from penstock.api import SinkTask
from penstock.kafka.consuming import ConsumerFactory
from penstock.kafka.subscription import Subscription
from penstock.runtime.sink.conversion import SinkConversion
from penstock.runtime.task_plugins import TaskPlugins
from penstock.runtime.tolerance import ErrorPolicy
from penstock.telemetry.tracing import TaskTrace

__all__ = ["SinkTaskParts"]


@dataclass(frozen=True, slots=True)
class SinkTaskParts:
    """The parts that a `WorkerSinkTask` is made of. Times are in seconds."""

    task: SinkTask
    config: Mapping[str, str]
    configs: Callable[[], Mapping[str, str]]
    conversion: SinkConversion
    #: Its meter counts the records, too.
    policy: ErrorPolicy
    #: Makes the consumer, given its callbacks.
    consumer: ConsumerFactory
    #: The names to read, or a subscription that follows a pattern.
    topics: Sequence[str] | Subscription
    max_poll_records: int
    cooperative: bool
    commit_interval_s: float
    commit_timeout_s: float
    on_topic: Callable[[str], None]
    reports: bool = False
    clock: Callable[[], float] = time.monotonic
    #: The group throws a member out that does not poll for so long.
    max_poll_interval_s: float = 300.0
    #: Tells whether the task is this worker's still; None where there is no group that could give it away.
    in_session: Callable[[], bool] | None = None
    #: For metrics; None where nobody asks for them.
    plugins: TaskPlugins | None = None
    #: For spans; None where tracing is off.
    trace: TaskTrace | None = None
