"""``ExtractNewRecordState``: the row of a Debezium change event in the event's place.

A change event holds the row before and after the change, the operation, and where it comes from; it is a struct whose
schema's name ends in ``.Envelope``. Everything else goes through as it is. Followed are the settings and results of
``io.debezium.transforms.ExtractNewRecordState`` of Debezium 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock import __version__
from penstock.api import NOTHING, BoundTransform, Shape, Transform
from penstock.config import ConfigDef, ConfigType, Importance, LambdaValidator, Width
from penstock.data import STRING, Header, Type
from penstock_transforms.debezium.dropped_fields import FieldsFromHeader
from penstock_transforms.debezium.envelope import is_envelope
from penstock_transforms.debezium.event_fields import EventField
from penstock_transforms.debezium.event_rows import bind_events
from penstock_transforms.debezium.row_making import Deletes, Plan
from penstock_transforms.debezium.settings import OneOf, define_unused, parse_all, warn_of_unused, word
from penstock_transforms.operating import unchanged
from penstock_transforms.requirements import not_a_struct
from penstock_transforms.settings import REPLACE_NULL, define_replace_null

__all__ = ["ExtractNewRecordState"]

_HANDLING: Final = "delete.tombstone.handling.mode"
_SCHEMALESS: Final = "schemaless.events"

#: ``delete.tombstone.handling.mode``: what becomes of a delete, and whether tombstones go through.
_MODES: Final = {
    "drop": (Deletes.DROP, False),
    "tombstone": (Deletes.NULL, False),
    "rewrite": (Deletes.REWRITE, False),
    "rewrite-with-tombstone": (Deletes.REWRITE, True),
    "delete-to-tombstone": (Deletes.TOMBSTONE, False),
}
_UNUSED: Final = {
    "delete.handling.mode": f"{_HANDLING} took its place in Debezium 3",
    "drop.tombstones": f"{_HANDLING} took its place in Debezium 3",
}


def _check_parts(name: str, value: Any) -> None:
    for text in value or ():
        EventField.parse(text, "", name)


_PARTS: Final = LambdaValidator(_check_parts, "parts written field, struct.field, or either with :name behind it")


def _define_added(config: ConfigDef, kind: str) -> ConfigDef:
    return config.define(
        f"add.{kind}s",
        ConfigType.LIST,
        [],
        validator=_PARTS,
        importance=Importance.LOW,
        width=Width.LONG,
        doc=f"Parts of the event to add as {kind}s: op, ts_ms, source.table or table, transaction.id; with :name for another name. "
        "Parts that events do not have are left out.",
    ).define(
        f"add.{kind}s.prefix",
        ConfigType.STRING,
        "__",
        importance=Importance.LOW,
        width=Width.SHORT,
        doc=f"Prefix of the added {kind}s' names.",
    )


def _config() -> ConfigDef:
    config = ConfigDef().define(
        _HANDLING,
        ConfigType.STRING,
        "tombstone",
        validator=OneOf(*_MODES, bare=True),
        importance=Importance.MEDIUM,
        width=Width.MEDIUM,
        doc="What becomes of deletes and of the tombstones behind them. drop: neither goes on. tombstone: the delete becomes a null, "
        "the tombstone goes. delete-to-tombstone: the same, and the null has no schema. rewrite: the row as it was, with __deleted, no "
        "tombstone. rewrite-with-tombstone: both.",
    )
    _define_added(_define_added(config, "field"), "header")
    config.define(
        "route.by.field",
        ConfigType.STRING,
        "",
        importance=Importance.LOW,
        width=Width.LONG,
        doc="Text field of the row that becomes the record's topic, unless it is null or blank.",
    ).define(
        "drop.fields.header.name",
        ConfigType.STRING,
        None,
        importance=Importance.LOW,
        width=Width.SHORT,
        doc="Header that holds a list of the names of fields to drop.",
    ).define(
        "drop.fields.from.key",
        ConfigType.BOOLEAN,
        False,
        importance=Importance.LOW,
        width=Width.SHORT,
        doc="Drop the header's fields from the key, too.",
    ).define(
        "drop.fields.keep.schema.compatible",
        ConfigType.BOOLEAN,
        True,
        importance=Importance.LOW,
        width=Width.SHORT,
        doc="Drop only optional fields, so that the schema stays compatible.",
    ).define(
        _SCHEMALESS,
        ConfigType.STRING,
        "pass",
        validator=OneOf("pass", "unwrap"),
        importance=Importance.LOW,
        internal=True,
        doc="What becomes of values without schema. pass: they go through, as with Debezium. unwrap: a map that has op, source and one of "
        "before and after is an event.",
    )
    return define_unused(define_replace_null(config), _UNUSED)


_CONFIG = _config()


class ExtractNewRecordState(Transform):
    """Schemas are worked out once per envelope; the row itself is copied only where something is added."""

    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = parse_all(_CONFIG, configs, plain=("add.fields", "add.headers"))
        warn_of_unused("ExtractNewRecordState", configs, _UNUSED)
        deletes, keeps = _MODES[word(config[_HANDLING])]
        header: str = config["drop.fields.header.name"] or ""
        from_key, only_optional = config["drop.fields.from.key"], config["drop.fields.keep.schema.compatible"]
        self._plan = Plan(
            deletes,
            keeps,
            config[REPLACE_NULL],
            _fields(config, "add.fields"),
            _fields(config, "add.headers"),
            config["route.by.field"] or "",
            FieldsFromHeader(header, from_key, only_optional) if header.strip() else None,
        )
        self._unwraps_maps = word(config[_SCHEMALESS]) == "unwrap"
        self._tombstone = self._tombstone_taker()

    def bind(self, shape: Shape) -> BoundTransform:
        schema = shape.value_schema
        if schema is None:
            return self._bind_maps(shape) if self._unwraps_maps else self._bind_others(shape)
        if not is_envelope(schema):
            return self._bind_others(shape)
        if schema.type is Type.STRUCT:
            return bind_events(self._plan, shape, self._tombstone)
        return self._bind_others(shape, refuses=True)

    def _bind_others(self, shape: Shape, refuses: bool = False) -> BoundTransform:
        """Tie to records that are no events: of those only tombstones may be dropped or get headers."""
        tombstone, schema = self._tombstone, shape.value_schema

        def apply(record: Any) -> Any:
            if record.value is None:
                return tombstone(record)
            if refuses:
                raise not_a_struct("change event", record.value, schema)
            return record

        adds = tombstone not in (unchanged, _drop)
        return BoundTransform(apply, shape, writes=frozenset({"record", "headers"}) if adds else NOTHING)

    def _bind_maps(self, shape: Shape) -> BoundTransform:
        events = bind_events(self._plan, shape, self._tombstone)
        take = events.apply
        return events._replace(apply=lambda r: take(r) if r.value is None or _is_event(r.value) else r)

    def _tombstone_taker(self) -> Callable[[Any], Any]:
        if not self._plan.keeps_tombstones:
            return _drop
        headers = [Header(field.name, STRING, "d") for field in self._plan.headers if field.field == "op"]
        if not headers:
            return unchanged

        def mark(record: Any) -> Any:
            record.headers.extend(headers)
            return record

        return mark


def _drop(record: Any) -> None:
    return None


def _fields(config: Mapping[str, Any], setting: str) -> list[EventField]:
    return [EventField.parse(text, config[f"{setting}.prefix"] or "", setting) for text in config[setting]]


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and "op" in value and "source" in value and ("after" in value or "before" in value)
