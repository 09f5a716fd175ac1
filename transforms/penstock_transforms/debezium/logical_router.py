"""``ByLogicalTableRouter``: change events of several tables into one topic, with keys that still differ.

Followed are the settings and results of ``io.debezium.transforms.ByLogicalTableRouter`` and of its later form,
``ToLogicalTopicRouter``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from penstock import __version__
from penstock.api import BoundTransform, Shape, Transform
from penstock.config import CompositeValidator, ConfigDef, ConfigType, Importance, Width
from penstock.data import STRING, Schema, SchemaBuilder, Struct, Type
from penstock.errors import ConfigError, ConnectError
from penstock.java.regex import JavaPattern, compile_regex
from penstock_transforms.debezium.envelope import AFTER, BEFORE, is_envelope, plain_struct, refusing
from penstock_transforms.debezium.names import ADJUSTMENTS, schema_adjuster
from penstock_transforms.debezium.settings import OneOf, Pattern, Required, parse_all, refused, warn_of_unused
from penstock_transforms.levels import carry_metadata
from penstock_transforms.operating import defaults_filler, unchanged
from penstock_transforms.regex_replacement import replaced_whole
from penstock_transforms.requirements import not_a_struct

__all__ = ["ByLogicalTableRouter", "ToLogicalTopicRouter"]

log = logging.getLogger(__name__)

_PURPOSE: Final = "Updating schema"
_CACHE_SIZES: Final = ("logical.table.cache.size", "logical.destination.cache.size")
_UNUSED: Final = dict.fromkeys(_CACHE_SIZES, "what is worked out for a topic is kept while its records come")

#: Takes the old key or value; gives the new one.
Make = Callable[[Any], Any]


def _config(key_field: str) -> ConfigDef:
    config = ConfigDef().define(
        "topic.regex",
        ConfigType.STRING,
        validator=CompositeValidator(Required(), Pattern()),
        importance=Importance.LOW,
        width=Width.LONG,
        doc="Java regular expression that a topic's whole name has to match for its records to be routed.",
    )
    config.define(
        "topic.replacement",
        ConfigType.STRING,
        validator=Required(),
        importance=Importance.LOW,
        width=Width.LONG,
        doc="The topic that they are routed to; $1 or ${name} stand for what the groups matched.",
    )
    config.define(
        "key.enforce.uniqueness",
        ConfigType.BOOLEAN,
        True,
        importance=Importance.LOW,
        width=Width.SHORT,
        doc="Add a field to the key that tells the topics apart from which records came.",
    )
    for name, default, validator, doc in (
        ("key.field.name", key_field, None, "Name of that field."),
        ("key.field.regex", None, Pattern(), "Java regular expression to make the field's value of the topic; the topic itself if it does not match."),
        ("key.field.replacement", None, None, "The field's value where key.field.regex matches; groups as in topic.replacement."),
    ):  # fmt: skip
        config.define(
            name, ConfigType.STRING, default, validator=validator, importance=Importance.LOW, width=Width.LONG, doc=doc
        )
    config.define(
        "schema.name.adjustment.mode",
        ConfigType.STRING,
        "none",
        validator=OneOf(*ADJUSTMENTS),
        importance=Importance.LOW,
        width=Width.MEDIUM,
        doc="How the schemas' names, which are made of the topic, are made fit for Avro: none, avro (underscores) or avro_unicode (escapes).",
    )
    for name in _CACHE_SIZES:
        config.define(
            name, ConfigType.INT, 16, importance=Importance.LOW, width=Width.LONG, doc=f"Of no effect: {_UNUSED[name]}.",
            internal=name == "logical.table.cache.size",
        )  # fmt: skip
    return config


class ToLogicalTopicRouter(Transform):
    """Worked out once per topic and schemas. Topics that do not match are left alone; tombstones and what is no change
    event are routed with their values as they are."""

    version = __version__
    _definition: ClassVar[ConfigDef] = _config("__dbz__sourceIdentifier")

    @classmethod
    def config_def(cls) -> ConfigDef:
        return cls._definition

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = parse_all(self._definition, configs)
        warn_of_unused(type(self).__name__, configs, _UNUSED)
        self._pattern = compile_regex(config["topic.regex"])
        self._replacement: str = config["topic.replacement"]
        self._key_field: str | None = config["key.field.name"] if config["key.enforce.uniqueness"] else None
        self._key_pattern, self._key_replacement = _key_rule(config)
        self._adjust = schema_adjuster(config["schema.name.adjustment.mode"])

    def bind(self, shape: Shape) -> BoundTransform:
        topic = replaced_whole(shape.topic, self._pattern, self._replacement)
        if topic is None:
            return BoundTransform(unchanged, shape)
        if not topic:
            log.warning(
                "%s: topic.regex makes an empty name of the topic %s, whose records stay there",
                type(self).__name__,
                shape.topic,
            )
            return BoundTransform(unchanged, shape)
        key_schema, make_key = self._key_way(shape, topic)
        value_schema, make_value = self._value_way(shape.value_schema, topic)

        def apply(record: Any) -> Any:
            record.topic = topic
            if record.key is None:
                record.key_schema = None
            else:
                record.key, record.key_schema = make_key(record.key), key_schema
            if record.value is not None:
                record.value, record.value_schema = make_value(record.value), value_schema
            return record

        after = Shape(topic, key_schema, value_schema)
        return BoundTransform(
            apply,
            None if _nulls_differ(shape, after) else after,
            writes=frozenset({"record"}),
            replaces=frozenset({"key", "value"}),
        )

    def _key_way(self, shape: Shape, topic: str) -> tuple[Schema | None, Make]:
        schema = shape.key_schema
        if schema is None or schema.type is not Type.STRUCT:
            return schema, _refuse(schema)
        try:
            after = self._key_schema(schema, topic)
        except ConnectError as error:
            return schema, refusing(error)
        field, identifier = self._key_field, self._identifier(shape.topic)

        def make(key: Any) -> dict[str, Any]:
            made = dict(plain_struct(key, _PURPOSE, schema))
            if field is not None:
                made[field] = identifier
            return made

        return after, make

    def _key_schema(self, schema: Schema, topic: str) -> Schema:
        builder = _renamed(schema, self._adjust(f"{topic}.Key"))
        for field in schema.fields:
            builder.field(field.name, field.schema)
        if self._key_field is not None:
            builder.field(self._key_field, STRING)
        return builder.build()

    def _identifier(self, topic: str) -> str:
        found = None
        if self._key_field is not None and self._key_pattern is not None:
            found = replaced_whole(topic, self._key_pattern, self._key_replacement)
        return topic if found is None else found

    def _value_way(self, schema: Schema | None, topic: str) -> tuple[Schema | None, Make]:
        if schema is None or not is_envelope(schema):
            return schema, unchanged
        if schema.type is not Type.STRUCT:
            return schema, _refuse(schema)
        try:
            after = self._envelope_schema(schema, topic)
        except ConnectError as error:
            return schema, refusing(error)
        return after, _event_maker(schema)

    def _envelope_schema(self, schema: Schema, topic: str) -> Schema:
        builder = _renamed(schema, self._adjust(f"{topic}.Envelope"))
        for field in schema.fields:
            is_row = field.name in (BEFORE, AFTER) and field.schema.type is Type.STRUCT
            builder.field(field.name, self._row_schema(field.schema, topic) if is_row else field.schema)
        return builder.build()

    def _row_schema(self, schema: Schema, topic: str) -> Schema:
        builder = _renamed(schema, self._adjust(f"{topic}.Value"))
        for field in schema.fields:
            builder.field(field.name, field.schema)
        return builder.build()


class ByLogicalTableRouter(ToLogicalTopicRouter):
    """The same under its first name, with another default for the name of the key's field."""

    _definition: ClassVar[ConfigDef] = _config("__dbz__physicalTableIdentifier")


