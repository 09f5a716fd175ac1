"""No number from outside costs more than its text is long, whatever its value: headers, values, casts, JSON, settings, CSV.

Cost is processor time against that of an ordinary number, far apart: what worked out a power of ten took seconds.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from penstock.config import ConfigDef, ConfigType, Importance
from penstock.config.versions import VersionRange
from penstock.data import FLOAT32, FLOAT64, INT8, INT64, STRING, SchemaBuilder, SinkRecord, decimal_schema
from penstock.data.conversion import convert_to, convert_to_decimal, convert_to_integer, convert_to_string
from penstock.data.javatext import java_text
from penstock.data.logical import decimal_from_bytes, decimal_to_bytes
from penstock.data.parsing import parse_string
from penstock.errors import ConnectError
from penstock.java.numbers import decimal_to_long, java_decimal, parse_double, parse_float32, parse_int, to_float32
from penstock.storage import jsontext
from penstock_connectors.files.csv_text import text_fit
from penstock_connectors.files.fitting import Misfit
from penstock_converters.json.converter import JsonConverter
from penstock_converters.simple.header import SimpleHeaderConverter
from penstock_registry.client.memory import MemoryClient
from penstock_transforms.cast import CastValue
from penstock_transforms.date_format import DateFormat
from penstock_transforms.insert_header import InsertHeader
from penstock_transforms.mask_field import MaskFieldValue
from penstock_transforms.timestamp_converter import TimestampConverterValue

NINES = "9" * 100_000
HUGE = [
    "1e999999999", "1e-999999999", "-1e-999999999", "1E+2147483647", "1e-6000000", "9.9e99999999999999999999",
    NINES, f"-{NINES}", f"0.{NINES}", f"1{'0' * 100_000}", f"{NINES}.{NINES}", f"{NINES}e-99999", f"{'0' * 100_000}5",
    f"1e{NINES}", f"0x{NINES}p-{NINES}",
]  # fmt: skip
TYPES = ("int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string")


def transformed(transform: Any, value: Any, schema: Any = None, **config: str) -> Any:
    transform.configure({key.replace("_", "."): text for key, text in config.items()})
    return transform.apply(SinkRecord("t", 0, value=value, value_schema=schema))


def json_converter(**config: Any) -> JsonConverter:
    converter = JsonConverter()
    converter.configure(config, is_key=False)
    return converter


PLAIN = json_converter(**{"schemas.enable": "false"})
WRAPPED = json_converter(**{"schemas.enable": "true"})
ENVELOPES = {
    "float": {"type": "float"}, "double": {"type": "double"}, "long": {"type": "int64"}, "byte": {"type": "int8"},
    "decimal": {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}},
    "far decimal": {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "-999999999"}},
}  # fmt: skip
STRUCT = SchemaBuilder.struct().field("x", STRING).build()


def entries() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Yield what takes a number's text from outside, by name."""
    header = SimpleHeaderConverter()
    yield "header", lambda text: header.to_connect_header("t", "h", text.encode())
    yield "headers in a list", lambda text: header.to_connect_header("t", "h", f"[1,{text},{{a:{text}}}]".encode())
    yield (
        "header's way back",
        lambda text: java_text(parse_string(text).value) + str(convert_to_string(None, parse_string(text).value)),
    )
    yield "InsertHeader", lambda text: transformed(InsertHeader(), 1, header="h", value_literal=text)
    for schema in (INT8, INT64, FLOAT32, FLOAT64, STRING, decimal_schema(2)):
        yield f"Values to {schema.type.name}", lambda text, s=schema: convert_to(s, STRING, text)
    yield "Values to Decimal", lambda text: convert_to_decimal(STRING, text, 2)
    yield "Values of a Decimal", lambda text: convert_to_integer(None, Decimal(text), 64)
    for name in TYPES:
        yield f"Cast of text to {name}", lambda text, n=name: transformed(CastValue(), {"x": text}, spec=f"x:{n}")
        yield (
            f"Cast of a field to {name}",
            lambda text, n=name: transformed(CastValue(), {"x": text}, STRUCT, spec=f"x:{n}"),
        )
        yield (
            f"Cast of a Decimal to {name}",
            lambda text, n=name: transformed(
                CastValue(),
                {"x": Decimal(text)},
                SchemaBuilder.struct().field("x", decimal_schema(2)).build(),
                spec=f"x:{n}",
            ),
        )
    for value in (1, 1.5, "a", Decimal(1)):
        yield (
            f"MaskField of {type(value).__name__}",
            lambda text, v=value: transformed(MaskFieldValue(), {"x": v}, fields="x", replacement=text),
        )
    yield (
        "TimestampConverter",
        lambda text: transformed(TimestampConverterValue(), text, format="yyyy-MM-dd", target_type="Timestamp"),
    )
    yield "dates", lambda text: DateFormat("y-S").parse(f"{text}-{text}")
    yield "JSON without schemas", lambda text: PLAIN.to_connect("t", f'{{"x":{text}}}'.encode())
    yield "JSON written", lambda text: PLAIN.from_connect("t", None, {"x": Decimal(text)})
    for name, schema in ENVELOPES.items():
        yield (
            f"JSON {name}",
            lambda text, s=schema: WRAPPED.to_connect(
                "t", json.dumps({"schema": s, "payload": 0}).replace('"payload": 0', f'"payload": {text}').encode()
            ),
        )
    yield (
        "JSON default",
        lambda text: WRAPPED.to_connect(
            "t",
            f'{{"schema":{{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{{"scale":"9"}},"default":{text}}},"payload":null}}'.encode(),
        ),
    )
    yield (
        "scale",
        lambda text: WRAPPED.to_connect(
            "t",
            json.dumps({"schema": {**ENVELOPES["decimal"], "parameters": {"scale": text}}, "payload": "AQ=="}).encode(),
        ),
    )
    yield "internal topics", lambda text: jsontext.loads(f'{{"x":{text}}}'.encode())
    for kind in (ConfigType.SHORT, ConfigType.INT, ConfigType.LONG, ConfigType.DOUBLE):
        definition = ConfigDef().define("x", kind, importance=Importance.LOW, doc="d")
        yield f"setting {kind.name}", lambda text, d=definition: d.parse({"x": text})
    yield "version", lambda text: "1.0" in VersionRange.parse(f"[{text},{text}]")
    for schema in (INT64, FLOAT64, FLOAT32, INT8, decimal_schema(2), decimal_schema(9)):
        yield f"CSV {schema!r}", lambda text, s=schema: text_fit(s, "x")(text)
    for schema_type in ("AVRO", "JSON", "PROTOBUF"):
        yield f"{schema_type} schema", lambda text, t=schema_type: registered(t, text)
    yield "parsers", lambda text: [attempt(parse, text) for parse in (parse_double, parse_float32, java_decimal)]
    yield "parse_int", lambda text: parse_int(text, 64)
    yield "rounding", lambda text: (to_float32(Decimal(text)), decimal_to_long(Decimal(text)))
    yield "Decimal to bytes", lambda text: decimal_to_bytes(Decimal(text), 2)
    yield "Decimal from bytes", lambda text: decimal_from_bytes(text.encode(), 2)


