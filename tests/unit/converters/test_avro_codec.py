"""The generated Avro codec against fastavro, byte for byte, and against broken bytes."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import struct
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import (
    BOOLEAN,
    BYTES,
    DATE,
    FLOAT32,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    STRING,
    TIME,
    TIMESTAMP,
    Float32,
    Int8,
    Int32,
    Schema,
    SchemaBuilder,
    Struct,
    Type,
    decimal_schema,
)  # fmt: skip
from penstock.errors import DataError
from penstock.java.hash_order import in_java_order
from penstock_converters.avro.general import general_writer
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.plan import Planner
from penstock_converters.avro.reader import make_reader
from penstock_converters.avro.to_avro import ToAvro, is_union_schema
from penstock_converters.avro.to_connect import ToConnect
from penstock_converters.avro.varint import long_bytes, read_long
from penstock_converters.avro.writer import make_writer
from penstock_registry.formats.avro import AvroSchema
from penstock_registry.formats.avro.canonical import to_text

OPTIONS = AvroDataOptions(enhanced=True)
ENUM = "io.confluent.connect.avro.Enum"
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Maker:
    """Random Connect schemas and values of them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = 0

    def schema(self, depth: int = 0) -> Schema:
        r = self.random
        kinds = [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES, DATE, TIME, TIMESTAMP]
        choice = r.random()
        if depth < 3 and choice < 0.4:
            schema = self.nested(depth)
        elif choice < 0.5:
            schema = r.choice([decimal_schema(r.randrange(5)), self.enum(), self.fixed()])
        else:
            schema = r.choice(kinds)
        return schema.as_optional() if r.random() < 0.35 else schema

    def nested(self, depth: int) -> Schema:
        r = self.random
        choice = r.randrange(5)
        if choice == 0:
            return SchemaBuilder.array(self.schema(depth + 1)).build()
        if choice == 1:
            return SchemaBuilder.map(STRING, self.schema(depth + 1)).build()
        if choice == 2:
            return SchemaBuilder.map(INT32, self.schema(depth + 1)).name(self.name()).build()
        if choice == 3:
            return self.union()
        return self.struct(depth + 1)

    def struct(self, depth: int = 0) -> Schema:
        builder = SchemaBuilder.struct().name(self.name())
        for i in range(self.random.randrange(1, 7)):
            builder.field(f"f{i}", self.schema(depth))
        return builder.build()

    def union(self) -> Schema:
        builder = SchemaBuilder.struct().name("io.confluent.connect.avro.Union")
        members = {"int": INT32, "string": STRING, "double": FLOAT64, "bytes": BYTES, "boolean": BOOLEAN}
        for name in self.random.sample(sorted(members), self.random.randrange(2, 5)):
            builder.field(name, members[name].as_optional())
        return builder.build()

    def enum(self) -> Schema:
        name = self.name()
        return Schema(Type.STRING, name=name, parameters={ENUM: name, **{f"{ENUM}.{s}": s for s in ("A", "B", "C")}})

    def fixed(self) -> Schema:
        return Schema(Type.BYTES, name=self.name(), parameters={"connect.fixed.size": "3"})

    def name(self) -> str:
        self.names += 1
        return f"{self.random.choice(['a', 'a.b', 'c'])}.N{self.names}"

    def value(self, schema: Schema) -> Any:
        r = self.random
        if schema.optional and r.random() < 0.3:
            return None
        if is_union_schema(schema):
            field = r.choice(schema.fields)
            return {field.name: self.value(field.schema.replace(optional=False))}
        if schema.name in SPECIAL:
            return SPECIAL[schema.name](r, schema)
        if ENUM in schema.parameters:
            return r.choice("ABC")
        if "connect.fixed.size" in schema.parameters:
            return r.randbytes(3)
        match schema.type:
            case Type.ARRAY:
                assert schema.value_schema
                return [self.value(schema.value_schema) for _ in range(r.randrange(4))]
            case Type.MAP:
                assert schema.key_schema
                assert schema.value_schema
                return {self.value(schema.key_schema): self.value(schema.value_schema) for _ in range(r.randrange(14))}
            case Type.STRUCT:
                return {f.name: self.value(f.schema) for f in schema.fields}
        return SCALARS[schema.type](r)


def integer(bits: int) -> Any:
    return lambda r: (
        r.choice([0, -1, 63, -64, 64, 8191, 8192, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), r.getrandbits(bits - 1)])
        % 2 ** (bits - 1)
    )


