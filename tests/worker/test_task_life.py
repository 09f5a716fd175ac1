"""A task's thread: what ends its waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.runtime.task import WorkerTask


class Listener:
    """Keeps the states a task was told to be in, and waits for one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.states: list[State] = []

    def on_connector(
        self, connector: str, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None: ...

    def on_task(
        self, task: ConnectorTaskId, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def reached(self, state: State) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: state in self.states, 20)


class Waiting(WorkerTask):
    """A task whose every round waits for an hour, as one does before a `poll` is tried again."""

    version = "1"

    def initialize(self) -> None: ...

    def iterate(self) -> None:
        self.rest(3600)

    def iterate_paused(self) -> None:
        self._await_resume(1.0)

    def close(self, failed: bool) -> None: ...


@pytest.mark.parametrize(
    ("act", "state"),
    [
        (lambda task: task.transition_to(TargetState.PAUSED), State.PAUSED),
        (lambda task: task.stop(), State.UNASSIGNED),
    ],
    ids=["pause", "stop"],
)
def test_a_pause_or_a_stop_ends_the_wait_before_a_retry(act: Callable[[WorkerTask], None], state: State) -> None:
    listener = Listener()
    task = Waiting(ConnectorTaskId("c", 0), listener, TargetState.STARTED)
    task.start()
    assert listener.reached(State.RUNNING)
    act(task)
    assert listener.reached(state)
    task.stop()
    assert task.await_stop(20)
