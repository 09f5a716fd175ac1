"""Lines of a file, or of standard input, as string records: Kafka's ``FileStreamSourceConnector``.

Where the JVM's counts characters, positions here count bytes, which is what both seek by: for ASCII the two agree, and
for anything else the JVM's own restart position is off.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from penstock import KAFKA_VERSION
from penstock.api import ExactlyOnceSupport, SourceConnector, SourceTask
from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString
from penstock.data import STRING, Headers, SourceRecord
from penstock.errors import ConfigError, ConnectError
from penstock_connectors.reading import (
    FileBytes,
    PollPause,
    RecordReader,
    StandardInput,
    file_error,
    split_universal,
)

__all__ = ["FileStreamSourceConnector", "FileStreamSourceTask"]

log = logging.getLogger(__name__)

FILE: Final = "file"
TOPIC: Final = "topic"
BATCH_SIZE: Final = "batch.size"
FILENAME_FIELD: Final = "filename"
POSITION_FIELD: Final = "position"

CONFIG_DEF: Final = (
    ConfigDef()
    .define(FILE, ConfigType.STRING, None, importance=Importance.HIGH, doc="The file to read; without it, standard input is read.")
    .define(TOPIC, ConfigType.STRING, validator=NonEmptyString(), importance=Importance.HIGH, doc="The topic that the lines go to.")
    .define(BATCH_SIZE, ConfigType.INT, 2000, importance=Importance.LOW, doc="How many lines are handed over at once, at most.")
)  # fmt: skip


class FileStreamSourceConnector(SourceConnector):
    """One task, whatever ``tasks.max`` says: one file is one stream."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)
        path = CONFIG_DEF.parse(props)[FILE]
        log.info("Starting file source connector reading from %s", path or "standard input")

    @property
    def task_class(self) -> type[FileStreamSourceTask]:
        return FileStreamSourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [dict(self._props)]

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        """A file has positions to come back to, standard input has none."""
        return ExactlyOnceSupport.SUPPORTED if CONFIG_DEF.parse(props)[FILE] else ExactlyOnceSupport.UNSUPPORTED

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[Any, Mapping[str, Any] | None]) -> bool:
        if not CONFIG_DEF.parse(props)[FILE]:
            raise ConnectError(
                f"Offsets cannot be modified if the '{FILE}' configuration is unspecified. "
                "This is because stdin is used for input and offsets are not tracked."
            )
        for partition, offset in offsets.items():
            if offset is not None:  # a tombstone may clear anything, garbage above all
                _check_offset(offset)
                _check_partition(partition)
        return True


def _check_offset(offset: Mapping[str, Any]) -> None:
    if POSITION_FIELD not in offset:
        raise ConnectError(f"Offset objects should either be null or contain the key '{POSITION_FIELD}'")
    position = offset[POSITION_FIELD]
    if not _is_long(position):
        raise ConnectError(f"The value for the '{POSITION_FIELD}' key in the offset is expected to be a Long value")
    if position < 0:
        raise ConnectError(f"The value for the '{POSITION_FIELD}' key in the offset should be a non-negative value")


def _check_partition(partition: Any) -> None:
    if partition is None:
        raise ConnectError("Partition objects cannot be null")
    if FILENAME_FIELD not in dict(partition):
        raise ConnectError(f"Partition objects should contain the key '{FILENAME_FIELD}'")


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value < 2**63


class FileStreamSourceTask(SourceTask):
    """Reads lines as they are appended. The last line waits until its end is written.

    A file that is not there yet is waited for. A file that was truncated, or replaced under its name, is not noticed,
    as in Kafka: the task reads on in the file it opened, from the position it had.
    """

    version = KAFKA_VERSION
    java_class: ClassVar[str] = "org.apache.kafka.connect.file.FileStreamSourceTask"
    #: Seconds to wait where there is nothing to read.
    idle_seconds: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self._pause = PollPause()
        self._reader: RecordReader | None = None
        self._source: FileBytes | StandardInput | None = None
        self._told_missing = False

    def start(self, props: Mapping[str, str]) -> None:
        try:
            config = CONFIG_DEF.parse(props)
        except ConfigError as error:
            raise ConnectError(f"Invalid FileStreamSourceTask configuration: {error.message}") from error
        self._path: str | None = config[FILE] or None
        self._topic: str = config[TOPIC]
        # The JVM looks at the size after adding a line, so that zero or less means one at a time.
        self._batch = max(1, config[BATCH_SIZE])
        self._partition = {FILENAME_FIELD: config[FILE]}
        if self._path is None:
            self._source = StandardInput()
            self._reader = RecordReader(self._source, split_universal)

    def poll(self) -> Sequence[SourceRecord] | None:
        reader = self._reader or self._open()
        if reader is None:
            self._pause.wait(self.idle_seconds)
            return None
        if self._pause.stopped:
            return None
        position = reader.position
        try:
            lines = reader.take(self._batch)
        except OSError as error:
            raise file_error("FileStreamSource", "read", self._path or "stdin", error) from error
        if not lines:
            self._idle(reader)
            return None
        self.exhausted = False
        return self._records(lines, position)

    def _records(self, lines: list[bytes], position: int) -> list[SourceRecord]:
        topic, partition, now = self._topic, self._partition, time.time_ns() // 1_000_000
        tracked = self._path is not None
        records = []
        for line in lines:
            position += len(line)
            # A line holds no \r or \n but its end, so that stripping takes exactly that.
            text = line.rstrip(b"\r\n").decode("utf-8", "replace")
            records.append(
                SourceRecord(topic, None, None, None, STRING, text, now, Headers(), partition,
                             {POSITION_FIELD: position if tracked else None})
            )  # fmt: skip
        return records

    def _idle(self, reader: RecordReader) -> None:
        if not self.exhausted:
            self.exhausted = True
            if reader.partial:
                log.warning("The last %d bytes of %s have no line end; they wait for one", reader.partial, self._path)
        self._pause.wait(self.idle_seconds)

    def _open(self) -> RecordReader | None:
        assert self._path is not None
        position = self._committed_position()
        try:
            self._source = FileBytes(self._path, position)
        except FileNotFoundError:
            level = logging.DEBUG if self._told_missing else logging.WARNING
            log.log(level, "Couldn't find file %s for FileStreamSourceTask, waiting for it to be created", self._path)
            self._told_missing = True
            return None
        except OSError as error:
            raise file_error("FileStreamSource", "read", self._path, error) from error
        self._reader = RecordReader(self._source, split_universal, position)
        return self._reader

    def _committed_position(self) -> int:
        offset = self.context.offset_storage_reader.offset(self._partition)
        position = None if offset is None else offset.get(POSITION_FIELD)
        if position is None:
            return 0
        if not _is_long(position) or position < 0:
            raise ConnectError(
                f"Offset position is the incorrect type: file {self._path!r} has {position!r} committed, expected a number of bytes"
            )
        return int(position)

    def stop(self) -> None:
        self._pause.stop()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
