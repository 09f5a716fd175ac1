"""Somebody who was recognized, and what they were granted."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from penstock.errors import ConnectError

__all__ = ["Grant", "NotRecognizedError", "Principal", "Role", "parse_grants"]


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
    """A role for the things whose name begins with `prefix`; for everything if that is empty."""

    role: Role
    prefix: str = ""


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


@dataclass(frozen=True, slots=True)
class Principal:
    name: str
    grants: tuple[Grant, ...]

    def may(self, role: Role, name: str | None) -> bool:
        """Return whether this role is granted for the thing called `name`; for all of them if None."""
        return any(
            grant.role >= role and (not grant.prefix or (name is not None and name.startswith(grant.prefix)))
            for grant in self.grants
        )

    def may_somewhere(self, role: Role) -> bool:
        return any(grant.role >= role for grant in self.grants)

    @property
    def reads_everything(self) -> bool:
        return self.may(Role.READ, None)

    def reads(self, name: str) -> bool:
        return self.may(Role.READ, name)