def text(r: random.Random) -> str:
    return "".join(
        r.choice("abcé中😀\x00")
        for _ in range(r.choice([0, 1, 5, 40, 70, 9000]) if r.random() < 0.02 else r.randrange(9))
    )


SCALARS: dict[Type, Any] = {
    Type.INT8: lambda r: r.randrange(-128, 128),
    Type.INT16: lambda r: r.randrange(-32768, 32768),
    Type.INT32: lambda r: r.choice([1, -1]) * integer(32)(r),
    Type.INT64: lambda r: r.choice([1, -1]) * integer(64)(r),
    Type.FLOAT32: lambda r: struct.unpack("f", struct.pack("f", r.uniform(-1e6, 1e6)))[0],
    Type.FLOAT64: lambda r: r.choice([0.0, -0.0, float("inf"), r.uniform(-1e300, 1e300)]),
    Type.BOOLEAN: lambda r: r.random() < 0.5,
    Type.STRING: text,
    Type.BYTES: lambda r: r.randbytes(r.randrange(20)),
}
CONNECT = "org.apache.kafka.connect.data."
SPECIAL: dict[str | None, Any] = {
    CONNECT + "Date": lambda r, _: dt.date(1970, 1, 1) + dt.timedelta(days=r.randrange(-300_000, 300_000)),
    CONNECT + "Time": lambda r, _: (EPOCH + dt.timedelta(milliseconds=r.randrange(86_400_000))).time(),
    CONNECT + "Timestamp": lambda r, _: EPOCH + dt.timedelta(
        milliseconds=r.choice([0, 1, -1, r.randrange(2**41), r.randrange(-(2**45), 2**45), 2**27 - 1, 2**27, 2**41, 172_800_000])
    ),
    CONNECT + "Decimal": lambda r, s: Decimal(r.choice([0, 127, 128, -128, -129, r.getrandbits(90) - 2**89])).scaleb(
        -int(s.parameters["scale"])
    ),
}  # fmt: skip


def datum(schema: Schema, value: Any, avro: AvroSchema) -> Any:
    """The value as fastavro takes it."""
    if is_union_schema(schema):
        if value is None:
            return None
        (name, held), *_ = value.items()
        field = schema.field(name)
        assert field
        return name, held
    if avro.type == "union":
        inner = next(t for t in avro.types if t.type != "null")
        return None if value is None else datum(schema.replace(optional=False), value, inner)
    if schema.type is Type.ARRAY:
        return [datum(schema.value_schema, item, avro.items) for item in value]  # type: ignore[arg-type]
    if schema.type is Type.MAP and avro.type == "map":
        return {k: datum(schema.value_schema, v, avro.values) for k, v in in_java_order(value)}  # type: ignore[arg-type]
    if schema.type is Type.MAP:
        held = avro.items.field("value").schema  # type: ignore[union-attr]
        return [{"key": k, "value": datum(schema.value_schema, v, held)} for k, v in value.items()]  # type: ignore[arg-type]
    if schema.type is Type.STRUCT:
        return {f.name: datum(f.schema, value[f.name], avro.field(f.name).schema) for f in schema.fields}  # type: ignore[union-attr]
    return value


def bare_bytes_decimals(avro: AvroSchema) -> Any:
    # fastavro's decimals would be held to the 28 digits of the decimal context
    return json.loads(to_text(avro).replace('"logicalType":"decimal"', '"logicalType":"none"'))


def test_generated_writer_and_reader_agree_with_fastavro_byte_for_byte(soak: bool) -> None:
    schemas, values = (1000, 20) if soak else (200, 10)
    for seed in range(schemas):
        maker = Maker(seed)
        schema = maker.struct()
        avro = ToAvro(OPTIONS).convert(schema)
        parsed = fastavro.parse_schema(bare_bytes_decimals(avro))
        plan = Planner(OPTIONS).plan(schema, avro)
        write, general = make_writer(plan), general_writer(plan, False)
        read = make_reader(avro, ToConnect(OPTIONS).convert(avro), OPTIONS)
        for _ in range(values):
            value = maker.value(schema)
            buffer = io.BytesIO()
            fastavro.schemaless_writer(buffer, parsed, without_decimals(datum(schema, value, avro)))
            expected = buffer.getvalue()
            assert general(value) == expected, (seed, value)
            assert write(b"", value) == expected, (seed, value)
            assert read(b"\x00" * 5 + expected, 5) == value, seed


