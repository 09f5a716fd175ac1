"""Replacement texts of Java's regular expressions."""

from __future__ import annotations

import pytest

from penstock.errors import DataError
from penstock.java.regex import compile_regex
from penstock_transforms.regex_replacement import compile_replacement


@pytest.mark.parametrize(
    ("replacement", "result"),
    [
        ("$1-$2", "ab-cd"),
        ("${first}.$0", "ab.abcd"),
        ("\\$1\\\\", "$1\\"),
        ("$11", "ab1"),
        ("$3x", "x"),
        ("plain", "plain"),
    ],
)
def test_replacements_refer_to_groups(replacement, result):
    pattern = compile_regex("(?<first>ab)(cd)(ef)?")
    assert compile_replacement(replacement, pattern)(pattern.fullmatch("abcd")) == result


@pytest.mark.parametrize(
    ("replacement", "message"),
    [
        ("$", "Illegal group reference: group index is missing"),
        ("$x", "Illegal group reference"),
        ("$9", "No group 9"),
        ("${no}", "No group with name {no}"),
        ("${first", "named capturing group is missing trailing '}'"),
        ("${1a}", "capturing group name {1a} starts with digit character"),
        ("\\", "character to be escaped is missing"),
    ],
)
def test_a_replacement_that_refers_to_nothing_is_an_error(replacement, message):
    with pytest.raises(DataError) as caught:
        compile_replacement(replacement, compile_regex("(?<first>a)"))
    assert str(caught.value) == message
