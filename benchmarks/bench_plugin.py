"""Connectors for the benchmarks: a source that hands over prebuilt records, a sink that only counts.

What is left is the worker's own cost.  Each notes the process's CPU time where the measurement begins and the sink where it
ends too, so that starting up and importing a format's libraries stay out of it.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.api import ExactlyOnceSupport, SinkConnector, SinkTask, SourceConnector, SourceTask, Task
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import (
    BOOLEAN,
    FLOAT32,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIMESTAMP,
    Schema,
    SchemaBuilder,
    SinkRecord,
    SourceRecord,
)

_DEF = (
    ConfigDef()
    .define("records", ConfigType.LONG, importance=Importance.HIGH, doc="How many records the run has.")
    .define("marker", ConfigType.STRING, importance=Importance.HIGH, doc="File for the times noted.")
)
_SOURCE_DEF = (
    ConfigDef()
    .define("records", ConfigType.LONG, importance=Importance.HIGH, doc="How many records to hand over.")
    .define("marker", ConfigType.STRING, importance=Importance.HIGH, doc="File for the times noted.")
    .define("topic", ConfigType.STRING, importance=Importance.HIGH, doc="Topic to write to.")
    .define("shape", ConfigType.STRING, "struct", importance=Importance.LOW, doc="'struct' or 'string'.")
    .define("batch", ConfigType.INT, "1000", importance=Importance.LOW, doc="Records per poll.")
    .define("size", ConfigType.INT, "0", importance=Importance.LOW, doc="Characters of a string; 0 for a row's text.")
    .define("fields", ConfigType.INT, "0", importance=Importance.LOW, doc="Fields of a struct; 0 for the mixed row.")
)


#: Records before the measurement begins: clients connect, schemas are registered, libraries are imported meanwhile.
WARM_UP = 5000


def mixed_schema() -> Schema:
    """Eight fields of the types that a table usually has."""
    return (
        SchemaBuilder.struct()
        .name("bench.Row")
        .field("id", INT64)
        .field("count", INT32)
        .field("price", FLOAT64)
        .field("ratio", FLOAT32)
        .field("active", BOOLEAN)
        .field("name", STRING)
        .field("note", OPTIONAL_STRING)
        .field("at", TIMESTAMP)
        .build()
    )


def mixed_row(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "count": number % 1000,
        "price": number * 0.25,
        "ratio": (number % 64) / 64,
        "active": number % 2 == 0,
        "name": f"customer-{number % 977}",
        "note": None if number % 3 else "paid",
        "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=number),
    }


def wide_schema(fields: int) -> Schema:
    """So many fields, integers and texts in turns."""
    builder = SchemaBuilder.struct().name("bench.Wide")
    for place in range(fields):
        builder.field(f"field_{place}", STRING if place % 2 else INT32)
    return builder.build()


def wide_row(number: int, fields: int) -> dict[str, Any]:
    return {f"field_{place}": f"text {number % 97}" if place % 2 else number for place in range(fields)}


def prebuilt(topic: str, shape: str, count: int, size: int = 0, fields: int = 0) -> list[SourceRecord]:
    schema = STRING if shape == "string" else wide_schema(fields) if fields else mixed_schema()
    values: list[Any] = [wide_row(number, fields) if fields else mixed_row(number) for number in range(count)]
    if shape == "string":
        values = ["x" * size if size else ",".join(map(str, row.values())) for row in values]
    where = {"bench": "memory"}
    return [
        SourceRecord(
            topic, value_schema=schema, value=value, source_partition=where, source_offset={"position": number}
        )
        for number, value in enumerate(values)
    ]


class _Bench:
    """Both connectors: one task with the connector's own settings."""

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        """Every task hands over, or takes, as many records, and has a marker of its own but the first."""
        marker = self._props["marker"]
        return [{**self._props, "marker": f"{marker}.{task}" if task else marker} for task in range(max_tasks)]

    def stop(self) -> None:
        pass


class BenchSource(_Bench, SourceConnector):
    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.SUPPORTED  # nothing is read that could come twice

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _SOURCE_DEF

    @property
    def task_class(self) -> type[Task]:
        return BenchSourceTask


class BenchSourceTask(SourceTask):
    def start(self, props: Mapping[str, str]) -> None:
        settings = _SOURCE_DEF.parse(props)
        self._batch = prebuilt(
            settings["topic"], settings["shape"], settings["batch"], settings["size"], settings["fields"]
        )
        self._records: int = settings["records"]
        self._left = self._records + WARM_UP
        self._marker: Path | None = Path(settings["marker"])
        self._stopped = threading.Event()

    def poll(self) -> Sequence[SourceRecord] | None:
        if self._marker is not None and self._left <= self._records:
            note(self._marker, start=now())
            self._marker = None
        if not self._left:
            self.exhausted = True
            self._stopped.wait(1)
            return None
        batch = self._batch[: self._left]
        self._left -= len(batch)
        return batch

    def stop(self) -> None:
        self._stopped.set()


class BenchSink(_Bench, SinkConnector):
    @classmethod
    def config_def(cls) -> ConfigDef:
        return _DEF

    @property
    def task_class(self) -> type[Task]:
        return BenchSinkTask


class BenchSinkTask(SinkTask):
    def start(self, props: Mapping[str, str]) -> None:
        settings = _DEF.parse(props)
        self._records: int = settings["records"]
        self._left = self._records + WARM_UP
        self._marker = Path(settings["marker"])
        self._start: dict[str, float] = {}

    def put(self, records: Sequence[SinkRecord]) -> None:
        if not self._start and self._left <= self._records:
            self._start = now()
        before, self._left = self._left, self._left - len(records)
        if before > 0 >= self._left:
            note(self._marker, start=self._start, end=now())

    def stop(self) -> None:
        pass


def now() -> dict[str, float]:
    """CPU seconds of the whole process, all threads of the Kafka client included, and the time on the wall."""
    return {"cpu": time.process_time(), "wall": time.monotonic()}


def note(file: Path, **times: dict[str, float]) -> None:
    """Write at once or not at all: somebody is waiting for the file."""
    aside = file.with_suffix(".part")
    aside.write_text(json.dumps(times))
    aside.rename(file)
