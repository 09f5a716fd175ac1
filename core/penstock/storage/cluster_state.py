"""What the topic of configurations says: a snapshot, and the rules that make one record after another into it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

from penstock.errors import ConnectError, DataError
from penstock.storage import javabase64, jsontext
from penstock.storage.config_records import (
    CONNECTOR,
    LOGGER,
    RESTART,
    SESSION_KEY,
    TARGET_STATE,
    TASK,
    TASK_COUNT,
    TASK_TARGET_STATE,
    TASKS_COMMIT,
    SessionKey,
    parse_task_key,
)
from penstock.storage.states import ConnectorTaskId, TargetState

__all__ = ["ClusterConfigState", "ConfigReader", "ConfigUpdateListener"]

_log: Final = logging.getLogger(__name__)


class ConfigUpdateListener(Protocol):
    """Told of changes, after the snapshot has them, from the thread that reads the topic. Must be quick, must not
    read the topic, and must not call the store's writing methods."""

    def on_connector_config_remove(self, connector: str) -> None: ...

    def on_connector_config_update(self, connector: str) -> None: ...

    def on_task_config_update(self, tasks: Sequence[ConnectorTaskId]) -> None: ...

    def on_connector_target_state_change(self, connector: str) -> None: ...

    def on_task_target_state_change(self, task: ConnectorTaskId) -> None: ...

    def on_session_key_update(self, key: SessionKey) -> None: ...

    def on_restart_request(self, connector: str, only_failed: bool, include_tasks: bool) -> None: ...

    def on_logging_level_update(self, namespace: str, level: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ClusterConfigState:
    """The cluster's configurations as of one offset. Immutable. Configurations are raw: placeholders unresolved."""

    #: Of the record that comes next: workers compare it to know who has read how far.
    offset: int = -1
    session_key: SessionKey | None = None
    #: Names and configurations of connectors.
    connectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    task_counts: Mapping[str, int] = field(default_factory=dict)
    #: May hold more tasks than a connector still has; `tasks` knows.
    task_configs: Mapping[ConnectorTaskId, Mapping[str, str]] = field(default_factory=dict)
    target_states: Mapping[str, TargetState] = field(default_factory=dict)
    #: One task's own, where one was set.
    task_target_states: Mapping[ConnectorTaskId, TargetState] = field(default_factory=dict)
    task_count_records: Mapping[str, int] = field(default_factory=dict)
    task_config_generations: Mapping[str, int] = field(default_factory=dict)
    #: Connectors with task configurations newer than their last task count record: old producers may still write.
    pending_fencing: frozenset[str] = frozenset()
    #: The connector's configuration that its current task configurations were made from.
    applied_configs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Connectors whose task configurations are not all there (compaction): they must be generated again.
    inconsistent: frozenset[str] = frozenset()

    def contains(self, connector: str) -> bool:
        return connector in self.connectors

    def target_state(self, connector: str) -> TargetState | None:
        return self.target_states.get(connector)

    def task_count(self, connector: str) -> int:
        return self.task_counts.get(connector, 0)

    def tasks(self, connector: str) -> list[ConnectorTaskId]:
        """In the order of their numbers; none while the connector is inconsistent."""
        if connector in self.inconsistent:
            return []
        return [ConnectorTaskId(connector, i) for i in range(self.task_count(connector))]

    def task_config(self, task: ConnectorTaskId) -> Mapping[str, str] | None:
        return self.task_configs.get(task)


#: What a record means for a listener.
News = Callable[[ConfigUpdateListener], None]
_Tasks = dict[ConnectorTaskId, Mapping[str, str]]


class ConfigReader:
    """Makes a snapshot of records, one after another. For one thread at a time; no I/O.

    Records that make no sense are logged and skipped, as the JVM worker does; those it fails on raise a `ConnectError`
    and change nothing.
    """

    def __init__(self) -> None:
        self._offset = -1
        self._session_key: SessionKey | None = None
        self._connectors: dict[str, Mapping[str, str]] = {}
        self._task_counts: dict[str, int] = {}
        self._task_configs: _Tasks = {}
        self._deferred: dict[str, _Tasks] = {}
        self._targets: dict[str, TargetState] = {}
        self._task_targets: dict[ConnectorTaskId, TargetState] = {}
        self._count_records: dict[str, int] = {}
        self._generations: dict[str, int] = {}
        self._pending_fencing: set[str] = set()
        self._applied: dict[str, Mapping[str, str]] = {}
        self._inconsistent: set[str] = set()

    def snapshot(self) -> ClusterConfigState:
        frozen = MappingProxyType
        return ClusterConfigState(
            self._offset,
            self._session_key,
            frozen(dict(self._connectors)),
            frozen(dict(self._task_counts)),
            frozen(dict(self._task_configs)),
            frozen(dict(self._targets)),
            frozen(dict(self._task_targets)),
            frozen(dict(self._count_records)),
            frozen(dict(self._generations)),
            frozenset(self._pending_fencing),
            frozen(dict(self._applied)),
            frozenset(self._inconsistent),
        )

    def read(self, key: str, data: bytes | None, offset: int) -> News | None:
        """Take one record in. Returns the news to tell a listener, if any; the caller tells it, after its locks."""
        try:
            value = jsontext.loads(data)
        except DataError as error:
            _log.error("Config topic: the record %s at offset %d is skipped: %s", key, offset, error)
            return None
        self._offset = offset + 1
        for prefix, take in self._readers():
            if key.startswith(prefix):
                return take(key[len(prefix) :], value)
        if key == SESSION_KEY:
            return self._take_session_key(value)
        _log.error("Config topic: the record at offset %d has a key nobody knows and is skipped: %s", offset, key)
        return None

    def _readers(self) -> tuple[tuple[str, Callable[[str, Any], News | None]], ...]:
        return (
            (TARGET_STATE, self._take_target_state),
            (CONNECTOR, self._take_connector),
            (TASK, self._take_task),
            (TASKS_COMMIT, self._take_commit),
            (RESTART, _take_restart),
            (TASK_COUNT, self._take_task_count),
            (LOGGER, _take_logger),
            (TASK_TARGET_STATE, self._take_task_target),
        )

    def _take_connector(self, name: str, value: Any) -> News | None:
        if value is None:
            self._forget(name)
            return lambda listener: listener.on_connector_config_remove(name)
        config = _properties(value, f"connector {name}")
        if config is None:
            return None
        self._connectors[name] = config
        self._targets.setdefault(name, TargetState.STARTED)
        return lambda listener: listener.on_connector_config_update(name)

    def _forget(self, name: str) -> None:
        # What says which producers are to be fenced stays: a connector made again under the name needs it.
        for known in (self._connectors, self._task_counts, self._deferred, self._applied):
            known.pop(name, None)
        self._task_configs = {task: config for task, config in self._task_configs.items() if task.connector != name}

    def _take_target_state(self, name: str, value: Any) -> News | None:
        if value is None:
            # The connector's own tombstone is the news.
            if name in self._connectors:
                self._targets[name] = TargetState.STARTED
            else:
                self._targets.pop(name, None)
            return None
        state = _target_state(value, f"connector {name}")
        if state is None:
            return None
        before = self._targets.get(name)
        self._targets[name] = state
        if state is before or name not in self._connectors:
            return None  # an initial state stands before the connector itself (KIP-980)
        return lambda listener: listener.on_connector_target_state_change(name)

    def _take_task(self, rest: str, value: Any) -> None:
        task = parse_task_key(TASK + rest, 1)
        if task is None:
            _log.error("Config topic: %s%s is no task and is skipped", TASK, rest)
            return
        config = _properties(value, f"task {task}")
        if config is not None:
            self._deferred.setdefault(task.connector, {})[task] = config

    def _take_commit(self, name: str, value: Any) -> News | None:
        if name not in self._connectors:
            # Deleted meanwhile, and compaction took the connector's own records away.
            self._forget(name)
            return None
        if not isinstance(value, dict):
            _log.error("Config topic: the commit of connector %s's tasks is not an object and is skipped", name)
            return None
        count = _int(value.get("tasks"))
        deferred = self._deferred.get(name)
        updated: list[ConnectorTaskId] = []
        if _complete(deferred or {}, name, count):
            self._applied[name] = self._connectors[name]
            if deferred is not None:
                self._task_configs.update(deferred)
                updated = sorted(deferred)
                self._generations[name] = self._generations.get(name, -1) + 1
            self._inconsistent.discard(name)
        else:
            # Compaction took some task configurations of this commit away; newer ones follow, or must be made.
            self._inconsistent.add(name)
        if deferred is not None:
            deferred.clear()
        self._task_counts[name] = count
        self._pending_fencing.add(name)
        return lambda listener: listener.on_task_config_update(updated)

    def _take_task_count(self, name: str, value: Any) -> None:
        if not isinstance(value, dict):
            _log.error("Config topic: the task count of connector %s is not an object and is skipped", name)
            return
        self._count_records[name] = _int(value.get("task-count"))
        self._pending_fencing.discard(name)

    def _take_session_key(self, value: Any) -> News | None:
        fields = value if isinstance(value, dict) else {}
        text, algorithm, created = (fields.get(k) for k in ("key", "algorithm", "creation-timestamp"))
        raw = javabase64.decode(text) if isinstance(text, str) else None
        if raw is None or not isinstance(algorithm, str) or not isinstance(created, int):
            _log.error("Config topic: the session key is not complete and is skipped")
            return None
        if not raw:
            raise javabase64.Base64Error("Empty key")
        key = self._session_key = SessionKey(raw, algorithm, created)
        return lambda listener: listener.on_session_key_update(key)

    def _take_task_target(self, rest: str, value: Any) -> News | None:
        task = parse_task_key(TASK_TARGET_STATE + rest, 3)
        if task is None:
            _log.error("Config topic: %s%s is no task and is skipped", TASK_TARGET_STATE, rest)
            return None
        before = self._task_targets.get(task)
        if value is None:
            self._task_targets.pop(task, None)
        else:
            state = _target_state(value, f"task {task}")
            if state is None:
                return None
            self._task_targets[task] = state
        if self._task_targets.get(task) is before:
            return None
        return lambda listener: listener.on_task_target_state_change(task)


def _complete(tasks: _Tasks, name: str, count: int) -> bool:
    """Whether the first `count` tasks are all there. The size first: a record may claim two thousand million of them."""
    return len(tasks) >= count and all(ConnectorTaskId(name, i) in tasks for i in range(count))


def _take_restart(name: str, value: Any) -> News | None:
    if not isinstance(value, dict):
        _log.error("Config topic: the restart request for connector %s is not an object and is skipped", name)
        return None
    # Anything but true counts as false, the default of both.
    only_failed, include_tasks = (value.get(k) is True for k in ("only-failed", "include-tasks"))
    return lambda listener: listener.on_restart_request(name, only_failed, include_tasks)


def _take_logger(namespace: str, value: Any) -> News | None:
    level = value.get("level") if isinstance(value, dict) else None
    if not isinstance(level, str):
        _log.error("Config topic: the logging level of %s is not a text and is skipped", namespace)
        return None
    return lambda listener: listener.on_logging_level_update(namespace, level)


def _properties(value: Any, whose: str) -> Mapping[str, str] | None:
    properties = value.get("properties") if isinstance(value, dict) else None
    if not isinstance(properties, dict):
        _log.error("Config topic: the configuration of %s has no properties and is skipped", whose)
        return None
    return MappingProxyType(properties)


def _target_state(value: Any, whose: str) -> TargetState | None:
    fields = value if isinstance(value, dict) else {}
    state = fields.get("state.v2")
    if not isinstance(state, str):
        state = fields.get("state")  # an older worker wrote it
    try:
        return TargetState(state)
    except ValueError:
        _log.error("Config topic: the target state of %s is none of Connect's and is skipped: %r", whose, state)
        return None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _int(value: Any) -> int:
    """``KafkaConfigBackingStore.intValue``, with Java's narrowing."""
    if not _is_int(value):
        raise ConnectError("Expected integer value to be either Integer or Long")
    return int((value + 2**31) % 2**32 - 2**31)
