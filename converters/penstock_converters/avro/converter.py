"""``io.confluent.connect.avro.AvroConverter``: registry-framed Avro. Wiring only; see mapping and codec beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock import KAFKA_VERSION
from penstock.api import Converter, Deserializer, Serializer
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import Schema, SchemaAndValue
from penstock.errors import ConfigError, DataError, SerializationError
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.plan import Planner
from penstock_converters.avro.reader import make_reader
from penstock_converters.avro.to_avro import ToAvro
from penstock_converters.avro.to_connect import ToConnect, is_anything
from penstock_converters.avro.writer import Writer, make_raw_writer, make_writer
from penstock_converters.registry_config import check_keys, registry_config_def
from penstock_converters.subject import SubjectNameStrategy, subject_name_strategy
from penstock_registry.client import RegisteredSchema, RegistryClient, RegistryRequestError, client_for
from penstock_registry.client.caching import SingleFlightCache
from penstock_registry.formats.avro import AvroFormat, AvroSchema
from penstock_registry.formats.avro.compatibility import incompatibilities
from penstock_registry.wire import HEADER_SIZE, MAGIC, describe_payload, frame_header, schema_id

__all__ = ["AvroConverter"]

_NULL: Final = SchemaAndValue(None, None)


def _config_def() -> ConfigDef:
    low, boolean = Importance.LOW, ConfigType.BOOLEAN
    return (
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


class AvroConverter(Converter):
    """Keys or values as Avro behind a schema id.

    A schema is mapped, registered and compiled once; after that a record costs one call. What cannot be written or
    read is a `DataError` that names the topic or the field; a registry that does not answer is a `RetriableError`.
    """

    version = KAFKA_VERSION
    _DEF: Final = _config_def()

    @classmethod
    def config_def(cls) -> ConfigDef:
        return cls._DEF

    def configure(self, configs: Mapping[str, Any], is_key: bool) -> None:
        values = self._DEF.parse(configs)
        check_keys(configs, self._DEF.names, "AvroConverter")
        which = "key" if is_key else "value"
        self._is_key = is_key
        self._values = values
        self._options = AvroDataOptions.of(values)
        self._strategy: SubjectNameStrategy = subject_name_strategy(
            f"{which}.subject.name.strategy", values[f"{which}.subject.name.strategy"]
        )
        self._strategy_needs_record = getattr(self._strategy, "needs_record", True)
        self._client: RegistryClient = client_for(values["schema.registry.url"], {**configs, **_given(values, configs)})
        self._format = AvroFormat()
        # Readers are bound to (id, topic); the cache holds compiled code, so it is bounded even if set to nothing.
        self._readers = SingleFlightCache(max(1, values["schemas.cache.config"]))

    # -- writing --------------------------------------------------------------------------------------------------

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        avro = ToAvro(self._options).convert(schema)
        text = avro.text()  # fails here, not at the first record, for what no Avro schema can say
        optional = schema is None or schema.optional
        bound: tuple[bytes, Writer] | None = None
        own = self._writer(schema, avro)

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
                raise _failed(topic, error) from error

        return serialize

    def _writer(self, schema: Schema | None, avro: AvroSchema) -> Writer:
        plan = Planner(self._options).plan(schema, avro)
        if avro.type == "bytes":
            return make_raw_writer(plan)
        return make_writer(plan, self._options.ignore_default_for_nullables)

    def _bind(
        self, topic: str, schema: Schema | None, avro: AvroSchema, text: str, own: Writer
    ) -> tuple[bytes, Writer]:
        values, client = self._values, self._client
        record = avro.full_name if avro.type == "record" else None
        subject = self._strategy.subject_name(topic, self._is_key, record)
        normalize = values["normalize.schemas"]
        if values["auto.register.schemas"]:
            found = self._ask(
                topic,
                f"Error registering Avro schema{text}",
                lambda: client.register(subject, text, normalize=normalize),
            )
            return frame_header(found.id), own
        if values["use.schema.id"] >= 0:
            number = values["use.schema.id"]
            found = self._ask(topic, "Error retrieving schema ID", lambda: client.schema_by_id(number, subject))
            return self._other(found, schema, avro, subject, values["id.compatibility.strict"])
        if values["use.latest.version"]:
            problem = f"Error retrieving latest version of Avro schema{text}"
            found = self._ask(topic, problem, lambda: client.latest(subject))
            return self._other(found, schema, avro, subject, values["latest.compatibility.strict"])
        found = self._ask(
            topic, f"Error retrieving Avro schema{text}", lambda: client.lookup(subject, text, normalize=normalize)
        )
        return frame_header(found.id), own

    def _other(
        self, found: RegisteredSchema, schema: Schema | None, avro: AvroSchema, subject: str, strict: bool
    ) -> tuple[bytes, Writer]:
        """To write with a registered schema that is not the data's own."""
        registered = self._parsed(found)
        reasons = incompatibilities(registered, avro) if strict else []
        if reasons:
            raise SerializationError(
                f"Incompatible schema {found.schema} with id {found.id} of subject {subject}: it cannot read data of"
                f" {avro.text()}: {'; '.join(reasons).replace('%new%', 'registered').replace('%old%', 'own')}. Set latest.compatibility.strict=false"
                " (id.compatibility.strict=false with use.schema.id) to try nevertheless"
            )
        return frame_header(found.id), self._writer(schema, registered)

    # -- reading --------------------------------------------------------------------------------------------------

    def deserializer(self, topic: str) -> Deserializer:
        readers: dict[bytes, Callable[[bytes], SchemaAndValue]] = {}
        limit = max(1, self._values["schemas.cache.config"])

        def deserialize(data: bytes | None) -> SchemaAndValue:
            if data is None:
                return _NULL
            read = readers.get(data[:HEADER_SIZE])
            if read is None:
                read = self._reader(topic, bytes(data))
                if len(readers) >= limit:
                    readers.clear()
                readers[bytes(data[:HEADER_SIZE])] = read
            return read(data)

        return deserialize

    def _reader(self, topic: str, data: bytes) -> Callable[[bytes], SchemaAndValue]:
        if len(data) < HEADER_SIZE or data[0] != MAGIC:
            error = SerializationError(f"Unknown magic byte! {describe_payload(data)}")
            raise _unreadable(topic, error) from error
        number = schema_id(data)
        return self._readers.get((number, topic), lambda: self._make_reader(topic, number))

    def _make_reader(self, topic: str, number: int) -> Callable[[bytes], SchemaAndValue]:
        subject = None if self._strategy_needs_record else self._strategy.subject_name(topic, self._is_key, None)
        try:
            found = self._client.schema_by_id(number, subject)
            if found.schema_type != "AVRO":
                raise SerializationError(f"Schema id {number} is a {found.schema_type} schema, not an Avro one")
            avro = self._parsed(found)
        except DataError as error:
            which = "key" if self._is_key else "value"
            problem = SerializationError(f"Error retrieving Avro {which} schema for id {number}: {error}")
            problem.__cause__ = error
            raise _unreadable(topic, problem) from problem
        nothing = avro.type == "null" or (avro.type == "union" and all(t.type == "null" for t in avro.types))
        schemaless = nothing or is_anything(avro)
        schema = None if schemaless else ToConnect(self._options).convert(avro, self._version(topic, found, avro))
        # Confluent writes data of the schema "bytes" without a length; see make_raw_writer.
        read = make_reader(avro, schema, self._options, raw_bytes=True)
        where = f"Error deserializing Avro message for id {number}"

        def convert(data: bytes) -> SchemaAndValue:
            try:
                value = read(data, HEADER_SIZE)
            except SerializationError as error:
                problem = SerializationError(f"{where}: {error}")
                problem.__cause__ = error
                raise _unreadable(topic, problem) from problem
            except DataError as error:
                error.add_note(f"reading topic {topic}, schema id {number}")
                raise
            # Connect's null has no schema, whatever the Avro schema is.
            return _NULL if value is None else SchemaAndValue(schema, value)

        return convert

    def _version(self, topic: str, found: RegisteredSchema, avro: AvroSchema) -> int | None:
        """The schema's version in this topic's subject; None if it stands there under no version."""
        record = avro.full_name if avro.type == "record" else None
        if record is None and self._strategy_needs_record:
            return None
        subject = self._strategy.subject_name(topic, self._is_key, record)
        try:
            return self._client.lookup(subject, found.schema, "AVRO", found.references, deleted=True).version
        except RegistryRequestError as error:
            if error.not_found:
                return None
            raise

    def _parsed(self, found: RegisteredSchema) -> AvroSchema:
        resolved = self._client.resolve(found.references) if found.references else None
        return self._format.parse_registered(found.schema, found.references, resolved).schema

    def _ask(self, topic: str, problem: str, request: Callable[[], RegisteredSchema]) -> RegisteredSchema:
        try:
            return request()
        except RegistryRequestError as error:
            if error.error_code // 100 == 4:  # a bare HTTP status, such as 409: the schema is not acceptable
                raise ConfigError(f"Failed to access Avro data from topic {topic} : {error.message}") from error
            wrapped = SerializationError(f"{problem}: {error}")
            wrapped.__cause__ = error
            raise wrapped from error


def _given(values: Mapping[str, Any], configs: Mapping[str, Any]) -> dict[str, Any]:
    """The parsed form of the settings that were given: passwords hidden, numbers numbers."""
    return {key: values[key] for key in configs if key in values}


def _failed(topic: str, cause: SerializationError) -> DataError:
    error = DataError(f"Failed to serialize Avro data from topic {topic} :")
    error.add_note(str(cause))
    return error


def _unreadable(topic: str, cause: SerializationError) -> DataError:
    error = DataError(f"Failed to deserialize data for topic {topic} to Avro: ")
    error.add_note(str(cause))
    return error
