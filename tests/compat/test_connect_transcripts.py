"""What the JVM worker answered over REST, asked of ours."""

from __future__ import annotations

import logging
import secrets
import threading
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from penstock.config.worker import WorkerConfig
from penstock.herder.standalone import StandaloneHerder, StatusRecorder
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins
from penstock.rest.server import RestServer
from penstock.testing.fake_worker import FakeWorker
from penstock.testing.transcripts import Replay, Scenario

HERE = Path(__file__).parent
SCENARIOS = {
    scenario.name: scenario for scenario in map(Scenario.load, sorted((HERE / "transcripts/connect").glob("*.json")))
}
#: These need records to move.
WITH_DATA = {"dataflow-smt", "offsets-source", "topics-source-sink"}
JSON = "org.apache.kafka.connect.json.JsonConverter"

Excluded = Callable[[str, str], str | None]


@pytest.fixture(scope="module")
def excluded() -> Excluded:
    """The reason why a step is left out of a kind of run, or None."""
    entries = tomllib.loads((HERE / "connect_exclusions.toml").read_text())["exclude"]

    def reason(step: str, kind: str) -> str | None:
        for entry in entries:
            if entry.get("only", kind) == kind and any(fnmatch(step, pattern) for pattern in entry["steps"]):
                return str(entry["reason"])
        return None

    return reason


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """REST over a standalone herder over a fake worker with the installed plugins."""
    recorder = StatusRecorder()
    plugins = Plugins.discover()
    herder = StandaloneHerder(
        worker := FakeWorker(plugins, recorder),
        recorder,
        ConnectorValidator(plugins, {"key.converter": JSON, "value.converter": JSON}),
        worker,
    )
    settings = {
        "bootstrap.servers": "none:9092", "key.converter": JSON, "value.converter": JSON,
        "listeners": "http://127.0.0.1:0", "offset.storage.file.filename": "unused",
    }  # fmt: skip
    rest = RestServer(WorkerConfig.parse(settings, "standalone"))
    herder.start()
    rest.start(herder)
    yield f"http://127.0.0.1:{rest.listeners[0].port}"
    rest.stop()
    herder.stop()


@pytest.fixture
def root_level_warn() -> Iterator[None]:
    """The level that the recorded worker's root logger had."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.WARNING)
    yield
    root.setLevel(before)


def replayed(replay: Replay, scenario: Scenario, excluded: Excluded, kind: str) -> list[str]:
    """Run every step; the failures, with how many passed printed."""
    failures, passed, skipped = [], 0, []
    for result in replay.steps(scenario):
        reason = excluded(result.step, kind)
        if reason is not None:
            skipped.append(f"{result.step} ({reason})")
        elif result.differences:
            failures.append("\n  ".join([f"{result.step} {result.what}", *result.differences[:6]]))
        else:
            passed += 1
    print(f"{scenario.name}: {passed}/{len(scenario.steps)} steps as recorded" + "".join(f"; not {s}" for s in skipped))
    return failures


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - WITH_DATA))
@pytest.mark.usefixtures("root_level_warn")
def test_a_herder_answers_as_recorded(name: str, base: str, tmp_path: Path, excluded: Excluded) -> None:
    # Nothing here needs the recorded pauses: a restart is over when the worker says so.
    replay = Replay(base, f"r{secrets.token_hex(3)}", tmp_path, sleep=lambda seconds: _wait(min(seconds, 0.05)))
    failures = replayed(replay, SCENARIOS[name], excluded, "fake")
    assert not failures, "\n".join(failures)


def _wait(seconds: float) -> None:

    threading.Event().wait(seconds)


def test_every_exclusion_names_a_step_that_exists() -> None:
    known = {f"{name}#{i}" for name, scenario in SCENARIOS.items() for i in range(len(scenario.steps))}
    for entry in tomllib.loads((HERE / "connect_exclusions.toml").read_text())["exclude"]:
        for pattern in entry["steps"]:
            assert any(fnmatch(step, pattern) for step in known), pattern