def without_decimals(node: Any) -> Any:
    if isinstance(node, Decimal):
        number = int(node.scaleb(-node.as_tuple().exponent))  # type: ignore[operator]
        return number.to_bytes((number if number >= 0 else ~number).bit_length() // 8 + 1, "big", signed=True)
    if isinstance(node, dict):
        return {k: without_decimals(v) for k, v in node.items()}
    if isinstance(node, list):
        return [without_decimals(v) for v in node]
    return tuple(map(without_decimals, node)) if isinstance(node, tuple) else node


def test_broken_bytes_are_data_errors_and_nothing_else(soak: bool) -> None:
    rounds = 200_000 if soak else 5_000
    per_schema = 250
    refused = 0
    for seed in range(rounds // per_schema):
        maker = Maker(seed)
        schema = maker.struct()
        avro = ToAvro(OPTIONS).convert(schema)
        write = make_writer(Planner(OPTIONS).plan(schema, avro))
        read = make_reader(avro, ToConnect(OPTIONS).convert(avro), OPTIONS)
        for _ in range(per_schema):
            try:
                read(mutated(maker.random, write(b"", maker.value(schema))), 0)
            except DataError:
                refused += 1
    assert refused > rounds // 20  # or the mutations do not reach anything


def mutated(r: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(r.randrange(1, 4)):
        choice, at = r.randrange(4), r.randrange(len(out) + 1)
        if choice == 0:
            del out[at:]
        elif choice == 1:
            out[at:at] = r.randbytes(r.randrange(1, 5))
        elif choice == 2 and out:
            out[at % len(out)] ^= 1 << r.randrange(8)
        elif out:
            out[at % len(out)] = r.choice([0xFF, 0x80, 0x7F, 0x01, 0x00])
    return bytes(out)


@pytest.mark.parametrize("bits", range(64))
def test_longs_of_every_width_are_read_to_their_end(bits: int) -> None:
    for number in {(1 << bits) - 1, -(1 << bits), (1 << bits) // 3, -(1 << bits) // 3}:
        data = long_bytes(number)
        assert read_long(b"\xff" + data + b"\xff", 1) == (number, 1 + len(data))
        with pytest.raises(IndexError):
            read_long(data[:-1], 0)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_long_survives(number: int) -> None:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, {"type": "long"}, number)
    assert long_bytes(number) == buffer.getvalue()
    assert read_long(buffer.getvalue(), 0) == (number, len(buffer.getvalue()))


@given(st.datetimes(min_value=dt.datetime(1, 1, 1), max_value=dt.datetime(9999, 12, 31), timezones=st.just(dt.UTC)))
def test_every_instant_survives_to_the_millisecond(instant: dt.datetime) -> None:
    schema = SchemaBuilder.struct().name("T").field("t", TIMESTAMP).build()
    avro = ToAvro(OPTIONS).convert(schema)
    data = make_writer(Planner(OPTIONS).plan(schema, avro))(b"", {"t": instant})
    floored = instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    for _ in range(2):  # the second time from the table of windows
        assert make_reader(avro, schema, OPTIONS)(data, 0) == {"t": floored}
    assert read_long(data, 0)[0] == (floored - EPOCH) // dt.timedelta(milliseconds=1)


def writer_of(schema: Schema, **options: bool) -> Any:
    chosen = AvroDataOptions(**options)
    return make_writer(
        Planner(chosen).plan(schema, ToAvro(chosen).convert(schema)), chosen.ignore_default_for_nullables
    )


ROW = (
    SchemaBuilder.struct().name("R").field("id", INT32).field("note", STRING.as_optional())
    .field("sub", SchemaBuilder.struct().name("S").field("x", FLOAT32).build())
    .field("n", Schema(Type.INT64, default=7)).build()
)  # fmt: skip
GOOD = {"id": 1, "note": None, "sub": {"x": 1.5}, "n": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"id": 2**31},
            "Value 2147483648 does not fit schema type INT32: expected -2147483648 to 2147483647 (Field: id)",
        ),
        ({"id": True}, "Invalid type for INT32: class java.lang.Boolean (Field: id)"),
        ({"id": None}, "Found null value for non-optional schema (Field: id)"),
        ({"note": 5}, "Invalid type for STRING: class java.lang.Long (Field: note)"),
        ({"note": "\ud800"}, "half of a surrogate pair, which UTF-8 cannot carry (Field: note)"),
        ({"sub": {"x": 1e300}}, "beyond a 32-bit float (Field: sub.x)"),
        ({"sub": {"x": 1}}, "Invalid type for FLOAT32: class java.lang.Long (Field: sub.x)"),
        ({"sub": {}}, "Found null value for non-optional schema (Field: sub.x)"),
        ({"sub": []}, "Invalid type for STRUCT: class java.util.ArrayList (Field: sub)"),
        ({"other": 1}, "other is not a valid field name of Schema{R:STRUCT}"),
    ],
)
def test_what_cannot_be_written_is_named_with_its_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        writer_of(ROW)(b"", {**GOOD, **change})
    notes = "".join(f" ({note})" for note in getattr(caught.value, "__notes__", ()))
    assert message in caught.value.message + notes


