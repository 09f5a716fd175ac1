"""A source of change events for tests: rows are inserted, changed and deleted by a fixed pattern."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from lab.change_events import KEY, event, event_schema
from penstock.api import SourceConnector, SourceTask
from penstock.config import ConfigDef
from penstock.data import SourceRecord

__all__ = ["ChangeSource", "change"]

ENVELOPE = event_schema()
_BATCH = 500


def change(number: int) -> dict[str, Any] | None:
    """Return the event of that number; None for the tombstone behind every deleted row."""
    row = {"id": number - number % 5, "note": f"n{number}", "state": "paid"}
    match number % 5:
        case 0:
            return event("c", None, row)
        case 1 | 2:
            return event("u", None, row)
        case 3:
            return event("d", row)
    return None


class ChangeSource(SourceConnector):
    """Hands out ``count`` events to ``topic`` and goes on behind its committed offset."""

    version = "1"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)

    @property
    def task_class(self) -> type[SourceTask]:
        return ChangeTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self._props]

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""


class ChangeTask(SourceTask):
    version = "1"

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def start(self, props: Mapping[str, str]) -> None:
        self._topic, self._count = props["topic"], int(props["count"])
        offset = self.context.offset_storage_reader.offset({"source": "s"})
        self._next = 0 if offset is None else offset["n"] + 1

    def poll(self) -> Sequence[SourceRecord] | None:
        numbers = range(self._next, min(self._next + _BATCH, self._count))
        if not numbers:
            self._stopped.wait(0.2)
            return None
        self._next = numbers.stop
        return [self._record(number) for number in numbers]

    def _record(self, number: int) -> SourceRecord:
        value = change(number)
        return SourceRecord(
            self._topic, 0, KEY, {"id": number - number % 5}, None if value is None else ENVELOPE, value,
            source_partition={"source": "s"}, source_offset={"n": number},
        )  # fmt: skip

    def stop(self) -> None:
        self._stopped.set()
