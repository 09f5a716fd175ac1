"""What a source task reads of its offsets, while they cannot be read and while it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from penstock.errors import DataError, RetriableError, TaskStopped
from penstock.runtime.source.context import TaskOffsetReader
from penstock.runtime.status import ConnectorTaskId
from penstock.storage import MemoryOffsetStore

TASK = ConnectorTaskId("lines", 0)
FILE = {"filename": "a"}


class BusyStore(MemoryOffsetStore):
    """A store that cannot be read at first; each read takes an error off `errors`, or waits for `answered` if it has one."""

    def __init__(self, errors: Sequence[BaseException] = (), answered: threading.Event | None = None) -> None:
        super().__init__()
        self.errors, self.answered = list(errors), answered
        self.asked = threading.Event()

    def read(self, connector: str, partitions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
        self.asked.set()
        if self.errors:
            raise self.errors.pop(0)
        if self.answered is not None:
            assert self.answered.wait(60)
        return super().read(connector, partitions)


def test_a_task_waits_for_its_offsets_however_long_a_transaction_or_an_outage_holds_them_up() -> None:
    store = BusyStore([RetriableError("an open transaction holds it up")] * 3)
    store.write("lines", [(FILE, {"position": 5})])
    reader = TaskOffsetReader(store, TASK, threading.Event())
    assert reader.offset(FILE) == {"position": 5}
    assert reader.offsets([FILE, {"filename": "b"}]) == [{"position": 5}, None]


def test_an_error_that_does_not_pass_fails_the_task() -> None:
    with pytest.raises(DataError, match="no JSON"):
        TaskOffsetReader(BusyStore([DataError("no JSON")]), TASK, threading.Event()).offset(FILE)


def test_a_stop_ends_the_wait() -> None:
    store, stopping, ends = BusyStore(answered=threading.Event()), threading.Event(), list[BaseException]()

    def read() -> None:
        try:
            TaskOffsetReader(store, TASK, stopping).offset(FILE)
        except TaskStopped as end:
            ends.append(end)

    task = threading.Thread(target=read)
    task.start()
    assert store.asked.wait(60)
    stopping.set()
    task.join(60)
    assert store.answered is not None
    store.answered.set()
    assert [str(end) for end in ends] == ["[lines|task-0] was stopped while it waited"]
