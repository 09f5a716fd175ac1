"""Exactly once without a group: a connector with an offsets topic of its own, in ``penstock standalone``; and where it is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from lab.committed import once_and_in_order, read
from lab.patience import PATIENCE_S
from lab.worker_group import WorkerGroup
from lab.worker_process import WorkerProcess, free_port

JSON = "org.apache.kafka.connect.json.JsonConverter"
COUNTING = {
    "connector.class": "lab.counting_source:CountingSource", "tasks.max": "2", "rate": "2000",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter.schemas.enable": "false",
}  # fmt: skip


def standalone(folder: Path, kafka: str) -> Callable[[], WorkerProcess]:
    rest = f"http://127.0.0.1:{free_port()}"
    (folder / "worker.properties").write_text(
        f"bootstrap.servers={kafka}\nlisteners={rest}\noffset.storage.file.filename={folder / 'offsets'}\n"
        f"offset.flush.interval.ms=200\nkey.converter={JSON}\nvalue.converter={JSON}\n"
    )
    return lambda: WorkerProcess(["standalone", folder / "worker.properties", folder / "c.json"], folder / "log", rest)


def until(what: str, worker: WorkerProcess, check: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        worker.check()
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{worker.log()}"
        time.sleep(0.1)


def committed(worker: WorkerProcess) -> int:
    """Return how many numbers the stored offsets stand for."""
    code, answer = worker.call("GET", "/connectors/numbers/offsets")
    return sum(entry["offset"]["n"] + 1 for entry in answer["offsets"]) if code == 200 else 0


def test_a_killed_standalone_worker_goes_on_and_each_number_is_there_once(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    records, offsets, limit = topic("records"), topic("offsets", create=False), 4000
    config = {
        **COUNTING, "rate": "500", "name": "numbers", "topic": records, "limit": str(limit), "exactly.once.support": "required",
        "offsets.storage.topic": offsets,
    }  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps({"name": "numbers", "config": config}))
    start = standalone(tmp_path, kafka)
    for turn in range(3):
        with start().wait_ready() as worker:
            if turn < 2:
                until("it writes", worker, lambda turn=turn: committed(worker) > 500 + 1500 * turn)
                worker.kill()
                continue
            until("all is there", worker, lambda: len(read(kafka, records)) >= 2 * limit)
            assert once_and_in_order(read(kafka, records)) == {0: limit, 1: limit}
            code, answer = worker.call("GET", "/connectors/numbers/offsets")
            assert code == 200
            entries = sorted(answer["offsets"], key=lambda entry: int(entry["partition"]["task"]))  # in no order
            assert entries == [{"partition": {"task": t}, "offset": {"n": limit - 1}} for t in (0, 1)]
            assert worker.stop() == 0
    described = AdminClient({"bootstrap.servers": kafka}).list_topics(offsets, timeout=10)
    assert described.topics[offsets].error is None


@pytest.mark.parametrize(
    ("command", "more", "reason"),
    [
        ("dev", {"offsets.storage.topic": "o"}, "the embedded broker shows aborted records; name a real cluster"),
        ("standalone", {}, "a standalone worker keeps offsets in a file; set offsets.storage.topic"),
    ],
)
def test_it_is_refused_with_the_reason_where_it_cannot_be_had(
    kafka: str, tmp_path: Path, command: str, more: dict[str, str], reason: str
) -> None:
    config = {**COUNTING, "name": "numbers", "topic": "t", "exactly.once.support": "required", **more}
    (tmp_path / "c.json").write_text(json.dumps({"name": "numbers", "config": config}))
    if command == "standalone":
        worker = standalone(tmp_path, kafka)()
    else:
        rest, registry = free_port(), free_port()
        arguments = ["dev", tmp_path / "c.json", "--rest-port", str(rest), "--registry-port", str(registry)]
        worker = WorkerProcess(arguments, tmp_path / "log", f"http://127.0.0.1:{rest}")
    with worker:
        until("the reason", worker, lambda: reason in worker.log(10**6), 120)


def test_offsets_of_a_topic_of_its_own_come_first_and_the_workers_stand_in(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    """At least once, in a group: the connector moves to a topic of its own, goes on where it stood, and forgets for good."""
    name, records, own = topic("group", create=False), topic("records"), topic("own", create=False)
    cluster = WorkerGroup(kafka, tmp_path, name)
    config = {**COUNTING, "topic": records, "tasks.max": "1", "limit": "1000"}
    offsets = lambda n: {"offsets": [{"partition": {"task": 0}, "offset": {"n": n}}]}  # noqa: E731 - one expression
    with cluster.start(0).wait_ready() as worker:
        cluster.until("whole", lambda: cluster.settled(1))
        cluster.create(0, "numbers", config)
        path = "/connectors/numbers/offsets"
        cluster.until("offsets", lambda: worker.call("GET", path) == (200, offsets(999)))
        moved = {**config, "offsets.storage.topic": own, "limit": "2000"}
        assert worker.call("PUT", "/connectors/numbers/config", moved)[0] == 200
        cluster.until("offsets", lambda: worker.call("GET", path) == (200, offsets(1999)))
        assert once_and_in_order(read(kafka, records)) == {0: 2000}  # the worker's offset was found
        # Back in the worker's topic there is a copy.
        assert worker.call("PUT", "/connectors/numbers/config", {**config, "limit": "3000"})[0] == 200
        cluster.until("offsets", lambda: worker.call("GET", path) == (200, offsets(2999)))
        assert once_and_in_order(read(kafka, records)) == {0: 3000}
        # Its own comes first: there it had reached 1999 only.
        assert worker.call("PUT", "/connectors/numbers/config", moved)[0] == 200
        cluster.until("offsets", lambda: worker.call("GET", path) == (200, offsets(1999)))
        assert worker.call("PUT", "/connectors/numbers/stop")[0] == 204
        cluster.until("stopped", lambda: worker.call("GET", "/connectors/numbers/status")[1]["tasks"] == [])
        assert worker.call("DELETE", path)[0] == 200
        # A reset reaches the worker's topic, too: nothing comes back to life.
        assert worker.call("GET", path) == (200, {"offsets": []})
        del moved["offsets.storage.topic"]
        assert worker.call("PUT", "/connectors/numbers/config", moved)[0] == 200
        assert worker.call("GET", path) == (200, {"offsets": []})


def test_a_missing_topic_that_may_not_be_created_fails_the_connector_in_kafkas_words(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, records, own = topic("group", create=False), topic("records"), f"missing-{uuid4().hex[:8]}"
    for which in ("config", "offset", "status"):
        topic_admin = AdminClient({"bootstrap.servers": kafka})
        made = topic_admin.create_topics([NewTopic(f"{name}-{which}", 1, 1, config={"cleanup.policy": "compact"})])
        made[f"{name}-{which}"].result(30)
    cluster = WorkerGroup(kafka, tmp_path, name, **{"internal.topics.automatic.creation.enable": "false"})
    with cluster.start(0).wait_ready() as worker:
        cluster.until("whole", lambda: cluster.settled(1))
        cluster.create(0, "numbers", {**COUNTING, "topic": records, "offsets.storage.topic": own, "limit": "10"})
        text = (
            f"Topic '{own}' specified via the 'offsets.storage.topic' property is missing. The config "
            "'internal.topics.automatic.creation.enable' is set to 'false', so automatic creation of internal topics is "
            "disabled. Either enable automatic creation or create the topics manually."
        )
        status = lambda: worker.call("GET", "/connectors/numbers/status")[1]  # noqa: E731 - one expression
        cluster.until("it failed", lambda: status().get("connector", {}).get("state") == "FAILED")
        assert text in status()["connector"]["trace"]
        assert status()["tasks"] == []
        code, answer = worker.call("GET", "/connectors/numbers/offsets")
        assert (code, text in answer["message"]) == (500, True)
        assert worker.call("GET", "/connectors")[0] == 200
