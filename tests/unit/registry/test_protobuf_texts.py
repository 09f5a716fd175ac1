"""What the registry keeps of a .proto text: it reads back as the same file, protoc takes it, and it means the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from hypothesis import given
from hypothesis import strategies as st

from penstock.api import InvalidSchemaError, SchemaReference
from penstock_registry.formats.protobuf import ProtobufFormat
from penstock_registry.formats.protobuf.escapes import escaped, unescaped

FORMAT = ProtobufFormat()
RULES = """syntax = "proto2";
package ex;
import "google/protobuf/descriptor.proto";
message Rules { optional string pat = 1; extensions 100 to 200; }
message Box { optional Rules str = 1; repeated bytes raw = 2; }
extend Rules { optional bool mine = 100; }
extend google.protobuf.FieldOptions { optional Box box = 50000; }
"""

TEXTS = {
    "an option's path leads through an extension": RULES + "message A { optional string s = 1 [(box).str.(ex.mine) = true]; }",
    "a path names the extension in full": RULES + "message A { optional string s = 1 [(.ex.box).str.(.ex.mine) = true]; }",
    "an aggregate names an extension": RULES + "message A { optional string s = 1 [(box).str = { pat: 'a' [ex.mine]: true }]; }",
    "bytes in an option": RULES + r"""message A { optional string s = 1 [(box).raw = "\377\000x", (box).raw = "\xc3\xa9\u00e9"]; }""",
    "defaults of bytes": r"""syntax = "proto2"; message A {
        optional bytes a = 1 [default = "\377\000x"]; optional bytes b = 2 [default = "a b"]; optional bytes c = 3 [default = ""];
        optional bytes d = 4 [default = "\"\\\'\n\t"]; optional bytes e = 5 [default = "é"]; optional bytes f = 6 [default = "a" 'b']; }""",
    "defaults of other types": r"""syntax = "proto2"; message A { enum E { X = 0; Y = -1; }
        optional string a = 1 [default = "a \"b\" \u00e9 'c'"]; optional double b = 2 [default = -inf]; optional float c = 3 [default = nan];
        optional int32 d = 4 [default = -0x10]; optional bool e = 5 [default = true]; optional E f = 6 [default = Y];
        optional double g = 7 [default = .5]; optional double h = 8 [default = 1e300]; optional uint64 i = 9 [default = 18446744073709551615]; }""",
    "enums among messages": """syntax = "proto3"; package p; enum First { A = 0; } message M { enum E { B = 0; } message N { int32 a = 1; }
        E e = 1; N n = 2; First f = 3; } message Last { M.N n = 1; }""",
    "names go on after a line's end": """syntax = "proto3"; package p
        .q; message Outer { enum Kind { A = 0; } message In {} }
        message M { p.q.Outer
            .Kind kind = 1; map<string, .p.q // here
            .Outer . In> ins = 2; }
        service S { rpc Do (p.q
            .M) returns (stream .p
            .q.M); }""",
    "a label before a full name": 'syntax = "proto2"; package p; message M { repeated .p.M ms = 1; optional .p.M m = 2; }',
    "groups": """syntax = "proto2"; message M { optional group G = 1 [deprecated = true] { reserved 5 to 7; optional int32 a = 1;
        message Deep { optional int32 b = 1; } optional Deep d = 2; oneof o { string s = 3; } repeated group In = 4 { optional int32 c = 1; } }
        oneof choice { group C = 2 { optional int32 z = 1; } } extensions 100 to max; }
        extend M { repeated group Ext = 100 { optional int32 e = 1; } }""",
    "reserved and extensions": """syntax = "proto2"; message M { reserved 9, 5 to 7, 3; reserved "b", "a"; extensions 100 to 199, 50;
        extensions 300 to 400 [declaration = { number: 300, full_name: ".x.y", type: ".x.Z" }]; }
        enum E { reserved -5 to -2, 100 to max; reserved "Q"; A = 0; }""",
}  # fmt: skip


def protoc(text: str) -> FileDescriptorProto:
    import grpc_tools
    from grpc_tools import protoc as compiler

    include = Path(grpc_tools.__file__ or "").parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.proto").write_text(text, encoding="utf-8")
        made = Path(folder, "a.bin")
        status = compiler.main(["protoc", f"-I{folder}", f"-I{include}", f"--descriptor_set_out={made}", "a.proto"])
        assert status == 0, text
        return FileDescriptorSet.FromString(made.read_bytes()).file[0]


def meaning(descriptor: Any) -> Any:
    """A descriptor without the order of what has none: fields in and out of oneofs, nested types, extensions."""
    if isinstance(descriptor, FileDescriptorProto):
        return (
            descriptor.package, descriptor.syntax, [meaning(m) for m in descriptor.message_type],
            sorted(map(str, descriptor.enum_type)), sorted(map(str, descriptor.extension)), list(map(str, descriptor.service)),
            str(descriptor.options),
        )  # fmt: skip
    assert isinstance(descriptor, DescriptorProto)
    oneofs = [oneof.name for oneof in descriptor.oneof_decl]
    fields = []
    for field in descriptor.field:
        oneof = oneofs[field.oneof_index] if field.HasField("oneof_index") else None
        field.ClearField("oneof_index")
        fields.append((field.number, oneof, str(field)))
    parts = (descriptor.enum_type, descriptor.extension, descriptor.extension_range, descriptor.reserved_range)
    nested = sorted((meaning(m) for m in descriptor.nested_type), key=str)
    return descriptor.name, sorted(fields, key=str), nested, [sorted(map(str, part)) for part in parts], sorted(descriptor.reserved_name), str(descriptor.options)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_stored_text_is_read_again_and_means_what_protoc_says(text: str) -> None:
    parsed = FORMAT.parse(text)
    assert FORMAT.parse(parsed.canonical) == parsed
    assert meaning(protoc(parsed.canonical)) == meaning(protoc(text))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_normal_text_is_its_own_normal_form(text: str) -> None:
    normal = FORMAT.parse(text).normalized()
    assert FORMAT.parse(normal.canonical).normalized() == normal
    assert FORMAT.parse(normal.canonical).canonical == normal.canonical


def test_messages_stand_before_enums() -> None:
    text = FORMAT.parse(TEXTS["enums among messages"]).canonical
    assert text.index("message M") < text.index("message Last") < text.index("enum First")
    assert text.index("message N") < text.index("enum E")


def test_the_normal_form_has_a_line_for_each_reserved_number_and_name() -> None:
    text = FORMAT.parse(TEXTS["reserved and extensions"]).normalized().canonical
    lines = [line.strip() for line in text.split("\n")]
    reserved = [line for line in lines if line.startswith("reserved")]
    assert reserved == [
        "reserved 3;", "reserved 5 to 7;", "reserved 9;", 'reserved "a";', 'reserved "b";',
        "reserved -5 to -2;", "reserved 100 to max;", 'reserved "Q";',
    ]  # fmt: skip
    assert lines.index("extensions 50;") < lines.index("extensions 100 to 199;")


def test_bytes_that_confluent_stored_without_quotes_are_read() -> None:
    stored = "message M {\n  optional bytes y = 3 [default = ab];\n}\n"
    assert FORMAT.parse(stored) == FORMAT.parse(stored.replace("= ab", '= "ab"'))


@given(st.binary(max_size=12), st.text(max_size=6))
def test_any_bytes_survive_between_quotes(data: bytes, text: str) -> None:
    meant = (data + text.encode()).decode("utf-8", "surrogateescape")
    written = escaped(meant)
    assert unescaped(written) == meant
    written.encode()  # has a UTF-8 form, whatever it means
    assert "\n" not in written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("message A { string a = 1; }", "unexpected label: string"),
        ('syntax = "proto2"; message A { a.B b = 1; }', "unexpected label: a.B"),
        ('syntax = "proto3"; message A { string a = 1; int32 a = 2; }', "Message A declares a twice: as field a and as field a"),
        ('syntax = "proto3"; message A { string a = 1; oneof o { int32 a = 2; } }', "Message A declares a twice"),
        ('syntax = "proto3"; message A { string a = 1; message a {} }', "as field a and as message a"),
        ('syntax = "proto3"; package p; message A {} enum A { B = 0; }', "P declares A twice: as message A and as enum A"),
        ('syntax = "proto3"; package p; message A { string a = 1; oneof o { int32 b = 1; } }', "Message p.A: fields a and b both have the number 1"),
        ('syntax = "proto3"; message M { message A {} message A {} }', "Message M declares A twice"),
        ('syntax = "proto3"; enum E { A = 0; A = 1; }', "Enum E declares A twice"),
        ('syntax = "proto3"; message M {} service S { rpc A (M) returns (M); rpc A (M) returns (M); }', "Service S declares A twice"),
        ('message A { optional int32 a = 1 [default = "x y"]; }', "field a of type int32 cannot have the default 'x y'"),
        ('message A { optional bool a = 1 [default = yes]; }', "cannot have the default 'yes'"),
        ('message A { optional string a = 1 [default = b]; }', "cannot have the default 'b'"),
    ],
)  # fmt: skip
def test_what_protoc_refuses_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidSchemaError) as raised:
        FORMAT.parse(text)
    assert message in raised.value.message


def test_what_another_registry_stored_is_still_read() -> None:
    stored = "message A { string a = 1; int32 a = 2; }"
    assert FORMAT.parse_registered(stored).canonical.count("a = ") == 2


# --- who can read whom


def members(body: str) -> Any:
    return FORMAT.parse(f'syntax = "proto3"; message M {{ {body} }}')


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ("int32 a = 1; int32 b = 2;", "oneof o { int32 a = 1; int32 b = 2; }", ["MULTIPLE_FIELDS_MOVED_TO_ONEOF"]),
        ("int32 a = 1;", "oneof o { int32 a = 1; int32 c = 3; }", []),
        ("int32 a = 1; oneof o { int32 b = 2; }", "oneof o { int32 a = 1; int32 b = 2; }", ["FIELD_MOVED_TO_EXISTING_ONEOF"]),
        ("oneof o { int32 b = 2; } oneof p { int32 c = 3; }", "oneof o { int32 b = 2; int32 c = 3; }", ["FIELD_MOVED_TO_EXISTING_ONEOF"]),
        ("oneof o { int32 a = 1; int32 b = 2; }", "int32 a = 1; int32 b = 2;", []),
        ("oneof o { int32 a = 1; int32 b = 2; }", "oneof other { int32 a = 1; int32 b = 2; }", []),
        ("oneof o { int32 a = 1; int32 b = 2; }", "oneof other { int32 a = 1; }", ["ONEOF_FIELD_REMOVED"]),
        ("oneof o { int32 a = 1; int32 b = 2; }", "int32 c = 3;", []),
        ("oneof o { int32 a = 1; }", "oneof other { string a = 1; }", ["FIELD_SCALAR_KIND_CHANGED"]),
        ("oneof o { int32 a = 1; }", "string a = 1;", ["FIELD_SCALAR_KIND_CHANGED"]),
        ("string a = 1;", "oneof o { int32 a = 1; }", ["FIELD_SCALAR_KIND_CHANGED"]),
    ],
)  # fmt: skip
def test_fields_that_come_to_exclude_each_other_are_reported(old: str, new: str, kinds: list[str]) -> None:
    found = members(new).incompatibilities(members(old))
    assert [message.split('"')[1] for message in found] == kinds


def test_a_reference_s_other_version_is_compared_in_full() -> None:
    reference = [SchemaReference("d.proto", "d", 1)]
    text = 'syntax = "proto3"; package p; import "d.proto"; message M { d.D d = 1; map<string, d.D> m = 2; }'

    def with_(dependency: str) -> Any:
        return FORMAT.parse(text, reference, {"d.proto": 'syntax = "proto3"; package d; ' + dependency})

    before = with_("message D { E e = 1; D next = 2; } message E { int32 a = 1; }")
    assert (
        with_("message D { E e = 1; D next = 2; string more = 3; } message E { int64 a = 1; }").incompatibilities(
            before
        )
        == []
    )
    found = with_("message D { E e = 1; D next = 2; } message E { string a = 1; }").incompatibilities(before)
    assert {message.split('"')[1] for message in found} == {"FIELD_SCALAR_KIND_CHANGED", "FIELD_NAMED_TYPE_CHANGED"}
    assert any("'#/E/1'" in message for message in found)
