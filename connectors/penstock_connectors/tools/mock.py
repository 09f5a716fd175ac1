"""Connectors that do nothing, or fail when told to.

``mock_mode``: ``connector-failure`` or ``task-failure`` fails after ``delay_ms`` (15000); anything else never does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from penstock import KAFKA_VERSION
from penstock.api import Connector, SinkConnector, SinkTask, SourceConnector, SourceTask, Task
from penstock.config import ConfigDef
from penstock.data import SinkRecord, SourceRecord
from penstock_connectors.reading import PollPause
from penstock_connectors.tools.throttle import number

__all__ = ["MockSinkConnector", "MockSinkTask", "MockSourceConnector", "MockSourceTask"]

MODE: Final = "mock_mode"
DELAY_MS: Final = "delay_ms"
DEFAULT_DELAY_MS: Final = "15000"


class _MockConnector(Connector):
    version = KAFKA_VERSION
    _timer: threading.Timer | None = None

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)
        if props.get(MODE) == "connector-failure":
            delay = number(props, DELAY_MS, "MockConnector", DEFAULT_DELAY_MS) / 1000
            error = RuntimeError(f"Mock connector failure after {delay} s, as mock_mode asks for")
            self._timer = threading.Timer(delay, self.context.raise_error, [error])
            self._timer.daemon = True
            self._timer.start()

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [dict(self._props)]

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()


class MockSourceConnector(_MockConnector, SourceConnector):
    @property
    def task_class(self) -> type[Task]:
        return MockSourceTask


class MockSinkConnector(_MockConnector, SinkConnector):
    @property
    def task_class(self) -> type[Task]:
        return MockSinkTask


class _Fuse:
    """Raises once its time has come, if the settings light it."""

    def __init__(self, props: Mapping[str, str]) -> None:
        self.lit = props.get(MODE) == "task-failure"
        self.delay = number(props, DELAY_MS, "MockTask", DEFAULT_DELAY_MS) / 1000 if self.lit else 0.0
        self._start = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until it goes off."""
        return max(0.0, self._start + self.delay - time.monotonic())

    def check(self) -> None:
        if self.lit and self.left == 0:
            raise RuntimeError(f"Mock task failure after {self.delay} s, as mock_mode asks for")


class MockSourceTask(SourceTask):
    version = KAFKA_VERSION
    java_class: ClassVar[str] = "org.apache.kafka.connect.tools.MockSourceTask"
    #: Seconds between polls, since there is never anything.
    idle_seconds: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self._pause = PollPause()

    def start(self, props: Mapping[str, str]) -> None:
        self._fuse = _Fuse(props)

    def poll(self) -> Sequence[SourceRecord] | None:
        self._fuse.check()
        self._pause.wait(min(self.idle_seconds, self._fuse.left) if self._fuse.lit else self.idle_seconds)
        return None

    def stop(self) -> None:
        self._pause.stop()


class MockSinkTask(SinkTask):
    version = KAFKA_VERSION
    java_class: ClassVar[str] = "org.apache.kafka.connect.tools.MockSinkTask"

    def start(self, props: Mapping[str, str]) -> None:
        self._fuse = _Fuse(props)
        self._come_back()

    def put(self, records: Sequence[SinkRecord]) -> None:
        self._fuse.check()
        self._come_back()

    def _come_back(self) -> None:
        # Without records, `put` is called again only at the next commit or timeout.
        if self._fuse.lit:
            self.context.timeout(min(int(self._fuse.delay * 1000), 250))

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""
