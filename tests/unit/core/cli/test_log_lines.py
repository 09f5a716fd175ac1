"""The log's lines: what comes from outside can forge none, and can command no terminal."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from penstock.cli.common import set_up_logging


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = before


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_name_with_a_line_end_begins_no_line_of_the_log(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    forged = f"a{end}2026-01-01 00:00:00,000 INFO  MainThread all is well"
    logging.getLogger("penstock.test").info("[%s|task-0] is RUNNING", forged)
    try:
        raise ValueError(forged)
    except ValueError:
        logging.getLogger("penstock.test").exception("failed")
    logging.getLogger(f"penstock.test.{forged}").warning("a logger of that name")
    lines = capsys.readouterr().err.splitlines()
    assert not [line for line in lines if line.startswith("2026-01-01 00:00:00,000 INFO  MainThread all is well")]
    assert sum(not line.startswith("\t") for line in lines) == 4  # three records, and one head of a traceback


def test_no_name_commands_a_terminal_and_other_text_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    logging.getLogger("penstock.test").info("%s", "\x1b[31mred\x9b0m \x00 \u202egnol Größe\t😀")
    assert r"\x1b[31mred\x9b0m \x00 \u202egnol Größe" + "\t😀 (penstock.test)" in capsys.readouterr().err


def test_json_is_one_object_a_line_whatever_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")
    forged = 'a\n{"level": "INFO", "message": "all is well"}\x1b[31m\u202e'
    try:
        raise ValueError(forged)
    except ValueError:
        logging.getLogger("penstock.test").exception("[%s|task-0] failed", forged)
    text = capsys.readouterr().err
    (line,) = text.splitlines()
    found = json.loads(line)
    assert found["message"] == f"[{forged}|task-0] failed"
    assert (found["level"], found["logger"], found["context"]) == ("ERROR", "penstock.test", "MainThread")
    assert "ValueError" in found["exception"]
    assert found["time"].startswith("20")
    assert text.isascii()


#: A process that takes its time to stop.
SLOW = """
import sys, threading
from penstock.cli.common import set_up_logging, stop_signal
set_up_logging("INFO")
stop = stop_signal()
print("ready", flush=True)
stop.wait()
print("stopping", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_first_signal_says_that_it_stops_and_a_second_ends_at_once(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as slow:
        assert slow.stdout is not None
        assert slow.stdout.readline() == "ready\n"
        slow.send_signal(number)
        assert slow.stdout.readline() == "stopping\n"
        slow.send_signal(number)
        _, log = slow.communicate(timeout=60)
    assert slow.returncode == -number
    assert f"{number.name}: stopping" in log
