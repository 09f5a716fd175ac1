"""Java's regular expressions: what they match, on which engine, and under which bound."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from penstock.errors import DataError
from penstock.java.regex import JavaRegexError, compile_regex

#: What java.util.regex (JDK 17) answers: per pattern its error, or per text what `matches` and `find` find: start, end
#: and the groups.
RECORDED = json.loads((Path(__file__).parents[3] / "vectors" / "java_regex.json").read_text())


def spans(match, groups):
    return None if match is None else [match.start(), match.end(), *(match[g] for g in range(1, groups + 1))]


@pytest.mark.parametrize("recorded", [r for r in RECORDED if "texts" in r], ids=lambda r: repr(r["pattern"]))
def test_a_pattern_finds_what_java_finds(recorded):
    pattern = compile_regex(recorded["pattern"])
    for text, whole, part in recorded["texts"]:
        assert spans(pattern.fullmatch(text), pattern.groups) == whole, text
        assert spans(pattern.search(text), pattern.groups) == part, text


@pytest.mark.parametrize("recorded", [r for r in RECORDED if "error" in r], ids=lambda r: repr(r["pattern"]))
def test_a_pattern_that_java_refuses_is_refused_in_its_words(recorded):
    with pytest.raises(JavaRegexError) as caught:
        compile_regex(recorded["pattern"])
    assert str(caught.value) == recorded["error"]


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
        ("\\p{javaLowerCase}", "javaLowerCase"),
        ("\\X", "\\X"),
        ("\\G", "\\G"),
        ("(?U)a", "(?U)"),
        ("\\1(a)", "\\1"),
        ("\\b{g}", "\\b{"),
        ("(\\1a)", "open group"),
        ("a" * 10_001, "10001 characters"),
        ("(" * 4_000 + ")" * 4_000, "nested this deep"),
        ("[" * 9_000, "nested this deep"),
        ("((a{100}){100}){100}", "as large as this"),
        ("\\p{L}" * 1_000, "as large as this"),
    ],
)
def test_what_no_engine_can_do_is_refused_by_name(pattern, named):
    with pytest.raises(JavaRegexError) as caught:
        compile_regex(pattern)
    assert named in str(caught.value)
    assert "not supported here" in str(caught.value)


@pytest.mark.parametrize("pattern", ["(a+)+c", "(a|aa)+c", "(a*)*c", "(.*)(.*)(.*)(.*)c", "^(a+)+$", "(a?){500}c"])
def test_a_pattern_without_lookaround_is_linear(pattern):
    compiled = compile_regex(pattern)
    assert compiled.linear
    assert not compiled.matches("a" * 50_000 + "!")


@pytest.mark.parametrize("pattern", ["(?=a)(a+)+c", "(?!b)(a|aa)+c", "(?:(a+)+)+\\1c", "(a+)+(?<=a)c"])
def test_a_pattern_that_needs_backtracking_ends_at_the_limit_and_is_named(pattern):
    compiled = compile_regex(pattern, time_limit=0.05)
    assert not compiled.linear
    with pytest.raises(DataError) as caught:
        compiled.matches("a" * 50_000 + "c!")
    assert pattern in str(caught.value)
    assert "0.05 s" in str(caught.value)


def test_other_threads_go_on_while_a_pattern_backtracks():
    compiled = compile_regex("(?=a)(a+)+c", time_limit=0.5)
    turns = 0
    ready, done = threading.Event(), threading.Event()

    def work():
        nonlocal turns
        ready.set()
        while not done.wait(0.001):
            turns += 1

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    try:
        with pytest.raises(DataError):
            compiled.matches("a" * 50_000 + "c!")
    finally:
        done.set()
        thread.join()
    assert turns > 10


@pytest.mark.parametrize(("pattern", "text"), [("a.b", "a\ud83db"), ("[^x]+", "\udc00"), ("\\ud83d.", "\ud83dx")])
def test_half_a_character_pair_is_a_character(pattern, text):
    assert compile_regex(pattern).matches(text)


@pytest.mark.parametrize(
    ("pattern", "flags", "text"),
    [
        ("orders", "i", "Orders"),
        ("a.b", "s", "a\nb"),
        ("a b # c", "x", "ab"),
        ("\u00e9", "iu", "\u00c9"),
        ("a.", "d", "a\r"),
    ],
)
def test_options_hold_for_the_whole_pattern(pattern, flags, text):
    assert compile_regex(pattern, flags).matches(text)
    assert not compile_regex(pattern).matches(text)
