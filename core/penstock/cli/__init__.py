"""The command line. Each command is a module with `add_parser` and `run`; rooms are wired together here only."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from penstock import KAFKA_VERSION, __version__
from penstock.errors import ConnectError

__all__ = ["main"]

#: Each a module of this package, in the order that help shows them.
_COMMANDS = (
    "standalone",
    "worker",
    "dev",
    "registry",
    "schema",
    "plugins",
    "doctor",
    "new",
    "transform",
    "offsets",
    "dlq",
    "internal-topics",
)
_DESCRIPTION = "Kafka Connect and a Confluent-compatible Schema Registry in one Python package."
_EPILOG = """\
examples:
  penstock dev source.json sink.json          everything in one process, nothing else needed
  penstock standalone worker.properties orders.json
                                              one worker against a Kafka cluster
  penstock worker worker.properties --workers 4
                                              four workers of a group that shares its connectors
  penstock registry registry.properties       the schema registry alone
  penstock schema check orders-value order.avsc
                                              would this schema be taken?
  penstock plugins                            what converters, transforms and connectors there are
  penstock doctor worker.properties orders.json
                                              what is wrong with the worker's surroundings, and what to change
  penstock new connector acme-ticks           begin a plugin of your own, with tests
  penstock transform --config orders.json --record order.json
                                              what a connector's transforms make of a record
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0, 1 for an error that was explained, 2 for wrong usage, 141 if nobody reads on."""
    argv = sys.argv[1:] if argv is None else argv
    parser = _parser(argv[0] if argv else "")
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except ConnectError as error:
        print(f"penstock: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the output has seen enough, as `| head` does. Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _parser(command: str) -> argparse.ArgumentParser:
    """Return the parser for one command, or for all if `command` is none of them.

    The modules of other commands are not imported, nor the rooms that they stand on.
    """
    parser = argparse.ArgumentParser(
        prog="penstock", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--version", action="version", version=f"penstock {__version__} (follows Kafka Connect {KAFKA_VERSION})"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    named = _COMMANDS if command != "--version" else ()
    for name in [command] if command in _COMMANDS else named:
        importlib.import_module(f"penstock.cli.{name.replace('-', '_')}").add_parser(commands)
    return parser
