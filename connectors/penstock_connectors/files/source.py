"""The common part of the JSON lines and CSV sources: the sample, the loop, offsets and errors."""

from __future__ import annotations

import logging
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from penstock import __version__
from penstock.api import ExactlyOnceSupport, SourceConnector, SourceTask
from penstock.config import ConfigDef
from penstock.data import Headers, Schema, SourceRecord
from penstock.errors import ConnectError, DataError
from penstock_connectors.files.fitting import Misfit
from penstock_connectors.files.settings import check_settings
from penstock_connectors.reading import FileBytes, PollPause, RecordReader, Split, file_error

__all__ = ["BOM", "SKIP", "BadRecord", "FileRecordsConnector", "FileRecordsTask", "Plan", "misfit_text"]

log = logging.getLogger(__name__)

FILE_FIELD: Final = "file"
POSITION_FIELD: Final = "position"
LINE_FIELD: Final = "line"
#: How many records the schema was inferred from, and how many were asked for, where the file had fewer.
SAMPLED_FIELD: Final = "sampled"
SAMPLE_LIMIT_FIELD: Final = "sample_limit"

BOM: Final = b"\xef\xbb\xbf"


class Plan(NamedTuple):
    """The way to make records of one file, worked out once, when the file is opened."""

    schema: Schema | None
    key_schema: Schema | None
    #: Raw records (terminators included) in; for each a value, or `SKIP` for a blank one. Raises `BadRecord`, after
    #: yielding the values before the bad one, through `BadRecord.before`.
    decode: Callable[[list[bytes], int], list[Any]]
    key: Callable[[Any], Any] | None


SKIP: Final[Any] = object()


class BadRecord(Exception):
    """One record of a batch cannot be read; `before` has the values of those in front of it."""

    def __init__(self, before: list[Any], problem: str, hint: bool = False) -> None:
        super().__init__(problem)
        self.before = before
        self.problem = problem
        #: True if another schema would have helped.
        self.hint = hint


class FileRecordsConnector(SourceConnector):
    """One task: one file is one stream."""

    version = __version__

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)
        check_settings(self.config_def().parse(props))

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [dict(self._props)]

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        """Positions in a file that only grows are exact."""
        return ExactlyOnceSupport.SUPPORTED

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[Any, Mapping[str, Any] | None]) -> bool:
        """Positions are checked to be numbers; that they are where a record starts is the user's word."""
        for partition, offset in offsets.items():
            if offset is None:
                continue
            if FILE_FIELD not in dict(partition or ()):
                raise ConnectError(
                    f"Source partitions of this connector look like {{'{FILE_FIELD}': path}}, met {dict(partition or ())}"
                )
            read_offset(offset, "The new offset")
        return True


def read_offset(offset: Mapping[str, Any], what: str) -> tuple[int, int]:
    """Position and line of an offset; the line may be left out."""
    position, line = offset.get(POSITION_FIELD), offset.get(LINE_FIELD, 0)
    for value in (position, line):
        if type(value) is not int or value < 0:
            raise ConnectError(
                f"{what} must be {{'{POSITION_FIELD}': bytes, '{LINE_FIELD}': lines before it}}, both whole and not negative, met {dict(offset)}"
            )
    assert position is not None
    return position, line


