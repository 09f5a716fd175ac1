"""A limit on the requests that wait at once, so that there is always a thread for those that need not wait.

Handlers run in a pool of threads. Those that ask the herder, Kafka, a connector or a config provider may wait for as long
as these please; they share some of the threads. ``/health`` has some of its own, and what is read from this worker's own
view of the topics has the rest.
"""

from __future__ import annotations

import asyncio
import enum
from typing import Final

__all__ = ["Kind", "Slots"]

#: Threads for waiting requests, of anyio's pool of 40.
_WAITING: Final = 26
_HEALTH: Final = 4


class Kind(enum.Enum):
    """The party that a handler may wait for."""

    #: The handler waits for nothing: this worker knows the answer.
    KNOWN = "known"
    #: The herder's thread, for a bounded time.
    HEALTH = "health"
    #: Kafka, another thread, or code that is not ours.
    WAITING = "waiting"

    @classmethod
    def of(cls, path: str, methods: frozenset[str]) -> Kind:
        """Return the kind of the route at `path`, which is a template."""
        if path == "/health":
            return cls.HEALTH
        if methods <= {"GET", "HEAD"} and not path.endswith(
            ("/offsets", "/config", "/pause", "/resume", "/restart", "/metrics")
        ):
            return cls.KNOWN
        return cls.KNOWN if path == "/connectors/{name}/config" and methods == {"GET"} else cls.WAITING


class Slots:
    """Shared by all routes that one event loop serves; made anywhere, used on that loop."""

    def __init__(self) -> None:
        self._limits = {Kind.WAITING: asyncio.Semaphore(_WAITING), Kind.HEALTH: asyncio.Semaphore(_HEALTH)}

    def of(self, kind: Kind) -> asyncio.Semaphore | None:
        """Return what a request of this kind must hold while it is handled, None for nothing."""
        return self._limits.get(kind)
