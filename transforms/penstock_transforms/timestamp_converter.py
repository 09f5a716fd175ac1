"""``TimestampConverter``: between text, Unix time, and Connect's Date, Time and Timestamp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance, ValidString
from penstock.data import Schema, Type
from penstock.errors import ConfigError, ConnectError, DataError
from penstock_transforms.blame import at_field
from penstock_transforms.date_format import DateFormat
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.levels import Level, bind_level, copy_basics
from penstock_transforms.operating import Edit, OperatingTransform
from penstock_transforms.requirements import not_a_struct
from penstock_transforms.settings import REPLACE_NULL, define_field_syntax, define_replace_null
from penstock_transforms.timestamp_forms import (
    Form,
    UnixPrecision,
    finer,
    form_of_schema,
    form_of_value,
    reader,
    writer,
)

__all__ = ["TimestampConverter", "TimestampConverterKey", "TimestampConverterValue"]

_CONFIG = define_field_syntax(
    define_replace_null(
        ConfigDef()
        .define(
            "field",
            ConfigType.STRING,
            "",
            importance=Importance.HIGH,
            doc="Field that holds the moment; empty where the whole key or value is one.",
        )
        .define(
            "target.type",
            ConfigType.STRING,
            validator=ValidString(*(form.value for form in Form)),
            importance=Importance.HIGH,
            doc="What it becomes: string, unix (a number), Date, Time or Timestamp.",
        )
        .define(
            "format",
            ConfigType.STRING,
            "",
            importance=Importance.MEDIUM,
            doc="java.text.SimpleDateFormat pattern of strings, read and written in UTC. "
            "Needed for target.type=string and where strings come in.",
        )
        .define(
            "unix.precision",
            ConfigType.STRING,
            "milliseconds",
            # In the order in which Kafka's message has them.
            validator=ValidString(*(precision.value[0] for precision in reversed(UnixPrecision))),
            importance=Importance.LOW,
            doc="Unit of Unix times, coming in or going out: seconds, milliseconds, microseconds or nanoseconds. "
            "What is finer than milliseconds is lost when it is read, unless timestamp.precision says otherwise.",
        )
        .define(
            "timestamp.precision",
            ConfigType.STRING,
            UnixPrecision.MILLISECONDS.value[0],
            validator=ValidString(*(precision.value[0] for precision in UnixPrecision if precision.per_second >= 1000)),
            importance=Importance.LOW,
            doc="How much of a Unix time a Timestamp keeps: milliseconds as with Kafka, microseconds or nanoseconds.",
            internal=True,
        )
    )
)


def _date_format(pattern: str, target: Form) -> DateFormat | None:
    if not pattern.strip():
        if target is Form.STRING:
            raise ConfigError("TimestampConverter requires format option to be specified when using string timestamps")
        return None
    try:
        return DateFormat(pattern)
    except ConfigError as error:
        # The words that Java's ConfigException makes of a cause given as a value; people search for them.
        raise ConfigError(
            f"TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {pattern}",
            f"java.lang.IllegalArgumentException: {error.message}",
        ) from error


class TimestampConverter(OperatingTransform):
    """A null stays null, under the target's schema."""

    purpose = "converting timestamp formats"
    passes_null = False

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._target = Form(config["target.type"])
        self._format = _date_format(config["format"], self._target)
        self._precision = UnixPrecision.named(config["unix.precision"])
        self._timestamps = UnixPrecision.named(config["timestamp.precision"])
        self._fill: bool = config[REPLACE_NULL]
        self._path = FieldPath.parse(config["field"], FieldSyntax.of(config)) if config["field"] else None
        self._level: Level[list[str]] = Level(list)
        if self._path is not None:
            self._level.at(self._path.parents).work.append(self._path.name)

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if self._path is None:
            return self.convert(shape, self._target.schema(schema.optional), self._converter(schema))
        if schema.type is not Type.STRUCT:
            return self._refuse_fields(shape, schema)
        after, edit = bind_level(self._level, schema, self._local, self.purpose, self._fill)
        assert after is not None  # bound with a schema
        if schema.optional or schema.default is not None:
            after = after.replace(optional=schema.optional, default=self._default(schema, edit))
        return self._editing(shape, after, edit)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        if self._path is None:
            return self.convert(shape, None, self._converter(None))
        _, edit = bind_level(self._level, None, self._local, self.purpose, self._fill)
        return self._editing(shape, None, edit)

    def _refuse_fields(self, shape: Shape, schema: Schema) -> BoundTransform:
        purpose = self.purpose

        def refuse(value: Any) -> Any:
            raise (
                DataError("Cannot list fields on non-struct type")
                if value is None
                else not_a_struct(purpose, value, schema)
            )

        return self.convert(shape, None, refuse)

    def _editing(self, shape: Shape, after: Schema | None, edit: Edit | None) -> BoundTransform:
        # `edit` alone would refuse a null, which here gets the new schema.
        bound = self.edit(shape, after, edit)
        run, part, attribute = bound.apply, self.part, f"{self.part}_schema"

        def apply(record: Any) -> Any:
            if getattr(record, part) is None:
                setattr(record, attribute, after)
                return record
            return run(record)

        return bound._replace(apply=apply)

    def _default(self, schema: Schema, edit: Edit | None) -> Any:
        if schema.default is None or edit is None:
            return schema.default
        changed = dict(schema.default)
        edit(changed)
        return changed

    def _local(self, schema: Schema | None, names: list[str]) -> tuple[Schema | None, Edit | None]:
        if not names:
            return schema, None
        (name,) = names
        if schema is None:
            return None, _converting(name, self._converter(None), always=True)
        field = schema.field(name)
        builder = copy_basics(schema)
        for member in schema.fields:
            changed = self._target.schema(member.schema.optional) if member is field else member.schema
            builder.field(member.name, changed)
        if field is None:
            return builder.build(), None
        try:
            return builder.build(), _converting(name, self._converter(field.schema), always=False)
        except ConnectError as error:
            # A record that is null as a whole still goes through, under the new schema.
            return builder.build(), _converting(name, _refusing(error), always=True)

    def _converter(self, schema: Schema | None) -> Callable[[Any], Any]:
        """From a value of `schema` to one of the target, null to null."""
        write = writer(self._target, self._format, self._precision, schema is None)
        if schema is None:
            return self._guessing(write)
        return self._convert_form(form_of_schema(schema), write)

    def _convert_form(self, form: Form, write: Callable[[int], Any]) -> Callable[[Any], Any]:
        read = reader(form, self._format, self._precision)
        by_millis = _null_or(read, write)
        return finer(form, self._target, self._precision, self._timestamps, by_millis)

    def _guessing(self, write: Callable[[int], Any]) -> Callable[[Any], Any]:
        known = {form: self._convert_form(form, write) for form in (Form.STRING, Form.UNIX, Form.TIMESTAMP)}
        return lambda value: None if value is None else known[form_of_value(value)](value)


def _null_or(read: Callable[[Any], int], write: Callable[[int], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else write(read(value))


def _refusing(error: ConnectError) -> Callable[[Any], Any]:
    kind, message = type(error), error.message

    def refuse(_: Any) -> Any:
        raise kind(message)

    return refuse


def _converting(name: str, convert: Callable[[Any], Any], always: bool) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        old = value.get(name)
        if old is not None or always:
            try:
                value[name] = convert(old)
            except Exception as error:
                at_field(error, name)
                raise

    return edit


class TimestampConverterKey(TimestampConverter):
    part = "key"


class TimestampConverterValue(TimestampConverter):
    part = "value"
