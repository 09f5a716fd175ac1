"""JSON lines out of records: one object a line, appended.

At least once: a batch is on the disk before its offsets are committed, and lines written after the last commit are
written again when the task is restarted. With ``exactly.once=true`` they are cut off first, so that each record is in the
file once (`penstock_connectors.files.exactly_once`).
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from penstock import __version__
from penstock.api import SinkTask, TopicPartition
from penstock.config import Config, ConfigDef, ConfigType, Importance, NonEmptyString, ValidString
from penstock.data import Float32, Schema, SinkRecord, Type
from penstock.errors import ConfigError, ConnectError, DataError
from penstock.java.number_text import float_text
from penstock.java.text import well_formed
from penstock_connectors.appending import AppendedFile, AppendingSinkConnector
from penstock_connectors.files.exact_file import ExactFile
from penstock_connectors.files.exactly_once import ExactlyOnce

__all__ = ["JsonLinesSink", "JsonLinesSinkTask"]

CONFIG_DEF: Final = (
    ConfigDef()
    .define("file", ConfigType.STRING, validator=NonEmptyString(), importance=Importance.HIGH,
            doc="The file to append to, made if it is not there; its folder must be there.")
    .define("decimal.format", ConfigType.STRING, "string", validator=ValidString("string", "number"), importance=Importance.MEDIUM,
            doc="How Decimal is written: as a 'string' or as a 'number', with all its digits either way.")
    .define("include.key", ConfigType.BOOLEAN, "false", importance=Importance.MEDIUM,
            doc="Whether a line is an object of key and value instead of the value alone.")
    .define("include.metadata", ConfigType.BOOLEAN, "false", importance=Importance.LOW,
            doc="Whether a line is an object of value, topic, partition, offset and timestamp (milliseconds).")
    .define("exactly.once", ConfigType.BOOLEAN, "false", importance=Importance.MEDIUM,
            doc="Whether the file holds every record once, also after a crash: offsets are kept beside it in FILE.offsets, and one task writes.")
)  # fmt: skip

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


_RESET: Final = "consumer.override.auto.offset.reset"


class JsonLinesSink(AppendingSinkConnector):
    """Every task appends to the same file; with ``exactly.once=true`` there is one task, whatever ``tasks.max`` says."""

    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    @property
    def task_class(self) -> type[SinkTask]:
        return JsonLinesSinkTask

    def validate(self, configs: Mapping[str, str]) -> Config:
        config = super().validate(configs)
        exact, file = config.value("exactly.once"), config.value("file")
        if exact is not None and exact.value is True:
            for name, _, reason in _obstacles(configs):
                found = file if name == "file" else exact
                if found is not None:
                    found.add_error(reason)
        return config

    def start(self, props: Mapping[str, str]) -> None:
        super().start(props)
        if CONFIG_DEF.parse(props)["exactly.once"]:
            for name, value, reason in _obstacles(props):
                raise ConfigError(name, value, reason)

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        exact = CONFIG_DEF.parse(self._props)["exactly.once"]
        return super().task_configs(1 if exact else max_tasks)

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        """With ``exactly.once`` the offsets beside the file count, so that they are changed, too."""
        if not CONFIG_DEF.parse(props)["exactly.once"]:
            return super().alter_offsets(props, offsets)
        file = _exact_file(props)
        try:
            if not file.acquire():
                raise ConnectError(
                    f"JsonLinesSink: another task writes to '{props['file']}'; its offsets stay as they are"
                )
            file.change(offsets)
        finally:
            file.close()
        return True


def _obstacles(props: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Return each setting that ``exactly.once`` cannot work with, its value and the reason."""
    reset = str(props.get(_RESET, "")).strip().lower()
    if reset == "latest":
        yield (
            _RESET,
            reset,
            f"exactly.once=true cannot work with {_RESET}=latest: what came before the first commit would be skipped after a crash",
        )
    file = props.get("file")
    try:
        special = bool(file) and not stat.S_ISREG(os.stat(str(file)).st_mode)
    except (OSError, ValueError):
        special = False  # not there yet
    if special:
        yield "file", str(file), "exactly.once=true needs a regular file, which can be cut after a crash"


def _exact_file(props: Mapping[str, str]) -> ExactFile:
    return ExactFile(CONFIG_DEF.parse(props)["file"], "JsonLinesSink", props.get("name", ""))


