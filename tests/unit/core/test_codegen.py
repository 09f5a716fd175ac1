"""The kit that generated code is made with, and what its users see of it when something goes wrong inside."""

from __future__ import annotations

import gc
import linecache
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import penstock.data
import penstock_connectors
import penstock_converters
from penstock.data import INT32, STRING, SchemaBuilder
from penstock.data.codegen import Source
from penstock_converters.avro.converter import AvroConverter
from penstock_converters.json.converter import JsonConverter
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

REGISTRY = "codegen"


@pytest.fixture(autouse=True)
def registry() -> MemoryClient:
    drop_mock(REGISTRY)
    return mock_client(REGISTRY, normalized_text)


def doubled() -> Callable[[int], int]:
    source = Source("a doubler", {"two": 2})
    with source.function("run", "x"):
        with source.block("if x is None:"):
            source.line(f"return {source.constant('nothing')}")
        source.line("return x * two / 0 if x == 13 else x * two")
    made: Callable[[int], int] = source.build("run")
    return made


def test_functions_find_their_names_and_constants() -> None:
    run = doubled()
    assert (run(4), run(None)) == (8, "nothing")  # type: ignore[arg-type, comparison-overlap]  # both on purpose


def test_names_are_never_the_same_twice() -> None:
    source = Source("names")
    made = [source.name("a"), source.name("a"), source.constant(1), source.constant(1)]
    assert len(set(made)) == 4


def test_functions_may_be_written_inside_one_another() -> None:
    source = Source("nested")
    with source.function("outer", "x"):
        source.line("if x:")
        source.indent += 1
        with source.function("inner", "y"):
            source.line("return y + 1")
        source.line("return inner(x)")
        source.indent -= 1
        source.line("return 0")
    assert [source.build("outer")(x) for x in (0, 1)] == [0, 2]


def test_a_traceback_shows_the_generated_line() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        doubled()(13)
    shown = "".join(traceback.format_exception(caught.value))
    assert "a doubler" in shown
    assert "return x * two / 0 if x == 13 else x * two" in shown


@pytest.mark.parametrize("title", ["a\x00b", "\ud800", "ä" * 5000, "<x>\n"])
def test_any_text_can_be_a_title(title: str) -> None:
    source = Source(title)
    with source.function("run", ""):
        source.line("return 1")
    assert source.build("run")() == 1


def test_the_lines_go_when_the_function_goes() -> None:
    made = doubled()
    file = made.__code__.co_filename
    assert linecache.getline(file, 1) == "def run(x):\n"
    del made
    gc.collect()
    assert file not in linecache.cache


SCHEMA = SchemaBuilder.struct().name("R").field("n", INT32).field("s", STRING).build()


def shown_lines(run: Callable[[], Any]) -> str:
    """Return the text of the traceback that `run` ends with."""
    try:
        run()
    except BaseException as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("make", [AvroConverter, JsonSchemaConverter, JsonConverter])
def test_a_traceback_through_a_converter_shows_the_generated_line(make: Callable[[], Any]) -> None:
    converter = make()
    converter.configure({} if make is JsonConverter else {"schema.registry.url": f"mock://{REGISTRY}"}, is_key=False)
    data = converter.from_connect("t", SCHEMA, {"n": 1, "s": "x"})
    broken = data[:-1] + b"\xff" if make is AvroConverter else data.replace(b'"x"', b"1")
    text = shown_lines(lambda: converter.to_connect("t", broken))
    assert "<generated " in text
    assert text[text.index("<generated ") :].splitlines()[1].startswith("    "), text


def test_only_the_kit_runs_generated_code() -> None:
    """A codec that called ``exec`` by itself would have neither its constants nor its tracebacks."""
    rooms = (penstock.data, penstock_converters, penstock_connectors)
    files = [file for room in rooms for file in Path(str(room.__file__)).parent.rglob("*.py")]
    users = [file.name for file in files if "exec(" in file.read_text("utf-8")]
    assert users == ["codegen.py"]
