"""Makes the headers of consumed messages safe to look at.

A header's name is any bytes on the wire. The client (confluent-kafka 2.16) decodes it as UTF-8, and where that fails it
returns a list with null pointers in it while the exception is still pending. Python notices (`SystemError`) only where
the call is not specialised for its call site; a hot loop gets the list, and whoever looks into it ends the process.
"""

from __future__ import annotations

from collections import deque
from operator import length_hint
from typing import Any, Final, TypeVar

__all__ = ["UNREADABLE", "with_safe_headers"]

M = TypeVar("M")

#: The very object that `headers()` of a message returns if the client cannot read them.
UNREADABLE: Final[list[Any]] = []


def with_safe_headers(messages: list[M]) -> list[M]:
    """Return `messages`, whose ``headers()`` can be called and looked at now. Where a name is not UTF-8 they are
    `UNREADABLE`. To be called before anything else asks the messages for their headers: the client keeps what it made.
    """
    if not messages:
        return messages
    rest = iter(messages)
    # C code makes the calls: those are checked whether or not they are hot.
    calls = map(type(messages[0]).headers, rest)  # type: ignore[attr-defined]  # a message of the client or of the fake
    while True:
        try:
            deque(calls, 0)
            return messages
        except SystemError:
            unreadable: Any = messages[-1 - length_hint(rest)]
            unreadable.set_headers(UNREADABLE)
