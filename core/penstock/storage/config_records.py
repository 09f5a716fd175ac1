"""Records of the topic of configurations: their keys and values (``KafkaConfigBackingStore``).

All values are JSON without schemas. penstock's own key, ``penstock-task-state-<connector>-<task>``, begins with none of
Connect's prefixes, so that a JVM worker logs it and skips it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.errors import DataError
from penstock.storage import jsontext
from penstock.storage.states import ConnectorTaskId, TargetState

__all__ = [
    "CONNECTOR",
    "LOGGER",
    "RESTART",
    "SESSION_KEY",
    "TARGET_STATE",
    "TASK",
    "TASKS_COMMIT",
    "TASK_COUNT",
    "TASK_TARGET_STATE",
    "Record",
    "SessionKey",
    "changed_tasks",
    "commit_record",
    "connector_records",
    "connector_removal",
    "java_int",
    "logger_record",
    "parse_task_key",
    "restart_record",
    "session_key_record",
    "target_state_record",
    "task_count_record",
    "task_records",
    "task_target_record",
]

#: Key and value; None is a tombstone.
Record = tuple[str, bytes | None]

CONNECTOR: Final = "connector-"
TASK: Final = "task-"
TASKS_COMMIT: Final = "commit-"
TARGET_STATE: Final = "target-state-"
TASK_COUNT: Final = "tasks-fencing-"
RESTART: Final = "restart-connector-"
LOGGER: Final = "logger-cluster-"
SESSION_KEY: Final = "session-key"
TASK_TARGET_STATE: Final = "penstock-task-state-"
#: More digits than any 32-bit number needs, zeros in front included: the cost of a number must not grow with its text.
_MAX_DIGITS: Final = 100


@dataclass(frozen=True, slots=True)
class SessionKey:
    """The key that workers sign requests to each other with (KIP-507). `created` is in milliseconds."""

    key: bytes
    algorithm: str
    created: int

    def __repr__(self) -> str:
        return f"SessionKey({self.algorithm}, created={self.created})"  # never the key itself


def connector_records(name: str, config: Mapping[str, str | None], target: TargetState | None) -> list[Record]:
    """Return the record of a connector's configuration; with an initial target state before it, so that it never starts in another."""
    record = (CONNECTOR + name, jsontext.dumps({"properties": dict(config)}))
    return [record] if target is None else [target_state_record(name, target), record]


def connector_removal(name: str) -> list[Record]:
    return [(CONNECTOR + name, None), (TARGET_STATE + name, None)]


def task_records(name: str, configs: Sequence[Mapping[str, str | None]]) -> list[Record]:
    """Return the records of task configurations. They count only once a commit record follows."""
    return [
        (f"{TASK}{ConnectorTaskId(name, i)}", jsontext.dumps({"properties": dict(config)}))
        for i, config in enumerate(configs)
    ]


def commit_record(name: str, tasks: int) -> Record:
    return TASKS_COMMIT + name, jsontext.dumps({"tasks": tasks})


def target_state_record(name: str, state: TargetState) -> Record:
    # Workers before 3.5 do not know STOPPED: they read `state` and take it for PAUSED (KIP-875).
    old = TargetState.PAUSED if state is TargetState.STOPPED else state
    return TARGET_STATE + name, jsontext.dumps({"state": old.value, "state.v2": state.value})


def task_count_record(name: str, tasks: int) -> Record:
    """Return the record that so many producers were in use: that many are fenced before newer tasks start (KIP-618)."""
    return TASK_COUNT + name, jsontext.dumps({"task-count": tasks})


def session_key_record(key: SessionKey) -> Record:
    text = base64.b64encode(key.key).decode("ascii")
    return SESSION_KEY, jsontext.dumps({"key": text, "algorithm": key.algorithm, "creation-timestamp": key.created})


def restart_record(name: str, only_failed: bool, include_tasks: bool) -> Record:
    return RESTART + name, jsontext.dumps({"include-tasks": include_tasks, "only-failed": only_failed})


def logger_record(namespace: str, level: str | None) -> Record:
    if level is None:
        raise DataError('Invalid value: null used for required field: "level", schema type: STRING')
    return LOGGER + namespace, jsontext.dumps({"level": level})


def task_target_record(task: ConnectorTaskId, state: TargetState | None) -> Record:
    """Return the record of one task's own target state; None forgets it."""
    value = None if state is None else jsontext.dumps({"state": state.value})
    return f"{TASK_TARGET_STATE}{task}", value


def parse_task_key(key: str, parts_before: int) -> ConnectorTaskId | None:
    """Return the task in a key of `parts_before` parts, the connector's name and a number, all joined by ``-``."""
    parts = key.split("-")
    while parts and not parts[-1]:
        parts.pop()  # as Java's String.split
    if len(parts) < parts_before + 2:
        return None
    number = java_int(parts[-1])
    return None if number is None else ConnectorTaskId("-".join(parts[parts_before:-1]), number)


def java_int(text: str) -> int | None:
    """Return the number that ``Integer.parseInt`` makes of `text`; None where it makes none."""
    digits = text[1:] if text[:1] == "+" else text
    if not digits.isdecimal() or len(digits) > _MAX_DIGITS:
        return None
    number = int(digits)
    return number if number < 2**31 else None


def changed_tasks(known: Iterable[ConnectorTaskId], connector: str, count: int) -> list[ConnectorTaskId]:
    """Return the tasks in `known` that a connector with `count` tasks has no more."""
    return [task for task in known if task.connector == connector and task.task >= count]
