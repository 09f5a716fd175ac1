"""`ConfigNews`: takes changes of the config topic to the herder's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from penstock.herder.restart import RestartRequest
from penstock.runtime.status import ConnectorTaskId
from penstock.storage.config_records import SessionKey

__all__ = ["ConfigNews", "NewsTaker"]


class NewsTaker(Protocol):
    """Acts on changes of the config topic, in the herder's thread."""

    def connector_updated(self, name: str) -> None: ...

    def connector_removed(self, name: str) -> None: ...

    def tasks_updated(self, tasks: Sequence[ConnectorTaskId]) -> None: ...

    def target_changed(self, name: str) -> None: ...

    def task_target_changed(self, task: ConnectorTaskId) -> None: ...

    def restart_requested(self, request: RestartRequest) -> None: ...

    def level_changed(self, namespace: str, level: str) -> None: ...


class ConfigNews:
    """A `penstock.storage.cluster_state.ConfigUpdateListener` that posts what it hears. Called from the topic's reader."""

    def __init__(self, post: Callable[[Callable[[NewsTaker], object]], None]) -> None:
        """`post` calls what it is given with the taker, in the herder's thread (`penstock.herder.thread.Mailbox.post`)."""
        self._post = post

    def on_connector_config_remove(self, connector: str) -> None:
        self._post(lambda taker: taker.connector_removed(connector))

    def on_connector_config_update(self, connector: str) -> None:
        self._post(lambda taker: taker.connector_updated(connector))

    def on_task_config_update(self, tasks: Sequence[ConnectorTaskId]) -> None:
        self._post(lambda taker: taker.tasks_updated(tasks))

    def on_connector_target_state_change(self, connector: str) -> None:
        self._post(lambda taker: taker.target_changed(connector))

    def on_task_target_state_change(self, task: ConnectorTaskId) -> None:
        self._post(lambda taker: taker.task_target_changed(task))

    def on_session_key_update(self, key: SessionKey) -> None:
        """Do nothing: the snapshot has the key, and whoever signs or checks looks there."""

    def on_restart_request(self, connector: str, only_failed: bool, include_tasks: bool) -> None:
        request = RestartRequest(connector, only_failed, include_tasks)
        self._post(lambda taker: taker.restart_requested(request))

    def on_logging_level_update(self, namespace: str, level: str) -> None:
        self._post(lambda taker: taker.level_changed(namespace, level))
