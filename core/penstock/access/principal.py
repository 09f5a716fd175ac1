"""Somebody who was recognized, and what they were granted."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from penstock.errors import ConnectError

__all__ = ["Grant", "NotRecognizedError", "ParseGrants", "Principal", "Role", "parse_grants"]


class NotRecognizedError(ConnectError):
    """The sender of a request is not known: a 401. The message is for that sender and gives no more away than they know."""

    def __init__(self, message: str = "Unauthorized") -> None:
        super().__init__(message)


class Role(enum.IntEnum):
    """Each includes those before it."""

    #: Requests that change nothing.
    READ = 1
    #: Changes that can be taken back.
    WRITE = 2
    #: Settings, and deleting for good.
    ADMIN = 3


class Grant(NamedTuple):
    """A role for the things whose name begins with `prefix`, or fits it if it is a pattern with ``*``; for everything if
    that is empty."""

    role: enum.IntEnum
    prefix: str = ""
    is_pattern: bool = False

    def covers(self, name: str | None) -> bool:
        """Return whether the role is granted for the thing called `name`; for all of them if None."""
        if not self.prefix or (self.is_pattern and not self.prefix.strip("*")):
            return True
        if name is None:
            return False
        return _fits(name, self.prefix.split("*")) if self.is_pattern else name.startswith(self.prefix)


def _fits(name: str, parts: list[str]) -> bool:
    """Return whether `name` is these parts with anything between them, in time that grows with its length alone."""
    first, *others = parts
    if not others:
        return name == first
    *middle, last = others
    if not name.startswith(first) or len(name) < len(first) + len(last) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def parse_grants(texts: Iterable[str]) -> tuple[Grant, ...]:
    """``read``, ``write@orders-``, ``admin@:.ctx:``. Raises ValueError for a role nobody knows."""
    grants = []
    for text in texts:
        name, _, prefix = text.strip().partition("@")
        role = Role.__members__.get(name.strip().upper())
        if role is None:
            raise ValueError(
                f"no role is called {name.strip()!r}; expected read, write or admin, or role@subject-prefix"
            )
        grants.append(Grant(role, prefix))
    return tuple(grants)


#: Reads texts such as ``write@orders-``; raises ValueError for a role that the server does not have.
ParseGrants = Callable[[Iterable[str]], tuple[Grant, ...]]


@dataclass(frozen=True, slots=True)
class Principal:
    name: str
    grants: tuple[Grant, ...]

    def may(self, role: enum.IntEnum, name: str | None) -> bool:
        """Return whether this role is granted for the thing called `name`; for all of them if None."""
        return any(grant.role >= role and grant.covers(name) for grant in self.grants)

    def may_somewhere(self, role: enum.IntEnum) -> bool:
        return any(grant.role >= role for grant in self.grants)

    @property
    def reads_everything(self) -> bool:
        return self.may(Role.READ, None)

    def reads(self, name: str) -> bool:
        return self.may(Role.READ, name)
