"""The bound form and the simple one do the same, in any order, and leave the record they are given alone."""

from __future__ import annotations

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.vectors import encode_schema, encode_value
from penstock.api import Shape, Transform
from penstock.data import (
    BOOLEAN,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIMESTAMP,
    Headers,
    Schema,
    SchemaBuilder,
    SinkRecord,
    Type,
)
from penstock.data.logical import timestamp_from_millis
from penstock.errors import ConnectError
from penstock.runtime.chain import Chain, Stage, StageError
from penstock_transforms import plugin

CLASSES = {}
for descriptor in plugin.penstock_register_transforms() + plugin.penstock_register_predicates():
    module, _, name = descriptor.target.partition(":")
    CLASSES[name] = getattr(__import__(module, fromlist=[name]), name)

#: Several hundred chains; with --soak several thousand.
CHAINS = max(400, 2 * settings().max_examples)


class Stranger(Transform):
    """A plugin's transform that offers the per-record form only."""

    def configure(self, configs):
        self._name = configs["name"]

    def apply(self, record):
        if not isinstance(record.value, dict) or self._name not in record.value:
            return record
        changed = copy.copy(record)
        changed.value = {**record.value, self._name: None}
        changed.value_schema = None
        return changed


CLASSES["Stranger"] = Stranger

PLAIN: dict[Schema, st.SearchStrategy] = {
    INT32: st.integers(-(2**31), 2**31 - 1),
    INT64: st.integers(-(2**63), 2**63 - 1),
    FLOAT64: st.floats(),
    BOOLEAN: st.booleans(),
    STRING: st.text(max_size=5) | st.just("2024-01-02") | st.integers().map(str),
    OPTIONAL_STRING: st.none() | st.text(max_size=5),
    TIMESTAMP: st.integers(-(10**13), 10**14).map(timestamp_from_millis),
    SchemaBuilder(Type.INT32).optional().default(7).build(): st.none() | st.integers(0, 9),
    SchemaBuilder.array(INT32).build(): st.lists(st.integers(0, 9), max_size=2),
}
NAMES = ["a", "b", "c", "d", "top"]


@st.composite
def structs(draw, depth=1):
    builder = SchemaBuilder.struct()
    strategies = {}
    for field in [*draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1)), *(["in"] if depth else [])]:
        if field == "in":
            schema, value = draw(structs(depth - 1))
        else:
            schema = draw(st.sampled_from(list(PLAIN)))
            value = PLAIN[schema]
        builder.field(field, schema)
        strategies[field] = value
    if draw(st.booleans()):
        builder.name("Some").version(1)
    if draw(st.integers(0, 5)) == 0:
        builder.optional()
    return builder.build(), st.fixed_dictionaries(strategies)


@st.composite
def events(draw):
    """Change events of Debezium's, of any row."""
    row, values = draw(structs())
    row = row.replace(optional=True)
    builder = SchemaBuilder.struct().name("top.Envelope").field("before", row).field("after", row)
    builder.field("source", SchemaBuilder.struct().field("table", STRING).build()).field("op", STRING).field(
        "ts_ms", INT64
    )
    return builder.build(), st.fixed_dictionaries({
        "before": st.none() | values, "after": st.none() | values, "source": st.just({"table": "a"}),
        "op": st.sampled_from("crudtm"), "ts_ms": st.just(1),
    })  # fmt: skip


@st.composite
def records(draw):
    schema, values = draw(st.one_of(structs(), structs(), events()))
    value = draw(st.none() | values) if schema.optional else draw(values)
    if draw(st.integers(0, 3)) == 0:
        schema = None
    key = draw(st.sampled_from([(STRING, "k"), (None, None), (None, {"a": 1, "in": {"b": "x"}})]))
    record = SinkRecord("orders", 3, key[0], key[1], schema, value, draw(st.none() | st.just(1700000000123)), offset=5)
    record.headers.add("h", "v", STRING)
    return record


NAME = st.sampled_from(NAMES)
PATH = NAME | st.sampled_from(["in", "in.a", "in.b", "in.c", "in.d"])
TYPES = st.sampled_from(["int8", "int64", "float32", "float64", "boolean", "string"])
PART = st.sampled_from(["Value", "Value", "Value", "Key"])


def configured(name, **config):
    return st.tuples(PART.map(lambda part: name + part), st.fixed_dictionaries(config))


