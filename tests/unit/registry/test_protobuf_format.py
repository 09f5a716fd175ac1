"""The Protobuf schema language: texts, checks, normal form, descriptors, and who can read whom."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import given
from hypothesis import strategies as st

from penstock.api import InvalidSchemaError, SchemaReference
from penstock_registry.formats.avro import AvroFormat
from penstock_registry.formats.protobuf import ProtobufFormat, message_indexes

FORMAT = ProtobufFormat()
CORPUS = Path(__file__).parents[2] / "vectors" / "compat_protobuf.jsonl"
VERDICTS = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").split("\n") if line]

EVERYTHING = """
// a comment
syntax = "proto2"; /* another */
package a.b;
import "google/protobuf/timestamp.proto"; import public 'google/protobuf/any.proto';
option java_package = "x.y"; option (my.opt).deep.er = { a: 1 b: "q" c { d: [1, 2] } };
message M {
  option deprecated = true;
  reserved 5, 7 to 9, 100 to max; reserved "old", "older";
  required string s = 1 [default = "d\\"q", json_name = "sj"];
  repeated .a.b.E e = 2 [packed = true, (my.field) = "v"];
  map < string , M.N > m = 3;
  optional google.protobuf.Timestamp t = 4;
  optional bytes y = 11 [default = "ab"];
  oneof o { int32 a = 20; N n = 21 [deprecated = true]; }
  optional group G = 30 { optional int32 x = 31; }
  extensions 200 to 299;
  message N { }
  enum Inner { reserved 3; Z = 0x0; }
  extend M { optional int32 ext = 200; }
}
enum E { option allow_alias = true; A = 0; B = -1 [deprecated = true]; C = -1; }
extend M { optional string more = 201; }
service S { option deprecated = true; rpc Do (M) returns (stream M.N); rpc Re(stream M) returns (M) { option deprecated = true; } }
"""
EVERYTHING_TEXT = r"""syntax = "proto2";
package a.b;

import "google/protobuf/timestamp.proto";
import public "google/protobuf/any.proto";

option java_package = "x.y";
option (my.opt).deep.er = {
  a: 1,
  b: "q",
  c: {
    d: [
      1,
      2
    ]
  }
};

message M {
  reserved 5, 7 to 9, 100 to max;
  reserved "old", "older";

  option deprecated = true;

  required string s = 1 [
    default = "d\"q",
    json_name = "sj"
  ];
  repeated .a.b.E e = 2 [
    packed = true,
    (my.field) = "v"
  ];
  map<string, M.N> m = 3;
  optional google.protobuf.Timestamp t = 4;
  optional bytes y = 11 [default = "ab"];

  oneof o {
    int32 a = 20;
    N n = 21 [deprecated = true];
  }

  optional group G = 30 {
    optional int32 x = 31;
  }

  extensions 200 to 299;

  extend M {
    optional int32 ext = 200;
  }

  message N {}
  enum Inner {
    reserved 3;
    Z = 0;
  }
}
enum E {
  option allow_alias = true;
  A = 0;
  B = -1 [deprecated = true];
  C = -1;
}

extend M {
  optional string more = 201;
}

service S {
  option deprecated = true;

  rpc Do (M) returns (stream M.N);
  rpc Re (stream M) returns (M) {
    option deprecated = true;
  };
}
"""


def test_every_declaration_has_its_form() -> None:
    canonical = FORMAT.parse(EVERYTHING).canonical
    assert [line.rstrip() for line in canonical.split("\n")] == EVERYTHING_TEXT.split("\n")
    assert FORMAT.parse(canonical).canonical == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('syntax = "proto3"; message A { Nope a = 1; }', "Could not resolve type: Nope"),
        ('edition = "2023"; message A { }', "Could not parse Protobuf - Syntax error in :1:8: edition is not currently supported"),
        ("message A {", "Syntax error in :1:12"),
        ('syntax = "proto3";\nmessage A { string a = x; }', "in :2:23: expected an integer but was x"),
        ('syntax = "proto4";', "unexpected syntax: proto4"),
        ("message A { optional string a = 1 }", "expected ';'"),
        ("message A { oneof o { repeated string a = 1; } }", "a field of a oneof has no label"),
        ("message A { /* never closed", "unterminated comment"),
        ('import "x', "unterminated string"),
        ("hello world", "unexpected label: hello"),
        ('{"type": "string"}', "expected a word"),
        ("message A {" * 200, "nested more than 100 deep"),
        ("option a = " + "{a:" * 200, "nested more than 100 deep"),
        ('syntax = "proto3"; import "missing.proto"; message A { x.Y y = 1; }', "Could not resolve type: x.Y"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(InvalidSchemaError) as caught:
        FORMAT.parse(text)
    assert message in caught.value.message


@given(st.text(alphabet="messagenuo{}[]()<>=;,.\"'/*:-\\ \n019x", max_size=60))
def test_any_text_is_parsed_or_refused(noise: str) -> None:
    for text in (noise, f"message A {{ {noise} }}", f"option a = {noise};"):
        try:
            parsed = FORMAT.parse(text)
        except InvalidSchemaError:
            continue
        assert FORMAT.parse(parsed.canonical).canonical == parsed.canonical


def test_the_name_is_that_of_the_first_message() -> None:
    assert FORMAT.parse("package p; enum E { A = 0; } message M { } message N { }").name == "p.M"
    assert FORMAT.parse("enum E { A = 0; }").name == "E"
    assert FORMAT.parse('syntax = "proto3";').name is None


def test_references_are_resolved_by_import() -> None:
    resolved = {
        "inner.proto": 'syntax = "proto3"; package i; message I { }',
        "outer.proto": 'syntax = "proto3"; import public "inner.proto";',
    }
    references = [SchemaReference("outer.proto", "o", 1)]
    text = 'syntax = "proto3"; import "outer.proto"; message M { i.I x = 1; }'
    parsed = FORMAT.parse(text, references, resolved)
    assert parsed.compiled().message("M").fields[0].message_type.full_name == "i.I"
    assert parsed.references == (SchemaReference("outer.proto", "o", 1),)
    assert parsed != FORMAT.parse(text, [SchemaReference("outer.proto", "o", 2)], resolved)
    with pytest.raises(InvalidSchemaError, match=r"Reference inner\.proto: .*Syntax error"):
        FORMAT.parse(text, references, {**resolved, "inner.proto": "message"})


def test_types_of_a_reference_are_found_under_whatever_name_it_has() -> None:
    resolved = {"other.proto": 'syntax = "proto3"; package q; message Ad { string s = 1; }'}
    text = 'syntax = "proto3"; package q; import "ad.proto"; message Pe { q.Ad a = 1; }'
    parsed = FORMAT.parse(text, [SchemaReference("other.proto", "s", 1)], resolved)
    assert parsed.compiled().message("Pe").fields[0].message_type.full_name == "q.Ad"


def test_the_normal_form_has_one_order_and_full_names() -> None:
    parsed = FORMAT.parse(
        'syntax = "proto3"; package x;'
        'import "google/protobuf/duration.proto"; import "google/protobuf/any.proto";'
        'option java_package = "j"; option go_package = "g";'
        "message B { A.N b = 2 [deprecated = true, (o) = 1]; .x.A c = 3; google.protobuf.Any d = 1; map<string, A> m = 4; }"
        "message A { message N { } } enum E { Z = 0; Y = 2; X = 1; }"
    )
    assert parsed.normalized().canonical == (
        'syntax = "proto3";\npackage x;\n\nimport "google/protobuf/any.proto";\nimport "google/protobuf/duration.proto";\n'
        '\noption go_package = "g";\noption java_package = "j";\n'
        "\nmessage B {\n  .google.protobuf.Any d = 1;\n"
        "  .x.A.N b = 2 [\n    deprecated = true,\n    (o) = 1\n  ];\n  .x.A c = 3;\n  map<string, .x.A> m = 4;\n}\n"
        "message A {\n  message N {}\n}\nenum E {\n  Z = 0;\n  X = 1;\n  Y = 2;\n}\n"
    )
    again = FORMAT.parse(parsed.normalized().canonical)
    assert again.normalized() == again


def test_a_serialized_descriptor_is_given_and_taken() -> None:
    text = (
        'syntax = "proto3"; package p; import "google/protobuf/timestamp.proto"; option java_package = "j";'
        'message M { int32 a = 1 [(confluent.field_meta) = { params: [{key: "connect.type", value: "int8"}] }];'
        " optional string b_c = 2; oneof o { google.protobuf.Timestamp t = 3; E e = 4; } map<string, N> m = 5;"
        ' repeated int32 r = 6 [packed = false, json_name = "rr"]; message N { reserved 3, 5 to 9; reserved "x"; }'
        " enum E { A = 0; } }"
    )
    parsed = FORMAT.parse(text)
    serialized = parsed.formatted("serialized")
    file = FileDescriptorProto.FromString(base64.b64decode(serialized))
    assert file.message_type[0].field[0].type == file.message_type[0].field[0].TYPE_MESSAGE  # the oneof's come first
    back = FORMAT.parse(serialized)
    assert FORMAT.parse(back.formatted("serialized")) == back
    assert back.canonical == (
        'syntax = "proto3";\npackage p;\n\nimport "google/protobuf/timestamp.proto";\n\noption java_package = "j";\n\n'
        "message M {\n"
        "  int32 a = 1 [(confluent.field_meta) = {\n    params: [\n      {\n"
        '        value: "int8",\n        key: "connect.type"\n      }\n    ]\n  }];\n'
        "  optional string b_c = 2;\n  repeated .p.M.MEntry m = 5;\n"
        '  repeated int32 r = 6 [\n    packed = false,\n    json_name = "rr"\n  ];\n'
        "\n  oneof o {\n    .google.protobuf.Timestamp t = 3;\n    .p.M.E e = 4;\n  }\n"
        '\n  message N {\n    reserved 3;\n    reserved 5 to 9;\n    reserved "x";\n  }\n'
        "  message MEntry {\n    option map_entry = true;\n  \n    string key = 1;\n    .p.M.N value = 2;\n  }\n"
        "  enum E {\n    A = 0;\n  }\n}\n"
    )
    assert back.normalized().canonical.count("map<string, .p.M.N> m = 5;") == 1
    assert back.incompatibilities(parsed) == parsed.incompatibilities(back) == []
    assert parsed.formatted("nope") == parsed.canonical


def test_extensions_can_be_left_out_of_the_text() -> None:
    text = FORMAT.parse(EVERYTHING).formatted("ignore_extensions")
    assert "my." not in text
    assert "extend" not in text.replace("extensions", "")
    assert "deprecated = true" in text


def test_messages_are_found_by_their_indexes() -> None:
    parsed = FORMAT.parse(
        "package p; message A { } enum E { X = 0; } message B { enum F { Y = 0; } message C { message D { } } }"
    )
    compiled = parsed.compiled()
    assert compiled.message_at([0]).full_name == "p.A"
    assert compiled.message_at([1, 0, 0]).full_name == "p.B.C.D"
    assert message_indexes(parsed.file, "p.B.C.D") == [1, 0, 0]
    assert message_indexes(parsed.file, "p.Unknown") == []
    for wrong in ([2], [1, 1], [-1], [0, 0]):
        with pytest.raises(InvalidSchemaError, match="Invalid message indexes"):
            compiled.message_at(wrong)


def worded(messages: list[str], new: str, old: str) -> list[str]:
    return [m.replace("%new%", new).replace("%old%", old) for m in messages]


def reasons(case: dict[str, Any]) -> list[str]:
    level, new = case["level"], FORMAT.parse(case["new"])
    earlier = [case["old"]] if isinstance(case["old"], str) else list(reversed(case["old"]))
    found: list[str] = []
    for text in earlier if level.endswith("_TRANSITIVE") else earlier[:1]:
        old = FORMAT.parse(text)
        if level.startswith(("FORWARD", "FULL")):
            found += worded(old.incompatibilities(new), "old", "new")
        if level.startswith(("BACKWARD", "FULL")):
            found += worded(new.incompatibilities(old), "new", "old")
    return found


def test_the_verdicts_and_words_are_confluent_s() -> None:
    assert len(VERDICTS) > 400
    for case in VERDICTS:
        met = reasons(case)
        assert (not met) is case["compatible"], case
        recorded = [m for m in case.get("messages") or () if m.startswith("{errorType")]
        if recorded:
            assert sorted(met) == sorted(recorded), case


def test_another_language_is_never_compatible() -> None:
    met = FORMAT.parse("message A { }").incompatibilities(AvroFormat().parse('"int"'))
    assert met == ["Incompatible because of different schema type"]


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ("optional int32", "repeated int32", False),
        ("repeated bool", "optional bool", False),
        ("optional E", "repeated int64", False),
        ("int32", "repeated int32", True),
        ("optional int32", "int32", True),
        ("optional string", "repeated bytes", True),
        ("optional M", "repeated M", True),
    ],
)
def test_a_number_s_label_is_part_of_its_bytes(old: str, new: str, fits: bool) -> None:
    """``FieldSchemaDiff.compareScalarTypes``: only where both have a label, and only numbers and enums."""
    before, after = (
        ProtobufFormat().parse(f'syntax = "proto3"; message A {{ {kind} a = 1; }} message M {{}} enum E {{ X = 0; }}')
        for kind in (old, new)
    )
    found = after.incompatibilities(before)
    assert not found if fits else "FIELD_NUMERIC_LABEL_CHANGED" in found[0]
