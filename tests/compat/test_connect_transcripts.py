"""What the JVM worker answered over REST, asked of ours."""

from __future__ import annotations

import logging
import secrets
import sys
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest

from lab.fake_worker import standalone_over_fakes
from lab.transcripts import Replay, Scenario, request
from penstock.cli.wiring import DistributedProcess, StandaloneProcess, config_transformer
from penstock.config.worker import WorkerConfig
from penstock.plugins import Plugins
from penstock.rest.server import RestServer
from penstock.storage import FileOffsetStore

HERE = Path(__file__).parent
SCENARIOS = {
    scenario.name: scenario for scenario in map(Scenario.load, sorted((HERE / "transcripts/connect").glob("*.json")))
}
#: These need records to move.
WITH_DATA = {"dataflow-smt", "offsets-source", "topics-source-sink"}
JSON = "org.apache.kafka.connect.json.JsonConverter"
PROVIDERS = {
    "config.providers": "file",
    "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
}

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
    plugins = Plugins.discover()
    transformer = config_transformer(PROVIDERS, plugins)
    herder = standalone_over_fakes(
        plugins,
        worker_defaults={"key.converter": JSON, "value.converter": JSON},
        resolve=lambda config: dict(transformer.transform(config, keep_unknown=True).data),
    ).herder
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


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Steps passed and run, by kind of run; said at the end."""
    counts: Counter[str] = Counter()
    yield counts
    lines = []
    for kind in sorted({key.partition(" ")[0] for key in counts}):
        passed, failed, left_out = (counts[f"{kind} {outcome}"] for outcome in ("passed", "failed", "left out"))
        lines.append(f"{kind}: {passed}/{passed + failed} recorded steps passed, {left_out} left out")
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")


def replayed(replay: Replay, scenario: Scenario, excluded: Excluded, kind: str, tally: Counter[str]) -> list[str]:
    """Run every step; the failures."""
    failures = []
    for result in replay.steps(scenario):
        if excluded(result.step, kind) is not None:
            tally[f"{kind} left out"] += 1
        elif result.differences:
            tally[f"{kind} failed"] += 1
            failures.append("\n  ".join([f"{result.step} {result.what}", *result.differences[:6]]))
        else:
            tally[f"{kind} passed"] += 1
    return failures


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - WITH_DATA))
@pytest.mark.usefixtures("root_level_warn")
def test_a_herder_answers_as_recorded(
    name: str, base: str, tmp_path: Path, excluded: Excluded, tally: Counter[str]
) -> None:
    # Nothing here needs the recorded pauses: a restart is over when the worker says so.
    replay = Replay(base, f"r{secrets.token_hex(3)}", tmp_path, sleep=lambda seconds: _wait(min(seconds, 0.05)))
    failures = replayed(replay, SCENARIOS[name], excluded, "fake", tally)
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="module")
def standalone(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A whole standalone worker on a real broker."""
    folder = tmp_path_factory.mktemp("standalone")
    settings = {
        "bootstrap.servers": kafka, "key.converter": JSON, "value.converter": JSON,
        "listeners": "http://127.0.0.1:0", "offset.storage.file.filename": str(folder / "offsets"),
        "offset.flush.interval.ms": "500", **PROVIDERS,
    }  # fmt: skip
    plugins = Plugins.discover()
    config = WorkerConfig.parse(settings, "standalone")
    process = StandaloneProcess(
        config, plugins, config_transformer(settings, plugins), FileOffsetStore(folder / "offsets")
    )
    process.start()
    yield f"http://127.0.0.1:{process.rest.listeners[0].port}"
    process.stop()


@pytest.mark.parametrize("name", sorted(SCENARIOS))
@pytest.mark.usefixtures("root_level_warn")
def test_a_standalone_worker_answers_as_recorded(
    name: str, standalone: str, tmp_path: Path, excluded: Excluded, tally: Counter[str]
) -> None:
    replay = Replay(standalone, f"r{secrets.token_hex(3)}", tmp_path, sleep=lambda seconds: _wait(min(seconds, 1.0)))
    failures = replayed(replay, SCENARIOS[name], excluded, "standalone", tally)
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="module")
def distributed(kafka: str) -> Iterator[str]:
    """A whole distributed worker, a group of one, on a real broker."""
    yield from _distributed(kafka)


@pytest.fixture(scope="module")
def exactly_once(kafka: str) -> Iterator[str]:
    """The same with sources that deliver exactly once."""
    yield from _distributed(kafka, {"exactly.once.source.support": "enabled"})


def _distributed(kafka: str, more: Mapping[str, str] | None = None) -> Iterator[str]:
    group = f"transcripts-{secrets.token_hex(3)}"
    settings = {
        "bootstrap.servers": kafka, "key.converter": JSON, "value.converter": JSON,
        "listeners": "http://127.0.0.1:0", "group.id": group, "offset.flush.interval.ms": "500",
        "offset.storage.partitions": "3",
        **{f"{which}.storage.topic": f"{group}-{which}" for which in ("config", "offset", "status")},
        **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")}, **PROVIDERS,
        **(more or {}),
    }  # fmt: skip
    plugins = Plugins.discover()
    config = WorkerConfig.parse(settings, "distributed")
    process = DistributedProcess(config, plugins, config_transformer(settings, plugins))
    process.start()
    base = f"http://127.0.0.1:{process.rest.listeners[0].port}"
    _until_healthy(base)
    yield base
    process.stop()


def _until_healthy(base: str) -> None:
    for _ in range(600):
        if request(base, {"method": "GET", "path": "/health"}).status == 200:
            return
        _wait(0.1)
    raise AssertionError("the worker did not come up")


@pytest.mark.parametrize("name", sorted(SCENARIOS))
@pytest.mark.usefixtures("root_level_warn")
def test_a_distributed_worker_answers_as_recorded(
    name: str, distributed: str, tmp_path: Path, excluded: Excluded, tally: Counter[str]
) -> None:
    replay = Replay(distributed, f"r{secrets.token_hex(3)}", tmp_path, sleep=lambda seconds: _wait(min(seconds, 1.0)))
    failures = replayed(replay, SCENARIOS[name], excluded, "distributed", tally)
    assert not failures, "\n".join(failures)


#: Recorded exchanges in which source tasks start, stop, write or have their offsets read and changed.
WITH_SOURCES = ["dataflow-smt", "offsets-source", "pause-resume-stop", "restart-connector", "tasks-basic", "topics-source-sink", "validate-source"]  # fmt: skip


@pytest.mark.parametrize("name", WITH_SOURCES)
@pytest.mark.usefixtures("root_level_warn")
def test_a_distributed_worker_answers_as_recorded_when_its_sources_deliver_exactly_once(
    name: str, exactly_once: str, tmp_path: Path, excluded: Excluded, tally: Counter[str]
) -> None:
    replay = Replay(exactly_once, f"r{secrets.token_hex(3)}", tmp_path, sleep=lambda seconds: _wait(min(seconds, 1.0)))
    failures = replayed(replay, SCENARIOS[name], excluded, "distributed", tally)
    assert not failures, "\n".join(failures)


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def test_every_exclusion_names_a_step_that_exists() -> None:
    known = {f"{name}#{i}" for name, scenario in SCENARIOS.items() for i in range(len(scenario.steps))}
    for entry in tomllib.loads((HERE / "connect_exclusions.toml").read_text())["exclude"]:
        for pattern in entry["steps"]:
            assert any(fnmatch(step, pattern) for step in known), pattern
