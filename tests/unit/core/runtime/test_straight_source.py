"""The straight way of a source's records to the producer gives what the general way gives: messages, offsets, failures."""

import copy
import weakref
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.api import BoundTransform, Converter, InPlace, Serializer, Shape, Transform
from penstock.data import INT32, INT64, OPTIONAL_STRING, STRING, Headers, Schema, SchemaBuilder, SourceRecord
from penstock.errors import ConnectError, DataError
from penstock.kafka.producing import Delivered, Outgoing
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import Chain, Stage
from penstock.runtime.meters import TaskMeter, Total
from penstock.runtime.source.conversion import SourceConversion
from penstock.runtime.source.sending import CutOff, Sending
from penstock.runtime.source.straight import StraightSend
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import ErrorPolicy, RecordFailure
from penstock_converters.json.converter import JsonConverter
from penstock_converters.simple.header import SimpleHeaderConverter
from penstock_converters.simple.text import StringConverter
from penstock_transforms.cast import CastValue
from penstock_transforms.extract_field import ExtractFieldValue
from penstock_transforms.hoist_field import HoistFieldKey, HoistFieldValue
from penstock_transforms.insert_field import InsertFieldValue
from penstock_transforms.regex_router import RegexRouter
from penstock_transforms.replace_field import ReplaceFieldValue

TASK = ConnectorTaskId("orders", 0)
STRUCT = SchemaBuilder.struct().field("a", STRING).field("n", INT32).build()


class General(SourceConversion):
    """Knows the general way alone."""

    def straight(self, shape: Shape) -> StraightSend | None:
        return None


class Picky(Converter):
    """Text of anything; cannot stomach poison."""

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        def serialize(value: Any) -> bytes | None:
            if value == "poison" or (isinstance(value, dict) and "poison" in value.values()):
                raise DataError("cannot stomach poison")
            return None if value is None else repr((topic, value)).encode()

        return serialize


class DropAndFail(Transform):
    """Drops what says drop, fails at what says fail."""

    def apply(self, record: SourceRecord) -> SourceRecord | None:
        if record.value == "drop":
            return None
        if record.value == "fail":
            raise DataError("told to fail")
        return record


class Same(DropAndFail):
    """The same, with the promise that it leaves the shape as it is."""

    def bind(self, shape: Shape) -> BoundTransform:
        return BoundTransform(super().apply, shape)


class Mark(Transform):
    """Edits the value's dict, and fails half way at what says fail."""

    def bind(self, shape: Shape) -> BoundTransform:
        def edit(value: dict[str, Any]) -> None:
            value["marked"] = True
            if "fail" in value.values():
                raise DataError("told to fail")

        def apply(record: SourceRecord) -> SourceRecord:
            if isinstance(record.value, dict):
                edit(record.value)
            return record

        writes = frozenset({"record", "value"})
        return BoundTransform(apply, shape, writes=writes, in_place=InPlace("value", edit, lambda error: error))


def made(kind: type[Any], **configs: str) -> Any:
    plugin = kind()
    plugin.configure({name.replace("_", "."): value for name, value in configs.items()})
    return plugin


def stages(*transforms: Transform) -> Chain:
    return Chain([Stage(f"s{at}", transform, type(transform).__name__) for at, transform in enumerate(transforms)])


CHAINS = {
    "nothing": lambda: stages(),
    "hoist": lambda: stages(made(HoistFieldValue, field="line")),
    "hoist both": lambda: stages(made(HoistFieldValue, field="line"), made(HoistFieldKey, field="id")),
    "hoist, edit": lambda: stages(
        made(HoistFieldValue, field="line"),
        made(InsertFieldValue, static_field="site", static_value="plant"),
        made(ReplaceFieldValue, renames="line:text"),
    ),
    "edit": lambda: stages(
        made(InsertFieldValue, static_field="site", static_value="plant"), made(ReplaceFieldValue, renames="a:b")
    ),
    "extract, hoist, mark": lambda: stages(
        made(ExtractFieldValue, field="a"), made(HoistFieldValue, field="line"), Mark()
    ),
    "mark": lambda: stages(Mark()),
    "cast": lambda: stages(made(CastValue, spec="string")),
    "facts": lambda: stages(made(InsertFieldValue, topic_field="from", timestamp_field="at")),
    "route": lambda: stages(made(RegexRouter, regex="t", replacement="routed"), made(HoistFieldValue, field="line")),
    "drop": lambda: stages(DropAndFail()),
    "drop, same shape": lambda: stages(Same(), made(HoistFieldValue, field="line")),
}
CONVERTERS = {"picky": Picky, "string": StringConverter, "json": JsonConverter}

