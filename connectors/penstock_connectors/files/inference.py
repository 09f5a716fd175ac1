"""A schema out of a sample of parsed JSON.

Objects become structs, arrays arrays, whole numbers INT64, numbers of both kinds FLOAT64. A field that is missing or
null anywhere in the sample is optional; one that is never anything else is an optional string, and so are the elements
of arrays that are always empty. Fields stand in the order of their first appearance.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from penstock.data import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIME,
    TIMESTAMP,
    Schema,
    SchemaBuilder,
    decimal_schema,
)
from penstock.errors import ConfigError, DataError

__all__ = ["Inference"]

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)  # fmt: skip
_TEMPORAL: Final[tuple[tuple[re.Pattern[str], Callable[[str], object], Schema], ...]] = (
    (_DATE, dt.date.fromisoformat, DATE),
    (_TIME, dt.time.fromisoformat, TIME),
    (_TIMESTAMP, dt.datetime.fromisoformat, TIMESTAMP),
)
_KINDS: Final = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}


class Inference:
    """Look at values one by one with `see`, then ask for the `schema`."""

    def __init__(self, name: str | None = None, dates: bool = False, decimals: Mapping[str, int] | None = None) -> None:
        self._name = name
        self._dates = dates
        self._decimals = dict(decimals or {})
        self._root = _Seen()
        self.count = 0

    def see(self, value: Any, line: int) -> None:
        """One record's value, and the line to name if values disagree."""
        self._root.add(value, line)
        self.count += 1

    def see_all(self, values: Iterable[tuple[Any, int]]) -> None:
        for value, line in values:
            self.see(value, line)

    @property
    def schema(self) -> Schema:
        """Raises `DataError` if values of one place cannot share a schema, `ConfigError` for decimals never met."""
        unmet = set(self._decimals)
        schema = self._schema(self._root, (), self._name, unmet)
        if unmet:
            raise ConfigError(f"decimal.fields names {sorted(unmet)[0]!r}, which is not in the sample")
        return schema.as_optional() if self._root.nulls else schema

    def _schema(self, seen: _Seen, path: tuple[str, ...], name: str | None, unmet: set[str]) -> Schema:
        scale = self._decimals.get(".".join(path)) if path else None
        if scale is not None:
            unmet.discard(".".join(path))
            return decimal_schema(scale)
        kinds = set(seen.kinds)
        if not kinds:
            return OPTIONAL_STRING
        if kinds == {"integer", "number"}:
            return FLOAT64
        if len(kinds) > 1:
            self._disagree(seen, path)
        return self._of_kind(kinds.pop(), seen, path, name, unmet)

    def _of_kind(self, kind: str, seen: _Seen, path: tuple[str, ...], name: str | None, unmet: set[str]) -> Schema:
        match kind:
            case "object":
                return self._struct(seen, path, name, unmet)
            case "array":
                if seen.elements is None:
                    return SchemaBuilder.array(OPTIONAL_STRING).build()
                item = self._schema(seen.elements, path, name, unmet)
                return SchemaBuilder.array(item.as_optional() if seen.elements.nulls else item).build()
            case "string" if self._dates and seen.temporal is not None:
                return seen.temporal
        return _PLAIN[kind]

    def _struct(self, seen: _Seen, path: tuple[str, ...], name: str | None, unmet: set[str]) -> Schema:
        builder = SchemaBuilder.struct()
        if name:
            builder.name(name)
        for field, below in seen.fields.items():
            schema = self._schema(below, (*path, field), _name_below(name, field), unmet)
            always = below.count == seen.kinds_count("object") and not below.nulls
            builder.field(field, schema if always else schema.as_optional())
        return builder.build()

    def _disagree(self, seen: _Seen, path: tuple[str, ...]) -> None:
        first, second = sorted(seen.kinds.items(), key=lambda kind: kind[1][1])[:2]
        raise DataError(
            f"No schema can be inferred for field {'.'.join(path) or '(the record itself)'!r}: it is of kind {first[0]} in line {first[1][1]} "
            f"and of kind {second[0]} in line {second[1][1]}; declare the schema (schema, schema.file) or do without one (schema=none)"
        )


_PLAIN: Final = {"boolean": BOOLEAN, "integer": INT64, "number": FLOAT64, "string": STRING}


def temporal_schema(text: str) -> Schema | None:
    """Date, Time or Timestamp if `text` is one in ISO 8601's plain form."""
    for pattern, parse, schema in _TEMPORAL:
        if pattern.fullmatch(text):
            try:
                parse(text)
            except ValueError:  # 2024-13-99
                return None
            return schema
    return None


class _Seen:
    """The values seen in one place: kinds with how often and where first, and the places below."""

    __slots__ = ("_temporal_open", "count", "elements", "fields", "kinds", "nulls", "temporal")

    def __init__(self) -> None:
        self.count = 0
        self.nulls = 0
        self.kinds: dict[str, tuple[int, int]] = {}
        self.fields: dict[str, _Seen] = {}
        self.elements: _Seen | None = None
        self.temporal: Schema | None = None
        self._temporal_open = True

    def kinds_count(self, kind: str) -> int:
        return self.kinds[kind][0]

    def add(self, value: Any, line: int) -> None:
        self.count += 1
        if value is None:
            self.nulls += 1
            return
        kind = _KINDS[type(value)]
        if kind == "integer" and not -(2**63) <= value < 2**63:
            kind = "number"
        times, first = self.kinds.get(kind, (0, line))
        self.kinds[kind] = (times + 1, first)
        if kind == "object":
            for name, item in value.items():
                self.fields.setdefault(name, _Seen()).add(item, line)
        elif kind == "array":
            for item in value:
                if self.elements is None:
                    self.elements = _Seen()
                self.elements.add(item, line)
        elif kind == "string" and self._temporal_open:
            self._add_temporal(value)

    def _add_temporal(self, text: str) -> None:
        found = temporal_schema(text)
        if found is None or (self.temporal is not None and found is not self.temporal):
            self.temporal, self._temporal_open = None, False
        else:
            self.temporal = found


def _name_below(name: str | None, field: str) -> str | None:
    """``com.example.Order`` and ``line_items`` make ``com.example.OrderLineItems``."""
    if not name:
        return None
    words = re.findall(r"[A-Za-z0-9]+", field)
    return name + "".join(word[0].upper() + word[1:] for word in words)
