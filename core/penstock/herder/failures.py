"""Restarts of failed tasks, where the connector or the worker asks for them (``errors.restart.max``).

Connect leaves a failed task until somebody restarts it. With ``errors.restart.max`` above 0 it is restarted here, after a
pause that doubles from ``errors.restart.backoff.ms`` up to ``errors.restart.backoff.max.ms``; a task that has run well for
longer than the latter begins to count anew. -1 is without limit.

A task that lost its transaction, or its identity while its worker stood still (`TransactionLostError`, `FencedError`), is
restarted in any case, as often as that takes: nothing is wrong with it. The pause keeps two workers that claim the same
identity from taking it from each other all the time. A restart is only made where the task is this worker's still.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from penstock.config import ConfigDef, ConfigType, Importance
from penstock.config.validators import Range
from penstock.errors import ConfigError
from penstock.herder.configs import ConfigReader
from penstock.herder.thread import HerderThread
from penstock.kafka.errors import FencedError, TransactionLostError
from penstock.runtime.status import ConnectorTaskId

__all__ = ["RESTART_KEYS", "FailedTasks", "RestartPolicy", "restart_config_def", "restart_policies"]

_log = logging.getLogger(__name__)
_MAX: Final = "errors.restart.max"
_BACKOFF: Final = "errors.restart.backoff.ms"
_BACKOFF_MAX: Final = "errors.restart.backoff.max.ms"
RESTART_KEYS: Final = (_MAX, _BACKOFF, _BACKOFF_MAX)


def restart_config_def(defaults: Mapping[str, Any] | None = None) -> ConfigDef:
    """`defaults` are the worker's, for connectors that do not say it themselves."""
    given = defaults or {}
    at_least, low = Range.at_least, Importance.LOW
    return (
        ConfigDef()
        .define(_MAX, ConfigType.INT, given.get(_MAX, 0), importance=low, validator=at_least(-1), group="Error Handling",
                doc="How often a failed task is restarted by itself; 0 never, -1 always.")
        .define(_BACKOFF, ConfigType.LONG, given.get(_BACKOFF, 1000), importance=low, validator=at_least(1),
                group="Error Handling", doc="Pause before the first restart; each further one is twice as long.")
        .define(_BACKOFF_MAX, ConfigType.LONG, given.get(_BACKOFF_MAX, 300_000), importance=low, validator=at_least(1),
                group="Error Handling", doc="The longest pause. A task that ran for longer begins to count anew.")
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Times in seconds."""

    limit: int = 0
    backoff: float = 1.0
    longest: float = 300.0

    @classmethod
    def of(cls, config: Mapping[str, str], defaults: Mapping[str, Any] | None = None) -> RestartPolicy:
        values = {
            v.name: v
            for v in restart_config_def(defaults).validate({k: config[k] for k in RESTART_KEYS if k in config})
        }
        if errors := [error for value in values.values() for error in value.errors]:
            raise ConfigError("\n".join(errors))
        return cls(values[_MAX].value, values[_BACKOFF].value / 1000, values[_BACKOFF_MAX].value / 1000)

    def pause(self, before: int) -> float | None:
        """Return the seconds before the next restart, after `before` of them; None for no more."""
        if self.limit >= 0 and before >= self.limit:
            return None
        return min(self.backoff * 2.0 ** min(before, 60), self.longest)


def restart_policies(
    configs: ConfigReader, defaults: Mapping[str, Any] | None = None
) -> Callable[[str], RestartPolicy | None]:
    """Return what says of a connector's name how its failed tasks are restarted; None for one that is not known.

    `defaults` are the worker's own settings, where a connector's fall back to them.
    """

    def policy(name: str) -> RestartPolicy | None:
        entry = configs.get(name)
        try:
            return None if entry is None else RestartPolicy.of(entry.config, defaults)
        except ConfigError as error:  # a configuration out of the topic need not have been validated
            _log.warning("[%s|worker] its failed tasks are not restarted: %s", name, error)
            return None

    return policy


@dataclass(slots=True)
class _History:
    restarts: int = 0
    last: float = float("-inf")


class FailedTasks:
    """Counts failures and restarts. For the herder's thread, except `failed` and `restarts`.

    `restart` must do nothing for a task that is not here or that runs again.
    """

    def __init__(
        self,
        thread: HerderThread,
        policy: Callable[[str], RestartPolicy | None],
        restart: Callable[[ConnectorTaskId], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._thread, self._policy, self._restart, self._clock = thread, policy, restart, clock
        self._lock = threading.Lock()  # for the dictionary alone: `restarts` is asked from any thread
        self._histories: dict[ConnectorTaskId, _History] = {}

    def failed(self, task: ConnectorTaskId, error: BaseException) -> None:
        """Note that a task failed. From any thread."""
        comes_back = isinstance(error, FencedError | TransactionLostError)
        self._thread.submit(lambda: self._failed(task, comes_back))

    def forget(self, connector: str) -> None:
        """Begin to count anew: the connector is gone, or somebody changed it."""
        with self._lock:
            self._histories = {t: h for t, h in self._histories.items() if t.connector != connector}

    def restarts(self, connector: str) -> dict[int, int]:
        """Return how often each task was restarted, by its number."""
        with self._lock:
            return {t.task: h.restarts for t, h in self._histories.items() if t.connector == connector}

    def _failed(self, task: ConnectorTaskId, comes_back: bool) -> None:
        policy = self._policy(task.connector)
        if policy is not None and comes_back:
            policy = replace(policy, limit=-1)
        if policy is None or policy.limit == 0:
            return
        with self._lock:
            history = self._histories.setdefault(task, _History())
        if self._clock() - history.last > policy.longest:
            history.restarts = 0
        pause = policy.pause(history.restarts)
        if pause is None:
            _log.error("%s failed after %d restarts; it stays down", task.label, history.restarts)
            return
        history.restarts += 1
        _log.warning("%s failed; restart %d in %g s", task.label, history.restarts, pause)
        self._thread.submit(lambda: self._again(task, history), pause)

    def _again(self, task: ConnectorTaskId, history: _History) -> None:
        if self._histories.get(task) is history:
            history.last = self._clock()
            self._restart(task)
