"""States of connectors and tasks, and who is told about them."""

from __future__ import annotations

from typing import Protocol

from penstock.storage.states import ConnectorTaskId, State, TargetState

__all__ = ["ConnectorTaskId", "State", "StatusListener", "TargetState", "WorkerListener"]


class StatusListener(Protocol):
    """Hears of every change, from the connector's or the task's own thread. Must not block for long, must not raise.

    `version` is the plugin's, None where no plugin could be made.
    """

    def on_connector(
        self, connector: str, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None: ...

    def on_task(
        self, task: ConnectorTaskId, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None: ...


class WorkerListener(StatusListener, Protocol):
    """Hears of topics, too."""

    def on_topic(self, task: ConnectorTaskId, topic: str) -> None:
        """Hear that `task` used `topic` (KIP-558), if ``topic.tracking.enable`` is set. From the task's thread."""
