"""Other people's clients of Connect's REST API against a distributed worker: kafka-connect-client (npm), kafka-connect-api (PyPI)."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka_connect_api.errors import GenericConflict, GenericNotFound
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector

from lab.npm import fetch_packages, run_script
from penstock import KAFKA_VERSION
from penstock.cli.wiring import DistributedProcess, config_transformer
from penstock.config.worker import WorkerConfig
from penstock.plugins import Plugins

SCRIPT = Path(__file__).parent / "npm" / "connect_client.js"
JSON = "org.apache.kafka.connect.json.JsonConverter"
FILE_SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector"


@pytest.fixture(scope="module")
def port(kafka: str) -> Iterator[int]:
    """Of a distributed worker, a group of one."""
    group = f"clients-{secrets.token_hex(3)}"
    settings = {
        "bootstrap.servers": kafka, "key.converter": JSON, "value.converter": JSON,
        "listeners": "http://127.0.0.1:0", "group.id": group, "offset.flush.interval.ms": "300",
        "offset.storage.partitions": "3",
        **{f"{which}.storage.topic": f"{group}-{which}" for which in ("config", "offset", "status")},
        **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")},
    }  # fmt: skip
    plugins = Plugins.discover()
    config = WorkerConfig.parse(settings, "distributed")
    process = DistributedProcess(config, plugins, config_transformer(settings, plugins))
    process.start()
    yield process.rest.listeners[0].port
    process.stop()


def until(what: str, check: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(600):
        try:
            if check():
                return
        except GenericNotFound:
            pass  # no status yet
        tick.wait(0.1)
    raise AssertionError(f"not within a minute: {what}")


def test_the_npm_client_leads_a_connector_through_its_life(
    port: int, topic: Callable[..., str], tmp_path: Path
) -> None:
    file, records = tmp_path / "in.txt", topic("records")
    file.write_text("one\ntwo\n")
    seen = run_script(SCRIPT, fetch_packages(SCRIPT.with_name("package.json")), [port, str(file), records], timeout=240)
    config = {
        "connector.class": "FileStreamSource", "file": str(file), "topic": records, "tasks.max": "1", "name": "from-npm",
    }  # fmt: skip
    task = {"connector": "from-npm", "task": 0}
    assert seen["cluster"]["version"] == KAFKA_VERSION
    assert seen["plugins"] > seen["connectorPlugins"] > 0
    assert (seen["valid"], seen["invalid"]) == ({"name": "FileStreamSource", "errors": 0}, 2)  # no number, so null, too
    created = {"name": "from-npm", "config": config, "tasks": [], "type": "source"}
    assert seen["created"] == {"status": 201, "location": "/connectors/from-npm", "body": created}
    assert seen["again"] == {"status": 409, "error_code": 409, "message": "Connector from-npm already exists"}
    assert seen["names"] == ["from-npm"]
    assert seen["info"] == {**created, "tasks": [task]}
    assert seen["config"] == config
    assert [(t["id"], t["config"]["file"]) for t in seen["tasks"]] == [(task, str(file))]
    assert (seen["task"]["id"], seen["task"]["state"]) == (0, "RUNNING")
    # This client sends the flags of a restart in the body, where Connect does not look: a plain restart, 204.
    statuses = {"paused": 202, "resumed": 202, "restarted": 204, "taskRestarted": 204, "updated": 200, "stopped": 204}
    assert {name: seen[name] for name in statuses} == statuses
    assert seen["altered"] == {"message": "The offsets for this connector have been altered successfully"}
    assert seen["offsets"] == {"offsets": [{"partition": {"filename": str(file)}, "offset": {"position": 4}}]}
    assert seen["reset"] == {"message": "The offsets for this connector have been reset successfully"}
    assert (seen["topicsReset"], seen["deleted"], seen["left"]) == (202, 204, [])
    assert seen["gone"] == {"status": 404, "error_code": 404, "message": "Connector from-npm not found"}


def states(connector: Connector) -> tuple[str, list[str]]:
    status: dict[str, Any] = connector.status
    return status["connector"]["state"], [task["state"] for task in status["tasks"]]


def test_the_python_client_leads_a_connector_through_its_life(
    port: int, topic: Callable[..., str], tmp_path: Path
) -> None:
    api = Api(hostname="127.0.0.1", port=port)
    cluster = Cluster(api)
    assert cluster.version == KAFKA_VERSION
    assert cluster.kafka_cluster
    file = tmp_path / "in.txt"
    file.write_text("one\n")
    config = {"connector.class": FILE_SOURCE, "file": str(file), "topic": topic("records"), "tasks.max": "1"}
    assert FILE_SOURCE in [plugin["class"] for plugin in api.get("/connector-plugins")]
    checked = api.put("/connector-plugins/FileStreamSource/config/validate", json={**config, "name": "from-python"})
    assert checked["error_count"] == 0
    assert api.post("/connectors", json={"name": "from-python", "config": config})["name"] == "from-python"
    with pytest.raises(GenericConflict):
        api.post("/connectors", json={"name": "from-python", "config": config})

    connector = cluster.connectors["from-python"]
    assert connector.exists()  # asked for with a slash at the end
    until("running", lambda: states(connector) == ("RUNNING", ["RUNNING"]))
    assert connector.connector_class == FILE_SOURCE
    assert [task.is_running() for task in connector.tasks] == [True]
    connector.pause()
    until("paused", lambda: states(connector) == ("PAUSED", ["PAUSED"]))
    connector.resume()
    until("running", lambda: states(connector) == ("RUNNING", ["RUNNING"]))
    connector.restart()
    connector.restart_all_tasks()
    connector.cycle_connector()
    until("running", lambda: states(connector) == ("RUNNING", ["RUNNING"]))
    connector.config = {**connector.config, "batch.size": "17"}
    assert connector.config["batch.size"] == "17"
    connector.delete()
    until("gone", lambda: "from-python" not in cluster.connectors)
    with pytest.raises(GenericNotFound):
        connector.exists()


def test_the_python_client_sets_levels_of_loggers(port: int) -> None:
    cluster = Cluster(Api(url=f"http://127.0.0.1:{port}"))
    name = "penstock.herder.restart"
    logging.getLogger(name)
    cluster.set_logger_log_level(name, "DEBUG")
    assert cluster.loggers[name]["level"] == "DEBUG"
    cluster.set_logger_log_level(name, "INFO")
