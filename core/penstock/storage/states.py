"""Names and states of connectors and tasks, as stores and everybody above them use them."""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = ["ConnectorTaskId", "State", "TargetState"]


class ConnectorTaskId(NamedTuple):
    """A task: the connector's name and the task's number. Prints as Connect prints it, ``name-0``."""

    connector: str
    task: int

    def __str__(self) -> str:
        return f"{self.connector}-{self.task}"

    @property
    def label(self) -> str:
        """The task as log lines begin with it: ``[name|task-0]`` (KIP-449)."""
        return f"[{self.connector}|task-{self.task}]"


class State(enum.Enum):
    """The state of a connector or a task (``AbstractStatus.State``). In Kafka STOPPED is for connectors only."""

    UNASSIGNED = "UNASSIGNED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FAILED = "FAILED"
    RESTARTING = "RESTARTING"
    STOPPED = "STOPPED"
    DESTROYED = "DESTROYED"


class TargetState(enum.Enum):
    """The state that somebody asked a connector or a task to be in."""

    STARTED = "STARTED"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
