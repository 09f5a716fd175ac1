"""What Confluent's registry answered, asked of ours."""

from __future__ import annotations

import json
import tomllib
import uuid
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from lab.registry_transcripts import RegistryReplay, RegistryScenario
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.server.service import RegistryService

HERE = Path(__file__).parent
FILES = sorted((HERE / "transcripts/registry").glob("*.json"))
SCENARIOS = {scenario.name: scenario for file in FILES for scenario in RegistryScenario.load(file)}


@pytest.fixture(scope="module", params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.broker)])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryService]:
    service = RegistryService()
    store = {
        "memory": lambda: {"store": "memory"},
        "kafka": lambda: {
            "kafkastore.bootstrap.servers": request.getfixturevalue("kafka"),
            "kafkastore.topic": f"_schemas-{uuid.uuid4().hex[:8]}",
            "schema.registry.group.id": f"sr-{uuid.uuid4().hex[:8]}",
            "host.name": "127.0.0.1",
        },
        "sqlite": lambda: {"store": f"sqlite:{tmp_path_factory.mktemp('registry') / 'registry.db'}"},
    }[request.param]()
    service.start({"listeners": "http://127.0.0.1:0", **store})
    # The recorded server had been used before: ids of its default context were beyond those of the others.
    service.registry.settings.update_mode("used-before", "IMPORT")
    service.registry.register("used-before", SchemaRequest('{"type":"fixed","name":"Used","size":1}', id=1000))
    yield service
    service.stop()


@pytest.fixture(scope="module")
def exclusions() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = tomllib.loads((HERE / "registry_exclusions.toml").read_text())["exclude"]
    return entries


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    counts: Counter[str] = Counter()
    yield counts
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        run = counts["passed"] + counts["failed"]
        terminal.write_line(
            f"\nrecorded registry exchanges: {counts['passed']}/{run} steps passed, {counts['left out']} left out"
        )


def is_left_out(step: str, exclusions: list[dict[str, Any]]) -> bool:
    return any(_covers(pattern, step) for entry in exclusions for pattern in entry["steps"])


def _covers(pattern: str, step: str) -> bool:
    """``name#3``, ``name#3-`` (from 3 on), or a glob."""
    scenario, _, number = step.rpartition("#")
    wanted, _, numbers = pattern.rpartition("#")
    if numbers.endswith("-"):
        return fnmatch(scenario, wanted) and int(number) >= int(numbers[:-1])
    return fnmatch(step, pattern)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_registry_answers_as_recorded(
    name: str, service: RegistryService, exclusions: list[dict[str, Any]], tally: Counter[str]
) -> None:
    failures = []
    for result in RegistryReplay(service.urls[0]).steps(SCENARIOS[name]):
        if is_left_out(result.step, exclusions):
            tally["left out"] += 1
        elif result.differences:
            tally["failed"] += 1
            failures.append("\n  ".join([f"{result.step} {result.what}", *result.differences[:6]]))
        else:
            tally["passed"] += 1
    assert not failures, "\n".join(failures)


def test_every_exclusion_names_a_recorded_step(exclusions: list[dict[str, Any]]) -> None:
    steps = [f"{name}#{number}" for name, scenario in SCENARIOS.items() for number in range(len(scenario.steps))]
    unused = [p for entry in exclusions for p in entry["steps"] if not any(_covers(p, step) for step in steps)]
    assert not unused


def test_a_changed_answer_is_noticed(service: RegistryService) -> None:
    scenario = SCENARIOS["root-A"]
    changed = json.loads(json.dumps(scenario.steps).replace('"PROTOBUF"', '"PROTOBUFF"'))
    results = RegistryReplay(service.urls[0]).steps(RegistryScenario("changed", "root", tuple(changed)))
    assert any(result.differences for result in results)
