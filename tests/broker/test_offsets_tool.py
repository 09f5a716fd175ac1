"""``penstock offsets`` against a worker and a broker: sinks by number, time and ends, and a step over a bad record."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.sink_worker import SinkWorker, produce
from lab.source_worker import Source, SourceWorker, script
from lab.worker_process import WorkerProcess
from penstock.cli import main

JSON = {"value.converter": "json", "value.converter.schemas.enable": "false"}
GUIDE = (Path(__file__).parents[2] / "docs/plugins.md").read_text("utf-8")
#: A record a second from here on.
BEGAN = 1_700_000_000_000


@pytest.fixture
def sink(kafka: str, topic: Callable[..., str], tmp_path: Path) -> Iterator[tuple[SinkWorker, WorkerProcess, str]]:
    """A stopped sink that has read ten records of each of two partitions."""
    name = topic(partitions=2)
    sink = SinkWorker(tmp_path, kafka, {"topics": name, **JSON})
    for partition in (0, 1):
        for number in range(10):
            produce(kafka, name, [str(number).encode()], partition, timestamp=BEGAN + 1000 * number)
    with sink.start() as running:
        sink.wait(running, lambda: "committed offsets" in sink.log, "the first commit")
        sink.wait(running, lambda: sink.committed == {(name, 0): 10, (name, 1): 10}, "the committed offsets")
        assert running.call("PUT", f"/connectors/{sink.name}/stop")[0] == 204
        sink.wait(running, lambda: not sink.task(running), "the stop")
        yield sink, running, name


#: Arguments of ``set`` and the offsets of the two partitions afterwards.
PLACES = [
    (["--to-time", "2023-11-14T22:13:24Z"], (4, 4)),
    (["--to-time", "2023-11-14T22:13:23.500"], (4, 4)),
    (["--to-time", "2031-01-01"], (10, 10)),
    (["--to-beginning"], (0, 0)),
    (["--to-end"], (10, 10)),
]


def test_a_sinks_offsets_are_set_by_time_and_ends_and_what_lies_behind_comes_again(
    sink: tuple[SinkWorker, WorkerProcess, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    worker, running, name = sink
    for arguments, expected in PLACES:
        kafka = ["--bootstrap-servers", worker.bootstrap]
        assert main(["offsets", "set", worker.name, "--url", running.rest, "--yes", *arguments, *kafka]) == 0
        assert worker.committed == {(name, 0): expected[0], (name, 1): expected[1]}
    settings = tmp_path / "tool.properties"
    settings.write_text(f"bootstrap.servers={worker.bootstrap}\n")
    one = ["--to-time", "2023-11-14T22:13:28Z", "--worker", str(settings), "--topic", name]
    assert main(["offsets", "set", worker.name, "--url", running.rest, "--yes", *one]) == 0
    assert f"{name}-1  10 -> 8" in capsys.readouterr().out
    assert running.call("PUT", f"/connectors/{worker.name}/resume")[0] == 202
    worker.wait(running, lambda: len(worker.values) == 24, "the last two records of each partition again")
    assert sorted(worker.values[-4:]) == ["8", "8", "9", "9"]


def test_show_reset_and_set_of_one_partition(
    sink: tuple[SinkWorker, WorkerProcess, str], capsys: pytest.CaptureFixture[str]
) -> None:
    worker, running, name = sink
    at = [worker.name, "--url", running.rest]
    assert main(["offsets", "set", *at, "--yes", "--partition", f"{name}-1", "--offset", "3"]) == 0
    assert worker.committed == {(name, 0): 10, (name, 1): 3}
    assert main(["offsets", "set", *at, "--yes", "--partition", f"{name}-1", "--offset", "null"]) == 0
    assert worker.committed == {(name, 0): 10}
    assert main(["offsets", "reset", *at, "--yes"]) == 0
    assert worker.committed == {}
    capsys.readouterr()
    assert main(["offsets", "show", *at, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"offsets": []}


def test_a_sink_goes_on_behind_each_bad_record_that_is_skipped_and_loses_no_other(
    kafka: str, topic: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = topic()
    sink = SinkWorker(tmp_path, kafka, {"topics": name, **JSON})
    produce(kafka, name, [b"0", b"1", b"bad", b"3", b"bad again", b"5"])
    with sink.start() as running:
        for offset in (2, 4):
            sink.wait(running, lambda: sink.task(running).get("state") == "FAILED", "the failure")
            assert main(["offsets", "skip", sink.name, "--url", running.rest, "--stop", "--yes"]) == 0
            said = capsys.readouterr().out
            assert f"Skipping the record at topic {name}, partition 0, offset {offset}" in said
            assert f"{name}-0  {offset} -> {offset + 1}" in said
        sink.wait(running, lambda: sink.committed == {(name, 0): 6}, "the rest")
        assert running.stop() == 0
    assert sink.values == ["0", "1", "3", "5"]


def test_skip_moves_the_offsets_that_an_exactly_once_file_keeps(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, out = topic(), tmp_path / "out.jsonl"
    config = {"topics": name, **JSON, "connector.class": "jsonlines-sink", "file": str(out), "exactly.once": "true"}
    sink = SinkWorker(tmp_path, kafka, config)
    produce(kafka, name, [b"0", b"1", b"bad", b"3", b"bad again", b"5"])
    with sink.start() as running:
        for _ in range(2):
            sink.wait(running, lambda: sink.task(running).get("state") == "FAILED", "the failure")
            assert main(["offsets", "skip", sink.name, "--url", running.rest, "--stop", "--yes"]) == 0
        sink.wait(running, lambda: sink.committed == {(name, 0): 6}, "the rest")
        assert running.stop() == 0
    assert out.read_text().split() == ["0", "1", "3", "5"]


def test_skip_says_what_to_do_with_a_sink_that_keeps_offsets_and_lets_none_be_committed(
    kafka: str, topic: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sink of the plugin guide: the group's offset says nothing of where it stands."""
    name, database = topic(), tmp_path / "archive.db"
    (text,) = re.findall(r"```python\n# penstock_acme/archive\.py\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "archive.py").write_text(text)
    config = {"topics": name, **JSON, "connector.class": "archive:ArchiveConnector", "database": str(database)}
    sink = SinkWorker(tmp_path, kafka, config)
    produce(kafka, name, [b"0", b"1", b"bad", b"3", b"bad again", b"5"])

    def values() -> list[str]:
        with sqlite3.connect(database, timeout=30) as connection:
            return [value for (value,) in connection.execute("SELECT value FROM archive ORDER BY rowid")]

    with sink.start() as running:
        at = [sink.name, "--url", running.rest, "--stop", "--yes"]
        sink.wait(running, lambda: sink.task(running).get("state") == "FAILED", "the failure")
        assert main(["offsets", "skip", *at]) == 0
        sink.wait(running, lambda: "offset 4" in sink.task(running).get("trace", ""), "the second failure")
        capsys.readouterr()
        assert main(["offsets", "skip", *at]) == 1
        hint = f"penstock offsets set {sink.name} --partition {name}-0 --offset 5"
        assert hint in capsys.readouterr().err
        assert main([*hint.split()[1:], *at[1:]]) == 0
        sink.wait(running, lambda: values() == ["0", "1", "3", "5"], "the rest")


def test_a_source_goes_on_behind_the_record_that_is_skipped(
    kafka: str, topic: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = topic()
    worker = SourceWorker(tmp_path, kafka)
    cast = {"transforms": "c", "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value", "transforms.c.spec": "int32"}  # fmt: skip
    with worker.start() as running:
        source = Source(worker, running, "scripted", {"topic": name, **cast, **JSON, **script("1", "bad", "3")})
        source.wait(lambda: source.state == "FAILED", "the failure")
        assert main(["offsets", "skip", "scripted", "--url", running.rest, "--stop", "--yes"]) == 0
        assert '{"source": "s"}  {"n": 0} -> {"n": 1}' in capsys.readouterr().out
        source.wait(lambda: source.offsets == {"s": 2}, "the rest")
        assert running.stop() == 0
