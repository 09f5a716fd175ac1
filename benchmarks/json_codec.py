"""JSON with schema: ours against the standard library's ``json.dumps`` and ``json.loads`` of the same envelope.

    python benchmarks/json_codec.py [records]

Prints microseconds of CPU a record (best of five) and the ratio; both sides produce and read the same envelope.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from penstock.data import (
    BOOLEAN,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_FLOAT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    SchemaBuilder,
)
from penstock_converters.json import JsonConverter

SCHEMA = (
    SchemaBuilder.struct().name("com.example.Order").version(1)
    .field("id", INT64).field("customer", STRING).field("quantity", INT32).field("price", FLOAT64)
    .field("paid", BOOLEAN).field("note", OPTIONAL_STRING).field("discount", OPTIONAL_FLOAT64).field("parent", OPTIONAL_INT64)
    .build()
)  # fmt: skip


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": 1_700_000_000_000 + i, "customer": f"customer-{i % 997}", "quantity": i % 50, "price": round(1.25 * i + 0.01, 2),
            "paid": i % 3 == 0, "note": None if i % 4 else f"note number {i}", "discount": (i % 100) / 100, "parent": None if i % 2 else i,
        }
        for i in range(count)
    ]  # fmt: skip


def best(work: Callable[[Any], Any], items: list[Any]) -> float:
    """Microseconds of CPU an item, the best of five rounds."""
    times = []
    for _ in range(5):
        start = time.process_time()
        for item in items:
            work(item)
        times.append(time.process_time() - start)
    return min(times) / len(items) * 1e6


def converter(**settings: str) -> JsonConverter:
    made = JsonConverter()
    made.configure({key.replace("_", "."): value for key, value in settings.items()}, is_key=False)
    return made


def main(count: int = 20_000) -> None:
    data = rows(count)
    ours = converter()
    plain = converter(schemas_enable="false")
    write = ours.serializer("t", SCHEMA)
    messages = [write(row) for row in data]
    schema = json.loads(messages[0] or b"")["schema"]
    read = ours.deserializer("t")
    payloads = [json.dumps(row).encode() for row in data]
    table = [
        (
            "write, with schema",
            best(write, data),
            best(lambda r: json.dumps({"schema": schema, "payload": r}).encode(), data),
        ),
        ("read, with schema", best(read, messages), best(json.loads, messages)),
        ("write, no schema", best(plain.serializer("t", None), data), best(lambda r: json.dumps(r).encode(), data)),
        ("read, no schema", best(plain.deserializer("t"), payloads), best(json.loads, payloads)),
    ]
    print(f"{count} records of 8 mixed fields, microseconds of CPU a record")
    print(f"{'':20}{'penstock':>10}{'stdlib':>10}{'ratio':>8}")
    for name, mine, theirs in table:
        print(f"{name:20}{mine:10.2f}{theirs:10.2f}{theirs / mine:7.1f}x")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
