"""Records of the topic of states, and the table they make (``KafkaStatusBackingStore``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from penstock.errors import DataError
from penstock.storage import jsontext
from penstock.storage.config_records import parse_task_key
from penstock.storage.skipped import SkippedRecords, shorten
from penstock.storage.states import ConnectorTaskId, State

__all__ = [
    "Status",
    "StatusTable",
    "TopicStatus",
    "connector_status_record",
    "task_status_record",
    "topic_status_record",
    "topic_status_removal",
]

_T = TypeVar("_T")

_CONNECTOR: Final = "status-connector-"
_TASK: Final = "status-task-"
_TOPIC: Final = "status-topic-"
_TOPIC_CONNECTOR: Final = ":connector-"


@dataclass(frozen=True, slots=True)
class Status:
    """A worker's word on a connector or a task, with the generation of the group in which it was said."""

    state: State
    trace: str | None
    #: The worker's ``host:port``; None only where another implementation has left it out.
    worker_id: str | None
    generation: int
    version: str | None = None

    def may_replace(self, known: Status | None) -> bool:
        """Return whether news of a worker that may have lost its work meanwhile (``CacheEntry.canWriteSafely``) still counts:
        it is that worker's own entry, or no newer generation has spoken."""
        return known is None or known.worker_id == self.worker_id or known.generation <= self.generation


@dataclass(frozen=True, slots=True)
class TopicStatus:
    """A topic that a connector uses, and which task used it first (KIP-558). `discovered` is in milliseconds."""

    topic: str
    connector: str
    task: int
    discovered: int


def connector_status_record(connector: str, status: Status) -> tuple[str, bytes | None]:
    """Return the record of a connector's status; DESTROYED is a tombstone."""
    return _CONNECTOR + connector, _encode(status)


def task_status_record(task: ConnectorTaskId, status: Status) -> tuple[str, bytes | None]:
    return f"{_TASK}{task}", _encode(status)


def _encode(status: Status) -> bytes | None:
    if status.state is State.DESTROYED:
        return None
    return jsontext.dumps(
        {
            "state": status.state.value,
            "trace": status.trace,
            "worker_id": status.worker_id,
            "generation": status.generation,
            "version": status.version,
        }
    )


def topic_status_record(status: TopicStatus) -> tuple[str, bytes | None]:
    fields = {
        "name": status.topic,
        "connector": status.connector,
        "task": status.task,
        "discoverTimestamp": status.discovered,
    }
    return f"{_TOPIC}{status.topic}{_TOPIC_CONNECTOR}{status.connector}", jsontext.dumps({"topic": fields})


def topic_status_removal(connector: str, topic: str) -> tuple[str, bytes | None]:
    return f"{_TOPIC}{topic}{_TOPIC_CONNECTOR}{connector}", None


class StatusTable:
    """The last status of each connector and task. For one thread at a time; no I/O.

    A record that makes no sense is logged and skipped, and shown in `problems`.
    """

    def __init__(self) -> None:
        self._connectors: dict[str, Status] = {}
        self._tasks: dict[str, dict[int, Status]] = {}
        self._topics: dict[str, dict[str, TopicStatus]] = {}
        self._skipped = SkippedRecords("Status topic")

    def problems(self) -> list[str]:
        """Return a sentence for each record that was skipped, the latest last."""
        return self._skipped.problems()

    def read(self, key: str, value: bytes | None) -> None:
        if key.startswith(_CONNECTOR):
            self._read_connector(key[len(_CONNECTOR) :], value)
        elif key.startswith(_TASK):
            self._read_task(key, value)
        elif key.startswith(_TOPIC):
            self._read_topic(key[len(_TOPIC) :], value)
        else:
            self._skipped.note(key, "its key is of no kind that Connect writes")

    def _read_connector(self, connector: str, value: bytes | None) -> None:
        if not connector:
            self._skipped.note(_CONNECTOR, "its key names no connector")
        elif value is None:
            self._connectors.pop(connector, None)
            self._tasks.pop(connector, None)
        elif (status := self._parse(_CONNECTOR + connector, value, _status)) is not None:
            self._connectors[connector] = status

    def _read_task(self, key: str, value: bytes | None) -> None:
        task = parse_task_key(key, 2)
        if task is None:
            self._skipped.note(key, "its key does not name a task")
        elif value is None:
            self._tasks.get(task.connector, {}).pop(task.task, None)
        elif (status := self._parse(key, value, _status)) is not None:
            known = self._tasks.setdefault(task.connector, {})
            if not _stale(status, known.get(task.task)):
                known[task.task] = status

    def _read_topic(self, rest: str, value: bytes | None) -> None:
        topic, _, after = rest.partition(":")
        connector = after.removeprefix(_TOPIC_CONNECTOR[1:])
        if not topic or not connector or connector == after:
            self._skipped.note(_TOPIC + rest, "its key does not name a topic of a connector")
        elif value is None:
            self._topics.get(connector, {}).pop(topic, None)
        elif (status := self._parse(_TOPIC + rest, value, _topic_status)) is not None:
            self._topics.setdefault(connector, {})[topic] = status

    def _parse(self, key: str, value: bytes, make: Callable[[Any], _T]) -> _T | None:
        """Return what the record of `key` says; None if it makes no sense, which is noted."""
        try:
            made = make(jsontext.loads(value))
        except (DataError, ValueError, TypeError, KeyError, AttributeError) as error:
            self._skipped.note(key, str(error) if isinstance(error, DataError) else _reason(error))
            return None
        self._skipped.forget(key)
        return made

    def connectors(self) -> set[str]:
        """Return every connector that anything is known about."""
        return {*self._connectors, *self._tasks, *self._topics}

    def connector(self, name: str) -> Status | None:
        return self._connectors.get(name)

    def task(self, task: ConnectorTaskId) -> Status | None:
        return self._tasks.get(task.connector, {}).get(task.task)

    def tasks(self, connector: str) -> dict[ConnectorTaskId, Status]:
        known = self._tasks.get(connector, {})
        return {ConnectorTaskId(connector, number): known[number] for number in sorted(known)}

    def topic(self, connector: str, topic: str) -> TopicStatus | None:
        return self._topics.get(connector, {}).get(topic)

    def topics(self, connector: str) -> list[TopicStatus]:
        return list(self._topics.get(connector, {}).values())


def _stale(status: Status, known: Status | None) -> bool:
    """Return whether a worker says late that it has stopped a task which another has started since (``readTaskStatus``)."""
    return (
        known is not None
        and (status.state, known.state) == (State.UNASSIGNED, State.RUNNING)
        and known.generation >= status.generation
    )


def _reason(error: Exception) -> str:
    return f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)


def _status(fields: Any) -> Status:
    trace, worker_id, version = (_text(fields.get(k)) for k in ("trace", "worker_id", "version"))
    return Status(State(fields["state"]), trace, worker_id, _narrow(_int(fields["generation"])), version)


def _topic_status(fields: Any) -> TopicStatus:
    inner = fields["topic"]
    name, connector = _text(inner["name"]), _text(inner["connector"])
    if name is None or connector is None:
        raise TypeError("a topic's status names the topic and the connector")
    return TopicStatus(name, connector, _narrow(_int(inner["task"])), _int(inner["discoverTimestamp"]))


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"expected a text, met {shorten(repr(value))}")
    return value


def _narrow(number: int) -> int:
    """Return what Java's ``Long.intValue`` makes of `number`."""
    return (number + 2**31) % 2**32 - 2**31


def _int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a whole number, met {shorten(repr(value))}")
    return value
