"""Somebody who was recognised, and what they were granted."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Grant", "Principal", "Role", "parse_grants"]


class Role(enum.IntEnum):
    """Each includes those before it."""

    #: Everything that changes nothing, compatibility tests and lookups included.
    READ = 1
    #: Register schemas, change tags, delete softly.
    WRITE = 2
    #: Config, mode, contexts, delete for good.
    ADMIN = 3


class Grant(NamedTuple):
    """A role for the subjects whose stored name begins with `prefix`; for everything if that is empty."""

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

    def may(self, role: Role, subject: str | None) -> bool:
        """Whether this role is granted for `subject`, in its stored form; for the registry as a whole if None."""
        return any(
            grant.role >= role and (not grant.prefix or (subject is not None and subject.startswith(grant.prefix)))
            for grant in self.grants
        )

    def may_somewhere(self, role: Role) -> bool:
        return any(grant.role >= role for grant in self.grants)

    @property
    def reads_everything(self) -> bool:
        return self.may(Role.READ, None)

    def reads(self, subject: str) -> bool:
        return self.may(Role.READ, subject)
