"""A record as lines of text, and two of them side by side: what ``penstock transform`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from penstock.data import ConnectRecord, Schema, Type

__all__ = ["Line", "compare", "lines_of"]

_NO_SCHEMA: Final = "-"


class Line(NamedTuple):
    """One value of a record: its place, its type by the schema, itself in Python's notation."""

    path: str
    type: str
    text: str


def lines_of(record: ConnectRecord) -> list[Line]:
    lines = [Line("topic", "", record.topic)]
    if record.partition is not None:
        lines.append(Line("partition", "", str(record.partition)))
    if record.timestamp is not None:
        lines.append(Line("timestamp", "", str(record.timestamp)))
    lines += _lines("key", record.key, record.key_schema)
    lines += _lines("value", record.value, record.value_schema)
    met: Counter[str] = Counter()
    for header in record.headers:
        met[header.key] += 1
        again = f" ({met[header.key]})" if met[header.key] > 1 else ""
        lines += _lines(f"header {header.key}{again}", header.value, header.schema)
    return lines


def _lines(path: str, value: Any, schema: Schema | None) -> Iterator[Line]:
    kind = type_of(schema)
    if not isinstance(value, dict) or (schema is not None and schema.type is Type.MAP):
        yield Line(path, kind, "null" if value is None else repr(value))
        return
    yield Line(path, kind, "" if value else "{}")
    if schema is None or schema.type is not Type.STRUCT:
        for name, item in value.items():
            yield from _lines(f"{path}.{name}", item, None)
        return
    for field in schema.fields:
        yield from _lines(f"{path}.{field.name}", value.get(field.name), field.schema)
    for name in value.keys() - {field.name for field in schema.fields}:
        yield Line(f"{path}.{name}", "not in the schema", repr(value[name]))


def type_of(schema: Schema | None) -> str:
    """Return a schema in a few words: ``int64``, ``string?`` (optional), ``struct com.acme.Order v2``, ``array<int32>``; with its default, if any."""
    if schema is None:
        return _NO_SCHEMA
    text = schema.type.value
    if schema.type is Type.ARRAY:
        text = f"array<{type_of(schema.value_schema)}>"
    elif schema.type is Type.MAP:
        text = f"map<{type_of(schema.key_schema)}, {type_of(schema.value_schema)}>"
    if schema.name is not None:
        text += f" {schema.name}" + (f" v{schema.version}" if schema.version is not None else "")
    if schema.optional:
        text += "?"
    return text if schema.default is None else f"{text} = {schema.default!r}"


def compare(before: ConnectRecord, after: ConnectRecord) -> tuple[list[str], list[str]]:
    """Return both as text. ``-`` marks what goes, ``+`` what is new, ``~`` another value, ``!`` another schema."""
    old, new = lines_of(before), lines_of(after)
    was, becomes = {line.path: line for line in old}, {line.path: line for line in new}
    marked_old = [("-" if line.path not in becomes else " ", line, "") for line in old]
    marked_new = []
    for line in new:
        earlier = was.get(line.path)
        if earlier is None:
            marked_new.append(("+", line, ""))
        elif earlier.type != line.type:
            marked_new.append(("!", line, f"   schema was {earlier.type}"))
        else:
            marked_new.append(("~" if earlier.text != line.text else " ", line, ""))
    return _aligned(marked_old), _aligned(marked_new)


def _aligned(rows: list[tuple[str, Line, str]]) -> list[str]:
    paths = max(len(line.path) for _, line, _ in rows)
    types = max(len(line.type) for _, line, _ in rows)
    return [
        f"{mark} {line.path:<{paths}}  {line.type:<{types}}  {line.text}{note}".rstrip() for mark, line, note in rows
    ]
