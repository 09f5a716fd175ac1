"""The connectors that come with penstock pass the suites that plugin authors run."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.data import INT64, STRING, SchemaBuilder, SinkRecord
from penstock.testing.suites import sink_suite, source_suite
from penstock_connectors.file_stream_sink import FileStreamSinkConnector
from penstock_connectors.file_stream_source import FileStreamSourceConnector
from penstock_connectors.files.csv_source import CsvSource
from penstock_connectors.files.json_lines_sink import JsonLinesSink
from penstock_connectors.files.json_lines_source import JsonLinesSource
from penstock_connectors.tools.mock import MockSinkConnector, MockSourceConnector, MockSourceTask
from penstock_connectors.tools.schema_source import SchemaSourceConnector
from penstock_connectors.tools.verifiable import VerifiableSinkConnector, VerifiableSourceConnector

FOLDER = tempfile.TemporaryDirectory()  # a suite's settings are made outside of any test's own folder
_NUMBERS = itertools.count()


def file_with(text: str, **settings: str) -> Callable[[], dict[str, str]]:
    def made() -> dict[str, str]:
        path = Path(FOLDER.name, f"in-{next(_NUMBERS)}")
        path.write_text(text, "utf-8")
        return {"file": str(path), "topic": "t", **settings}

    return made


def new_file() -> dict[str, str]:
    return {"file": str(Path(FOLDER.name, f"out-{next(_NUMBERS)}"))}


def lines(settings: Any) -> list[str]:
    return Path(settings["file"]).read_text("utf-8").splitlines()


def never_wait(plugin: Any) -> None:
    if isinstance(plugin, MockSourceTask):
        plugin.idle_seconds = 0.0  # type: ignore[misc]  # this one task's, in the place of the class's


VALUE = SchemaBuilder.struct().name("V").field("n", INT64).build()
TEXTS = [SinkRecord("t", partition=p, value_schema=STRING, value=f"line {o}", offset=o) for o in (0, 1) for p in (0, 1)]
STRUCTS = [SinkRecord("t", partition=0, value_schema=VALUE, value={"n": o}, offset=o) for o in range(3)]
NO_TOPIC = [{"file": "x"}]

TestFileSource = source_suite(
    FileStreamSourceConnector, file_with("a\nb\nc\nd\n"), records=4, refused_settings=NO_TOPIC
)
TestFileSink = sink_suite(
    FileStreamSinkConnector, new_file, records=TEXTS, written=lines, expected=["line 0", "line 0", "line 1", "line 1"]
)
TestJsonLinesSource = source_suite(
    JsonLinesSource, file_with('{"n":1}\n{"n":2}\n{"n":3}\n', **{"file.end": "stop"}), records=3, refused_settings=[*NO_TOPIC, {"topic": "t"}],
)  # fmt: skip
TestCsvSource = source_suite(
    CsvSource, file_with("a,b\n1,x\n2,y\n3,z\n", **{"file.end": "stop"}), records=3, refused_settings=NO_TOPIC
)
TestJsonLinesSink = sink_suite(
    JsonLinesSink, new_file, records=STRUCTS, written=lambda settings: [json.loads(line) for line in lines(settings)],
    expected=[{"n": 0}, {"n": 1}, {"n": 2}], refused_settings=[{}, {"file": "x", "decimal.format": "x"}],
)  # fmt: skip
TestJsonLinesSinkExactlyOnce = sink_suite(
    JsonLinesSink, lambda: {**new_file(), "exactly.once": "true"}, records=STRUCTS,
    written=lambda settings: [json.loads(line) for line in lines(settings)], expected=[{"n": 0}, {"n": 1}, {"n": 2}],
    refused_settings=[{"exactly.once": "true"}, {"file": "/dev/null", "exactly.once": "true"}],
)  # fmt: skip
TestMockSource = source_suite(MockSourceConnector, {"name": "m"}, records=0, prepare=never_wait)
TestMockSink = sink_suite(MockSinkConnector, {"name": "m"}, records=TEXTS)
TestVerifiableSink = sink_suite(VerifiableSinkConnector, {"name": "v"}, records=STRUCTS)
TestVerifiableSource = source_suite(
    VerifiableSourceConnector, {"name": "v", "topic": "t", "throughput": "1000000"}, records=4,
    facts=lambda record: (record.topic, record.key, record.value),
)  # fmt: skip
TestSchemaSource = source_suite(
    SchemaSourceConnector, {"name": "s", "topic": "t", "num.messages": "6", "throughput": "1000000"}, records=6,
)  # fmt: skip
