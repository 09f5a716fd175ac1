"""Maps whose keys are structs, lists or maps, in every converter that can have such maps."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from penstock.data import INT32, STRING, Schema, SchemaBuilder
from penstock.data.keys import FrozenDict, as_key
from penstock_converters.avro.converter import AvroConverter
from penstock_converters.json.converter import JsonConverter
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

REGISTRY = "keys-of-maps"
POINT = SchemaBuilder.struct().name("Point").field("x", INT32).field("y", INT32).build()
LISTED = SchemaBuilder.struct().name("Listed").field("l", SchemaBuilder.array(INT32).build()).build()
STRUCT_KEYS = {as_key({"x": 1, "y": 2}): "a", as_key({"x": 3, "y": 4}): "b"}


@pytest.fixture(autouse=True)
def registry() -> MemoryClient:
    drop_mock(REGISTRY)
    return mock_client(REGISTRY, normalized_text)


def made_by(kind: Callable[[], Any]) -> Any:
    made = kind()
    made.configure({} if kind is JsonConverter else {"schema.registry.url": f"mock://{REGISTRY}"}, is_key=False)
    return made


def held(key: Schema) -> Schema:
    return SchemaBuilder.struct().name("R").field("m", SchemaBuilder.map(key, STRING).build()).build()


CASES: list[tuple[Any, Schema, dict[Any, str]]] = [
    (kind, POINT, STRUCT_KEYS) for kind in (AvroConverter, JsonConverter, JsonSchemaConverter, ProtobufConverter)
]
CASES += [
    (kind, LISTED, {as_key({"l": [1, 2]}): "x"})
    for kind in (AvroConverter, JsonConverter, JsonSchemaConverter, ProtobufConverter)
]
CASES += [
    (kind, SchemaBuilder.array(INT32).build(), {(1, 2): "x", (): "y"})
    for kind in (AvroConverter, JsonConverter, JsonSchemaConverter)
]
CASES += [
    (kind, SchemaBuilder.map(STRING, INT32).build(), {as_key({"a": 1}): "x"})
    for kind in (AvroConverter, JsonConverter, JsonSchemaConverter)
]


@pytest.mark.parametrize(("kind", "key", "entries"), CASES, ids=[f"{c[0].__name__}-{c[1]!r}" for c in CASES])
def test_a_map_is_read_with_the_keys_it_was_written_with(kind: Any, key: Schema, entries: dict[Any, str]) -> None:
    made = made_by(kind)
    data = made.from_connect("t", held(key), {"m": entries})
    found = made.to_connect("t", data)
    assert found.value == {"m": entries}
    again = made.from_connect("u", found.schema, found.value)
    assert made.to_connect("u", again).value == {"m": entries}


@pytest.mark.parametrize("kind", [AvroConverter, JsonConverter])
def test_keys_without_a_schema_may_be_lists_and_maps(kind: Any) -> None:
    made = made_by(kind)
    value = {(1, 2): "x", as_key({"a": [1]}): "y"}
    data = made.from_connect("t", None, value)
    if kind is JsonConverter:  # a list of pairs, which is what it stays
        assert made.to_connect("t", data).value == [[[1, 2], "x"], [{"a": [1]}, "y"]]
    else:
        assert made.to_connect("t", data).value == value


def test_a_key_equals_a_dict_of_the_same_entries_and_cannot_be_changed() -> None:
    key = as_key({"x": 1, "l": [1, [2]], "d": {"z": bytearray(b"q")}})
    assert key == {"x": 1, "l": (1, (2,)), "d": {"z": b"q"}}
    assert {key: 1}[as_key({"l": [1, [2]], "d": {"z": b"q"}, "x": 1})] == 1
    for change in (
        lambda: key.__setitem__("x", 2), lambda: key.pop("x"), lambda: key.update(x=2), lambda: key.clear(), lambda: key.__ior__({}),
        lambda: key.setdefault("n", 1), lambda: key.popitem(), lambda: key.__delitem__("x"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="cannot be changed"):
            change()


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda key: pickle.loads(pickle.dumps(key))])
def test_a_copy_of_a_key_is_that_key(again: Callable[[Any], Any]) -> None:
    key = as_key({"x": 1})
    assert again(key) == key
    assert type(again(key)) is FrozenDict
    assert hash(again(key)) == hash(key)
