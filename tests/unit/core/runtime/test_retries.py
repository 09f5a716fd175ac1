"""Pauses between tries, what is told of an operation that keeps failing, and how a failure stands in the log."""

from __future__ import annotations

import logging

import pytest

from penstock.errors import ConnectError, RetriableError
from penstock.logs import log_failure
from penstock.runtime.retries import Retries, retry_delay


def test_pauses_double_from_300_ms_as_in_kip_298() -> None:
    assert [retry_delay(attempt) for attempt in (1, 2, 3, 4)] == [0.3, 0.6, 1.2, 2.4]


@pytest.mark.parametrize("attempt", [9, 40, 41, 10**9])
def test_no_pause_is_longer_than_the_setting_allows(attempt: int) -> None:
    assert 30 <= retry_delay(attempt) <= 60
    assert 0.5 <= retry_delay(attempt, 1000) <= 1


def test_an_operation_that_keeps_failing_tells_since_when_and_how_often() -> None:
    now = [100.0]
    retries = Retries(clock=lambda: now[0])
    assert retries.trouble is None
    assert retries.failed("poll()", RetriableError("the table is locked")) == 0.3
    now[0] = 112.0
    assert retries.failed("poll()", RetriableError("the table is locked")) == 0.6
    assert retries.failing
    assert retries.trouble == "poll() failed: the table is locked (2 times in 12 s; it is tried again)"


def test_a_success_begins_the_pauses_anew() -> None:
    retries = Retries()
    for _ in range(5):
        retries.failed("put()", RetriableError("busy"))
    retries.succeeded()
    assert (retries.failing, retries.trouble) == (False, None)
    assert retries.failed("put()", RetriableError("busy")) == 0.3


def _lines(error: BaseException, level: int, caplog: pytest.LogCaptureFixture) -> list[tuple[str, bool]]:
    try:
        raise error
    except BaseException as raised:
        with caplog.at_level(level, "penstock.test"):
            log_failure(logging.getLogger("penstock.test"), raised, "%s failed: %s", "c-0", raised)
    return [(record.levelname, record.exc_info is not None) for record in caplog.records]


def test_a_users_mistake_logs_its_sentence_alone(caplog: pytest.LogCaptureFixture) -> None:
    assert _lines(ConnectError("no such table"), logging.INFO, caplog) == [("ERROR", False)]
    assert caplog.messages == ["c-0 failed: no such table"]


def test_the_trace_of_a_users_mistake_follows_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    assert _lines(ConnectError("no such table"), logging.DEBUG, caplog) == [("ERROR", False), ("DEBUG", True)]


def test_the_trace_of_a_fault_in_code_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    assert _lines(KeyError("x"), logging.INFO, caplog) == [("ERROR", True)]
