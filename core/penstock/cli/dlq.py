"""``penstock dlq``: what is in a sink's dead letter topic, why it is there, and the way back."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from typing import Any

from penstock.cli.dead_letter import DeadLetter, Queue, add_queue_arguments, time_text
from penstock.cli.replay import add_replay_arguments, replay

__all__ = ["add_parser"]

_MAX_TEXT = 2000


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "dlq",
        help="look at dead letters, and bring them back",
        description="A sink's dead letter topic, of penstock or of the JVM worker. What is known of a dead letter stands in its "
        "headers: errors.deadletterqueue.context.headers.enable=true.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _action(actions, "list", _list, "count dead letters by stage, error, task and origin")
    show = _action(actions, "show", _show, "print dead letters")
    show.add_argument("--limit", metavar="N", type=int, default=20, help="print at most N (default: 20)")
    show.add_argument("--raw", action="store_true", help="print keys, values and headers as bytes")
    add_replay_arguments(_action(actions, "replay", replay, "write the records back to the topics that they came from"))


def _action(actions: Any, name: str, run: Any, text: str) -> Any:
    parser = actions.add_parser(name, help=text)
    add_queue_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    queue = Queue(arguments)
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for letter in queue.letters():
        times = found[letter.stage, letter.error, letter.task, letter.origin_text]
        times[:] = [times[0] + 1, min(times[1], letter.timestamp), max(times[2], letter.timestamp)] if times else [
            1, letter.timestamp, letter.timestamp,
        ]  # fmt: skip
    if not found:
        print(f"No dead letters in {queue.topic}")
        return 0
    rows = [("COUNT", "STAGE", "ERROR", "TASK", "ORIGIN", "FIRST", "LAST")]
    for names, (count, first, last) in sorted(found.items(), key=lambda item: (-item[1][0], item[0])):
        rows.append((str(count), *names, time_text(first), time_text(last)))  # type: ignore[arg-type]  # four names
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _show(arguments: argparse.Namespace) -> int:
    queue = Queue(arguments)
    count = 0
    for letter in queue.letters():
        count += 1
        if count <= arguments.limit:
            _print(letter, arguments.raw)
    if count > arguments.limit:
        print(f"{count - arguments.limit} more; --limit {count} prints all")
    if not count:
        print(f"No dead letters in {queue.topic}")
    return 0


def _print(letter: DeadLetter, raw: bool) -> None:
    context = letter.context
    print(f"dead letter {letter.partition}:{letter.offset}  {time_text(letter.timestamp)}")
    print(f"  stage   {letter.stage} ({context.get('class.name', '-')})")
    print(f"  error   {letter.error}: {context.get('exception.message', '-')}")
    print(f"  origin  {letter.origin_text}, offset {context.get('offset', '-')}, task {letter.task}")
    for name, value in letter.headers:
        print(f"  header  {name} = {_text(value, raw)}")
    print(f"  key     {_text(letter.key, raw)}")
    print(f"  value   {_text(letter.value, raw)}\n")


def _text(data: bytes | None, raw: bool) -> str:
    """Return JSON as it is, other text in quotes, and what is neither as Python writes bytes."""
    if data is None:
        return "null"
    text = repr(data)
    if not raw:
        try:
            decoded = data.decode()
            text = decoded if _is_json(decoded) else json.dumps(decoded, ensure_ascii=False)
        except UnicodeDecodeError:
            pass
        if not text.isprintable():
            text = repr(data)
    return text if len(text) <= _MAX_TEXT or raw else f"{text[:_MAX_TEXT]}... ({len(data)} bytes)"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
