"""The parts of the source side by themselves: topic creation's settings, the committer, the log of records."""

import logging

import pytest

from penstock.data import STRING, SourceRecord
from penstock.errors import ConfigError, ConnectError
from penstock.kafka.errors import AccessError, FencedError, RecordRefusedError
from penstock.runtime.meters import TaskMeter, Total
from penstock.runtime.record_text import record_text
from penstock.runtime.source.committer import Committer
from penstock.runtime.source.topics import topic_groups
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import (
    ErrorPolicy,
    ErrorStage,
    LogReporter,
    NotTolerable,
    RecordFailure,
    ToleranceExceeded,
)
from penstock.testing.fake_kafka import FakeMessage

TASK = ConnectorTaskId("orders", 0)
CREATION = {
    "topic.creation.default.partitions": "1",
    "topic.creation.default.replication.factor": "1",
    "topic.creation.groups": "kept",
}


def test_topic_patterns_are_javas_and_match_whole_names() -> None:
    kept, default = topic_groups(
        {
            **CREATION,
            "topic.creation.kept.include": r"(?i)orders-\p{Lower}+, audit",
            "topic.creation.kept.exclude": "orders-old",
        }
    )
    assert [kept.matches(name) for name in ("ORDERS-eu", "orders-old", "my-orders-eu", "audit", "audit-2")] == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert default.matches("anything")


def test_a_topic_pattern_that_is_none_is_refused_by_its_setting() -> None:
    with pytest.raises(ConfigError, match=r"topic\.creation\.kept\.include: Invalid regex"):
        topic_groups({**CREATION, "topic.creation.kept.include": "orders-("})


class Committing:
    def __init__(self, broken: bool) -> None:
        self.broken, self.served = broken, 0

    def poll_producer(self) -> None:
        self.served += 1
        if self.broken:
            raise RuntimeError("out of order")

    def commit_offsets(self) -> bool:
        return True


def test_a_task_whose_producer_cannot_be_served_does_not_keep_the_others_from_it() -> None:
    committer, broken, sound = Committer(3600), Committing(True), Committing(False)
    for task in (broken, sound):
        committer.add(task)
    committer.tick()
    committer.stop()
    assert broken.served >= 1
    assert sound.served >= 1


@pytest.mark.parametrize(
    ("error", "stage", "tolerated"),
    [
        (ValueError("bad"), ErrorStage.TRANSFORMATION, True),
        (RecordRefusedError("too large"), ErrorStage.KAFKA_PRODUCE, True),
        (ConnectError("no such topic"), ErrorStage.KAFKA_PRODUCE, False),
        (AccessError("not allowed"), ErrorStage.KAFKA_PRODUCE, False),
        (FencedError("taken over"), ErrorStage.KAFKA_PRODUCE, False),
        (NotTolerable("no topic"), ErrorStage.VALUE_CONVERTER, False),
    ],
)
def test_tolerance_tolerates_records_and_nothing_else(error: Exception, stage: ErrorStage, tolerated: bool) -> None:
    meter = TaskMeter()
    policy = ErrorPolicy(TASK, tolerate_all=True, meter=meter)
    failure = RecordFailure(TASK, stage, "Any", error, "topic t")
    if tolerated:
        policy.failed(failure)
    else:
        with pytest.raises(ToleranceExceeded, match="failed for the record at topic t"):
            policy.failed(failure)
    assert (meter.total(Total.FAILURES), meter.total(Total.SKIPPED)) == (1, int(tolerated))


def test_a_logged_record_shows_where_it_is_and_what_is_in_it(caplog: pytest.LogCaptureFixture) -> None:
    record = SourceRecord(
        "t", 1, STRING, "k", STRING, "half \ud83d", 5, source_partition={"f": "a"}, source_offset={"n": 1}
    )
    record.headers.add("h", "x", STRING)
    meter = TaskMeter()
    with caplog.at_level(logging.ERROR):
        LogReporter(True, meter).report(
            RecordFailure(TASK, ErrorStage.TRANSFORMATION, "Cast", ValueError("bad"), "source offset {'n': 1}", record)
        )
    (line,) = caplog.messages
    assert "source partition={'f': 'a'}, source offset={'n': 1}, topic='t', partition=1, timestamp=5" in line
    assert "headers=[h='x'], key='k', value=" in line
    line.encode()
    assert meter.total(Total.ERRORS_LOGGED) == 1
    with caplog.at_level(logging.ERROR):
        caplog.clear()
        LogReporter(False).report(
            RecordFailure(TASK, ErrorStage.TRANSFORMATION, "Cast", ValueError("bad"), "there", record)
        )
    assert "half" not in caplog.text


def test_a_consumed_message_is_shown_with_bytes_as_text_where_they_are_text_and_cut_where_they_are_long() -> None:
    message = FakeMessage("t", b"\xff\x00", b"key", 2, 41, [("h", None), ("h", b"v")], 1234)
    text = (
        "{topic='t', partition=2, offset=41, timestamp=1234, headers=[h=None, h='v'], key='key', value=b'\\xff\\x00'}"
    )
    assert record_text(message) == text
    assert len(record_text(FakeMessage("t", b"x" * 100_000))) < 2000
