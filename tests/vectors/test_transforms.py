"""Recorded behaviour of Kafka's and Debezium's transforms and predicates.

Each case of a transform runs in the simple form, in the bound form, and as a worker's chain runs it.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lab import vectors
from lab.vectors import Case, decode_schema, decode_value, encode_schema, encode_value
from penstock.api import LEFT_TO_APPLY, NOTHING, Plugin, Shape, apply_bound
from penstock.data import Header, Headers, SinkRecord, SourceRecord, TimestampType
from penstock.runtime.chain import Chain, Stage, StageError
from penstock_transforms import plugin

CASES = [case for area in ("transforms", "transforms_4_4", "transforms_debezium") for case in vectors.load(area)]


def loaded(plugins: list[Plugin]) -> dict[str, Any]:
    """JVM class name to class, by way of the descriptors."""
    classes = {}
    for descriptor in plugins:
        module, _, name = descriptor.target.partition(":")
        loaded = getattr(__import__(module, fromlist=[name]), name)
        classes.update(dict.fromkeys(descriptor.aliases, loaded))
    return classes


TRANSFORMS = loaded(plugin.penstock_register_transforms())
PREDICATES = loaded(plugin.penstock_register_predicates())


def decode_record(node):
    common = {"topic": node["topic"], "partition": node["partition"], "timestamp": node["timestamp"]}
    for part in ("key", "value"):
        schema = common[f"{part}_schema"] = decode_schema(node[f"{part}Schema"])
        common[part] = decode_value(node[part], schema)
    headers = Headers()
    for header in node["headers"]:
        schema = decode_schema(header["schema"])
        headers.append(Header(header["key"], schema, decode_value(header["value"], schema)))
    if node["kind"] == "sink":
        kind = TimestampType[node["timestampType"]]
        return SinkRecord(**common, headers=headers, offset=node["offset"], timestamp_type=kind)
    return SourceRecord(
        **common,
        headers=headers,
        source_partition=decode_value(node["sourcePartition"]),
        source_offset=decode_value(node["sourceOffset"]),
    )


def encode_record(record):
    node = {
        "kind": "sink" if isinstance(record, SinkRecord) else "source",
        "topic": record.topic,
        "partition": record.partition,
        "keySchema": encode_schema(record.key_schema),
        "key": encode_value(record.key, record.key_schema),
        "valueSchema": encode_schema(record.value_schema),
        "value": encode_value(record.value, record.value_schema),
        "timestamp": record.timestamp,
        "headers": [
            {"key": h.key, "schema": encode_schema(h.schema), "value": encode_value(h.value, h.schema)}
            for h in record.headers
        ],
    }
    if isinstance(record, SinkRecord):
        return {**node, "offset": record.offset, "timestampType": record.timestamp_type.name}
    return {
        **node,
        "sourcePartition": encode_value(record.source_partition),
        "sourceOffset": encode_value(record.source_offset),
    }


def shape_of(record):
    return Shape(record.topic, record.key_schema, record.value_schema)


def simple(transform, record):
    return transform.apply(record)


def bound(transform, record):
    tied = transform.bind(shape_of(record))
    out = apply_bound(tied, record)
    if out is not None and tied.shape is not None:
        assert shape_of(out) == tied.shape, "the declared shape is not the record's"
    if tied.writes == NOTHING and out is not None:
        assert out is record, "another record without a word in `writes`"
    return out


def chained(transform, record):
    """Run a chain of the one transform, by its steps on key and value where a worker's loops would."""
    try:
        bound = Chain([Stage("t", transform, type(transform).__name__)]).bind(shape_of(record))
        out = by_parts(bound, record)
        if out is None:
            out = record if bound.apply is None else bound.apply(record)
    except StageError as error:
        raise error.__cause__ from None
    return out


