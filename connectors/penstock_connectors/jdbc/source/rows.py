"""Rows of a result → records, by a function that is generated once for each shape of a result."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.data import Headers, Schema, SchemaBuilder, SourceRecord, Type
from penstock.data.codegen import Source
from penstock.errors import ConnectError, DataError
from penstock_connectors.jdbc.source.columns import ResultColumn, SqlType, column_schema
from penstock_connectors.jdbc.source.located import located
from penstock_connectors.jdbc.source.moments import CUTOVER, Moments
from penstock_connectors.jdbc.source.values import composed, converter, moment, whole

__all__ = ["RowOptions", "RowPlan", "RowSettings", "plan_rows"]

log = logging.getLogger(__name__)

#: The first millisecond that Python's datetime cannot hold.
_LAST_MILLIS: Final = 253_402_300_800_000
_INTEGER_TYPES: Final = frozenset({Type.INT8, Type.INT16, Type.INT32, Type.INT64})


@dataclass(frozen=True)
class RowSettings:
    """The settings that say what becomes of columns; the same for all tables of a task."""

    moments: Moments
    numeric_mapping: str = "none"
    #: ``unmapped.types``: drop, map or fail.
    unmapped: str = "drop"
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RowOptions:
    """The things that differ from table to table."""

    topic: str
    #: The name of the value's schema; None for a query.
    schema_name: str | None
    partition: dict[str, str]
    incrementing: str | None = None
    timestamps: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowPlan:
    """The functions for one shape of a result."""

    schema: Schema
    key_schema: Schema | None
    #: Makes records of rows. In timestamp mode it takes their offsets beside them, in other modes None.
    records: Callable[[Sequence[tuple[Any, ...]], Sequence[Any] | None], list[SourceRecord]]
    #: Returns the instant of each row's timestamp columns, in microseconds; None without such columns.
    instants: Callable[[Sequence[tuple[Any, ...]]], list[int]] | None
    #: Returns the id of a row; None without an incrementing column.
    identifier: Callable[[tuple[Any, ...]], int] | None


@dataclass
class _Field:
    place: int
    column: ResultColumn
    schema: Schema


def plan_rows(columns: Sequence[ResultColumn], settings: RowSettings, options: RowOptions) -> RowPlan:
    """Return the functions for a result with these columns. Raise `ConnectError` for columns that cannot be read."""
    fields = _fields(columns, settings)
    by_name = {field.column.name: field for field in fields}
    shown = [f for f in fields if _is_shown(f.column.name, settings)]
    if not shown:
        raise ConnectError(
            f"No column is left for {options.topic}: the result has {', '.join(c.name for c in columns)}"
        )
    schema = _struct(options.schema_name, shown)
    keys = [_key_field(name, by_name) for name in options.keys]
    key_schema = _struct(None, keys) if keys else None
    writer = _Writer(f"rows of {options.topic}", columns, settings.moments)
    identifier = None if options.incrementing is None else _identifier(writer, options.incrementing, by_name)
    times = [_timestamp_field(name, by_name) for name in options.timestamps]
    writer.records(schema, key_schema, shown, keys, options, identifier, times)
    if times:
        writer.instants(times)
    if identifier:
        writer.identifier(identifier)
    made, functions = writer.source.build("records"), writer.source.env
    converters = [(f.place, f.column.name, converter(f.column, f.schema, settings.moments)) for f in fields]
    records = located(made, converters, f"Table {options.schema_name}" if options.schema_name else "The query")
    return RowPlan(schema, key_schema, records, functions.get("instants"), functions.get("identifier"))


def _fields(columns: Sequence[ResultColumn], settings: RowSettings) -> list[_Field]:
    fields = []
    for place, column in enumerate(columns):
        if column.type in (SqlType.ARRAY, SqlType.OTHER):
            column = _unmapped(column, settings)
        schema = column_schema(column, settings.numeric_mapping, settings.moments.schema)
        if schema is None:
            continue
        fields.append(_Field(place, column, schema))
    return fields


def _unmapped(column: ResultColumn, settings: RowSettings) -> ResultColumn:
    """Return the column as ``unmapped.types`` has it: left out, an array or a text, or an error."""
    if settings.unmapped == "fail":
        raise ConnectError(
            f"The type {column.type_name} of column {column.name} has no Connect type; leave the column out with columns.exclude, or set unmapped.types=map"
        )
    if settings.unmapped == "map":
        if column.type is SqlType.ARRAY:
            return column
        return ResultColumn(column.name, SqlType.STRING, column.optional, type_name=column.type_name, read=_text)
    log.warning("JDBC type (%s) of column %s not currently supported", column.type_name, column.name)
    return ResultColumn(column.name, SqlType.OTHER, column.optional)


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | bytearray | memoryview) else str(value)


def _is_shown(name: str, settings: RowSettings) -> bool:
    return (not settings.include or name in settings.include) and name not in settings.exclude


def _struct(name: str | None, fields: Sequence[_Field]) -> Schema:
    builder = SchemaBuilder.struct()
    if name is not None:
        builder.name(name)
    for field in fields:
        builder.field(field.column.name, field.schema)
    return builder.build()


def _key_field(name: str, by_name: dict[str, _Field]) -> _Field:
    if name not in by_name:
        raise ConnectError(f"The key's column {name} is not in the result: {', '.join(by_name)}")
    return by_name[name]


def _timestamp_field(name: str, by_name: dict[str, _Field]) -> _Field:
    """Return the timestamp column of that name, in any letter case if it is the only one (``findCaseSensitiveTimestampColumns``)."""
    names = ",".join(by_name)
    field = by_name.get(name)
    if field is None:
        alike = [f for f in by_name.values() if f.column.name.lower() == name.lower()]
        if not alike:
            raise DataError(f"Timestamp column {name} not found in {names}")
        if len(alike) > 1:
            raise DataError(
                f"Timestamp column {name} not found in columns read from database: {names}. Could not fall back to "
                "case-insensitively selecting a column because there were multiple columns whose names "
                f"case-insensitively matched the specified name: {','.join(f.column.name for f in alike)}. To force the "
                "connector to choose between these columns, specify a value for the timestamp column configuration property "
                "that matches the desired column case-sensitively."
            )
        field = alike[0]
    if field.column.type is not SqlType.TIMESTAMP:
        raise ConnectError(
            f"Invalid type for timestamp column {name}: {field.schema.type.name}; expected a timestamp (cast it in a query)"
        )
    return field


def _identifier(writer: _Writer, name: str, by_name: dict[str, _Field]) -> str:
    """Return the expression of a row's id (``extractOffsetIncrementedId``)."""
    field = by_name.get(name)
    if field is None:
        raise DataError(f"Incrementing column {name} not found in {','.join(by_name)}")
    kind = field.schema.type

    def null() -> int:
        raise ConnectError(f"Null value for incrementing column of type: {kind.name}")

    value = writer.value(field)
    missing = writer.source.constant(null)
    if kind in _INTEGER_TYPES and field.schema.name is None and field.column.type is not SqlType.TIMESTAMP:
        return f"({value} if c{field.place} is not None else {missing}())"
    if field.column.type is SqlType.NUMERIC and kind is Type.BYTES:
        exact = writer.source.constant(whole)
        return f"({exact}({value}) if c{field.place} is not None else {missing}())"
    raise ConnectError(f"Invalid type for incrementing column: {kind.name}")


