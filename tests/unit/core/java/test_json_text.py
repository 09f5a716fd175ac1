"""Jackson's quoting, in a String and in bytes."""

from __future__ import annotations

import json

import pytest

from penstock.java.json_text import quote, quote_for_bytes


@pytest.mark.parametrize(
    ("text", "in_string", "in_bytes"),
    [
        ("plain", '"plain"', '"plain"'),
        ('a"b\\c/', '"a\\"b\\\\c/"', '"a\\"b\\\\c/"'),
        ("\b\f\n\r\t", '"\\b\\f\\n\\r\\t"', '"\\b\\f\\n\\r\\t"'),
        ("\x00\x1b\x7f", '"\\u0000\\u001B\x7f"', '"\\u0000\\u001B\x7f"'),
        ("caf\u00e9\u2028", '"caf\u00e9\u2028"', '"caf\u00e9\u2028"'),
        ("\U0001f600", '"\U0001f600"', '"\\uD83D\\uDE00"'),
        ("cut \ud83d", '"cut \ud83d"', '"cut \\uD83D"'),
    ],
)
def test_texts_are_quoted_as_jackson_quotes_them(text, in_string, in_bytes):
    assert (quote(text), quote_for_bytes(text)) == (in_string, in_bytes)
    assert json.loads(quote(text)) == json.loads(quote_for_bytes(text)) == text
