"""``jsonlines-sink`` with ``exactly.once``: the file holds each record once, wherever a crash cuts its writes."""

import json
import os

import pytest

from penstock.api import TopicPartition
from penstock.data import SinkRecord
from penstock.errors import ConfigError, ConnectError, RetriableError
from penstock.testing.fakes import FakeSinkTaskContext
from penstock_connectors.files.json_lines_sink import JsonLinesSink, JsonLinesSinkTask

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)
RESET = "consumer.override.auto.offset.reset"


class KilledError(BaseException):
    """Ends a task as kill -9 would: nothing of it runs after this."""


class Topic:
    """Two partitions, and a worker that gives a task what it asks for, in batches, with a commit after every second."""

    def __init__(self, folder, records=12):
        self.file = folder / "out.jsonl"
        self.values = {p: [f"{p.partition}:{n}" for n in range(records)] for p in (P0, P1)}

    @property
    def settings(self):
        return {"file": str(self.file), "exactly.once": "true", "name": "archive"}

    def task(self, *partitions):
        task = JsonLinesSinkTask()
        task.initialize(FakeSinkTaskContext())
        task.start(self.settings)
        task.open(partitions)
        return task

    def records(self, partition, start, end=None):
        values = self.values[partition][start:end]
        return [SinkRecord("t", partition.partition, value=v, offset=start + i) for i, v in enumerate(values)]

    def run(self, batch=3):
        """Begin where the task says, and give it everything."""
        task = self.task(P0, P1)
        try:
            self._feed(task, batch)
        finally:
            task.stop()  # closes files, and nothing else: as the kernel does for a process that was killed

    def _feed(self, task, batch):
        at = {p: task.context.rewinds.get(p, 0) for p in (P0, P1)}
        turn = 0
        while any(at[p] < len(self.values[p]) for p in at):
            records = [r for p in at for r in self.records(p, at[p], at[p] + batch)]
            task.put(records)
            at = {p: min(at[p] + batch, len(self.values[p])) for p in at}
            turn += 1
            if turn % 2 == 0:
                task.pre_commit(at)
        task.pre_commit(at)
        task.close([P0, P1])

    @property
    def written(self):
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def check(self):
        for partition in (P0, P1):
            mine = [v for v in self.written if v.startswith(f"{partition.partition}:")]
            assert mine == self.values[partition]
        assert len(self.written) == 2 * len(self.values[P0])


@pytest.fixture
def topic(tmp_path):
    return Topic(tmp_path)


def crash_after(monkeypatch, written, calls):
    """Let `written` bytes reach files, and `calls` calls that end a step; then the process is dead. Returns what is left of both."""
    real = {name: getattr(os, name) for name in ("write", "fsync", "replace", "ftruncate")}
    left = {"bytes": written, "calls": calls}

    def write(descriptor, data):
        if left["bytes"] < len(data):
            real["write"](descriptor, bytes(data)[: left["bytes"]])
            left["bytes"] = 0
            raise KilledError
        left["bytes"] -= len(data)
        return real["write"](descriptor, data)

    def step(name):
        def call(*arguments):
            if left["calls"] <= 0:
                raise KilledError
            left["calls"] -= 1
            return real[name](*arguments)

        return call

    monkeypatch.setattr(os, "write", write)
    for name in ("fsync", "replace", "ftruncate"):
        monkeypatch.setattr(os, name, step(name))
    return left


PLENTY = 10**9


def test_a_crash_at_any_byte_of_any_file_leaves_every_record_once(tmp_path, monkeypatch, soak):
    step = 1 if soak else 7  # each cut syncs files to the disk
    cut, finished = 0, False
    while not finished:
        folder = tmp_path / str(cut)
        folder.mkdir()
        topic = Topic(folder, records=4)
        with monkeypatch.context() as patch:
            crash_after(patch, cut, PLENTY)
            try:
                topic.run(batch=1)
                finished = True
            except KilledError:
                pass
        topic.run(batch=2)
        topic.check()
        cut += step
    assert cut > 400, "the data and several side files were cut"


def test_a_crash_between_any_two_steps_leaves_every_record_once_also_when_the_next_start_crashes(tmp_path, monkeypatch):
    cut, finished = 0, False
    while not finished:
        folder = tmp_path / str(cut)
        folder.mkdir()
        topic = Topic(folder)
        for again in (cut, 1, 0):
            with monkeypatch.context() as patch:
                crash_after(patch, PLENTY, again)
                try:
                    topic.run()
                    finished = finished or again == cut
                except KilledError:
                    pass
        topic.run()
        topic.check()
        cut += 1
    assert cut > 10


@pytest.mark.parametrize("behind", range(0, 40, 3))
def test_what_stands_behind_the_recorded_length_is_cut_off(topic, behind):
    topic.run()
    whole = topic.file.read_bytes()
    with topic.file.open("ab") as file:
        file.write(b'"never committed"\n"nor this"\n"or th'[:behind])
    topic.run()
    assert topic.file.read_bytes() == whole


def test_a_file_that_lost_a_byte_is_refused_with_what_to_do(topic):
    topic.run()
    whole = topic.file.read_bytes()
    for length in range(len(whole)):
        topic.file.write_bytes(whole[:length])
        with pytest.raises(
            ConnectError, match=f"has {length} bytes, but {len(whole)} are committed .* cut or replaced"
        ):
            topic.task(P0)


def test_a_side_file_that_was_cut_is_refused_and_never_taken_for_a_new_start(topic):
    topic.run()
    side = topic.file.with_name("out.jsonl.offsets")
    whole = side.read_bytes()
    for length in range(len(whole) - 1):  # the last byte is the line's end
        side.write_bytes(whole[:length])
        with pytest.raises(ConnectError, match="is not a file of offsets, version 1, or it was damaged"):
            topic.task(P0)