texts = st.sampled_from(["x", "drop", "fail", "poison", None, "\ud83d"])
structs = st.fixed_dictionaries({"a": texts, "n": st.just(1)})
#: Schemas, each with values that come with it; not all of them fit.
SHAPES: list[tuple[Schema | None, st.SearchStrategy[Any]]] = [
    (STRING, texts),
    (OPTIONAL_STRING, texts),
    (INT64, st.sampled_from([1, "not a number"])),
    (None, st.one_of(texts, structs)),
    (STRUCT, st.one_of(st.none(), structs)),
]
headers = st.sampled_from([(), (), (), (("h", "v"),), (("h", None), ("h", 7)), (("bad", object),)])


@st.composite
def batches(draw: st.DrawFn) -> list[list[SourceRecord]]:
    made = []
    partitions: list[Mapping[str, Any]] = [{"file": "a"}, {"file": "b"}]
    for _ in range(draw(st.integers(1, 2))):
        batch: list[SourceRecord] = []
        for _ in range(draw(st.integers(1, 4))):
            topic, partition = draw(st.sampled_from(["t", "u"])), draw(st.sampled_from(partitions))
            schema, values = draw(st.sampled_from(SHAPES))
            for _ in range(draw(st.integers(1, 6))):
                value = draw(values)
                record = SourceRecord(
                    topic, draw(st.sampled_from([None, None, 1])), STRING, draw(texts), schema, value,
                    draw(st.sampled_from([None, 0, 5])), Headers(), dict(partition) if draw(st.booleans()) else partition,
                    {"at": len(batch)},
                )  # fmt: skip
                for key, content in draw(headers):
                    record.headers.add(key, content)
                batch.append(record)
        made.append(batch)
    return made


class Run:
    """A run of a recording delivery."""

    def __init__(self, closed: list[Any]) -> None:
        self.kept: list[Outgoing] = []
        self._closed = closed
        self._ticket: Any = lambda error, message: None
        self._alive: Any = lambda: None

    def ticket(self) -> Delivered:
        ticket, self._ticket = self._ticket, None
        self._alive = weakref.ref(ticket)
        return ticket  # type: ignore[no-any-return]  # made above

    def close(self, offset: Any) -> None:
        self._closed.append((offset, list(self.kept), self._alive() is None))


class Recording:
    """A delivery that remembers what it is given; `troubles` are raised, or cut the task off, by the number of the call."""

    per_record = all_or_nothing = False

    def __init__(self, cut_off: CutOff, troubles: Mapping[int, Any], unproven: set[str]) -> None:
        self.calls: list[Any] = []
        self.closed: list[Any] = []
        self.first: list[str] = []
        self.outstanding = 0
        self.unproven = unproven
        self._cut_off, self._troubles, self._count = cut_off, troubles, 0

    def produce(self, topic: str, value: Any, key: Any, partition: int, ticket: Any, on_delivery: None = None, timestamp: int = 0, headers: Any = None) -> None:  # fmt: skip
        self._count += 1
        assert ticket is not None
        trouble = self._troubles.get(self._count)
        if isinstance(trouble, Exception):
            raise trouble
        self._cut_off.now = self._cut_off.now or trouble is True
        self.calls.append((topic, value, key, partition, timestamp, headers))

    def run(self, partition: Any) -> Run:
        self.closed.append(partition)
        return Run(self.closed)

    def handed_over(self, records: int) -> None:
        self.outstanding += records

    def meet_topic(self, topic: str) -> None:
        self.unproven.add(topic)

    def first_ticket(self, topic: str, ticket: Delivered) -> Delivered:
        self.first.append(topic)
        self.unproven.discard(topic)
        return ticket

    def wait_for_room(self) -> None:
        self.calls.append("waited")

    def refusal(self, error: BaseException, out: Outgoing) -> ConnectError:
        return DataError(f"refused: {error}")


