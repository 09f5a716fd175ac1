"""docs/operating.md: its commands are run as they stand there, and do what the page says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from lab.patience import PATIENCE_S
from lab.worker_group import WorkerGroup
from lab.worker_process import WorkerProcess, free_port
from penstock.config.files import load_file
from penstock_registry.server.service import RegistryService

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="the page's commands need curl and openssl"
)
PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
STRING = "org.apache.kafka.connect.storage.StringConverter"
AVRO = "io.confluent.connect.avro.AvroConverter"


def block(name: str) -> str:
    """The lines of the page's block of that name, as far to the left as they go."""
    found = re.search(
        rf"^( *)<!-- tests/broker/test_operating_page\.py \w+ .*: {name} -->\n *```\w+\n(.*?)\n *```$",
        PAGE,
        re.DOTALL | re.MULTILINE,
    )
    assert found is not None, f"docs/operating.md has no block {name}"
    return "\n".join(line.removeprefix(found[1]) for line in found[2].splitlines()) + "\n"


def at_port(text: str, port: str) -> str:
    """The commands for a worker at `port`, of which the page says 8083."""
    text = re.sub(r"penstock offsets (\w+) (?!.*--url)", rf"penstock offsets \1 --url http://localhost:{port} ", text)
    return text.replace("8083", port)


