"""A run of consumed messages to records in one loop, generated for the converters and the chain of a topic.

`penstock.runtime.sink.conversion.SinkConversion.record` is the general way and says what has to come out. The loop here
is the same as one straight body: no call but those into the message, the converters, the chain and the record. It stops
at the first message that is not for it, and at the first error; such a message goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from penstock.api import Deserializer, fixed_reader
from penstock.data import Headers, SinkRecord, TimestampType
from penstock.data.codegen import Source
from penstock.kafka.headers import UNREADABLE

__all__ = ["TIMESTAMP_TYPES", "StraightRun", "StraightWay", "straight_run"]

TIMESTAMP_TYPES: Final = {
    0: TimestampType.NO_TIMESTAMP_TYPE,
    1: TimestampType.CREATE_TIME,
    2: TimestampType.LOG_APPEND_TIME,
}

#: Takes the rest of a batch, the partition of the run, the offset that the run has come to, and where to put records.
#: Returns the message it stopped at (None at the end of the batch), the offset of the last one before it, and the error
#: if it stopped because of that. Records of messages before that one were put.
StraightRun: TypeAlias = Callable[
    [Iterator[Any], int, int, Callable[[SinkRecord], None]], tuple[Any, int, Exception | None]
]


class StraightWay(NamedTuple):
    """The parts of the way from a topic's message to a record, as they are bound to the topic."""

    topic: str
    key: Deserializer
    value: Deserializer
    #: Turns the client's list of headers, which is not empty, into a record's.
    headers: Callable[[str, list[Any]], Headers]
    #: Binds the chain to the schemas of key and value; what it returns takes a record (None: nothing to do).
    bind: Callable[[str, Any, Any], Callable[[Any], Any] | None]
    has_chain: bool
    record_class: type[SinkRecord]
    #: The record holds its message: the last argument of `record_class`.
    keeps_message: bool


def straight_run(way: StraightWay) -> StraightRun:
    """Return the loop for `way`. Raises what binding the chain to schemas raises that are known beforehand."""
    source = Source(f"messages of {way.topic}")
    topic = source.constant(way.topic)
    unreadable, headers_class = source.constant(UNREADABLE), source.constant(Headers)
    with source.function("run", "rest, partition, offset, append"):
        source.line("message = None")
        with source.block("try:"), source.block("for message in rest:"):
            source.line(
                f"if message.error() is not None or message.partition() != partition or message.topic() != {topic}:"
            )
            source.line("    return message, offset, None")
            with source.block("if (headers := message.headers()) is None:"):
                source.line(f"headers = {headers_class}()")
            with source.block("elif headers:"):
                source.line(f"headers = {source.constant(way.headers)}({topic}, headers)")
            with source.block(f"elif headers is {unreadable}:"):
                source.line("return message, offset, None")
            with source.block("else:"):
                source.line(f"headers = {headers_class}()")
            key_schema = _part(source, "key", way.key)
            value_schema = _part(source, "value", way.value)
            _record(source, way, topic, key_schema, value_schema)
        with source.block("except Exception as error:"):
            source.line("return message, offset, error")
        source.line("return None, offset, None")
    run: StraightRun = source.build("run")
    return run


def _part(source: Source, part: str, read: Deserializer) -> str:
    """Read the message's key or value into a local of that name; return the expression for its schema."""
    fixed = fixed_reader(read)
    source.line(f"{part} = message.{part}()")
    if fixed is None:
        source.line(f"{part} = {source.constant(read)}({part})")
        source.line(f"{part}_schema, {part} = {part}.schema, {part}.value")
        return f"{part}_schema"
    if fixed.read is not None:
        source.line(f"if {part} is not None: {part} = {source.constant(fixed.read)}({part})")
    return source.constant(fixed.schema)


def _record(source: Source, way: StraightWay, topic: str, key_schema: str, value_schema: str) -> None:
    source.line("kind, timestamp = message.timestamp()")
    created, types = source.constant(TimestampType.CREATE_TIME), source.constant(TIMESTAMP_TYPES)
    source.line(f"if kind == 1: kind = {created}")
    source.line(f"else: timestamp, kind = timestamp if kind else None, {types}[kind]")
    # Only now: where something above raises, `offset` is still that of the message before.
    source.line("at = message.offset()")
    record = source.constant(way.record_class)
    message = ", message" if way.keeps_message else ""
    made = (
        f"{record}({topic}, partition, {key_schema}, key, {value_schema}, value, timestamp, headers,"
        f" at, kind, {topic}, partition, at{message})"
    )
    if not way.has_chain:
        source.line(f"append({made})")
        source.line("offset = at")
        return
    apply, test = f"{source.constant(way.bind)}({topic}, {key_schema}, {value_schema})", ""
    fixed_key, fixed_value = fixed_reader(way.key), fixed_reader(way.value)
    if fixed_key is not None and fixed_value is not None:
        bound = way.bind(way.topic, fixed_key.schema, fixed_value.schema)
        apply, test = ("", "") if bound is None else (source.constant(bound), "")
    else:
        source.line(f"apply = {apply}")
        apply, test = "apply", " if apply is not None else record"
    source.line(f"record = {made}")
    if apply:
        source.line(f"record = {apply}(record){test}")
    source.line("offset = at")
    source.line("if record is not None: append(record)")
