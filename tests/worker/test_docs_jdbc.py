"""The tour of docs/jdbc.md is run as it stands."""

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from lab.worker_process import WorkerProcess, free_port

PAGE = Path(__file__).parents[2] / "docs" / "jdbc.md"


def test_the_tour_of_the_jdbc_page_does_what_it_shows(tmp_path: Path) -> None:
    rest, registry = free_port(), free_port()
    block = re.search(
        r"<!-- tests/worker/test_docs_jdbc\.py runs this block -->\n```sh\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
    assert block is not None
    tour = block[1].replace("localhost:8083", f"127.0.0.1:{rest}")
    arguments = ["dev", "--rest-port", str(rest), "--registry-port", str(registry)]
    with WorkerProcess(arguments, tmp_path / "dev.log", f"http://127.0.0.1:{rest}") as dev:
        dev.wait_ready()
        ran = subprocess.run(["/bin/sh", "-e", "-c", tour], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        assert "error_code" not in ran.stdout
        assert "[(1, 'ladle'), (2, 'whisk')]" in ran.stdout
        with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database:
            columns = [column[1:3] for column in database.execute("PRAGMA table_info(orders)")]
        assert columns == [("id", "INTEGER"), ("item", "TEXT")]
        assert dev.stop() == 0
