"""Protobuf: the codec beside what the Protobuf runtime alone needs for the same message, from fields to bytes and back.

    python benchmarks/protobuf_codec.py [--records 2000] [--rounds 30]

The runtime alone makes no dict of what it parses, so that reading has no bar.
"""

from __future__ import annotations

from collections.abc import Iterator

from codec_record import SCHEMA, Measured, by_turns, each, main, rows
from penstock_converters.protobuf.names import ProtobufDataOptions
from penstock_converters.protobuf.plan import Planner
from penstock_converters.protobuf.reader import make_reader
from penstock_converters.protobuf.to_connect import ToConnect
from penstock_converters.protobuf.to_proto import ToProto
from penstock_converters.protobuf.writer import make_writer
from penstock_registry.formats.protobuf import Linked, ProtobufParsedSchema, message_class


def measure(records: int, rounds: int) -> Iterator[Measured]:
    options = ProtobufDataOptions()
    file = ToProto(options).convert(SCHEMA)
    compiled = ProtobufParsedSchema(Linked(file)).compiled()
    descriptor = compiled.message(next(file.messages).name)
    write = make_writer(Planner(options).plan(SCHEMA, descriptor), ignore_defaults=False)
    read = make_reader(descriptor, ToConnect(options, compiled).convert(descriptor), compiled, options)
    make = message_class(descriptor)
    fields = ", ".join(f"{field.name}=r[{field.name!r}]" for field in SCHEMA.fields)
    runtime = eval(f"lambda r: make({fields}).SerializeToString()", {"make": make})
    data = rows(records)
    payloads = [runtime(row) for row in data]
    assert [write(b"", row) for row in data] == payloads
    beside = "protobuf runtime"
    times = by_turns(each(lambda r: write(b"", r), data), each(runtime, data), records, rounds)
    yield Measured("protobuf, write", beside, *times, at_most=1.3)
    times = by_turns(each(read, payloads), each(make.FromString, payloads), records, rounds)
    yield Measured("protobuf, read", beside, *times)


if __name__ == "__main__":
    main(measure, __doc__)