def by_parts(bound, record):
    """What the loops that work on keys and values alone make of a record; None if they leave it to the chain."""
    if bound.parts is None or bound.parts_shape is None:
        return None
    out = copy.copy(record)
    for step in bound.parts:
        part = getattr(out, step.part)
        if (step.edits and type(part) is not dict) or (step.keeps_null and part is None):
            return None
        try:
            if step.edits:
                part = part.copy()
                step.call(part)
            else:
                part = step.call(part)
        except Exception:
            return None
        if part is LEFT_TO_APPLY:
            return None
        setattr(out, step.part, part)
    out.topic, out.key_schema, out.value_schema = bound.parts_shape
    return out


def outcome(case, node, form):
    """Run `form` on the record and check that the record given is as it was."""
    transform = TRANSFORMS[case.java_class]()
    transform.configure(case.config)
    return result_of(lambda record: form(transform, record), node)


def result_of(run, node):
    record = decode_record(node)
    before = encode_record(record)
    try:
        out = run(record)
    finally:
        assert encode_record(record) == before, "the record given was altered"
    if out is None:
        return {"dropped": True}
    return {"record": encode_record(out), "sameObject": out is record}


def ignoring_identity(case, result):
    """`sameObject` as recorded, where that is no contradiction.

    Kafka's transforms often return a new, equal record; a bound transform that may write is given a copy even if it
    then leaves it alone. What counts: nothing changed where Kafka returned the very record, and no record that differs
    from the one given is that very object. Some of Debezium's alter the record they are given; such a one counts as new.
    """
    if case.expect is None or "sameObject" not in case.expect:
        return result
    node = case.input.get("record", case.input)
    unchanged = Case(case.id, "", "", "", {}, {}, {"record": node})
    kept = case.expect["sameObject"] and vectors.problem(unchanged, {"record": case.expect["record"]}) is None
    if result["sameObject"] or kept:
        assert vectors.problem(unchanged, {"record": result["record"]}) is None
    return {**result, "sameObject": case.expect["sameObject"]}


def run_transform(form):
    def run(case: Case) -> Any:
        return ignoring_identity(case, outcome(case, case.input, form))

    return run


def run_predicate(case: Case) -> Any:
    predicate = PREDICATES[case.java_class]()
    predicate.configure(case.config)
    record = decode_record(case.input)
    tests = decide(predicate, record)
    return {"test": tests, "negated": not tests}


def decide(predicate, record):
    tied = predicate.bind(shape_of(record))
    decided = tied if isinstance(tied, bool) else tied(record)
    assert decided == predicate.test(record)
    return decided


def run_stage(case: Case) -> Any:
    predicate = PREDICATES[case.config["predicate"]]()
    predicate.configure(case.input["predicateConfig"])
    transform = TRANSFORMS[case.config["transform"]]()
    transform.configure(case.input["transformConfig"])
    negate = case.config["negate"] == "true"

    def run(record):
        return transform.apply(record) if decide(predicate, record) != negate else record

    return ignoring_identity(case, result_of(run, case.input["record"]))


def of(kind):
    return [c for c in CASES if kind(c.group)]


@pytest.mark.parametrize("case", of(lambda g: g != "stage" and not g.startswith("predicate_")), ids=lambda c: c.id)
@pytest.mark.parametrize("form", [simple, bound, chained])
def test_transforms_do_what_kafkas_do(case, form, judge):
    judge(case, run_transform(form))


@pytest.mark.parametrize("case", of(lambda g: g.startswith("predicate_")), ids=lambda c: c.id)
def test_predicates_decide_as_kafkas_do(case, judge):
    judge(case, run_predicate)


@pytest.mark.parametrize("case", of(lambda g: g == "stage"), ids=lambda c: c.id)
def test_a_predicate_guards_its_transform(case, judge):
    judge(case, run_stage)


def test_every_recorded_class_is_announced():
    recorded = {c.java_class for c in CASES} - {"org.apache.kafka.connect.runtime.TransformationStage"}
    assert recorded <= TRANSFORMS.keys() | PREDICATES.keys()