class JsonLinesSinkTask(SinkTask):
    """Structs and maps as objects, a struct's absent fields as null; Date, Time and Timestamp in ISO 8601, bytes in
    Base64. JSON has no NaN and no infinity: they become null."""

    version = __version__

    def __init__(self) -> None:
        self._file: AppendedFile | None = None
        self._exact: ExactlyOnce | None = None
        self._ready = _Ready()

    def start(self, props: Mapping[str, str]) -> None:
        config = CONFIG_DEF.parse(props)
        self._with_key: bool = config["include.key"]
        self._with_metadata: bool = config["include.metadata"]
        self._default = _as_number if config["decimal.format"] == "number" else _as_string
        if config["exactly.once"]:
            self._exact = ExactlyOnce(_exact_file(props), self.context, "JsonLinesSink")
            self._exact.start()
        else:
            self._file = AppendedFile(config["file"], "JsonLinesSink")
            self._file.mend()

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        if self._exact is not None:
            self._exact.open(partitions)

    def put(self, records: Sequence[SinkRecord]) -> None:
        if self._exact is not None:
            self._exact.put(records, self._text)
        elif records:
            assert self._file is not None
            self._file.write(self._text(records))

    def _text(self, records: Sequence[SinkRecord]) -> bytes:
        return b"\n".join(self._lines(records)) + b"\n"

    def _lines(self, records: Sequence[SinkRecord]) -> list[bytes]:
        dumps, default, ready = orjson.dumps, self._default, self._ready
        plain = not (self._with_key or self._with_metadata)
        schema: Schema | None = None
        prepare: Prepare | None = None
        lines = []
        for record in records:
            if record.value_schema is not schema:
                schema = record.value_schema
                prepare = ready.of(schema)
            try:
                value = record.value if prepare is None or record.value is None else prepare(record.value)
                if not plain:
                    value = self._wrapped(record, value)
                try:
                    line = dumps(value, default, _OPTIONS)
                except orjson.JSONEncodeError:
                    line = dumps(_well_formed(value), default, _OPTIONS)
                lines.append(line)
            except (orjson.JSONEncodeError, AttributeError, TypeError) as error:
                where = f"{record.topic}-{record.partition} at offset {record.offset}"
                raise DataError(f"JsonLinesSink cannot write the record of {where} as JSON: {error}") from error
        return lines

    def _wrapped(self, record: SinkRecord, value: Any) -> dict[str, Any]:
        line: dict[str, Any] = {}
        if self._with_key:
            prepare = self._ready.of(record.key_schema)
            line["key"] = record.key if prepare is None or record.key is None else prepare(record.key)
        line["value"] = value
        if self._with_metadata:
            line |= {
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "timestamp": record.timestamp,
            }
        return line

    def flush(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self._file is not None:
            self._file.sync()

    def pre_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        return super().pre_commit(offsets) if self._exact is None else self._exact.pre_commit(offsets)

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        if self._exact is not None:
            self._exact.close(partitions)

    def stop(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._exact is not None:
            self._exact.stop()


def _as_string(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else _other(value)


def _as_number(value: Any) -> Any:
    # A fragment keeps every digit, where a float would not.
    return orjson.Fragment(str(value)) if isinstance(value, Decimal) else _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Float32):
        return _short_float(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _short_float(value: float) -> float:
    """The double whose digits are the 32-bit float's: 12.2, not 12.199999809265137."""
    return float(float_text(value))


#: Makes a value ready for the JSON writer, without altering it; None where it is ready as it is.
Prepare = Callable[[Any], Any]


class _Ready:
    """The needs of values of each schema, worked out once per schema (by identity) and bounded."""

    _LIMIT: Final = 1000

    def __init__(self) -> None:
        # The schema is kept beside its function, so that its id stays its own.
        self._known_schemas: dict[int, tuple[Schema, Prepare | None]] = {}

    def of(self, schema: Schema | None) -> Prepare | None:
        if schema is None:
            return None
        known = self._known_schemas.get(id(schema))
        if known is None:
            if len(self._known_schemas) >= self._LIMIT:
                self._known_schemas.clear()
            known = self._known_schemas[id(schema)] = (schema, _prepare(schema))
        return known[1]


def _prepare(schema: Schema | None) -> Prepare | None:
    if schema is None:
        return None
    match schema.type:
        case Type.STRUCT:
            return _struct(schema)
        case Type.ARRAY:
            return _array(_prepare(schema.value_schema))
        case Type.MAP:
            return _map(_prepare(schema.value_schema))
        case Type.FLOAT32:
            return _short_float
    return None


def _array(item: Prepare | None) -> Prepare | None:
    return None if item is None else lambda value: [None if v is None else item(v) for v in value]


def _map(item: Prepare | None) -> Prepare | None:
    return None if item is None else lambda value: {k: None if v is None else item(v) for k, v in value.items()}


def _struct(schema: Schema) -> Prepare:
    names = [field.name for field in schema.fields]
    width = len(names)
    below: list[tuple[str, Prepare]] | None = None

    def prepare(value: dict[str, Any]) -> dict[str, Any]:
        nonlocal below
        if below is None:  # bound on first use: a schema may contain itself
            below = [(f.name, p) for f in schema.fields if (p := _prepare(f.schema)) is not None]
        if len(value) < width:
            value = {name: value.get(name) for name in names}
        elif below:
            value = value.copy()
        for name, part in below:
            item = value.get(name)
            if item is not None:
                value[name] = part(item)
        return value

    return prepare


def _well_formed(value: Any) -> Any:
    """Return `value` with a question mark for each half of a character pair, which no file in UTF-8 can hold."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_well_formed(item) for item in value]
    return value
