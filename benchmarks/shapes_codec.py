"""Avro: records of other shapes than the one of ``codec_record.py``, beside fastavro.

Only shapes that are nearly all integers may be slower than it.

python benchmarks/shapes_codec.py [--records 500] [--rounds 30]
"""

from __future__ import annotations

import datetime as dt
import io
import json
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

import fastavro

from codec_record import Measured, by_turns, each, main
from penstock.data import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_FLOAT64,
    OPTIONAL_INT32,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    TIME,
    TIMESTAMP,
    Schema,
    SchemaBuilder,
    decimal_schema,
)
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.plan import Planner
from penstock_converters.avro.reader import make_reader
from penstock_converters.avro.to_avro import ToAvro
from penstock_converters.avro.to_connect import ToConnect
from penstock_converters.avro.writer import make_writer
from penstock_registry.formats.avro.canonical import to_text

Row = dict[str, Any]


def struct(name: str, **fields: Schema) -> Schema:
    builder = SchemaBuilder.struct().name(name)
    for field, schema in fields.items():
        builder.field(field, schema)
    return builder.build()


def many(name: str, *schemas: Schema) -> Schema:
    return struct(name, **{f"f{i}": schema for i, schema in enumerate(schemas)})


LINE: Final = struct("Line", sku=STRING, count=INT32, price=FLOAT64)
PLACE: Final = struct("Place", lat=FLOAT64, lon=FLOAT64, label=OPTIONAL_STRING)
ADDRESS: Final = struct("Address", street=STRING, number=INT32, place=PLACE)
MIDNIGHT: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def line(r: random.Random) -> Row:
    return {"sku": f"sku-{r.randrange(1000)}", "count": r.randrange(100), "price": r.random()}


def address(r: random.Random) -> Row:
    place = {"lat": r.random(), "lon": r.random(), "label": r.choice([None, "home"])}
    return {"street": f"street {r.randrange(500)}", "number": r.randrange(300), "place": place}


def moment(r: random.Random) -> dt.datetime:
    return MIDNIGHT + dt.timedelta(milliseconds=r.randrange(10**9))


def listed(*makers: Callable[[random.Random], Any]) -> Callable[[random.Random], Row]:
    return lambda r: {f"f{i}": make(r) for i, make in enumerate(makers)}


def width(size: int) -> Callable[[random.Random], int]:
    """A long of `size` bytes, negative one time in eight."""
    low, high = 1 << max(0, 7 * size - 8), min(1 << 7 * size - 1, 1 << 63)
    return lambda r: r.randrange(low, high) * (1 if r.randrange(8) else -1)


def maybe(make: Callable[[random.Random], Any]) -> Callable[[random.Random], Any]:
    return lambda r: make(r) if r.randrange(3) else None


SHAPES: Final[dict[str, tuple[Schema, Callable[[random.Random], Row]]]] = {
    "1 long of 5 bytes": (many("L", INT64), listed(width(5))),
    "10 longs of 1 to 10 bytes": (many("W", *[INT64] * 10), listed(*map(width, range(1, 11)))),
    "8 booleans": (many("B", *[BOOLEAN] * 8), listed(*[lambda r: r.random() < 0.5] * 8)),
    "12 nullable numbers": (
        many("N", *[OPTIONAL_INT64, OPTIONAL_FLOAT64, OPTIONAL_INT32] * 4),
        listed(*[maybe(width(2)), maybe(random.Random.random), maybe(width(3)), maybe(width(6)), maybe(random.Random.random), maybe(width(1))] * 2),
    ),
    "10 short texts": (many("S", *[STRING] * 10), listed(*[lambda r: f"text {r.randrange(10_000)}"] * 10)),
    "3 long texts": (many("T", *[STRING] * 3), listed(*[lambda r: "héllo wörld " * r.randrange(10, 200)] * 3)),
    "10 nullable texts": (many("O", *[OPTIONAL_STRING] * 10), listed(*[maybe(lambda r: f"text {r.randrange(10_000)}")] * 10)),
    "4 decimals": (many("D", *[decimal_schema(2)] * 4), listed(*[lambda r: Decimal(r.randrange(10**9)).scaleb(-2)] * 4)),
    "dates, times, timestamps": (
        many("M", DATE, TIME, TIMESTAMP, TIMESTAMP),
        listed(lambda r: moment(r).date(), lambda r: moment(r).time(), moment, moment),
    ),
    "array of 20 longs": (many("AL", SchemaBuilder.array(INT64).build()), listed(lambda r: [width(1 + i % 6)(r) for i in range(20)])),
    "array of 20 doubles": (many("AD", SchemaBuilder.array(FLOAT64).build()), listed(lambda r: [r.random() for _ in range(20)])),
    "array of 20 texts": (many("AS", SchemaBuilder.array(STRING).build()), listed(lambda r: [f"t{r.randrange(99)}" for _ in range(20)])),
    "array of 5 structs": (many("AR", SchemaBuilder.array(LINE).build()), listed(lambda r: [line(r) for _ in range(5)])),
    "map of 10 longs": (
        many("ML", SchemaBuilder.map(STRING, INT64).build()),
        listed(lambda r: {f"key{i}": r.randrange(10_000) for i in range(10)}),
    ),
    "structs in structs": (many("R", INT64, ADDRESS, ADDRESS.as_optional()), listed(width(4), address, maybe(address))),
}  # fmt: skip


#: If nearly all values are integers of two bytes and more, without any order, fastavro's C is as fast or faster.
#: Shown, but without a bar.
INTEGERS: Final = ("10 longs of 1 to 10 bytes", "array of 20 longs", "map of 10 longs")


def measure(records: int, rounds: int) -> Iterator[Measured]:
    options = AvroDataOptions()
    buffer_of = io.BytesIO
    for name, (schema, make) in SHAPES.items():
        r = random.Random(name)
        data = [make(r) for _ in range(records)]
        avro = ToAvro(options).convert(schema)
        parsed: Any = fastavro.parse_schema(json.loads(to_text(avro)))
        write = make_writer(Planner(options).plan(schema, avro))
        read = make_reader(avro, ToConnect(options).convert(avro), options)

        def write_theirs(row: Row, parsed: Any = parsed) -> bytes:
            buffer = buffer_of()
            fastavro.schemaless_writer(buffer, parsed, row)
            return buffer.getvalue()

        def read_theirs(payload: bytes, parsed: Any = parsed) -> Any:
            return fastavro.schemaless_reader(buffer_of(payload), parsed, None)

        payloads = [write(b"", row) for row in data]
        assert [read(p, 0) for p in payloads] == [read_theirs(p) for p in payloads] == data
        assert [len(write_theirs(row)) for row in data] == [len(p) for p in payloads]  # a map's order is Java's
        pairs = {
            "write": by_turns(
                each(lambda row, write=write: write(b"", row), data), each(write_theirs, data), records, rounds
            ),
            "read": by_turns(
                each(lambda p, read=read: read(p, 0), payloads), each(read_theirs, payloads), records, rounds
            ),
        }
        for what, (ours, theirs) in pairs.items():
            yield Measured(
                f"avro, {name}, {what}", "fastavro", ours, theirs, at_least=None if name in INTEGERS else 1.0
            )


if __name__ == "__main__":
    main(measure, __doc__, records=500, of="several shapes")
