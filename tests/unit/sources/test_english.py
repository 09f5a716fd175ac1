"""Docstrings and comments open with a verb or with the name of the thing, not with a fragment whose verb comes late."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("core", "converters", "transforms", "registry", "connectors", "benchmarks", "examples", "tests/lab")
#: Openings that make a reader wait for the verb ("Of the fields those that ..."), or that never get one ("The same for ...").
FRAGMENT = re.compile(
    r"What |Of |Those |Those(?=,)|Whose |Whoever |Whatever |Which |Where |Everything |Nothing |"
    r"None says|None where|None unless|Another one|The same (for|with|of|as|by|in)\b|Like `|As `|As many|As much|Nobody's|For (what|those|which)\b"
)


def first_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and first line of each docstring and of each block of comments."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            doc = ast.get_docstring(node)
            if doc:
                yield node.body[0].lineno, doc.splitlines()[0]
    lines = text.splitlines()
    previous = -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row = token.start[0]
            stands_alone = lines[row - 1].lstrip().startswith("#")
            if stands_alone and previous != row - 1:
                yield row, token.string.lstrip("#: ")
            previous = row if stands_alone else -1


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_or_comment_opens_with_a_fragment(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{row}: {line}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for row, line in first_lines(path.read_text(encoding="utf-8"))
        if FRAGMENT.match(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "Of the schema's fields those that have a default.",
        "What bytes look like.",
        "The same for a logger.",
        "None says nothing.",
    ],
)
def test_fragments_are_found(line: str) -> None:
    assert [text for _, text in first_lines(f'def f():\n    """{line}"""\n') if FRAGMENT.match(text)] == [line]
    assert [text for _, text in first_lines(f"#: {line}\nX = 1\n") if FRAGMENT.match(text)] == [line]
