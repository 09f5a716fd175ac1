"""Records that do not fit the settings: they fail the task, or with ``unfit.records=report`` are reported alone."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from penstock.data import INT32, INT64, OPTIONAL_STRING, STRING, Schema, SchemaBuilder, SinkRecord
from penstock.errors import ConnectError, DataError
from penstock.testing.harness import SinkHarness
from penstock_connectors.jdbc.sink.connector import JdbcSinkConnector

ROW = SchemaBuilder.struct().field("id", INT64).field("v", OPTIONAL_STRING).build()
LIST = SchemaBuilder.struct().field("id", INT64).field("v", SchemaBuilder.array(INT32).build()).build()
TOLERANT = {"errors.tolerance": "all", "errors.log.enable": "true"}
REPORT = {**TOLERANT, "unfit.records": "report"}
KEYS = {"pk.mode": "record_value", "pk.fields": "id", "insert.mode": "upsert"}


def record(schema: Schema | None, value: Any) -> SinkRecord:
    return SinkRecord("t", 0, None, None, schema, value, offset=-1)


def row(number: int, text: str = "5") -> SinkRecord:
    return record(ROW, {"id": number, "v": text})


def sink(path: Path, **settings: str) -> SinkHarness:
    config = {
        "topics": "t", "connection.url": f"jdbc:sqlite:{path}", "auto.create": "true", "max.retries": "0",
        **{name.replace("__", "."): value for name, value in settings.items()},
    }  # fmt: skip
    return SinkHarness(JdbcSinkConnector, config)


def rows(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute('SELECT id, v FROM "t" ORDER BY id').fetchall()


UNFIT = [
    ({}, record(None, None), ConnectError, "requires records with a non-null Struct or String value"),
    ({}, record(None, {"id": 9}), ConnectError, "requires records with a non-null Struct or String value"),
    ({}, record(INT64, 9), ConnectError, "requires records with a non-null Struct or String value"),
    (KEYS, record(STRING, "text"), ConnectError, "pk.mode record_value is not supported with String value schemas"),
    (KEYS, record(SchemaBuilder.struct().field("v", STRING).build(), {"v": "x"}), ConnectError, "does not contain field: id"),
    ({}, record(LIST, {"id": 9, "v": [1]}), ConnectError, "Unsupported source data type: ARRAY"),
    ({"timestamp.fields.list": "v"}, row(9, "soon"), DataError, 'Table "t", column v, record t-0 at offset 2'),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "unfit", "kind", "text"), UNFIT)
@pytest.mark.parametrize("exactly", ["false", "true"])
def test_an_unfit_record_is_reported_and_the_others_are_written(
    settings: dict[str, str], unfit: SinkRecord, kind: type[Exception], text: str, exactly: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.db"
    with sink(path, **REPORT, **settings, exactly__once=exactly) as harness:
        harness.put(row(1), row(2), unfit, row(3))
        (reported,) = harness.failures
        assert type(reported.error) is kind
        assert text in str(reported.error)
        assert harness.commit() == {("t", 0): 4}
    assert [number for number, _ in rows(path)] == [1, 2, 3]


@pytest.mark.parametrize(("settings", "unfit", "kind", "text"), UNFIT)
@pytest.mark.parametrize("tolerance", [TOLERANT, {"unfit.records": "report"}])
def test_an_unfit_record_fails_the_task_as_with_the_jvm_unless_reports_are_asked_for_and_possible(
    tolerance: dict[str, str],
    settings: dict[str, str],
    unfit: SinkRecord,
    kind: type[Exception],
    text: str,
    tmp_path: Path,
) -> None:
    with sink(tmp_path / "x.db", **tolerance, **settings) as harness:
        harness.put(row(1))
        harness.put(unfit)
        assert text.partition(" at offset")[0] in str(harness.failure)


def test_a_database_that_cannot_be_reached_is_no_records_fault(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with sink(folder / "x.db", **REPORT, connection__attempts="1") as harness:
        shutil.rmtree(folder)
        harness.put(row(1), record(None, None))
        assert "unable to open database file" in str(harness.failure)
        assert harness.failures == []
