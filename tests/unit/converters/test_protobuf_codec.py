"""The Protobuf codec against protoc and the runtime's own classes, over random schemas and values, and broken bytes."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import struct
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc
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
    Int32,
    Schema,
    SchemaBuilder,
    Struct,
    Type,
    decimal_schema,
)  # fmt: skip
from penstock.data.logical import DATE_NAME, DECIMAL_NAME, decimal_from_unscaled
from penstock.errors import DataError
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_converters.protobuf.general import general_writer
from penstock_converters.protobuf.moments import FROM_MESSAGE, TO_FIELDS
from penstock_converters.protobuf.names import ENUM, NAMESPACE, TAG, TYPE, ProtobufDataOptions
from penstock_converters.protobuf.plan import Planner
from penstock_converters.protobuf.reader import Reader, make_reader
from penstock_converters.protobuf.to_connect import ToConnect
from penstock_converters.protobuf.to_proto import ToProto
from penstock_converters.protobuf.writer import Writer, make_writer
from penstock_registry.client import drop_mock, mock_client
from penstock_registry.client.factory import normalized_text
from penstock_registry.formats.protobuf import Linked, ProtobufFormat, ProtobufParsedSchema, known_file, to_text

OPTIONS = ProtobufDataOptions(optional_for_nullables=True)
SEEDS = st.integers(0, 2**32)
SCALARS = [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]
LOGICAL = [DATE, TIME, TIMESTAMP, decimal_schema(2), decimal_schema(0)]
KEYS = [INT8, INT32, INT64, BOOLEAN, STRING]


class Maker:
    """Random structs and values of them, as far as Protobuf can tell null from nothing."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = 0

    def name(self) -> str:
        self.names += 1
        return f"N{self.names}"

    def struct(self, depth: int = 0) -> Schema:
        r = self.random
        builder = SchemaBuilder.struct().name(f"pkg.{self.name()}")
        names = ["from", "class", "value", "m", "v", "a_b", "getX", "U", "x1", "zz"]
        r.shuffle(names)
        tag = 0
        for name in names[: r.randrange(6)]:
            tag += r.randrange(1, 20)
            schema = self.union(depth, tag) if depth < 2 and r.random() < 0.1 else self.field(depth, tag)
            tag += 10
            builder.field(name, schema)
        return builder.build()

    def field(self, depth: int, tag: int) -> Schema:
        r = self.random
        choice = r.random()
        if depth < 3 and choice < 0.15:
            schema = self.struct(depth + 1)
        elif depth < 3 and choice < 0.3:
            item = self.struct(depth + 1) if r.random() < 0.3 else self.single()
            schema = SchemaBuilder.array(item).build()
        elif depth < 3 and choice < 0.45:
            value = self.struct(depth + 1) if r.random() < 0.3 else self.single()
            schema = SchemaBuilder.map(r.choice(KEYS), value).name(self.name().lower()).build()
        else:
            schema = self.single()
        optional = r.random() < 0.4 and schema.type not in (Type.ARRAY, Type.MAP)
        return schema.replace(optional=optional, parameters={**schema.parameters, TAG: str(tag)})

    def single(self) -> Schema:
        r = self.random
        choice = r.random()
        if choice < 0.2:
            return r.choice(LOGICAL)
        if choice < 0.3:
            return self.enum()
        if choice < 0.4:
            base, kinds = r.choice(
                [(INT32, ("sint32", "sfixed32")), (INT64, ("sint64", "sfixed64", "uint64", "fixed64"))]
            )
            return base.replace(parameters={TYPE: r.choice(kinds)})
        return r.choice(SCALARS)

    def enum(self) -> Schema:
        name = self.name()
        symbols = {f"{ENUM}.{name}_{i}": str(i * 3) for i in range(self.random.randrange(1, 4))}
        return Schema(Type.STRING, name=name, parameters={ENUM: name, **symbols})

    def union(self, depth: int, tag: int) -> Schema:
        builder = SchemaBuilder.struct().name(f"{NAMESPACE}.Union.{self.name()}").optional()
        for i in range(self.random.randrange(1, 4)):
            single = self.single()
            schema = single.replace(optional=True, parameters={**single.parameters, TAG: str(tag + i)})
            builder.field(f"u{tag + i}_{self.names}_{depth}", schema)
        return builder.build()

    def value(self, schema: Schema) -> Any:
        r = self.random
        if schema.optional and r.random() < 0.3:
            return None
        if schema.name is not None and schema.name.startswith(f"{NAMESPACE}.Union"):
            chosen = r.choice(schema.fields)
            inner = self.value(chosen.schema.replace(optional=False))
            return {f.name: inner if f is chosen else None for f in schema.fields}
        match schema.type:
            case Type.STRUCT:
                return {f.name: self.value(f.schema) for f in schema.fields}
            case Type.ARRAY:
                assert schema.value_schema is not None
                return [self.value(schema.value_schema) for _ in range(r.randrange(4))]
            case Type.MAP:
                assert schema.key_schema is not None
                assert schema.value_schema is not None
                return {self.value(schema.key_schema): self.value(schema.value_schema) for _ in range(r.randrange(4))}
        return self.scalar(schema)

    def scalar(self, schema: Schema) -> Any:
        r = self.random
        if schema.name == DECIMAL_NAME:
            return decimal_from_unscaled(r.choice([0, 1, -1, 12345, -(10**30) + 7]), int(schema.parameters["scale"]))
        if schema.name == DATE.name:
            return dt.date(r.randrange(1, 10000), r.randrange(1, 13), r.randrange(1, 29))
        if schema.name == TIME.name:
            return dt.time(r.randrange(24), r.randrange(60), r.randrange(60), r.randrange(1000) * 1000)
        if schema.name == TIMESTAMP.name:
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=r.randrange(-(10**12), 10**13))
        if ENUM in schema.parameters:
            return r.choice([k.removeprefix(f"{ENUM}.") for k in schema.parameters if k.startswith(f"{ENUM}.")])
        bits = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}.get(schema.type)
        if bits is not None:
            return r.choice([0, 1, -1, (1 << bits - 1) - 1, -(1 << bits - 1), r.randrange(-100, 100)])
        match schema.type:
            case Type.FLOAT32:
                return struct.unpack("<f", struct.pack("<f", r.choice([0.0, -0.0, 1.1, 3.4e38, float("inf")])))[0]
            case Type.FLOAT64:
                return r.choice([0.0, -0.0, 1.1, 1e300, float("-inf")])
            case Type.BOOLEAN:
                return r.random() < 0.5
            case Type.STRING:
                return r.choice(["", "a", "Zoë 😀", "x" * 200, "\x00"])
        return r.choice([b"", b"\x00\xff", b"y" * 300])


