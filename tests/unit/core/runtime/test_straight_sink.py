"""The straight way from messages to records gives what the general way gives: records, offsets, failures."""

import functools
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.api import BoundTransform, Converter, Deserializer, Shape, TopicPartition, Transform, of_one_schema
from penstock.data import INT64, OPTIONAL_STRING, STRING, SchemaAndValue, SinkRecord
from penstock.errors import ConnectError, DataError
from penstock.kafka.headers import UNREADABLE
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import Chain, Stage
from penstock.runtime.meters import Total
from penstock.runtime.sink.conversion import ConsumedRecord, SinkConversion
from penstock.runtime.sink.intake import Intake
from penstock.runtime.sink.offsets import SinkOffsets
from penstock.runtime.sink.straight import StraightRun
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import ErrorPolicy, RecordFailure
from penstock.testing.fake_kafka import FakeMessage
from penstock_converters.json.converter import JsonConverter
from penstock_converters.simple.header import SimpleHeaderConverter
from penstock_converters.simple.raw import ByteArrayConverter
from penstock_converters.simple.text import StringConverter

TASK = ConnectorTaskId("archive", 0)
PLACES = [TopicPartition(topic, partition) for topic in ("t", "u") for partition in (0, 1)]


class General(SinkConversion):
    """Knows the general way alone."""

    def straight(self, topic: str) -> StraightRun | None:
        return None


class NumbersOrText(Converter):
    """Two schemas in one topic; cannot stomach poison."""

    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        if data == b"poison":
            raise DataError("cannot stomach poison")
        if data is not None and data.isdigit():
            return SchemaAndValue(INT64, int(data))
        return SchemaAndValue(OPTIONAL_STRING, None if data is None else data.decode("latin-1"))


class Picky(Converter):
    """One schema; cannot stomach poison."""

    def deserializer(self, topic: str) -> Deserializer:
        def read(data: bytes) -> str:
            if data == b"poison":
                raise DataError("cannot stomach poison")
            return data.decode("latin-1")

        return of_one_schema(STRING, read)


class Suffix(Transform):
    """Appends to the topic, drops what says drop, fails at what says fail; refuses numbers of one topic as a whole."""

    def bind(self, shape: Shape) -> BoundTransform:
        if shape.value_schema is INT64 and shape.topic == "u":
            raise DataError("no numbers here")

        def apply(record: SinkRecord) -> SinkRecord | None:
            if record.value in ("drop", b"drop"):
                return None
            if record.value in ("fail", b"fail"):
                raise DataError("told to fail")
            record.topic = f"{record.topic}-out"
            return record

        return BoundTransform(apply, shape._replace(topic=f"{shape.topic}-out"), writes=frozenset({"record"}))


def _json(schemas: bool) -> Converter:
    converter = JsonConverter()
    converter.configure({"schemas.enable": str(schemas).lower()}, False)
    return converter


def _configured(converter: Converter) -> Converter:
    converter.configure({}, False)
    return converter


CONVERTERS = {
    "string": lambda: _configured(StringConverter()),
    "bytes": lambda: _configured(ByteArrayConverter()),
    "json": lambda: _json(schemas=False),
    "json with schema": lambda: _json(schemas=True),
    "two schemas": NumbersOrText,
    "picky": Picky,
}

_ENVELOPE = b'{"schema":{"type":"int64","optional":false},"payload":%d}'
data = st.one_of(
    st.none(),
    st.sampled_from([b"poison", b"drop", b"fail", b"7", b'"text"', b"{}", b"", b"\xff", _ENVELOPE % 1, _ENVELOPE % 2]),
)
headers = st.sampled_from([None, None, None, [], UNREADABLE, [("a", b"1")], [("a", b"x"), ("a", None)], [("n", b"{")]])
timestamps = st.sampled_from([(0, -1), (1, 5), (2, 7)])


class Message(FakeMessage):
    """A message with a type of timestamp."""

    stamp: tuple[int, int] = (1, 5)

    def timestamp(self) -> tuple[int, int]:
        return self.stamp


@st.composite
def batches(draw: st.DrawFn) -> list[list[Message]]:
    """Some batches; the offsets go on from batch to batch, with gaps."""
    at = dict.fromkeys(PLACES, 0)
    made = []
    for _ in range(draw(st.integers(1, 3))):
        batch: list[Message] = []
        for _ in range(draw(st.integers(0, 4))):
            place = draw(st.sampled_from(PLACES))
            for _ in range(draw(st.integers(1, 5))):
                at[place] += draw(st.sampled_from([1, 1, 3]))
                if draw(st.integers(0, 9)) == 0:
                    batch.append(Message(place.topic, None, error=KafkaError(KafkaError._PARTITION_EOF)))
                    continue
                message = Message(
                    place.topic, draw(data), draw(data), place.partition, at[place], headers=draw(headers)
                )
                message.stamp = draw(timestamps)
                batch.append(message)
        made.append(batch)
    return made


