"""``penstock transform``: a connector's chain of transforms on given records, stage by stage."""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from penstock.cli.common import add_common_arguments, discover_plugins, set_up_logging
from penstock.cli.record_json import RecordReader, split_records
from penstock.cli.record_view import compare
from penstock.cli.services import config_transformer, resolved_properties
from penstock.config.files import load_connector, load_file
from penstock.data import ConnectRecord
from penstock.errors import ConnectError, DataError
from penstock.kafka import KafkaClients
from penstock.kafka.one_message import read_message
from penstock.plugins import Plugins
from penstock.runtime.assembly import build_chain, build_converters, strip_prefix
from penstock.runtime.chain import Chain
from penstock.runtime.conversion import ConversionError, locate
from penstock.runtime.sink.conversion import SinkConversion
from penstock.runtime.stage_runs import ChainRun, StageRun, run_chain

__all__ = ["add_parser", "run"]

_READ_TIMEOUT_S: Final = 30.0
_DESCRIPTION: Final = """\
Run the transforms of a connector on records and print each stage, before and after. In front of a line: - goes,
+ is new, ~ has another value, ! has another schema. The exit status is 1 if a stage fails."""


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("transform", help="try a connector's transforms on a record", description=_DESCRIPTION)
    parser.add_argument(
        "--config", metavar="FILE", type=Path, required=True, help="the connector's file (.json, .properties or .toml)"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--record",
        metavar="FILE",
        help='records as JSON: {"key", "value", "headers", "topic", ...}, an array of them or one a line; - reads standard input',
    )
    where.add_argument("--topic", help="read the record from this topic, through the connector's converters")
    parser.add_argument("--partition", type=int, default=0, metavar="P", help="the topic's partition (0)")
    parser.add_argument("--offset", type=int, metavar="N", help="the record's offset, with --topic")
    parser.add_argument("--bootstrap-servers", metavar="HOST:PORT", help="the Kafka cluster, with --topic")
    parser.add_argument(
        "--worker", metavar="FILE", type=Path, help="worker settings: its converters, clients and config providers"
    )
    add_common_arguments(parser)
    parser.set_defaults(run=run, log_level="WARNING")


def run(arguments: argparse.Namespace) -> int:
    set_up_logging(arguments.log_level)
    plugins = discover_plugins(arguments)
    worker = load_file(arguments.worker) if arguments.worker is not None else {}
    transformer = config_transformer(worker, plugins)
    worker = resolved_properties(worker, transformer)
    connector = resolved_properties(load_connector(arguments.config).config, transformer)
    chain = build_chain(plugins, connector)
    try:
        records = (
            _given(plugins, connector, arguments.record)
            if arguments.record is not None
            else [_from_kafka(plugins, connector, worker, arguments)]
        )
        results = [_show(chain, record, number, len(records)) for number, record in enumerate(records, 1)]
    finally:
        chain.close()
    return 0 if all(results) else 1


def _given(plugins: Plugins, connector: Mapping[str, str], file: str) -> list[ConnectRecord]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConnectError(f"cannot read {file}: {error}") from error
    reader = RecordReader(plugins, sink=bool({"topics", "topics.regex"} & connector.keys()))
    records = []
    try:
        for node in split_records(text):
            records.append(reader.read(node))
    except DataError as error:
        raise DataError(f"{file}, record {len(records) + 1}: {error}") from error
    return records


def _from_kafka(
    plugins: Plugins, connector: Mapping[str, str], worker: Mapping[str, str], arguments: argparse.Namespace
) -> ConnectRecord:
    servers = arguments.bootstrap_servers or worker.get("bootstrap.servers")
    if arguments.offset is None or not servers:
        raise ConnectError("--topic needs --offset, and --bootstrap-servers or a --worker file that names them")
    converters = build_converters(plugins, connector, worker)
    conversion = SinkConversion(Chain([]), converters)
    try:
        topic, partition, offset = arguments.topic, arguments.partition, arguments.offset
        clients = KafkaClients({"bootstrap.servers": servers}, consumer=strip_prefix(worker, "consumer."))
        overrides = {**strip_prefix(connector, "consumer.override."), "group.id": f"penstock-transform-{uuid.uuid4()}"}
        message = read_message(clients, overrides, "penstock transform", (topic, partition, offset), _READ_TIMEOUT_S)
        record = conversion.record(message, topic, partition, offset)
    except ConversionError as error:
        stage, class_name, cause = locate(error)
        raise DataError(f"{stage.value} ({class_name}) failed for the record: {cause}") from cause
    finally:
        conversion.close()
    assert record is not None  # an empty chain drops nothing
    return record


def _show(chain: Chain, record: ConnectRecord, number: int, count: int) -> bool:
    run = run_chain(chain, record)
    print(f"record {number} of {count}" if count > 1 else "record")
    if not run.stages:
        print(*_indented(compare(record, record)[1]), sep="\n")
    for stage in run.stages:
        _show_stage(stage)
    return not _complain(run, number)


def _show_stage(stage: StageRun) -> None:
    print(f"\nstage {stage.alias} ({stage.class_name})" + ("" if stage.applied else ": left out by its predicate"))
    before, after = compare(stage.before, stage.after or stage.before)
    if stage.after is None:
        before = compare(stage.before, stage.before)[1]
        after = []
    print("  before", *_indented(before), sep="\n")
    if stage.applied and stage.error is None:
        print("  after" if after else "  dropped", *_indented(after), sep="\n")


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _complain(run: ChainRun, number: int) -> bool:
    failed = run.failed
    if failed is None:
        return False
    sys.stdout.flush()
    print(
        f"penstock: stage {failed.alias} ({failed.class_name}) failed for record {number}, topic {run.record.topic}: {failed.error_text}",
        file=sys.stderr,
    )
    return True