def test_a_field_that_is_not_the_schema_s_is_refused_even_if_another_is_absent() -> None:
    with pytest.raises(DataError, match="typo is not a valid field name"):
        writer_of(ROW)(b"", {"id": 1, "typo": None, "sub": {"x": 1.5}, "n": 2})


def test_boxes_structs_and_absent_fields_are_written_as_plain_values_are() -> None:
    write = writer_of(ROW)
    plain = write(b"H", GOOD)
    assert plain.startswith(b"H")
    assert write(b"H", {"id": Int32(1), "sub": {"x": Float32(1.5)}, "n": 2}) == plain
    assert write(b"H", Struct.trusted(ROW, GOOD)) == plain
    with pytest.raises(DataError, match="Mismatching struct schema"):
        write(b"H", Struct.trusted(SchemaBuilder.struct().name("R").field("id", INT32).build(), {"id": 1}))
    with pytest.raises(DataError, match="Invalid type for INT32"):
        write(b"H", {**GOOD, "id": Int8(1)})


def test_a_default_stands_in_for_null_unless_it_is_to_be_ignored() -> None:
    schema = SchemaBuilder.struct().name("D").field("a", Schema(Type.INT32, optional=True, default=5)).build()
    assert writer_of(schema)(b"", {"a": None}) == writer_of(schema)(b"", {"a": 5}) == b"\x00\x0a"
    assert writer_of(schema, ignore_default_for_nullables=True)(b"", {"a": None}) == b"\x02"


def test_a_recursive_schema_goes_both_ways() -> None:
    node, _ = (
        SchemaBuilder.struct()
        .name("g.Node")
        .build_recursive_pair(
            lambda schema, optional: [("v", INT32), ("next", optional), ("all", SchemaBuilder.array(schema).build())]
        )
    )
    avro = ToAvro(OPTIONS).convert(node)
    value = {"v": 1, "next": {"v": 2, "next": None, "all": []}, "all": [{"v": 3, "next": None, "all": []}]}
    data = make_writer(Planner(OPTIONS).plan(node, avro))(b"", value)
    back = ToConnect(OPTIONS).convert(avro)
    assert make_reader(avro, back, OPTIONS)(data, 0) == value
    assert back == node
    deep: dict[str, Any] = {"v": 0, "next": None, "all": []}
    for _ in range(5000):
        deep = {"v": 0, "next": deep, "all": []}
    with pytest.raises(DataError, match="nested too deep"):
        make_writer(Planner(OPTIONS).plan(node, avro))(b"", deep)
    with pytest.raises(DataError, match="nested too deep"):
        make_reader(avro, back, OPTIONS)(b"\x00\x02" * 100_000, 0)


def test_a_claimed_count_is_held_to_what_the_data_can_have() -> None:
    schema = SchemaBuilder.array(SchemaBuilder.struct().name("E").build()).build()
    avro = ToAvro(OPTIONS).convert(schema)
    with pytest.raises(DataError, match="too many items"):
        make_reader(avro, schema, OPTIONS)(long_bytes(2**40) + b"\x00", 0)
    ints = SchemaBuilder.array(INT32).build()
    with pytest.raises(DataError, match="ends too early"):
        make_reader(ToAvro(OPTIONS).convert(ints), ints, OPTIONS)(long_bytes(2**40) + b"\x00", 0)


def test_maps_come_out_in_the_order_of_a_java_hash_map() -> None:
    assert [k for k, _ in in_java_order({"b": 1, "a": 2, "c": 3})] == ["a", "b", "c"]
    assert [k for k, _ in in_java_order({"k": 1, "z": 2})] == ["z", "k"]
    # "Aa" and "BB" have one hash code: the order of insertion stays
    assert [k for k, _ in in_java_order({"BB": 1, "Aa": 2})] == ["BB", "Aa"]
    # thirteen entries make the table grow from 16 buckets to 32, where "a" (97) and "A" (65) still share one
    many = {chr(c): c for c in (*range(97, 107), 49, 65, 48)}
    assert [k for k, _ in in_java_order(many)] == ["a", "A", *"bcdefghij", "0", "1"]
