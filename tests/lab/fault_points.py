"""Kill -9 at labelled steps of the commit paths, from inside the worker process.

``PENSTOCK_TEST_FAULT=LABEL:COUNT`` in a worker's environment ends the process the COUNT-th time that it is at that step.
`install` wraps the step's function; the module `lab.faulty`, whose connectors the worker is given, calls it. Production
code knows nothing of it.
"""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["POINTS", "VARIABLE", "FaultPoint", "install"]

VARIABLE: Final = "PENSTOCK_TEST_FAULT"


@dataclass(frozen=True, slots=True)
class FaultPoint:
    """A step: just before a function is called, right after it has returned, or, for one that writes, with half of it done."""

    target: str
    when: Literal["before", "after", "half"]
    #: The number of the meeting with the step at which the process ends, unless the test says otherwise.
    count: int = 3


_SINK, _SOURCE = "penstock.runtime.sink", "penstock.runtime.source"
_FILE = "penstock_connectors.files.exact_file:ExactFile"
_TRANSACTIONS = "penstock.kafka.transactions:TransactionalProducer"

#: By label. The first word is the path that the step is on.
POINTS: Final = {
    # a source, at least once
    "source: a batch is polled": FaultPoint("lab.counting_source:CountingTask.poll", "after"),
    "source: a batch is handed to the producer": FaultPoint(f"{_SOURCE}.sending:Sending.send", "after"),
    "source: a commit begins": FaultPoint(f"{_SOURCE}.at_least_once:AtLeastOnce.commit", "before", 5),
    "source: offsets are about to be stored": FaultPoint("penstock.storage.offsets:FileOffsetStore._save", "before"),
    "source: the offsets file is renamed": FaultPoint("penstock.storage.offsets:_sync_folder", "before"),
    "source: offsets are stored": FaultPoint("penstock.storage.offsets:FileOffsetStore.write", "after"),
    # a source, exactly once
    "exact-source: older tasks are about to be fenced": FaultPoint(f"{_TRANSACTIONS}.init", "before", 1),
    "exact-source: older tasks are fenced": FaultPoint(f"{_TRANSACTIONS}.init", "after", 1),
    "exact-source: a transaction is begun": FaultPoint(f"{_TRANSACTIONS}.begin", "after"),
    "exact-source: records are produced": FaultPoint(f"{_SOURCE}.sending:Sending.send", "after"),
    "exact-source: offsets are sent": FaultPoint(f"{_TRANSACTIONS}.commit", "before"),
    "exact-source: the transaction is committed": FaultPoint(f"{_TRANSACTIONS}.commit", "after"),
    "exact-source: the task is told": FaultPoint(f"{_SOURCE}.transaction:Transaction.report", "after"),
    "aborting-source: a transaction is about to be aborted": FaultPoint(f"{_TRANSACTIONS}.abort", "before", 2),
    "aborting-source: a transaction is aborted": FaultPoint(f"{_TRANSACTIONS}.abort", "after", 2),
    # a sink with dead letters
    "sink: a dead letter is about to be sent": FaultPoint(f"{_SINK}.dead_letters:DeadLetterQueue.report", "before"),
    "sink: a dead letter is sent": FaultPoint(f"{_SINK}.dead_letters:DeadLetterQueue.report", "after"),
    "sink: a batch is taken": FaultPoint(f"{_SINK}.offsets:SinkOffsets.taken", "after", 8),
    "sink: dead letters are confirmed": FaultPoint(f"{_SINK}.commits:OffsetCommits._flush_reports", "after"),
    "sink: pre_commit is about to be called": FaultPoint(f"{_SINK}.offsets:SinkOffsets.to_commit", "after"),
    "sink: pre_commit has returned": FaultPoint(f"{_SINK}.offsets:SinkOffsets.safe", "before"),
    "sink: the consumer is about to commit": FaultPoint("penstock.kafka.consuming:GroupConsumer.commit_later", "before"),
    "sink: the commit is sent": FaultPoint("penstock.kafka.consuming:GroupConsumer.commit_later", "after"),
    "sink: the commit is confirmed": FaultPoint(f"{_SINK}.commits:OffsetCommits.committed", "after"),
    # the last commit of a sink that is stopped
    "closing-sink: the last commit is about to be sent": FaultPoint("penstock.kafka.consuming:GroupConsumer.commit_now", "before", 1),
    "closing-sink: the last commit is confirmed": FaultPoint("penstock.kafka.consuming:GroupConsumer.commit_now", "after", 1),
    # jsonlines-sink, exactly once
    "exact-sink: half a batch is written": FaultPoint(f"{_FILE}.write", "half", 8),
    "exact-sink: a batch is written": FaultPoint(f"{_FILE}.write", "after", 8),
    "exact-sink: the data is synced": FaultPoint(f"{_FILE}._save", "before"),
    "exact-sink: the new offsets file is written": FaultPoint(f"{_FILE}._write_aside", "after"),
    "exact-sink: the offsets file is renamed": FaultPoint(f"{_FILE}._sync_folder", "before"),
    "exact-sink: data and offsets are committed": FaultPoint(f"{_FILE}.commit", "after"),
    "exact-sink: the consumer's commit is sent": FaultPoint("penstock.kafka.consuming:GroupConsumer.commit_later", "after"),
    # the start after a crash with half a batch
    "cut-sink: what was not committed is about to be cut off": FaultPoint(f"{_FILE}.roll_back", "before", 1),
    "cut-sink: what was not committed is cut off": FaultPoint(f"{_FILE}.roll_back", "after", 1),
    # the guide's sink, which keeps offsets in its database
    "guide-sink: data and offsets are about to be written": FaultPoint(f"{_SINK}.offsets:SinkOffsets.to_commit", "after"),
    "guide-sink: data and offsets are written": FaultPoint(f"{_SINK}.offsets:SinkOffsets.safe", "before"),
}  # fmt: skip


def install() -> None:
    """Wrap the step that the environment names, if it names one."""
    label, _, count = os.environ.get(VARIABLE, "").rpartition(":")
    if label:
        _wrap(POINTS[label], int(count))


def _wrap(point: FaultPoint, count: int) -> None:
    module_name, _, path = point.target.partition(":")
    owner: Any = importlib.import_module(module_name)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)
    setattr(owner, name, _killing(getattr(owner, name), point.when, count))


def _killing(function: Callable[..., Any], when: str, count: int) -> Callable[..., Any]:
    left = count

    def step(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        if when == "after":  # counts what has returned: a call that raised is made again
            answer = function(*arguments, **named)
            left -= 1
            if left == 0:
                _die()
            return answer
        left -= 1
        if left == 0 and when == "before":
            _die()
        if left == 0 and when == "half":
            *others, data = arguments
            function(*others, data[: len(data) // 2])
            _die()
        return function(*arguments, **named)

    return step


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()  # until it has come
