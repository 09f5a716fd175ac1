"""``penstock dlq`` on a real broker: what it counts and shows, what it writes back, and when it writes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from penstock.cli import main

P = "__connect.errors."
OWN = [("own", b"\xff"), ("own", None)]


class Letters:
    """A dead letter topic with six letters, of an original topic with two partitions."""

    def __init__(self, kafka: str, topic: Callable[..., str]) -> None:
        self.kafka, self.origin, self.queue = kafka, topic("origin", partitions=2), topic("dlq")
        self._write("VALUE_CONVERTER", "x.DataException", 0, 1000, b"k", b'{"a": 1}')
        self._write("VALUE_CONVERTER", "x.DataException", 0, 2000, None, b"plain text")
        self._write("TRANSFORMATION", "x.DataException", 1, 3000, b"\xff\xfe", None)
        self._write("TASK_PUT", "y.ConnectException", 1, 4000, b"k", b"again", [("penstock.replayed", b"2")])
        self._write("TASK_PUT", "y.ConnectException", 1, 5000, b"k", b"worn", [("penstock.replayed", b"3")])

    def _write(
        self, stage: str, error: str, partition: int, timestamp: int, key: Any, value: Any, more: Any = ()
    ) -> None:
        context = {
            "topic": self.origin, "partition": partition, "offset": timestamp // 1000, "connector.name": "c", "task.id": 0,
            "stage": stage, "class.name": "T", "exception.class.name": error, "exception.message": "no good",
        }  # fmt: skip
        headers = [*OWN, *more, *((P + name, str(text).encode()) for name, text in context.items())]
        self.add(self.queue, key, value, timestamp, headers)

    def add(self, topic: str, key: Any, value: Any, timestamp: int, headers: Any) -> None:
        producer = Producer({"bootstrap.servers": self.kafka})
        producer.produce(topic, key=key, value=value, timestamp=timestamp, headers=headers)
        assert producer.flush(30) == 0

    def run(self, action: str, *arguments: str) -> int:
        return main(["dlq", action, "--topic", self.queue, "--bootstrap-servers", self.kafka, *arguments])

    def written(self) -> list[Message]:
        """What is in the original topic, in the order of the records' timestamps."""
        found = [message for number in (0, 1) for message in read_all(self.kafka, self.origin, number)]
        return sorted(found, key=lambda message: message.timestamp()[1])


