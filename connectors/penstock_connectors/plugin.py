"""The plugins of this package; nothing they need at run time is imported here."""

from __future__ import annotations

from penstock import KAFKA_VERSION, __version__
from penstock.api import Plugin, hookimpl
from penstock_connectors.jdbc import JDBC_VERSION

_FILE = "org.apache.kafka.connect.file."
_TOOLS = "org.apache.kafka.connect.tools."


def _plugin(name: str, target: str, kind: str, summary: str, alias: str = "") -> Plugin:
    version = KAFKA_VERSION if alias else __version__
    target = "penstock_connectors." + target
    return Plugin(name, target, (alias,) if alias else (), summary=summary, connector_type=kind, version=version)


@hookimpl
def penstock_register_connectors() -> list[Plugin]:
    return [
        _plugin(
            "file-source",
            "file_stream_source:FileStreamSourceConnector",
            "source",
            "lines of a file or of standard input",
            _FILE + "FileStreamSourceConnector",
        ),
        _plugin(
            "file-sink",
            "file_stream_sink:FileStreamSinkConnector",
            "sink",
            "values as lines of a file or of standard output",
            _FILE + "FileStreamSinkConnector",
        ),
        _plugin(
            "jsonlines-source", "files.json_lines_source:JsonLinesSource", "source", "typed records out of JSON lines"
        ),
        _plugin("csv-source", "files.csv_source:CsvSource", "source", "typed records out of a CSV file"),
        _plugin("jsonlines-sink", "files.json_lines_sink:JsonLinesSink", "sink", "values as JSON lines"),
        _jdbc(
            "jdbc-source", "source.connector:JdbcSourceConnector", "source", "rows of a database's tables or of a query"
        ),
        _jdbc("jdbc-sink", "sink.connector:JdbcSinkConnector", "sink", "records as rows of a database's tables"),
        _tool("mock-source", "mock:MockSourceConnector", "source", "nothing, or a failure on request"),
        _tool("mock-sink", "mock:MockSinkConnector", "sink", "takes anything, or fails on request"),
        _tool("verifiable-source", "verifiable:VerifiableSourceConnector", "source", "counted records, for tests"),
        _tool("verifiable-sink", "verifiable:VerifiableSinkConnector", "sink", "reports what it takes, for tests"),
        _tool("schema-source", "schema_source:SchemaSourceConnector", "source", "records with a schema, for tests"),
    ]


def _tool(name: str, target: str, kind: str, summary: str) -> Plugin:
    return _plugin(name, "tools." + target, kind, summary, _TOOLS + target.partition(":")[2])


def _jdbc(name: str, target: str, kind: str, summary: str) -> Plugin:
    aliases = tuple(f"io.{owner}.connect.jdbc.{target.partition(':')[2]}" for owner in ("confluent", "aiven"))
    return Plugin(
        name, "penstock_connectors.jdbc." + target, aliases, summary=summary, connector_type=kind, version=JDBC_VERSION
    )
