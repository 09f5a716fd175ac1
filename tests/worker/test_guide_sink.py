"""The sink of docs/plugins.md that keeps offsets with its data."""

import re
import sqlite3
import sys
import types
from pathlib import Path

import pytest

from penstock.api import TopicPartition
from penstock.data import STRING, SinkRecord
from penstock.errors import ConnectError
from penstock.testing.fakes import FakeSinkTaskContext
from penstock.testing.suites import sink_suite

GUIDE = (Path(__file__).parents[2] / "docs/plugins.md").read_text("utf-8")
P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


def example() -> types.ModuleType:
    (text,) = re.findall(r"```python\n# penstock_acme/archive\.py\n(.*?)```", GUIDE, re.DOTALL)
    module = types.ModuleType("archive_of_the_guide")
    sys.modules[module.__name__] = module
    exec(compile(text, "docs/plugins.md", "exec"), module.__dict__)
    return module


archive = example()


def records(partition: TopicPartition, start: int, end: int) -> list[SinkRecord]:
    return [
        SinkRecord(
            "renamed", partition.partition, None, None, STRING, f"{n}", offset=n,
            original_topic=partition.topic, original_partition=partition.partition, original_offset=n,
        )
        for n in range(start, end)
    ]  # fmt: skip


def rows(database: Path) -> list[tuple[int, int]]:
    with sqlite3.connect(database) as connection:
        return connection.execute("SELECT part, offset FROM archive ORDER BY part, rowid").fetchall()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "archive.db"


def started(database: Path, *partitions: TopicPartition) -> tuple[object, FakeSinkTaskContext]:
    task, context = archive.ArchiveTask(), FakeSinkTaskContext()
    task.initialize(context)
    task.start({"database": str(database)})
    task.open(partitions)
    return task, context


def test_what_was_not_committed_comes_again_and_is_there_once(database):
    task, context = started(database, P0, P1)
    assert context.rewinds == {}
    task.put([*records(P0, 0, 4), *records(P1, 0, 2)])
    assert task.pre_commit({P0: 4, P1: 2}) == {}
    task.put(records(P0, 4, 8))
    task.stop()  # as a crash: nothing is written
    task, context = started(database, P0, P1)
    assert context.rewinds == {P0: 4, P1: 2}
    task.put([*records(P0, 4, 6), *records(P1, 2, 3)])
    task.pre_commit({P0: 6, P1: 3})
    assert rows(database) == [(0, n) for n in range(6)] + [(1, n) for n in range(3)]
    task.stop()


def test_records_behind_an_unconfirmed_dead_letter_are_kept_for_the_next_commit(database):
    task, _ = started(database, P0)
    task.put(records(P0, 0, 4))
    task.pre_commit({P0: 2})
    assert rows(database) == [(0, 0), (0, 1)]
    task.pre_commit({P0: 4})
    assert rows(database) == [(0, n) for n in range(4)]
    task.stop()


def test_of_two_tasks_with_one_partition_the_late_one_is_refused_and_goes_on_from_the_store(database):
    late, context = started(database, P0)
    late.put(records(P0, 0, 2))
    late.pre_commit({P0: 2})
    other, _ = started(database, P0)
    late.put(records(P0, 2, 5))
    other.put(records(P0, 2, 4))
    other.pre_commit({P0: 4})
    with pytest.raises(ConnectError, match="another task has written t-0 since 2"):
        late.pre_commit({P0: 5})
    assert context.rewinds == {P0: 4}
    late.put(records(P0, 4, 5))
    late.pre_commit({P0: 5})
    assert rows(database) == [(0, n) for n in range(5)]
    for task in (late, other):
        task.stop()


def test_offsets_changed_over_rest_are_those_of_the_store(database):
    archive.ArchiveConnector().alter_offsets({"database": str(database)}, {P0: 7})
    task, context = started(database, P0)
    assert context.rewinds == {P0: 7}
    task.stop()


@pytest.fixture(autouse=True)
def _new_database(database, monkeypatch):
    monkeypatch.setitem(SETTINGS, "database", str(database))


SETTINGS = {"database": ""}
TestArchive = sink_suite(
    archive.ArchiveConnector,
    lambda: dict(SETTINGS),
    records=[
        SinkRecord(
            "t", 0, None, None, STRING, "a", offset=n, original_topic="t", original_partition=0, original_offset=n
        )
        for n in range(3)
    ],
    written=lambda settings: rows(Path(settings["database"])),
    expected=[(0, 0), (0, 1), (0, 2)],
    refused_settings=[{}],
)