def _key_rule(config: Mapping[str, Any]) -> tuple[JavaPattern | None, str]:
    regex, replacement = (config["key.field.regex"] or "").strip(), (config["key.field.replacement"] or "").strip()
    if not regex:
        return None, ""
    if not replacement:
        name = "key.field.replacement"
        problem = refused(name, None, f"{name} must be non-empty if key.field.regex is set.")
        raise ConfigError("Unable to validate config.") from problem
    return compile_regex(config["key.field.regex"]), config["key.field.replacement"]


def _refuse(schema: Schema | None) -> Make:
    def refuse(value: Any) -> Any:
        raise not_a_struct(_PURPOSE, value, schema)

    return refuse


def _nulls_differ(before: Shape, after: Shape) -> bool:
    """Return whether a null key or value has another schema than one that is not null, while its schema allows nulls."""
    key, value = before.key_schema, before.value_schema
    return (key is not None and key.optional) or (value is not None and value.optional and value != after.value_schema)


def _renamed(schema: Schema, name: str) -> SchemaBuilder:
    """Return a builder with everything of `schema` but its name and fields; its default goes."""
    builder = carry_metadata(schema.replace(name=None, fields=()), SchemaBuilder(Type.STRUCT)).name(name)
    return builder.optional() if schema.optional else builder.required()


def _event_maker(schema: Schema) -> Make:
    """Return what makes an event of other names: rows carry no schema of their own, nulls of the event itself give way to defaults."""
    fill = defaults_filler(schema)

    def make(value: Any) -> dict[str, Any]:
        event = plain_struct(value, _PURPOSE, schema)
        changes = {part: dict(row) for part in (BEFORE, AFTER) if isinstance(row := event.get(part), Struct)}
        if not changes and fill is None:
            return event
        event = {**event, **changes}
        if fill is not None:
            fill(event)
        return event

    return make