def codec(schema: Schema) -> tuple[str, Writer, Schema, Reader]:
    """The text for the registry, a writer, and schema and reader made from nothing but that text."""
    text = to_text(ToProto(OPTIONS).convert(schema))
    parsed = ProtobufFormat().parse(text)
    assert parsed.canonical == text
    compiled = parsed.compiled()
    descriptor = compiled.message(next(parsed.file.messages).name)
    connect = ToConnect(OPTIONS, compiled).convert(descriptor)
    write = make_writer(Planner(OPTIONS, own=True).plan(schema, descriptor), ignore_defaults=False)
    return text, write, connect, make_reader(descriptor, connect, compiled, OPTIONS)


@given(SEEDS)
def test_what_is_written_is_read_back(seed: int) -> None:
    maker = Maker(seed)
    schema = maker.struct()
    _, write, connect, read = codec(schema)
    for _ in range(3):
        value = maker.value(schema)
        assert in_order(read(write(b"", value)), schema) == in_order(value, schema), to_text(
            ToProto(OPTIONS).convert(schema)
        )
    shape = {f.name: f.schema for f in connect.fields}
    for field in schema.fields:
        if not (field.schema.name or "").startswith(f"{NAMESPACE}.Union"):
            assert shape[field.name].type is field.schema.type


def in_order(value: Any, schema: Schema) -> Any:
    """For comparison: unions, whose fields get an index when they are read, by their values only; floats by their bits."""
    if value is None:
        return None
    if schema.type is Type.STRUCT:
        fields = [
            (f.schema, value.get(f.name, next((v for k, v in value.items() if _is_union(f.schema, v, k)), None)))
            for f in schema.fields
        ]
        return [in_order(v, s) for s, v in fields]
    if schema.type is Type.ARRAY:
        assert schema.value_schema is not None
        return [in_order(v, schema.value_schema) for v in value]
    if schema.type is Type.MAP:
        assert schema.value_schema is not None
        return {k: in_order(v, schema.value_schema) for k, v in value.items()}
    return struct.pack("<d", value) if isinstance(value, float) else value


