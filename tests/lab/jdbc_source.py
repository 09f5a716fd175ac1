"""A JDBC source in a test: its connector and one task, on a real database, without worker and Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.data import SourceRecord
from penstock.testing.fakes import FakeConnectorContext, FakeSourceTaskContext
from penstock_connectors.jdbc.source.connector import JdbcSourceConnector
from penstock_connectors.jdbc.source.task import JdbcSourceTask

__all__ = ["JdbcSourceRun", "read"]

Offsets = Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]


class JdbcSourceRun:
    """One task that polls a database every 10 ms; a context manager.

    `config` needs ``connection.url`` and what the test is about. `offsets` were committed before.
    """

    def __init__(self, config: Mapping[str, str], offsets: Offsets = (), task: int = 0, max_tasks: int = 1) -> None:
        self.config = {"name": "t", "topic.prefix": "p-", "poll.interval.ms": "10", "poll.linger.ms": "20", **config}
        self.context = FakeConnectorContext()
        self.connector = JdbcSourceConnector()
        self.connector.initialize(self.context)
        self.task = JdbcSourceTask()
        self._offsets, self._place, self._max_tasks = offsets, task, max_tasks
        self.task_configs: list[dict[str, str]] = []

    def __enter__(self) -> JdbcSourceRun:
        try:
            self.connector.start(self.config)
            self.task_configs = self.connector.task_configs(self._max_tasks)
            props = self.task_configs[self._place]
            self.task.initialize(FakeSourceTaskContext(props, self._offsets))
            self.task.start(props)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.task.stop()
        self.task.close()
        self.connector.stop()

    def take(self, count: int, timeout: float = 30) -> list[SourceRecord]:
        """Return the next records, `count` of them. AssertionError if they do not come in time."""
        found: list[SourceRecord] = []
        deadline = time.monotonic() + timeout
        while len(found) < count:
            found += self.task.poll() or ()
            assert time.monotonic() < deadline, f"{len(found)} records of {count}"
        assert len(found) == count
        return found

    def rest(self, rounds: int = 10) -> list[SourceRecord]:
        """Return what some more polls bring."""
        return [record for _ in range(rounds) for record in self.task.poll() or ()]


def read(config: Mapping[str, str], count: int, offsets: Offsets = ()) -> Sequence[SourceRecord]:
    """Return the first `count` records of a source with this configuration."""
    with JdbcSourceRun(config, offsets) as run:
        return run.take(count)
