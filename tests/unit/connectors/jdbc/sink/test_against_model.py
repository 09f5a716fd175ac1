"""Upserts and deletes of random records, schemas and batches leave the rows that a plain dictionary says."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from penstock.data import INT32, INT64, OPTIONAL_STRING, Schema, SchemaBuilder, SinkRecord, Type
from penstock.testing.harness import SinkHarness
from penstock_connectors.jdbc.sink.connector import JdbcSinkConnector

KEY = SchemaBuilder.struct().field("k", INT32).build()
A, B, C = OPTIONAL_STRING, INT64.as_optional(), Schema(Type.STRING, True, default="dd")
VALUES = [
    SchemaBuilder.struct().field("a", A).build(),
    SchemaBuilder.struct().field("a", A).field("b", B).build(),
    SchemaBuilder.struct().field("b", B).field("c", C).build(),
]
#: Makes the table with all columns; its own row is not compared.
FIRST = SchemaBuilder.struct().field("a", A).field("b", B).field("c", C).build()
CHOICES: dict[str, list[Any]] = {"a": [None, "x", "y"], "b": [None, 1, 2], "c": [None, "z"]}
COLUMNS = {"a": None, "b": None, "c": "dd"}


def operations(chance: random.Random) -> list[tuple[int, Schema | None, dict[str, Any] | None]]:
    """Return keys with a value's schema and value, or without for a delete."""
    made: list[tuple[int, Schema | None, dict[str, Any] | None]] = []
    for _ in range(chance.randint(1, 60)):
        schema = chance.choice([None, *VALUES])
        value = None if schema is None else {field.name: chance.choice(CHOICES[field.name]) for field in schema.fields}
        made.append((chance.randint(0, 6), schema, value))
    return made


def expected(made: list[tuple[int, Schema | None, dict[str, Any] | None]]) -> dict[int, dict[str, Any]]:
    """SQLite's upsert replaces the row: a column that the record lacks falls back to its default, as does a null with one."""
    rows: dict[int, dict[str, Any]] = {}
    for key, _, value in made:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = {**COLUMNS, **{name: COLUMNS[name] if item is None else item for name, item in value.items()}}
    return rows


@pytest.mark.parametrize("seed", range(24))
def test_the_table_is_what_the_records_say_one_after_the_other(seed: int, tmp_path: Path) -> None:
    chance, path = random.Random(seed), tmp_path / "x.db"
    made = operations(chance)
    records = [SinkRecord("t", 0, KEY, {"k": key}, schema, value, offset=-1) for key, schema, value in made]
    config = {
        "topics": "t", "connection.url": f"jdbc:sqlite:{path}", "auto.create": "true", "insert.mode": "upsert",
        "pk.mode": "record_key", "delete.enabled": "true", "batch.size": str(chance.choice([0, 1, 2, 3, 7, 3000])),
        "consumer.override.max.poll.records": str(chance.choice([1, 5, 100])), "exactly.once": chance.choice(["true", "false"]),
    }  # fmt: skip
    with SinkHarness(JdbcSinkConnector, config) as harness:
        harness.put(SinkRecord("t", 0, KEY, {"k": 99}, FIRST, {"a": None, "b": None, "c": None}, offset=-1))
        harness.put(*records)
        assert harness.failure is None
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT k, a, b, c FROM t WHERE k <> 99").fetchall()
    assert {k: {"a": a, "b": b, "c": c} for k, a, b, c in found} == expected(made)
