"""The base of converters with a schema registry: settings, registering, finding a payload's schema."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from penstock import KAFKA_VERSION
from penstock.api import Converter, Deserializer, InvalidSchemaError, SchemaReference, Serializer
from penstock.config import ConfigDef
from penstock.data import Header, Headers, Schema, SchemaAndValue
from penstock.errors import ConfigError, DataError, SerializationError
from penstock_converters.contexts import InContext, context_name_strategy
from penstock_converters.registry_config import check_keys
from penstock_converters.schema_id_headers import SchemaIdPlaces, frame_in_header
from penstock_converters.subject import SubjectNameStrategy, subject_name_strategy
from penstock_registry.client import RegisteredSchema, RegistryClient, RegistryRequestError, client_for
from penstock_registry.client.caching import SingleFlightCache
from penstock_registry.wire import (
    GUID_FRAME_SIZE,
    GUID_MAGIC,
    HEADER_SIZE,
    describe_id,
    describe_payload,
    frame_header,
    frame_size,
    guid_frame,
    schema_guid,
    schema_id,
)

__all__ = ["Reader", "RegistryConverter", "Version", "check_compatible", "with_note"]

Reader = Callable[[bytes], SchemaAndValue]
#: Returns the version that a schema has in the topic's subject, given its record name; None if it has none there.
Version = Callable[[str | None], int | None]
_NULL = SchemaAndValue(None, None)


class RegistryConverter(Converter):
    """Keys or values behind a schema id.

    A subclass says what schemas and payloads are. What cannot be written or read is a `DataError`; a registry that
    does not answer is a `RetriableError`.
    """

    version: ClassVar[str] = KAFKA_VERSION
    #: The registry's name of the schema language, and the one that stands in messages.
    schema_type: ClassVar[str]
    language: ClassVar[str]
    definition: ClassVar[ConfigDef]
    #: The text between a message and the schema in Confluent's errors.
    before_text: ClassVar[str] = ": "
    #: Seconds, for what expires.
    _clock: Callable[[], float] = staticmethod(time.monotonic)

    @classmethod
    def config_def(cls) -> ConfigDef:
        return cls.definition

    def configure(self, configs: Mapping[str, Any], is_key: bool) -> None:
        values = self.definition.parse(configs)
        check_keys(configs, self.definition.names, type(self).__name__)
        which = "key" if is_key else "value"
        self._is_key = is_key
        self._values = values
        strategies = {  # both are looked up, so that a mistake in either is told at once, as on the JVM
            part: subject_name_strategy(f"{part}.subject.name.strategy", values[f"{part}.subject.name.strategy"])
            for part in ("key", "value")
        }
        contexts = context_name_strategy(values["context.name.strategy"])
        self._contexts = None if contexts is None else InContext(strategies[which], contexts)
        self._strategy: SubjectNameStrategy = self._contexts or strategies[which]
        self._strategy_needs_record = getattr(self._strategy, "needs_record", True)
        given = {key: values[key] for key in configs if key in values}  # parsed: passwords hidden, numbers numbers
        self._client: RegistryClient = client_for(values["schema.registry.url"], {**configs, **given})
        # Readers are bound to (id, topic); the cache holds compiled code, so it is bounded even if set to nothing.
        self._readers = SingleFlightCache(max(1, values["schemas.cache.config"]))
        places = SchemaIdPlaces.of(values, is_key)
        self.writes_headers, self.reads_headers, self._header_name = places
        self._configured(values)

    def _configured(self, values: Mapping[str, Any]) -> None:
        """For a subclass's own settings."""

    def _schema_words(self) -> str:
        """Return what an error calls the schema of a payload."""
        return f"{self.language} schema"

    # --- what a subclass says

    @abstractmethod
    def _bound_serializer(self, topic: str, schema: Schema | None) -> Serializer:
        """`serializer`, bound to one registered schema when the first value is written."""

    @abstractmethod
    def _bind_reader(self, found: RegisteredSchema, version: Version, start: int) -> Reader:
        """A reader of payloads with the schema `found`; it raises `SerializationError` for what is no such payload.
        A payload has `start` bytes before the data, or before the message indexes."""

    @abstractmethod
    def _not_written(self, topic: str, cause: SerializationError) -> DataError:
        """Return the error for a value that could not be serialized."""

    @abstractmethod
    def _not_read(self, topic: str, cause: SerializationError) -> DataError:
        """Return the error for a payload that could not be deserialized."""

    # --- writing

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        if not self._latest_expires:
            return self._bound_serializer(topic, schema)
        clock, lifetime = self._clock, self._values["latest.cache.ttl.sec"]
        bound, until = self._bound_serializer(topic, schema), clock() + lifetime

        def serialize(value: Any) -> bytes | None:
            nonlocal bound, until
            now = clock()
            if now >= until:
                bound, until = self._bound_serializer(topic, schema), now + lifetime
            return bound(value)

        return serialize

    @property
    def _latest_expires(self) -> bool:
        """Return True if the subject's latest schema is written with, and is asked for again from time to time."""
        values = self._values
        latest = values["use.latest.version"] and not values["auto.register.schemas"] and values["use.schema.id"] < 0
        return bool(latest) and values["latest.cache.ttl.sec"] >= 0

    def _schema_to_write(
        self, topic: str, text: str, record_name: str | None, references: Sequence[SchemaReference] = ()
    ) -> tuple[RegisteredSchema, bool | None]:
        """The registered schema to write data of the schema `text` with. The second is None if it is that very schema;
        otherwise whether it has to be able to read the data. Raises `SerializationError`."""
        subject = self._strategy.subject_name(topic, self._is_key, record_name)
        found, strict = self._choose(topic, subject, text, references)
        if self.writes_headers and found.guid is None:
            found = self._with_guid(topic, subject, found)
        return found, strict

    def _choose(
        self, topic: str, subject: str, text: str, references: Sequence[SchemaReference]
    ) -> tuple[RegisteredSchema, bool | None]:
        values, client, kind = self._values, self._client, self.schema_type
        normalize = values["normalize.schemas"]
        if values["auto.register.schemas"]:
            problem = f"Error registering {self.language} schema{self.before_text}{text}"
            return self._ask(topic, problem, lambda: client.register(subject, text, kind, references, normalize)), None
        if values["use.schema.id"] >= 0:
            number = values["use.schema.id"]
            found = self._ask(topic, "Error retrieving schema ID", lambda: client.schema_by_id(number, subject))
            return found, bool(values["id.compatibility.strict"])
        if values["use.latest.version"]:
            problem = f"Error retrieving latest version of {self.language} schema{self.before_text}{text}"
            return self._ask(topic, problem, lambda: client.latest(subject)), bool(
                values["latest.compatibility.strict"]
            )
        problem = f"Error retrieving {self.language} schema{self.before_text}{text}"
        return self._ask(topic, problem, lambda: client.lookup(subject, text, kind, references, normalize)), None

    def _with_guid(self, topic: str, subject: str, found: RegisteredSchema) -> RegisteredSchema:
        # Over HTTP the answer to an id brings no GUID; the one to the schema's text does.
        problem = f"Error retrieving the GUID of {self.language} schema with id {found.id}"
        client, kind = self._client, self.schema_type
        again = self._ask(
            topic, problem, lambda: client.lookup(subject, found.schema, kind, found.references, deleted=True)
        )
        if again.guid is None:
            raise SerializationError(
                f"{problem}: this registry has no GUIDs, which HeaderSchemaIdSerializer writes; take a newer registry or"
                " PrefixSchemaIdSerializer"
            )
        return replace(found, guid=again.guid)

    def _frame(self, found: RegisteredSchema) -> bytes:
        """Return what stands before data of the schema `found`, without message indexes; `serializer_with_headers` moves it
        into a header."""
        return guid_frame(found.guid) if self.writes_headers and found.guid else frame_header(found.id)

    def _frame_end(self, frame: bytes, end: int) -> int:
        """Return where a frame ends whose id or GUID ends at `end`: behind the message indexes, in languages that have some.
        Raises `SerializationError`."""
        return end

    def serializer_with_headers(self, topic: str, schema: Schema | None) -> Callable[[Any, Headers], bytes | None]:
        if not self.writes_headers:
            return super().serializer_with_headers(topic, schema)
        plain, name, end = self.serializer(topic, schema), self._header_name, 0
        expires = self._latest_expires

        def serialize(value: Any, headers: Headers) -> bytes | None:
            nonlocal end
            data = plain(value)
            if data is None:
                return None
            if not end or expires:  # message indexes are the schema's
                end = self._frame_end(data, GUID_FRAME_SIZE)
            # A record that comes from another topic may bring that topic's; some clients read the first of two.
            headers.remove_all(name)
            headers.append(Header(name, None, data[:end]))
            return data[end:]

        return serialize

    def _ask(self, topic: str, problem: str, request: Callable[[], RegisteredSchema]) -> RegisteredSchema:
        try:
            return request()
        except RegistryRequestError as error:
            if error.error_code // 100 == 4:  # a bare HTTP status, such as 409: the schema is not acceptable
                raise ConfigError(
                    f"Failed to access {self.language} data from topic {topic} : {error.message}"
                ) from error
            raise SerializationError(f"{problem}: {error}") from error

    # --- reading

    def deserializer(self, topic: str) -> Deserializer:
        readers: dict[bytes, Reader] = {}
        limit = max(1, self._values["schemas.cache.config"])

        def deserialize(data: bytes | None) -> SchemaAndValue:
            if data is None:
                return _NULL
            read = readers.get(data[:HEADER_SIZE])
            if read is None:
                frame = bytes(data[: frame_size(data)])
                read = readers.get(frame)
                if read is None:
                    read = self._reader(topic, bytes(data))
                    if len(readers) >= limit:
                        readers.clear()
                    readers[frame] = read
            try:
                return read(data)
            except SerializationError as error:
                which = _which(data)
                problem = SerializationError(
                    f"Error deserializing {self.language} message for {_shown(which)}: {error}"
                )
                problem.__cause__ = error
                raise self._not_read(topic, problem) from problem

        return deserialize

    def deserializer_with_headers(self, topic: str) -> Callable[[bytes | None, Headers], SchemaAndValue]:
        if not self.reads_headers:
            return super().deserializer_with_headers(topic)
        plain, name = self.deserializer(topic), self._header_name
        frames: dict[bytes, bytes] = {}
        limit = max(1, self._values["schemas.cache.config"])

        def deserialize(data: bytes | None, headers: Headers) -> SchemaAndValue:
            header = headers.last_with_name(name)
            if data is None or header is None or header.value is None:
                return plain(data)
            frame = frames.get(header.value)
            if frame is None:
                try:
                    frame = frame_in_header(name, header.value, self._frame_end)
                except SerializationError as error:
                    raise self._not_read(topic, error) from error
                if len(frames) >= limit:
                    frames.clear()
                frames[header.value] = frame
            return plain(frame + data)

        return deserialize

    def _reader(self, topic: str, data: bytes) -> Reader:
        size = frame_size(data)
        if len(data) < size or not size:
            error = SerializationError(f"Unknown magic byte! {describe_payload(data)}")
            raise self._not_read(topic, error) from error
        which = _which(data)
        return self._readers.get((which, topic), lambda: self._make_reader(topic, which, size, data))

    def _make_reader(self, topic: str, which: int | str, size: int, data: bytes) -> Reader:
        subject = None if self._strategy_needs_record else self._strategy.subject_name(topic, self._is_key, None)
        if subject is None and self._contexts is not None:
            subject = self._contexts.prefix(topic) or None  # ids are a context's own
        client = self._client
        shown = _shown(which)
        try:
            found = client.schema_by_id(which, subject) if isinstance(which, int) else client.schema_by_guid(which)
            if found.schema_type != self.schema_type:
                raise SerializationError(
                    f"Schema {shown} is a schema of type {found.schema_type}, not {self.schema_type}"
                )
            return self._bind_reader(found, lambda record: self._version(topic, found, record), size)
        except (RegistryRequestError, SerializationError, InvalidSchemaError) as error:
            hint = describe_id(data) if isinstance(error, RegistryRequestError) and error.not_found else ""
            problem = SerializationError(f"Error retrieving {self._schema_words()} for {shown}: {error}{hint}")
            problem.__cause__ = error
            raise self._not_read(topic, problem) from problem

    def _version(self, topic: str, found: RegisteredSchema, record_name: str | None) -> int | None:
        """The schema's version in this topic's subject; None if it stands there under no version."""
        if record_name is None and self._strategy_needs_record:
            return None
        subject = self._strategy.subject_name(topic, self._is_key, record_name)
        try:
            return self._client.lookup(subject, found.schema, self.schema_type, found.references, deleted=True).version
        except RegistryRequestError as error:
            if error.not_found:
                return None
            raise


def _which(data: bytes) -> int | str:
    """The id, or the GUID, in a payload's frame."""
    return schema_guid(data) if data[0] == GUID_MAGIC else schema_id(data)


def _shown(which: int | str) -> str:
    return f"id {which}" if isinstance(which, int) else f"GUID {which}"


def check_compatible(found: RegisteredSchema, own: str, reasons: Sequence[str]) -> None:
    """Refuse to write data of the schema `own` with another one that has `reasons` not to read it."""
    if reasons:
        worded = "; ".join(r.replace("%new%", "registered").replace("%old%", "data's") for r in reasons)
        raise SerializationError(
            f"Incompatible schema {found.schema} with id {found.id}: it cannot read data of {own}: {worded}."
            " Set latest.compatibility.strict=false (id.compatibility.strict=false with use.schema.id) to try"
            " nevertheless"
        )


def with_note(message: str, cause: SerializationError) -> DataError:
    """Confluent's `message`, and what it leaves to the stack trace."""
    error = DataError(message)
    error.add_note(str(cause))
    return error