def _is_union(schema: Schema, value: Any, name: str) -> bool:
    union = (schema.name or "").removeprefix(f"{NAMESPACE}.Union.")
    return union != schema.name and name.rpartition("_")[0] == union and (value is None or isinstance(value, dict))


# -- protoc and the runtime -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def protos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the known files that protoc does not bring itself."""
    folder = tmp_path_factory.mktemp("protos")
    for name in (
        "confluent/meta.proto",
        "confluent/type/decimal.proto",
        "google/type/date.proto",
        "google/type/timeofday.proto",
    ):
        file = known_file(name)
        assert file is not None
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_text(file))
    return folder


@cache
def _include() -> str:
    import grpc_tools

    assert grpc_tools.__file__ is not None
    return str(Path(grpc_tools.__file__).parent / "_proto")


def compiled_by_protoc(folder: Path, text: str) -> Any:
    """The runtime's class of the first message of `text`, by way of protoc."""
    if "confluent.field_meta" in text:  # Confluent's texts use the option without importing it
        head, _, body = text.partition("\nmessage ")
        text = f'{head}\nimport "confluent/meta.proto";\nmessage {body}'
    (folder / "own.proto").write_text(text)
    out = folder / "own.bin"
    arguments = ["protoc", f"-I{folder}", f"-I{_include()}", "--include_imports", f"--descriptor_set_out={out}"]
    assert protoc.main([*arguments, "own.proto"]) == 0, text
    files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    own = files[-1]
    prefix = f"{own.package}." if own.package else ""
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(prefix + own.message_type[0].name))


@pytest.mark.parametrize("seed", range(60))
def test_protoc_takes_the_text_and_the_runtime_writes_the_same_bytes(seed: int, protos: Path, soak: bool) -> None:
    maker = Maker(seed)
    schema = maker.struct()
    text, write, _, read = codec(schema)
    kind = compiled_by_protoc(protos, text)
    for _ in range(400 if soak else 2):
        value = maker.value(schema)
        data = write(b"", value)
        message = kind.FromString(data)
        assert not _unknown(message)
        assert message.SerializeToString() == data
        assert in_order(read(message.SerializeToString()), schema) == in_order(value, schema)


def _unknown(message: Any) -> bool:
    from google.protobuf.unknown_fields import UnknownFieldSet

    return len(UnknownFieldSet(message)) > 0


@given(SEEDS)
def test_generated_and_general_writer_agree(seed: int) -> None:
    maker = Maker(seed)
    schema = maker.struct()
    parsed = ProtobufParsedSchema(Linked(ToProto(OPTIONS).convert(schema)))
    descriptor = parsed.compiled().message(next(parsed.file.messages).name)
    plan = Planner(OPTIONS).plan(schema, descriptor)
    value = maker.value(schema)
    assert make_writer(plan, ignore_defaults=False)(b"", value) == general_writer(plan, ignore_defaults=False)(value)


@given(SEEDS, st.data())
def test_broken_bytes_raise_nothing_but_data_errors(seed: int, data: st.DataObject) -> None:
    maker = Maker(seed)
    schema = maker.struct()
    _, write, _, read = codec(schema)
    payload = bytearray(write(b"", maker.value(schema)))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(payload)))
        match data.draw(st.sampled_from(["cut", "flip", "insert"])):
            case "cut":
                del payload[where:]
            case "flip" if where < len(payload):
                payload[where] ^= 1 << data.draw(st.integers(0, 7))
            case _:
                payload[where:where] = data.draw(st.binary(max_size=8))
    with contextlib.suppress(DataError):
        read(bytes(payload))


@given(SEEDS, st.data())
def test_values_that_do_not_fit_are_refused_with_their_field(seed: int, data: st.DataObject) -> None:
    maker = Maker(seed)
    schema = maker.struct()
    if not schema.fields:
        return
    _, write, _, _ = codec(schema)
    value = maker.value(schema)
    field = data.draw(st.sampled_from(schema.fields))
    broken = {**value, field.name: object()}
    with pytest.raises(DataError) as caught:
        write(b"", broken)
    assert f"Field: {field.name}" in caught.value.__notes__


# -- single rules -----------------------------------------------------------------------------------------------------


