"""Arguments of the tools that read Kafka themselves, and the clients that these arguments give."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.cli.common import discover_plugins
from penstock.cli.services import config_transformer, resolved_properties
from penstock.config.files import load_file
from penstock.config.worker import client_settings
from penstock.errors import ConnectError
from penstock.kafka import KafkaClients
from penstock.runtime.assembly import strip_prefix

__all__ = ["ToolClients", "add_kafka_arguments", "moment"]


def add_kafka_arguments(parser: Any) -> None:
    parser.add_argument("--bootstrap-servers", metavar="HOST:PORT", help="the Kafka cluster")
    parser.add_argument(
        "--worker", metavar="FILE", type=Path, help="worker settings: its Kafka cluster, clients and config providers"
    )
    parser.add_argument(
        "--plugins", metavar="FILE", type=Path, help="a plugins.toml laid over the default (or PENSTOCK_PLUGINS)"
    )


class ToolClients:
    """Clients of a tool: the worker's own connection settings, with those for its tasks' clients over them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises `ConnectError` if the arguments name no cluster."""
        worker = load_file(arguments.worker) if arguments.worker is not None else {}
        self._transformer = config_transformer(worker, discover_plugins(arguments))
        props = resolved_properties(worker, self._transformer)
        common = client_settings(props)
        if arguments.bootstrap_servers:
            common["bootstrap.servers"] = arguments.bootstrap_servers
        if not common.get("bootstrap.servers"):
            raise ConnectError("Which Kafka cluster? Give --bootstrap-servers, or a --worker file that names them")
        kinds = {kind: {**common, **strip_prefix(props, f"{kind}.")} for kind in ("producer", "consumer", "admin")}
        if arguments.bootstrap_servers:
            for settings in kinds.values():
                settings["bootstrap.servers"] = arguments.bootstrap_servers
        self.clients = KafkaClients(common, kinds["producer"], kinds["consumer"], kinds["admin"])

    def resolved(self, connector: Mapping[str, str]) -> dict[str, str]:
        """Return a connector's configuration with the values of the worker's config providers."""
        return resolved_properties(connector, self._transformer)

    def overrides(self, kind: str, connector: Mapping[str, str]) -> dict[str, str]:
        """Return the client settings of a connector's configuration: ``consumer.override.`` for the kind ``consumer``."""
        return strip_prefix(self.resolved(connector), f"{kind}.override.")


def moment(text: str) -> int:
    """Return an ISO 8601 time as milliseconds since 1970; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; expected ISO 8601, as in 2025-01-31T12:00:00Z"
        ) from None
    return int((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp() * 1000)
