"""A stranger's distribution, installed beside penstock: found, listed, and used by class name through REST."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from lab.worker_process import WorkerProcess, free_port

pytestmark = pytest.mark.packaging

EXAMPLE = Path(__file__).parents[2] / "examples" / "penstock-example-plugin"
TICKS = {
    "connector.class": "penstock_acme.ticks.TickSource",
    "topic": "ticks",
    "ticks": "5",
    "interval.ms": "0",
    "transforms": "tenant,loud",
    "transforms.tenant.type": "penstock_acme.tenant.AddTenant",
    "transforms.tenant.tenant": "road-runner",
    "transforms.loud.type": "acme-uppercase",
    "transforms.loud.field": "tenant",
    "value.converter": "com.acme.connect.PipeConverter",
    "value.converter.fields": "tick:int64,tenant:string",
}


@pytest.fixture(scope="module")
def with_example(installed_all: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    copy = tmp_path_factory.mktemp("example") / "penstock-acme"  # so that building leaves nothing in the checkout
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    installed_all.pip_install(str(copy), "pytest")
    installed_all.example = copy
    return installed_all


def test_its_own_tests_pass_beside_an_installed_penstock(with_example: Any) -> None:
    output = with_example.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(with_example.example))
    assert " passed" in output


def test_its_plugins_are_listed_with_their_distribution(with_example: Any) -> None:
    listing = with_example.run("penstock", "plugins", "list")
    for name in ("pipes", "acme-uppercase", "acme-tenant", "acme-ticks"):
        line = next(line for line in listing.splitlines() if line.split()[:1] == [name])
        assert "penstock-acme 0.1.0" in line
    with_example.run("penstock", "plugins", "doctor")


def test_its_connector_transforms_and_converter_work_by_class_name_over_rest(with_example: Any, tmp_path: Path) -> None:
    port, output = free_port(), tmp_path / "ticks.txt"
    sink = {"connector.class": "FileStreamSink", "topics": "ticks", "file": str(output)}
    sink["value.converter"] = "org.apache.kafka.connect.storage.StringConverter"
    arguments = ["dev", "--rest-port", str(port), "--registry-port", "0"]
    program = with_example.bin / "penstock"
    with WorkerProcess(arguments, tmp_path / "dev.log", f"http://127.0.0.1:{port}", {}, program) as dev:
        dev.wait_ready()
        code, plugins = dev.call("GET", "/connector-plugins")
        assert code == 200
        assert "penstock_acme.ticks.TickSource" in {plugin["class"] for plugin in plugins}
        for name, config in (("copy", sink), ("ticks", TICKS)):
            code, answer = dev.call("PUT", f"/connectors/{name}/config", config)
            assert code == 201, answer
        dev.wait_running("ticks")
        deadline = time.monotonic() + 60
        while not output.exists() or output.read_bytes().count(b"\n") < 5:
            dev.check()
            assert time.monotonic() < deadline, dev.log()
            time.sleep(0.05)
        assert dev.stop() == 0
    assert sorted(output.read_text().splitlines()) == [f"{tick}|ROAD-RUNNER" for tick in range(1, 6)]
