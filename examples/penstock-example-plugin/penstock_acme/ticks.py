"""A source connector that counts: one task, which goes on behind its last committed tick."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.api import ExactlyOnceSupport, SourceConnector, SourceTask
from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString, Range
from penstock.data import INT64, TIMESTAMP, SchemaBuilder, SourceRecord
from penstock.data.logical import timestamp_from_millis
from penstock_acme import __version__

CONFIG_DEF = (
    ConfigDef()
    .define(
        "topic",
        ConfigType.STRING,
        validator=NonEmptyString(),
        importance=Importance.HIGH,
        doc="Where the ticks go.",
    )
    .define("ticks", ConfigType.LONG, -1, importance=Importance.MEDIUM, doc="How many there are; -1: no end.")
    .define(
        "interval.ms",
        ConfigType.LONG,
        1000,
        validator=Range.at_least(0),
        importance=Importance.MEDIUM,
        doc="The time between ticks.",
    )
)

SCHEMA = SchemaBuilder.struct().name("com.acme.Tick").field("tick", INT64).field("at", TIMESTAMP).build()
PARTITION = {"clock": "acme"}


class TickSource(SourceConnector):
    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    def start(self, props: Mapping[str, str]) -> None:
        CONFIG_DEF.parse(props)
        self._props = dict(props)

    @property
    def task_class(self) -> type[SourceTask]:
        return TickTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self._props]  # one clock is one stream, whatever tasks.max allows

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.SUPPORTED


class TickTask(SourceTask):
    version = __version__

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def start(self, props: Mapping[str, str]) -> None:
        config = CONFIG_DEF.parse(props)
        self._topic: str = config["topic"]
        self._end: int = config["ticks"]
        self._interval = config["interval.ms"] / 1000
        committed: Mapping[str, Any] | None = self.context.offset_storage_reader.offset(PARTITION)
        self._tick: int = committed["tick"] if committed else 0

    def poll(self) -> Sequence[SourceRecord] | None:
        if 0 <= self._end <= self._tick:
            self.exhausted = True  # `penstock dev --once` ends when every source says so
            self._stopped.wait(1)
            return None
        # `stop` is called from another thread and ends the wait.
        if self._stopped.wait(self._interval):
            return None
        self._tick += 1
        now = time.time_ns() // 1_000_000
        return [
            SourceRecord(
                self._topic,
                value_schema=SCHEMA,
                value={"tick": self._tick, "at": timestamp_from_millis(now)},
                timestamp=now,
                source_partition=PARTITION,
                source_offset={"tick": self._tick},
            )
        ]

    def stop(self) -> None:
        self._stopped.set()
