"""What a sink task may commit while dead letters are on their way: no client and no plugin."""

import logging
from concurrent.futures import Future

import pytest

from penstock.api import TopicPartition
from penstock.runtime.sink.offsets import SinkOffsets
from penstock.runtime.sink.pace import PutPace

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)


def offsets(upto: int = 10) -> SinkOffsets:
    made = SinkOffsets("[c|task-0]")
    made.assigned |= {T0, T1}
    for partition in (T0, T1):
        made.read(partition, 0, upto - 1)
    made.taken()
    return made


def letter(made: SinkOffsets, offset: int) -> Future[None]:
    future: Future[None] = Future()
    made.remember(T0, offset, [future])
    return future


def test_a_dead_letter_without_an_answer_lets_the_records_before_it_be_committed() -> None:
    made = offsets()
    letter(made, 3).set_result(None)
    letter(made, 6)
    assert made.to_commit([T0, T1]) == {T0: 6, T1: 10}


def test_a_dead_letter_that_was_confirmed_holds_nothing_back() -> None:
    made = offsets()
    letter(made, 6).set_result(None)
    assert made.to_commit([T0, T1]) == {T0: 10, T1: 10}
    assert not made.awaits_reports


def test_a_dead_letter_that_was_not_written_holds_its_partition_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    made = offsets()
    letter(made, 6).set_exception(RuntimeError("too large"))
    assert made.to_commit([T0, T1]) == {T1: 10}
    assert made.to_commit([T0, T1]) == {T1: 10}
    assert "[c|task-0] the dead letter of t-0, offset 6, was not written" in caplog.text
    assert "too large" in caplog.text


def test_nothing_is_asked_for_a_partition_whose_first_open_dead_letter_is_where_it_stands() -> None:
    made = offsets()
    made.committed(T0, 6)
    letter(made, 6)
    assert made.to_commit([T0]) == {}


def test_confirmed_dead_letters_do_not_pile_up_between_two_commits() -> None:
    made = offsets()
    for offset in range(5000):
        letter(made, offset).set_result(None)
    assert len(made._reports[T0]) <= 2


def test_a_partition_that_went_takes_its_dead_letters_with_it() -> None:
    made = offsets()
    letter(made, 6)
    made.forget([T0])
    assert not made.awaits_reports


def test_a_put_that_comes_near_the_polls_limit_is_told_with_numbers_and_settings_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pace = PutPace("[c|task-0]", 300, 500)
    pace.took(140, 500)
    assert caplog.text == ""
    pace.took(210.26, 480)
    pace.took(250, 500)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "[c|task-0] put() took 210.3 s for 480 records; after 300.0 s without a poll the group takes the task's "
        "partitions away. Lower consumer.override.max.poll.records (500) or raise "
        "consumer.override.max.poll.interval.ms (300000)."
    )


def test_a_task_that_was_thrown_out_says_why_and_that_it_joins_again(caplog: pytest.LogCaptureFixture) -> None:
    pace = PutPace("[c|task-0]", 300, 500)
    pace.took(412, 500)
    pace.exceeded()
    assert "put() took 412.0 s for 500 records and the group allows 300.0 s between polls" in caplog.text
    assert "It joins again" in caplog.text
