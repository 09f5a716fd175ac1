"""``penstock offsets import``: a JVM standalone worker's offsets as a file that penstock reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from penstock.errors import DataError, WorkerError
from penstock.storage.java_offsets import read_java_offsets
from penstock.storage.offsets import FileOffsetStore

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "offsets",
        help="take over the offsets of a JVM standalone worker",
        description="Offsets of sources in a standalone worker's file (offset.storage.file.filename).",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    imported = actions.add_parser(
        "import",
        help="make penstock's file of one that the JVM worker wrote",
        description="Stop the JVM worker first. Its file is left as it is.",
    )
    imported.add_argument(
        "source", metavar="JVM_FILE", type=Path, help="offset.storage.file.filename of the JVM worker"
    )
    imported.add_argument("target", metavar="NEW_FILE", type=Path, help="must not exist: the same setting for penstock")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
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