def struct_of(**fields: Schema) -> Schema:
    builder = SchemaBuilder.struct().name("pkg.S")
    for name, schema in fields.items():
        builder.field(name, schema)
    return builder.build()


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (INT8, 128), (INT16, -32769), (INT32, 2**31), (INT64, 2**63), (INT32, True), (INT32, 1.0), (FLOAT32, 1e39),
        (FLOAT64, 1), (BOOLEAN, 1), (STRING, b"x"), (STRING, "\ud800"), (BYTES, "x"), (TIMESTAMP, 5), (DATE, "x"),
        (TIME, 1), (decimal_schema(0), 1), (decimal_schema(0), Decimal("NaN")), (INT32, None),
        (INT64.replace(parameters={TYPE: "uint32"}), -1),
    ],
)  # fmt: skip
def test_a_wrong_value_is_a_data_error(schema: Schema, value: Any) -> None:
    _, write, _, _ = codec(struct_of(a=schema))
    with pytest.raises(DataError) as caught:
        write(b"", {"a": value})
    assert caught.value.__notes__ == ["Field: a"]


def test_the_path_of_a_nested_field_is_told() -> None:
    inner = struct_of(x=INT32).replace(name="pkg.Inner")
    _, write, _, _ = codec(struct_of(outer=inner))
    with pytest.raises(DataError, match=r"Invalid type for INT32: class java\.lang\.String") as caught:
        write(b"", {"outer": {"x": "no"}})
    assert caught.value.__notes__ == ["Field: outer.x"]


def test_boxes_and_structs_are_written_as_plain_values_are() -> None:
    schema = struct_of(a=INT32, b=FLOAT64)
    _, write, _, read = codec(schema)
    data = write(b"", {"a": Int32(5), "b": Float32(0.5)})
    assert data == write(b"", {"a": 5, "b": 0.5}) == write(b"", Struct(schema, {"a": 5, "b": 0.5}))
    assert read(data) == {"a": 5, "b": 0.5}