def registered(schema_type: str, number: str) -> Any:
    text = {
        "AVRO": f'{{"type":"record","name":"A","fields":[{{"name":"x","type":"double","default":{number}}},{{"name":"y","type":"long","default":{number}}}]}}',
        "JSON": f'{{"type":"number","multipleOf":{number},"minimum":{number},"default":{number},"enum":[{number}],"minLength":{number}}}',
        "PROTOBUF": f'syntax = "proto2"; message A {{ optional double x = 1 [default = {number}]; optional int64 y = {number}; }}',
    }[schema_type]
    return MemoryClient().register("s", text, schema_type=schema_type)


def attempt(parse: Callable[[str], Any], text: str) -> Any:
    with contextlib.suppress(ValueError):
        return parse(text)


ENTRIES = list(entries())


#: Functions that raise ValueError for their callers, and Decimals that the test itself cannot make of every text.
BARE = ("version", "parsers", "parse_int", "rounding", "dates", "Decimal", "JSON written", "Values of")


def cost(run: Callable[[str], Any], text: str, refusals: tuple[type[Exception], ...]) -> float:
    start = time.thread_time()
    with contextlib.suppress(*refusals):
        run(text)
    return time.thread_time() - start


@pytest.mark.parametrize(("name", "run"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_a_number_costs_no_more_than_its_text_is_long(name, run):
    refusals = (ConnectError, Misfit, *((ValueError, ArithmeticError) if any(word in name for word in BARE) else ()))
    usual = max(cost(run, "1.5", refusals), cost(run, "12345678", refusals), 0.002)
    for text in HUGE:
        assert min(cost(run, text, refusals) for _ in range(2)) < 100 * usual, (name, text[:20], len(text))
