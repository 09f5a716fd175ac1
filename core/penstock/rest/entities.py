"""JSON bodies: the herder's answers as JSON, requests' bodies checked and parsed.

Member names and which members are left out are those of ``org.apache.kafka.connect.runtime.rest.entities``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from penstock.errors import BadRequestError
from penstock.herder.interface import (
    ConnectorInfo,
    ConnectorState,
    ConnectorStateInfo,
    LoggerLevel,
    OffsetEntry,
    PluginDescription,
    TaskInfo,
    TaskState,
)
from penstock.http.documents import parse_document
from penstock.runtime.status import ConnectorTaskId, TargetState

__all__ = [
    "CreateConnectorRequest",
    "connector_info",
    "connector_offsets",
    "connector_state_info",
    "logger_level",
    "parse_config",
    "parse_create_connector",
    "parse_object",
    "parse_offsets",
    "parse_task_state",
    "plugin",
    "task_id",
    "task_info",
    "task_state",
]

#: The characters that ``String.trim`` takes off.
_JAVA_BLANKS: Final = "".join(map(chr, range(0x21)))
_INITIAL_STATES: Final = {
    "RUNNING": TargetState.STARTED,
    "PAUSED": TargetState.PAUSED,
    "STOPPED": TargetState.STOPPED,
}


def task_id(task: ConnectorTaskId) -> dict[str, Any]:
    return {"connector": task.connector, "task": task.task}


def connector_info(info: ConnectorInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "config": dict(info.config),
        "tasks": [task_id(t) for t in info.tasks],
        "type": info.type,
    }


def task_info(info: TaskInfo) -> dict[str, Any]:
    return {"id": task_id(info.id), "config": dict(info.config)}


def _state(status: ConnectorState | TaskState) -> dict[str, Any]:
    body = {"state": status.state.value, "worker_id": status.worker_id}
    if status.trace:
        body["trace"] = status.trace
    if status.version:
        body["version"] = status.version
    return body


def task_state(status: TaskState) -> dict[str, Any]:
    return {"id": status.id.task, **_state(status)}


def connector_state_info(info: ConnectorStateInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "connector": _state(info.connector),
        "tasks": [task_state(t) for t in info.tasks],
        "type": info.type,
    }


def connector_offsets(entries: list[OffsetEntry]) -> dict[str, Any]:
    return {"offsets": [{"partition": partition, "offset": offset} for partition, offset in entries]}


def plugin(info: PluginDescription) -> dict[str, Any]:
    body = {"class": info.class_name, "type": info.type}
    if info.version and info.version != "undefined":
        body["version"] = info.version
    return body


def logger_level(level: LoggerLevel) -> dict[str, Any]:
    return {"level": level.level, "last_modified": level.last_modified}


class CreateConnectorRequest(NamedTuple):
    name: str | None
    config: dict[str, str | None]
    initial_state: TargetState | None


def parse_object(body: bytes, what: str, number: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """Return the JSON object in a request's body. Raises `BadRequestError` that says what was sent instead."""
    if not body.strip():
        raise BadRequestError(f"The request has no body; expected a JSON object: {what}")
    value = parse_document(body, number)
    if not isinstance(value, dict):
        raise BadRequestError(f"The request's body is {_kind(value)}; expected a JSON object: {what}")
    return value


class _Number(str):
    """A number's own text: in a configuration, 1.50 stays 1.50."""

    __slots__ = ()


def parse_config(body: bytes) -> dict[str, str | None]:
    """A configuration: numbers and booleans become their text, as Jackson has it; null stays (it is refused later, or
    takes a key away)."""
    return _config(parse_object(body, "configuration keys and their values", _Number))


def _config(value: Any) -> dict[str, str | None]:
    if not isinstance(value, dict):
        raise BadRequestError(f"'config' must be a JSON object of configuration keys and values, but is {_kind(value)}")
    return {key: _config_value(key, item) for key, item in value.items()}


def _config_value(key: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    raise BadRequestError(f"The value of configuration {key} must be a string, but is {_kind(value)}")


def parse_create_connector(body: bytes) -> CreateConnectorRequest:
    """The body of ``POST /connectors``."""
    request = parse_object(body, '"name", "config" and, where wanted, "initial_state"', _Number)
    if unknown := sorted(set(request) - {"name", "config", "initial_state"}):
        raise BadRequestError(f'Unrecognized field "{unknown[0]}"; expected "name", "config" and "initial_state"')
    if request.get("config") is None:
        raise BadRequestError('The request has no "config"; expected a JSON object of configuration keys and values')
    name = request.get("name")
    if name is not None and not isinstance(name, str):
        raise BadRequestError(f'"name" must be a string, but is {_kind(name)}')
    return CreateConnectorRequest(
        None if name is None else str(name).strip(_JAVA_BLANKS),
        _config(request["config"]),
        _initial_state(request.get("initial_state")),
    )


def _initial_state(value: Any) -> TargetState | None:
    if value is None:
        return None
    state = _INITIAL_STATES.get(value.upper()) if isinstance(value, str) else None
    if state is None:
        raise BadRequestError(f'"initial_state" is {json.dumps(value)}; expected one of {", ".join(_INITIAL_STATES)}')
    return state


def parse_task_state(body: bytes) -> TargetState:
    """The body of ``PUT /connectors/{name}/tasks/{id}/status``."""
    request = parse_object(body, '{"state": "RUNNING" | "PAUSED" | "STOPPED"}')
    value = request.get("state")
    state = _INITIAL_STATES.get(value.upper()) if isinstance(value, str) else None
    if state is None or set(request) != {"state"}:
        raise BadRequestError(
            f'Expected {{"state": …}} with one of {", ".join(_INITIAL_STATES)}, got {json.dumps(request)[:200]}'
        )
    return state


def parse_offsets(body: bytes) -> list[OffsetEntry]:
    """The body of ``PATCH /connectors/{name}/offsets``."""
    request = parse_object(body, '{"offsets": [{"partition": {…}, "offset": {…}}, …]}')
    if unknown := sorted(set(request) - {"offsets"}):
        raise BadRequestError(f'Unrecognized field "{unknown[0]}"; expected "offsets"')
    entries = request.get("offsets")
    if not entries:
        raise BadRequestError("Partitions / offsets need to be provided for an alter offsets request")
    if not isinstance(entries, list):
        raise BadRequestError(f'"offsets" must be a list, but is {_kind(entries)}')
    return [_offset_entry(entry) for entry in entries]


def _offset_entry(entry: Any) -> OffsetEntry:
    if not isinstance(entry, dict):
        raise BadRequestError(f'An entry of "offsets" must be an object, but is {_kind(entry)}')
    if unknown := sorted(set(entry) - {"partition", "offset"}):
        raise BadRequestError(f'Unrecognized field "{unknown[0]}"; expected "partition" and "offset"')
    parts: list[Mapping[str, Any] | None] = []
    for member in ("partition", "offset"):
        value = entry.get(member)
        if value is not None and not isinstance(value, dict):
            raise BadRequestError(f'"{member}" must be an object or null, but is {_kind(value)}')
        parts.append(value)
    return parts[0], parts[1]


_KINDS: Final = ((_Number, "a number"), (str, "a string"), (bool, "a boolean"), ((int, float), "a number"))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    named = next((text for types, text in _KINDS if isinstance(value, types)), None)
    return named or ("a list" if isinstance(value, list) else "an object")
