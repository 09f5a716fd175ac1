"""Converters: between Connect's data and the bytes in Kafka."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from penstock.api.plugin import ConnectPlugin
from penstock.data import Headers, Schema, SchemaAndValue

__all__ = ["Converter", "Deserializer", "FixedReader", "HeaderConverter", "Serializer", "fixed_reader", "of_one_schema"]

#: Turns a value of one schema into bytes; None stays a tombstone where the format has no null.
Serializer = Callable[[Any], bytes | None]
#: Turns bytes into a value and its schema.
Deserializer = Callable[[bytes | None], SchemaAndValue]


class FixedReader(NamedTuple):
    """The inside of a deserializer whose values all have one schema, a null as well."""

    schema: Schema | None
    #: Bytes to the value; None if the bytes are the value. A null is not handed to it: it stays None.
    read: Callable[[bytes], Any] | None


def of_one_schema(schema: Schema | None, read: Callable[[bytes], Any] | None) -> Deserializer:
    """Return the deserializer that gives each value ``read(data)`` and `schema`, as `FixedReader` says.

    The worker puts `read` itself into the loop that it makes for a topic, and saves an object and a call per record.
    """
    null = SchemaAndValue(schema, None)
    if read is None:

        def deserialize(data: bytes | None) -> SchemaAndValue:
            return SchemaAndValue(schema, data)

    else:

        def deserialize(data: bytes | None) -> SchemaAndValue:
            return null if data is None else SchemaAndValue(schema, read(data))

    _FIXED_READERS[deserialize] = FixedReader(schema, read)
    return deserialize


def fixed_reader(deserializer: Deserializer) -> FixedReader | None:
    """Return what `of_one_schema` made `deserializer` of; None if something else made it."""
    return _FIXED_READERS.get(deserializer) if isinstance(deserializer, FunctionType) else None


#: Beside the functions, not on them: ``functools.wraps`` takes attributes along to a function that does something else.
_FIXED_READERS: Final[WeakKeyDictionary[Deserializer, FixedReader]] = WeakKeyDictionary()


class Converter(ConnectPlugin):
    """Translates keys or values of records.

    A subclass offers one of two forms. The simple one, `from_connect` and `to_connect`, is called per record. The
    bound one, `serializer` and `deserializer`, is asked for once per (topic, schema) and returns a plain function
    that is called per record; everything that depends on the schema alone belongs in front of it. The base class
    makes each form out of the other.

    Both are called from the task's own thread. Raise `DataError` for a record that cannot be converted (tolerated
    under ``errors.tolerance=all``), `RetriableError` for what may work later (a registry that does not answer; tried
    again within ``errors.retry.timeout``). Any other exception fails the task.
    """

    #: True if the converter puts something into the headers of records it writes, or looks at the headers of records it
    #: reads (schema ids in headers). Set on a class or, after `configure`, on an instance. The worker then calls the
    #: ``*_with_headers`` methods instead; when reading, only for records that have headers.
    writes_headers: bool = False
    reads_headers: bool = False

    def configure(self, configs: Mapping[str, Any], is_key: bool) -> None:
        """Called once, first. `configs` has the converter's own keys, prefix taken off, and ``converter.type``.

        Raises `ConfigError` for wrong settings.
        """

    def from_connect(self, topic: str, schema: Schema | None, value: Any) -> bytes | None:
        """One value to bytes."""
        if type(self).serializer is Converter.serializer:
            raise TypeError(f"{type(self).__name__} implements neither from_connect nor serializer")
        return self.serializer(topic, schema)(value)

    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        """Bytes to one value with its schema."""
        if type(self).deserializer is Converter.deserializer:
            raise TypeError(f"{type(self).__name__} implements neither to_connect nor deserializer")
        return self.deserializer(topic)(data)

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        """A function for values of `schema` in `topic`. The worker keeps it in a bounded cache."""
        if type(self).from_connect is Converter.from_connect:
            raise TypeError(f"{type(self).__name__} implements neither from_connect nor serializer")
        convert = self.from_connect
        return lambda value: convert(topic, schema, value)

    def deserializer(self, topic: str) -> Deserializer:
        """A function for the bytes of `topic`."""
        if type(self).to_connect is Converter.to_connect:
            raise TypeError(f"{type(self).__name__} implements neither to_connect nor deserializer")
        convert = self.to_connect
        return lambda data: convert(topic, data)

    def serializer_with_headers(self, topic: str, schema: Schema | None) -> Callable[[Any, Headers], bytes | None]:
        """Return a function as `serializer` does, which may also add to the record's raw headers (values are `bytes` or
        None, without schema; the header converter is done with them)."""
        plain = self.serializer(topic, schema)
        return lambda value, headers: plain(value)

    def deserializer_with_headers(self, topic: str) -> Callable[[bytes | None, Headers], SchemaAndValue]:
        """Return a function as `deserializer` does, which also takes the raw headers (values are `bytes` or None)."""
        plain = self.deserializer(topic)
        return lambda data, headers: plain(data)


class HeaderConverter(ConnectPlugin):
    """Translates the values of record headers. Called per header, from the task's own thread."""

    def configure(self, configs: Mapping[str, Any]) -> None:
        """Called once, first, with ``converter.type`` = ``header`` among the settings."""

    def from_connect_header(self, topic: str, key: str, schema: Schema | None, value: Any) -> bytes | None:
        """Return the bytes of a header's value; None stands for null. Raises `DataError` for a value that has none."""
        raise TypeError(f"{type(self).__name__} does not implement from_connect_header")

    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue:
        """Return schema and value of a header read from `topic`. Raises `DataError` for bytes that cannot be read."""
        raise TypeError(f"{type(self).__name__} does not implement to_connect_header")