def run(name: str, folder: Path, worker: WorkerProcess, **environ: str) -> str:
    port = worker.rest.rpartition(":")[2]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = folder / f"{name}.sh"
    script.write_text(at_port(block(name), port))
    ran = subprocess.run(
        ["/bin/sh", "-eu", script], cwd=folder, env={**os.environ, "PATH": path, **environ},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{worker.log()}"
    return ran.stdout


def eventually(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not in time"
        time.sleep(0.1)


def registry() -> tuple[RegistryService, str]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    return service, service.urls[0]


def test_every_block_of_commands_is_one_that_is_run() -> None:
    blocks = len(re.findall(r"^ *```(?:sh|properties)$", PAGE, re.MULTILINE))
    marked = re.findall(r"<!-- tests/broker/test_operating_page\.py .*: (\w+) -->", PAGE)
    assert blocks == len(marked)
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in source for name in marked)


class Cluster:
    """A group of one worker with a source, whose values go to a registry as Avro, and a sink."""

    def __init__(self, group: WorkerGroup, url: str, topic: str, lines: str) -> None:
        self.worker, self.folder = group.any(), group.folder
        (self.folder / "lines.txt").write_text("one\ntwo\nthree\n")
        self.lines = {
            "connector.class": "FileStreamSource", "file": str(self.folder / "lines.txt"), "topic": lines,
            "key.converter": STRING, "value.converter": AVRO, "value.converter.schema.registry.url": url,
        }  # fmt: skip
        self.orders = {
            "connector.class": "FileStreamSink", "file": str(self.folder / "orders.txt"), "topics": topic,
            "key.converter": STRING, "value.converter": STRING,
        }  # fmt: skip
        self.configs = {"lines": self.lines, "orders": self.orders}

    def create(self) -> None:
        for name, config in self.configs.items():
            assert self.worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
            self.worker.wait_running(name)

    def offsets(self, name: str) -> Any:
        return self.worker.call("GET", f"/connectors/{name}/offsets")[1]["offsets"]

    def state(self, name: str) -> str:
        return str(self.worker.call("GET", f"/connectors/{name}/status")[1]["connector"]["state"])


def test_a_group_is_examined_looked_after_backed_up_and_restored_as_the_page_says(
    kafka: str, topic: Callable[..., str], group: Callable[..., WorkerGroup]
) -> None:
    orders, lines = topic("orders"), topic("lines")
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(5):
        producer.produce(orders, b"order %d" % number)
    assert producer.flush(30) == 0
    service, url = registry()
    try:
        cluster = Cluster(group(kafka, topic("old", create=False)), url, orders, lines)
        cluster.create()
        end = {"partition": {"kafka_topic": orders, "kafka_partition": 0}, "offset": {"kafka_offset": 5}}
        eventually("the sink's offsets", lambda: bool(cluster.offsets("orders") == [end]))
        eventually("the source's offsets", lambda: bool(cluster.offsets("lines")))
        _look_after(cluster)
        run("backup", cluster.folder, cluster.worker, SCHEMA_REGISTRY_URL=url)
        offsets = {name: cluster.offsets(name) for name in cluster.configs}
    finally:
        service.stop()
    for name in cluster.configs:
        assert cluster.worker.call("DELETE", f"/connectors/{name}")[0] == 204

    service, new_url = registry()
    try:
        restored = Cluster(group(kafka, topic("new", create=False)), new_url, orders, lines)
        for name in ("schemas.json", "connectors.json", "offsets-lines.json", "offsets-orders.json"):
            (restored.folder / name).write_text((cluster.folder / name).read_text().replace(url, new_url))
        _reset_group(cluster)
        run("restore", restored.folder, restored.worker, SCHEMA_REGISTRY_URL=new_url)
        for name in restored.configs:
            eventually(f"{name} runs", lambda name=name: restored.state(name) == "RUNNING")  # type: ignore[misc]
            assert restored.offsets(name) == offsets[name]
        with urllib.request.urlopen(f"{new_url}/subjects") as answer:
            assert json.load(answer) == [f"{lines}-value"]
        with open(cluster.folder / "lines.txt", "a") as more:
            more.write("four\n")
        moved = lambda: restored.offsets("lines")[0]["offset"]["position"] > offsets["lines"][0]["offset"]["position"]  # noqa: E731 - one line says it
        eventually("the source goes on", moved)
    finally:
        service.stop()


def _look_after(cluster: Cluster) -> None:
    """The blocks of the doctor, of a rolling restart and of a stuck task, on a healthy group."""
    (cluster.folder / "orders.json").write_text(json.dumps({"name": "orders", "config": cluster.orders}))
    (cluster.folder / "worker.properties").write_text((cluster.folder / "worker0.properties").read_text())
    said = run("doctor", cluster.folder, cluster.worker)
    assert "0 broken" in said
    assert json.loads((cluster.folder / "report.json").read_text())["healthy"] is True
    said = run("restart", cluster.folder, cluster.worker)
    assert '"status":"healthy"' in said
    said = run("stuck", cluster.folder, cluster.worker)
    assert '"healthy":true' in said
    assert "converters:" in said
    assert re.search(r"orders\S*-0\s+5\b", said), said


def _reset_group(cluster: Cluster) -> None:
    """Forget what the sink's consumer group had: as if Kafka had lost it, too."""
    config = {**cluster.orders, "name": "orders"}
    worker = cluster.worker
    body = {"name": "orders", "config": config, "initial_state": "STOPPED"}
    assert worker.call("POST", "/connectors", body)[0] == 201
    eventually(
        "it is stopped",
        lambda: worker.call("GET", "/connectors/orders/status")[1].get("connector", {}).get("state") == "STOPPED",
    )
    eventually("it is reset", lambda: worker.call("DELETE", "/connectors/orders/offsets")[0] == 200)
    assert worker.call("DELETE", "/connectors/orders")[0] == 204


def test_security_is_set_up_from_nothing_as_the_page_says(
    tmp_path: Path, kafka: str, topic: Callable[..., str]
) -> None:
    passwords = {"ANNAS_PASSWORD": "annas-word", "PROMETHEUS_PASSWORD": "prometheus-word"}
    rest, name = f"https://localhost:{free_port()}", topic("secured", create=False)
    idle = WorkerProcess(["--version"], tmp_path / "none.log", rest)
    idle.process.wait()
    for step in ("certificate", "users"):
        run(step, tmp_path, idle, **passwords)
    assert "annas-word" not in (tmp_path / "users").read_text()
    (tmp_path / "shown.properties").write_text(block("secured").replace("8083", rest.rpartition(":")[2]))
    settings: Mapping[str, str] = {
        **load_file(tmp_path / "shown.properties"),
        "bootstrap.servers": kafka, "group.id": name, "key.converter": STRING, "value.converter": STRING,
        **{f"{which}.storage.topic": f"{name}-{which}" for which in ("config", "offset", "status")},
        **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")},
    }  # fmt: skip
    file = tmp_path / "worker.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    with WorkerProcess(["worker", file], tmp_path / "worker.log", rest) as worker:
        eventually("it is up", lambda: _curl(tmp_path, f"{rest}/health") == 200)
        orders = json.dumps({"connector.class": "FileStreamSink", "file": "o", "topics": topic("orders")})
        sent = ["-X", "PUT", "-H", "Content-Type: application/json", "-d", orders]
        assert _curl(tmp_path, f"{rest}/connectors/orders/config", *sent) == 401
        prometheus = ["-u", "prometheus:prometheus-word"]
        assert _curl(tmp_path, f"{rest}/connectors/orders/config", *sent, *prometheus) == 403
        assert _curl(tmp_path, f"{rest}/metrics", *prometheus) == 200
        assert _curl(tmp_path, f"{rest}/connectors/orders/config", *sent, "-u", "anna:annas-word") == 201
        said = run("asked", tmp_path, worker, **{**passwords, "ANNAS_PASSWORD": "annas-word"})
        assert '["orders"]' in said
        assert worker.stop() == 0


def _curl(folder: Path, url: str, *options: str) -> int:
    """The status of the answer; 0 if there is none."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", folder / "rest.crt", *options, url]
    return int(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout or 0)
