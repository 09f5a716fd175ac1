"""A run of source records to the producer in one loop, generated for their shape.

`penstock.runtime.source.conversion.SourceConversion.bind` is the general way and says what has to come out. The loop
here is the same as one straight body. Where every transform only makes or edits a key or a value, it works on those
alone and copies no record. It stops at the first record that is not for it, and at the first error of a conversion;
such a record goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableSequence, Sequence, Set
from typing import Any, Final, NamedTuple, Protocol

from penstock.api import LEFT_TO_APPLY, Serializer, Shape
from penstock.data import Headers, SourceRecord
from penstock.data.codegen import Source
from penstock.kafka.errors import CLIENT_ERRORS
from penstock.kafka.producing import Delivered, Outgoing
from penstock.runtime.part_steps import PartStep
from penstock.telemetry.tracing import SentHeaders

__all__ = ["END", "Gate", "Hand", "Handed", "SendWay", "StraightSend", "straight_send"]

#: Stands behind the last record of a batch.
END: Final[Any] = object()


class Handed:
    """How far a run has come."""

    __slots__ = ("last", "taken", "written")

    def __init__(self) -> None:
        #: The last record that was handed over or dropped, None if none was in this run.
        self.last: SourceRecord | None = None
        #: The numbers of records of the batch that were handed over or dropped, and handed over.
        self.taken = self.written = 0


class Gate(Protocol):
    """Tells whether the task is cut off from Kafka."""

    now: bool


class Hand(NamedTuple):
    """The means by which a loop hands records over; they stay the same for a whole batch."""

    produce: Callable[..., None]
    #: Hands one record over where a plain `produce` will not do, as it finds out itself.
    hand_over: Callable[[SourceRecord, Outgoing, Delivered | None], None]
    unproven: Set[str]
    cut_off: Gate
    #: Gets the records that were handed over, if somebody wants to hear of them.
    sent: MutableSequence[Outgoing] | None


class StraightSend(Protocol):
    """Hands over the records of one shape and source partition."""

    def __call__(
        self,
        rest: Iterator[SourceRecord],
        handed: Handed,
        hand: Hand,
        partition: Any,
        ticket: Delivered | None,
        kept: MutableSequence[Outgoing] | None,
    ) -> tuple[Any, Exception | None]:
        """Return the record it stopped at (`END` behind the last one), and the error if a conversion failed with one.

        `handed` tells of the records before it, also if this raises, which only `Hand.hand_over` does.
        """


class SendWay(NamedTuple):
    """The parts of the way of records of one shape, as they are bound to it."""

    before: Shape
    #: The topic and schemas after the chain.
    after: Shape
    #: The chain; None if it does nothing.
    apply: Callable[[Any], Any] | None
    #: The chain as steps on key and value, if it is no more than that.
    parts: Sequence[PartStep] | None
    key: Serializer
    value: Serializer
    headers: Callable[[str, Headers], list[tuple[str, str | bytes | None]]]
    #: Adds to the headers of each record that is sent; None where nothing is added.
    carry: Callable[[SentHeaders], SentHeaders] | None


def straight_send(way: SendWay) -> StraightSend:
    """Return the loop for `way`."""
    source = Source(f"records of {way.before.topic}")
    topic = source.constant(way.after.topic)
    with source.function("run", "rest, handed, hand, partition, ticket, kept"):
        source.line("produce, hand_over, unproven, cut_off, sent = hand")
        source.line("last, taken, written = handed.last, handed.taken, handed.written")
        with source.block("try:"), source.block("for record in rest:"):
            with source.block("try:"):
                _not_for_us(source, way.before)
                _converted(source, way, topic)
            with source.block("except Exception as error:"):
                source.line("ticket = None  # the error holds this frame; whoever has the ticket holds the run open")
                source.line("return record, error")
            _handed_over(source, topic)
        with source.block("finally:"):
            source.line("ticket = None")
            source.line("handed.last, handed.taken, handed.written = last, taken, written")
        source.line(f"return {source.constant(END)}, None")
    run: StraightSend = source.build("run")
    return run


def _not_for_us(source: Source, shape: Shape) -> None:
    value_schema, key_schema = source.constant(shape.value_schema), source.constant(shape.key_schema)
    tests = (
        f"record.value_schema is not {value_schema}",
        f"record.key_schema is not {key_schema}",
        f"record.topic != {source.constant(shape.topic)}",
        "((place := record.source_partition) is not partition and place != partition)",
    )
    source.line(f"if {' or '.join(tests)}:")
    source.line("    return record, None")


def _converted(source: Source, way: SendWay, topic: str) -> None:
    """From `record` to the locals `key`, `value`, `headers`, `to` (partition) and `timestamp`."""
    if way.apply is None or way.parts is not None:
        source.line("out = record")
    else:
        source.line(f"out = {source.constant(way.apply)}(record)")
        with source.block("if out is None:"):
            source.line("last = record")
            source.line("taken += 1")
            source.line("continue")
    source.line("key, value = out.key, out.value")
    owned: set[str] = set()
    for step in way.parts or ():
        _step(source, step, owned)
    source.line(f"headers = {source.constant(way.headers)}({topic}, out.headers) if out.headers else None")
    if way.carry is not None:
        source.line(f"headers = {source.constant(way.carry)}(headers)")
    source.line(f"key = {source.constant(way.key)}(key)")
    source.line(f"value = {source.constant(way.value)}(value)")
    source.line("to, timestamp = out.partition, out.timestamp")


def _step(source: Source, step: PartStep, owned: set[str]) -> None:
    part, call = step.part, source.constant(step.call)
    if not step.edits:
        if step.keeps_null:
            source.line(f"if {part} is None: return record, None")
        source.line(f"{part} = {call}({part})")
        if step.leaves_some:
            source.line(f"if {part} is {source.constant(LEFT_TO_APPLY)}: return record, None")
        (owned.add if step.fresh else owned.discard)(part)
        return
    source.line(f"if type({part}) is not dict: return record, None")
    if part not in owned:
        source.line(f"{part} = {part}.copy()")
        owned.add(part)
    source.line(f"{call}({part})")


def _handed_over(source: Source, topic: str) -> None:
    out = f"({topic}, value, key, to, timestamp or 0, headers)"
    source.line("if to is None: to = -1")
    with source.block("if headers is not None and kept is not None:"):
        source.line(f"kept.append({out})")
    with source.block("if unproven or cut_off.now:"):
        source.line(f"hand_over(record, {out}, ticket)")
    with source.block("else:"):
        with source.block("try:"):
            source.line(
                f"if headers is not None: produce({topic}, value, key, to, ticket, None, timestamp or 0, headers)"
            )
            source.line(f"elif timestamp: produce({topic}, value, key, to, ticket, None, timestamp)")
            source.line(f"else: produce({topic}, value, key, to, ticket)")
        with source.block(f"except {source.constant(CLIENT_ERRORS)}:"):
            source.line(f"hand_over(record, {out}, ticket)")
    source.line("last = record")
    source.line("taken += 1")
    source.line("written += 1")
    source.line(f"if sent is not None: sent.append({out})")
