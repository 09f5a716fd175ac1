"""``penstock new``: what it writes is installed beside the wheel of this tree, and is clean, typed, tested and of use."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.worker_process import WorkerProcess, free_port

pytestmark = pytest.mark.packaging

KINDS = ("connector", "converter", "transform")
TOOLS = ("pytest", "mypy", "ruff")


@pytest.fixture(scope="module")
def scaffolded(fresh_installation: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A fresh environment with penstock, a distribution of each kind as `penstock new` writes it, and their tools."""
    folder = tmp_path_factory.mktemp("scaffold")
    fresh = fresh_installation(folder)
    for kind in KINDS:
        said = fresh.run("penstock", "new", kind, f"acme-{kind}", "--dir", str(folder))
        assert f"cd {folder / f'acme-{kind}'}" in said
    fresh.pip_install(*(str(folder / f"acme-{kind}") for kind in KINDS), *TOOLS)
    return fresh


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_pass(scaffolded: Any, kind: str) -> None:
    output = scaffolded.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=scaffolded.folder / f"acme-{kind}"
    )
    assert " passed" in output
    assert "skipped" not in output


@pytest.mark.parametrize("kind", KINDS)
def test_mypy_and_ruff_find_nothing(scaffolded: Any, kind: str) -> None:
    folder = scaffolded.folder / f"acme-{kind}"
    assert "Success: no issues found" in scaffolded.run("mypy", "--strict", cwd=folder)
    assert "All checks passed!" in scaffolded.run("ruff", "check", "--no-cache", ".", cwd=folder)
    assert "already formatted" in scaffolded.run("ruff", "format", "--check", "--no-cache", ".", cwd=folder)


def test_its_plugins_are_listed_with_their_distribution(scaffolded: Any) -> None:
    listing = scaffolded.run("penstock", "plugins", "list")
    for name in ("acme-connector-source", "acme-connector-sink", "acme-converter", "acme-transform"):
        line = next(line for line in listing.splitlines() if line.split()[:1] == [name])
        assert "0.1.0" in line
        assert name in scaffolded.run("penstock", "plugins", "describe", name)
    scaffolded.run("penstock", "plugins", "doctor")


def test_a_worker_runs_all_of_them_together(scaffolded: Any, tmp_path: Path) -> None:
    given, written = tmp_path / "in", tmp_path / "out"
    given.mkdir()
    for number in range(3):
        (given / f"{number}.txt").write_text(f"4000-{number}")
    source = {
        "connector.class": "acme-connector-source", "folder": str(given), "topic": "texts", "poll.interval.ms": "50",
        "transforms": "hoist,mask", "transforms.hoist.type": "HoistField$Value", "transforms.hoist.field": "card",
        "transforms.mask.type": "acme-transform", "transforms.mask.field": "card", "transforms.mask.keep": "1",
        "value.converter": "acme-converter",
    }  # fmt: skip
    sink = {
        "connector.class": "acme-connector-sink", "folder": str(written), "topics": "texts", "value.converter": "string",
    }  # fmt: skip
    port = free_port()
    arguments = ["dev", "--rest-port", str(port), "--registry-port", "0"]
    program = scaffolded.bin / "penstock"
    with WorkerProcess(arguments, tmp_path / "dev.log", f"http://127.0.0.1:{port}", {}, program) as dev:
        dev.wait_ready()
        code, plugins = dev.call("GET", "/connector-plugins")
        assert code == 200
        assert {"acme_connector.source.AcmeConnectorSource", "acme_connector.sink.AcmeConnectorSink"} <= {
            plugin["class"] for plugin in plugins
        }
        for name, config in (("write", sink), ("read", source)):
            code, answer = dev.call("PUT", f"/connectors/{name}/config", config)
            assert code == 201, answer
        deadline = time.monotonic() + 60
        while len(list(written.glob("*.txt"))) < 3:
            dev.check()
            assert time.monotonic() < deadline, dev.log()
            time.sleep(0.05)
        assert dev.stop() == 0
    assert sorted(path.read_text() for path in written.glob("*.txt")) == [f"card:*****{n}" for n in range(3)]
