"""What a worker runs: sets of connectors and tasks, with the arithmetic that assigning needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.runtime.status import ConnectorTaskId

__all__ = ["NO_WORK", "Work"]


@dataclass(frozen=True, slots=True)
class Work:
    """Connectors and tasks. Immutable."""

    connectors: frozenset[str] = frozenset()
    tasks: frozenset[ConnectorTaskId] = frozenset()

    @classmethod
    def of(cls, connectors: Iterable[str], tasks: Iterable[ConnectorTaskId]) -> Work:
        return cls(frozenset(connectors), frozenset(tasks))

    def __or__(self, other: Work) -> Work:
        return Work(self.connectors | other.connectors, self.tasks | other.tasks)

    def __sub__(self, other: Work) -> Work:
        return Work(self.connectors - other.connectors, self.tasks - other.tasks)

    def __and__(self, other: Work) -> Work:
        return Work(self.connectors & other.connectors, self.tasks & other.tasks)

    def __bool__(self) -> bool:
        return bool(self.connectors or self.tasks)

    def __str__(self) -> str:
        return f"connectors {sorted(self.connectors)}, tasks {[str(task) for task in sorted(self.tasks)]}"


NO_WORK = Work()
