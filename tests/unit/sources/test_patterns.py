"""No pattern of the sources costs more than its text is long, whatever the text.

Python's ``re`` backtracks, and holds the interpreter lock of the whole process meanwhile: heartbeats, REST, all tasks.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from patterns import Found, all_patterns, is_superlinear, runner, worst_texts

PATTERNS = list(all_patterns())
#: Patterns made when the code runs. None of them is a user's: those go to `penstock.java.regex`.
MADE_LATER = {
    "penstock_transforms.date_parser": "a date pattern's letters, each of a fixed number of digits",
    "penstock.config.disclosure": "a value, quoted: it matches itself",
}
LONGEST = 8192
#: Patterns whose texts are cut or refused by length before: how long the longest is.
LIMITED: dict[str, int] = {}


def test_the_sources_have_patterns():
    assert len(PATTERNS) > 50
    assert {found.module.split(".")[0] for found in PATTERNS} == {
        "penstock", "penstock_converters", "penstock_transforms", "penstock_registry", "penstock_connectors",
    }  # fmt: skip


def test_a_pattern_that_is_not_in_the_sources_is_not_run_by_pythons_engine():
    unknown = {str(found) for found in PATTERNS if found.pattern is None and found.module not in MADE_LATER}
    assert not unknown, "use penstock.java.regex for a user's pattern, or say here where it comes from"


@pytest.mark.parametrize("found", [p for p in PATTERNS if p.pattern is not None], ids=str)
def test_a_pattern_takes_time_that_grows_with_the_text_alone(found: Found):
    assert found.pattern is not None
    for method in found.methods:
        run = runner(found.pattern, method)
        for text in worst_texts(found.pattern):
            assert not is_superlinear(run, text, LIMITED.get(found.module, LONGEST)), (method, text(24))


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+c", r"\s*\[\s*([^,]*?)\s*(,)?\s*\]", r'"(?:[^"\\]|\\.)*"', r"\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}", r"a*b"],
)
def test_a_pattern_that_grows_faster_is_noticed(pattern):
    compiled = re.compile(pattern, re.DOTALL)
    assert any(is_superlinear(runner(compiled, "search"), text, LONGEST) for text in worst_texts(compiled))
