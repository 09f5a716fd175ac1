"""Sets of connectors and tasks that a worker runs, with the arithmetic that assigning needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from penstock.runtime.status import ConnectorTaskId

__all__ = ["NO_WORK", "Work"]

#: The most names of each kind in a log line.
_MAX_LISTED: Final = 20


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
        """``connectors a, b; tasks a-0, a-1``, cut to a length that fits a log line; ``nothing`` if empty."""
        parts = [("connectors", sorted(self.connectors)), ("tasks", [str(task) for task in sorted(self.tasks)])]
        return "; ".join(f"{what} {_listed(names)}" for what, names in parts if names) or "nothing"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more


NO_WORK = Work()
