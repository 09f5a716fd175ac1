"""A snapshot of the topic of configurations, and the rules that make one record after another into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

from penstock.errors import ConnectError, DataError
from penstock.java import base64 as javabase64
from penstock.java.text import to_utf8
from penstock.storage import jsontext
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
from penstock.storage.skipped import SkippedRecords
from penstock.storage.states import ConnectorTaskId, TargetState

__all__ = ["ClusterConfigState", "ConfigRecordReader", "ConfigUpdateListener"]

#: The longest name, in bytes of UTF-8, that the group protocol can hand out: its texts have a length of 16 bits.
_MAX_NAME: Final = 32_000


class ConfigUpdateListener(Protocol):
    """Hears of changes, after the snapshot has them, from the thread that reads the topic.

    Must be quick, must not read the topic, and must not call the store's writing methods.
    """

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

    #: The offset of the record that comes next: workers compare it to know who has read how far.
    offset: int = -1
    session_key: SessionKey | None = None
    #: Names and configurations of connectors.
    connectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    task_counts: Mapping[str, int] = field(default_factory=dict)
    #: The configurations of tasks. May hold more tasks than a connector still has; `tasks` knows.
    task_configs: Mapping[ConnectorTaskId, Mapping[str, str]] = field(default_factory=dict)
    target_states: Mapping[str, TargetState] = field(default_factory=dict)
    #: A task's own target state, where one was set.
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
        """Return the tasks in the order of their numbers; none while the connector is inconsistent."""
        if connector in self.inconsistent:
            return []
        return [ConnectorTaskId(connector, i) for i in range(self.task_count(connector))]

    def task_config(self, task: ConnectorTaskId) -> Mapping[str, str] | None:
        return self.task_configs.get(task)


#: A call that tells a listener what a record means.
News = Callable[[ConfigUpdateListener], None]
_Tasks = dict[ConnectorTaskId, Mapping[str, str]]


class ConfigRecordReader:
    """Makes a snapshot of records, one after another. For one thread at a time; no I/O.

    A record that makes no sense changes nothing: it is logged and skipped, as the JVM worker does, and shown in
    `problems`. Those that the JVM worker fails on raise a `ConnectError` besides.
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
        self._skipped = SkippedRecords("Config topic")

    def problems(self) -> list[str]:
        """Return a sentence for each record that was skipped or read otherwise than it stands, the latest last."""
        return self._skipped.problems()

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
        """Take one record in. Return the news to tell a listener, if any; the caller tells it, after its locks."""
        try:
            value = jsontext.loads(data)
        except DataError as error:  # such a record does not count for the offset either, as in the JVM worker
            self._skipped.note(key, error.message, offset)
            return None
        self._offset = offset + 1
        try:
            return self._take(key, value)
        except _NonsenseError as error:
            self._skipped.note(key, error.message, offset)
            return None
        except ConnectError as error:
            self._skipped.note(key, error.message, offset)
            raise

    def _take(self, key: str, value: Any) -> News | None:
        for prefix, take in self._readers():
            if key.startswith(prefix):
                self._skipped.forget(key)
                return take(key[len(prefix) :], value)
        if key == SESSION_KEY:
            self._skipped.forget(key)
            return self._take_session_key(value)
        raise _NonsenseError("its key is of no kind that Connect or penstock writes")

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
        if not name:
            raise _NonsenseError("its key names no connector")
        if value is None:
            self._forget(name)
            return lambda listener: listener.on_connector_config_remove(name)
        if len(to_utf8(name)) > _MAX_NAME:
            raise _NonsenseError(f"the connector's name is longer than {_MAX_NAME} bytes, so no worker can be given it")
        config = self._properties(CONNECTOR + name, value)
        if not config.get("connector.class"):
            self._skipped.note(
                CONNECTOR + name, "it has no connector.class, so the connector cannot run", what="is kept"
            )
        self._connectors[name] = config
        self._targets.setdefault(name, TargetState.STARTED)
        return lambda listener: listener.on_connector_config_update(name)

    def _forget(self, name: str) -> None:
        # The record of which producers are to be fenced stays: a connector made again under the name needs it.
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
        state = _target_state(value)
        before = self._targets.get(name)
        self._targets[name] = state
        if state is before or name not in self._connectors:
            return None  # an initial state stands before the connector itself (KIP-980)
        return lambda listener: listener.on_connector_target_state_change(name)

    def _take_task(self, rest: str, value: Any) -> None:
        task = parse_task_key(TASK + rest, 1)
        if task is None:
            raise _NonsenseError("its key does not name a task")
        self._deferred.setdefault(task.connector, {})[task] = self._properties(TASK + rest, value)

    def _take_commit(self, name: str, value: Any) -> News | None:
        if name not in self._connectors:
            # Deleted meanwhile, and compaction took the connector's own records away.
            self._forget(name)
            return None
        count = _int(_object(value).get("tasks"))
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
        self._count_records[name] = _int(_object(value).get("task-count"))
        self._pending_fencing.discard(name)

    def _take_session_key(self, value: Any) -> News:
        fields = value if isinstance(value, dict) else {}
        text, algorithm, created = (fields.get(k) for k in ("key", "algorithm", "creation-timestamp"))
        raw = javabase64.decode(text) if isinstance(text, str) else None
        if raw is None or not isinstance(algorithm, str) or not isinstance(created, int):
            raise _NonsenseError("the session key is not complete: key, algorithm and creation-timestamp are needed")
        if not raw:
            raise javabase64.Base64Error("Empty key")
        key = self._session_key = SessionKey(raw, algorithm, created)
        return lambda listener: listener.on_session_key_update(key)

    def _take_task_target(self, rest: str, value: Any) -> News | None:
        task = parse_task_key(TASK_TARGET_STATE + rest, 3)
        if task is None:
            raise _NonsenseError("its key does not name a task")
        before = self._task_targets.get(task)
        if value is None:
            self._task_targets.pop(task, None)
        else:
            self._task_targets[task] = _target_state(value)
        if self._task_targets.get(task) is before:
            return None
        return lambda listener: listener.on_task_target_state_change(task)

    def _properties(self, key: str, value: Any) -> Mapping[str, str]:
        """Return the configuration in a record's value, all of it texts.

        A value of another type cannot come from a worker's REST API. It is taken for the text that it stands as, so
        that its connector can be seen, mended and deleted; null counts as not given.
        """
        properties = _object(value).get("properties")
        if not isinstance(properties, dict):
            raise _NonsenseError("it has no properties")
        others = [name for name, setting in properties.items() if not isinstance(setting, str)]
        if not others:
            return MappingProxyType(properties)
        self._skipped.note(key, f"the values of {', '.join(others[:5])} are not texts", what="is read as texts")
        return MappingProxyType({name: _as_text(v) for name, v in properties.items() if v is not None})


