"""The cases of ``peer.py``: one connector config for both workers, and what a sink's topic is filled with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from bench_plugin import mixed_row, mixed_schema
from penstock.api import Converter
from penstock.data import STRING
from penstock.plugins import PluginKind, Plugins

__all__ = ["CONVERTERS", "Case", "cases", "fill"]

_T: Final = "org.apache.kafka.connect.transforms."
_JSON: Final = "org.apache.kafka.connect.json.JsonConverter"
_STRING: Final = "org.apache.kafka.connect.storage.StringConverter"
_HOIST: Final = {"transforms": "h", "transforms.h.type": f"{_T}HoistField$Value", "transforms.h.field": "line"}
_LINE_TRANSFORMS: Final = {
    "transforms": "h,i,r",
    "transforms.h.type": f"{_T}HoistField$Value",
    "transforms.h.field": "line",
    "transforms.i.type": f"{_T}InsertField$Value",
    "transforms.i.static.field": "site",
    "transforms.i.static.value": "plant-1",
    "transforms.r.type": f"{_T}ReplaceField$Value",
    "transforms.r.renames": "line:text",
}
_ROW_TRANSFORMS: Final = {
    "transforms": "i,r,c",
    "transforms.i.type": f"{_T}InsertField$Value",
    "transforms.i.static.field": "site",
    "transforms.i.static.value": "plant-1",
    "transforms.r.type": f"{_T}ReplaceField$Value",
    "transforms.r.renames": "name:customer,ratio:share",
    "transforms.c.type": f"{_T}Cast$Value",
    "transforms.c.spec": "count:int64,share:float64",
}
CONVERTERS: Final[dict[str, dict[str, str]]] = {
    "string": {"converter": _STRING},
    "json": {"converter": _JSON, "converter.schemas.enable": "false"},
    "json-schema": {"converter": _JSON, "converter.schemas.enable": "true"},
    "avro": {"converter": "io.confluent.connect.avro.AvroConverter"},
    "protobuf": {"converter": "io.confluent.connect.protobuf.ProtobufConverter"},
}
_REGISTRY: Final = {"avro", "protobuf"}


@dataclass(frozen=True)
class Case:
    """`config` is for both; `classes` holds what differs, by side: the names of twins. `encoding` is of the value."""

    name: str
    kind: str
    encoding: str
    config: dict[str, str]
    classes: dict[str, dict[str, str]] = field(default_factory=dict)

    def settings(self, side: str) -> dict[str, str]:
        return {**self.config, **self.classes.get(side, {})}


def _value(encoding: str, registry: str) -> dict[str, str]:
    settings = {f"value.{name}": value for name, value in CONVERTERS[encoding].items()}
    if encoding in _REGISTRY:
        settings["value.converter.schema.registry.url"] = registry
    return {"key.converter": _STRING, **settings}


def cases(records: int, registry: str, lines: Path, work: Path) -> Iterator[Case]:
    """Yield every case. `lines` is a file of `records` lines; `work` is a folder for what sinks write."""
    file = {"connector.class": "FileStreamSource", "file": str(lines), "batch.size": "2000"}
    rows = {"records": str(records), "marker": str(work / "marker.json")}
    twins = {
        "jvm": {"connector.class": "penstock.bench.BatchSource"},
        "penstock": {"connector.class": "bench_plugin.BenchSource"},
    }
    yield Case("source lines, String", "source", "string", file | _value("string", registry))
    for encoding in ("json", "json-schema", "avro", "protobuf"):
        yield Case(f"source lines, Hoist, {encoding}", "source", encoding, file | _HOIST | _value(encoding, registry))
    for encoding in ("json-schema", "avro"):
        config = file | _LINE_TRANSFORMS | _value(encoding, registry)
        yield Case(f"source lines, 3 transforms, {encoding}", "source", encoding, config)
    for encoding in ("json", "json-schema", "avro", "protobuf"):
        yield Case(f"source rows, {encoding}", "source", encoding, rows | _value(encoding, registry), twins)
    for encoding in ("json-schema", "avro"):
        config = rows | _ROW_TRANSFORMS | _value(encoding, registry)
        yield Case(f"source rows, 3 transforms, {encoding}", "source", encoding, config, twins)
    counting = {
        "jvm": {"connector.class": "penstock.bench.CountingSink"},
        "penstock": {"connector.class": "bench_plugin.BenchSink"},
    }
    endless = {"records": str(2**40), "marker": str(work / "marker.json")}
    for encoding in CONVERTERS:
        yield Case(f"sink counting, {encoding}", "sink", encoding, endless | _value(encoding, registry), counting)
    for encoding in ("string", "avro"):
        config = {"connector.class": "FileStreamSink", "file": str(work / "out.txt")} | _value(encoding, registry)
        yield Case(f"sink file, {encoding}", "sink", encoding, config)


def fill(bootstrap: str, topic: str, encoding: str, registry: str, records: int) -> None:
    """Write `records` rows of eight mixed fields (lines of text, for String) in `encoding`."""
    settings = {name.removeprefix("converter."): value for name, value in CONVERTERS[encoding].items()}
    plugin = Plugins.discover().new(PluginKind.CONVERTER, settings.pop("converter"))
    assert isinstance(plugin, Converter)
    plugin.configure({**settings, "schema.registry.url": registry} if encoding in _REGISTRY else settings, False)
    made = [_encoded(plugin, topic, encoding, number) for number in range(1000)]
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    for number in range(records):
        while True:
            try:
                producer.produce(topic, value=made[number % len(made)])
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def _encoded(converter: Converter, topic: str, encoding: str, number: int) -> bytes | None:
    row: Any = mixed_row(number)
    if encoding == "string":
        return converter.from_connect(topic, STRING, ",".join(map(str, row.values())))
    return converter.from_connect(topic, mixed_schema(), row)
