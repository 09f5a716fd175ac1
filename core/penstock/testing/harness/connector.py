"""The part of a harness that sources and sinks have in common: a connector, its configuration, its first task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from penstock.api import Connector, Task
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError, TaskStopped
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins
from penstock.plugins.settings import PluginSettings
from penstock.runtime.connector import WorkerConnector
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.runtime.task import WorkerTask
from penstock.runtime.tolerance import RecordFailure
from penstock.testing.harness.calls import Call, CallLog, watched
from penstock.testing.harness.carried import CarriedConverter, CarriedHeaders
from penstock.testing.harness.clock import Clock
from penstock.testing.harness.given import path_of
from penstock.testing.harness.kafka import HarnessKafka

__all__ = [
    "CONVERTERS",
    "ConfigRefusedError",
    "ConnectorHarness",
    "FailureLog",
    "HarnessError",
    "Settings",
    "config_errors",
    "installed_plugins",
]

#: A connector's configuration; a class stands for its name.
Settings = Mapping[str, str | type]
_Task = TypeVar("_Task", bound=WorkerTask)
#: The worker's own converters, for configurations that name none.
CONVERTERS: Final = {
    "key.converter": path_of(CarriedConverter),
    "value.converter": path_of(CarriedConverter),
    "header.converter": path_of(CarriedHeaders),
}


class HarnessError(RuntimeError):
    """The harness was used in a way that no worker would use a connector."""


class ConfigRefusedError(ConfigError):
    """A configuration that a worker would refuse. `errors` has the settings with what is wrong with each."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("\n".join(f"{name}: {text}" for name, texts in errors.items() for text in texts))
        self.errors = dict(errors)


@cache
def installed_plugins() -> Plugins:
    """Return the plugins that are installed, found once."""
    return Plugins.discover(PluginSettings.load(None))


def config_errors(
    connector: type[Connector], config: Settings, *, plugins: Plugins | None = None, exactly_once: bool = False
) -> dict[str, list[str]]:
    """Return what a worker finds wrong with a configuration, by setting; empty if it takes it.

    Everything is asked that ``PUT /connector-plugins/NAME/config/validate`` asks: the connector, the common settings,
    transforms, predicates and converters. ``name`` and ``connector.class`` need not be given.
    """
    validator = ConnectorValidator(plugins or installed_plugins(), CONVERTERS, exactly_once=exactly_once)
    infos = validator.validate(_named({"name": "harness", "connector.class": connector, **config}))
    values = [info["value"] for info in infos["configs"] if info["value"] is not None]
    return {value["name"]: list(value["errors"]) for value in values if value["errors"]}


def _named(config: Settings) -> dict[str, str]:
    return {key: path_of(value) if isinstance(value, type) else value for key, value in config.items()}


