"""Bytes of every kind in front of every format: they are read, or refused with a data error, and nothing else."""

from __future__ import annotations

import datetime as dt
import random
import resource
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from penstock.api import Converter
from penstock.data import (
    BOOLEAN,
    BYTES,
    DATE,
    FLOAT32,
    FLOAT64,
    INT8,
    INT32,
    INT64,
    STRING,
    TIME,
    TIMESTAMP,
    Schema,
    SchemaBuilder,
    decimal_schema,
)  # fmt: skip
from penstock.data.nanos import timestamp_from_nanos
from penstock.errors import DataError
from penstock.plugins import PluginKind, Plugins
from penstock_registry.client import drop_mock

PLUGINS = Plugins.discover()
MEGABYTES_ALLOWED = 300
SECONDS_FOR_ONE = 20.0


def everything() -> Schema:
    """A struct with every type, nested, optional and holding itself."""
    plain = {
        "i8": INT8, "i32": INT32, "i64": INT64, "f32": FLOAT32, "f64": FLOAT64, "ok": BOOLEAN, "s": STRING, "b": BYTES,
        "d": DATE, "t": TIME, "ts": TIMESTAMP, "dec": decimal_schema(3),
    }  # fmt: skip
    inner = SchemaBuilder.struct().name("h.Inner")
    for name, schema in plain.items():
        inner.field(name, schema.as_optional())
    made = inner.build()
    outer = SchemaBuilder.struct().name("h.Outer")
    for name, schema in plain.items():
        outer.field(name, schema)
    outer.field("one", made).field("maybe", made.as_optional())
    outer.field("list", SchemaBuilder.array(made).build()).field("nums", SchemaBuilder.array(INT64).optional().build())
    outer.field("map", SchemaBuilder.map(STRING, made).build()).field(
        "counts", SchemaBuilder.map(STRING, INT32).build()
    )
    return outer.build()


SCHEMA = everything()


def value(r: random.Random, deep: bool = True) -> dict[str, Any]:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=r.randrange(2**41))
    plain = {
        "i8": r.randrange(-128, 128), "i32": r.randrange(-(2**31), 2**31), "i64": r.randrange(-(2**63), 2**63),
        "f32": r.randrange(1 << 20) / 4, "f64": r.uniform(-1e9, 1e9), "ok": r.random() < 0.5,
        "s": "".join(r.choice("ab\u00e9\u4e2d\U0001f600 \"\\") for _ in range(r.randrange(12))), "b": r.randbytes(r.randrange(9)),
        "d": moment.date(), "t": moment.time(), "ts": moment, "dec": Decimal(r.randrange(-(10**9), 10**9)).scaleb(-3),
    }  # fmt: skip
    if not deep:
        return {k: v for k, v in plain.items() if r.random() < 0.7}
    return {
        **plain, "one": value(r, False), "maybe": value(r, False) if r.random() < 0.5 else None,
        "list": [value(r, False) for _ in range(r.randrange(3))], "nums": [r.randrange(99) for _ in range(r.randrange(4))],
        "map": {str(i): value(r, False) for i in range(r.randrange(3))}, "counts": {str(i): i for i in range(r.randrange(4))},
    }  # fmt: skip


def mutated(r: random.Random, data: bytes, start: int) -> bytes:
    """`data` with a few of the things done to it that happen to bytes; the first `start` mostly stay."""
    head, body = data[:start], bytearray(data[start:])
    for _ in range(r.choice((1, 1, 1, 2, 4))):
        at = r.randrange(len(body) + 1)
        match r.randrange(8):
            case 0:
                del body[at:]
            case 1:
                del body[at : at + r.randrange(1, 9)]
            case 2:
                body[at:at] = r.randbytes(r.randrange(1, 9))
            case 3:
                body[at : at + 1] = bytes([r.choice((0, 1, 2, 0x7F, 0x80, 0xFF, 0x7B, 0x22))])
            case 4:
                body[at:at] = r.choice((b"\xff" * 9 + b"\x01", b"\x80" * 12, b"\xff\xff\xff\xff\x0f", b"\x00" * 8))
            case 5:
                other = r.randrange(len(body) + 1)
                body[at:at] = body[min(at, other) : max(at, other)][:200]
            case 6:
                body = bytearray(r.randbytes(r.randrange(200)))
            case 7:
                body[at:at] = r.choice(
                    (b"[" * 50, b'{"a":' * 50, b"1e999999", b"-", b"\\u0000", b"\x0b" * 20, b"9" * 400)
                )
    if r.random() < 0.05:
        head = r.randbytes(start)
    return head + bytes(body)


def converter(name: str, settings: dict[str, str]) -> Converter:
    made: Converter = PLUGINS.new(PluginKind.CONVERTER, name)
    registry = {} if name == "json" else {"schema.registry.url": "mock://hostile"}
    made.configure({**registry, **settings}, False)
    return made


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("avro", {}),
        ("avro", {"timestamp.precision": "nanoseconds"}),
        ("protobuf", {}),
        ("protobuf", {"timestamp.precision": "nanoseconds"}),
        ("jsonschema", {}),
        ("jsonschema", {"timestamp.precision": "microseconds"}),
        ("json", {}),
        ("json", {"schemas.enable": "false"}),
        ("json", {"timestamp.precision": "microseconds"}),
    ],
    ids=str,
)
def test_random_and_mutated_bytes_are_read_or_refused_as_data_errors(
    name: str, settings: dict[str, str], soak: bool
) -> None:
    rounds = 200_000 if soak else 1500
    drop_mock("hostile")
    r = random.Random(20_240_229)
    made = converter(name, settings)
    write, read = made.serializer("t", SCHEMA), made.deserializer("t")
    seeds = [data for _ in range(50) if (data := write(value(r))) is not None]
    assert all(isinstance(read(seed).value, dict) for seed in seeds)
    before, longest, outcomes = peak_megabytes(), 0.0, {"read": 0, "refused": 0}
    start = 0 if name == "json" else 5
    for _ in range(rounds):
        data = mutated(r, r.choice(seeds), start)
        begun = time.process_time()
        outcomes[outcome(read, data)] += 1
        longest = max(longest, time.process_time() - begun)
    assert outcomes["refused"] > rounds / 20, outcomes
    assert outcomes["read"] > rounds / 200, outcomes
    assert longest < SECONDS_FOR_ONE  # of processor time: a hang, not a slow machine
    assert peak_megabytes() - before < MEGABYTES_ALLOWED


def outcome(read: Callable[[bytes | None], Any], data: bytes) -> str:
    try:
        read(data)
    except DataError:
        return "refused"
    return "read"


def test_the_seeds_survive_a_round_trip() -> None:
    r = random.Random(1)
    made = converter("avro", {"timestamp.precision": "nanoseconds"})
    given = {**value(r), "ts": timestamp_from_nanos(1_700_000_000_123_456_789)}
    assert made.to_connect("t2", made.from_connect("t2", SCHEMA, given)).value["ts"] == given["ts"]
