"""Kill -9 at each labelled step of the commit paths: the numbered promises of docs/delivery.md hold at that moment and after a restart.

`lab.fault_points.POINTS` is the table of steps. A short run has some of them, a long one all.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.committed import group_offsets_at, read
from lab.fault_points import POINTS, VARIABLE
from lab.patience import PATIENCE_S
from lab.sink_worker import produce, read_topic
from lab.worker_process import WorkerProcess, free_port

TESTS = Path(__file__).parents[1]
GUIDE = (TESTS.parent / "docs/plugins.md").read_text("utf-8")
#: The steps of a short run: one of each path, where most can go wrong.
SHORT = {
    "source: offsets are about to be stored",
    "exact-source: offsets are sent",
    "exact-source: the transaction is committed",
    "sink: a dead letter is sent",
    "sink: pre_commit has returned",
    "exact-sink: half a batch is written",
    "exact-sink: the offsets file is renamed",
    "guide-sink: data and offsets are written",
}


def steps(path: str) -> list[Any]:
    """The steps on a path, those that are not in the short run marked as soak."""
    labels = [label for label in POINTS if label.startswith(path + ":")]
    return [pytest.param(label, marks=() if label in SHORT else pytest.mark.soak, id=label) for label in labels]


class Worker:
    """A standalone worker with one connector, which is started with a fault, dies of it, and is started again."""

    def __init__(self, folder: Path, bootstrap: str, name: str, config: Mapping[str, str]) -> None:
        self.folder, self.bootstrap, self.name = folder, bootstrap, name
        self._rest = f"http://127.0.0.1:{free_port()}"
        self.configure(config)

    def _write_properties(self, flush_ms: int) -> None:
        (self.folder / "worker.properties").write_text(
            f"bootstrap.servers={self.bootstrap}\nlisteners={self._rest}\noffset.flush.interval.ms={flush_ms}\n"
            f"offset.storage.file.filename={self.folder / 'offsets'}\n"
            "key.converter=string\nvalue.converter=json\nvalue.converter.schemas.enable=false\n"
            "consumer.session.timeout.ms=1000\nconsumer.heartbeat.interval.ms=300\nconsumer.max.poll.records=20\n"
        )

    def configure(self, config: Mapping[str, str]) -> None:
        """Give the connector another configuration, from the next start on."""
        whole = {"name": self.name, "config": {"name": self.name, **config}}
        (self.folder / "connector.json").write_text(json.dumps(whole))

    def start(self, fault: str = "", flush_ms: int = 150) -> WorkerProcess:
        self._write_properties(flush_ms)
        arguments = ["standalone", str(self.folder / "worker.properties"), str(self.folder / "connector.json"), "--log-level", "DEBUG"]  # fmt: skip
        environ = {"PYTHONPATH": f"{TESTS}{os.pathsep}{self.folder}"}
        if fault:
            environ[VARIABLE] = f"{fault}:{POINTS[fault].count}"
        return WorkerProcess(arguments, self.folder / "worker.log", self._rest, environ)

    def dies(self, fault: str, meanwhile: Callable[[WorkerProcess], object] = lambda running: None) -> None:
        """Run it until the fault has ended it; `meanwhile` is called over and over."""
        deadline = time.monotonic() + PATIENCE_S
        # The last commit has something to do only if those before it left something.
        with self.start(fault, 3_600_000 if fault.startswith("closing") else 150) as running:
            while running.process.poll() is None:
                assert time.monotonic() < deadline, f"it does not come to '{fault}':\n{running.log()}"
                meanwhile(running)
                time.sleep(0.05)
            assert running.process.returncode == -signal.SIGKILL, running.log()

    def runs_until(self, probe: Callable[[], bool], what: str) -> None:
        """Run it without a fault until `probe` says so, and stop it."""
        deadline = time.monotonic() + PATIENCE_S
        with self.start() as running:
            running.wait_ready()
            while not probe():
                running.check()
                assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S:g} s:\n{running.log()}"
                time.sleep(0.1)
            assert running.stop() == 0

    @property
    def committed(self) -> int:
        """The group's offset of partition 0 of its topic."""
        found = group_offsets_at(self.bootstrap, f"connect-{self.name}")
        return max(found.values(), default=0)


class Feed:
    """Appends numbered records to a topic, a few at a time; every tenth is poison if `poison` says so."""

    def __init__(self, bootstrap: str, topic: str, poison: bool = False) -> None:
        self._bootstrap, self._topic, self._poison = bootstrap, topic, poison
        self.count = 0

    def more(self, _: object = None, records: int = 15) -> None:
        numbers = range(self.count, self.count + records)
        produce(self._bootstrap, self._topic, [b"no json" if self.is_poison(n) else b"%d" % n for n in numbers])
        self.count += records

    def is_poison(self, number: int) -> bool:
        return self._poison and number % 10 == 3

    @property
    def good(self) -> list[int]:
        return [n for n in range(self.count) if not self.is_poison(n)]


def committed_numbers(bootstrap: str, topic: str) -> list[int]:
    """The numbers that a reader of committed records sees in the topic, in its order."""
    return [value["seqno"] for value in read(bootstrap, topic)]


