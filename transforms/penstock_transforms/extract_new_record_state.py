"""``ExtractNewRecordState``: the row of a Debezium change event in the event's place.

A change event holds the row before and after the change, the operation, and where it comes from. What is recognised as
one: a struct whose schema's name ends in ``.Envelope``; without schema, a map that has ``op``, ``source`` and one of
``before`` and ``after``. Everything else goes through as it is. Followed are the settings and results of
``io.debezium.transforms.ExtractNewRecordState``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock import __version__
from penstock.api import BoundTransform, Shape, Transform
from penstock.config import ConfigDef, ConfigType, Importance, LambdaValidator
from penstock.data import OPTIONAL_STRING, Schema, Type
from penstock.errors import ConfigError, DataError
from penstock_transforms.event_fields import EventField
from penstock_transforms.levels import copy_basics
from penstock_transforms.named_fields import FieldsFromHeader
from penstock_transforms.operating import Edit, defaults_filler
from penstock_transforms.requirements import not_a_struct
from penstock_transforms.settings import REPLACE_NULL, define_replace_null

__all__ = ["ExtractNewRecordState"]

_PURPOSE: Final = "unwrapping a change event"
_DELETED: Final = "__deleted"
_HANDLING: Final = "delete.tombstone.handling.mode"
_OLD_HANDLING: Final = "delete.handling.mode"
_DROP_TOMBSTONES: Final = "drop.tombstones"


class _Deletes(enum.Enum):
    """The treatment of the event of a deleted row."""

    DROP = "drop"
    REWRITE = "rewrite"
    TOMBSTONE = "none"


#: ``delete.tombstone.handling.mode``: what becomes of a delete, and whether tombstones go through.
_MODES: Final = {
    "drop": (_Deletes.DROP, False),
    "tombstone": (_Deletes.DROP, True),
    "rewrite": (_Deletes.REWRITE, False),
    "rewrite-with-tombstone": (_Deletes.REWRITE, True),
    "delete-to-tombstone": (_Deletes.TOMBSTONE, False),
}


def _one_of(*words: str) -> LambdaValidator:
    """Return a validator that takes one of the words, or no value."""

    def check(name: str, value: Any) -> None:
        if value is not None and value not in words:
            raise ConfigError(name, value, f"String must be one of: {', '.join(words)}")

    return LambdaValidator(check, f"[{', '.join(words)}]")


_CONFIG = define_replace_null(
    ConfigDef()
    .define(
        _HANDLING,
        ConfigType.STRING,
        None,
        validator=_one_of(*_MODES),
        importance=Importance.MEDIUM,
        doc="What becomes of deletes and of the tombstones behind them. drop: neither goes on. tombstone (the default): only the tombstone. "
        "rewrite: the row as it was, with __deleted, no tombstone. rewrite-with-tombstone: both. delete-to-tombstone: the delete becomes the tombstone.",
    )
    .define(
        _OLD_HANDLING,
        ConfigType.STRING,
        None,
        validator=_one_of(*(mode.value for mode in _Deletes)),
        importance=Importance.LOW,
        doc="Older form: deletes are dropped (drop), rewritten with __deleted (rewrite), or become tombstones (none).",
    )
    .define(
        _DROP_TOMBSTONES,
        ConfigType.BOOLEAN,
        None,
        importance=Importance.LOW,
        doc="Older form: whether tombstones are dropped; true unless said otherwise.",
    )
    .define(
        "add.fields",
        ConfigType.LIST,
        [],
        importance=Importance.MEDIUM,
        doc="Parts of the event to add as fields: op, ts_ms, source.table or table, transaction.id; with :name for another name.",
    )
    .define(
        "add.fields.prefix", ConfigType.STRING, "__", importance=Importance.LOW, doc="Prefix of added fields' names."
    )
    .define(
        "add.headers",
        ConfigType.LIST,
        [],
        importance=Importance.MEDIUM,
        doc="Parts of the event to add as headers, written as in add.fields.",
    )
    .define(
        "add.headers.prefix", ConfigType.STRING, "__", importance=Importance.LOW, doc="Prefix of added headers' names."
    )
    .define(
        "route.by.field",
        ConfigType.STRING,
        "",
        importance=Importance.LOW,
        doc="Field of the row whose text becomes the record's topic.",
    )
    .define(
        "drop.fields.header.name",
        ConfigType.STRING,
        None,
        importance=Importance.LOW,
        doc="Header that holds a list of the names of fields to drop.",
    )
    .define(
        "drop.fields.from.key",
        ConfigType.BOOLEAN,
        False,
        importance=Importance.LOW,
        doc="Drop the header's fields from the key, too.",
    )
    .define(
        "drop.fields.keep.schema.compatible",
        ConfigType.BOOLEAN,
        True,
        importance=Importance.LOW,
        doc="Drop only optional fields, so that the schema stays compatible.",
    )
)


class ExtractNewRecordState(Transform):
    """Schemas are worked out once per envelope; the row itself is copied only where fields are added."""

    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._deletes, self._tombstones = _handling(config)
        self._fill: bool = config[REPLACE_NULL]
        self._fields = [EventField.parse(t, config["add.fields.prefix"], "add.fields") for t in config["add.fields"]]
        self._headers = [
            EventField.parse(t, config["add.headers.prefix"], "add.headers") for t in config["add.headers"]
        ]
        self._route: str = config["route.by.field"] or ""
        header = config["drop.fields.header.name"]
        self._drop = (
            FieldsFromHeader(header, config["drop.fields.from.key"], config["drop.fields.keep.schema.compatible"])
            if header
            else None
        )

    def bind(self, shape: Shape) -> BoundTransform:
        schema = shape.value_schema
        if schema is None:
            return self._bind(shape, None, None)
        if schema.type is not Type.STRUCT or not (schema.name or "").endswith(".Envelope"):
            return BoundTransform(lambda record: self._tombstone(record) if record.value is None else record, shape)
        return self._bind(shape, _part(schema, "before"), _part(schema, "after"))

    def _tombstone(self, record: Any) -> Any:
        return record if self._tombstones else None

    def _bind(self, shape: Shape, before: Schema | None, after: Schema | None) -> BoundTransform:
        envelope = shape.value_schema
        rewrites = self._deletes is _Deletes.REWRITE
        row = self._row(envelope, after, "false" if rewrites else None)
        old = self._row(envelope, before, "true") if rewrites else None
        add_headers = self._header_adder(envelope)
        route, drop, deletes, tombstone = self._route, self._drop, self._deletes, self._tombstone

        def apply(record: Any) -> Any:
            event = record.value
            if event is None:
                return tombstone(record)
            if envelope is None and not _is_event(event):
                return record
            if not isinstance(event, dict):
                raise not_a_struct(_PURPOSE, event, envelope)
            new, deleted = event.get("after"), event.get("before")
            if new is None and (deleted is None or deletes is _Deletes.DROP):
                return None  # a truncated table, a message, or a delete that is not wanted
            if add_headers is not None:
                add_headers(record, event)
            if route:
                record.topic = _topic(route, deleted if new is None else new)
            if new is not None:
                record.value_schema, record.value = row(event, new, "after")
            elif old is not None:
                record.value_schema, record.value = old(event, deleted, "before")
            else:
                record.value_schema, record.value = after, None
            return record if drop is None else drop.apply(record)

        writes = {"record"} | ({"headers"} if self._headers else set())
        return BoundTransform(
            apply,
            self._shape_after(shape, before, after),
            writes=frozenset(writes),
            replaces=frozenset({"value"}) if drop is None else frozenset({"key", "value"}),
        )

    def _shape_after(self, shape: Shape, before: Schema | None, after: Schema | None) -> Shape | None:
        """Return the shape of the new records; None if it depends on the record."""
        if self._route or self._drop is not None:
            return None
        envelope = shape.value_schema
        if envelope is None:
            return shape
        if self._tombstones or (self._deletes is _Deletes.REWRITE and before != after):
            return None  # a null keeps the envelope's schema
        return shape._replace(value_schema=self._schema(envelope, after, self._deletes is _Deletes.REWRITE))

    def _schema(self, envelope: Schema | None, row: Schema | None, marked: bool) -> Schema | None:
        if envelope is None or row is None or not (self._fields or marked):
            return row
        builder = copy_basics(row)
        for field in row.fields:
            builder.field(field.name, field.schema)
        for added in self._fields:
            builder.field(added.name, added.schema_in(envelope))
        if marked:
            builder.field(_DELETED, OPTIONAL_STRING)
        return builder.build()

    def _row(
        self, envelope: Schema | None, row: Schema | None, deleted: str | None
    ) -> Callable[[Any, Any, str], tuple[Schema | None, Any]]:
        """From event and row to what takes the event's place."""
        schema = self._schema(envelope, row, deleted is not None)
        fill: Edit | None = defaults_filler(row) if self._fill else None
        fields = self._fields

        def make(event: Any, value: Any, part: str) -> tuple[Schema | None, Any]:
            if not isinstance(value, dict):
                raise DataError(f"Only Struct objects supported for [{_PURPOSE}]: the field {part} holds {value!r}")
            if not fields and deleted is None:
                return schema, value
            value = dict(value)
            if fill is not None:
                fill(value)
            for added in fields:
                value[added.name] = added.value_in(event)
            if deleted is not None:
                value[_DELETED] = deleted
            return schema, value

        return make

    def _header_adder(self, envelope: Schema | None) -> Callable[[Any, Any], None] | None:
        if not self._headers:
            return None
        headers = [(h, None if envelope is None else h.schema_in(envelope)) for h in self._headers]

        def add(record: Any, event: Any) -> None:
            for header, schema in headers:
                record.headers.add(header.name, header.value_in(event), schema)

        return add


def _handling(config: Mapping[str, Any]) -> tuple[_Deletes, bool]:
    """(deletes, tombstones go through): the new setting, else the older two, else the new one's default."""
    mode, deletes, drops = config[_HANDLING], config[_OLD_HANDLING], config[_DROP_TOMBSTONES]
    if mode is not None or (deletes is None and drops is None):
        return _MODES[mode or "tombstone"]
    return _Deletes(deletes or "drop"), drops is False


def _part(envelope: Schema, name: str) -> Schema:
    field = envelope.field(name)
    if field is None or field.schema.type is not Type.STRUCT:
        raise DataError(f"{envelope!r} is named as a change event but has no struct {name}")
    return field.schema


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and "op" in value and "source" in value and ("after" in value or "before" in value)


def _topic(field: str, row: Any) -> str:
    topic = row.get(field) if isinstance(row, dict) else None
    if not isinstance(topic, str) or not topic:
        raise DataError(f"route.by.field={field} needs a text there to be the topic, found {topic!r}")
    return topic
