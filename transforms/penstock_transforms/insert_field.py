"""``InsertField``: adds fields made of the record's metadata, or a fixed text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import (
    INT32,
    INT64,
    OPTIONAL_INT32,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    OPTIONAL_TIMESTAMP,
    STRING,
    TIMESTAMP,
    Int32,
    Schema,
    Type,
)
from penstock.data.logical import timestamp_from_millis
from penstock.errors import ConfigError, DataError
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.levels import Level, bind_level, copy_basics
from penstock_transforms.operating import Edit, OperatingTransform, in_sequence
from penstock_transforms.requirements import require_sink_record
from penstock_transforms.settings import REPLACE_NULL, define_field_syntax, define_replace_null

__all__ = ["InsertField", "InsertFieldKey", "InsertFieldValue"]

_PURPOSE = "field insertion"
_SUFFIX = " End the name with ! for a required field, with ? for an optional one (as without either)."
_DOCS = {
    "topic.field": "Name of the field for the record's topic.",
    "partition.field": "Name of the field for the record's Kafka partition. Left null where there is none yet.",
    "offset.field": "Name of the field for the record's Kafka offset. For sink connectors only.",
    "timestamp.field": "Name of the field for the record's timestamp. Left null where it has none.",
    "static.field": "Name of the field for the fixed text of static.value.",
}


def _config() -> ConfigDef:
    config = ConfigDef()
    for name, doc in _DOCS.items():
        config.define(name, ConfigType.STRING, None, importance=Importance.MEDIUM, doc=doc + _SUFFIX)
    config.define(
        "static.value", ConfigType.STRING, None, importance=Importance.MEDIUM, doc="The text for static.field."
    )
    return define_field_syntax(define_replace_null(config))


_CONFIG = _config()
#: Source of a field: its required and its optional schema.
_SCHEMAS: dict[str, tuple[Schema, Schema]] = {
    "topic.field": (STRING, OPTIONAL_STRING),
    "partition.field": (INT32, OPTIONAL_INT32),
    "offset.field": (INT64, OPTIONAL_INT64),
    "timestamp.field": (TIMESTAMP, OPTIONAL_TIMESTAMP),
    "static.field": (STRING, OPTIONAL_STRING),
}


class Insertion(NamedTuple):
    """One field to add: where, of what source (the config key), and optional or not."""

    path: FieldPath
    source: str
    optional: bool

    @classmethod
    def parse(cls, source: str, text: str, syntax: FieldSyntax) -> Insertion:
        name = text[:-1] if text.endswith(("!", "?")) else text
        return cls(FieldPath.parse(name, syntax), source, not text.endswith("!"))

    @property
    def schema(self) -> Schema:
        required, optional = _SCHEMAS[self.source]
        return optional if self.optional else required


class InsertField(OperatingTransform):
    """A null part stays null. What the record does not have (partition, timestamp) is not inserted."""

    purpose = _PURPOSE

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        syntax = FieldSyntax.of(config)
        self._insertions = [Insertion.parse(s, config[s], syntax) for s in _SCHEMAS if config[s] is not None]
        self._static: str | None = config["static.value"]
        self._fill: bool = config[REPLACE_NULL]
        if not self._insertions:
            raise ConfigError("No field insertion configured")
        if config["static.field"] is not None and self._static is None:
            raise ConfigError("static.value", None, f"No value specified for static field: {config['static.field']}")

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if schema.type is not Type.STRUCT:
            return self.refuse_type(shape)
        return self._bind(shape, schema)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        return self._bind(shape, None)

    def _bind(self, shape: Shape, schema: Schema | None) -> BoundTransform:
        level: Level[list[Insertion]] = Level(list)
        for insertion in self._insertions:
            if schema is not None and insertion.path.parents and insertion.path.field_in(schema) is None:
                self._check_parents(insertion.path, schema)
            level.at(insertion.path.parents).work.append(insertion)
        facts: dict[str, Any] = {}
        sources = [i.source for i in self._insertions if i.source not in ("topic.field", "static.field")]

        def local(schema: Schema | None, work: list[Insertion]) -> tuple[Schema | None, Edit | None]:
            return _with_fields(schema, work), _inserting(work, shape.topic, self._static, facts)

        after, edit = bind_level(level, schema, local, _PURPOSE, self._fill)
        bound = self.edit(shape, after, edit)
        if not sources:
            return bound
        run = _with_facts(facts, sources, schema is None, self.part, bound.apply)
        return bound._replace(apply=run, in_place=None)

    def _check_parents(self, path: FieldPath, schema: Schema) -> None:
        for depth in range(1, len(path.steps)):
            parent = FieldPath(path.steps[:depth])
            if parent.field_in(schema) is None:
                raise DataError(f"Cannot insert {'.'.join(path.steps)}: there is no field {'.'.join(parent.steps)}")


def _with_fields(schema: Schema | None, work: list[Insertion]) -> Schema | None:
    if schema is None or not work:
        return schema
    builder = copy_basics(schema)
    for field in schema.fields:
        builder.field(field.name, field.schema)
    for insertion in work:
        builder.field(insertion.path.name, insertion.schema)
    return builder.build()


def _inserting(work: list[Insertion], topic: str, static: str | None, facts: Mapping[str, Any]) -> Edit | None:
    edits: list[Edit] = []
    for insertion in work:
        name = insertion.path.name
        if insertion.source == "topic.field":
            edits.append(_putting(name, topic))
        elif insertion.source == "static.field":
            edits.append(_putting(name, static))
        else:
            edits.append(_putting_fact(name, facts, insertion.source))
    return in_sequence(edits)


def _putting(name: str, value: Any) -> Edit:
    def put(fields: dict[str, Any]) -> None:
        fields[name] = value

    return put


def _putting_fact(name: str, facts: Mapping[str, Any], source: str) -> Edit:
    def put(fields: dict[str, Any]) -> None:
        value = facts[source]
        if value is not None:
            fields[name] = value

    return put


def _with_facts(
    facts: dict[str, Any], sources: list[str], schemaless: bool, part: str, apply: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """Look up what the record itself says, then edit. A bound transform runs in one thread, so `facts` is a scratch pad."""
    partition, offset, timestamp = (s in sources for s in ("partition.field", "offset.field", "timestamp.field"))

    def run(record: Any) -> Any:
        if not isinstance(getattr(record, part), dict):
            return apply(record)  # null, or the wrong type: that is complained of first
        if partition:
            value = record.partition
            facts["partition.field"] = Int32(value) if schemaless and value is not None else value
        if offset:
            facts["offset.field"] = require_sink_record(record, _PURPOSE).offset
        if timestamp:
            millis = record.timestamp
            facts["timestamp.field"] = millis if schemaless or millis is None else timestamp_from_millis(millis)
        return apply(record)

    return run


class InsertFieldKey(InsertField):
    part = "key"


class InsertFieldValue(InsertField):
    part = "value"
