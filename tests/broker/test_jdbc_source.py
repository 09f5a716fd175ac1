"""The JDBC source in a real worker: exactly once, through kills."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from lab.committed import read
from lab.database_server import PostgresServer
from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port

ROWS = 20_000


def worker_of(folder: Path, kafka: str, config: dict[str, str]) -> Callable[[], WorkerProcess]:
    rest = f"http://127.0.0.1:{free_port()}"
    (folder / "c.json").write_text(json.dumps({"name": config["name"], "config": config}))
    (folder / "worker.properties").write_text(
        f"bootstrap.servers={kafka}\nlisteners={rest}\noffset.storage.file.filename={folder / 'offsets'}\n"
        "offset.flush.interval.ms=200\nkey.converter=json\nvalue.converter=json\nvalue.converter.schemas.enable=false\n"
    )
    return lambda: WorkerProcess(["standalone", folder / "worker.properties", folder / "c.json"], folder / "log", rest)


def offset(worker: WorkerProcess) -> int:
    code, answer = worker.call("GET", "/connectors/rows/offsets")
    return max((entry["offset"]["incrementing"] for entry in answer["offsets"]), default=0) if code == 200 else 0


def until(worker: WorkerProcess, check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 2 * PATIENCE_S
    while not check():
        worker.check()
        assert time.monotonic() < deadline, worker.log()
        time.sleep(0.1)


def test_every_row_is_there_once_although_the_worker_is_killed(
    kafka: str, postgres: PostgresServer, topic: Callable[..., str], tmp_path: Path
) -> None:
    records, offsets = topic("records"), topic("offsets", create=False)
    with postgres.database() as database:
        postgres.execute(
            "create table t(id int primary key)", f"insert into t select generate_series(1, {ROWS})", database=database
        )
        config = {
            "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "name": "rows", "topic.prefix": records,
            "query": "SELECT id FROM t", "mode": "incrementing", "incrementing.column.name": "id", "batch.max.rows": "50",
            "poll.interval.ms": "100", "exactly.once.support": "required", "offsets.storage.topic": offsets,
            **postgres.settings(database),
        }  # fmt: skip
        start = worker_of(tmp_path, kafka, config)
        for kill_at in (1, ROWS // 4, ROWS // 2):
            with start().wait_ready() as worker:
                until(worker, lambda worker=worker, kill_at=kill_at: offset(worker) >= kill_at)
                worker.kill()
        with start().wait_ready() as worker:
            until(worker, lambda worker=worker: offset(worker) == ROWS)
            assert [value["id"] for value in read(kafka, records)] == list(range(1, ROWS + 1))
            assert worker.stop() == 0
