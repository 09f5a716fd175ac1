"""The straight way of records beside the general way, which goes on for what the straight one does not take.

    python benchmarks/straight_ways.py [--rounds 300]

CPU of the task's thread per record, least of many rounds in which both take turns. The client does nothing here: a sink
gets ready messages, a source's `produce` is an empty call. What the ratio of a whole worker gains is less.
"""

from __future__ import annotations

import argparse
import gc
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from confluent_kafka import Message

from lab.change_events import event, event_schema
from penstock.api import Shape, TopicPartition
from penstock.data import STRING, Headers, SourceRecord
from penstock.plugins import Plugins
from penstock.plugins.settings import PluginSettings
from penstock.runtime.assembly import build_chain, build_converters
from penstock.runtime.meters import TaskMeter
from penstock.runtime.sink.conversion import SinkConversion
from penstock.runtime.sink.intake import Intake
from penstock.runtime.sink.offsets import SinkOffsets
from penstock.runtime.source.conversion import SourceConversion
from penstock.runtime.source.sending import CutOff, Sending
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import ErrorPolicy

TASK = ConnectorTaskId("bench", 0)
BATCH = 500
TEXT = {"key.converter": "string", "value.converter": "string"}
JSON = {"key.converter": "string", "value.converter": "json", "value.converter.schemas.enable": "false"}
AVRO = {"key.converter": "string", "value.converter": "avro", "value.converter.schema.registry.url": "mock://bench"}
HOIST = {"transforms": "h", "transforms.h.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.h.field": "line"}  # fmt: skip
THREE = {
    **HOIST,
    "transforms": "h,i,r",
    "transforms.i.type": "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms.i.static.field": "site",
    "transforms.i.static.value": "plant",
    "transforms.r.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
    "transforms.r.renames": "line:text",
}
UNWRAP = {"transforms": "u", "transforms.u.type": "io.debezium.transforms.ExtractNewRecordState"}
LINES = [f"line {n:08d} {'abcdefghi ' * 8}" for n in range(BATCH)]
ORDERS = [
    json.dumps({"id": n, "name": f"customer-{n}", "price": n / 4, "qty": n % 97, "active": n % 2 == 0, "note": None, "city": "Groningen", "score": n * 1.5}).encode()
    for n in range(BATCH)
]  # fmt: skip

Work = Callable[[], object]


class GeneralSink(SinkConversion):
    def straight(self, topic: str) -> None:
        return None


class GeneralSource(SourceConversion):
    def straight(self, shape: Shape) -> None:
        return None


def sink(kind: type[SinkConversion], config: Mapping[str, str], values: Sequence[bytes], keep: bool) -> Work:
    """Return the conversion of one batch, as a sink task does it. `keep`: with a dead letter queue."""
    messages = [
        Message(topic="t", partition=0, offset=n, key=None, value=value, headers=None, error=None, timestamp=(1, 7))
        for n, value in enumerate(values)
    ]
    plugins = Plugins.discover(PluginSettings.load(None))
    offsets, policy = SinkOffsets("bench"), ErrorPolicy(TASK)
    offsets.assigned.add(TopicPartition("t", 0))
    conversion = kind(build_chain(plugins, config), build_converters(plugins, config, {}), keep)
    parts: Any = SimpleNamespace(conversion=conversion, policy=policy, on_topic=lambda topic: None)
    client: Any = None  # nothing is asked of it
    intake = Intake(TASK, parts, offsets, client, threading.Event())

    def work() -> None:
        intake.convert(messages)
        intake.batch.clear()

    return work


class Nowhere:
    """A delivery that sends nothing."""

    per_record = all_or_nothing = False
    kept = None
    outstanding = 0

    def __init__(self) -> None:
        self.unproven: set[str] = set()
        #: Takes any arguments, and is no Python function.
        self.produce = "".format

    def meet_topic(self, topic: str) -> None: ...

    def handed_over(self, records: int) -> None: ...

    def run(self, partition: Any) -> Nowhere:
        return self

    def ticket(self) -> object:
        return print

    def close(self, offset: Any) -> None: ...


def text_lines() -> list[SourceRecord]:
    partition = {"filename": "f"}
    return [
        SourceRecord("t", None, None, None, STRING, line, 7, Headers(), partition, {"position": n})
        for n, line in enumerate(LINES)
    ]


def changes() -> list[SourceRecord]:
    """Change events of single rows, every tenth of them a delete."""
    schema, partition = event_schema(), {"server": "srv"}
    rows = [{"id": n, "note": f"customer {n}", "state": "paid"} for n in range(BATCH)]
    events = [event("c", None, row) if row["id"] % 10 else event("d", row) for row in rows]
    return [
        SourceRecord("t", None, STRING, f"k{n}", schema, value, 7, Headers(), partition, {"lsn": n})
        for n, value in enumerate(events)
    ]


def source(
    kind: type[SourceConversion], config: Mapping[str, str], records: Sequence[SourceRecord] | None = None
) -> Work:
    """Return the sending of one batch, of lines if nothing else is given, as a source task does it."""
    plugins = Plugins.discover(PluginSettings.load(None))
    records = text_lines() if records is None else records
    conversion = kind(build_chain(plugins, config), build_converters(plugins, config, {}))
    topics: Any = SimpleNamespace(ensure=lambda topic: None)
    delivery: Any = Nowhere()
    sending = Sending(TASK, conversion, ErrorPolicy(TASK), topics, TaskMeter(), delivery, CutOff())
    return lambda: sending.send(records)


def cases() -> dict[str, tuple[Work, Work]]:
    lines = [line.encode() for line in LINES]
    return {
        "sink, text": (sink(GeneralSink, TEXT, lines, False), sink(SinkConversion, TEXT, lines, False)),
        "sink, text, dead letters": (sink(GeneralSink, TEXT, lines, True), sink(SinkConversion, TEXT, lines, True)),
        "sink, JSON of 8 fields": (sink(GeneralSink, JSON, ORDERS, False), sink(SinkConversion, JSON, ORDERS, False)),
        "source, text": (source(GeneralSource, TEXT), source(SourceConversion, TEXT)),
        "source, hoist, Avro": (source(GeneralSource, HOIST | AVRO), source(SourceConversion, HOIST | AVRO)),
        "source, 3 transforms, Avro": (source(GeneralSource, THREE | AVRO), source(SourceConversion, THREE | AVRO)),
        "source, hoist, JSON": (source(GeneralSource, HOIST | JSON), source(SourceConversion, HOIST | JSON)),
        "source, unwrapped changes, JSON": (
            source(GeneralSource, UNWRAP | JSON, changes()),
            source(SourceConversion, UNWRAP | JSON, changes()),
        ),
    }


def least(ways: Sequence[Work], rounds: int) -> list[float]:
    """Return the least thread CPU of each way in nanoseconds a record; the ways take turns."""
    best = [float("inf")] * len(ways)
    for _ in range(rounds):
        for at, work in enumerate(ways):
            began = time.thread_time()
            work()
            best[at] = min(best[at], time.thread_time() - began)
    return [seconds / BATCH * 1e9 for seconds in best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # as the worker does
    print("| | general ns | straight ns | ratio |\n|---|---:|---:|---:|")
    for name, ways in cases().items():
        general, straight = least(ways, rounds)
        print(f"| {name} | {general:.0f} | {straight:.0f} | {straight / general:.2f} |")


if __name__ == "__main__":
    main()
