"""Avro: the generated codec beside fastavro's schemaless writer and reader, in one run.

    python benchmarks/avro_codec.py [--records 2000] [--rounds 30]

Both sides make and take the same bytes; the generated side checks types and ranges and works on Connect's values.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro

from codec_record import SCHEMA, Measured, by_turns, each, main, rows
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.plan import Planner
from penstock_converters.avro.reader import make_reader
from penstock_converters.avro.to_avro import ToAvro
from penstock_converters.avro.to_connect import ToConnect
from penstock_converters.avro.writer import make_writer
from penstock_registry.formats.avro.canonical import to_text


def measure(records: int, rounds: int) -> Iterator[Measured]:
    options = AvroDataOptions()
    avro = ToAvro(options).convert(SCHEMA)
    parsed = fastavro.parse_schema(json.loads(to_text(avro)))
    write = make_writer(Planner(options).plan(SCHEMA, avro))
    read = make_reader(avro, ToConnect(options).convert(avro), options)
    data = rows(records)
    fast_write, fast_read, buffer_of = fastavro.schemaless_writer, fastavro.schemaless_reader, io.BytesIO

    def write_theirs(row: dict[str, Any]) -> bytes:
        buffer = buffer_of()
        fast_write(buffer, parsed, row)
        return buffer.getvalue()

    payloads = [write_theirs(row) for row in data]
    assert [write(b"", row) for row in data] == payloads
    assert [read(p, 0) for p in payloads] == data
    pairs = {
        "write": by_turns(each(lambda r: write(b"", r), data), each(write_theirs, data), records, rounds),
        "read": by_turns(
            each(lambda p: read(p, 0), payloads),
            each(lambda p: fast_read(buffer_of(p), parsed), payloads),
            records,
            rounds,
        ),
    }
    for what, (ours, theirs) in pairs.items():
        yield Measured(f"avro, {what}", "fastavro", ours, theirs, at_least=2.5)


if __name__ == "__main__":
    main(measure, __doc__)
