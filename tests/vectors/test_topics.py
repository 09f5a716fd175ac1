"""Records of the internal topics: what a JVM worker wrote, and what it made of what it read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from lab.vectors import Case, decode_value, encode_value, folder, load
from penstock.errors import ConnectError
from penstock.storage import config_records as records
from penstock.storage.cluster_state import ClusterConfigState, ConfigRecordReader
from penstock.storage.config_records import SessionKey
from penstock.storage.offset_records import OffsetTable, encode_offset
from penstock.storage.states import ConnectorTaskId, State, TargetState
from penstock.storage.status_records import (
    Status,
    StatusTable,
    TopicStatus,
    connector_status_record,
    task_status_record,
    topic_status_record,
    topic_status_removal,
)


def properties(pairs: Sequence[tuple[str, str | None]]) -> dict[str, str | None]:
    return dict(pairs)


def target(name: str | None) -> TargetState | None:
    return None if name is None else TargetState(name)


def status(given: Mapping[str, Any]) -> Status:
    return Status(State(given["state"]), given["trace"], given["workerId"], given["generation"], given["version"])


def written(given: Mapping[str, Any]) -> list[tuple[str, bytes | None]]:
    connector = given.get("connector", "")
    match given["op"]:
        case "putConnectorConfig":
            return records.connector_records(connector, properties(given["properties"]), target(given["targetState"]))
        case "removeConnectorConfig":
            return records.connector_removal(connector)
        case "putTaskConfigs":
            configs = [properties(pairs) for pairs in given["tasks"]]
            return [*records.task_records(connector, configs), records.commit_record(connector, len(configs))]
        case "putTargetState":
            return [records.target_state_record(connector, TargetState(given["state"]))]
        case "putTaskCountRecord":
            return [records.task_count_record(connector, given["taskCount"])]
        case "putSessionKey":
            key = SessionKey(bytes.fromhex(given["key"]), given["algorithm"], given["creationTimestamp"])
            return [records.session_key_record(key)]
        case "putRestartRequest":
            return [records.restart_record(connector, given["onlyFailed"], given["includeTasks"])]
        case "putLoggerLevel":
            return [records.logger_record(given["namespace"], given["level"])]
        case "putConnector":
            return [connector_status_record(connector, status(given))]
        case "putTask":
            return [task_status_record(ConnectorTaskId(connector, given["task"]), status(given))]
        case "putTopic":
            topic = TopicStatus(given["topic"], connector, given["task"], given["discoverTimestamp"])
            return [topic_status_record(topic)]
        case "deleteTopic":
            return [topic_status_removal(connector, given["topic"])]
    raise AssertionError(f"unknown operation {given['op']}")


def shown(data: bytes | str | None) -> Any:
    return {"hex": data.hex(), "utf8": data.decode()} if isinstance(data, bytes) else data


class Events:
    """Writes down what a listener is told, in the recording's words."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def _tell(self, event: str, **fields: Any) -> None:
        self.told.append({"event": event, **fields})

    def on_connector_config_remove(self, connector: str) -> None:
        self._tell("connectorConfigRemove", connector=connector)

    def on_connector_config_update(self, connector: str) -> None:
        self._tell("connectorConfigUpdate", connector=connector)

    def on_task_config_update(self, tasks: Sequence[ConnectorTaskId]) -> None:
        self._tell("taskConfigUpdate", tasks=[str(task) for task in tasks])

    def on_connector_target_state_change(self, connector: str) -> None:
        self._tell("targetStateChange", connector=connector)

    def on_task_target_state_change(self, task: ConnectorTaskId) -> None:
        self._tell("taskTargetStateChange", task=str(task))

    def on_session_key_update(self, key: SessionKey) -> None:
        self._tell("sessionKeyUpdate", **session_key(key))

    def on_restart_request(self, connector: str, only_failed: bool, include_tasks: bool) -> None:
        self._tell("restartRequest", connector=connector, onlyFailed=only_failed, includeTasks=include_tasks)

    def on_logging_level_update(self, namespace: str, level: str) -> None:
        self._tell("loggingLevelUpdate", namespace=namespace, level=level)

    def on_exception(self, error: ConnectError) -> None:
        self._tell("exception", error={"class": error.java_class, "message": str(error)})