class FileRecordsTask(SourceTask):
    """The loop. A bad record fails the task, after those before it were handed over; nothing is skipped."""

    version = __version__
    idle_seconds: ClassVar[float] = 1.0
    #: The plugin's word for itself in errors.
    who: ClassVar[str]

    def __init__(self) -> None:
        self._pause = PollPause()
        self._source: FileBytes | None = None
        self._failure: DataError | None = None
        self._told_missing = False
        self._reader: RecordReader
        self._position = self._line = 0
        #: How many records the schema was inferred from; None if it was not.
        self.sampled: int | None = None
        #: The position of the first record, and the number of lines before it: behind a header.
        self.start_position = 0
        self.start_line = 0

    @classmethod
    @abstractmethod
    def config_def(cls) -> ConfigDef: ...

    @abstractmethod
    def splitter(self) -> Split:
        """Return the object that cuts this format's records."""

    @abstractmethod
    def plan(self, head: RecordReader, sample: int) -> Plan | None:
        """Work out schema and functions, with the file from its start. None: not yet, the file has too little.

        `head` is a reader of its own, at the start; take at most `sample` records from it for an inferred schema, and
        set `sampled`. Sets `start_position` and `start_line` where records do not begin at once.
        """

    def sample(
        self, head: RecordReader, limit: int, decode: Callable[[list[bytes], int], list[Any]]
    ) -> list[tuple[Any, int]]:
        """Values of the first records with their lines, blank ones left out; sets `sampled`.

        A bad record ends the sample: it fails when its turn comes, after those before it.
        """
        seen: list[tuple[Any, int]] = []
        line, bad = self.start_line, None
        while len(seen) < limit and bad is None:
            position = head.position
            raws = head.take(limit - len(seen))
            if not raws and self.stops and head.at_end and head.partial:
                raws = [head.take_rest()]
            if not raws:
                break
            try:
                values = decode(raws, position)
            except BadRecord as error:
                values, bad = error.before, error
            for raw, value in zip(raws, values, strict=False):
                if value is not SKIP:
                    seen.append((value, line + 1))
                line += raw.count(b"\n") or 1
        if bad is not None and not seen:
            raise DataError(f"{self._path!r}, line {line + 1}: {bad.problem}")
        self.sampled = len(seen)
        return seen

    def start(self, props: Mapping[str, str]) -> None:
        self.config = self.config_def().parse(props)
        check_settings(self.config)
        self._path: str = self.config["file"]
        self._topic: str = self.config["topic"]
        self._batch: int = self.config["batch.size"]
        self.stops: bool = self.config["file.end"] == "stop"
        self._partition = {FILE_FIELD: self._path}
        self._extra: dict[str, int] = {}

    def poll(self) -> Sequence[SourceRecord] | None:
        self._raise_failure()
        if self._source is None and not self._open():
            self._pause.wait(self.idle_seconds)
            return None
        if self._pause.stopped:
            return None
        raws = self._take()
        if not raws:
            self._idle()
            return None
        records = self._records(raws)
        if not records:
            self._raise_failure()
        return records

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _take(self) -> list[bytes]:
        reader = self._reader
        self._position = reader.position
        try:
            raws = reader.take(self._batch)
        except OSError as error:
            raise file_error(self.who, "read", self._path, error) from error
        if raws:
            return raws
        if reader.too_long:
            raise DataError(
                f"{self._path!r}, line {self._line + 1}: the record that starts there has no end within max.record.bytes "
                f"({self.config['max.record.bytes']}); a line end is missing, or a quote is not closed"
            )
        return [reader.take_rest()] if self.stops and reader.partial else []

    def _records(self, raws: list[bytes]) -> list[SourceRecord]:
        plan = self._plan
        try:
            values = plan.decode(raws, self._position)
        except BadRecord as bad:
            values = bad.before
            self._fail(bad, raws)
        topic, schema, key_schema, key_of = self._topic, plan.schema, plan.key_schema, plan.key
        partition, extra, now = self._partition, self._extra, time.time_ns() // 1_000_000
        position, line = self._position, self._line
        records = []
        for raw, value in zip(raws, values, strict=False):
            position += len(raw)
            line += raw.count(b"\n") or 1
            if value is SKIP:
                continue
            offset = {POSITION_FIELD: position, LINE_FIELD: line}
            if extra:
                offset |= extra
            key = key_of(value) if key_of is not None else None
            records.append(
                SourceRecord(topic, None, key_schema, key, schema, value, now, Headers(), partition, offset)
            )  # fmt: skip
        self._position, self._line = position, line
        return records

    def _fail(self, bad: BadRecord, raws: list[bytes]) -> None:
        good = raws[: len(bad.before)]
        line = self._line + sum(r.count(b"\n") or 1 for r in good)
        raw = raws[len(good)]
        after = {
            POSITION_FIELD: self._position + sum(map(len, good)) + len(raw),
            LINE_FIELD: line + (raw.count(b"\n") or 1),
        }
        advice = f"to go on behind it, set this connector's source offset to {after}"
        if bad.hint and self.sampled is not None:
            advice = (
                f"the schema was inferred from the first {self.sampled} records: raise schema.infer.rows or declare the schema; "
                + advice
            )
        self._failure = DataError(f"{self._path!r}, line {line + 1}: {bad.problem}; {advice}")

    def _idle(self) -> None:
        if self.stops:
            self.exhausted = True
        else:
            self._check_replaced()
        self._pause.wait(self.idle_seconds)

    def _check_replaced(self) -> None:
        assert self._source is not None
        size = self._source.size
        if size < self._position:
            raise ConnectError(
                f"{self._path!r} was cut short: {self._position} bytes were read, {size} are left; {_RESET}"
            )
        if not self._source.same_file_as(self._path):
            raise ConnectError(f"{self._path!r} was replaced by another file after {self._position} bytes; {_RESET}")

    def _open(self) -> bool:
        offset = self.context.offset_storage_reader.offset(self._partition) or {POSITION_FIELD: 0}
        position, line = read_offset(offset, f"The committed offset of {self._path!r}")
        try:
            size = os.stat(self._path).st_size
            if size < position:
                raise ConnectError(
                    f"{self._path!r} has {size} bytes, but {position} were read already: it was cut short or replaced; {_RESET}"
                )
            plan = self._make_plan(offset)
            if plan is None:
                self.exhausted = self.stops
                return False
            if position < self.start_position:
                position, line = self.start_position, self.start_line
            self._source = FileBytes(self._path, position)
        except FileNotFoundError as error:
            if self.stops:
                raise file_error(self.who, "read", self._path, error) from error
            log.log(
                logging.DEBUG if self._told_missing else logging.WARNING,
                "%s waits for the file %s",
                self.who,
                self._path,
            )
            self._told_missing = True
            return False
        except OSError as error:
            raise file_error(self.who, "read", self._path, error) from error
        self._plan = plan
        self._reader = self._new_reader(self._source, position)
        self._position, self._line = position, line
        return True

    def _new_reader(self, source: FileBytes, position: int) -> RecordReader:
        return RecordReader(source, self.splitter(), position, longest=self.config["max.record.bytes"])

    def _make_plan(self, offset: Mapping[str, Any]) -> Plan | None:
        limit: int = self.config["schema.infer.rows"]
        rows = limit
        if offset.get(SAMPLE_LIMIT_FIELD) == limit:
            # The schema must come out as it did: from as many records as there were then.
            rows = int(offset.get(SAMPLED_FIELD, limit))
        source = FileBytes(self._path, 0)
        try:
            plan = self.plan(self._new_reader(source, 0), rows)
        finally:
            source.close()
        if self.sampled is not None and self.sampled < limit:
            self._extra = {SAMPLED_FIELD: self.sampled, SAMPLE_LIMIT_FIELD: limit}
        return plan

    def stop(self) -> None:
        self._pause.stop()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()


_RESET: Final = (
    "reset the connector's offsets (stop it, DELETE /connectors/NAME/offsets) to read the file from its start"
)


def misfit_text(error: Misfit) -> str:
    return f"field {error.where!r}: {error.problem}" if error.where else f"the record: {error.problem}"
