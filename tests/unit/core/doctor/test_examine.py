"""Checks one after the other: what one blocks, what their errors become, and the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.doctor import Finding, Level, examine
from penstock.doctor.check import Result
from penstock.doctor.finding import broken, ok, skipped, warning
from penstock.doctor.report import as_json, as_text, exit_status, summary
from penstock.errors import ConnectError


@dataclass
class Says:
    name: str
    found: list[Finding | Exception]
    needs: tuple[str, ...] = ()

    def findings(self) -> Iterator[Finding]:
        for item in self.found:
            if isinstance(item, Exception):
                raise item
            yield item


def test_a_check_is_left_out_if_one_that_it_needs_is_blocked_and_so_is_who_needs_it() -> None:
    checks = [
        Says("kafka", [broken("b", "away", blocks=True)]),
        Says("topics", [ok("t", "there")], ("kafka",)),
        Says("converters", [ok("c", "fit")], ("topics",)),
        Says("registry", [ok("r", "answers")]),
    ]
    levels = [(check, finding.level) for check, finding in examine(checks)]
    assert levels == [
        ("kafka", Level.BROKEN),
        ("topics", Level.SKIPPED),
        ("converters", Level.SKIPPED),
        ("registry", Level.OK),
    ]


def test_what_is_broken_without_blocking_keeps_nobody_from_looking() -> None:
    checks = [Says("kafka", [broken("b", "old")]), Says("topics", [ok("t", "there")], ("kafka",))]
    assert [finding.level for _, finding in examine(checks)] == [Level.BROKEN, Level.OK]


def test_an_error_ends_its_check_and_is_a_finding() -> None:
    checks = [
        Says("kafka", [ok("b", "answers"), ConnectError("no more answers"), ok("b", "never seen")]),
        Says("topics", [ok("t", "there")], ("kafka",)),
        Says("clock", [KeyError("slip")]),
    ]
    found = [(check, finding.level, finding.message) for check, finding in examine(checks)]
    assert found[1] == ("kafka", Level.BROKEN, "no more answers")
    assert found[2] == ("topics", Level.SKIPPED, "not looked at: kafka is broken")
    assert found[3] == ("clock", Level.BROKEN, "the check itself failed: KeyError: 'slip'")
    assert len(found) == 4


def test_every_text_of_a_finding_passes_through_what_hides_secrets() -> None:
    said = Says("a", [warning("about hush", "met hush", "change hush")])
    [(_, finding)] = examine([said], lambda text: text.replace("hush", "***"))
    assert finding == warning("about ***", "met ***", "change ***")


RESULTS = [
    Result("kafka", ok("b:1", "answers")),
    Result("kafka", warning("broker 2", "two\nlines", "mend it")),
    Result("clock", skipped("clock", "not asked")),
]


def test_the_report_has_a_heading_for_each_check_and_a_line_for_each_finding_and_each_advice() -> None:
    assert list(as_text(RESULTS)) == [
        "kafka:",
        "  ok       b:1: answers",
        "  WARNING  broker 2: two lines",
        "           -> mend it",
        "clock:",
        "  skipped  clock: not asked",
    ]
    assert summary(RESULTS) == "1 ok, 1 warning, 0 broken, 1 skipped"


def test_the_exit_status_is_one_only_if_something_is_broken() -> None:
    assert exit_status(RESULTS) == 0
    assert exit_status([*RESULTS, Result("x", broken("y", "z"))]) == 1


def test_json_has_every_finding_with_its_check() -> None:
    told = json.loads(as_json([*RESULTS, Result("x", broken("y", "z", "w"))]))
    assert told["healthy"] is False
    assert told["count"] == {"ok": 1, "warning": 1, "broken": 1, "skipped": 1}
    assert told["findings"][-1] == {"check": "x", "level": "broken", "about": "y", "message": "z", "advice": "w"}
    assert told["findings"][0]["advice"] is None
    assert json.loads(as_json(RESULTS))["healthy"] is True