def first_times(numbers: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


# ---- sources

COUNTING = {"connector.class": "lab.faulty:DyingSource", "rate": "1000"}


@pytest.mark.parametrize("fault", steps("source"))
def test_a_source_loses_nothing(fault: str, kafka: str, topic: Callable[..., str], tmp_path: Path) -> None:
    name = topic()
    # Without a limit: how many commits a number of records takes is a matter of time.
    worker = Worker(tmp_path, kafka, name, {**COUNTING, "topic": name})
    worker.dies(fault)
    stored = stored_number(tmp_path / "offsets")
    there = committed_numbers(kafka, name)
    assert set(range(stored + 1)) <= set(there), "Delivery 1: an offset is stored before its record is in Kafka"
    limit = max(there, default=0) + 500
    worker.configure({**COUNTING, "topic": name, "limit": str(limit)})
    worker.runs_until(lambda: stored_number(tmp_path / "offsets") == limit - 1, "last offset")
    assert first_times(committed_numbers(kafka, name)) == list(range(limit))


def stored_number(file: Path) -> int:
    """The number that the offsets file holds; -1 if it holds none."""
    entries = json.loads(file.read_text())["offsets"] if file.exists() else []
    return max((int(entry["offset"]["n"]) for entry in entries), default=-1)


@pytest.mark.parametrize("fault", steps("exact-source") + steps("aborting-source"))
def test_an_exactly_once_source_delivers_each_record_once(
    fault: str, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic()
    aborts = fault.startswith("aborting")
    config = {
        **COUNTING, "topic": name, "limit": "1400", "exactly.once.support": "required", "offsets.storage.topic": f"{name}-offsets",
        **({"transaction.boundary": "connector", "abort.every": "3"} if aborts else {}),
    }  # fmt: skip
    expected = [n for n in range(1400) if not aborts or (n // 70 + 1) % 3]
    worker = Worker(tmp_path, kafka, name, config)
    worker.dies(fault)
    there = committed_numbers(kafka, name)
    assert there == expected[: len(there)], "Delivery 4 and 5: what is not committed is not seen"
    worker.runs_until(lambda: len(committed_numbers(kafka, name)) >= len(expected), "last record")
    assert committed_numbers(kafka, name) == expected


# ---- sinks


@pytest.mark.parametrize("fault", steps("sink") + steps("closing-sink"))
def test_a_sink_loses_neither_records_nor_dead_letters(
    fault: str, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, letters, out = topic(), topic("letters"), tmp_path / "out.txt"
    config = {
        "connector.class": "lab.faulty:DyingSink", "file": str(out), "topics": name, "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": letters, "errors.deadletterqueue.context.headers.enable": "true",
    }  # fmt: skip
    worker, feed = Worker(tmp_path, kafka, name, config), Feed(kafka, name, poison=True)

    def written() -> list[int]:
        return [int(line.split(" ")[2]) for line in out.read_text().splitlines()] if out.exists() else []

    def lettered() -> set[int]:
        found = [dict(m.headers() or [])["__connect.errors.offset"] for m in read_topic(kafka, letters)]
        return {int(offset) for offset in found}  # type: ignore[arg-type]  # bytes of digits

    asked = list[int]()

    def meanwhile(running: WorkerProcess) -> None:
        if feed.count < 300 or not fault.startswith("closing"):
            feed.more()
        elif written() and not asked:
            asked.append(signal.SIGTERM)
            running.process.send_signal(signal.SIGTERM)

    worker.dies(fault, meanwhile)
    done = range(worker.committed)
    assert {n for n in done if not feed.is_poison(n)} <= set(written()), "Delivery 7: committed before the task had it"
    assert {n for n in done if feed.is_poison(n)} <= lettered(), "Delivery 8: committed before its dead letter is there"
    feed.more()
    worker.runs_until(lambda: worker.committed == feed.count, "last offset")
    assert first_times(written()) == feed.good
    assert lettered() == set(range(feed.count)) - set(feed.good)


@pytest.mark.parametrize("fault", steps("exact-sink") + steps("cut-sink"))
def test_the_exactly_once_file_holds_each_record_once(
    fault: str, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, out = topic(), tmp_path / "out.jsonl"
    config = {
        "connector.class": "lab.faulty:DyingJsonLinesSink",
        "file": str(out),
        "topics": name,
        "exactly.once": "true",
    }
    worker, feed = Worker(tmp_path, kafka, name, config), Feed(kafka, name)

    def numbers() -> list[int]:
        return [json.loads(line) for line in out.read_text().splitlines()]

    if fault.startswith("cut-sink"):
        worker.dies("exact-sink: half a batch is written", feed.more)
    worker.dies(fault, feed.more)
    state = json.loads(out.with_name("out.jsonl.offsets").read_text())
    kept = [json.loads(line) for line in out.read_bytes()[: state["length"]].splitlines()]
    recorded = sum(entry["offset"] for entry in state["offsets"])
    assert kept == list(range(recorded)), "Delivery 10: the recorded length holds the recorded records"
    assert worker.committed <= recorded, "Delivery 9: the group's offsets never lie before the file's"
    feed.more()
    worker.runs_until(lambda: worker.committed == feed.count, "last offset")
    assert numbers() == list(range(feed.count))


@pytest.mark.parametrize("fault", steps("guide-sink"))
def test_the_guides_sink_holds_each_record_once(
    fault: str, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, database = topic(), tmp_path / "archive.db"
    (text,) = re.findall(r"```python\n# penstock_acme/archive\.py\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "archive.py").write_text(text + "\n\nfrom lab.fault_points import install\n\ninstall()\n")
    config = {"connector.class": "archive:ArchiveConnector", "database": str(database), "topics": name}
    worker, feed = Worker(tmp_path, kafka, name, config), Feed(kafka, name)

    def numbers() -> list[int]:
        with sqlite3.connect(database, timeout=30) as connection:
            return [int(value) for (value,) in connection.execute("SELECT value FROM archive ORDER BY rowid")]

    worker.dies(fault, feed.more)
    there = numbers()
    assert there == list(range(len(there))), "Delivery 9"
    feed.more()
    worker.runs_until(lambda: len(numbers()) >= feed.count, "last record")
    assert numbers() == list(range(feed.count))
    assert worker.committed == 0, "Delivery 9: a task that agrees to nothing has nothing committed"
