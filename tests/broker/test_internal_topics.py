"""A group's topics made by hand (KIP-1209): the command that makes them, and a worker that may not."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource

from lab.worker_process import WorkerProcess, free_port
from penstock.cli import main

JSON = "org.apache.kafka.connect.json.JsonConverter"
MISSING = (
    "Topic '{}' specified via the '{}' property is missing. The config 'internal.topics.automatic.creation.enable' is set "
    "to 'false', so automatic creation of internal topics is disabled. Either enable automatic creation or create the "
    "topics manually."
)


@pytest.fixture
def names() -> dict[str, str]:
    run = uuid4().hex[:8]
    return {which: f"internal-{run}-{which}" for which in ("offset", "config", "status")}


def settings(kafka: str, names: dict[str, str], **more: str) -> dict[str, str]:
    return {
        "bootstrap.servers": kafka, "group.id": names["config"], "key.converter": JSON, "value.converter": JSON,
        "listeners": f"http://127.0.0.1:{free_port()}", "internal.topics.automatic.creation.enable": "false",
        **{f"{which}.storage.topic": name for which, name in names.items()},
        **{f"{which}.storage.replication.factor": "1" for which in names}, **more,
    }  # fmt: skip


def written(folder: Path, props: dict[str, str]) -> Path:
    file = folder / "worker.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in props.items()))
    return file


def create(file: Path) -> int:
    return main(["internal-topics", "create", "--worker-config", str(file)])


def test_the_topics_are_created_compacted_with_the_settings_given_and_left_alone_once_they_exist(
    kafka: str, names: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {
        "config.storage.partitions": "7", "status.storage.cleanup.policy": "delete", "offset.storage.partitions": "4",
        "offset.storage.max.message.bytes": "123456",
    }  # fmt: skip
    file = written(tmp_path, settings(kafka, names) | more)
    assert create(file) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Created internal topic: {names['offset']}",
        "Ignoring 'config.storage.partitions=7' setting, since config topic partitions is always 1",
        f"Created internal topic: {names['config']}",
        "Ignoring 'status.storage.cleanup.policy=delete' setting, since compaction is always used",
        f"Created internal topic: {names['status']}",
        "Command executed successfully",
    ]
    admin = AdminClient({"bootstrap.servers": kafka})
    for which, partitions in (("offset", 4), ("config", 1), ("status", 5)):
        found = admin.describe_topics(TopicCollection([names[which]]))[names[which]].result(30)
        assert len(found.partitions) == partitions
        resource = ConfigResource(ConfigResource.Type.TOPIC, names[which])
        configs = admin.describe_configs([resource])[resource].result(30)
        assert configs["cleanup.policy"].value == "compact"
        assert (configs["max.message.bytes"].value == "123456") is (which == "offset")
    assert create(file) == 0
    assert f"Internal topic already exists: {names['config']}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status.storage.topic": None}, 'Missing required configuration "status.storage.topic" which has no default value.'),
        ({"status.storage.topic": ""}, "Must specify non-empty value for required internal topic config: 'status.storage.topic'."),
        ({"offset.storage.partitions": "x"}, "Invalid value x for configuration offset.storage.partitions: Not a number of type INT"),
    ],
)  # fmt: skip
def test_settings_that_cannot_serve_end_with_2(
    change: dict[str, str | None],
    message: str,
    names: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    props = settings("127.0.0.1:1", names) | change
    file = written(tmp_path, {key: value for key, value in props.items() if value is not None})
    assert create(file) == 2
    assert capsys.readouterr().err == message + "\n"


def test_a_file_that_is_not_there_ends_with_2_and_wrong_usage_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(tmp_path / "none.properties") == 2
    assert f"Unable to read worker config at {tmp_path / 'none.properties'}" in capsys.readouterr().err
    for arguments in (["internal-topics"], ["internal-topics", "create"], ["internal-topics", "nonsense"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 1


def test_a_worker_that_may_not_create_its_topics_ends_at_the_missing_one_and_runs_once_they_exist(
    kafka: str, names: dict[str, str], tmp_path: Path
) -> None:
    props = settings(kafka, names)
    file = written(tmp_path, props)
    with WorkerProcess(["worker", file], tmp_path / "worker.log", props["listeners"]) as worker:
        assert worker.process.wait(60) == 1
        assert MISSING.format(names["offset"], "offset.storage.topic") in worker.log()
    assert not set(names.values()) & set(AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics)
    assert create(file) == 0
    with WorkerProcess(["worker", file], tmp_path / "worker2.log", props["listeners"]) as worker:
        worker.wait_ready()
        assert worker.call("GET", "/connectors") == (200, [])
