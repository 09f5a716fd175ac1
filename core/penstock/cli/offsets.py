"""``penstock offsets``: look at a connector's offsets and change them (KIP-875), and take over a JVM worker's file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from penstock.cli.failed_record import FailedRecord, failed_record
from penstock.cli.kafka_arguments import add_kafka_arguments, moment
from penstock.cli.offset_arguments import wanted_offsets
from penstock.cli.offset_changes import (
    Change,
    ConnectorView,
    confirmed,
    offset_text,
    partition_text,
    print_changes,
)
from penstock.cli.worker_http import DEFAULT_URL, WorkerHttp
from penstock.errors import ConnectError, DataError, WorkerError
from penstock.storage.java_offsets import read_java_offsets
from penstock.storage.offsets import FileOffsetStore

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "offsets",
        help="look at a connector's offsets, change them, step over a bad record",
        description="Offsets of sources and sinks over the REST API of their worker, penstock's or the JVM's. A change is shown "
        "before it is made; the connector must be STOPPED, or is stopped and brought back with --stop.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_show(actions)
    _add_set(actions)
    reset = _changing(actions, "reset", _reset, "forget all offsets")
    reset.description = "Forget all offsets: the connector begins anew, as its first start did."
    _add_skip(actions)
    _add_import(actions)


def _add_show(actions: Any) -> None:
    show = _action(actions, "show", _show, "print the offsets")
    show.add_argument("--json", action="store_true", help="as JSON that `penstock offsets set` takes")


def _add_set(actions: Any) -> None:
    parser = _changing(actions, "set", _set, "set offsets; partitions that are not named keep theirs")
    parser.add_argument("--file", metavar="FILE", help="what `show --json` prints; - reads standard input")
    parser.add_argument("--json", metavar="TEXT", help="the same as text")
    parser.add_argument(
        "--partition", action="append", metavar="P", help="orders-0 for a sink, a JSON object for a source; repeatable"
    )
    parser.add_argument(
        "--offset",
        action="append",
        metavar="O",
        help="a number for a sink, a JSON object for a source, null forgets it",
    )
    parser.add_argument(
        "--to-time", metavar="ISO", type=moment, help="sinks: the first records with this timestamp or a later one"
    )
    parser.add_argument("--to-end", action="store_true", help="sinks: behind the last records")
    parser.add_argument("--to-beginning", action="store_true", help="sinks: the first records that Kafka still has")
    parser.add_argument("--topic", help="with --to-...: this topic alone")
    add_kafka_arguments(parser)


def _add_skip(actions: Any) -> None:
    parser = _changing(actions, "skip", _skip, "step over the one record at which a task failed")
    parser.description = (
        "Read in the failed task's trace which record it failed at, and set the offset behind it. A stop takes the trace away: "
        "use --stop while the task is FAILED."
    )
    parser.add_argument("--task", type=int, metavar="N", help="the task, if several have failed")


def _add_import(actions: Any) -> None:
    parser = actions.add_parser(
        "import",
        help="make penstock's file of one that the JVM worker wrote",
        description="Take over offset.storage.file.filename of a JVM standalone worker. Stop that worker first. Its file is left as it is.",
    )
    parser.add_argument("source", metavar="JVM_FILE", type=Path, help="offset.storage.file.filename of the JVM worker")
    parser.add_argument("target", metavar="NEW_FILE", type=Path, help="must not exist: the same setting for penstock")
    parser.set_defaults(run=_import)


def _action(actions: Any, name: str, run: Any, text: str) -> Any:
    parser = actions.add_parser(name, help=text)
    parser.add_argument("connector", metavar="CONNECTOR")
    parser.add_argument("--url", default=DEFAULT_URL, help=f"REST API of the worker (default: {DEFAULT_URL})")
    parser.set_defaults(run=run)
    return parser


def _changing(actions: Any, name: str, run: Any, text: str) -> Any:
    parser = _action(actions, name, run, text)
    parser.add_argument("--stop", action="store_true", help="stop the connector for it, and bring its state back")
    parser.add_argument("--dry-run", action="store_true", help="print what would change, change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _view(arguments: argparse.Namespace) -> ConnectorView:
    return ConnectorView(WorkerHttp(arguments.url), arguments.connector)


def _show(arguments: argparse.Namespace) -> int:
    entries = _view(arguments).offsets()
    if arguments.json:
        document = {"offsets": [{"partition": partition, "offset": offset} for partition, offset in entries]}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    if not entries:
        print(f"{arguments.connector} has no offsets")
        return 0
    rows = [
        ("PARTITION", "OFFSET"),
        *((partition_text(partition), offset_text(offset)) for partition, offset in entries),
    ]
    width = max(len(row[0]) for row in rows)
    for partition, offset in rows:
        print(f"{partition:<{width}}  {offset}")
    return 0


def _set(arguments: argparse.Namespace) -> int:
    view = _view(arguments)
    wanted = wanted_offsets(view, arguments)
    return _make(view, arguments, view.changes(wanted))


def _reset(arguments: argparse.Namespace) -> int:
    view = _view(arguments)
    changes = [Change(partition, offset, None) for partition, offset in view.offsets()]
    print_changes(view.name, changes)
    if not changes or not confirmed(f"Forget the offsets of {view.name}?", arguments.yes, arguments.dry_run):
        return 0 if arguments.dry_run or not changes else 1
    with view.stopped(arguments.stop):
        print(view.reset())
    return 0


def _skip(arguments: argparse.Namespace) -> int:
    view = _view(arguments)
    record = failed_record(view.name, view.status(), arguments.task)
    print(f"Skipping the record at {record.place}")
    changes = view.changes([record.behind])
    print_changes(view.name, changes)
    if not confirmed(f"Skip this record of {view.name}?", arguments.yes, arguments.dry_run):
        return 0 if arguments.dry_run else 1
    with view.stopped(arguments.stop):
        _refuse_to_skip_more(view, record)
        print(view.write([record.behind]))
    return 0


def _refuse_to_skip_more(view: ConnectorView, record: FailedRecord) -> None:
    """Raise `ConnectError` unless the offsets stand right at the record: else others would be skipped, or brought again."""
    if record.offset is None:
        return
    (change,) = view.changes([record.behind])
    committed = None if change.old is None else int(change.old["kafka_offset"])
    if committed is None or committed == record.offset:
        return
    where = partition_text(change.partition)
    if committed > record.offset:
        raise ConnectError(
            f"{view.name} is past that record already: its offset in {where} is {committed}; nothing was changed"
        )
    raise ConnectError(
        f"{view.name} has committed {where} up to {committed}, and the records from there to {record.offset - 1} were not "
        "delivered: skipping would lose them, so nothing was changed. Set consumer.override.max.poll.records=1 in its "
        "configuration, start it, and skip what it then fails at. A sink that keeps offsets of its own may have them: then "
        f"penstock offsets set {view.name} --partition {where} --offset {record.offset + 1}"
    )


def _make(view: ConnectorView, arguments: argparse.Namespace, changes: list[Change]) -> int:
    print_changes(view.name, changes)
    if not confirmed(f"Change the offsets of {view.name}?", arguments.yes, arguments.dry_run):
        return 0 if arguments.dry_run else 1
    with view.stopped(arguments.stop):
        print(view.write([(change.partition, change.new) for change in changes]))
    return 0


def _import(arguments: argparse.Namespace) -> int:
    source, target = arguments.source, arguments.target
    try:
        data = source.read_bytes()
    except OSError as error:
        raise WorkerError(f"Cannot read {source}: {error.strerror}") from error
    if target.exists():
        raise WorkerError(f"{target} exists already and is left alone; name a file that does not")
    try:
        offsets = read_java_offsets(data)
    except DataError as error:
        raise DataError(f"{source} is not an offsets file of a JVM worker: {error.message}") from error
    store = FileOffsetStore(target)
    store.start()
    for connector, own in offsets.items():
        store.write(connector, own)
        print(f"{connector}: {len(own)} source partition{'s' if len(own) != 1 else ''}")
    if not offsets:
        print("No offsets in the file: nothing to take over")
    else:
        print(f"Written to {target}: name it in offset.storage.file.filename")
    return 0
