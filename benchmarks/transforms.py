"""The cost that transforms and predicates add to a record, in units of producing its ready bytes with the bare client.

    python benchmarks/transforms.py [--bootstrap HOST:PORT] [--records 100000] [--rounds 5]

Both sides run in this process, in turns: `floor.py`'s loop over ``Producer.produce``, and the bound chain over prebuilt
source records of eight mixed fields, with a schema and without. Shown is the median CPU time a record, the client's threads
included, less what the empty loop takes. Exit status 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import Producer

from floor import settings
from harness import HERE, Topics, median, table
from lab.jars import fetch_jars
from penstock.api import Shape
from penstock.cli.common import tune_memory
from penstock.data import (
    BOOLEAN,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    Schema,
    SchemaBuilder,
    SourceRecord,
)
from penstock.kafka.clients import ClientKind
from penstock.plugins import Plugins
from penstock.plugins.settings import PluginSettings
from penstock.runtime.assembly import build_chain
from penstock.testing.broker import KafkaBroker

SCHEMA = (
    SchemaBuilder.struct()
    .name("bench.Row")
    .field("id", INT64)
    .field("name", STRING)
    .field("email", OPTIONAL_STRING)
    .field("active", BOOLEAN)
    .field("ratio", FLOAT64)
    .field("count", INT32)
    .field("city", STRING)
    .field("price", FLOAT64)
    .build()
)
#: Records are used again and again: a connector hands over what it has just made, so they are in the cache there too.
_BATCH = 1000
PREDICATES = {
    "TopicNameMatches": {"pattern": "bench"},
    "RecordIsTombstone": {},
    "HasHeaderKey": {"name": "h"},
    "RecordMatches$Value": {"condition": "value.price > 10.0 && value.city == 'Nice'"},
}


def chain(*steps: tuple[str, dict[str, str]], predicate: str = "") -> dict[str, str]:
    config = {"transforms": ",".join(f"t{number}" for number in range(len(steps)))}
    for number, (name, own) in enumerate(steps):
        config[f"transforms.t{number}.type"] = name
        config |= {f"transforms.t{number}.{key}": value for key, value in own.items()}
        if predicate:
            config[f"transforms.t{number}.predicate"] = "p"
            config["predicates"], config["predicates.p.type"] = "p", predicate
            config |= {f"predicates.p.{key}": value for key, value in PREDICATES[predicate].items()}
    return config


INSERT = ("InsertField$Value", {"static.field": "site", "static.value": "plant-1"})
RENAME = ("ReplaceField$Value", {"renames": "id:number,ratio:share"})
CAST = ("Cast$Value", {"spec": "count:string,price:float32"})
TEN = (
    INSERT, RENAME, CAST,
    ("InsertField$Value", {"topic.field": "source"}),
    ("ReplaceField$Value", {"exclude": "email"}),
    ("MaskField$Value", {"fields": "name"}),
    ("Cast$Value", {"spec": "active:string"}),
    ("InsertHeader", {"header": "h", "value.literal": "x"}),
    ("ValueToKey", {"fields": "number"}),
    ("RegexRouter", {"regex": "(.*)", "replacement": "x-$1"}),
)  # fmt: skip
#: Case: its configuration and its bar in units of the floor, if it has one.
CASES: dict[str, tuple[dict[str, str], float | None]] = {
    "InsertField, a fixed text": (chain(INSERT), None),
    "ReplaceField, two renames": (chain(RENAME), None),
    "ReplaceField, one rename": (chain(("ReplaceField$Value", {"renames": "id:number"})), None),
    "Cast, two fields": (chain(CAST), None),
    "three transforms": (chain(INSERT, RENAME, CAST), 1.2),
    "ten transforms": (chain(*TEN), 3.0),
    "ExtractField": (chain(("ExtractField$Value", {"field": "name"})), None),
    "a dropped record (Filter)": (chain(("Filter", {}), INSERT, RENAME, CAST), None),
}
#: A predicate is measured on a transform that it keeps away: what is left is the predicate.
KEPT_AWAY = {name: chain(("Filter", {}), predicate=name) for name in PREDICATES}
PREDICATE_BARS = {"TopicNameMatches": 0.3, "RecordIsTombstone": 0.3, "HasHeaderKey": 0.3}


def rows(count: int, schema: Schema | None) -> list[SourceRecord]:
    return [
        SourceRecord(
            "bench",
            value_schema=schema,
            value={
                "id": 1_000_000 + i,
                "name": f"name {i}",
                "email": None if i % 4 == 0 else f"user{i}@example.com",
                "active": i % 3 == 0,
                "ratio": i / 7,
                "count": i % 1000,
                "city": ("Rotterdam", "Zürich", "Bonn")[i % 3],
                "price": i * 0.25,
            },
        )
        for i in range(count)
    ]


def cpu_of(work: Callable[[], None], count: int) -> float:
    """Microseconds of CPU a record."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / count * 1e6


