"""Java's regular expressions and replacements, translated."""

from __future__ import annotations

import pytest

from penstock.errors import DataError
from penstock_transforms.regex import JavaRegexError, compile_regex
from penstock_transforms.regex_replacement import compile_replacement


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(?<year>\\d{4})-\\k<year>", "2024-2024"),
        ("\\Qa.b*\\E+", "a.b**"),
        ("a++b", "aaab"),
        ("(?>a|ab)c", "ac"),
        ("(?i)orders", "ORDERS"),
        ("(?i:OR)ders", "orders"),
        ("x|(?i)a|b", "B"),
        ("(?i)a(?-i:b)", "Ab"),
        ("(?s).", "\n"),
        ("x(?s:.)y", "x\ny"),
        ("\\p{Alpha}\\p{Digit}\\P{Upper}", "a1b"),
        ("[\\p{Lower}_-]+", "ab_-c"),
        ("\\x41\\u0042\\x{43}\\0104", "ABCD"),
        ("(a)(b)\\2\\1", "abba"),
        ("(a)\\11", "aa1"),
        ("[]a]+", "]a"),
        ("a{2,}b{1}", "aaab"),
        ("\\h\\R", "\t\r\n"),
        ("a|b|", ""),
        ("[^\\d\\s]", "x"),
        ("}]", "}]"),
        ("(?<!x)a(?=b)b", "ab"),
        ("a\\.b", "a.b"),
        ("\\w+?", "abc"),
    ],
)
def test_a_pattern_matches_what_it_matches_in_java(pattern, text):
    assert compile_regex(pattern).fullmatch(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (".", "\r"),
        (".", "\u2028"),
        ("\\w", "\u00e9"),
        ("\\d", "\u0664"),
        ("(?i)\u00e9", "\u00c9"),
        ("a.b\\Q.\\E", "aXbX"),
        ("(?:(?s).)x.", "\nx\n"),
    ],
)
def test_a_pattern_does_not_match_what_it_does_not_match_in_java(pattern, text):
    assert not compile_regex(pattern).fullmatch(text)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "Unclosed group near index 1\n("),
        ("a)", "Unmatched closing ')' near index 0\na)\n^"),
        (")", "Unmatched closing ')'\n)"),
        ("*a", "Dangling meta character '*' near index 0\n*a\n^"),
        ("a|+", "Dangling meta character '+' near index 2\na|+\n  ^"),
        ("[a", "Unclosed character class near index 1\n[a\n ^"),
        ("{a}", "Illegal repetition\n{a}"),
        ("\\y", "Illegal/unsupported escape sequence near index 1\n\\y\n ^"),
        ("a\\", "Unescaped trailing backslash near index 2\na\\"),
    ],
)
def test_what_java_refuses_is_refused_in_javas_words(pattern, message):
    with pytest.raises(JavaRegexError) as caught:
        compile_regex(pattern)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("[a-z&&[^b]]", "&&"),
        ("[a[b]]", "inside another"),
        ("\\p{IsGreek}", "IsGreek"),
        ("\\X", "\\X"),
        ("\\G", "\\G"),
        ("(?x) a", "(?x)"),
        ("a(?i)b", "middle of a group"),
        ("\\1(a)", "\\1"),
        ("\\b{g}", "\\b{"),
        ("(?<=a+)b", "fixed-width"),
    ],
)
def test_what_python_cannot_do_is_refused_by_name(pattern, named):
    with pytest.raises(JavaRegexError) as caught:
        compile_regex(pattern)
    assert named in str(caught.value)
    assert "not supported here" in str(caught.value)


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
