"""Queries are made ready for what the connector appends to them."""

import pytest

from penstock_connectors.jdbc.source.query_text import appendable, single_marks

ENDS = [
    ("SELECT 1", "SELECT 1"),
    ("SELECT 1;", "SELECT 1"),
    ("SELECT 1 ;\n; ", "SELECT 1"),
    ("SELECT 1 -- one", "SELECT 1"),
    ("SELECT 1; /* a ; b */ -- c", "SELECT 1"),
    ("SELECT 1 -- one\nFROM t", "SELECT 1 -- one\nFROM t"),
    ("SELECT ';'", "SELECT ';'"),
    ("SELECT 'it''s -- not'", "SELECT 'it''s -- not'"),
    ('SELECT "a;"', 'SELECT "a;"'),
    ("SELECT `a -- b`", "SELECT `a -- b`"),
    ("SELECT $x$ ; -- $$ $x$ ;", "SELECT $x$ ; -- $$ $x$"),
    ("SELECT 'open ; --", "SELECT 'open"),
    ("", ""),
]


@pytest.mark.parametrize(("query", "expected"), ENDS)
def test_comments_and_semicolons_at_the_end_of_a_query_go(query: str, expected: str) -> None:
    assert appendable(query) == expected


MARKS = [
    ("SELECT a ?? 'b'", "SELECT a ? 'b'"),
    ("SELECT a ??| b, '??'", "SELECT a ?| b, '??'"),
    ("SELECT 1 -- ??", "SELECT 1 -- ??"),
    ("SELECT a ? b", "SELECT a ? b"),
]


@pytest.mark.parametrize(("query", "expected"), MARKS)
def test_doubled_question_marks_are_operators(query: str, expected: str) -> None:
    assert single_marks(query) == expected
