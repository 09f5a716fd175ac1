"""Microseconds a record of the Protobuf codec, beside what the Protobuf runtime alone needs for the same message.

python benchmarks/protobuf_codec.py
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from typing import Any

from penstock.data import BOOLEAN, FLOAT64, INT32, INT64, OPTIONAL_STRING, STRING, TIMESTAMP, SchemaBuilder
from penstock.data.logical import timestamp_from_millis
from penstock_converters.protobuf.names import ProtobufDataOptions
from penstock_converters.protobuf.plan import Planner
from penstock_converters.protobuf.reader import make_reader
from penstock_converters.protobuf.to_connect import ToConnect
from penstock_converters.protobuf.to_proto import ToProto
from penstock_converters.protobuf.writer import make_writer
from penstock_registry.formats.protobuf import Linked, ProtobufParsedSchema, message_class

FLAT = {
    "id": 123456789, "name": "Ann Example", "email": "ann@example.com", "age": 42, "score": 9.75, "active": True,
    "city": "Oslo", "count": 77,
}  # fmt: skip
FLAT_SCHEMA = (
    SchemaBuilder.struct().name("bench.Flat")
    .field("id", INT64).field("name", STRING).field("email", OPTIONAL_STRING).field("age", INT32)
    .field("score", FLOAT64).field("active", BOOLEAN).field("city", STRING).field("count", INT64)
    .build()
)  # fmt: skip
NESTED_SCHEMA = (
    SchemaBuilder.struct().name("bench.Nested")
    .field("who", FLAT_SCHEMA).field("when", TIMESTAMP).field("tags", SchemaBuilder.array(STRING).build())
    .field("counts", SchemaBuilder.map(STRING, INT64).build())
    .build()
)  # fmt: skip
NESTED = {
    "who": FLAT,
    "when": timestamp_from_millis(1_700_000_000_123),
    "tags": ["a", "b", "c"],
    "counts": {"x": 1, "y": 2},
}


def micros(run: Callable[[], Any]) -> float:
    number = 20_000
    return min(timeit.repeat(run, number=number, repeat=7)) / number * 1e6


def main() -> None:
    options = ProtobufDataOptions()
    for name, schema, value in (("flat, 8 fields", FLAT_SCHEMA, FLAT), ("nested", NESTED_SCHEMA, NESTED)):
        file = ToProto(options).convert(schema)
        compiled = ProtobufParsedSchema(Linked(file)).compiled()
        descriptor = compiled.message(next(file.messages).name)
        write = make_writer(Planner(options).plan(schema, descriptor), ignore_defaults=False)
        data = write(b"", value)
        connect = ToConnect(options, compiled).convert(descriptor)
        read = make_reader(descriptor, connect, compiled, options)
        print(f"{name}: write {micros(lambda: write(b'', value)):.2f}, read {micros(lambda: read(data)):.2f}")
        if value is FLAT:
            make = message_class(descriptor)
            runtime = eval(  # noqa: S307 - our own text: a call with keyword arguments, as generated code has
                "lambda r: make(" + ", ".join(f"{k}=r[{k!r}]" for k in value) + ").SerializeToString()", {"make": make}
            )
            parse = make.FromString
            print(
                f"  the runtime alone: write {micros(lambda: runtime(value)):.2f}, parse {micros(lambda: parse(data)):.2f}"
            )


if __name__ == "__main__":
    main()
