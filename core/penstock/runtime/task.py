"""A task's life: one thread from start to stop, told what to be, telling what it is."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from penstock.errors import TaskStopped
from penstock.logs import log_failure
from penstock.runtime.disclosure import looked_up_values
from penstock.runtime.retries import Retries
from penstock.runtime.status import ConnectorTaskId, State, StatusListener, TargetState

__all__ = ["WorkerTask"]

_log = logging.getLogger(__name__)


class WorkerTask(ABC):
    """Runs one task in a thread of its own. The worker calls `start`, `transition_to`, `stop`, `await_stop`, `cancel`
    from its threads; the hooks below run in the task's."""

    def __init__(
        self,
        task_id: ConnectorTaskId,
        listener: StatusListener,
        target: TargetState,
        stopping: threading.Event | None = None,
        in_session: Callable[[], bool] | None = None,
    ) -> None:
        """`stopping` is set once the task is to stop, for those parts of it that wait. `in_session` tells whether the
        task is this worker's still; None where there is no group that could give it away."""
        self.id = task_id
        self._listener = listener
        self._changed = threading.Condition()
        self._target = target
        self._cancelled = False
        self._failed = False
        #: True from a pause to the resumption; used by the task's thread alone.
        self._resting = False
        #: Set once the task is to stop; waits in the task's thread end with it.
        self.stopping = stopping or threading.Event()
        #: The retries after a RetriableError of the task's `poll` or `put`.
        self.retries = Retries()
        #: True while the task is this worker's, for all it can know. If False nothing may be written, and a stop will follow.
        self.in_session: Callable[[], bool] = in_session or (lambda: True)
        #: Set from any thread: announce topics again, as if none had been used yet (KIP-558's reset).
        self.topics_forgotten = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"[{task_id.connector}|task-{task_id.task}]", daemon=True
        )

    # ---- from the worker's threads

    def start(self) -> None:
        self._thread.start()

    def transition_to(self, target: TargetState) -> None:
        with self._changed:
            self._target = target
            self._changed.notify_all()
        self.wake()

    def stop(self) -> None:
        """Ask the task to stop; returns at once."""
        self.stopping.set()
        with self._changed:
            self._changed.notify_all()
        self.on_stop()
        self.wake()

    def await_stop(self, timeout: float) -> bool:
        return self._done.wait(timeout)

    def cancel(self) -> None:
        """The task did not stop in time: cut it off from Kafka and report nothing of it any more."""
        with self._changed:
            self._cancelled = True
        self.on_cancel()

    @property
    @abstractmethod
    def version(self) -> str:
        """The plugin's version."""

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def failed(self) -> bool:
        return self._failed

    # ---- what a kind of task does; all but wake, on_stop and on_cancel in the task's thread

    @abstractmethod
    def initialize(self) -> None:
        """Make clients, start the plugin's task."""

    @abstractmethod
    def iterate(self) -> None:
        """One round of work while started; must come back within about a second."""

    @abstractmethod
    def iterate_paused(self) -> None:
        """One round while paused, blocking for up to about a second."""

    @abstractmethod
    def close(self, failed: bool) -> None:
        """Stop the plugin's task, free what `initialize` took; called once, whatever happened before."""

    def wake(self) -> None:
        """End a wait in the task's thread, if there is a way to."""

    def on_stop(self) -> None:
        """`stop` was called; from the caller's thread."""

    def on_cancel(self) -> None:
        """`cancel` was called; from the caller's thread."""

    def on_paused(self) -> None:
        """The task is about to pause."""

    def on_resumed(self) -> None:
        """The task is about to go on."""

    # ---- the thread

    @property
    def paused(self) -> bool:
        return self._target is not TargetState.STARTED

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            self._live()
        except TaskStopped:
            pass
        except BaseException as error:
            failure = error
        self.end(failure)

    def end(self, failure: BaseException | None) -> None:
        """Close the task and tell what became of it. `failure` is what ended its loop; None if it was stopped."""
        if failure is not None:
            failure = looked_up_values(self.id.connector).disclosed(failure)
            self._failed = True
            log_failure(
                _log,
                failure,
                "%s threw an uncaught and unrecoverable exception. Task is being killed and will not recover until manually restarted: %s",
                self._thread.name,
                failure,
            )
        try:
            self.close(failure is not None)
        except BaseException as error:
            shown = looked_up_values(self.id.connector).disclosed(error)
            log_failure(_log, shown, "%s error while closing: %s", self._thread.name, shown)
            failure = failure or shown
        self._end(failure)

    def _end(self, failure: BaseException | None) -> None:
        with self._changed:
            cancelled = self._cancelled
        # A task that was cancelled belongs to nobody any more; another instance may report under its name.
        if not cancelled:
            if failure is not None and not isinstance(failure, TaskStopped):
                self._failed = True
                self._tell(State.FAILED, failure)
            else:
                self._tell(State.UNASSIGNED)
        self._done.set()

    def _tell(self, state: State, error: BaseException | None = None) -> None:
        self._listener.on_task(self.id, state, error, self.version)

    def _live(self) -> None:
        if self.paused and not self.stopping.is_set():
            self._tell(State.PAUSED)
            self._await_resume()
        if self.stopping.is_set():
            return
        self.begin()
        while not self.stopping.is_set():
            self.round()

    def begin(self) -> None:
        """Start the plugin's task and tell that it runs."""
        self.initialize()
        self._tell(State.RUNNING)

    def round(self) -> None:
        """Do one round of the loop: of work, or of waiting while the task is to pause."""
        if self.paused:
            if not self._resting:
                self._resting = True
                self.on_paused()
                self._tell(State.PAUSED)
            self.iterate_paused()
            return
        if self._resting:
            self._resting = False
            self.on_resumed()
            self._tell(State.RUNNING)
        self.iterate()

    def rest(self, seconds: float) -> None:
        """Wait before something is tried again; a stop or a pause that is asked for ends the wait. Task's thread."""
        with self._changed:
            self._changed.wait_for(lambda: self.paused or self.stopping.is_set(), seconds)

    def _await_resume(self, timeout: float | None = None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self.paused or self.stopping.is_set(), timeout)
