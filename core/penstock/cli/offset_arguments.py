"""The offsets that ``penstock offsets set`` is given: in a file, as JSON, one by one, or for a sink by time and by ends."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.cli.kafka_arguments import ToolClients
from penstock.cli.offset_changes import ConnectorView, Entry
from penstock.errors import ConnectError, DataError
from penstock.kafka.places import begins, ends, partitions_of, places_at

__all__ = ["wanted_offsets"]


def wanted_offsets(view: ConnectorView, arguments: argparse.Namespace) -> list[Entry]:
    """Return what the arguments of ``set`` ask for, with every offset looked up. Raises `ConnectError`."""
    by_kafka = arguments.to_time is not None or arguments.to_end or arguments.to_beginning
    ways = [arguments.file, arguments.json, arguments.partition, by_kafka or None]
    if sum(way is not None for way in ways) != 1:
        raise ConnectError(
            "Give the offsets in one way: --file, --json, --partition with --offset, --to-time, --to-end or --to-beginning"
        )
    sink = view.is_sink
    if by_kafka:
        if not sink:
            raise ConnectError(f"{view.name} is a source, and Kafka knows no times of its offsets: name them yourself")
        return _from_kafka(view, arguments)
    if arguments.partition is not None:
        return _pairs(sink, arguments.partition, arguments.offset or [])
    return _document(_text(arguments.file) if arguments.file is not None else arguments.json)


def _from_kafka(view: ConnectorView, arguments: argparse.Namespace) -> list[Entry]:
    tool = ToolClients(arguments)
    config = view.config()
    admin = tool.clients.admin(tool.overrides("admin", config), "penstock offsets")
    topics = dict.fromkeys(name for name in map(str.strip, config.get("topics", "").split(",")) if name)
    topics |= dict.fromkeys(str(partition["kafka_topic"]) for partition, _ in view.offsets())
    if arguments.topic is not None:
        topics = dict.fromkeys([arguments.topic])
    if not topics:
        raise ConnectError(f"{view.name} has read no topic yet that its topics.regex chose: name one with --topic")
    partitions = partitions_of(admin, topics)
    if arguments.to_time is not None:
        found = places_at(admin, partitions, arguments.to_time)
    else:
        found = ends(admin, partitions) if arguments.to_end else begins(admin, partitions)
    return [
        ({"kafka_topic": topic, "kafka_partition": number}, {"kafka_offset": offset})
        for (topic, number), offset in sorted(found.items())
    ]


def _pairs(sink: bool, partitions: list[str], offsets: list[str]) -> list[Entry]:
    if len(partitions) != len(offsets):
        raise ConnectError("Each --partition needs an --offset after it; null forgets the partition's offset")
    return [
        (_partition(sink, partition), _offset(sink, offset))
        for partition, offset in zip(partitions, offsets, strict=True)
    ]


def _partition(sink: bool, text: str) -> Mapping[str, Any]:
    """Return a partition as REST has it: of ``orders-0`` for a sink, of a JSON object for both kinds."""
    if sink and not text.startswith("{"):
        topic, dash, number = text.rpartition("-")
        if not dash or not topic or not number.isdecimal():
            raise DataError(f"--partition {text}: a sink's partition is written TOPIC-NUMBER, as in orders-0")
        return {"kafka_topic": topic, "kafka_partition": int(number)}
    return _object("--partition", text)


def _offset(sink: bool, text: str) -> Mapping[str, Any] | None:
    if text == "null":
        return None
    if sink and text.isdecimal():
        return {"kafka_offset": int(text)}
    if sink and not text.startswith("{"):
        raise DataError(f"--offset {text}: a sink's offset is a number from 0 up, or null")
    return _object("--offset", text)


def _object(option: str, text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{option} {text}: expected a JSON object, as `penstock offsets show` prints them")
    return found


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConnectError(f"Cannot read {file}: {error}") from error


def _document(text: str) -> list[Entry]:
    shape = 'expected {"offsets": [{"partition": {...}, "offset": {...}}]}, as `penstock offsets show --json` prints it'
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(f"The offsets are no JSON ({error}); {shape}") from error
    entries = found.get("offsets") if isinstance(found, dict) else found
    if not isinstance(entries, list) or not entries:
        raise DataError(f"No offsets there; {shape}")
    for number, entry in enumerate(entries, 1):
        whole = isinstance(entry, dict) and entry.keys() == {"partition", "offset"}
        if not whole or not isinstance(entry["partition"], dict) or not isinstance(entry["offset"], dict | None):
            raise DataError(f"Entry {number} is no partition with its offset: {json.dumps(entry)[:200]}; {shape}")
    return [(entry["partition"], entry["offset"]) for entry in entries]
