"""JSON lines out of records: one object a line, appended.

At least once: a batch is on the disk before its offsets are committed, and lines written after the last commit are
written again when the task is restarted.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from penstock import __version__
from penstock.api import SinkTask, TopicPartition
from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString, ValidString
from penstock.data import Float32, Schema, SinkRecord, Type
from penstock.errors import DataError
from penstock.java.number_text import float_text
from penstock.java.text import well_formed
from penstock_connectors.appending import AppendedFile, AppendingSinkConnector

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
)  # fmt: skip

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class JsonLinesSink(AppendingSinkConnector):
    """Every task appends to the same file."""

    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    @property
    def task_class(self) -> type[SinkTask]:
        return JsonLinesSinkTask


class JsonLinesSinkTask(SinkTask):
    """Structs and maps as objects, a struct's absent fields as null; Date, Time and Timestamp in ISO 8601, bytes in
    Base64. JSON has no NaN and no infinity: they become null."""

    version = __version__

    def __init__(self) -> None:
        self._file: AppendedFile | None = None
        self._ready = _Ready()

    def start(self, props: Mapping[str, str]) -> None:
        config = CONFIG_DEF.parse(props)
        self._with_key: bool = config["include.key"]
        self._with_metadata: bool = config["include.metadata"]
        self._default = _as_number if config["decimal.format"] == "number" else _as_string
        self._file = AppendedFile(config["file"], "JsonLinesSink")
        self._file.mend()

    def put(self, records: Sequence[SinkRecord]) -> None:
        assert self._file is not None
        if records:
            self._file.write(b"\n".join(self._lines(records)) + b"\n")

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

    def stop(self) -> None:
        if self._file is not None:
            self._file.close()


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
    """What values of each schema need, worked out once per schema (by identity) and bounded."""

    _LIMIT: Final = 1000

    def __init__(self) -> None:
        # The schema is kept beside its function, so that its id stays its own.
        self._known: dict[int, tuple[Schema, Prepare | None]] = {}

    def of(self, schema: Schema | None) -> Prepare | None:
        if schema is None:
            return None
        known = self._known.get(id(schema))
        if known is None:
            if len(self._known) >= self._LIMIT:
                self._known.clear()
            known = self._known[id(schema)] = (schema, _prepare(schema))
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
