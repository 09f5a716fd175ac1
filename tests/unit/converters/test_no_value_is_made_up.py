"""JSON that does not fit its schema is an error that names the field; what fits one way only is read that way."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from penstock.data import (
    DATE,
    FLOAT32,
    FLOAT64,
    STRING,
    TIME,
    TIMESTAMP,
    FarDate,
    Schema,
    SchemaAndValue,
    SchemaBuilder,
    Type,
    decimal_schema,
)
from penstock.data.logical import MILLIS_PER_DAY
from penstock.errors import DataError
from penstock_converters.blame import names_a_field
from penstock_converters.json.converter import JsonConverter
from penstock_converters.json.text import loads
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

REGISTRY = "made-up-values"
ONE_OF = "io.confluent.connect.json.OneOf.field."


@pytest.fixture(autouse=True)
def registry() -> MemoryClient:
    drop_mock(REGISTRY)
    return mock_client(REGISTRY, normalized_text)


def json_schema_converter(**settings: str) -> JsonSchemaConverter:
    made = JsonSchemaConverter()
    given = {key.replace("_", "."): value for key, value in settings.items()}
    made.configure({"schema.registry.url": f"mock://{REGISTRY}", **given}, is_key=False)
    return made


def json_converter(**settings: str) -> JsonConverter:
    made = JsonConverter()
    made.configure({key.replace("_", "."): value for key, value in settings.items()}, is_key=False)
    return made


def read_json_schema(registry: MemoryClient, schema: Any, document: Any, **settings: str) -> SchemaAndValue:
    number = registry.register("t-value", json.dumps(schema), "JSON", []).id
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return json_schema_converter(**settings).to_connect("t", b"\x00" + number.to_bytes(4, "big") + text)


def read_envelope(schema: str, payload: str) -> Any:
    return (
        json_converter(lossy_reads="fail").to_connect("t", f'{{"schema":{schema},"payload":{payload}}}'.encode()).value
    )


def field_of(error: BaseException) -> str:
    assert names_a_field(error)
    return f"{error} {' '.join(getattr(error, '__notes__', ()))}"


# --- wrong types and ranges


WRONG = [
    ("int8", ["128", "-129", '"1"', "true", "1.5", "[1]", "{}", "1e999999999", "-1e999999999", "1e-999999999"]),
    ("int32", ["2147483648", '"x"', "3.9", "1e10"]),
    ("int64", ["9223372036854775808", "1180591620717411303424", "0.1", "1" + "0" * 900]),
    ("float", ["1e39", '"1"', "[]", "1" + "0" * 400]),
    ("double", ["1e400", "-1e400", '"1.0"', '{"a":1}', "true", "1" + "0" * 400]),
    ("boolean", ["1", '"true"', "[]"]),
    ("string", ["1", "true", "1.5", "[]", "{}"]),
    ("bytes", ["1", "[1]", '"?"']),
]


@pytest.mark.parametrize(("kind", "payload"), [(kind, payload) for kind, payloads in WRONG for payload in payloads])
@pytest.mark.parametrize(
    ("around", "place"),
    [
        ('{"type":"struct","fields":[{"field":"outer","type":"struct","fields":[%s]}]}', '{"outer":{"f":%s}}'),
        ('{"type":"struct","fields":[{"field":"f","type":"array","items":%s}]}', '{"f":[%s]}'),
        (
            '{"type":"struct","fields":[{"field":"f","type":"map","keys":{"type":"string"},"values":%s}]}',
            '{"f":{"k":%s}}',
        ),
    ],
)
def test_an_envelope_whose_payload_does_not_fit_is_an_error_that_names_the_field(
    kind: str, payload: str, around: str, place: str
) -> None:
    schema = around % f'{{"type":"{kind}","field":"f"}}'
    for _ in range(2):  # the second time its schema is known
        with pytest.raises(DataError) as caught:
            read_envelope(schema, place % payload)
        assert {"outer": "outer.f", "array": "f[0]", "map": "f['k']"}[
            next(word for word in ("outer", "array", "map") if word in around)
        ] in field_of(caught.value)


@pytest.mark.parametrize(
    ("schema", "document", "field"),
    [
        ({"type": "array", "items": {"type": "number"}}, ["x", [1]], "a[0]"),
        ({"type": "array", "items": {"type": "number"}}, [1, {"b": 2}], "a[1]"),
        ({"type": "array", "items": {"type": "number"}}, {"b": 2}, "a"),
        ({"type": "integer"}, 2**63, "a"),
        ({"type": "integer"}, 2**70, "a"),
        ({"type": "integer"}, 1.5, "a"),
        ({"type": "integer", "connect.type": "int8"}, 200, "a"),
        ({"type": "boolean"}, "true", "a"),
        ({"type": "string"}, 1, "a"),
        ({"enum": ["A", "B"]}, 1, "a"),
        ({"enum": [1, 2]}, 3, "a"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"k": "x"}, "a['k']"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [1], "a"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, [1], "a"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, 2**63, "a"),
    ],
)
def test_a_document_that_does_not_fit_its_schema_is_an_error_that_names_the_field(
    registry: MemoryClient, schema: Any, document: Any, field: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_json_schema(registry, {"type": "object", "properties": {"a": schema}}, {"a": document})
    assert field in field_of(caught.value)


def test_the_error_that_the_docs_show_is_the_error_that_comes(registry: MemoryClient) -> None:
    lines = {
        "type": "array",
        "items": {"type": "object", "properties": {"qty": {"type": "integer", "connect.type": "int8"}}},
    }
    document = {"lines": [{"qty": 1}, {"qty": 2}, {"qty": 300}]}
    with pytest.raises(DataError) as caught:
        read_json_schema(registry, {"type": "object", "properties": {"lines": lines}}, document)
    page = (Path(__file__).parents[3] / "docs/converters.md").read_text("utf-8")
    assert f"\n{caught.value}\n" in page


def test_an_empty_document_is_no_number(registry: MemoryClient) -> None:
    with pytest.raises(DataError, match="expected a whole number"):
        read_json_schema(registry, {"type": "integer"}, b"")


@pytest.mark.parametrize("payload", [str(2**63), str(-(2**63) - 1), "1" + "0" * 999])
def test_a_number_beyond_64_bits_without_a_schema_is_an_error_that_names_the_field(payload: str) -> None:
    with pytest.raises(DataError) as caught:
        json_converter(schemas_enable="false", lossy_reads="fail").to_connect(
            "t", f'{{"a":[1,{{"b":{payload}}}]}}'.encode()
        )
    assert "a[1].b" in field_of(caught.value)


def test_a_double_beyond_all_doubles_without_a_schema_is_an_error() -> None:
    with pytest.raises(DataError, match="FLOAT64"):
        json_converter(schemas_enable="false", lossy_reads="fail").to_connect("t", b'{"a":1e400}')


# --- JsonConverter as it is without lossy.reads=fail


AS_KAFKA = [
    ("int8", "128", -128),
    ("int8", '"1"', 0),
    ("int32", "3.9", 3),
    ("int32", "1e999999999", 0),
    ("int64", str(2**63), -(2**63)),
    ("float", "1e39", math.inf),
    ("double", "-1e400", -math.inf),
    ("double", '{"a":1}', 0.0),
    ("boolean", "1", False),
    ("string", "5", None),
    ("bytes", "[1]", None),
]


@pytest.mark.parametrize(("kind", "payload", "value"), AS_KAFKA)
@pytest.mark.parametrize("times", [1, 3])
def test_json_that_does_not_fit_its_schema_is_read_as_kafka_reads_it_and_told_once(
    caplog: pytest.LogCaptureFixture, kind: str, payload: str, value: Any, times: int
) -> None:
    made = json_converter()
    schema = f'{{"type":"struct","fields":[{{"field":"outer","type":"struct","fields":[{{"type":"{kind}","optional":true,"field":"f"}}]}}]}}'
    envelope = f'{{"schema":{schema},"payload":{{"outer":{{"f":{payload}}}}}}}'.encode()
    for _ in range(times):
        assert made.to_connect("t", envelope).value == {"outer": {"f": value}}
    (told,) = caplog.messages
    assert "field outer.f" in told
    assert "lossy.reads=fail" in told
    assert payload not in told.replace("(field outer.f)", "")  # the log has no data of records


@pytest.mark.parametrize("kind", ["string", "bytes"])
def test_a_required_text_in_a_struct_is_never_null(kind: str) -> None:
    schema = f'{{"type":"struct","fields":[{{"field":"f","type":"{kind}"}}]}}'
    with pytest.raises(DataError) as caught:
        json_converter().to_connect("t", f'{{"schema":{schema},"payload":{{"f":5}}}}'.encode())
    assert "f" in field_of(caught.value)


def test_numbers_beyond_64_bits_without_a_schema_are_read_as_kafka_reads_them(caplog: pytest.LogCaptureFixture) -> None:
    made = json_converter(schemas_enable="false")
    document = f'{{"a":[{2**63},1e400]}}'.encode()
    assert made.to_connect("t", document).value == {"a": [-(2**63), math.inf]}
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("schema", [FLOAT32, FLOAT64])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_number_for_is_read_as_it_was_written(schema: Schema, number: float) -> None:
    struct = SchemaBuilder.struct().field("a", schema).build()
    for made in (json_converter(), json_schema_converter()):
        back = made.to_connect("t", made.from_connect("t", struct, {"a": number})).value["a"]
        assert back == number or (math.isnan(back) and math.isnan(number))


# --- dates


@pytest.mark.parametrize("make", [json_converter, json_schema_converter])
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (DATE, 2**31 * MILLIS_PER_DAY),
        (DATE, 19675925927 * MILLIS_PER_DAY),
        (TIME, MILLIS_PER_DAY + 1),
        (TIMESTAMP, 2**63),
    ],
)
def test_a_date_beyond_its_range_is_an_error_that_names_the_field(
    make: Callable[[], Any], schema: Schema, value: int
) -> None:
    struct = SchemaBuilder.struct().field("when", schema).build()
    with pytest.raises(DataError) as caught:
        make().from_connect("t", struct, {"when": value})
    assert "when" in field_of(caught.value)


def test_a_date_at_the_ends_of_its_range_is_written_and_read() -> None:
    for days in (2**31 - 1, -(2**31)):
        made = json_converter()
        value = days * MILLIS_PER_DAY
        assert made.to_connect("t", made.from_connect("t", DATE, value)).value == value


def test_a_date_without_a_schema_is_refused_however_far_it_is() -> None:
    with pytest.raises(DataError, match="does not have corresponding schema type"):
        json_converter(schemas_enable="false").from_connect("t", None, {"a": FarDate(10**15)})


# --- branches of unions


def shape(title: str, items: Any) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {"type": {"type": "string", "enum": [title]}, "coordinates": {"type": "array", "items": items}},
    }


NUMBER = {"type": "number"}
SHAPES = [shape("Point", NUMBER), shape("Line", {"type": "array", "items": NUMBER})]
TAGGED = [
    {"type": "object", "properties": {"kind": {"const": kind, "type": "string"}, "v": {"type": "number"}}, "required": ["kind"]}
    for kind in ("a", "b", "c")
]  # fmt: skip


@pytest.mark.parametrize("word", ["oneOf", "anyOf"])
@pytest.mark.parametrize(
    ("branches", "document", "chosen", "value"),
    [
        (SHAPES, {"type": "Line", "coordinates": [[1, 2], [3, 4]]}, 1, {"type": "Line", "coordinates": [[1, 2], [3, 4]]}),
        (SHAPES, {"type": "Point", "coordinates": [1, 2]}, 0, {"type": "Point", "coordinates": [1, 2]}),
        (SHAPES, {"type": "Line", "coordinates": []}, 1, {"type": "Line", "coordinates": []}),
        ([{"enum": ["A"]}, {"type": "string"}], "B", 1, "B"),
        ([{"enum": ["A"]}, {"type": "string"}], "A", 0, "A"),
        ([{"enum": [1, 2]}, {"type": "integer"}], 2, 1, 2),
        ([{"type": "integer", "maximum": 9}, {"type": "integer"}], 10, 1, 10),
        ([{"type": "string", "maxLength": 2}, {"type": "string"}], "abc", 1, "abc"),
        ([{"type": "integer"}, NUMBER], 1.5, 1, 1.5),
        ([{"type": "array", "items": {"type": "string"}}, {"type": "array", "items": NUMBER}], [1], 1, [1.0]),
        ([{"type": "object", "additionalProperties": {"type": "string"}}, SHAPES[0]], {"a": "x"}, 0, {"a": "x"}),
        (
            [{"type": "object", "properties": {"a": NUMBER}, "additionalProperties": False}, {"type": "object", "properties": {"b": NUMBER}}],
            {"b": 1}, 1, {"b": 1.0},
        ),
    ],
)  # fmt: skip
def test_the_branch_that_fits_is_read(
    registry: MemoryClient, word: str, branches: Any, document: Any, chosen: int, value: Any
) -> None:
    schema = {"type": "object", "properties": {"g": {word: branches}}}
    found = read_json_schema(registry, schema, {"g": document}).value["g"]
    assert {name: branch for name, branch in found.items() if branch is not None} == {f"{ONE_OF}{chosen}": value}


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_const_tells_one_branch_from_another(registry: MemoryClient, kind: int) -> None:
    schema = {"type": "object", "properties": {"g": {"oneOf": TAGGED}}}
    found = read_json_schema(registry, schema, {"g": {"kind": "abc"[kind], "v": 1}}).value["g"]
    assert found[f"{ONE_OF}{kind}"] == {"kind": "abc"[kind], "v": 1.0}


def test_a_branch_that_is_a_reference_to_the_whole_is_told_apart(registry: MemoryClient) -> None:
    schema = {
        "type": "object",
        "properties": {"next": {"oneOf": [{"$ref": "#"}, {"type": "string"}]}, "n": {"type": "integer"}},
    }
    found = read_json_schema(registry, schema, {"n": 1, "next": {"n": 2, "next": "end"}}).value
    assert found["next"][f"{ONE_OF}0"] == {"n": 2, "next": {f"{ONE_OF}0": None, f"{ONE_OF}1": "end"}}


def test_a_document_that_breaks_a_rule_of_all_branches_is_read_by_the_one_that_holds_all_of_it(
    registry: MemoryClient,
) -> None:
    schema = {"type": "object", "properties": {"g": {"oneOf": SHAPES}}}
    document = {"type": "Ring", "coordinates": [[1, 2]]}
    assert read_json_schema(registry, schema, {"g": document}).value["g"][f"{ONE_OF}1"] == document


def test_a_document_that_no_branch_can_hold_is_an_error_that_names_the_field(registry: MemoryClient) -> None:
    schema = {"type": "object", "properties": {"g": {"oneOf": SHAPES}}}
    with pytest.raises(DataError) as caught:
        read_json_schema(registry, schema, {"g": {"type": "Circle", "radius": 3}})
    assert "Circle" in str(caught.value)
    assert "g" in field_of(caught.value)


# --- other schemas that lost data


def test_an_object_of_additional_properties_is_a_map(registry: MemoryClient) -> None:
    schema = {"type": "object", "properties": {"m": {"type": "object", "additionalProperties": {"type": "integer"}}}}
    found = read_json_schema(registry, schema, {"m": {"a": 1, "b": -2}})
    assert found.value == {"m": {"a": 1, "b": -2}}
    member = found.schema.field("m")
    assert member is not None
    assert (member.schema.type, member.schema.value_schema) == (Type.MAP, Schema(Type.INT64))


@pytest.mark.parametrize("more", [True, False, {}])
def test_an_object_that_says_nothing_of_its_members_stays_a_struct(registry: MemoryClient, more: Any) -> None:
    assert read_json_schema(registry, {"type": "object", "additionalProperties": more}, {}).schema.type is Type.STRUCT


@pytest.mark.parametrize(
    "target",
    [{"type": "string", "enum": ["A", "B"]}, {"type": "string", "minLength": 1}, {"type": "string"}],
)
def test_an_all_of_of_one_is_that_schema(registry: MemoryClient, target: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"allOf": [{"$ref": "#/definitions/E"}], "description": "x", "default": "B"}},
        "definitions": {"E": target},
    }
    found = read_json_schema(registry, schema, {"a": "A"})
    assert found.value == {"a": "A"}
    member = found.schema.field("a")
    assert member is not None
    assert (member.schema.type, member.schema.doc, member.schema.default) == (Type.STRING, "x", "B")
    assert read_json_schema(registry, schema, {}).value == {"a": "B"}


def test_an_all_of_of_one_object_keeps_its_name(registry: MemoryClient) -> None:
    inner = {"title": "Inner", "type": "object", "properties": {"x": {"type": "integer"}}}
    schema = {
        "type": "object",
        "properties": {"a": {"allOf": [{"$ref": "#/definitions/I"}]}},
        "definitions": {"I": inner},
    }
    found = read_json_schema(registry, schema, {"a": {"x": 1}})
    member = found.schema.field("a")
    assert member is not None
    assert (member.schema.name, found.value) == ("Inner", {"a": {"x": 1}})


def test_an_all_of_that_only_narrows_one_type_is_that_type(registry: MemoryClient) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"allOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]}},
    }
    assert read_json_schema(registry, schema, {"a": "abc"}).value == {"a": "abc"}


def test_a_struct_without_fields_has_no_properties(registry: MemoryClient) -> None:
    empty = SchemaBuilder.struct().build()
    schema = SchemaBuilder.struct().field("e", empty).build()
    made = json_schema_converter()
    data = made.from_connect("t", schema, {"e": {}})
    text = json.loads(registry.latest("t-value").schema)
    assert text["properties"]["e"] == {"type": "object", "connect.index": 0}
    assert made.to_connect("t", data).value == {"e": {}}


@pytest.mark.parametrize("text", ["1.5", "0", "1.50", "-7"])
def test_a_decimals_default_has_the_scale_of_its_schema(registry: MemoryClient, text: str) -> None:
    member = {"type": "number", "title": decimal_schema(2).name, "connect.type": "bytes", "connect.version": 1,
              "connect.parameters": {"scale": "2"}, "default": "@"}  # fmt: skip
    schema = json.dumps({"type": "object", "properties": {"d": member}}).replace('"@"', text)
    number = registry.register("t-value", schema, "JSON", []).id
    found = json_schema_converter().to_connect("t", b"\x00" + number.to_bytes(4, "big") + b"{}")
    default = found.value["d"]
    assert (default, default.as_tuple().exponent) == (Decimal(text), -2)
    # so that it can be written where the scale has to be right
    json_schema_converter(decimal_format="BASE64").from_connect("u", found.schema, found.value)


# --- numbers with leading zeros


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"zip":00501,"n":-01}', {"zip": 501, "n": -1}),
        ("00", 0),
        ("-00", 0),
        ("000.50", 0.5),
        ("-0012.5e1", -125.0),
        ("00e1", 0.0),
        ('[001,10,100,0.001,1e05,"007","\\"007"]', [1, 10, 100, 0.001, 1e5, "007", '"007']),
        ('{"007":01}', {"007": 1}),
        ("0000000000000000000000000000000000000009", 9),
    ],
)
def test_the_json_converter_takes_leading_zeros(text: str, value: Any) -> None:
    assert json_converter(schemas_enable="false").to_connect("t", text.encode()).value == value


def test_leading_zeros_are_taken_in_an_envelope_too() -> None:
    schema = '{"type":"struct","fields":[{"field":"zip","type":"int32"}]}'
    for _ in range(2):
        assert read_envelope(schema, '{"zip":00501}') == {"zip": 501}


@pytest.mark.parametrize("text", ["0x10", "00x", "1 2 3x", '{"a":0 1}', "-", "--01", "+01", "0-1", "[01,]"])
def test_no_other_malformed_number_is_taken(text: str) -> None:
    made = json_converter(schemas_enable="false")
    if text == "1 2 3x":  # what stands after the document is none of its business
        assert made.to_connect("t", text.encode()).value == 1
        return
    with pytest.raises(DataError, match="serialization error"):
        made.to_connect("t", text.encode())


def test_the_json_schema_converter_goes_on_refusing_them(registry: MemoryClient) -> None:
    with pytest.raises(DataError):
        read_json_schema(registry, {"type": "integer"}, b"00501")


@pytest.mark.parametrize(
    "text",
    [b"[" + b"00," * 200_000, b'"' + b"\\" * 500_000, b"0" * 1_000_000 + b"x", b"00" + b'"' * 500_001, b"-0" * 300_000],
)
def test_looking_for_leading_zeros_takes_linear_time(text: bytes) -> None:
    def cost(data: bytes) -> float:
        start = time.process_time()
        with contextlib.suppress(DataError):
            loads(data, leading_zeros=True)
        return time.process_time() - start

    small, large = min(cost(text[: len(text) // 8]) for _ in range(3)), min(cost(text) for _ in range(2))
    assert large < 8 * 4 * small + 0.05


def test_a_number_of_more_digits_than_java_reads_is_refused_however_many_zeros_it_begins_with() -> None:
    made = json_converter(schemas_enable="false")
    assert made.to_connect("t", b"0" * 5000 + b"1").value == 1
    with pytest.raises(DataError):
        made.to_connect("t", b"0" * 5000 + b"1" * 1001)


# --- values that JSON cannot say


@pytest.mark.parametrize("make", [json_converter, json_schema_converter])
@pytest.mark.parametrize("number", [1e39, -3.5e38])
def test_a_number_beyond_a_32_bit_float_is_not_written_as_infinity(make: Callable[[], Any], number: float) -> None:
    struct = SchemaBuilder.struct().field("f", FLOAT32).build()
    with pytest.raises(DataError, match="beyond a 32-bit float") as caught:
        make().from_connect("t", struct, {"f": number})
    assert "f" in field_of(caught.value)


def test_a_null_key_and_the_key_null_cannot_be_in_one_object() -> None:
    entries = SchemaBuilder.map(STRING.as_optional(), STRING).build()
    struct = SchemaBuilder.struct().field("m", entries).build()
    made = json_converter(schemas_enable="false")
    assert made.from_connect("t", struct, {"m": {None: "x"}}) == b'{"m":{"null":"x"}}'
    with pytest.raises(DataError, match="one name in JSON") as caught:
        made.from_connect("t", struct, {"m": {None: "x", "null": "y"}})
    assert "m" in field_of(caught.value)