class _NonsenseError(DataError):
    """A record that is JSON and makes no sense; its message says why."""


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dumps(value).decode()


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _NonsenseError("its value is not a JSON object")
    return value


def _complete(tasks: _Tasks, name: str, count: int) -> bool:
    """Return whether the first `count` tasks are all there. The size first: a record may claim two thousand million of them."""
    return len(tasks) >= count and all(ConnectorTaskId(name, i) in tasks for i in range(count))


def _take_restart(name: str, value: Any) -> News:
    fields = _object(value)
    # Values other than true count as false, the default of both.
    only_failed, include_tasks = (fields.get(k) is True for k in ("only-failed", "include-tasks"))
    return lambda listener: listener.on_restart_request(name, only_failed, include_tasks)


def _take_logger(namespace: str, value: Any) -> News:
    level = value.get("level") if isinstance(value, dict) else None
    if not isinstance(level, str):
        raise _NonsenseError("the logging level is not a text")
    return lambda listener: listener.on_logging_level_update(namespace, level)


def _target_state(value: Any) -> TargetState:
    fields = _object(value)
    state = fields.get("state.v2")
    if not isinstance(state, str):
        state = fields.get("state")  # an older worker wrote it
    try:
        return TargetState(state)
    except ValueError:
        raise _NonsenseError(f"{state!r} is not a target state; expected STARTED, PAUSED or STOPPED") from None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _int(value: Any) -> int:
    """Return a number as ``KafkaConfigBackingStore.intValue`` does, with Java's narrowing."""
    if not _is_int(value):
        raise ConnectError("Expected integer value to be either Integer or Long")
    return int((value + 2**31) % 2**32 - 2**31)
