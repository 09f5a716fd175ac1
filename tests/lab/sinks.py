"""A sink for tests of the worker: writes down what it is given, and does what a record's text asks for.

``lab.sinks:RecordingSink`` is its ``connector.class``; the worker needs ``tests`` on its PYTHONPATH.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.api import SinkConnector, SinkTask, Task, TopicPartition
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import SinkRecord
from penstock.errors import DataError, RetriableError

__all__ = ["RecordingSink", "RecordingSinkTask", "StrictSink"]


class RecordingSink(SinkConnector):
    """Every task appends to the one file."""

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef().define("file", ConfigType.STRING, importance=Importance.HIGH, doc="The file to write.")

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)

    @property
    def task_class(self) -> type[Task]:
        return RecordingSinkTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self._props] * max_tasks

    def stop(self) -> None: ...


class RecordingSinkTask(SinkTask):
    """Writes ``TOPIC PARTITION OFFSET VALUE`` for each record.

    A value that holds ``errant`` is reported (KIP-610), one that holds ``boom`` fails the task, ``busy`` asks for another
    try, once, and ``slow=SECONDS`` takes its time, once.
    """

    def start(self, props: Mapping[str, str]) -> None:
        file = Path(props["file"])
        torn = file.exists() and not file.read_bytes().endswith(b"\n") and file.stat().st_size > 0
        self._file = file.open("a", buffering=1)
        if torn:  # a worker was killed within a line; its record comes again
            self._file.write("\n")
        self._done: set[Any] = set()

    def put(self, records: Sequence[SinkRecord]) -> None:
        for record in records:
            self._once(record)
        lines = []
        for record in records:
            text = str(record.value)
            if "errant" in text:
                reporter = self.context.errant_record_reporter
                assert reporter is not None
                reporter.report(record, DataError("the store does not take it"))
            elif "boom" in text:
                raise ValueError("boom")
            else:
                lines.append(f"{record.original_topic} {record.original_partition} {record.original_offset} {text}\n")
        self._file.write("".join(lines))

    def _once(self, record: SinkRecord) -> None:
        text, place = str(record.value), (record.original_topic, record.original_partition, record.original_offset)
        if place in self._done:
            return
        if "slow=" in text:
            self._done.add(place)
            time.sleep(float(text.rpartition("slow=")[2]))
        if "busy" in text:
            self._done.add(place)
            raise RetriableError("the store is busy")

    def flush(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._file.flush()

    def stop(self) -> None:
        self._file.close()


class StrictSink(RecordingSink):
    """Writes ``NUMBER`` of each record's struct, and reports (KIP-610) records without a key and those that are too large."""

    @property
    def task_class(self) -> type[Task]:
        return StrictSinkTask


class StrictSinkTask(RecordingSinkTask):
    def put(self, records: Sequence[SinkRecord]) -> None:
        lines = []
        for record in records:
            reason = self._fault(record)
            if reason is None:
                lines.append(f"{record.value['n']}\n")
            else:
                reporter = self.context.errant_record_reporter
                assert reporter is not None
                reporter.report(record, DataError(reason))
        self._file.write("".join(lines))

    def _fault(self, record: SinkRecord) -> str | None:
        if record.key is None:
            return "a row needs a key"
        return "the row is too large" if len(record.value["text"]) > 10_000 else None
