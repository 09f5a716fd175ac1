"""`ConfigNews`: what the config topic says goes to the herder's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from penstock.herder.restart import RestartRequest
from penstock.runtime.status import ConnectorTaskId
from penstock.storage.config_records import SessionKey

__all__ = ["ConfigNews", "NewsTaker"]


class NewsTaker(Protocol):
    """All but `submit` are called in the herder's thread."""

    def submit(self, action: Callable[[], object]) -> None: ...

    def connector_updated(self, name: str) -> None: ...

    def connector_removed(self, name: str) -> None: ...

    def tasks_updated(self, tasks: Sequence[ConnectorTaskId]) -> None: ...

    def target_changed(self, name: str) -> None: ...

    def task_target_changed(self, task: ConnectorTaskId) -> None: ...

    def restart_requested(self, request: RestartRequest) -> None: ...

    def level_changed(self, namespace: str, level: str) -> None: ...


class ConfigNews:
    """A `penstock.storage.cluster_state.ConfigUpdateListener`: made before the store, which needs it; `taker`, the
    herder, is set before the store starts."""

    taker: NewsTaker

    def on_connector_config_remove(self, connector: str) -> None:
        self.taker.submit(lambda: self.taker.connector_removed(connector))

    def on_connector_config_update(self, connector: str) -> None:
        self.taker.submit(lambda: self.taker.connector_updated(connector))

    def on_task_config_update(self, tasks: Sequence[ConnectorTaskId]) -> None:
        self.taker.submit(lambda: self.taker.tasks_updated(tasks))

    def on_connector_target_state_change(self, connector: str) -> None:
        self.taker.submit(lambda: self.taker.target_changed(connector))

    def on_task_target_state_change(self, task: ConnectorTaskId) -> None:
        self.taker.submit(lambda: self.taker.task_target_changed(task))

    def on_session_key_update(self, key: SessionKey) -> None:
        """The snapshot has it: whoever signs or checks looks there."""

    def on_restart_request(self, connector: str, only_failed: bool, include_tasks: bool) -> None:
        request = RestartRequest(connector, only_failed, include_tasks)
        self.taker.submit(lambda: self.taker.restart_requested(request))

    def on_logging_level_update(self, namespace: str, level: str) -> None:
        self.taker.submit(lambda: self.taker.level_changed(namespace, level))
