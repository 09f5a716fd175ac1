"""``io.confluent.connect.json.JsonSchemaConverter``: registry-framed JSON. Wiring only; see mapping and codec beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from penstock.api import InvalidSchemaError, Serializer
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.config.validators import CaseInsensitiveValidString
from penstock.data import Schema, SchemaAndValue
from penstock.errors import DataError, SerializationError
from penstock_converters.json.compiled import compile_writer
from penstock_converters.json.scalars import NeedsExact
from penstock_converters.json.text import exact_loads, loads
from penstock_converters.jsonschema.branches import Branches
from penstock_converters.jsonschema.instants import check_precision
from penstock_converters.jsonschema.names import JsonSchemaOptions
from penstock_converters.jsonschema.reader import SchemaReaders
from penstock_converters.jsonschema.to_connect import ToConnect
from penstock_converters.jsonschema.to_json import schema_text
from penstock_converters.jsonschema.writer import SchemaWriter
from penstock_converters.precision import Instants, define_precision
from penstock_converters.registry_config import registry_config_def
from penstock_converters.registry_converter import Reader, RegistryConverter, Version, check_compatible, with_note
from penstock_registry.client import RegisteredSchema
from penstock_registry.formats.jsonschema import JsonParsedSchema, JsonSchemaFormat

__all__ = ["JsonSchemaConverter"]


def _config_def() -> ConfigDef:
    low, medium, boolean = Importance.LOW, Importance.MEDIUM, ConfigType.BOOLEAN
    return define_precision(
        registry_config_def()
        .define("object.additional.properties", boolean, True, importance=medium,
                doc="Whether schemas of structs allow properties that they do not name.")
        .define("use.optional.for.nonrequired", boolean, False, importance=medium,
                doc="Read properties that are not required as optional fields.")
        .define("ignore.modern.dialects", boolean, False, importance=low,
                doc="Treat schemas of the drafts 2019-09 and 2020-12 as draft 7.")
        .define("decimal.format", ConfigType.STRING, "BASE64", importance=low,
                doc="How decimals are written: BASE64 (the unscaled value's bytes) or NUMERIC (a JSON number). Both are read.",
                validator=CaseInsensitiveValidString("BASE64", "NUMERIC"))
        .define("generalized.sum.type.support", boolean, False, importance=medium,
                doc="Represent enums and unions as all registry converters do, so that formats can be exchanged.")
        .define("flatten.singleton.unions", boolean, False, importance=low,
                doc="Read a oneOf or anyOf of one schema as that schema.")
        .define("json.fail.invalid.schema", boolean, False, importance=medium,
                doc="Check every document against its schema, when it is written and when it is read.")
    )  # fmt: skip


class _Mapped(NamedTuple):
    """A Connect schema, which of its timestamps are finer than milliseconds, and what its unions were made of."""

    schema: Schema
    instants: Instants
    branches: Branches


class JsonSchemaConverter(RegistryConverter):
    """Keys or values as JSON behind a schema id.

    A schema is mapped, registered and compiled once; after that a record costs one call. An error's note names the
    field that is at fault.
    """

    schema_type: ClassVar[str] = "JSON"
    language: ClassVar[str] = "JSON"
    definition: ClassVar[ConfigDef] = _config_def()

    def _configured(self, values: Mapping[str, Any]) -> None:
        self._options = JsonSchemaOptions.of(values)
        self._writer = SchemaWriter(values["decimal.format"].upper() == "NUMERIC", self._options.precision)
        self._format = JsonSchemaFormat()
        self._validates: bool = values["json.fail.invalid.schema"]

    # --- writing

    def _bound_serializer(self, topic: str, schema: Schema | None) -> Serializer:
        if schema is None:
            return self._schemaless(topic)
        text = schema_text(schema, self._options, self._writer.tree)
        nothing = b"null" if schema.optional or schema.default is not None else None
        bound: Callable[[Any], bytes] | None = None
        header = b""

        def serialize(value: Any) -> bytes | None:
            nonlocal bound, header
            if value is None and nothing is None:
                return None
            try:
                if bound is None:
                    # A value that cannot be written registers nothing.
                    if self._writer.tree(schema, value) is None and not schema.optional:
                        return None
                    header, bound = self._bind(topic, schema, text)
                data = bound(value)
            except SerializationError as error:
                raise self._not_written(topic, error) from error
            # A union none of whose fields is set is nothing.
            return None if nothing is None and data == header + b"null" else data

        return serialize

    def _schemaless(self, topic: str) -> Serializer:
        def serialize(value: Any) -> bytes | None:
            if value is None:
                return None
            self._writer.tree(None, value)  # says what is wrong with the value itself
            raise self._not_written(
                topic, SerializationError("The value has no schema: a registry converter needs one")
            )

        return serialize

    def _bind(self, topic: str, schema: Schema, text: str) -> tuple[bytes, Callable[[Any], bytes]]:
        own = self._format.parse(text)
        found, strict = self._schema_to_write(topic, own.canonical, own.name)
        header = self._frame(found)
        if strict:
            check_compatible(found, own.canonical, self._parsed(found).incompatibilities(own))
        if strict is not None and self._options.precision.is_finer:
            registered = self._mapped(self._parsed(found), None)
            check_precision(schema, registered.schema, registered.instants, self._options.precision)
        write = compile_writer(self._writer, schema, header, b"")
        if not self._validates:
            return header, write
        validate = self._validator(own if strict is None else self._parsed(found))

        def write_valid(value: Any) -> bytes:
            data = write(value)
            validate(loads(data[len(header) :]))
            return data

        return header, write_valid

    def _validator(self, parsed: JsonParsedSchema) -> Callable[[Any], None]:
        from penstock_converters.jsonschema.validation import make_validator  # its library only where it is asked for

        return make_validator(parsed, self._options.ignore_modern_dialects)

    # --- reading

    def _bind_reader(self, found: RegisteredSchema, version: Version, start: int) -> Reader:
        parsed = self._parsed(found)
        validate = self._validator(parsed) if self._validates else None
        schema, instants, branches = self._mapped(parsed, version(parsed.name))
        read = SchemaReaders(instants, branches).reader(schema)

        def convert(data: bytes) -> SchemaAndValue:
            payload = data[start:]
            try:
                tree = loads(payload)
                if validate is not None:
                    validate(tree)
                try:
                    return SchemaAndValue(schema, read(tree))
                except NeedsExact:
                    return SchemaAndValue(schema, read(exact_loads(payload)))
            except RecursionError:
                raise DataError("The document is nested too deeply to be read as its schema says") from None

        return convert

    def _mapped(self, parsed: JsonParsedSchema, version: int | None) -> _Mapped:
        instants, branches = Instants(), Branches()
        mapping = ToConnect(
            self._options,
            lambda schema, tree: SchemaReaders(instants, branches).default(schema, tree),
            instants if self._options.precision.is_finer else None,
            branches,
        )
        return _Mapped(mapping.convert(parsed.node, version), instants, branches)

    def _parsed(self, found: RegisteredSchema) -> JsonParsedSchema:
        resolved = self._client.resolve(found.references) if found.references else None
        try:
            return self._format.parse(
                found.schema, found.references, resolved, ignore_modern=self._options.ignore_modern_dialects
            )
        except InvalidSchemaError as error:
            raise SerializationError(f"The registered schema cannot be read: {error}") from error

    # --- errors

    def _not_written(self, topic: str, cause: SerializationError) -> DataError:
        return with_note(
            f"Converting Kafka Connect data to byte[] failed due to serialization error of topic {topic}: ", cause
        )

    def _not_read(self, topic: str, cause: SerializationError) -> DataError:
        return with_note(
            f"Converting byte[] to Kafka Connect data failed due to serialization error of topic {topic}: ", cause
        )
