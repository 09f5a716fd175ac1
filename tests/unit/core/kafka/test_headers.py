"""Headers that the client cannot read harm nobody: see `penstock.kafka.headers`."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.kafka.headers import UNREADABLE, with_safe_headers


class Message:
    """Behaves as the client's: it says once that it cannot read its headers, and hands out a broken list from then on."""

    def __init__(self, headers: Any, readable: bool = True) -> None:
        self._headers = headers
        self._says = not readable

    def headers(self) -> Any:
        if self._says:
            self._says = False
            raise SystemError("returned a result with an exception set")
        return self._headers

    def set_headers(self, value: Any) -> None:
        self._headers = value


BROKEN = object()


@pytest.mark.parametrize("pattern", ["", "r", "b", "rb", "br", "bb", "rbrbb", "bbbr", "rrrr"])
def test_just_the_messages_with_unreadable_headers_have_the_sign_for_it(pattern: str) -> None:
    fine = [("a", b"1")]
    messages = [Message(fine) if kind == "r" else Message(BROKEN, readable=False) for kind in pattern]
    assert with_safe_headers(messages) is messages
    assert [m.headers() is UNREADABLE for m in messages] == [kind == "b" for kind in pattern]
    assert all(m.headers() is fine for m, kind in zip(messages, pattern, strict=True) if kind == "r")