class Bench:
    def __init__(self, bootstrap: str, records: int, rounds: int) -> None:
        self._records, self._rounds = records, rounds
        self._bootstrap = bootstrap
        self._topic = Topics(bootstrap).make(f"transforms-{uuid.uuid4().hex[:8]}")
        self._plugins = Plugins.discover(PluginSettings.load(None))

    def floor(self, value: bytes) -> Callable[[], None]:
        def produce() -> None:
            producer = Producer(settings(ClientKind.PRODUCER, self._bootstrap) | {"delivery.report.only.error": True})
            for _ in range(self._records):
                try:
                    producer.produce(self._topic, value)
                except BufferError:
                    while len(producer) > 50_000:
                        producer.poll(0.05)
                    producer.produce(self._topic, value)
            if producer.flush(120):
                raise SystemExit(f"{len(producer)} records were not delivered")

        return produce

    def run(self, config: dict[str, str], records: list[SourceRecord]) -> Callable[[], None]:
        bound = build_chain(self._plugins, config).bind(Shape("bench", None, records[0].value_schema))
        apply: Any = bound.apply or (lambda record: record)

        def work() -> None:
            for _ in range(self._records // _BATCH):
                for record in records:
                    apply(record)

        return work

    def measure(self, schema: Schema | None) -> dict[str, float]:
        """Case to CPU microseconds a record; ``floor`` among them."""
        records = rows(_BATCH, schema)
        cases = {name: self.run(config, records) for name, (config, _) in CASES.items()}
        cases |= {f"predicate {name}": self.run(config, records) for name, config in self._kept_away().items()}

        def loop() -> None:
            for _ in range(self._records // _BATCH):
                for _ in records:
                    pass

        cases |= {"floor": self.floor(json.dumps(records[0].value).encode()), "loop": loop}
        taken: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(self._rounds):
            for name, work in cases.items():
                taken[name].append(cpu_of(work, self._records))
        loops = median(taken.pop("loop"))
        return {name: median(times) - (0 if name == "floor" else loops) for name, times in taken.items()}

    def _kept_away(self) -> dict[str, dict[str, str]]:
        """The topic's name matches, so there the predicate is turned round."""
        negated = {"transforms.t0.negate": "true"}
        return {name: config | (negated if name == "TopicNameMatches" else {}) for name, config in KEPT_AWAY.items()}


@contextlib.contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    if bootstrap:
        yield bootstrap
        return
    with KafkaBroker(fetch_jars(HERE.parent / "tests" / "broker" / "pom.xml")) as started:
        yield started.bootstrap


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", help="a running broker; without it one is started")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    bars = {name: bar for name, (_, bar) in CASES.items() if bar}
    bars |= {f"predicate {name}": bar for name, bar in PREDICATE_BARS.items()}
    missed = False
    tune_memory()  # as a worker does
    with broker(arguments.bootstrap) as bootstrap:
        bench = Bench(bootstrap, arguments.records, arguments.rounds)
        for schema, title in ((SCHEMA, "with a schema"), (None, "without a schema")):
            taken = bench.measure(schema)
            floor = taken.pop("floor")
            lines = [["bare produce", f"{floor:.2f}", "1", "", ""]]
            for name, cpu in taken.items():
                bar = bars.get(name)
                fine = bar is None or cpu / floor <= bar
                missed = missed or not fine
                verdict = "" if bar is None else "PASS" if fine else "FAIL"
                lines.append([name, f"{cpu:.2f}", f"{cpu / floor:.2f}", f"≤ {bar:g}" if bar else "", verdict])
            table(f"Transforms on records {title}", ["", "CPU us", "of a produce", "bar", ""], lines)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
