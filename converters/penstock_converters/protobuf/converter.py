"""``io.confluent.connect.protobuf.ProtobufConverter``: registry-framed Protobuf. Wiring only; see mapping and codec
beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from penstock.api import InvalidSchemaError, SchemaReference, Serializer
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import Schema, SchemaAndValue
from penstock.errors import DataError, SerializationError
from penstock_converters.precision import define_precision
from penstock_converters.protobuf import names
from penstock_converters.protobuf.names import ProtobufDataOptions
from penstock_converters.protobuf.plan import Planner
from penstock_converters.protobuf.reader import make_reader
from penstock_converters.protobuf.references import DEFAULT_STRATEGY, reference_strategy, registered_imports
from penstock_converters.protobuf.to_connect import ToConnect
from penstock_converters.protobuf.to_proto import ToProto, wrapper_of
from penstock_converters.protobuf.writer import Writer, make_writer
from penstock_converters.registry_config import registry_config_def
from penstock_converters.registry_converter import Reader, RegistryConverter, Version, check_compatible, with_note
from penstock_registry.client import RegisteredSchema
from penstock_registry.formats.protobuf import (
    Linked,
    ProtobufFormat,
    ProtobufParsedSchema,
    known_file,
    message_indexes,
)
from penstock_registry.wire import decode_message_indexes, encode_message_indexes

__all__ = ["ProtobufConverter"]

log = logging.getLogger(__name__)

#: Payloads name one of few messages; more distinct headers than this are damage.
_MAX_MESSAGES: Final = 1000


def _config_def() -> ConfigDef:
    low, medium, boolean = Importance.LOW, Importance.MEDIUM, ConfigType.BOOLEAN
    return define_precision(
        registry_config_def()
        .define("enhanced.protobuf.schema.support", boolean, False, importance=medium,
                doc="Name structs, enums and unions by their full names, packages included.")
        .define("scrub.invalid.names", boolean, False, importance=medium,
                doc="Replace what Protobuf does not allow in names.")
        .define("generalized.sum.type.support", boolean, False, importance=medium,
                doc="Represent enums and unions as all registry converters do, so that formats can be exchanged.")
        .define("int.for.enums", boolean, False, importance=low, doc="Read enums as their numbers.")
        .define("optional.for.nullables", boolean, False, importance=low,
                doc="Write optional fields as proto3 optional fields, and read only those as optional.")
        .define("optional.for.proto2", boolean, True, importance=low,
                doc="Read proto2 fields that are declared optional as null where they are not set.")
        .define("wrapper.for.nullables", boolean, False, importance=low,
                doc="Write optional primitives in Google's wrapper messages, and read only those as optional.")
        .define("wrapper.for.raw.primitives", boolean, True, importance=low,
                doc="Read a wrapper message that is a whole record as the value it wraps.")
        .define("generate.struct.for.nulls", boolean, False, importance=low,
                doc="Read fields that are not set as their type's default instead of as null.")
        .define("generate.index.for.unions", boolean, True, importance=low,
                doc="Put a number behind the name of the field that a oneof becomes.")
        .define("flatten.unions", boolean, False, importance=low,
                doc="Read the fields of a oneof as optional fields of the struct the oneof is in.")
        .define("ignore.default.for.nullables", boolean, False, importance=medium,
                doc="Write null for an optional field that is null, even where it has a default.")
        .define("skip.known.types", boolean, True, importance=low,
                doc="Whether the registry is taken to know Google's and Confluent's common types by itself.")
        .define("reference.subject.name.strategy", ConfigType.CLASS, DEFAULT_STRATEGY, importance=low,
                doc="Without skip.known.types: how the subjects of imported files are named.")
    )  # fmt: skip


class ProtobufConverter(RegistryConverter):
    """Keys or values as Protobuf messages behind a schema id.

    A schema is mapped, registered and compiled once; after that a record costs one call. An error's note names the
    field that is at fault.
    """

    schema_type: ClassVar[str] = "PROTOBUF"
    language: ClassVar[str] = "Protobuf"
    definition: ClassVar[ConfigDef] = _config_def()

    def _configured(self, values: Mapping[str, Any]) -> None:
        self._options = ProtobufDataOptions.of(values)
        self._format = ProtobufFormat()
        self._references = reference_strategy(values["reference.subject.name.strategy"])

    # --- writing

    def _bound_serializer(self, topic: str, schema: Schema | None) -> Serializer:
        if schema is None:
            return _schemaless
        own, message = self._own(schema)
        write = self._writer(schema, own, message)
        bound: tuple[bytes, Writer] | None = None

        def serialize(value: Any) -> bytes | None:
            nonlocal bound
            if value is None:
                return None
            try:
                if bound is None:
                    write(b"", value)  # a value that cannot be written registers nothing
                    bound = self._bind(topic, schema, own, message, write)
                return bound[1](bound[0], value)
            except SerializationError as error:
                raise self._not_written(topic, error) from error

        return serialize

    def _own(self, schema: Schema) -> tuple[ProtobufParsedSchema, str]:
        """The schema to register for data of `schema`, and the full name of the message that is written."""
        if schema.name in names.LOGICAL:
            log.warning(
                "A whole record of %r is written as Confluent's converter writes it, which no converter can read back;"
                " put the value into a field of a struct (HoistField does)",
                schema,
            )
            return ProtobufParsedSchema(_linked_file(names.WRAPPERS_FILE)), names.LOGICAL[schema.name or ""]
        if schema.type.is_primitive:
            return ProtobufParsedSchema(_linked_file(names.WRAPPERS_FILE)), wrapper_of(schema)
        file = ToProto(self._options).convert(schema)
        return ProtobufParsedSchema(Linked(file)), file.full_name(next(file.messages).name)

    def _writer(self, schema: Schema, parsed: ProtobufParsedSchema, message: str, *, own: bool = True) -> Writer:
        if schema.name in names.LOGICAL:
            parsed = ProtobufParsedSchema(_linked_file(names.FILES[message]))
        try:
            compiled = parsed.compiled()
            package = parsed.file.package
            descriptor = compiled.message(message.removeprefix(f"{package}.") if package else message)
        except InvalidSchemaError as error:
            raise DataError(f"{schema!r} cannot be written as Protobuf: {error.message}") from error
        plan = Planner(self._options, own=own).plan(schema, descriptor)
        return make_writer(plan, self._options.ignore_default_for_nullables)

    def _bind(
        self, topic: str, schema: Schema, own: ProtobufParsedSchema, message: str, write: Writer
    ) -> tuple[bytes, Writer]:
        record = wrapper_of(schema) if schema.name in names.LOGICAL else message
        references = () if self._values["skip.known.types"] else self._imports(topic, own)
        found, strict = self._schema_to_write(topic, own.canonical, record, references)
        if strict is None:
            return self._header(found, own, message), write
        registered = self._parsed(found)
        if strict:
            check_compatible(found, own.canonical, registered.incompatibilities(own))
        # The registered schema's own field numbers, by the names of the fields.
        return self._header(found, registered, message), self._writer(schema, registered, message, own=False)

    def _header(self, found: RegisteredSchema, parsed: ProtobufParsedSchema, message: str) -> bytes:
        # A message that is not in the schema has no indexes, which is written as the first message's.
        indexes = message_indexes(parsed.file, message) or [0]
        return self._frame(found) + encode_message_indexes(indexes)

    def _frame_end(self, frame: bytes, end: int) -> int:
        return decode_message_indexes(frame, end)[1]

    def _imports(self, topic: str, own: ProtobufParsedSchema) -> tuple[SchemaReference, ...]:
        def register(subject: str, text: str, references: Sequence[SchemaReference]) -> RegisteredSchema:
            client = self._client
            if self._values["auto.register.schemas"]:
                problem = f"Error registering Protobuf schema: {text}"
                made = self._ask(topic, problem, lambda: client.register(subject, text, self.schema_type, references))
                if made.version is not None:
                    return made
            problem = f"Error retrieving Protobuf schema: {text}"
            return self._ask(topic, problem, lambda: client.lookup(subject, text, self.schema_type, references))

        def subject_of(name: str) -> str:
            return self._references.reference_subject_name(name, topic, self._is_key)

        return registered_imports(own.file, subject_of, register)

    # --- reading

    def _bind_reader(self, found: RegisteredSchema, version: Version, start: int) -> Reader:
        parsed = self._parsed(found)
        try:
            compiled = parsed.compiled()
        except InvalidSchemaError as error:
            raise SerializationError(f"The registered schema cannot be used: {error}") from error
        readers: dict[bytes, tuple[Schema, Callable[[bytes], Any]]] = {}
        main: tuple[Schema, Callable[[bytes], Any]] | None = None
        first = start + 1

        def bind(indexes: Sequence[int]) -> tuple[Schema, Callable[[bytes], Any]]:
            try:
                descriptor = compiled.message_at(indexes)
            except InvalidSchemaError as error:
                raise SerializationError(error.message) from error
            schema = ToConnect(self._options, compiled).convert(descriptor, version(compiled.full_name(descriptor)))
            return schema, make_reader(descriptor, schema, compiled, self._options)

        def convert(data: bytes) -> SchemaAndValue:
            nonlocal main
            if data[start:first] == b"\x00":  # the first message: nearly always
                main = main or bind([0])
                schema, read = main
                return SchemaAndValue(schema, read(data[first:]))
            indexes, end = decode_message_indexes(data, start)
            reader = readers.get(data[start:end])
            if reader is None:
                reader = bind(indexes)
                if len(readers) >= _MAX_MESSAGES:
                    readers.clear()
                readers[bytes(data[start:end])] = reader
            schema, read = reader
            return SchemaAndValue(schema, read(data[end:]))

        return convert

    def _parsed(self, found: RegisteredSchema) -> ProtobufParsedSchema:
        if found.schema_type != self.schema_type:
            raise SerializationError(f"Schema id {found.id} is a schema of type {found.schema_type}, not PROTOBUF")
        resolved = self._client.resolve(found.references) if found.references else None
        try:
            return self._format.parse(found.schema, found.references, resolved)
        except InvalidSchemaError as error:
            raise SerializationError(f"The registered schema cannot be read: {error}") from error

    # --- errors

    def _not_written(self, topic: str, cause: SerializationError) -> DataError:
        return with_note(f"Failed to serialize Protobuf data from topic {topic} :", cause)

    def _not_read(self, topic: str, cause: SerializationError) -> DataError:
        return with_note(f"Failed to deserialize data for topic {topic} to Protobuf: ", cause)


def _linked_file(name: str) -> Linked:
    file = known_file(name)
    assert file is not None
    return Linked(file)


def _schemaless(value: Any) -> bytes | None:
    if value is None:
        return None
    raise DataError(
        "The value has no schema: Protobuf needs one. Use a converter or transforms that give it a schema,"
        " or JsonConverter with schemas.enable=false"
    )