def test_a_file_with_other_content_is_refused(topic):
    topic.run()
    topic.file.write_bytes(topic.file.read_bytes().replace(b"1:11", b"1:99"))
    with pytest.raises(ConnectError, match="the file was changed or replaced"):
        topic.task(P0)


def test_a_file_without_offsets_is_refused(topic):
    topic.file.write_text("older lines\n")
    with pytest.raises(ConnectError, match="Move the file away, or set another 'file'"):
        topic.task(P0)


def test_another_writer_is_met_at_the_next_batch_and_nothing_is_committed_then(topic):
    task = topic.task(P0)
    task.put(topic.records(P0, 0, 2))
    with topic.file.open("a") as file:
        file.write("a stranger's\n")
    with pytest.raises(ConnectError, match="another program writes to it or cuts it"):
        task.put(topic.records(P0, 2, 4))
    assert task.pre_commit({P0: 2}) == {}
    task.close([P0])
    task.stop()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_is_replaced_or_removed_ends_the_task(topic, replaced):
    task = topic.task(P0)
    task.put(topic.records(P0, 0, 2))
    topic.file.rename(topic.file.with_name("rotated"))
    if replaced:
        topic.file.write_text("")
    with pytest.raises(ConnectError, match="was replaced while it was written" if replaced else "it is gone"):
        task.pre_commit({P0: 2})
    with pytest.raises(ConnectError):  # a failed pre_commit alone would let the task go on
        task.put([])
    task.stop()


def test_a_second_task_waits_for_the_first_and_begins_where_it_ended(topic):
    first = topic.task(P0)
    first.put(topic.records(P0, 0, 4))
    first.pre_commit({P0: 4})
    second = topic.task(P0)
    assert second.context.rewinds == {}
    with pytest.raises(RetriableError, match="another task writes to the file"):
        second.put(topic.records(P0, 2))
    first.put(topic.records(P0, 4, 6))  # never committed
    first.stop()
    with pytest.raises(RetriableError, match="begins where it ends"):
        second.put(topic.records(P0, 2))
    assert second.context.rewinds == {P0: 4}
    assert second.context.timeouts == [0]
    second.put(topic.records(P0, 4))
    second.pre_commit({P0: 12})
    second.stop()
    assert topic.written == topic.values[P0]


def test_another_connector_is_refused_at_once(topic):
    first = topic.task(P0)
    other = JsonLinesSinkTask()
    other.initialize(FakeSinkTaskContext())
    with pytest.raises(ConnectError, match="belongs to connector archive"):
        other.start(topic.settings | {"name": "other"})
    first.stop()


def test_partitions_that_go_without_a_commit_take_their_lines_with_them_and_the_others_come_again(topic):
    task = topic.task(P0, P1)
    task.put([*topic.records(P0, 0, 3), *topic.records(P1, 0, 3)])
    task.pre_commit({P0: 3, P1: 3})
    task.put([*topic.records(P0, 3, 5), *topic.records(P1, 3, 5)])
    task.context.rewinds.clear()
    task.close([P0])
    assert task.context.rewinds == {P1: 3}
    task.put(topic.records(P1, 3))
    task.pre_commit({P1: 12})
    task.open([P0])
    task.put(topic.records(P0, 3))
    task.pre_commit({P0: 12, P1: 12})
    task.stop()
    topic.check()


def test_lines_wait_for_the_dead_letters_before_them(topic, caplog):
    task = topic.task(P0)
    task.put(topic.records(P0, 0, 4))
    assert task.pre_commit({P0: 2}) == {}  # offset 2 is a dead letter that Kafka has not confirmed
    assert "may be committed up to 2" in caplog.text
    assert task.pre_commit({P0: 5}) == {P0: 5}  # and 4 was dropped
    task.stop()
    assert topic.task(P0).context.rewinds == {P0: 5}


def test_records_that_the_file_holds_already_end_the_task_by_name(topic):
    topic.run()
    task = topic.task(P0)
    with pytest.raises(ConnectError, match="t-0 at offset 0, and holds it up to 12 already: the topic was made anew"):
        task.put(topic.records(P0, 0))
    task.stop()


def test_offsets_changed_over_rest_are_those_it_begins_at(topic):
    topic.run()
    assert JsonLinesSink().alter_offsets(topic.settings, {P0: 3, P1: None}) is True
    task = topic.task(P0, P1)
    assert task.context.rewinds == {P0: 3}
    with pytest.raises(ConnectError, match="its offsets stay as they are"):
        JsonLinesSink().alter_offsets(topic.settings, {P0: 0})
    task.stop()


def test_a_reset_of_a_group_that_has_no_offsets_forgets_those_of_the_file_and_keeps_its_lines(topic):
    topic.run()
    before = topic.file.read_bytes()
    JsonLinesSink().alter_offsets(topic.settings, {})
    task = topic.task(P0, P1)
    assert task.context.rewinds == {}
    assert topic.file.read_bytes() == before
    task.stop()


def test_one_task_writes_whatever_the_maximum_is(topic):
    connector = JsonLinesSink()
    connector.start(topic.settings)
    assert connector.task_configs(4) == [topic.settings]


@pytest.mark.parametrize(
    "wrong", [{"file": "/dev/null"}, {"file": "."}, {RESET: "latest"}, {"exactly.once": "perhaps"}]
)
def test_settings_that_cannot_work_are_refused(topic, wrong):
    settings = topic.settings | wrong
    errors = [error for value in JsonLinesSink().validate(settings).values for error in value.errors]
    assert len(errors) == 1
    with pytest.raises(ConfigError):
        JsonLinesSink().start(settings)
    assert not any(v.errors for v in JsonLinesSink().validate(settings | {"exactly.once": "false"}).values)
