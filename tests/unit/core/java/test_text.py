"""Text from data that no encoding has."""

from __future__ import annotations

import pytest

from penstock.java.text import to_utf8, well_formed


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("plain", b"plain"),
        ("", b""),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600".encode()),
        ("cut \ud83d", b"cut ?"),
        ("\ude00\ud83d", b"??"),
        ("\ud83d\ude00", "\U0001f600".encode()),
        ("\ud83d\ud83d\ude00\ude00", b"?" + "\U0001f600".encode() + b"?"),
    ],
)
def test_half_a_character_pair_is_a_question_mark_as_in_java(text, encoded):
    assert to_utf8(text) == encoded
    assert well_formed(text).encode() == encoded


def test_text_that_can_be_encoded_stays_the_object_it_is():
    for text in ("plain", "caf\u00e9"):
        assert well_formed(text) is text
