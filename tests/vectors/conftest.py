"""`judge` runs one recorded case and compares; at the end of a run one line an area says how many passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from lab import vectors
from lab.vectors import Case, Deviations
from penstock.errors import ConnectError

Judge = Callable[[Case, Callable[[Case], Any]], None]

_TALLY: Counter[tuple[str, str]] = Counter()


@pytest.fixture(scope="session")
def deviations() -> Deviations:
    return Deviations.read(vectors.default_folder() / "deviations.toml")


@pytest.fixture
def judge(deviations: Deviations) -> Judge:
    """``judge(case, run)``: `run` gives a result in the shape of ``case.expect`` or raises a `ConnectError`.

    Any other exception is a failure even where an error was recorded.
    """

    def check(case: Case, run: Callable[[Case], Any]) -> None:
        _TALLY[case.area, "total"] += 1
        try:
            outcome: Any = run(case)
        except ConnectError as error:
            outcome = error
        found = vectors.problem(case, outcome)
        reason = deviations.reason(case.id)
        if reason is None:
            if found:
                pytest.fail(f"{case.id}: {found}", pytrace=False)
            _TALLY[case.area, "passed"] += 1
        elif found is None and vectors.folder() == vectors.default_folder():
            pytest.fail(f"{case.id} passes but is listed as a deviation: {reason}", pytrace=False)
        else:
            _TALLY[case.area, "deviations"] += 1

    return check


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    areas = sorted({area for area, _ in _TALLY})
    if areas:
        terminalreporter.section("recorded behaviour")
    for area in areas:
        passed, total, deviating = (_TALLY[area, what] for what in ("passed", "total", "deviations"))
        terminalreporter.write_line(f"{area}: {passed}/{total} passed, {deviating} deviations")