def test_fields_that_the_schema_does_not_have_are_refused() -> None:
    _, write, _, _ = codec(struct_of(a=INT32.as_optional(), b=INT32.as_optional()))
    assert write(b"", {}) == b""
    for value in ({"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 3}, {"c": 3}):
        with pytest.raises(DataError, match="not in its schema"):
            write(b"", value)


def test_a_default_stands_in_for_null() -> None:
    schema = struct_of(a=INT32.replace(default=7), b=STRING.replace(optional=True, default="x"))
    _, write, _, read = codec(schema)
    assert read(write(b"", {"a": None, "b": None})) == {"a": 7, "b": "x"}
    assert read(write(b"", {})) == {"a": 7, "b": "x"}


def test_of_two_schemas_of_one_name_the_second_s_own_fields_are_refused() -> None:
    one = struct_of(x=INT32).replace(name="one.V")
    other = struct_of(x=STRING.as_optional(), y=STRING.as_optional(), z=SchemaBuilder.array(INT32).build())
    schema = struct_of(a=one, b=other.replace(name="other.V", optional=True))
    text, write, _, read = codec(schema)
    assert text.count("message V") == 1
    assert read(write(b"", {"a": {"x": 1}, "b": None})) == {"a": {"x": 1}, "b": None}
    assert read(write(b"", {"a": {"x": 1}, "b": {"z": []}}))["b"] == {"x": 0}
    for field, message in (
        ("y", "Cannot find field with name y"),
        ("x", "cannot be written as the Protobuf type int32"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            write(b"", {"a": {"x": 1}, "b": {"z": [], field: "no"}})
        assert "made of the first of them" in caught.value.__notes__[0]
        assert caught.value.__notes__[1] == f"Field: b.{field}"


def test_a_struct_of_its_parent_s_name_is_its_parent_only_if_it_fits() -> None:
    fits = struct_of(k=INT32, child=struct_of(k=INT32).as_optional())
    text, write, _, read = codec(fits)
    assert text.count("message S") == 1
    assert read(write(b"", {"k": 1, "child": {"k": 2}})) == {"k": 1, "child": {"k": 2, "child": None}}
    # Confluent's converter refuses values of such a schema.
    text, write, _, read = codec(struct_of(k=INT32, child=struct_of(other=STRING).as_optional()))
    assert text.count("message S") == 2
    assert read(write(b"", {"k": 1, "child": {"other": "x"}})) == {"k": 1, "child": {"other": "x"}}


def test_two_enums_of_one_message_may_share_a_symbol() -> None:
    one, other = (enum_of(name, {"UNKNOWN": 0, "ON": 1 + i}) for i, name in enumerate(("One", "Other")))
    text, write, connect, read = codec(struct_of(a=one, b=other, ON=INT32))
    value = {"a": "ON", "b": "ON", "ON": 3}
    assert text.count(" ON = ") == 3
    assert read(write(b"", value)) == value
    assert connect.fields[1].schema.parameters[f"{ENUM}.ON"] == "2"


def enum_of(name: str, numbers: dict[str, int]) -> Schema:
    symbols = {f"{ENUM}.{symbol}": str(number) for symbol, number in numbers.items()}
    return STRING.replace(name=name, parameters={ENUM: name, **symbols})


def test_a_map_of_lists_is_read_back_as_a_list_of_entries() -> None:
    schema = struct_of(m=SchemaBuilder.map(STRING, SchemaBuilder.array(INT32).build()).build())
    _, write, connect, read = codec(schema)
    assert read(write(b"", {"m": {"a": [1, 2], "b": []}})) == {
        "m": [{"key": "a", "value": [1, 2]}, {"key": "b", "value": []}]
    }
    assert connect.fields[0].schema.type is Type.ARRAY


def test_a_list_of_maps_can_be_nothing_but_empty() -> None:
    schema = struct_of(l=SchemaBuilder.array(SchemaBuilder.map(STRING, INT32).build()).build())
    _, write, _, _ = codec(schema)
    assert write(b"", {"l": []}) == b""
    with pytest.raises(DataError, match='The list "l" is one of maps'):
        write(b"", {"l": [{"a": 1}]})


def test_null_in_a_map_leaves_the_entry_without_a_value_where_it_is_optional() -> None:
    schema = struct_of(m=SchemaBuilder.map(STRING, STRING.as_optional()).build())
    _, write, _, read = codec(schema)
    assert write(b"", {"m": {"k": None}}).hex() == "0a030a016b"
    assert read(write(b"", {"m": {"k": None, "l": "x"}})) == {"m": {"k": "", "l": "x"}}
    _, write, _, _ = codec(struct_of(m=SchemaBuilder.map(STRING, STRING).build()))
    with pytest.raises(DataError, match="null used for the required value of a map"):
        write(b"", {"m": {"k": None}})


def test_null_in_a_true_map_is_blank() -> None:
    parsed = ProtobufFormat().parse('syntax = "proto3"; message S { map<string, int32> m = 1; map<int32, S> n = 2; }')
    descriptor = parsed.compiled().message("S")
    inner = struct_of(m=SchemaBuilder.map(STRING.as_optional(), INT32.as_optional()).build())
    schema = struct_of(
        **{f.name: f.schema for f in inner.fields}, n=SchemaBuilder.map(INT32, inner.as_optional()).build()
    )
    write = make_writer(Planner(OPTIONS).plan(schema, descriptor), ignore_defaults=False)
    data = write(b"", {"m": {"a": None, None: 3}, "n": {1: None}})
    read = make_reader(
        descriptor, ToConnect(OPTIONS, parsed.compiled()).convert(descriptor), parsed.compiled(), OPTIONS
    )
    assert read(data) == {"m": {"a": 0, "": 3}, "n": {1: {"m": {}, "n": {}}}}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (dt.date(1, 1, 1), (1, 1, 3)), (dt.date(1582, 10, 14), (1582, 10, 4)), (dt.date(1582, 10, 15), (1582, 10, 15)),
        (dt.date(9999, 12, 31), (9999, 12, 31)), (-62_135_769_600_000, (1, 1, 1)), (253_402_300_800_000, (10000, 1, 1)),
    ],
)  # fmt: skip
def test_dates_are_those_of_java_s_calendar(value: Any, fields: tuple[int, int, int]) -> None:
    made = TO_FIELDS[DATE_NAME](value, DATE)
    assert (made["year"], made["month"], made["day"]) == fields
    assert FROM_MESSAGE[DATE_NAME](SimpleNamespace(**made)) == value


@pytest.mark.parametrize(
    "fields", [(0, 1, 1), (2023, 2, 29), (1500, 2, 30), (1582, 10, 10), (2020, 13, 1), (2020, 1, 0)]
)
def test_a_date_that_is_none_is_refused(fields: tuple[int, int, int]) -> None:
    year, month, day = fields
    with pytest.raises(DataError, match="is no date"):
        FROM_MESSAGE[DATE_NAME](SimpleNamespace(year=year, month=month, day=day))


def test_a_date_before_the_year_one_is_refused() -> None:
    with pytest.raises(DataError, match="before the year 1"):
        TO_FIELDS[DATE_NAME](-62_135_856_000_000, DATE)


def test_a_struct_that_holds_itself_is_written_and_read() -> None:
    node = SchemaBuilder.struct().name("pkg.Node").optional().build_recursive(
        lambda own: [("v", INT32), ("next", own), ("kids", SchemaBuilder.array(own).build())]
    )  # fmt: skip
    _, write, _, read = codec(node)
    value = {"v": 1, "next": {"v": 2, "next": None, "kids": []}, "kids": [{"v": 3, "next": None, "kids": []}]}
    assert read(write(b"", value)) == value


def test_a_value_that_contains_itself_is_refused() -> None:
    node = SchemaBuilder.struct().name("pkg.Node").optional().build_recursive(lambda own: [("next", own)])
    _, write, _, _ = codec(node)
    value: dict[str, Any] = {}
    value["next"] = value
    with pytest.raises(DataError, match="nested too deep"):
        write(b"", value)


def test_struct_for_nulls_does_not_go_with_recursion() -> None:
    options = ProtobufDataOptions(struct_for_nulls=True)
    parsed = ProtobufFormat().parse('syntax = "proto3"; message M { M next = 1; }')
    compiled = parsed.compiled()
    connect = ToConnect(options, compiled).convert(compiled.message("M"))
    with pytest.raises(DataError, match=r"generate\.struct\.for\.nulls"):
        make_reader(compiled.message("M"), connect, compiled, options)(b"")


@pytest.mark.parametrize(
    "fields",
    [
        {"value": b"", "scale": 1},
        {"value": b"\x01" * 5000},
    ],
)
def test_a_decimal_that_is_none_is_a_data_error(fields: dict[str, Any]) -> None:
    parsed = ProtobufFormat().parse(
        'syntax = "proto3"; import "confluent/type/decimal.proto"; message M { confluent.type.Decimal d = 1; }'
    )
    compiled = parsed.compiled()
    descriptor = compiled.message("M")
    kind = message_factory.GetMessageClass(descriptor)
    connect = ToConnect(OPTIONS, compiled).convert(descriptor)
    read = make_reader(descriptor, connect, compiled, OPTIONS)
    with pytest.raises(DataError):
        read(kind(d=fields).SerializeToString())


def test_a_decimal_has_no_more_digits_than_the_precision_its_message_says() -> None:
    parsed = ProtobufFormat().parse(
        'syntax = "proto3"; import "confluent/type/decimal.proto"; message M { confluent.type.Decimal d = 1; }'
    )
    compiled = parsed.compiled()
    descriptor = compiled.message("M")
    read = make_reader(descriptor, ToConnect(OPTIONS, compiled).convert(descriptor), compiled, OPTIONS)
    kind = message_factory.GetMessageClass(descriptor)
    made = kind(d={"value": (12300).to_bytes(2, "big"), "precision": 3, "scale": -(2**31)})
    assert read(made.SerializeToString())["d"].as_tuple() == (0, (1, 2, 3), 2**31 + 2)
    made.d.value = (12345).to_bytes(2, "big")
    with pytest.raises(DataError, match="5 digits does not fit its own precision of 3") as caught:
        read(made.SerializeToString())
    assert "Field: d" in caught.value.__notes__


def test_missing_required_fields_of_proto2_are_told() -> None:
    parsed = ProtobufFormat().parse('syntax = "proto2"; message M { required int32 a = 1; }')
    compiled = parsed.compiled()
    descriptor = compiled.message("M")
    read = make_reader(descriptor, ToConnect(OPTIONS, compiled).convert(descriptor), compiled, OPTIONS)
    with pytest.raises(DataError, match="missing required fields: a"):
        read(b"")


@pytest.mark.parametrize("kind", ["uint32", "fixed32"])
def test_a_negative_number_is_not_written_as_an_unsigned_one_of_32_bits(kind: str) -> None:
    drop_mock("unsigned")
    client = mock_client("unsigned", normalized_text)
    client.register("t-value", f'syntax = "proto3"; message M {{ {kind} n = 1; }}', "PROTOBUF", [])
    made = ProtobufConverter()
    made.configure(
        {"schema.registry.url": "mock://unsigned", "auto.register.schemas": "false", "use.latest.version": "true",
         "latest.compatibility.strict": "false"}, is_key=False,
    )  # fmt: skip
    schema = SchemaBuilder.struct().name("M").field("n", INT32).build()
    assert made.to_connect("t", made.from_connect("t", schema, {"n": 2**31 - 1})).value == {"n": 2**31 - 1}
    with pytest.raises(DataError, match="Value -1 does not fit") as caught:
        made.from_connect("t", schema, {"n": -1})
    assert "Field: n" in caught.value.__notes__
