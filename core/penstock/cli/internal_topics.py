"""``penstock internal-topics create``: the three topics of a group of workers, made before its first worker starts.

Output and exit codes are those of Kafka's ``connect-internal-topics.sh`` (KIP-1209).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from penstock.cli.common import discover_plugins
from penstock.cli.services import config_transformer, resolved_properties
from penstock.config.files import load_file
from penstock.config.table import ROWS
from penstock.config.types import parse_type
from penstock.config.worker import client_settings
from penstock.errors import ConfigError
from penstock.kafka.admin import create_topic
from penstock.kafka.topic_log import internal_clients

__all__ = ["add_parser", "run"]

_ORDER: Final = ("offset", "config", "status")
_OWN: Final = ("topic", "partitions", "replication.factor", "cleanup.policy", "file.filename")


class _Parser(argparse.ArgumentParser):
    """Wrong usage is exit code 1 here, as in Kafka's tool."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: error: {message}\n")


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "internal-topics",
        help="create the topics that a group of workers keeps its state in",
        description="The topics of configurations, source offsets and states (config.storage.topic, offset.storage.topic, "
        "status.storage.topic). Needed where internal.topics.automatic.creation.enable=false.",
    )
    parser.__class__ = _Parser
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)
    create = actions.add_parser(
        "create",
        help="create the topics that are missing",
        description="Create the topics that are missing; those that exist are left as they are.",
    )
    create.add_argument(
        "--worker-config", metavar="FILE", type=Path, required=True, help="the worker's settings (.properties or .toml)"
    )
    create.add_argument(
        "--plugins", metavar="FILE", type=Path, help="a plugins.toml laid over the default (or PENSTOCK_PLUGINS)"
    )
    create.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the topics are there afterwards, 2 for settings that cannot serve."""
    try:
        props = _settings(arguments)
        topics = [_Topic(which, props) for which in _ORDER]
        admin = internal_clients(client_settings(props)).admin({}, "internal-topics")
    except ConfigError as error:
        print(error.message, file=sys.stderr)
        return 2
    for topic in topics:
        for warning in topic.ignored:
            print(warning)
        if create_topic(admin, topic.name, topic.partitions, topic.replication, topic.settings):
            print(f"Created internal topic: {topic.name}")
        else:
            print(f"Internal topic already exists: {topic.name}")
    print("Command executed successfully")
    return 0


def _settings(arguments: argparse.Namespace) -> Mapping[str, str]:
    try:
        props = load_file(arguments.worker_config)
    except ConfigError as error:
        raise ConfigError(f"Unable to read worker config at {arguments.worker_config}: {error.message}") from None
    return resolved_properties(props, config_transformer(props, discover_plugins(arguments)))


class _Topic:
    """Return one of the topics as the worker's settings have it. Raises `ConfigError` for settings that are wrong."""

    def __init__(self, which: str, props: Mapping[str, str]) -> None:
        prefix = f"{which}.storage."
        self.name = _name(prefix + "topic", props)
        given = {k.removeprefix(prefix): v for k, v in props.items() if k.startswith(prefix)}
        self.partitions = 1 if which == "config" else _number(prefix + "partitions", props)
        self.replication = _number(prefix + "replication.factor", props)
        self.settings = {k: v for k, v in given.items() if k not in _OWN} | {"cleanup.policy": "compact"}
        #: A line for each setting that is not followed.
        self.ignored = []
        if which == "config" and "partitions" in given:
            self.ignored.append(
                f"Ignoring '{prefix}partitions={given['partitions']}' setting, since config topic partitions is always 1"
            )
        if "cleanup.policy" in given:
            self.ignored.append(
                f"Ignoring '{prefix}cleanup.policy={given['cleanup.policy']}' setting, since compaction is always used"
            )


def _name(key: str, props: Mapping[str, str]) -> str:
    name = props.get(key)
    if name is None:
        raise ConfigError(f'Missing required configuration "{key}" which has no default value.')
    if not name.strip():
        raise ConfigError(f"Must specify non-empty value for required internal topic config: '{key}'.")
    return name.strip()


def _number(key: str, props: Mapping[str, str]) -> int:
    row = ROWS[key]
    value: int = parse_type(key, props.get(key, row.default), row.type)
    if row.validator is not None:
        row.validator.ensure_valid(key, value)
    return value
