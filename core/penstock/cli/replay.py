"""``penstock dlq replay``: dead letters go back to the topics that their records came from, in one transaction."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any, Final

from penstock.cli.dead_letter import REPLAYED, DeadLetter, Queue
from penstock.cli.offset_changes import confirmed
from penstock.errors import ConnectError
from penstock.kafka.places import partitions_of
from penstock.kafka.producing import Outgoing
from penstock.kafka.transactions import TransactionalProducer

__all__ = ["add_replay_arguments", "replay"]

_PATIENCE_S: Final = 120.0
_ABORT_S: Final = 10.0
#: The longest that brokers allow unless they are told otherwise (transaction.max.timeout.ms).
_TRANSACTION_MS: Final = "900000"


def add_replay_arguments(parser: Any) -> None:
    parser.description = (
        "Write records back to topic and partition that they came from, with their own key, value, timestamp and headers, in one "
        "transaction. All readers of the topic get them, not this sink alone."
    )
    parser.add_argument(
        "--to", metavar="TOPIC", help="write to this topic instead, to the partition that the key chooses"
    )
    parser.add_argument(
        "--max-replays", metavar="N", type=int, default=3, help="leave out what came back N times already (default: 3)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be written, write nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--through-sink", action="store_true", help=argparse.SUPPRESS)


def replay(arguments: argparse.Namespace) -> int:
    """Return 0 if all that was asked for is written, 1 if nothing was, or something was left out."""
    if arguments.through_sink:
        raise ConnectError(
            "--through-sink is not supported: replay writes to the topics that the records came from, and the sink reads them there"
        )
    queue = Queue(arguments)
    planned, worn = _plan(queue, arguments)
    if not planned:
        print(f"No dead letters to replay in {queue.topic}")
        return 1 if worn else 0
    if not confirmed(f"Write {sum(planned.values())} records?", arguments.yes, arguments.dry_run):
        return 0 if arguments.dry_run else 1
    _write(queue, arguments, sum(planned.values()))
    return 1 if worn else 0


def _plan(queue: Queue, arguments: argparse.Namespace) -> tuple[Counter[tuple[str, int]], int]:
    """Print and return how many records go where, and how many are left out. Raises `ConnectError` if one has no way back."""
    planned: Counter[tuple[str, int]] = Counter()
    worn = 0
    for letter in queue.letters():
        if letter.replayed >= arguments.max_replays:
            worn += 1
        else:
            planned[_target(letter, arguments.to)] += 1
    known = set(partitions_of(queue.admin, {topic for topic, _ in planned}))
    for (topic, number), count in sorted(planned.items()):
        if number >= 0 and (topic, number) not in known:
            raise ConnectError(
                f"{count} records came from {topic}-{number}, and the topic has no such partition: name one with --to"
            )
        print(f"{queue.topic} -> {topic if number < 0 else f'{topic}-{number}'}  {count} records")
    if worn:
        print(f"{worn} records are left out: replayed {arguments.max_replays} times already (--max-replays)")
    return planned, worn


def _target(letter: DeadLetter, to: str | None) -> tuple[str, int]:
    if to is not None:
        return to, -1
    if letter.origin is None:
        raise ConnectError(
            f"Dead letter {letter.partition}:{letter.offset} does not say where it came from "
            "(errors.deadletterqueue.context.headers.enable was false): name the topic with --to"
        )
    return letter.origin


def _outgoing(letter: DeadLetter, to: str | None) -> Outgoing:
    topic, number = _target(letter, to)
    headers: list[tuple[str, Any]] = [header for header in letter.headers if header[0] != REPLAYED]
    headers.append((REPLAYED, str(letter.replayed + 1).encode()))
    return topic, letter.value, letter.key, number, max(letter.timestamp, 0), headers


def _write(queue: Queue, arguments: argparse.Namespace, count: int) -> None:
    settings = {
        **queue.producer_settings,
        "enable.idempotence": "true",
        "acks": "all",
        "transactional.id": f"penstock-replay-{queue.topic}",
        "transaction.timeout.ms": _TRANSACTION_MS,
    }
    producer = TransactionalProducer(
        lambda extra, **callbacks: queue.clients.producer({**settings, **extra}, "penstock dlq", **callbacks),
        "penstock dlq replay",
        prefix="producer.override.",
    )
    producer.init(_PATIENCE_S)
    producer.begin()
    sent = 0
    try:
        for letter in queue.letters():
            if letter.replayed < arguments.max_replays:
                producer.send(_outgoing(letter, arguments.to), wait=lambda: None)
                sent += 1
                producer.raise_failure()
        producer.flush(_PATIENCE_S)
        producer.raise_failure()
        producer.commit(_PATIENCE_S)
    except BaseException as error:
        _take_back(producer, queue, sent, count, error)
        raise
    print(f"Replayed {sent} records; {queue.topic} was read up to (partition: offset) {queue.ends_text}")


def _take_back(producer: TransactionalProducer, queue: Queue, sent: int, count: int, error: BaseException) -> None:
    """Abort, and say how far it came."""
    try:
        producer.abort(_ABORT_S)
    except ConnectError as again:
        print(
            f"{sent} of {count} records were handed over, and Kafka does not say what became of them ({again}): look at the topics "
            "before you replay again"
        )
    else:
        print(
            f"{sent} of {count} records were handed over and taken back: readers of committed records see none of {queue.topic}'s"
        )