def session_key(key: SessionKey | None) -> dict[str, Any]:
    assert key is not None
    return {"algorithm": key.algorithm, "key": key.key.hex(), "creationTimestamp": key.created}


def read_config(given: Sequence[Mapping[str, Any]]) -> tuple[ClusterConfigState, Events]:
    reader, events = ConfigRecordReader(), Events()
    for offset, record in enumerate(given):
        try:
            news = reader.read(record["key"], raw(record["value"]), offset)
        except ConnectError as error:
            events.on_exception(error)
            continue
        if news is not None:
            news(events)
    return reader.snapshot(), events


def raw(node: Mapping[str, Any] | None) -> bytes | None:
    return None if node is None else bytes.fromhex(node["hex"])


def config_snapshot(given: Mapping[str, Any]) -> dict[str, Any]:
    state, events = read_config(given["records"])
    connectors = [
        {
            "name": name,
            "config": dict(config),
            "targetState": state.target_states[name].value,
            "taskCount": state.task_count(name),
            "tasks": [{"task": str(t), "config": dict(state.task_configs[t])} for t in state.tasks(name)],
            "taskCountRecord": state.task_count_records.get(name),
            "pendingFencing": name in state.pending_fencing,
            "taskConfigGeneration": state.task_config_generations.get(name),
            "appliedConfig": dict(state.applied_configs[name]) if name in state.applied_configs else None,
        }
        for name, config in sorted(state.connectors.items())
    ]
    return {
        "offset": state.offset,
        "connectors": connectors,
        "inconsistent": sorted(state.inconsistent),
        "sessionKey": session_key(state.session_key) if state.session_key else None,
        "events": events.told,
    }


def status_fields(met: Status) -> dict[str, Any]:
    return {
        "state": met.state.value, "trace": met.trace, "workerId": met.worker_id, "generation": met.generation,
        "version": met.version,
    }  # fmt: skip


def status_snapshot(given: Mapping[str, Any]) -> dict[str, Any]:
    table = StatusTable()
    for record in given["records"]:
        table.read(record["key"], raw(record["value"]))
    connectors = sorted(table.connectors())
    return {
        "connectors": [
            {"connector": name, **status_fields(met)} for name in connectors if (met := table.connector(name))
        ],
        "tasks": [
            {"task": str(task), **status_fields(met)}
            for name in connectors
            for task, met in sorted(table.tasks(name).items())
        ],
        "topics": [
            {"topic": t.topic, "connector": t.connector, "task": t.task, "discoverTimestamp": t.discovered}
            for name in connectors
            for t in table.topics(name)
        ],
    }


def partitions_after(given: Mapping[str, Any]) -> dict[str, Any]:
    """Starts, as the recording did, with one partition of connector c1."""
    table = OffsetTable()
    table.read(b'["c1",{"filename":"/tmp/a"}]', b"{}")
    table.read(raw(given["key"]), raw(given["offsetValue"]))
    return {
        "connectorPartitions": in_any_order(
            {"connector": name, "partitions": in_any_order(encode_value(p) for p in table.partitions(name))}
            for name in table.connectors()
        ),
        "startedWith": "c1: [{filename:/tmp/a}]",
    }


def in_any_order(nodes: Any) -> list[Any]:
    return sorted(nodes, key=lambda node: json.dumps(node, sort_keys=True))