class Heard:
    def __init__(self) -> None:
        self.failures: list[Any] = []

    def report(self, failure: RecordFailure) -> None:
        told = failure.stage, failure.class_name, type(failure.error), str(failure.error), failure.position
        self.failures.append((*told, getattr(failure.error, "__notes__", None)))


def _outcome(
    kind: type[SourceConversion], batches: Sequence[Sequence[SourceRecord]], chain: str, value: str, tolerate: bool,
    troubles: Mapping[int, Any] = {},
) -> dict[str, Any]:  # fmt: skip
    key, header, converter = StringConverter(), SimpleHeaderConverter(), CONVERTERS[value]()
    key.configure({}, True)
    header.configure({"converter.type": "header"})
    converter.configure({}, False)
    heard, cut_off, meter = Heard(), CutOff(), TaskMeter()
    delivery = Recording(cut_off, troubles, set())
    policy = ErrorPolicy(TASK, tolerate_all=tolerate, reporters=[heard], meter=meter)  # type: ignore[list-item]  # reports only
    conversion = kind(CHAINS[chain](), Converters(key, converter, header, "K", "V", "H"))
    topics = SimpleNamespace(ensure=lambda topic: None)
    sending = Sending(TASK, conversion, policy, topics, meter, delivery, cut_off)  # type: ignore[arg-type]  # all it asks for
    before, raised, taken = copy.deepcopy(batches), list[str](), list[int]()
    for batch in batches:
        try:
            sending.send(batch)
        except ConnectError as error:
            raised.append(f"{type(error).__name__}: {error}")
        taken.append(sending.taken)
    assert batches == before, "a record of the connector's was altered"
    return {
        "calls": delivery.calls,
        "closed": delivery.closed,
        "first": delivery.first,
        "raised": raised,
        "taken": taken,
        "failures": heard.failures,
        "outstanding": delivery.outstanding,
        "totals": {total: meter.total(total) for total in Total},
    }


TROUBLES = st.dictionaries(
    st.integers(1, 12), st.sampled_from([BufferError("full"), KafkaException(KafkaError(10)), True]), max_size=2
)


@pytest.mark.parametrize("chain", CHAINS)
@settings(max_examples=60, deadline=None)
@given(batches=batches(), value=st.sampled_from(sorted(CONVERTERS)), tolerate=st.booleans(), troubles=TROUBLES)
def test_both_ways_give_the_same_messages_offsets_and_failures(
    chain: str, batches: list[list[SourceRecord]], value: str, tolerate: bool, troubles: dict[int, Any]
) -> None:
    expected = _outcome(General, batches, chain, value, tolerate, troubles)
    assert _outcome(SourceConversion, batches, chain, value, tolerate, troubles) == expected


@pytest.mark.parametrize("chain", ["nothing", "hoist", "hoist, edit", "mark", "drop, same shape"])
def test_records_after_the_second_of_a_run_take_the_straight_way(chain: str) -> None:
    class Counting(SourceConversion):
        general = 0

        def bind(self, shape: Shape, new_topic: Any) -> Any:
            convert = super().bind(shape, new_topic)

            def counted(record: Any) -> Any:
                Counting.general += 1
                return convert(record)

            return counted

    partition = {"file": "a"}
    records = [
        SourceRecord("t", None, None, None, STRUCT, {"a": "x", "n": 1}, None, Headers(), partition, {"at": at})
        for at in range(100)
    ]
    outcome = _outcome(Counting, [records], chain, "picky", False)
    assert len(outcome["calls"]) == 100
    assert Counting.general == 2


def test_an_error_lets_go_of_the_ticket_of_its_run() -> None:
    partition = {"file": "a"}
    values = ["x", "x", "x", "poison"]
    records = [
        SourceRecord("t", None, None, None, STRING, value, None, Headers(), partition, {"at": at})
        for at, value in enumerate(values)
    ]
    outcome = _outcome(SourceConversion, [records], "nothing", "picky", False)
    assert outcome["raised"]
    assert outcome["closed"] == [partition, ({"at": 2}, [], True)]
