"""Converters of single values."""

from __future__ import annotations

import importlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import KAFKA_VERSION
from penstock.api import Converter, HeaderConverter
from penstock.data import FLOAT32, INT32, INT64, STRING, SchemaAndValue, java_class_name
from penstock.errors import ConfigError, DataError, SerializationError
from penstock_converters import plugin, simple

PLUGINS = {p.name: p for p in plugin.penstock_register_header_converters()}


def configured(name: str, **settings: str):
    module, _, attribute = PLUGINS[name].target.partition(":")
    converter = getattr(importlib.import_module(module), attribute)()
    converter.configure({key.replace("_", "."): value for key, value in settings.items()}, is_key=False)
    return converter


@pytest.mark.parametrize("name", PLUGINS)
def test_every_plugin_is_found_under_its_jvm_name_and_follows_kafka(name):
    module, _, attribute = PLUGINS[name].target.partition(":")
    made = getattr(importlib.import_module(module), attribute)
    assert PLUGINS[name].aliases[0].rpartition(".")[2] == made.__name__
    assert made.version == KAFKA_VERSION
    assert issubclass(made, HeaderConverter)
    assert issubclass(made, Converter) == (name != "simple")
    assert all(key.doc for key in made.config_def().keys)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("short", st.integers(-(2**15), 2**15 - 1)),
        ("integer", st.integers(-(2**31), 2**31 - 1)),
        ("long", st.integers(-(2**63), 2**63 - 1)),
        ("float", st.floats(width=32, allow_nan=False)),
        ("double", st.floats(allow_nan=False)),
        ("boolean", st.booleans()),
        ("bytearray", st.binary()),
        ("string", st.text()),
    ],
)
def test_values_come_back(name, values):
    converter = configured(name)

    @given(values | st.none())
    def check(value):
        back = converter.to_connect("t", converter.from_connect("t", None, value))
        assert back.value == value
        assert back.schema.optional

    check()


@pytest.mark.parametrize("name", [n for n in PLUGINS if n != "simple"])
@given(data=st.binary(max_size=12))
def test_any_bytes_are_read_or_refused_as_data_errors(name, data):
    try:
        result = configured(name).to_connect("t", data)
    except DataError:
        return
    assert isinstance(result, SchemaAndValue)


@pytest.mark.parametrize(
    ("name", "schema", "value", "message"),
    [
        ("long", INT32, 5, "Failed to serialize to long (was class java.lang.Integer): "),
        ("integer", None, True, "Failed to serialize to integer (was class java.lang.Boolean): "),
        ("short", None, 40000, "Failed to serialize to short: 40000 is out of range"),
        ("double", FLOAT32, 1.0, "Failed to serialize to double (was class java.lang.Float): "),
        ("bytearray", STRING, b"a", "Invalid schema type for ByteArrayConverter: STRING"),
        ("boolean", None, 1, "BooleanConverter is not compatible with objects of type class java.lang.Long"),
    ],
)
def test_what_cannot_be_written_is_refused(name, schema, value, message):
    with pytest.raises(DataError) as caught:
        configured(name).from_connect("t", schema, value)
    assert str(caught.value) == message


def test_bytes_of_a_wrong_length_are_refused():
    with pytest.raises(DataError, match=r"Failed to deserialize integer: ") as caught:
        configured("integer").to_connect("orders", b"abc")
    assert "Size of data is not 4 (integer): topic orders, 3 bytes" in str(caught.value.__cause__)


def test_a_double_too_large_for_a_float_becomes_infinite():
    converter = configured("float")
    assert converter.to_connect("t", converter.from_connect("t", None, 1e300)).value == math.inf


@pytest.mark.parametrize(
    ("encoding", "text", "data"),
    [
        ("UTF-8", "é\ud800", b"\xc3\xa9?"),
        ("utf8", "é", b"\xc3\xa9"),
        ("ISO-8859-1", "é中", b"\xe9?"),
        ("UTF-16", "a", b"\xfe\xff\x00a"),
        ("UTF-16", "", b""),
        ("UTF-16LE", "a", b"a\x00"),
        ("windows-1252", "€", b"\x80"),
    ],
)
def test_text_is_written_in_javas_character_sets(encoding, text, data):
    assert configured("string", converter_encoding=encoding).from_connect("t", STRING, text) == data


def test_malformed_text_is_replaced_as_java_replaces_it():
    assert (
        configured("string").to_connect("t", b"a\xed\xa0\x80b\xff").value
        == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    )
    wide = configured("string", converter_encoding="UTF-16")
    assert wide.to_connect("t", b"\x00a").value == "a"
    assert wide.to_connect("t", b"\xff\xfea\x00").value == "a"


@pytest.mark.parametrize("encoding", ["nope", "base64", "rot13"])
def test_an_unknown_character_set_is_refused(encoding):
    with pytest.raises(SerializationError, match=f"Unsupported encoding {encoding}"):
        configured("string", converter_encoding=encoding)


def test_a_use_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"converter.type: String must be one of: key, value, header"):
        configured("long", converter_type="zzz")


def test_headers_say_their_own_type():
    converter = simple.SimpleHeaderConverter()
    converter.configure({"converter.type": "header"})
    for value, text in ((5, b"5"), ([1, "a"], b'[1,"a"]'), ("x", b"x"), (None, None)):
        assert converter.from_connect_header("t", "h", None, value) == text
    assert converter.to_connect_header("t", "h", b"5000000000") == SchemaAndValue(INT64, 5_000_000_000)
    assert java_class_name(converter.to_connect_header("t", "h", b'[1,"a"]').value[0]) == "java.lang.Byte"