def run(case: Case) -> Any:
    given = case.input
    match given["op"]:
        case "consume" if case.group.startswith("config"):
            return config_snapshot(given)
        case "consume":
            return status_snapshot(given)
        case "processPartitionKey":
            return partitions_after(given)
        case "offset":
            partition, offset = decode_value(given["partition"]), decode_value(given["offset"])
            key, value = encode_offset(given["connector"], partition, offset)
            return {"records": [{"key": shown(key), "value": shown(value)}]}
    return {"records": [{"key": key, "value": shown(value)} for key, value in written(given)]}


@pytest.mark.parametrize("case", [*load("topics"), *load("topics_odd")], ids=lambda case: case.id)
def test_topics(case: Case, judge: Callable[[Case, Any], None]) -> None:
    for entry in (case.expect or {}).get("connectorPartitions", []):
        entry["partitions"] = in_any_order(entry["partitions"])  # a Java set
    judge(case, run)


# --- whole topics, as a JVM worker left them


@pytest.fixture(scope="module")
def topics() -> dict[str, list[dict[str, Any]]]:
    path = folder() / "internal_topics.json"
    if not path.exists():
        pytest.skip("this folder of vectors has no whole topics")
    recorded = json.loads(path.read_text(encoding="utf-8"))["topics"]
    return {name: topic["records"] for name, topic in recorded.items()}


def replay(topic: Sequence[Mapping[str, Any]], until: int | None = None) -> ClusterConfigState:
    reader = ConfigRecordReader()
    for record in topic:
        if until is not None and record["offset"] > until:
            break
        if record["key"] == "session-key":
            continue  # the recording leaves the key out
        value = None if record["value"] is None else json.dumps(record["value"]).encode()
        reader.read(record["key"], value, record["offset"])
    return reader.snapshot()


def test_the_recorded_config_topic_gives_the_connectors_that_were_there(topics: dict[str, Any]) -> None:
    created = replay(topics["configs"], until=18)
    assert sorted(created.connectors) == ["tsnk", "tsrc", "tstop"]
    assert created.tasks("tsnk") == [ConnectorTaskId("tsnk", 0), ConnectorTaskId("tsnk", 1)]
    assert created.target_states["tstop"] is TargetState.STOPPED
    assert created.task_count_records == {"tsrc": 1}
    assert created.pending_fencing == {"tsnk"}  # a sink: nobody fences it
    assert not created.inconsistent

    stopped = replay(topics["configs"], until=35)
    assert stopped.tasks("tsnk") == [ConnectorTaskId("tsnk", 0)]
    assert stopped.tasks("tsrc") == []
    assert stopped.target_states["tsrc"] is TargetState.STOPPED
    assert stopped.task_count_records["tsrc"] == 0
    assert stopped.applied_configs["tsnk"]["tasks.max"] == "1"

    deleted = replay(topics["configs"])
    assert not deleted.connectors
    assert not deleted.target_states
    assert deleted.offset == 55


def test_the_recorded_status_topic_is_empty_after_all_was_deleted_and_full_before(topics: dict[str, Any]) -> None:
    table = StatusTable()
    for record in sorted(topics["status"], key=lambda record: record["timestamp"]):
        table.read(record["key"], None if record["value"] is None else json.dumps(record["value"]).encode())
        if record["value"] is not None and record["value"].get("state") == "FAILED":
            met = table.task(ConnectorTaskId("tfail", 0))
            assert met is not None
            assert (met.state, met.generation) == (State.FAILED, 12)
            assert table.connector("tstop") is not None
    assert not [name for name in table.connectors() if table.connector(name) or table.tasks(name)]


def test_the_recorded_offsets_are_read_and_would_be_written_again_alike(topics: dict[str, Any]) -> None:
    table = OffsetTable()
    partition = {"filename": "/tmp/connect-topics/in.txt"}
    for record in topics["offsets"]:
        value = record["value"]
        key, data = encode_offset("tsrc", partition, value)
        assert key.decode() == record["key"]
        table.read(key, data)
        assert table.offset("tsrc", partition) == value
    assert table.partitions("tsrc") == []