class _Writer:
    """Writes the functions of one plan."""

    def __init__(self, title: str, columns: Sequence[ResultColumn], moments: Moments) -> None:
        self.source = Source(title, {"SourceRecord": SourceRecord, "Headers": Headers})
        self._moments = moments
        self._row = "".join(f"c{i}, " for i in range(len(columns)))

    def records(
        self,
        schema: Schema,
        key_schema: Schema | None,
        shown: Sequence[_Field],
        keys: Sequence[_Field],
        options: RowOptions,
        identifier: str | None,
        times: Sequence[_Field],
    ) -> None:
        """Write ``records(rows, offsets)``."""
        source = self.source
        by_time = bool(times) and identifier is None
        topic, value_schema, partition = (source.constant(x) for x in (options.topic, schema, options.partition))
        key = "None, None"
        if key_schema is not None:
            key = f"{source.constant(key_schema)}, {self._dict(keys)}"
        with source.function("records", "rows, offsets"):
            source.line("out = []")
            source.line("append = out.append")
            head = f"for ({self._row}), offset in zip(rows, offsets):" if by_time else f"for {self._row} in rows:"
            with source.block(head):
                if by_time:
                    offset = "offset"
                elif times:
                    source.line(f"micros = {self._instant(times)}")
                    offset = f"{{'timestamp_nanos': micros % 1000000 * 1000, 'incrementing': {identifier}, 'timestamp': micros // 1000}}"
                else:
                    offset = f"{{'incrementing': {identifier}}}" if identifier else "None"
                source.line(
                    f"append(SourceRecord({topic}, None, {key}, {value_schema}, {self._dict(shown)}, None, Headers(), {partition}, {offset}))"
                )
            source.line("return out")

    def instants(self, times: Sequence[_Field]) -> None:
        """Write ``instants(rows)``."""
        with self.source.function("instants", "rows"):
            self.source.line(f"return [{self._instant(times)} for {self._row} in rows]")

    def identifier(self, expression: str) -> None:
        """Write ``identifier(row)``."""
        with self.source.function("identifier", "row"):
            self.source.line(f"{self._row} = row")
            self.source.line(f"return {expression}")

    def _dict(self, fields: Sequence[_Field]) -> str:
        return "{" + ", ".join(f"{field.column.name!r}: {self._optional(field)}" for field in fields) + "}"

    def _optional(self, field: _Field) -> str:
        value = self.value(field)
        name = f"c{field.place}"
        return value if value == name else f"None if {name} is None else {value}"

    def _instant(self, times: Sequence[_Field]) -> str:
        """Return the expression of the first timestamp column that is not null; the criteria leave no other rows."""
        parts = []
        for field in times:
            instant = moment(field.column, self._moments)
            function = instant if field.column.read is None else composed(instant, field.column.read)
            expression = f"{self.source.constant(function)}(c{field.place})"
            if field.column.native is int:
                expression = (
                    f"(c{field.place} * 1000 if type(c{field.place}) is int and c{field.place} >= 0 else {expression})"
                )
            parts.append(expression)
        last = parts.pop()
        return (
            "".join(
                f"{part} if c{field.place} is not None else " for part, field in zip(parts, times[:-1], strict=True)
            )
            + last
        )

    def value(self, field: _Field) -> str:
        """Return the expression of a column's value that is not null."""
        name = f"c{field.place}"
        column = field.column
        if column.type is SqlType.TIMESTAMP and self._moments.is_plain and not column.instant and column.read is None:
            return self._plain_timestamp(name)
        function = converter(column, field.schema, self._moments)
        if column.type is SqlType.TIMESTAMP and column.native is int:
            return self._of_millis(name, function)
        if function is not None and column.type is SqlType.BOOLEAN and column.native is int:
            return f"({name} != 0 if type({name}) is int else {self.source.constant(function)}({name}))"
        if function is not None and column.native is not None:
            return self._unless_native(name, column, function)
        return name if function is None else f"{self.source.constant(function)}({name})"

    def _unless_native(self, name: str, column: ResultColumn, function: Callable[[Any], Any]) -> str:
        """Return the expression of a value that most rows have as it is, and the others by `function`."""
        assert column.native is not None
        test = f"type({name}) is {self.source.constant(column.native)}"
        if column.bits is not None:
            high = 2 ** (column.bits - 1)
            test += f" and {-high} <= {name} < {high}"
        return f"({name} if {test} else {self.source.constant(function)}({name}))"

    def _of_millis(self, name: str, function: Callable[[Any], Any] | None) -> str:
        """Return the expression of a timestamp that most rows have as milliseconds since 1970."""
        slow = f"{self.source.constant(function)}({name})"
        if self._moments.granularity != "connect_logical":
            return slow
        epoch, delta = self.source.constant(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)), self.source.constant(dt.timedelta)
        test = f"type({name}) is int and 0 <= {name} < {_LAST_MILLIS}"
        return f"({epoch} + {delta}(0, 0, 0, {name}) if {test} else {slow})"

    def _plain_timestamp(self, name: str) -> str:
        """Return the expression of the commonest timestamp by far: in UTC, after 1582, cut to milliseconds.

        ``datetime.replace`` takes five times as long as either constructor.
        """
        cutover, utc, kind = (self.source.constant(value) for value in (CUTOVER, dt.UTC, dt.datetime))
        slow = self.source.constant(lambda value: self._moments.timestamp(self._moments.instant(value)))
        parts = ", ".join(f"{name}.{part}" for part in ("year", "month", "day", "hour", "minute", "second"))
        cut = f"{kind}({parts}, {name}.microsecond // 1000 * 1000, {utc})"
        whole = f"{kind}.combine({name}, {name}.time(), {utc})"
        fast = f"({cut} if {name}.microsecond % 1000 else {whole})"
        return f"({fast} if type({name}) is {kind} and {name} >= {cutover} else {slow}({name}))"
