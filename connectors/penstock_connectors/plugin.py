"""What this package brings to penstock; nothing it needs at run time is imported here."""

from __future__ import annotations

from penstock.api import Plugin, hookimpl

_FILE = "org.apache.kafka.connect.file."
_TOOLS = "org.apache.kafka.connect.tools."


@hookimpl
def penstock_register_connectors() -> list[Plugin]:
    return [
        Plugin(
            "file-source",
            "penstock_connectors.file_stream_source:FileStreamSourceConnector",
            aliases=(_FILE + "FileStreamSourceConnector",),
            connector_type="source",
            summary="lines of a file or of standard input",
        ),
        Plugin(
            "file-sink",
            "penstock_connectors.file_stream_sink:FileStreamSinkConnector",
            aliases=(_FILE + "FileStreamSinkConnector",),
            connector_type="sink",
            summary="values as lines of a file or of standard output",
        ),
    ]
