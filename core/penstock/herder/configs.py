"""Configurations and target states in memory (``MemoryConfigBackingStore`` with its ``ClusterConfigState``)."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from penstock.runtime.status import ConnectorTaskId, TargetState

__all__ = ["ConfigReader", "ConnectorEntry", "MemoryConfigStore", "stricter"]

_STRICTNESS = (TargetState.STARTED, TargetState.PAUSED, TargetState.STOPPED)


def stricter(one: TargetState, other: TargetState) -> TargetState:
    return max(one, other, key=_STRICTNESS.index)


@dataclass(frozen=True, slots=True)
class ConnectorEntry:
    """The configuration and target states of one connector. Immutable; a change makes a new entry."""

    config: Mapping[str, str]
    target: TargetState = TargetState.STARTED
    #: The configurations that the connector generated, with placeholders put back.
    tasks: Sequence[Mapping[str, str]] = ()
    #: The connector's configuration when the tasks were generated: converters and transforms stand in it.
    applied_config: Mapping[str, str] | None = None
    task_targets: Mapping[int, TargetState] = field(default_factory=dict)
    #: Changes with every new configuration or target state, and never comes back: tells late news from fresh.
    revision: int = 0
    #: The generation of the task configurations, counted up with each new set; None if nobody counts.
    generation: int | None = None

    def task_ids(self, name: str) -> list[ConnectorTaskId]:
        return [ConnectorTaskId(name, i) for i in range(len(self.tasks))]

    def task_target(self, task: int) -> TargetState:
        return stricter(self.target, self.task_targets.get(task, TargetState.STARTED))


class ConfigReader(Protocol):
    """Reads configurations as they are known here. Safe from any thread."""

    @property
    def revision(self) -> int:
        """A number that changes with every change."""

    def names(self) -> list[str]: ...

    def get(self, name: str) -> ConnectorEntry | None: ...

    def problems(self) -> list[str]:
        """Return a sentence for each record that makes no sense, where configurations come out of a topic."""


class MemoryConfigStore:
    """Configurations in memory. Safe from any thread; changed by the herder's only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, ConnectorEntry] = {}
        self._revisions = itertools.count(1)
        self._revision = 0

    @property
    def revision(self) -> int:
        with self._lock:
            return self._revision

    def names(self) -> list[str]:
        with self._lock:
            return list(self._entries)

    def get(self, name: str) -> ConnectorEntry | None:
        with self._lock:
            return self._entries.get(name)

    def problems(self) -> list[str]:
        return []

    def put_config(self, name: str, config: Mapping[str, str], target: TargetState | None) -> ConnectorEntry:
        with self._lock:
            entry = replace(
                self._entries.get(name, ConnectorEntry({})), config=dict(config), revision=next(self._revisions)
            )
            if target is not None:
                entry = replace(entry, target=target)
            self._entries[name] = entry
            self._revision += 1
            return entry

    def put_target(self, name: str, target: TargetState) -> ConnectorEntry:
        return self._change(name, target=target, revision=next(self._revisions))

    def put_tasks(self, name: str, tasks: Sequence[Mapping[str, str]]) -> ConnectorEntry:
        """Replace the task configurations. Target states of tasks that are no more go with them."""
        with self._lock:
            entry = self._entries[name]
            kept = {task: state for task, state in entry.task_targets.items() if task < len(tasks)}
            entry = replace(entry, tasks=tuple(tasks), applied_config=entry.config, task_targets=kept)
            self._entries[name] = entry
            self._revision += 1
            return entry

    def remove_tasks(self, name: str) -> ConnectorEntry:
        """Remove the task configurations and the tasks' own target states."""
        return self._change(name, tasks=(), applied_config=None, task_targets={})

    def put_task_target(self, task: ConnectorTaskId, state: TargetState) -> ConnectorEntry:
        with self._lock:
            entry = self._entries[task.connector]
            entry = replace(entry, task_targets={**entry.task_targets, task.task: state})
            self._entries[task.connector] = entry
            self._revision += 1
            return entry

    def remove(self, name: str) -> None:
        with self._lock:
            self._entries.pop(name, None)
            self._revision += 1

    def _change(self, name: str, **changes: object) -> ConnectorEntry:
        with self._lock:
            self._revision += 1
            self._entries[name] = replace(self._entries[name], **changes)  # type: ignore[arg-type]  # callers pass fields
            return self._entries[name]
