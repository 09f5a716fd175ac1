"""A dead letter as its headers tell it (KIP-298), and which of them the user asks for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from penstock.cli.kafka_arguments import ToolClients, add_kafka_arguments, moment
from penstock.cli.worker_http import DEFAULT_URL, WorkerHttp, connector_path
from penstock.errors import ConnectError
from penstock.kafka.places import begins, ends, partitions_of
from penstock.kafka.reading import read_between

__all__ = ["CONTEXT", "REPLAYED", "DeadLetter", "Queue", "add_queue_arguments", "time_text"]

#: Before the names of the headers that say why a record is here.
CONTEXT: Final = "__connect.errors."
#: How often a record was written back to its topic.
REPLAYED: Final = "penstock.replayed"
_UNKNOWN: Final = "-"
_BACKWARD: Final = 1 << 62


@dataclass(frozen=True)
class DeadLetter:
    """One record of a dead letter topic. What its headers do not say is ``-``, or None for numbers."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    #: The record's own: those of `CONTEXT` are in `context`.
    headers: list[tuple[str, bytes | None]]
    context: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, message: Any) -> DeadLetter:
        """Return the dead letter that a consumed message is."""
        headers = list(message.headers() or [])
        context = {
            name.removeprefix(CONTEXT): (value or b"").decode(errors="replace")
            for name, value in headers
            if name.startswith(CONTEXT)
        }
        own = [(name, value) for name, value in headers if not name.startswith(CONTEXT)]
        return cls(
            message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(), own, context
        )

    @property
    def stage(self) -> str:
        return self.context.get("stage", _UNKNOWN)

    @property
    def error(self) -> str:
        """The class of the error."""
        return self.context.get("exception.class.name", _UNKNOWN)

    @property
    def topic(self) -> str | None:
        """The topic that the record came from."""
        return self.context.get("topic")

    @property
    def origin(self) -> tuple[str, int] | None:
        """Topic and partition that the record came from; None if the headers do not say."""
        number = self.context.get("partition", "")
        return (self.context["topic"], int(number)) if self.topic and number.isdecimal() else None

    @property
    def origin_text(self) -> str:
        return _UNKNOWN if self.origin is None else f"{self.origin[0]}-{self.origin[1]}"

    @property
    def task(self) -> str:
        """Connector and task, as ``orders/0``."""
        names = [self.context.get("connector.name", _UNKNOWN), self.context.get("task.id", _UNKNOWN)]
        return "/".join(names)

    @property
    def replayed(self) -> int:
        """Return how often the record was replayed; 0 also for a mark that is no number."""
        marks = [value or b"" for name, value in self.headers if name == REPLAYED]
        return max((int(mark) for mark in marks if mark.isdigit() and len(mark) < 10), default=0)


def add_queue_arguments(parser: Any) -> None:
    parser.add_argument("connector", nargs="?", metavar="CONNECTOR", help="the sink whose dead letters are meant")
    parser.add_argument("--topic", help="the dead letter topic, instead of a connector's")
    parser.add_argument(
        "--url", default=DEFAULT_URL, help=f"REST API of the connector's worker (default: {DEFAULT_URL})"
    )
    parser.add_argument("--stage", help="only this stage, as VALUE_CONVERTER")
    parser.add_argument("--error", metavar="CLASS", help="only this class of error, with or without its package")
    parser.add_argument("--topic-origin", metavar="TOPIC", help="only records that came from this topic")
    parser.add_argument("--since", metavar="ISO", type=moment, help="only records with this timestamp or a later one")
    parser.add_argument("--until", metavar="ISO", type=moment, help="only records with an earlier timestamp")
    parser.add_argument(
        "--offsets",
        metavar="A-B",
        type=_range,
        help="only these offsets of the dead letter topic, both inclusive; A- to the end",
    )
    add_kafka_arguments(parser)


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of offsets; expected A-B, A- or A")
    return int(first), int(last) if last else (_BACKWARD if dash else int(first))


class Queue:
    """A dead letter topic, as far as it goes at this moment: what is written to it from now on is not read."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises `ConnectError` if no topic is named, or it is not there."""
        tool = ToolClients(arguments)
        self._arguments, self.clients = arguments, tool.clients
        config: dict[str, str] = {}
        if arguments.connector is not None:
            config = WorkerHttp(arguments.url).ask("GET", connector_path(arguments.connector, "/config"))
        elif arguments.topic is None:
            raise ConnectError("Whose dead letters? Name the connector, or their topic with --topic")
        config = tool.resolved(config)
        self.topic = arguments.topic or config.get("errors.deadletterqueue.topic.name") or ""
        if not self.topic:
            raise ConnectError(
                f"Connector {arguments.connector} has no dead letter queue: errors.deadletterqueue.topic.name is not set"
            )
        self._consumer = tool.overrides("consumer", config)
        self.producer_settings = tool.overrides("producer", config)
        self.admin = tool.clients.admin(tool.overrides("admin", config), "penstock dlq")
        partitions = partitions_of(self.admin, [self.topic])
        first, last = arguments.offsets or (0, _BACKWARD)
        begin, end = begins(self.admin, partitions), ends(self.admin, partitions)
        self._ranges = {p: (max(first, begin[p]), min(last + 1, end[p])) for p in partitions}

    @property
    def ends_text(self) -> str:
        """Return where reading stops, by partition: ``0: 41, 1: 7``."""
        return ", ".join(f"{number}: {end}" for (_, number), (_, end) in sorted(self._ranges.items()))

    def letters(self) -> Iterator[DeadLetter]:
        """Yield the dead letters that the arguments choose, each partition's in order."""
        for message in read_between(self.clients, self._consumer, "penstock dlq", self._ranges):
            letter = DeadLetter.of(message)
            if self._chosen(letter):
                yield letter

    def _chosen(self, letter: DeadLetter) -> bool:
        wanted = self._arguments
        return (
            (wanted.stage is None or letter.stage == wanted.stage.upper())
            and (wanted.error is None or wanted.error in (letter.error, letter.error.rpartition(".")[2]))
            and (wanted.topic_origin is None or letter.topic == wanted.topic_origin)
            and (wanted.since is None or letter.timestamp >= wanted.since)
            and (wanted.until is None or letter.timestamp < wanted.until)
        )


def time_text(milliseconds: int) -> str:
    """Return a timestamp as ISO 8601 in UTC; ``-`` for a record without one."""
    if milliseconds < 0:
        return _UNKNOWN
    try:
        return (
            datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
    except (ValueError, OverflowError, OSError):
        return json.dumps(milliseconds)
