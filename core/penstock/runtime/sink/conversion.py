"""A consumed message as a sink record: converters and the chain of transforms, bound to what they are given.

What goes wrong is raised as `StageError` or `ConversionError`, which name the stage; `penstock.runtime.conversion.locate`
reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from penstock.api import Shape
from penstock.data import Header, Headers, SchemaAndValue, SinkRecord
from penstock.errors import DataError
from penstock.kafka.headers import UNREADABLE
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import BoundChain, Chain, StageError
from penstock.runtime.conversion import ConversionError
from penstock.runtime.sink.straight import TIMESTAMP_TYPES, StraightRun, StraightWay, straight_run
from penstock.runtime.tolerance import ErrorStage

__all__ = ["ConsumedRecord", "SinkConversion"]

ReadWithHeaders: TypeAlias = Callable[[bytes | None, Headers], SchemaAndValue]

#: The parts that a sink task's chain may alter: the worker has just made the record and everything in it.
_OWNED: Final = frozenset({"record", "key", "value", "headers"})


class ConsumedRecord(SinkRecord):
    """A sink record that still holds its message: a dead letter is made of that, not of what became of it."""

    message: Any = None


class SinkConversion:
    """Key, value and header converter and chain of one sink task. For the task's thread."""

    def __init__(self, chain: Chain, converters: Converters, keep_messages: bool = False) -> None:
        self._keep_messages = keep_messages
        self._chain = chain
        self._converters = converters
        self._deserializers: dict[str, tuple[Callable[[Any], SchemaAndValue], Callable[[Any], SchemaAndValue]]] = {}
        self._headers_readers: dict[str, tuple[ReadWithHeaders, ReadWithHeaders]] = {}
        self._key_error = ErrorStage.KEY_CONVERTER, converters.key_class
        self._value_error = ErrorStage.VALUE_CONVERTER, converters.value_class
        self._with_headers = converters.key.reads_headers or converters.value.reads_headers
        self._topic = ""
        self._key_schema: Any = None
        self._value_schema: Any = None
        self._chain_bound: BoundChain | None = None
        self._straight: dict[str, StraightRun | None] = {}

    def close(self) -> None:
        self._chain.close()
        self._converters.close()

    def record(self, message: Any, topic: str, partition: int, offset: int) -> SinkRecord | None:
        """A consumed message as a sink record, through the chain; None if the chain drops it.

        The caller looks at topic, partition and offset anyway: each look into a message is a call.
        """
        known = self._deserializers.get(topic)
        if known is None:
            known = self._deserializers[topic] = self._deserializers_for(topic)
        headers: Any = message.headers()
        if headers is UNREADABLE:
            error = DataError("a header's name is not UTF-8, so that none of the record's headers can be read")
            raise ConversionError(ErrorStage.HEADER_CONVERTER, self._converters.header_class) from error
        if self._with_headers and headers:
            key, value = self._convert_with_headers(topic, message, headers)
        else:
            try:
                key = known[0](message.key())
            except Exception as error:
                raise ConversionError(*self._key_error) from error
            try:
                value = known[1](message.value())
            except Exception as error:
                raise ConversionError(*self._value_error) from error
        kind, timestamp = message.timestamp()
        record = SinkRecord(
            topic, partition, key.schema, key.value, value.schema, value.value,
            timestamp if kind else None, self._headers(topic, headers) if headers else Headers(),
            offset, TIMESTAMP_TYPES[kind], topic, partition, offset,
        )  # fmt: skip
        if self._keep_messages:
            record = ConsumedRecord(
                **{name: getattr(record, name) for name in SinkRecord.__struct_fields__}, message=message
            )
        apply = self._bound(topic, key.schema, value.schema)
        return record if apply is None else apply(record)

    def straight(self, topic: str) -> StraightRun | None:
        """Return the loop that takes the usual messages of a topic in one go, for the same records that `record` makes.

        None if there is none: a converter looks into the headers, or no record of the topic gets through.
        """
        if self._with_headers or topic not in self._deserializers:
            return None
        try:
            return self._straight[topic]
        except KeyError:
            run = self._straight[topic] = self._make_straight(topic)
            return run

    def _make_straight(self, topic: str) -> StraightRun | None:
        key, value = self._deserializers[topic]
        keep = self._keep_messages
        record_class = ConsumedRecord if keep else SinkRecord
        has_chain = bool(self._chain.stages)
        try:
            return straight_run(
                StraightWay(topic, key, value, self._headers, self._bound, has_chain, record_class, keep)
            )
        except StageError:
            return None  # `record` raises it for each record, which then has an error of its own

    def _bound(self, topic: str, key_schema: Any, value_schema: Any) -> Callable[[Any], Any] | None:
        """The chain for this shape; messages in a row mostly have one."""
        bound = self._chain_bound
        if (
            bound is None
            or value_schema is not self._value_schema
            or topic != self._topic
            or key_schema is not self._key_schema
        ):
            bound = self._chain.bind(Shape(topic, key_schema, value_schema), _OWNED)
            self._chain_bound, self._topic, self._key_schema, self._value_schema = (
                bound,
                topic,
                key_schema,
                value_schema,
            )
        return bound.apply

    def _deserializers_for(self, topic: str) -> tuple[Callable[[Any], SchemaAndValue], Callable[[Any], SchemaAndValue]]:
        try:
            key = self._converters.key.deserializer(topic)
        except Exception as error:
            raise ConversionError(*self._key_error) from error
        try:
            return key, self._converters.value.deserializer(topic)
        except Exception as error:
            raise ConversionError(*self._value_error) from error

    def _convert_with_headers(self, topic: str, message: Any, raw: list[Any]) -> tuple[SchemaAndValue, SchemaAndValue]:
        headers = Headers(Header(k, None, v) for k, v in raw)
        known = self._headers_readers.get(topic)
        if known is None:
            known = self._headers_readers[topic] = self._bind_with_headers(topic)
        try:
            key = known[0](message.key(), headers)
        except Exception as error:
            raise ConversionError(*self._key_error) from error
        try:
            return key, known[1](message.value(), headers)
        except Exception as error:
            raise ConversionError(*self._value_error) from error

    def _bind_with_headers(self, topic: str) -> tuple[ReadWithHeaders, ReadWithHeaders]:
        try:
            key = self._converters.key.deserializer_with_headers(topic)
        except Exception as error:
            raise ConversionError(*self._key_error) from error
        try:
            return key, self._converters.value.deserializer_with_headers(topic)
        except Exception as error:
            raise ConversionError(*self._value_error) from error

    def _headers(self, topic: str, raw: list[Any]) -> Headers:
        convert = self._converters.header.to_connect_header
        headers = Headers()
        try:
            for key, data in raw:
                converted = convert(topic, key, data)
                headers.append(Header(key, converted.schema, converted.value))
        except Exception as error:
            raise ConversionError(ErrorStage.HEADER_CONVERTER, self._converters.header_class) from error
        return headers
