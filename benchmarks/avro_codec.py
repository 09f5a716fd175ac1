"""Avro: the generated codec beside fastavro, over a record of eight mixed fields, in one run.

    python benchmarks/avro_codec.py [--records 2000] [--rounds 60]

Prints the best round of each in microseconds a record, and the ratio. Both sides make and take the same bytes; the
generated side checks types and ranges and works on Connect's values.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import time
from collections.abc import Callable
from typing import Any

import fastavro

from penstock.data import BOOLEAN, FLOAT64, INT32, INT64, OPTIONAL_STRING, STRING, TIMESTAMP, SchemaBuilder
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.plan import Planner
from penstock_converters.avro.reader import make_reader
from penstock_converters.avro.to_avro import ToAvro
from penstock_converters.avro.to_connect import ToConnect
from penstock_converters.avro.writer import make_writer

SCHEMA = (
    SchemaBuilder.struct()
    .name("bench.Row")
    .field("id", INT64)
    .field("name", STRING)
    .field("email", OPTIONAL_STRING)
    .field("active", BOOLEAN)
    .field("score", FLOAT64)
    .field("count", INT32)
    .field("city", STRING)
    .field("created", TIMESTAMP)
    .build()
)


def rows(count: int) -> list[dict[str, Any]]:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return [
        {
            "id": 1_000_000 + i,
            "name": f"name {i}",
            "email": None if i % 4 == 0 else f"user{i}@example.com",
            "active": i % 3 == 0,
            "score": i / 7,
            "count": i % 1000,
            "city": ("Rotterdam", "Zürich", "Nice")[i % 3],
            "created": start + dt.timedelta(milliseconds=i * 1234),
        }
        for i in range(count)
    ]


def compare(theirs: Callable[[], object], ours: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The best CPU time of each, rounds taken in turn so that a noisy machine is fair to both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for run, into in zip((theirs, ours), times, strict=True):
            started = time.process_time()
            run()
            into.append(time.process_time() - started)
    return min(times[0]), min(times[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    options = AvroDataOptions()
    avro = ToAvro(options).convert(SCHEMA)
    parsed = fastavro.parse_schema(json.loads(avro.text()))
    write = make_writer(Planner(options).plan(SCHEMA, avro))
    read = make_reader(avro, ToConnect(options).convert(avro), options)
    data = rows(arguments.records)

    fast_write, fast_read, buffer_of = fastavro.schemaless_writer, fastavro.schemaless_reader, io.BytesIO

    def their_payload(row: dict[str, Any]) -> bytes:
        buffer = buffer_of()
        fast_write(buffer, parsed, row)
        return buffer.getvalue()

    payloads = [their_payload(row) for row in data]
    assert [write(b"", row) for row in data] == payloads
    assert [read(p, 0) for p in payloads] == data

    def write_theirs() -> None:
        for row in data:
            buffer = buffer_of()
            fast_write(buffer, parsed, row)
            buffer.getvalue()

    def write_ours() -> None:
        for row in data:
            write(b"", row)

    def read_theirs() -> None:
        for payload in payloads:
            fast_read(buffer_of(payload), parsed)

    def read_ours() -> None:
        for payload in payloads:
            read(payload, 0)

    for what, theirs, ours in (("write", write_theirs, write_ours), ("read", read_theirs, read_ours)):
        slow, fast = (t * 1e6 / arguments.records for t in compare(theirs, ours, arguments.rounds))
        print(f"{what:6} fastavro {slow:6.2f} us   generated {fast:6.2f} us   ratio {slow / fast:5.2f}")


if __name__ == "__main__":
    main()
