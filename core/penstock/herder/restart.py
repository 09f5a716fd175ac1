"""Restarting a connector with some of its tasks (KIP-745)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from penstock.runtime.status import ConnectorTaskId, State

__all__ = ["RestartPlan", "RestartRequest"]


@dataclass(frozen=True, slots=True)
class RestartRequest:
    connector: str
    only_failed: bool = False
    include_tasks: bool = False

    @property
    def connector_only(self) -> bool:
        """Return whether neither flag is set: the old form, which restarts the instance whatever its state and has no body."""
        return not self.only_failed and not self.include_tasks

    def plan(self, connector: State, tasks: Mapping[ConnectorTaskId, State]) -> RestartPlan:
        """Return what is to be restarted, given the states now."""
        return RestartPlan(
            self._concerns(connector),
            [t for t, state in sorted(tasks.items()) if self.include_tasks and self._concerns(state)],
        )

    def _concerns(self, state: State) -> bool:
        return not self.only_failed or state is State.FAILED


class RestartPlan(NamedTuple):
    connector: bool
    tasks: list[ConnectorTaskId]
