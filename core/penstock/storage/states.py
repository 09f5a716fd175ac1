"""What stores say about connectors and tasks: their names and states."""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = ["ConnectorTaskId", "State", "TargetState"]


class ConnectorTaskId(NamedTuple):
    """Which task: the connector's name and the task's number. Prints as Connect prints it, ``name-0``."""

    connector: str
    task: int

    def __str__(self) -> str:
        return f"{self.connector}-{self.task}"


class State(enum.Enum):
    """What a connector or a task is doing (``AbstractStatus.State``). STOPPED is for connectors only."""

    UNASSIGNED = "UNASSIGNED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FAILED = "FAILED"
    RESTARTING = "RESTARTING"
    STOPPED = "STOPPED"
    DESTROYED = "DESTROYED"


class TargetState(enum.Enum):
    """What a connector is asked to be doing."""

    STARTED = "STARTED"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
