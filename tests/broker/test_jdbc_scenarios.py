"""The scenarios recorded from the JVM's JDBC connectors, replayed against one worker with a real broker and real databases."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.database_server import PostgresServer
from lab.jdbc_scenarios import Lab, run
from lab.worker_process import WorkerProcess, free_port

VECTORS = Path(__file__).parents[1] / "vectors" / "jdbc"
SCENARIOS = {
    scenario["id"]: scenario
    for scenario in (json.loads(file.read_text()) for file in sorted(VECTORS.glob("s*-*.json")))
}
DEVIATIONS = {
    name: entry["reason"]
    for entry in tomllib.loads((VECTORS / "deviations.toml").read_text())["deviation"]
    for name in entry["ids"]
}
AT_ONCE = 10


@pytest.fixture(scope="module")
def outcomes(
    kafka: str, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[str]]]]:
    """What each scenario saw that was not recorded. All run on one worker, several at a time."""
    folder = tmp_path_factory.mktemp("jdbc")
    folder.chmod(0o755)
    rest = f"http://127.0.0.1:{free_port()}"
    (folder / "worker.properties").write_text(
        f"bootstrap.servers={kafka}\nlisteners={rest}\noffset.storage.file.filename={folder}/offsets\n"
        "key.converter=json\nvalue.converter=json\noffset.flush.interval.ms=1000\nmax.tasks=1000\n".replace(
            "max.tasks=1000\n", ""
        )
    )
    with (
        WorkerProcess(["standalone", "worker.properties"], folder / "worker.log", rest) as worker,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        worker.wait_ready()
        lab, hasty = Lab(rest, kafka, postgres, folder), Lab(rest, kafka, postgres, folder)
        lab.patience, hasty.patience = 60, 5
        # The long ones first, so that none of them runs alone at the end.
        by_length = sorted(SCENARIOS.values(), key=lambda s: (s["id"] not in DEVIATIONS, -len(s["steps"])))
        yield {s["id"]: pool.submit(run, hasty if s["id"] in DEVIATIONS else lab, s) for s in by_length}


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - DEVIATIONS.keys()))
def test_a_recorded_scenario_goes_as_recorded(name: str, outcomes: dict[str, Future[list[str]]]) -> None:
    assert outcomes[name].result() == []


@pytest.mark.parametrize("name", sorted(DEVIATIONS))
def test_a_scenario_that_is_listed_as_deviating_does(name: str, outcomes: dict[str, Future[list[str]]]) -> None:
    assert outcomes[name].result() != []


def test_few_scenarios_deviate_and_each_has_a_reason() -> None:
    """What the recording calls a limit of the JVM's own (``jvm-limit``) is not counted."""
    counted = [name for name in DEVIATIONS if "jvm-limit" not in SCENARIOS[name].get("tags", ())]
    assert all(DEVIATIONS.values())
    assert len(counted) <= 0.03 * len(SCENARIOS)
