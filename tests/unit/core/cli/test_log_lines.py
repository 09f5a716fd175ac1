"""The log's lines: what comes from outside can forge none, and can command no terminal."""

from __future__ import annotations

import logging
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