class ConnectorHarness(ABC, Generic[_Task]):
    """Runs a connector and one of its tasks by hand, in the caller's thread, through the worker's own code.

    Use it in a ``with`` statement. What fails the connector or the task ends it, as in a worker, and stands in `failure`;
    a failure that nobody has looked at is raised at the end of the statement.
    """

    def __init__(
        self,
        connector: type[Connector],
        config: Settings,
        *,
        task: int,
        prepare: Callable[[Any], None] | None,
        clock: Clock | None,
        plugins: Plugins | None,
        exactly_once: bool,
    ) -> None:
        """`task` is the number of the task that runs, among those that ``tasks.max`` allows. `prepare` is called with each
        connector and each task before its `start`: to put a fake of the outer world in, or the harness's clock."""
        self.clock = clock or Clock()
        #: The fake of Kafka.
        self.kafka = HarnessKafka()
        #: The records that failed on their way, tolerated or not: stage, error and record of each.
        self.failures: list[RecordFailure] = []
        #: How often the connector has asked to be divided into tasks anew.
        self.reconfigurations = 0
        #: The configurations that the connector has made for its tasks, as the tasks get them.
        self.task_configs: list[dict[str, str]] = []
        #: The states that were reported: ``connector`` or ``task``, and the state.
        self.states: list[tuple[str, State]] = []
        self._kind, self._prepare = connector, prepare or (lambda plugin: None)
        self._plugins = plugins or installed_plugins()
        self._exactly_once = exactly_once
        self.config = _named({"name": "harness", "tasks.max": "1", "connector.class": connector, **config})
        self.name = self.config["name"]
        self._id = ConnectorTaskId(self.name, task)
        self._log = CallLog(self.clock)
        self._worker_config = WorkerConfig.parse(
            {
                "bootstrap.servers": "harness:9092",
                "offset.storage.file.filename": "offsets",
                "topic.creation.enable": "true",
                **CONVERTERS,
            },
            "standalone",
        )
        self._connector: WorkerConnector | None = None
        self._task: _Task | None = None
        self._failure: BaseException | None = None
        self._seen = False

    # ---- life

    def __enter__(self) -> Self:
        if self._connector is None:
            try:
                self.start()
            except BaseException:
                self.stop()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()
        if self._failure is None or self._seen:
            return
        if error is None:
            raise self._failure
        error.add_note(f"The connector under test has failed: {self._failure!r}")

    def start(self) -> Self:
        """Check the configuration, start the connector, and then the task. Raises `ConfigRefusedError`."""
        errors = config_errors(self._kind, self.config, plugins=self._plugins, exactly_once=self._exactly_once)
        if errors:
            raise ConfigRefusedError(errors)
        connector = watched(self._kind, self._log, "connector.")()
        self._prepare(connector)
        self._connector = WorkerConnector(self.name, connector, self.config, self, self._note_reconfiguration)
        if self._connector.bring_to(TargetState.STARTED) is None:
            self._start_task(self._divided())
        return self

    def stop(self) -> None:
        """Stop task and connector in the worker's order: the task commits what is safe, and is closed. May be called again."""
        if self._task is not None:
            self._task.stop()
            self._end_task(None)
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.shut_down()

    def kill(self) -> None:
        """End task and connector as the end of their process would, as far as Kafka can see: nothing is sent or committed
        any more, and a sink's `close` is not called. `stop` is, so that no file or thread stays behind."""
        if self._task is not None:
            self._task.cancel()
        self.stop()

    def restart(self, config: Settings | None = None) -> Self:
        """Begin again with new instances, where the committed offsets say. `config` is laid over the configuration."""
        self.stop()
        self.config.update(_named(config or {}))
        self._failure, self._seen = None, False
        return self.start()

    def pause(self) -> None:
        """Ask for a pause. It takes effect with the next round."""
        self._change_to(TargetState.PAUSED)

    def resume(self) -> None:
        """Ask to go on. It takes effect with the next round."""
        self._change_to(TargetState.STARTED)

    def _change_to(self, target: TargetState) -> None:
        self._running.transition_to(target)
        if self._connector is not None:
            self._connector.bring_to(target)

    def reconfigure(self) -> bool:
        """Ask the connector for its tasks' configurations again, and restart the task if its own has changed, as a worker
        does after `reconfigurations` has gone up. Returns whether it was restarted."""
        before = self._own_config()
        now = self._divided()
        if now == before:
            return False
        if self._task is not None:
            self._task.stop()
            self._end_task(None)
        self._start_task(now)
        return True

    # ---- what came of it

    @property
    def calls(self) -> list[Call]:
        """Return the calls of the connector (``connector.start``) and its tasks (``put``), and the requests that a sink's
        task made (``context.pause``), in order."""
        return self._log.since()

    def calls_of(self, *names: str) -> list[Call]:
        """Return the calls with one of these names."""
        return [call for call in self.calls if call.name in names]

    @property
    def failure(self) -> BaseException | None:
        """Return the error that has failed the connector or the task; None while both are well."""
        self._seen = True
        return self._failure

    @property
    def connector(self) -> Any:
        """Return the connector's instance."""
        if self._connector is None:
            raise HarnessError("the connector does not run; use the harness in a `with` statement, or call start()")
        return self._connector.connector

    @property
    @abstractmethod
    def task(self) -> Any:
        """The task's instance."""

    @property
    def is_running(self) -> bool:
        """Return whether the task runs: it was started, and was neither stopped nor failed."""
        return self._task is not None

    # ---- `penstock.runtime.status.StatusListener`

    def on_connector(
        self, connector: str, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        self.states.append(("connector", state))
        self._failed(error)

    def on_task(
        self, task: ConnectorTaskId, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        self.states.append(("task", state))
        self._failed(error)

    def _failed(self, error: BaseException | None) -> None:
        if error is not None and self._failure is None:
            self._failure, self._seen = error, False

    def _note_reconfiguration(self, name: str) -> None:
        self.reconfigurations += 1

    # ---- inside

    def _divided(self) -> dict[str, str] | None:
        """Return the configuration of the task that runs here; None if the connector could not divide its work."""
        if self._connector is None:
            raise HarnessError("the connector does not run")
        try:
            self.task_configs = self._connector.task_configs()
        except Exception as error:
            self._failed(error)
            return None
        return self._own_config()

    def _own_config(self) -> dict[str, str] | None:
        number = self._id.task
        if number < len(self.task_configs):
            return self.task_configs[number]
        if self.task_configs or number:
            raise HarnessError(
                f"there is no task {number}: the connector has made {len(self.task_configs)} configurations"
            )
        return None

    def _start_task(self, config: Mapping[str, str] | None) -> None:
        if config is None:
            return
        try:
            self._task = self._made_task(config, self.connector.task_class)
        except Exception as error:
            self.on_task(self._id, State.FAILED, error)
            return
        self._attempt(self._task.begin)
        if self._task is not None:
            self._started()

    @abstractmethod
    def _made_task(self, config: Mapping[str, str], task_class: type[Task]) -> _Task:
        """Return the worker's task, which is not started."""

    def _started(self) -> None:
        """The task has started."""

    @property
    def _running(self) -> _Task:
        if self._task is None:
            reason = "" if self._failure is None else f": {self._failure!r}"
            raise HarnessError(f"the task does not run{reason}")
        return self._task

    def _attempt(self, call: Callable[[], Any]) -> None:
        """Do a part of the task's loop; what it raises ends the task, as in the worker's thread."""
        try:
            call()
        except TaskStopped:
            self._end_task(None)
        except Exception as error:
            self._end_task(error)

    def _end_task(self, error: BaseException | None) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.end(error)


class FailureLog:
    """Keeps the failures of records that the worker reports; a `penstock.runtime.tolerance.Reporter`."""

    def __init__(self, failures: list[RecordFailure]) -> None:
        self._failures = failures

    def prepare(self) -> None:
        """Do nothing."""

    def report(self, failure: RecordFailure) -> None:
        self._failures.append(failure)

    def flush(self, timeout: float) -> None:
        """Do nothing: a failure is kept at once."""

    def close(self) -> None:
        """Do nothing."""
