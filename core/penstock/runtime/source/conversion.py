"""A source record's way to bytes: the chain and the converters bound to a shape, as one function.

Bound forms are kept in bounded caches. What goes wrong is raised as `StageError` or `ConversionError`, which name the
stage (`penstock.runtime.conversion.locate`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from penstock.api import Shape
from penstock.data import Header, Headers
from penstock.java.text import well_formed
from penstock.kafka.producing import Outgoing
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import BoundChain, Chain
from penstock.runtime.conversion import ConversionError
from penstock.runtime.source.straight import SendWay, StraightSend, straight_send
from penstock.runtime.tolerance import ErrorStage
from penstock.telemetry.tracing import SentHeaders

__all__ = ["Convert", "SourceConversion"]

Convert: TypeAlias = Callable[[Any], Outgoing | None]
WriteWithHeaders: TypeAlias = Callable[[Any, Headers], bytes | None]

_MAX_BOUND: Final = 1000
_ANY_PARTITION: Final = -1
_NOW: Final = 0


class SourceConversion:
    """The chain and the converters of one source task. For the task's thread."""

    def __init__(
        self, chain: Chain, converters: Converters, carry: Callable[[SentHeaders], SentHeaders] | None = None
    ) -> None:
        """`carry` adds to the headers of each record that is sent; None where nothing is added."""
        self._chain = chain
        self._carry = carry
        self._converters = converters
        self._bound: dict[Shape, Convert] = {}
        self._serializers: dict[Shape, tuple[Callable[[Any], bytes | None], Callable[[Any], bytes | None]]] = {}
        self._ways: dict[Shape, SendWay] = {}
        self._straight: dict[Shape, StraightSend] = {}
        self._topics: set[str] = set()
        self._key_error = ErrorStage.KEY_CONVERTER, converters.key_class
        self._value_error = ErrorStage.VALUE_CONVERTER, converters.value_class

    def bind(self, shape: Shape, new_topic: Callable[[str], None]) -> Convert:
        """Return the function for records of `shape`. `new_topic` is called once for each topic, before its first record."""
        known = self._bound.get(shape)
        if known is None:
            if len(self._bound) >= _MAX_BOUND:
                self._forget_bound()
            known = self._bound[shape] = self._bind(shape, new_topic)
        return known

    def straight(self, shape: Shape) -> StraightSend | None:
        """Return the loop that hands over records of `shape`, to which `bind` has bound, in one go; None if there is none:
        topic or schemas are decided record by record, or a converter writes headers."""
        known = self._straight.get(shape)
        if known is None and shape in self._ways:
            known = self._straight[shape] = straight_send(self._ways[shape])
        return known

    def forget_topics(self) -> None:
        """Let `bind` announce every topic again, when the next record goes to it."""
        self._forget_bound()
        self._topics.clear()

    def _forget_bound(self) -> None:
        self._bound.clear()
        self._ways.clear()
        self._straight.clear()

    def close(self) -> None:
        self._chain.close()
        self._converters.close()

    def _bind(self, shape: Shape, new_topic: Callable[[str], None]) -> Convert:
        bound = self._chain.bind(shape)
        if self._converters.key.writes_headers or self._converters.value.writes_headers:
            return self._with_headers(bound.apply, new_topic)
        if bound.shape is None:
            self._know_way_of_parts(shape, bound, new_topic)
            return self._bind_each(bound.apply, new_topic)
        self._announce(bound.shape.topic, new_topic)
        convert = self._fixed(bound.apply, bound.shape)
        key, value = self._serializers_for(bound.shape)
        self._ways[shape] = SendWay(
            shape, bound.shape, bound.apply, bound.parts, key, value, self._headers, self._carry
        )
        return convert

    def _know_way_of_parts(self, shape: Shape, bound: BoundChain, new_topic: Callable[[str], None]) -> None:
        """Keep the way of those records of `shape` whose topic and schemas after the chain are known beforehand, if there are some."""
        after = bound.parts_shape
        if bound.parts is None or after is None:
            return
        try:
            key, value = self._serializers_for(after)
        except ConversionError:
            return  # each record has it as its own error
        self._announce(after.topic, new_topic)
        self._ways[shape] = SendWay(shape, after, bound.apply, bound.parts, key, value, self._headers, self._carry)

    def _announce(self, topic: str, new_topic: Callable[[str], None]) -> None:
        if topic not in self._topics:
            new_topic(topic)
            self._topics.add(topic)

    def _serializers_for(self, shape: Shape) -> tuple[Callable[[Any], bytes | None], Callable[[Any], bytes | None]]:
        known = self._serializers.get(shape)
        if known is None:
            if len(self._serializers) >= _MAX_BOUND:
                self._serializers.clear()
            try:
                key = self._converters.key.serializer(shape.topic, shape.key_schema)
            except Exception as error:
                raise ConversionError(*self._key_error) from error
            try:
                value = self._converters.value.serializer(shape.topic, shape.value_schema)
            except Exception as error:
                raise ConversionError(*self._value_error) from error
            known = self._serializers[shape] = (key, value)
        return known

    def _fixed(self, apply: Callable[[Any], Any] | None, shape: Shape) -> Convert:
        """Return the function for a topic and schemas that are known beforehand: it looks nothing up."""
        topic = shape.topic
        to_key, to_value = self._serializers_for(shape)
        to_headers, key_error, value_error = self._headers, self._key_error, self._value_error
        carry = self._carry

        def convert(record: Any) -> Outgoing | None:
            if apply is not None:
                record = apply(record)
                if record is None:
                    return None
            headers = to_headers(topic, record.headers) if record.headers else None
            if carry is not None:
                headers = carry(headers)
            try:
                key = to_key(record.key)
            except Exception as error:
                raise ConversionError(*key_error) from error
            try:
                value = to_value(record.value)
            except Exception as error:
                raise ConversionError(*value_error) from error
            partition = record.partition
            return (
                topic,
                value,
                key,
                _ANY_PARTITION if partition is None else partition,
                record.timestamp or _NOW,
                headers,
            )

        return convert

    def _bind_each(self, apply: Callable[[Any], Any] | None, new_topic: Callable[[str], None]) -> Convert:
        """Return the function for a chain that decides topic or schemas record by record: it binds the converters to what
        comes out."""
        fixed: dict[Shape, Convert] = {}

        def convert(record: Any) -> Outgoing | None:
            if apply is not None:
                record = apply(record)
                if record is None:
                    return None
            shape = Shape(record.topic, record.key_schema, record.value_schema)
            last = fixed.get(shape)
            if last is None:
                if len(fixed) >= _MAX_BOUND:
                    fixed.clear()
                self._announce(shape.topic, new_topic)
                last = fixed[shape] = self._fixed(None, shape)
            return last(record)

        return convert

    def _with_headers(self, apply: Callable[[Any], Any] | None, new_topic: Callable[[str], None]) -> Convert:
        """Return the function for converters that put something into the headers (schema ids)."""
        bound: dict[Shape, tuple[WriteWithHeaders, WriteWithHeaders]] = {}
        carry = self._carry

        def convert(record: Any) -> Outgoing | None:
            if apply is not None:
                record = apply(record)
                if record is None:
                    return None
            shape = Shape(record.topic, record.key_schema, record.value_schema)
            topic = shape.topic
            self._announce(topic, new_topic)
            to_key, to_value = bound.get(shape) or self._bind_with_headers(shape, bound)
            raw = self._headers(topic, record.headers) if record.headers else ()
            headers = Headers(Header(name, None, data) for name, data in raw)
            try:
                key = to_key(record.key, headers)
            except Exception as error:
                raise ConversionError(*self._key_error) from error
            try:
                value = to_value(record.value, headers)
            except Exception as error:
                raise ConversionError(*self._value_error) from error
            partition = record.partition
            sent: SentHeaders = [(well_formed(h.key), h.value) for h in headers] or None
            if carry is not None:
                sent = carry(sent)
            return (
                topic,
                value,
                key,
                _ANY_PARTITION if partition is None else partition,
                record.timestamp or _NOW,
                sent,
            )

        return convert

    def _bind_with_headers(
        self, shape: Shape, bound: dict[Shape, tuple[WriteWithHeaders, WriteWithHeaders]]
    ) -> tuple[WriteWithHeaders, WriteWithHeaders]:
        if len(bound) >= _MAX_BOUND:
            bound.clear()
        try:
            key = self._converters.key.serializer_with_headers(shape.topic, shape.key_schema)
        except Exception as error:
            raise ConversionError(*self._key_error) from error
        try:
            value = self._converters.value.serializer_with_headers(shape.topic, shape.value_schema)
        except Exception as error:
            raise ConversionError(*self._value_error) from error
        bound[shape] = (key, value)
        return key, value

    def _headers(self, topic: str, headers: Headers) -> list[tuple[str, str | bytes | None]]:
        convert = self._converters.header.from_connect_header
        try:
            # The client ends the process at a name with half of a surrogate pair.
            return [(well_formed(h.key), convert(topic, h.key, h.schema, h.value)) for h in headers]
        except Exception as error:
            raise ConversionError(ErrorStage.HEADER_CONVERTER, self._converters.header_class) from error
