"""A connector instance's life, in a thread of its own (``WorkerConnector``)."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping

from penstock.api import Connector, PluginMetrics
from penstock.errors import ConfigError, ConnectError
from penstock.logs import log_failure
from penstock.runtime.disclosure import looked_up_values
from penstock.runtime.status import State, StatusListener, TargetState
from penstock.storage.config_records import java_int

__all__ = ["WorkerConnector"]

_log = logging.getLogger(__name__)
Done = Callable[[BaseException | None], None]


class WorkerConnector:
    """Brings one connector instance to the state asked for. Methods are safe from any thread and do not block, but
    for `await_stop` and `task_configs`."""

    def __init__(
        self,
        name: str,
        connector: Connector,
        config: Mapping[str, str],
        listener: StatusListener,
        request_reconfiguration: Callable[[str], None],
        before_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`before_start` is called before each start of the connector, from its thread; what it raises fails it."""
        self._before_start = before_start
        self.name = name
        self.connector = connector
        self.config = config
        self._listener = listener
        self._request_reconfiguration = request_reconfiguration
        self._asked: queue.SimpleQueue[tuple[TargetState | None, Done | None]] = queue.SimpleQueue()
        #: Held while the connector's own methods run, which may take long.
        self._guard = threading.RLock()
        self._done = threading.Event()
        #: Guards what follows; never held while anybody else's code runs.
        self._lock = threading.Lock()
        self._state: State | None = None
        self._cancelled = False
        #: True from the return of the connector's `start` to the call of its `stop`; used by its own thread alone.
        self._started = False
        self._thread = threading.Thread(target=self._run, name=f"[{name}|worker]", daemon=True)

    # ---- penstock.api.ConnectorContext

    def request_task_reconfiguration(self) -> None:
        if not self._current_state()[1]:
            self._request_reconfiguration(self.name)

    def raise_error(self, error: BaseException) -> None:
        state, cancelled = self._current_state()
        if cancelled or state is State.FAILED:
            return
        error = looked_up_values(self.name).disclosed(error)
        log_failure(_log, error, "[%s|worker] the connector reported a failure: %s", self.name, error)
        self._become(State.FAILED, error)

    @property
    def plugin_metrics(self) -> PluginMetrics:
        return self.connector.metrics

    def _current_state(self) -> tuple[State | None, bool]:
        """Return the state, and whether the connector was cancelled."""
        with self._lock:
            return self._state, self._cancelled

    # ---- for the worker

    def start(self, target: TargetState, done: Done) -> None:
        self._asked.put((target, done))
        self._thread.start()

    def transition_to(self, target: TargetState, done: Done | None = None) -> None:
        self._asked.put((target, done))

    def stop(self) -> None:
        self._asked.put((None, None))

    def await_stop(self, timeout: float) -> bool:
        """Wait for `stop` to have its effect, for up to `timeout` seconds; whether it had.

        A connector that takes longer is abandoned: it counts as stopped, and nothing it says is heard any more.
        """
        stopped = self._done.wait(timeout)
        if not stopped:
            self._become(State.UNASSIGNED)  # before: a new instance may report under the name at once
            with self._lock:
                self._cancelled = True
            _log.error("[%s|worker] the connector did not stop in time and is abandoned", self.name)
        return stopped

    def task_configs(self) -> list[dict[str, str]]:
        """Return a configuration for each task: the connector's answer, with what the worker adds.

        The connector's own lock keeps it from being stopped meanwhile. Raises `ConnectError` if it is not running or
        ignores ``tasks.max``."""
        limit = _tasks_max(self.config)
        with self._guard:
            if not self.running:
                raise ConnectError(f"Connector {self.name} is not running and cannot divide its work into tasks")
            configs = [dict(config) for config in self.connector.task_configs(limit)]
            task_class = self.connector.task_class
        if len(configs) > limit:
            self._too_many_tasks(len(configs), limit)
        common = {"task.class": task_class.java_class or f"{task_class.__module__}.{task_class.__qualname__}"}
        common |= {key: self.config[key] for key in ("topics", "topics.regex") if self.config.get(key)}
        return [{**task_config, **common} for task_config in configs]

    def _too_many_tasks(self, count: int, limit: int) -> None:
        # KIP-1004: a connector that ignores tasks.max is stopped by it, unless its owner says otherwise.
        text = f"The connector {self.name} has generated {count} tasks, which is greater than {limit}, the maximum number of tasks it is configured to create."
        if self.config.get("tasks.max.enforce", "true").strip().lower() != "false":
            raise ConnectError(f"{text} If this connector is known to be correct, set tasks.max.enforce to false.")
        _log.warning("%s", text)

    @property
    def running(self) -> bool:
        return self._current_state()[0] is State.RUNNING

    # ---- the thread

    def _run(self) -> None:
        while True:
            target, done = self._asked.get()
            if target is None:
                break
            error = self.bring_to(target)
            if done is not None:
                done(error)
        self.shut_down()
        self._done.set()

    def bring_to(self, target: TargetState) -> BaseException | None:
        """Start or stop the connector, and return the error if that failed. For the connector's own thread."""
        # A failed connector can only be stopped or restarted, as in Kafka (KIP-875): paused, it still shows why it failed.
        if self._current_state()[0] is State.FAILED and target is not TargetState.STOPPED:
            return ConnectError(f"Connector {self.name} has failed and must be restarted first")
        try:
            with self._guard:
                self._change_to(target)
        except Exception as failure:
            error = looked_up_values(self.name).disclosed(failure)
            log_failure(_log, error, "[%s|worker] error while starting or stopping the connector: %s", self.name, error)
            self._become(State.FAILED, error)
            return error
        return None

    def _change_to(self, target: TargetState) -> None:
        wanted = {
            TargetState.STARTED: State.RUNNING,
            TargetState.PAUSED: State.PAUSED,
            TargetState.STOPPED: State.STOPPED,
        }[target]
        if self._current_state()[0] is wanted:
            return
        if wanted is State.RUNNING:
            self._before_start()
            self.connector.initialize(self)
            self.connector.start(self.config)
            self._started = True
        elif self._started:
            self._started = False
            self.connector.stop()
        self._become(wanted)

    def _become(self, state: State, error: BaseException | None = None) -> None:
        with self._lock:
            self._state = state
            cancelled = self._cancelled
        if not cancelled:
            self._listener.on_connector(self.name, state, error, type(self.connector).version)

    def shut_down(self) -> None:
        """Stop the connector for good. For the connector's own thread, once."""
        state = self._current_state()[0]
        try:
            with self._guard:
                if self._started or state is State.FAILED:  # a start that failed halfway may have taken something
                    self.connector.stop()
                self.connector.close()
        except Exception as failure:
            error = looked_up_values(self.name).disclosed(failure)
            log_failure(_log, error, "[%s|worker] error while stopping the connector: %s", self.name, error)
            self._become(State.FAILED, error)
            return
        if state is not State.FAILED:
            self._become(State.UNASSIGNED)


def _tasks_max(config: Mapping[str, str]) -> int:
    """Return ``tasks.max``. The configuration may come out of a topic, so it need not have been validated."""
    text = config.get("tasks.max", "1").strip()
    number = java_int(text)
    if number is None or number < 1:
        raise ConfigError("tasks.max", text[:50], "Value must be at least 1")
    return number
