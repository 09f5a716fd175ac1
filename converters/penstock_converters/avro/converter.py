"""``io.confluent.connect.avro.AvroConverter``: registry-framed Avro. Wiring only; see mapping and codec beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from penstock.api import Serializer
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import Schema, SchemaAndValue
from penstock.errors import DataError, SerializationError
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.plan import Planner
from penstock_converters.avro.reader import make_locator, make_reader
from penstock_converters.avro.to_avro import ToAvro
from penstock_converters.avro.to_connect import ToConnect, is_anything
from penstock_converters.avro.writer import Writer, make_raw_writer, make_writer
from penstock_converters.blame import names_a_field
from penstock_converters.precision import define_precision
from penstock_converters.registry_config import registry_config_def
from penstock_converters.registry_converter import Reader, RegistryConverter, Version, check_compatible, with_note
from penstock_registry.client import RegisteredSchema
from penstock_registry.formats.avro import AvroFormat, AvroSchema
from penstock_registry.formats.avro.canonical import to_text
from penstock_registry.formats.avro.compatibility import incompatibilities

__all__ = ["AvroConverter"]

_NULL: Final = SchemaAndValue(None, None)


def _config_def() -> ConfigDef:
    low, boolean = Importance.LOW, ConfigType.BOOLEAN
    return define_precision(
        registry_config_def()
        .define("enhanced.avro.schema.support", boolean, False, importance=Importance.MEDIUM,
                doc="Write enums as enums, and name the branches of a union by their full names.")
        .define("connect.meta.data", boolean, True, importance=low,
                doc="Keep what only Connect knows (doc, version, parameters, defaults, name) in connect.* attributes.")
        .define("scrub.invalid.names", boolean, False, importance=Importance.MEDIUM,
                doc="Replace what Avro does not allow in names.")
        .define("discard.type.doc.default", boolean, False, importance=low,
                doc="Take docs of fields and records as the Connect schema's doc, and keep no marks of defaults.")
        .define("allow.optional.map.keys", boolean, False, importance=low,
                doc="Write maps with optional string keys as Avro maps; a null key is then an error.")
        .define("flatten.singleton.unions", boolean, False, importance=low,
                doc="Read a union of one branch as that branch.")
        .define("generalized.sum.type.support", boolean, False, importance=Importance.MEDIUM,
                doc="Represent enums and unions as all registry converters do, so that formats can be exchanged.")
        .define("ignore.default.for.nullables", boolean, False, importance=Importance.MEDIUM,
                doc="Write null for an optional field that is null, even where it has a default.")
    )  # fmt: skip


class AvroConverter(RegistryConverter):
    """Keys or values as Avro behind a schema id.

    A schema is mapped, registered and compiled once; after that a record costs one call. What cannot be written or
    read is a `DataError` that names the topic or the field; a registry that does not answer is a `RetriableError`.
    """

    schema_type: ClassVar[str] = "AVRO"
    language: ClassVar[str] = "Avro"
    definition: ClassVar[ConfigDef] = _config_def()
    before_text: ClassVar[str] = ""

    def _configured(self, values: Mapping[str, Any]) -> None:
        self._options = AvroDataOptions.of(values)
        self._format = AvroFormat()

    def _schema_words(self) -> str:
        return f"Avro {'key' if self._is_key else 'value'} schema"

    # -- writing --------------------------------------------------------------------------------------------------

    def _bound_serializer(self, topic: str, schema: Schema | None) -> Serializer:
        optional = schema is None or schema.optional
        try:
            avro = ToAvro(self._options).convert(schema)
            text = to_text(avro)
            own = self._writer(schema, avro)
        except DataError as error:
            if not optional:
                raise
            return _only_null(error)  # a null needs no schema
        bound: tuple[bytes, Writer] | None = None

        def serialize(value: Any) -> bytes | None:
            nonlocal bound
            if value is None:
                if optional:
                    return None
                raise DataError("Found null value for non-optional schema")
            try:
                if bound is None:
                    own(b"", value)  # a value that cannot be written registers nothing
                    bound = self._bind(topic, schema, avro, text, own)
                return bound[1](bound[0], value)
            except SerializationError as error:
                raise self._not_written(topic, error) from error

        return serialize

    def _writer(self, schema: Schema | None, avro: AvroSchema) -> Writer:
        plan = Planner(self._options).plan(schema, avro)
        if avro.type == "bytes":
            return make_raw_writer(plan)
        return make_writer(plan, self._options.ignore_default_for_nullables)

    def _bind(
        self, topic: str, schema: Schema | None, avro: AvroSchema, text: str, own: Writer
    ) -> tuple[bytes, Writer]:
        record = avro.full_name if avro.type in ("record", "error") else None
        found, strict = self._schema_to_write(topic, text, record)
        return (self._frame(found), own) if strict is None else self._other(found, schema, avro, strict)

    def _other(
        self, found: RegisteredSchema, schema: Schema | None, avro: AvroSchema, strict: bool
    ) -> tuple[bytes, Writer]:
        """To write with a registered schema that is not the data's own."""
        registered = self._parsed(found)
        check_compatible(found, to_text(avro), incompatibilities(registered, avro) if strict else [])
        return self._frame(found), self._writer(schema, registered)

    # -- reading --------------------------------------------------------------------------------------------------

    def _bind_reader(self, found: RegisteredSchema, version: Version, start: int) -> Reader:
        avro = self._parsed(found)
        nothing = avro.type == "null" or (avro.type == "union" and all(t.type == "null" for t in avro.types))
        schemaless = nothing or is_anything(avro)
        record = avro.full_name if avro.type in ("record", "error") else None
        schema = None if schemaless else ToConnect(self._options).convert(avro, version(record))
        # Confluent writes data of the schema "bytes" without a length; see make_raw_writer.
        read = make_reader(avro, schema, self._options, raw_bytes=True)

        # Made for the first failure; it keeps in one place where it is, so it is one thread's at a time.
        locator: list[Callable[[bytes, int], str]] = []
        locating = threading.Lock()

        def located(error: DataError, data: bytes) -> DataError:
            with locating:
                if not locator:
                    locator.append(make_locator(avro, schema, self._options))
                field = locator[0](data, start)
            if field and isinstance(error, SerializationError):
                return SerializationError(f"{error.message} (field {field})")
            if field and not names_a_field(error):
                error.add_note(f"Field: {field}")
            return error

        def convert(data: bytes) -> SchemaAndValue:
            try:
                value = read(data, start)
            except DataError as error:
                raise located(error, data) from error.__cause__
            # Connect's null has no schema, whatever the Avro schema is.
            return _NULL if value is None else SchemaAndValue(schema, value)

        return convert

    def _parsed(self, found: RegisteredSchema) -> AvroSchema:
        resolved = self._client.resolve(found.references) if found.references else None
        return self._format.parse_registered(found.schema, found.references, resolved).schema

    # -- errors ---------------------------------------------------------------------------------------------------

    def _not_written(self, topic: str, cause: SerializationError) -> DataError:
        return with_note(f"Failed to serialize Avro data from topic {topic} :", cause)

    def _not_read(self, topic: str, cause: SerializationError) -> DataError:
        return with_note(f"Failed to deserialize data for topic {topic} to Avro: ", cause)


def _only_null(error: DataError) -> Serializer:
    kind, message = type(error), error.message

    def serialize(value: Any) -> bytes | None:
        if value is None:
            return None
        raise kind(message)

    return serialize
