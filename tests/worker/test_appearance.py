"""What bytes look like, in messages about records that cannot be read."""

import pytest

from penstock.runtime.appearance import looks_like


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "null"),
        (b"", "empty"),
        (b"{oh", "the 3 bytes 7b 6f 68, which look like JSON"),
        (b"plain words", "11 bytes that begin 70 6c 61 69 6e 20 77 6f, which look like text"),
        (b"\x00\x00\x00\x01\x02x", "schema id 258 of a registry"),
        (b"\x00\x00\x00\x01", "the 4 bytes 00 00 00 01, which are no text"),
        (b"\xff\xfe", "which are no text"),
        (b"\x01\x02\x03", "which are no text"),
        ("ü".encode() * 5000, "which look like text"),
        (b"x" + "ü".encode() * 5000, "which look like text"),  # a character lies across the part that is looked at
    ],
)
def test_bytes_are_told_by_length_beginning_and_likely_format(data: bytes | None, expected: str) -> None:
    assert expected in looks_like(data)


def test_little_of_the_content_is_told() -> None:
    assert "73 65 63" not in looks_like(b"12345678secret")
    assert "secret" not in looks_like(b"secret words")
