"""``penstock doctor``: examines a worker's surroundings before it starts, or while it runs, and says what to change."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.cli.common import add_common_arguments, discover_plugins, set_up_logging
from penstock.cli.registry_http import RegistryHttp
from penstock.cli.services import config_transformer, resolved_properties
from penstock.cli.supervisor import registry_url
from penstock.config.disclosure import LookedUpValues
from penstock.config.files import from_environment, load_connector, load_file
from penstock.config.worker import WorkerConfig
from penstock.credentials import without_credentials
from penstock.doctor import Check, examine
from penstock.doctor.brokers import KafkaCheck
from penstock.doctor.check import Result
from penstock.doctor.classes import ConnectorCheck, PluginsCheck
from penstock.doctor.clock import ClockCheck
from penstock.doctor.cluster import Cluster, KafkaCluster
from penstock.doctor.converters import ConvertersCheck
from penstock.doctor.finding import broken
from penstock.doctor.registry import RegistryCheck
from penstock.doctor.registry_access import RegistryAccess
from penstock.doctor.report import as_json, as_text, exit_status, summary
from penstock.doctor.rights import RightsCheck
from penstock.doctor.samples import KafkaSampler
from penstock.doctor.situation import WORKER, Role, Situation
from penstock.doctor.topics import TopicsCheck
from penstock.doctor.transforms import TransformsCheck
from penstock.doctor.worker_settings import SettingsCheck
from penstock.errors import ConfigError

__all__ = ["add_parser", "run"]

_DESCRIPTION: Final = """\
Examine the surroundings of a worker: its settings, plugins, Kafka (brokers, topics, rights, clock), the schema registry
and, with a connector's file, its configuration, its converters and its transforms on a sample of its topic. Each finding says what to
change. Nothing is created or changed. The exit status is 1 if something is broken, 0 otherwise."""
#: Loggers of clients, whose complaints stand in the findings.
_CLIENTS: Final = ("penstock.kafka", "kafka")


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor", help="examine a worker's surroundings and say what to change", description=_DESCRIPTION
    )
    parser.add_argument(
        "worker",
        metavar="worker.properties",
        type=Path,
        help="the worker's settings (.properties or .toml); one of a group if they have a group.id",
    )
    parser.add_argument(
        "connector", metavar="connector", type=Path, nargs="?", help="a connector (.properties, .json or .toml)"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--records", metavar="N", type=int, default=50, help="look at the newest N records of a topic (default: 50)"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=10.0, help="wait so long for each answer (default: 10)"
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run, log_level="ERROR")


def run(arguments: argparse.Namespace) -> int:
    set_up_logging(arguments.log_level, arguments.log_format)
    if arguments.log_level != "DEBUG":
        for name in _CLIENTS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
    found: list[Result] = []
    with ExitStack() as open_things:
        results = _remembered(_examined(arguments, open_things), found)
        if arguments.json:
            print(as_json(results))
        else:
            for line in as_text(results):
                print(line, flush=True)
            print(summary(found))
    return exit_status(found)


def _remembered(results: Iterator[Result], found: list[Result]) -> Iterator[Result]:
    for result in results:
        found.append(result)
        yield result


def _examined(arguments: argparse.Namespace, open_things: ExitStack) -> Iterator[Result]:
    try:
        examined = _read(arguments)
    except ConfigError as error:
        for line in error.message.splitlines():
            advice = "Correct the settings; docs/config.md lists all of them"
            yield Result(SettingsCheck.name, broken(str(arguments.worker), without_credentials(line), advice))
        return
    checks = _checks(examined.situation, arguments.records, open_things)
    yield from examine(checks, examined.shown)


@dataclass(frozen=True)
class _Examined:
    """The contents of the files; `shown` takes the values of config providers out of texts."""

    situation: Situation
    shown: Callable[[str], str]


def _read(arguments: argparse.Namespace) -> _Examined:
    plugins = discover_plugins(arguments)
    props = {**load_file(arguments.worker), **from_environment(os.environ)}
    transformer = config_transformer(props, plugins)
    mode = "distributed" if "group.id" in props else "standalone"
    config = WorkerConfig.parse(resolved_properties(props, transformer), mode, props)
    written: Mapping[str, str] | None = None
    connector: Mapping[str, str] | None = None
    if arguments.connector is not None:
        file = load_connector(arguments.connector)
        written = {"name": file.name, **file.config}
        connector = resolved_properties(written, transformer)
    looked_up = LookedUpValues(written or {}, connector or {})
    situation = Situation(
        config,
        plugins,
        connector,
        written,
        resolve=lambda props: transformer.transform(props, keep_unknown=True)[0],
        registry_url=registry_url(config.raw),
        timeout=arguments.timeout,
    )
    return _Examined(situation, lambda text: looked_up.shown(config.looked_up.shown(without_credentials(text))))


def _checks(situation: Situation, records: int, open_things: ExitStack) -> list[Check]:
    clusters: dict[Role, Cluster] = {}

    def open_cluster(role: Role) -> Cluster:
        if role not in clusters:
            made = clusters[role] = KafkaCluster(situation.connection(role), situation.timeout)
            open_things.callback(made.close)
        return clusters[role]

    worker = open_cluster(WORKER)
    checks: list[Check] = [
        SettingsCheck(situation),
        PluginsCheck(situation),
        KafkaCheck(situation, worker),
        ClockCheck(worker),
    ]
    if situation.distributed:
        checks.append(TopicsCheck(situation, worker))
    checks += [RightsCheck(situation, open_cluster), RegistryCheck(situation, _open_registry(situation.timeout))]
    if situation.connector is not None:
        sampler = KafkaSampler(situation, records)
        checks += [ConnectorCheck(situation), ConvertersCheck(situation, sampler), TransformsCheck(situation, sampler)]
    return checks


def _open_registry(timeout: float) -> Callable[[RegistryAccess], RegistryHttp]:
    return lambda access: RegistryHttp(access.url, access.user, access.token, tls=access.tls, timeout=timeout)
