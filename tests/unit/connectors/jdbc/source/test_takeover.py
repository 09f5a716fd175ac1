"""A source goes on from the offsets that the JVM's connector committed, in every mode and under every kind of partition.

Keys and values are the bytes of ``connect-offsets`` as JsonConverter writes them there: ``OffsetProtocols`` 1 and 0, and
``TimestampIncrementingOffset.toMap`` with and without ``timestamp_nanos``, which older releases do not write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.database_server import PostgresServer
from lab.jdbc_source import JdbcSourceRun
from penstock.storage.offset_records import OffsetTable

V1 = b'["s",{"protocol":"1","table":"t"}]'
V1_TURNED = b'["s",{"table":"t","protocol":"1"}]'
V0 = b'["s",{"table":"t"}]'
QUERY = b'["s",{"query":"query"}]'
OTHERS = [
    (b'["other",{"protocol":"1","table":"t"}]', b'{"incrementing":99,"timestamp":99000,"timestamp_nanos":0}'),
    (b'["s",{"protocol":"1","table":"t2"}]', b'{"incrementing":99,"timestamp":99000,"timestamp_nanos":0}'),
]
INCREMENTING = {"mode": "incrementing", "incrementing.column.name": "id", "table.whitelist": "t"}
TIMESTAMP = {"mode": "timestamp", "timestamp.column.name": "ts", "table.whitelist": "t"}
BOTH = {**INCREMENTING, **TIMESTAMP, "mode": "timestamp+incrementing"}
BULK = {"mode": "bulk", "table.whitelist": "t"}


def by_query(config: dict[str, str]) -> dict[str, str]:
    return {**{k: v for k, v in config.items() if k != "table.whitelist"}, "query": "SELECT id, ts FROM t"}


def offsets_of(*records: tuple[bytes, bytes]) -> list[tuple[Any, Any]]:
    stored = OffsetTable()
    for key, value in [*OTHERS, *records]:
        stored.read(key, value)
    return stored.all("s")


#: The rows' times are 1, 2, 3, 3 and 5 seconds after 1970.
CASES = [
    (INCREMENTING, [(V1, b'{"incrementing":3}')], [4, 5]),
    (INCREMENTING, [(V1_TURNED, b'{"incrementing":3}')], [4, 5]),
    (INCREMENTING, [(V0, b'{"incrementing":3}')], [4, 5]),
    (INCREMENTING, [(V0, b'{"incrementing":1}'), (V1, b'{"incrementing":4}')], [5]),
    (INCREMENTING, [(V1, b'{"incrementing":3,"timestamp_nanos":0,"timestamp":9000}')], [4, 5]),
    (INCREMENTING, [(QUERY, b'{"incrementing":3}')], [1, 2, 3, 4, 5]),
    (TIMESTAMP, [(V1, b'{"timestamp_nanos":0,"timestamp":2000}')], [3, 4, 5]),
    (TIMESTAMP, [(V1, b'{"timestamp":2000}')], [3, 4, 5]),
    (TIMESTAMP, [(V0, b'{"timestamp_nanos":0,"timestamp":3000}')], [5]),
    (TIMESTAMP, [(V0, b'{"timestamp":1000}'), (V1, b'{"timestamp":3000}')], [5]),
    (TIMESTAMP, [(V1, b'{"incrementing":1,"timestamp_nanos":0,"timestamp":3000}')], [5]),
    (BOTH, [(V1, b'{"incrementing":3,"timestamp_nanos":0,"timestamp":3000}')], [4, 5]),
    (BOTH, [(V1, b'{"incrementing":3,"timestamp":3000}')], [4, 5]),
    (BOTH, [(V0, b'{"timestamp_nanos":0,"incrementing":4,"timestamp":3000}')], [5]),
    (BOTH, [(V0, b'{"incrementing":1,"timestamp":1000}'), (V1, b'{"incrementing":4,"timestamp":3000}')], [5]),
    (BULK, [(V1, b'{"incrementing":3}'), (V0, b'{"incrementing":3}')], [1, 2, 3, 4, 5]),
    (by_query(INCREMENTING), [(QUERY, b'{"incrementing":3}')], [4, 5]),
    (by_query(TIMESTAMP), [(QUERY, b'{"timestamp_nanos":0,"timestamp":2000}')], [3, 4, 5]),
    (by_query(TIMESTAMP), [(QUERY, b'{"timestamp":3000}')], [5]),
    (by_query(BOTH), [(QUERY, b'{"incrementing":3,"timestamp_nanos":0,"timestamp":3000}')], [4, 5]),
    (by_query(BULK), [(QUERY, b'{"incrementing":3}')], [1, 2, 3, 4, 5]),
]  # fmt: skip


@pytest.mark.parametrize(("config", "committed", "expected"), CASES)
def test_a_source_goes_on_where_the_jvms_connector_stood(
    config: dict[str, str], committed: list[tuple[bytes, bytes]], expected: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, ts TIMESTAMP NOT NULL);"
            "INSERT INTO t VALUES (1, 1000), (2, 2000), (3, 3000), (4, 3000), (5, 5000)"
        )
    offsets = offsets_of(*committed)
    with JdbcSourceRun(
        {"connection.url": f"jdbc:sqlite:{path}", "poll.interval.ms": "60000", **config}, offsets
    ) as run:
        records = run.take(len(expected))
        assert [record.value["id"] for record in records] == expected
        assert run.rest(3) == []
    if config["mode"] != "bulk":
        partition = {"query": "query"} if "query" in config else {"protocol": "1", "table": "t"}
        assert all(record.source_partition == partition for record in records)


TIMES = ["2024-01-01 10:00:00.123455", "2024-01-01 10:00:00.123456", "2024-01-01 10:00:00.123457"]
#: 10:00 on the clock of New York is 15:00 in UTC.
STOOD = {"UTC": 1704103200123, "America/New_York": 1704121200123}
ON_POSTGRES = [
    ({"mode": "timestamp"}, {}, [3]),
    ({"mode": "timestamp+incrementing", "incrementing.column.name": "id"}, {"incrementing": 2}, [3]),
    ({"mode": "timestamp+incrementing", "incrementing.column.name": "id"}, {"incrementing": 1}, [2, 3]),
]


@pytest.mark.parametrize("zone", STOOD)
@pytest.mark.parametrize("table", [{"protocol": "1", "table": "public.t"}, {"table": "t"}])
@pytest.mark.parametrize(("config", "number", "expected"), ON_POSTGRES)
def test_microseconds_of_an_offset_count_in_the_databases_time_zone(
    config: dict[str, str],
    number: dict[str, int],
    expected: Sequence[int],
    table: dict[str, str],
    zone: str,
    postgres: PostgresServer,
) -> None:
    with postgres.database() as database:
        rows = ", ".join(f"({place}, '{text}')" for place, text in enumerate(TIMES, 1))
        postgres.execute(
            "create table t(id int primary key, ts timestamp not null)",
            f"insert into t values {rows}",
            database=database,
        )
        stood = {**number, "timestamp_nanos": 123456000, "timestamp": STOOD[zone]}
        settings = {
            **postgres.settings(database),
            "timestamp.column.name": "ts",
            "table.whitelist": "t",
            "db.timezone": zone,
        }
        with JdbcSourceRun({**settings, **config, "poll.interval.ms": "60000"}, [(table, stood)]) as run:
            assert [record.value["id"] for record in run.take(len(expected))] == expected
            assert run.rest(3) == []