class Client:
    """The part of a consumer that an intake asks."""

    def __init__(self) -> None:
        self.checked: list[KafkaError] = []

    def check(self, error: KafkaError) -> None:
        self.checked.append(error)

    def refuse_if_cut_off(self) -> None: ...


class Heard:
    """Hears of failed records."""

    def __init__(self) -> None:
        self.failures: list[tuple[Any, ...]] = []

    def report(self, failure: RecordFailure) -> Future[None] | None:
        self.failures.append(
            (failure.stage, failure.class_name, str(failure.error), failure.position, id(failure.record))
        )
        return None


def _outcome(
    kind: type[SinkConversion], batches: Sequence[list[Message]], value: str, chained: bool, tolerate: bool, keep: bool
) -> dict[str, Any]:
    header = SimpleHeaderConverter()
    header.configure({"converter.type": "header"})
    converters = Converters(CONVERTERS["picky"](), CONVERTERS[value](), header, "K", "V", "H")
    chain = Chain([Stage("s", Suffix(), "Suffix")] if chained else [])
    heard, client, offsets, topics = Heard(), Client(), SinkOffsets("[archive|task-0]"), list[str]()
    policy = ErrorPolicy(TASK, tolerate_all=tolerate, reporters=[heard])  # type: ignore[list-item]  # reports only
    offsets.assigned.update(PLACES[:3])  # the last was just taken away
    parts = SimpleNamespace(conversion=kind(chain, converters, keep), policy=policy, on_topic=topics.append)
    intake = Intake(TASK, parts, offsets, client, threading.Event())  # type: ignore[arg-type]  # the parts that it asks for
    for batch in batches:
        intake.convert(batch)
    return {
        "records": [(type(r), r) for r in intake.batch],
        "messages": [id(r.message) for r in intake.batch if isinstance(r, ConsumedRecord)],
        "failure": str(intake.failure),
        "failures": heard.failures,
        "checked": len(client.checked),
        "offsets": {name: value for name, value in vars(offsets).items() if "lock" not in name},
        "totals": {total: policy.meter.total(total) for total in Total},
        "topics": topics,
    }


@pytest.mark.parametrize("chained", [False, True], ids=["no chain", "chain"])
@pytest.mark.parametrize("value", CONVERTERS)
@settings(max_examples=60, deadline=None)
@given(batches=batches(), tolerate=st.booleans(), keep=st.booleans())
def test_both_ways_give_the_same_records_offsets_and_failures(
    value: str, chained: bool, batches: list[list[Message]], tolerate: bool, keep: bool
) -> None:
    expected = _outcome(General, batches, value, chained, tolerate, keep)
    assert _outcome(SinkConversion, batches, value, chained, tolerate, keep) == expected


def test_every_record_has_headers_of_its_own() -> None:
    batch = [Message("t", b"x", offset=offset) for offset in range(4)]
    records = [record for _, record in _outcome(SinkConversion, [batch], "string", False, True, False)["records"]]
    records[1].headers.add("only", "here")
    assert [len(record.headers) for record in records] == [0, 1, 0, 0]


def test_messages_after_the_second_of_a_run_take_the_straight_way() -> None:
    class Counting(SinkConversion):
        general = 0

        def record(self, *args: Any) -> SinkRecord | None:
            Counting.general += 1
            return super().record(*args)

    batch = [Message("t", b"x", partition=p, offset=offset) for p in (0, 1) for offset in range(50)]
    assert len(_outcome(Counting, [batch], "string", True, True, True)["records"]) == 100
    assert Counting.general == 4


def test_a_wrapped_deserializer_is_called_for_every_message() -> None:
    class Shouting(StringConverter):
        def deserializer(self, topic: str) -> Deserializer:
            plain = super().deserializer(topic)

            @functools.wraps(plain)
            def shout(data: bytes | None) -> SchemaAndValue:
                read = plain(data)
                return SchemaAndValue(read.schema, read.value.upper())

            return shout

    batch = [Message("t", b"x", offset=offset) for offset in range(3)]
    CONVERTERS["shouting"] = lambda: _configured(Shouting())
    try:
        records = _outcome(SinkConversion, [batch], "shouting", False, True, False)["records"]
    finally:
        del CONVERTERS["shouting"]
    assert [record.value for _, record in records] == ["X", "X", "X"]


def test_what_a_converter_raises_goes_the_general_way_once_more() -> None:
    calls: list[bytes | None] = []

    class Once(Converter):
        def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
            calls.append(data)
            if data == b"once" and calls.count(data) == 1:
                raise ConnectError("only the first time")
            return SchemaAndValue(None, data)

    CONVERTERS["once"] = Once
    try:
        batch = [Message("t", value, offset=offset) for offset, value in enumerate([b"a", b"b", b"once", b"c"])]
        outcome = _outcome(SinkConversion, [batch], "once", False, False, False)
    finally:
        del CONVERTERS["once"]
    assert [record.value for _, record in outcome["records"]] == [b"a", b"b", b"once", b"c"]
    assert [record.offset for _, record in outcome["records"]] == [0, 1, 2, 3]
    assert calls == [b"a", b"b", b"once", b"once", b"c"]