V2 = {"field.syntax.version": st.just("V2")}
STEPS = st.one_of(
    configured("Cast", spec=st.tuples(PATH, TYPES).map(":".join), **V2),
    configured("Cast", spec=TYPES),
    configured("ExtractField", field=PATH, **V2),
    configured("Flatten", delimiter=st.sampled_from([".", "_"])),
    configured("HeaderFrom", fields=PATH, headers=st.just("h"), operation=st.sampled_from(["move", "copy"]), **V2),
    configured("HoistField", field=NAME),
    configured("InsertField", **{"static.field": PATH, "static.value": st.just("s")}, **V2),
    configured("InsertField", **{"offset.field": NAME, "timestamp.field": st.just("ts"), "topic.field": st.just("tp")}),
    configured("MaskField", fields=PATH, **V2),
    configured("ReplaceField", exclude=PATH, renames=st.tuples(PATH, NAME).map(":".join), **V2),
    configured("ReplaceField", include=PATH, **V2),
    configured("SetSchemaMetadata", **{"schema.name": st.just("New")}),
    configured("TimestampConverter", field=PATH, format=st.just("yyyy-MM-dd"), **{"target.type": st.sampled_from(["string", "unix", "Date"])}, **V2),
    st.tuples(st.just("ValueToKey"), st.fixed_dictionaries({"fields": PATH, **V2})),
    st.tuples(st.just("InsertHeader"), st.just({"header": "n", "value.literal": "1"})),
    st.tuples(st.just("DropHeaders"), st.just({"headers": "h"})),
    st.tuples(st.just("RegexRouter"), st.just({"regex": "(.*)", "replacement": "x$1"})),
    st.tuples(st.just("TimestampRouter"), st.just({})),
    configured("Drop", pattern=st.sampled_from(["a", "[bc]", r"in\..*"]), nested=st.sampled_from(["true", "false"])),
    st.tuples(st.just("ExtractNewRecordState"), st.fixed_dictionaries({
        "add.fields": st.sampled_from(["", "a", "op"]), "add.headers": st.sampled_from(["", "b"]),
        "delete.tombstone.handling.mode": st.sampled_from(["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"]),
    })),
    st.tuples(st.just("EventRouter"), st.just({
        "table.field.event.id": "a", "table.field.event.key": "a", "table.field.event.payload": "b", "route.by.field": "a",
    })),
    st.tuples(st.just("ByLogicalTableRouter"), st.just({"topic.regex": "(.*)", "topic.replacement": "y$1"})),
    st.tuples(st.just("TimezoneConverter"), st.just({"converted.timezone": "Europe/Paris"})),
    st.tuples(st.just("Filter"), st.just({})),
    st.tuples(st.just("Stranger"), st.fixed_dictionaries({"name": NAME})),
)  # fmt: skip
GUARDS = st.none() | st.one_of(
    st.tuples(st.just("RecordIsTombstone"), st.just({})),
    st.tuples(st.just("HasHeaderKey"), st.fixed_dictionaries({"name": st.sampled_from(["h", "n"])})),
    st.tuples(st.just("TopicNameMatches"), st.fixed_dictionaries({"pattern": st.sampled_from(["orders", "x.*"])})),
    st.tuples(
        st.just("RecordMatchesValue"), st.fixed_dictionaries({"condition": NAME.map(lambda n: f"has(value.{n})")})
    ),
)
STAGES = st.tuples(STEPS, GUARDS, st.booleans())


def shown(record):
    return (
        record.topic,
        encode_schema(record.key_schema), encode_value(record.key, record.key_schema),
        encode_schema(record.value_schema), encode_value(record.value, record.value_schema),
        [(h.key, encode_schema(h.schema), encode_value(h.value, h.schema)) for h in record.headers],
    )  # fmt: skip


def made(step):
    name, config = step
    instance = CLASSES[name]()
    instance.configure(config)
    return instance


def stages_of(drawn):
    return [
        Stage(str(at), made(step), step[0], None if guard is None else made(guard), guard is not None and negate)
        for at, (step, guard, negate) in enumerate(drawn)
    ]


def one_by_one(stages, record):
    for stage in stages:
        if stage.predicate is not None and stage.predicate.test(record) is stage.negate:
            continue
        before = shown(record)
        given_record = record
        record = stage.transform.apply(record)
        assert shown(given_record) == before, f"{stage.class_name} altered the record it was given"
        if record is None:
            return None
    return record


def outcome(run):
    """What came out, or the kind of error: its words depend on whether schema or record was looked at first."""
    try:
        out = run()
    except ConnectError:
        return "error"
    except StageError as error:
        return "error" if isinstance(error.__cause__, ConnectError) else repr(error.__cause__)
    return None if out is None else shown(out)


@settings(max_examples=CHAINS, deadline=None)
@given(records(), st.lists(STAGES, min_size=1, max_size=5))
def test_a_bound_chain_does_what_its_transforms_do_one_by_one(record, drawn):
    expected = outcome(lambda: one_by_one(stages_of(drawn), record))
    before = shown(record)
    shape = Shape(record.topic, record.key_schema, record.value_schema)

    def run_bound():
        bound = Chain(stages_of(drawn)).bind(shape)
        out = record if bound.apply is None else bound.apply(record)
        if out is not None and bound.shape is not None:
            assert bound.shape == Shape(out.topic, out.key_schema, out.value_schema)
        return out

    assert outcome(run_bound) == expected
    assert shown(record) == before, "the chain altered the record it was given"

    def run_owned():
        mine = copy.copy(record)
        mine.key, mine.value = copy.deepcopy(record.key), copy.deepcopy(record.value)
        mine.headers = Headers(record.headers)
        bound = Chain(stages_of(drawn)).bind(shape, frozenset({"record", "key", "value", "headers"}))
        return mine if bound.apply is None else bound.apply(mine)

    assert outcome(run_owned) == expected
