"""A worker stands still in the middle of a transaction of a JDBC sink with ``exactly.once``: another takes over, and every record is a row once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from lab.database_server import PostgresServer
from lab.sink_worker import produce
from lab.worker_group import WorkerGroup

PARTITIONS = 3
SCHEMA = {"type": "struct", "fields": [{"field": "n", "type": "int64"}]}
#: The rows of offsets stay locked for a while, so that the worker can be stopped meanwhile.
SLOW = """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF new.next_offset <> old.next_offset THEN PERFORM pg_sleep(1); END IF; RETURN NULL; END $$"""
TRIGGER = "CREATE TRIGGER slow AFTER UPDATE ON penstock_sink_offsets FOR EACH ROW EXECUTE FUNCTION slow()"
SLEEPING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '{database}'"


def test_a_worker_that_stands_still_in_a_transaction_blocks_nobody_and_writes_nothing_twice(
    kafka: str, topic: Callable[..., str], tmp_path: Path, postgres: PostgresServer
) -> None:
    name = topic(partitions=PARTITIONS)
    cluster = WorkerGroup(kafka, tmp_path, topic("group", create=False))

    def more(first: int, count: int) -> None:
        for partition in range(PARTITIONS):
            numbers = range(first + partition, first + count, PARTITIONS)
            produce(kafka, name, [json.dumps({"schema": SCHEMA, "payload": {"n": n}}) for n in numbers], partition)

    with postgres.database() as database:

        def rows() -> list[int]:
            return [n for (n,) in postgres.query("SELECT n FROM t ORDER BY n", database)]

        config = {
            "connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", "topics": name, "table.name.format": "t",
            "tasks.max": "1", "auto.create": "true", "exactly.once": "true", "retry.backoff.ms": "200",
            "connection.options": "-c idle_in_transaction_session_timeout=3000", **postgres.settings(database),
        }  # fmt: skip
        try:
            for number in range(2):
                cluster.start(number)
            for worker in cluster.workers.values():
                worker.wait_ready()
            cluster.until("the group is whole", lambda: cluster.settled(2))
            more(0, 30)
            postgres.execute("CREATE TABLE t (n BIGINT)", database=database)
            cluster.create(0, "rows", config)
            cluster.until("rows are written", lambda: len(rows()) == 30)
            postgres.execute(SLOW, TRIGGER, database=database)
            more(30, 30)
            cluster.until("a transaction is open", lambda: bool(postgres.query(SLEEPING.format(database=database))))
            address = cluster.any().call("GET", "/connectors/rows/status")[1]["tasks"][0]["worker_id"]
            owner = next(number for number, worker in cluster.workers.items() if worker.rest.endswith(address))
            frozen = cluster.workers.pop(owner)
            os.kill(frozen.pid, signal.SIGSTOP)
            postgres.execute("DROP TRIGGER slow ON penstock_sink_offsets", database=database)
            more(60, 30)
            cluster.until("the other has written all", lambda: len(rows()) >= 90)
            os.kill(frozen.pid, signal.SIGCONT)
            cluster.workers[owner] = frozen
            cluster.until("both are back", lambda: cluster.settled(2) and cluster.all_running({"rows": 1}))
            more(90, 30)
            cluster.until("the rest is written", lambda: len(rows()) >= 120)
            assert rows() == list(range(120))
        finally:
            for worker in cluster.workers.values():
                worker.kill()
