"""Source connectors for tests: what they hand out stands in their configuration."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.api import Connector, RecordMetadata, SourceConnector, SourceTask
from penstock.config import ConfigDef
from penstock.data import STRING, SourceRecord

__all__ = ["ConfirmedCountingSource", "CountingSource", "ScriptedSource"]


class _OneTask(Connector):
    version = "1"

    def __init__(self) -> None:
        self._props: dict[str, str] = {}

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self._props]

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""


class ScriptedSource(_OneTask, SourceConnector):
    """``script`` is a JSON list of records: value, and topic (else ``topic``), key, partition, timestamp, headers,
    source (the name of the source partition, else ``s``). Each source partition goes on after its committed offset."""

    @property
    def task_class(self) -> type[SourceTask]:
        return ScriptedTask


class ScriptedTask(SourceTask):
    version = "1"

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._handed_out = False

    def start(self, props: Mapping[str, str]) -> None:
        records = [self._record(props, number, entry) for number, entry in enumerate(json.loads(props["script"]))]
        reader = self.context.offset_storage_reader
        self._records = [
            record
            for record in records
            if (reader.offset(record.source_partition) or {"n": -1})["n"] < record.source_offset["n"]
        ]

    def _record(self, props: Mapping[str, str], number: int, entry: Mapping[str, Any]) -> SourceRecord:
        key = entry.get("key")
        record = SourceRecord(
            entry.get("topic", props.get("topic")), entry.get("partition"), None if key is None else STRING, key,
            STRING, entry["value"], entry.get("timestamp"),
            source_partition={"source": entry.get("source", "s")}, source_offset={"n": number},
        )  # fmt: skip
        for name, value in entry.get("headers", {}).items():
            record.headers.add(name, value, STRING)
        return record

    def poll(self) -> Sequence[SourceRecord] | None:
        if self._handed_out:
            self._stopped.wait(0.2)
            return None
        self._handed_out = True
        return self._records

    def stop(self) -> None:
        self._stopped.set()


class CountingSource(_OneTask, SourceConnector):
    """Numbers at ``rate`` a second from ``sources`` source partitions in turn."""

    @property
    def task_class(self) -> type[SourceTask]:
        return CountingTask


class ConfirmedCountingSource(_OneTask, SourceConnector):
    """A counting task with a `commit_record` of its own."""

    @property
    def task_class(self) -> type[SourceTask]:
        return ConfirmedCountingTask


class CountingTask(SourceTask):
    version = "1"

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def start(self, props: Mapping[str, str]) -> None:
        self._topic, self._rate = props["topic"], float(props.get("rate", "1000"))
        self._partitions = [{"source": number} for number in range(int(props.get("sources", "1")))]
        reader = self.context.offset_storage_reader
        self._next = [(reader.offset(partition) or {"n": -1})["n"] + 1 for partition in self._partitions]
        self._made, self._began = 0, time.monotonic()

    def poll(self) -> Sequence[SourceRecord] | None:
        due = int((time.monotonic() - self._began) * self._rate) - self._made
        if due <= 0:
            self._stopped.wait(0.01)
            return None
        records = []
        for number in range(self._made, self._made + min(due, 2000)):
            source = number % len(self._partitions)
            n = self._next[source]
            self._next[source] = n + 1
            records.append(
                SourceRecord(
                    self._topic, None, STRING, f"{source}", STRING, f"{source}:{n}",
                    source_partition=self._partitions[source], source_offset={"n": n},
                )
            )  # fmt: skip
        self._made += len(records)
        return records

    def stop(self) -> None:
        self._stopped.set()


class ConfirmedCountingTask(CountingTask):
    def __init__(self) -> None:
        super().__init__()
        self.confirmed = 0

    def commit_record(self, record: SourceRecord, metadata: RecordMetadata | None) -> None:
        self.confirmed += 1