def read_all(kafka: str, topic: str, partition: int) -> list[Message]:
    """The committed records of the partition."""
    settings = {"bootstrap.servers": kafka, "group.id": "reads", "enable.partition.eof": True}
    consumer = Consumer({**settings, "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(topic, partition, 0)])
    found: list[Message] = []
    try:
        while (message := consumer.poll(30)) is not None and message.error() is None:
            found.append(message)
        assert message is not None, "no end of the partition"
    finally:
        consumer.close()
    return found


@pytest.fixture
def letters(kafka: str, topic: Callable[..., str]) -> Letters:
    return Letters(kafka, topic)


def test_list_counts_by_stage_error_task_and_origin(letters: Letters, capsys: pytest.CaptureFixture[str]) -> None:
    assert letters.run("list") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["COUNT", "STAGE", "ERROR", "TASK", "ORIGIN", "FIRST", "LAST"]
    first, last = "1970-01-01T00:00:04.000Z", "1970-01-01T00:00:05.000Z"
    assert rows[1] == ["2", "TASK_PUT", "y.ConnectException", "c/0", f"{letters.origin}-1", first, last]
    assert [row[:2] for row in rows[2:]] == [["2", "VALUE_CONVERTER"], ["1", "TRANSFORMATION"]]
    assert letters.run("list", "--stage", "KEY_CONVERTER") == 0
    assert "No dead letters" in capsys.readouterr().out


def test_show_prints_text_and_json_as_they_are_and_other_bytes_so_that_they_can_be_read(
    letters: Letters, capsys: pytest.CaptureFixture[str]
) -> None:
    assert letters.run("show", "--limit", "3") == 0
    out = capsys.readouterr().out
    for line in (
        "dead letter 0:0  1970-01-01T00:00:01.000Z", "stage   VALUE_CONVERTER (T)", "error   x.DataException: no good",
        f"origin  {letters.origin}-0, offset 1, task c/0", r"header  own = b'\xff'", "header  own = null",
        'value   {"a": 1}', 'value   "plain text"', "key     null", r"key     b'\xff\xfe'", "2 more; --limit 5 prints all",
    ):  # fmt: skip
        assert line in out
    assert letters.run("show", "--raw", "--offsets", "1-1") == 0
    assert "value   b'plain text'" in (out := capsys.readouterr().out)
    assert out.count("dead letter") == 1


#: Filters, and the timestamps of the records that are written back; a worn one is left out (exit status 1).
FILTERS = [
    (["--stage", "value_converter"], [1000, 2000], 0),
    (["--error", "DataException"], [1000, 2000, 3000], 0),
    (["--error", "y.ConnectException"], [4000], 1),
    (["--error", "y.ConnectException", "--max-replays", "4"], [4000, 5000], 0),
    (["--since", "1970-01-01T00:00:02Z", "--until", "1970-01-01T00:00:04Z"], [2000, 3000], 0),
    (["--offsets", "2-"], [3000, 4000], 1),
    (["--offsets", "0-1"], [1000, 2000], 0),
    (["--topic-origin", "another"], [], 0),
    ([], [1000, 2000, 3000, 4000], 1),
]


@pytest.mark.parametrize(("filters", "times", "status"), FILTERS)
def test_replay_writes_back_what_the_filters_choose_and_a_dry_run_nothing(
    letters: Letters, filters: list[str], times: list[int], status: int
) -> None:
    assert letters.run("replay", *filters, "--dry-run") == 0
    assert letters.written() == []
    assert letters.run("replay", *filters, "--yes") == status
    assert [message.timestamp()[1] for message in letters.written()] == times


def test_a_record_comes_back_as_it_was_with_a_count_of_its_replays(letters: Letters) -> None:
    assert letters.run("replay", "--yes") == 1
    first, _, third, fourth = letters.written()
    assert (first.key(), first.value(), first.partition()) == (b"k", b'{"a": 1}', 0)
    assert (third.key(), third.value(), third.partition()) == (b"\xff\xfe", None, 1)
    assert first.headers() == [*OWN, ("penstock.replayed", b"1")]
    assert fourth.headers() == [*OWN, ("penstock.replayed", b"3")]


def test_a_letter_without_its_story_is_refused_before_anything_is_written_or_goes_where_one_says(
    letters: Letters, capsys: pytest.CaptureFixture[str]
) -> None:
    letters.add(letters.queue, b"k", b"bare", 6000, [])
    assert letters.run("replay", "--yes") == 1
    assert "Dead letter 0:5 does not say where it came from" in capsys.readouterr().err
    assert letters.written() == []
    assert letters.run("replay", "--yes", "--offsets", "5", "--to", letters.origin) == 0
    assert [message.value() for message in letters.written()] == [b"bare"]


def test_all_is_taken_back_when_kafka_refuses_one(
    letters: Letters, topic: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    small = topic("small", max_message_bytes="3000")
    letters.add(letters.queue, b"k", b"x" * 5000, 6000, [])
    assert letters.run("replay", "--yes", "--to", small, "--max-replays", "9") == 1
    said = capsys.readouterr()
    assert "6 of 6 records were handed over and taken back" in said.out
    assert "max.message.bytes" in said.err
    assert read_all(letters.kafka, small, 0) == []


def test_a_queue_that_is_its_own_origin_is_read_to_the_end_of_before_only(letters: Letters) -> None:
    assert letters.run("replay", "--yes", "--to", letters.queue, "--stage", "TRANSFORMATION") == 0
    assert len(read_all(letters.kafka, letters.queue, 0)) == 6


def test_what_is_missing_is_named(letters: Letters, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (["list", "--topic", "no-such"], "There is no topic no-such"),
        (["list"], "Name the connector, or their topic with --topic"),
        (["replay", "--topic", letters.queue, "--through-sink"], "--through-sink is not supported"),
    ):
        assert main(["dlq", *arguments, "--bootstrap-servers", letters.kafka]) == 1
        assert said in capsys.readouterr().err
