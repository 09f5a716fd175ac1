"""Records written down as JSON, for trying out transforms.

::

    {"topic": "orders", "key": "k1",
     "value": {"schema": {"type": "struct", "fields": [{"field": "id", "type": "int64"}]}, "payload": {"id": 1}},
     "headers": {"origin": "shop"}, "timestamp": 1700000000000, "partition": 0, "offset": 5}

Key, value and each header are plain JSON (no schema) or the JSON converter's envelope of ``schema`` and ``payload``.
Headers may also be a list of ``{"key", "value"}``, where a name occurs more than once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from penstock.api import Converter
from penstock.data import ConnectRecord, Headers, SchemaAndValue, SinkRecord, SourceRecord
from penstock.errors import DataError
from penstock.plugins import PluginKind, Plugins

__all__ = ["RecordReader", "split_records"]

_JSON_CONVERTER: Final = "org.apache.kafka.connect.json.JsonConverter"
_KNOWN_FIELDS: Final = ("topic", "partition", "key", "value", "headers", "timestamp", "offset")


def split_records(text: str) -> list[Any]:
    """The records of a file: one object, an array of them, or one object a line. A `DataError` says what is wrong."""
    try:
        content = json.loads(text)
    except ValueError as error:
        lines = [line for line in text.split("\n") if line.strip()]
        try:
            return [json.loads(line) for line in lines] if len(lines) > 1 else _refuse(error)
        except ValueError:
            return _refuse(error)
    return content if isinstance(content, list) else [content]


def _refuse(error: ValueError) -> list[Any]:
    raise DataError(f"not JSON, nor one JSON object a line: {error}") from error


class RecordReader:
    """Makes records of JSON. `sink` says for which side: sink records have an offset."""

    def __init__(self, plugins: Plugins, sink: bool) -> None:
        self._sink = sink
        self._envelope = self._converter(plugins, "true")
        self._plain = self._converter(plugins, "false")

    def read(self, node: Any) -> ConnectRecord:
        """Raises `DataError` for what is no record."""
        if not isinstance(node, dict) or not {"key", "value"} & node.keys():
            raise DataError('a record is a JSON object with "value" or "key", and "headers", "topic", ... as needed')
        if unknown := sorted(node.keys() - set(_KNOWN_FIELDS)):
            raise DataError(f"a record has {', '.join(_KNOWN_FIELDS)}, but not {', '.join(unknown)}")
        topic, offset = node.get("topic", "topic"), _number(node, "offset")
        key, value = self._value(topic, node.get("key")), self._value(topic, node.get("value"))
        record = ConnectRecord(
            topic, _number(node, "partition"), key.schema, key.value, value.schema, value.value,
            _number(node, "timestamp"), self._headers(topic, node.get("headers") or {}),
        )  # fmt: skip
        common = {name: getattr(record, name) for name in ConnectRecord.__struct_fields__}
        if not self._sink:
            return SourceRecord(**common)
        return SinkRecord(**{**common, "partition": record.partition or 0}, offset=0 if offset is None else offset)

    def _converter(self, plugins: Plugins, schemas: str) -> Converter:
        converter: Converter = plugins.new(PluginKind.CONVERTER, _JSON_CONVERTER)
        converter.configure({"schemas.enable": schemas, "converter.type": "value"}, False)
        return converter

    def _value(self, topic: str, node: Any) -> SchemaAndValue:
        if node is None:
            return SchemaAndValue(None, None)
        enveloped = isinstance(node, dict) and node.keys() == {"schema", "payload"}
        converter = self._envelope if enveloped else self._plain
        return converter.to_connect(topic, json.dumps(node).encode())

    def _headers(self, topic: str, node: Any) -> Headers:
        pairs = list(node.items()) if isinstance(node, dict) else [_pair(item) for item in node]
        headers = Headers()
        for name, item in pairs:
            converted = self._value(topic, item)
            headers.add(name, converted.value, converted.schema)
        return headers


def _pair(item: Any) -> tuple[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("key"), str):
        raise DataError(f'a header in a list is written {{"key": "...", "value": ...}}, not {json.dumps(item)}')
    return item["key"], item.get("value")


def _number(node: Mapping[str, Any], name: str) -> int | None:
    value = node.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise DataError(f"{name} of a record is a whole number, not {value!r}")
    return value
