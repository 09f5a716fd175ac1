"""``penstock dev --once``: wait until everything that can be read has gone through, then compare counts."""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, Final

from penstock.cli.wiring import StandaloneProcess
from penstock.herder.interface import ConnectorStateInfo
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.meters import Total
from penstock.runtime.sink import WorkerSinkTask
from penstock.runtime.source.task import WorkerSourceTask
from penstock.runtime.status import State

__all__ = ["Patience", "run_once", "say"]

_TICK_S: Final = 0.05
#: Seconds without any progress after which the wait is explained.
_QUIET_S: Final = 5.0


def say(what: str, text: str) -> None:
    """Print one line of what a user of ``penstock dev`` wants to know."""
    print(f"{what + ':':<18}{text}", flush=True)


class Patience:
    """Says when a wait is to be explained: once for each reason, after `quiet_s` seconds in which nothing changed."""

    def __init__(self, quiet_s: float = _QUIET_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet, self._clock = quiet_s, clock
        self._since = clock()
        self._state: object = None
        self._told: Sequence[str] = ()

    def explain(self, reasons: Sequence[str], progress: object) -> bool:
        """Return whether to tell `reasons` now. `progress` is anything that differs whenever something has moved."""
        state = (tuple(reasons), progress)
        if state != self._state:
            self._state, self._since = state, self._clock()
        if not reasons or tuple(reasons) == self._told or self._clock() - self._since < self._quiet:
            return False
        self._told = tuple(reasons)
        return True


def run_once(process: StandaloneProcess, names: Sequence[str], unread: UnreadLimit, stop: threading.Event) -> int:
    """Wait until the sources are read to their end and the sinks have everything, then stop the tasks.

    Return the exit status: 0, or 1 if something failed, is missing, or `stop` was set before the end.
    """
    patience = Patience()
    while not (stop.is_set() or _failures(process, names)):
        reasons = _waiting_for(process, names, unread)
        if not reasons:
            break
        if patience.explain(reasons, _counts(process)):
            print(f"penstock: --once still waits for {'; for '.join(reasons)}", file=sys.stderr)
        time.sleep(_TICK_S)
    failures = _failures(process, names)
    tasks = process.worker.tasks()
    process.worker.stop_tasks(process.worker.task_ids())  # flushes and commits
    _print_schemas(process)
    polled, written, read, sent = _counts_of(tasks)
    say("records", f"{polled} from the sources, {written} to Kafka, {read} from Kafka, {sent} to the sinks")
    failures += _shortfalls(process, tasks)
    for text in failures:
        print(f"penstock: {text}", file=sys.stderr)
    return 1 if failures or stop.is_set() else 0


def _shortfalls(process: StandaloneProcess, tasks: Sequence[object]) -> list[str]:
    """Return a sentence for each sink whose counts show that records are missing.

    A sink is only held to what the sources wrote if it reads all of their topics, and to what it read if nothing may
    leave records out on the way: no transform, no tolerance.
    """
    sources = [t for t in tasks if isinstance(t, WorkerSourceTask)]
    sinks = [t for t in tasks if isinstance(t, WorkerSinkTask)]
    written_topics = {topic for t in sources for topic in process.herder.connector_topics(t.id.connector)}
    written = sum(t.meter.total(Total.WRITTEN) for t in sources)
    found = []
    for name in sorted({task.id.connector for task in sinks}):
        own = [task for task in sinks if task.id.connector == name]
        read, sent = sum(task.read for task in own), sum(task.sent for task in own)
        config = process.herder.connector_config(name)
        keeps_all = not config.get("transforms") and config.get("errors.tolerance", "none") == "none"
        short = written_topics <= set(process.herder.connector_topics(name)) and read != written
        if short or (keeps_all and read != sent):
            found.append(
                f"counts differ for sink {name}: {written} records were written to Kafka, {read} read back, {sent} given to it"
            )
    return found


def _counts(process: StandaloneProcess) -> tuple[int, int, int, int]:
    return _counts_of(process.worker.tasks())


def _counts_of(tasks: Sequence[object]) -> tuple[int, int, int, int]:
    """Return how many records were polled, written, read and sent."""
    sources = [t for t in tasks if isinstance(t, WorkerSourceTask)]
    sinks = [t for t in tasks if isinstance(t, WorkerSinkTask)]
    return (
        sum(t.meter.total(Total.POLLED) for t in sources),
        sum(t.meter.total(Total.WRITTEN) for t in sources),
        sum(t.read for t in sinks),
        sum(t.sent for t in sinks),
    )


def _statuses(process: StandaloneProcess, names: Sequence[str]) -> list[ConnectorStateInfo]:
    return [process.herder.connector_status(name) for name in names]


def _failures(process: StandaloneProcess, names: Sequence[str]) -> list[str]:
    """Return a sentence for each connector and task that failed."""
    found = []
    for status in _statuses(process, names):
        if status.connector.state is State.FAILED:
            found.append(f"connector {status.name} failed: {_causes(status.connector.trace)}")
        found += [
            f"task {task.id.task} of connector {status.name} failed: {_causes(task.trace)}"
            for task in status.tasks
            if task.state is State.FAILED
        ]
    return found


def _causes(trace: str | None) -> str:
    """Return the sentences of a trace without its frames, which the log has at DEBUG."""
    return "\n".join(line for line in (trace or "").splitlines() if not line.startswith("\tat "))


def _waiting_for(process: StandaloneProcess, names: Sequence[str], unread: UnreadLimit) -> list[str]:
    """Return what is still to come before all is done; nothing once it is."""
    statuses = _statuses(process, names)
    missing = [f"connector {s.name}, which has no tasks yet" for s in statuses if not s.tasks]
    tasks = process.worker.tasks()
    if not missing and len(tasks) < sum(len(s.tasks) for s in statuses):
        missing = ["tasks to start"]
    endless = [
        f"source task {task.id}, which has not come to an end: many sources wait for more records by default (look for a "
        "setting such as file.end=stop); interrupt it (Ctrl-C) to stop"
        for task in tasks
        if isinstance(task, WorkerSourceTask) and not task.exhausted
    ]
    unread_bytes = [f"{unread.unread} bytes that no sink has read yet"] if unread.unread else []
    busy = [
        f"sink task {task.id} to take what it has read"
        for task in tasks
        if isinstance(task, WorkerSinkTask) and not task.idle
    ]
    return missing + endless + unread_bytes + busy


def _print_schemas(process: StandaloneProcess) -> None:
    """Print the newest schema of each subject, as the registry gives it over HTTP."""
    if process.registry is None:
        return
    url = process.registry.urls[0].rstrip("/")
    for subject in _get(f"{url}/subjects"):
        latest = _get(f"{url}/subjects/{subject}/versions/latest")
        say("schema", f"{subject} version {latest['version']}, id {latest['id']}: {latest['schema']}")


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an http URL of this process's own
        return json.load(answer)
