"""Microseconds a record of the Protobuf codec, beside what the Protobuf runtime alone needs for the same message.

python benchmarks/protobuf_codec.py
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from typing import Any

from penstock.data import BOOLEAN, FLOAT64, INT32, INT64, OPTIONAL_STRING, STRING, TIMESTAMP, Schema, SchemaBuilder
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


_CALLS = 20_000


def once(run: Callable[[], Any]) -> float:
    return timeit.timeit(run, number=_CALLS) / _CALLS * 1e6


def micros(run: Callable[[], Any]) -> float:
    return min(once(run) for _ in range(7))


def main() -> None:
    measure("flat, 8 fields", FLAT_SCHEMA, FLAT, beside_runtime=True)
    measure("nested", NESTED_SCHEMA, NESTED, beside_runtime=False)


def measure(name: str, schema: Schema, value: dict[str, Any], *, beside_runtime: bool) -> None:
    options = ProtobufDataOptions()
    file = ToProto(options).convert(schema)
    compiled = ProtobufParsedSchema(Linked(file)).compiled()
    descriptor = compiled.message(next(file.messages).name)
    write = make_writer(Planner(options).plan(schema, descriptor), ignore_defaults=False)
    data = write(b"", value)
    connect = ToConnect(options, compiled).convert(descriptor)
    read = make_reader(descriptor, connect, compiled, options)
    assert read(data) == value
    if not beside_runtime:
        print(f"{name}: write {micros(lambda: write(b'', value)):.2f}, read {micros(lambda: read(data)):.2f}")
        return
    make = message_class(descriptor)
    runtime = eval(
        "lambda r: make(" + ", ".join(f"{k}=r[{k!r}]" for k in value) + ").SerializeToString()", {"make": make}
    )
    # By turns, so that a busy moment of the machine falls on both.
    rounds = [
        (
            once(lambda: write(b"", value)),
            once(lambda: runtime(value)),
            once(lambda: read(data)),
            once(lambda: make.FromString(data)),
        )
        for _ in range(15)
    ]
    write_time, runtime_write, read_time, runtime_parse = map(min, zip(*rounds, strict=True))
    print(f"{name}: write {write_time:.2f}, read {read_time:.2f}")
    print(f"  the runtime alone: write {runtime_write:.2f}, parse {runtime_parse:.2f}")
    print(f"  write takes {write_time / runtime_write:.2f} times what the runtime takes")


if __name__ == "__main__":
    main()
