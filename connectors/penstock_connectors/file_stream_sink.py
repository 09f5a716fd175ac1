"""Record values as lines of a file, or of standard output: Kafka's ``FileStreamSinkConnector``.

At least once: offsets are committed after the lines were handed to the operating system, and lines written after the
last commit are written again when the task is restarted.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from penstock import KAFKA_VERSION
from penstock.api import SinkTask, TopicPartition
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import Schema, SinkRecord
from penstock.java.text import to_utf8
from penstock_connectors.appending import AppendedFile, AppendingSinkConnector
from penstock_connectors.java_text import printer

__all__ = ["FileStreamSinkConnector", "FileStreamSinkTask"]

log = logging.getLogger(__name__)

FILE: Final = "file"

CONFIG_DEF: Final = ConfigDef().define(
    FILE,
    ConfigType.STRING,
    None,
    importance=Importance.HIGH,
    doc="The file to append to, made if it is not there; without it, lines go to standard output.",
)


class FileStreamSinkConnector(AppendingSinkConnector):
    """Kafka's connector of this name."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    @property
    def task_class(self) -> type[FileStreamSinkTask]:
        return FileStreamSinkTask


class FileStreamSinkTask(SinkTask):
    """A value's text is what the JVM prints: ``String.valueOf(record.value())``."""

    version = KAFKA_VERSION
    java_class: ClassVar[str] = "org.apache.kafka.connect.file.FileStreamSinkTask"

    def __init__(self) -> None:
        self._file: AppendedFile | None = None
        # The last schema seen and what prints its values: records come in runs of one schema.
        self._printer: tuple[Schema | None, Callable[[Any], str]] = (None, printer(None))

    def start(self, props: Mapping[str, str]) -> None:
        path = CONFIG_DEF.parse(props)[FILE]
        if path is not None:
            self._file = AppendedFile(path, "FileStreamSinkTask")

    def put(self, records: Sequence[SinkRecord]) -> None:
        if not records:
            return
        text = "\n".join(self._lines(records)) + "\n"
        if self._file is None:
            sys.stdout.write(text)
        else:
            # Whole batches in one append keep several tasks' lines whole. Lone surrogates become ?, as in Java.
            self._file.write(to_utf8(text))

    def _lines(self, records: Sequence[SinkRecord]) -> list[str]:
        schema, print_value = self._printer
        lines = []
        for record in records:
            value = record.value
            if type(value) is str:
                lines.append(value)
                continue
            if record.value_schema is not schema:
                schema = record.value_schema
                print_value = printer(schema)
            lines.append(print_value(value))
        self._printer = (schema, print_value)
        return lines

    def flush(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self._file is None:
            sys.stdout.flush()

    def stop(self) -> None:
        if self._file is not None:
            self._file.close()
