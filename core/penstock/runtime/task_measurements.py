"""A task's meter in the names of Kafka Connect's metrics (``ConnectMetricsRegistry``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from penstock.measurements import Measurement, Window
from penstock.runtime.meters import Spread, TaskMeter, Total
from penstock.runtime.status import ConnectorTaskId, State
from penstock.runtime.task_plugins import TaskPlugins

__all__ = ["task_measurements"]

_ERRORS: Final = (
    Total.ERRORS,
    Total.FAILURES,
    Total.SKIPPED,
    Total.RETRIES,
    Total.ERRORS_LOGGED,
    Total.DEAD_LETTERS,
    Total.DEAD_LETTER_FAILURES,
)


def _average(window: Window) -> float:
    return window.average


def _largest(window: Window) -> float:
    return window.largest


def task_measurements(task: ConnectorTaskId, meter: TaskMeter, plugins: TaskPlugins | None) -> Iterator[Measurement]:
    """Give everything that is measured of one task. `plugins` is None for a task that could not be made."""
    tags = {"connector": task.connector, "task": str(task.task)}
    yield from _life(meter, tags)
    yield from _errors(meter, tags)
    if plugins is None:
        return
    yield from _classes(plugins, tags)
    yield from _source(meter, tags) if plugins.type == "source" else _sink(meter, tags)
    yield from plugins.measurements(tags)
    yield from meter.client.measurements()


def _life(meter: TaskMeter, tags: dict[str, str]) -> Iterator[Measurement]:
    def say(name: str, value: float | str) -> Measurement:
        return Measurement("connector-task-metrics", name, value, tags)

    yield say("status", meter.state.value.lower())
    yield say("running-ratio", meter.ratio(State.RUNNING))
    yield say("pause-ratio", meter.ratio(State.PAUSED))
    yield say("batch-size-avg", meter.look(Spread.BATCH, _average))
    yield say("batch-size-max", meter.look(Spread.BATCH, _largest))
    yield say("offset-commit-avg-time-ms", meter.look(Spread.COMMIT_MS, _average))
    yield say("offset-commit-max-time-ms", meter.look(Spread.COMMIT_MS, _largest))
    worked = meter.look(Spread.COMMIT_WORKED, lambda window: window.average if window.count else -1.0)
    # Without a commit both are 0, as in Kafka (``Frequencies``).
    yield say("offset-commit-success-percentage", max(worked, 0.0))
    yield say("offset-commit-failure-percentage", 0.0 if worked < 0 else 1.0 - worked)


def _errors(meter: TaskMeter, tags: dict[str, str]) -> Iterator[Measurement]:
    totals = meter.totals()
    for total in _ERRORS:
        yield Measurement("task-error-metrics", total.value, totals[total], tags)
    yield Measurement("task-error-metrics", "last-error-timestamp", meter.error_ms, tags)


def _classes(plugins: TaskPlugins, tags: dict[str, str]) -> Iterator[Measurement]:
    group = "connector-task-metrics"
    yield Measurement(group, "connector-type", plugins.type, tags)
    roles = {"task": plugins.task, **plugins.converters}
    if plugins.connector is not None:
        roles["connector"] = plugins.connector
    for role, plugin in roles.items():
        yield Measurement(group, f"{role}-class", plugin.class_name, tags)
        yield Measurement(group, f"{role}-version", plugin.version, tags)
    for kind, found in (("transform", plugins.transforms), ("predicate", plugins.predicates)):
        for alias, plugin in found.items():
            own = {**tags, kind: alias}
            yield Measurement(f"connector-{kind}-metrics", f"{kind}-class", plugin.class_name, own)
            yield Measurement(f"connector-{kind}-metrics", f"{kind}-version", plugin.version, own)


def _source(meter: TaskMeter, tags: dict[str, str]) -> Iterator[Measurement]:
    def say(name: str, value: float) -> Measurement:
        return Measurement("source-task-metrics", name, value, tags)

    for total, rate in (
        (Total.POLLED, "source-record-poll-rate"),
        (Total.WRITTEN, "source-record-write-rate"),
    ):
        yield say(total.value, meter.total(total))
        yield say(rate, meter.rate(total))
    yield say("poll-batch-avg-time-ms", meter.look(Spread.POLL_MS, _average))
    yield say("poll-batch-max-time-ms", meter.look(Spread.POLL_MS, _largest))
    yield say("source-record-active-count", meter.active)
    yield say("source-record-active-count-avg", meter.look(Spread.ACTIVE, _average))
    yield say("source-record-active-count-max", meter.look(Spread.ACTIVE, _largest))
    yield say("transaction-size-avg", meter.look(Spread.TRANSACTION, _average))
    yield say("transaction-size-max", meter.look(Spread.TRANSACTION, _largest))
    yield say("transaction-size-min", meter.look(Spread.TRANSACTION, lambda window: window.smallest))


def _sink(meter: TaskMeter, tags: dict[str, str]) -> Iterator[Measurement]:
    def say(name: str, value: float) -> Measurement:
        return Measurement("sink-task-metrics", name, value, tags)

    for total, rate in (
        (Total.READ, "sink-record-read-rate"),
        (Total.SENT, "sink-record-send-rate"),
        (Total.COMMITS, "offset-commit-completion-rate"),
        (Total.LATE_COMMITS, "offset-commit-skip-rate"),
    ):
        yield say(total.value, meter.total(total))
        yield say(rate, meter.rate(total))
    yield say(Total.COMMIT_REQUESTS.value, meter.total(Total.COMMIT_REQUESTS))
    yield say("partition-count", meter.partitions)
    yield say("put-batch-avg-time-ms", meter.look(Spread.PUT_MS, _average))
    yield say("put-batch-max-time-ms", meter.look(Spread.PUT_MS, _largest))
    yield say("sink-record-active-count", meter.active)
    yield say("sink-record-active-count-avg", meter.look(Spread.ACTIVE, _average))
    yield say("sink-record-active-count-max", meter.look(Spread.ACTIVE, _largest))
    yield say("sink-record-lag-max", meter.look(Spread.LAG, _largest))
