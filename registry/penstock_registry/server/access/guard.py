"""Recognize who asks, and say whether they may."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Final

from penstock.access.authenticator import Authenticator
from penstock.access.principal import NotRecognizedError, Principal, Role
from penstock.access.settings import AccessConfig
from penstock_registry.server.access.rules import need_of
from penstock_registry.server.errors import forbidden, unauthorized

__all__ = ["Guard", "asked_by", "asking"]

#: The caller while a request is answered; None if everybody may do everything.
_asking: ContextVar[Principal | None] = ContextVar("asking", default=None)
#: Asked by machines that have no password; they tell nothing of schemas.
_OPEN_PATHS: Final = ("/health", "/master_available")


class Guard:
    """`alias_of` gives the subject that stands behind a name: who may change a subject's alias must not reach with it
    what they may not reach without."""

    def __init__(self, config: AccessConfig, alias_of: Callable[[str], str]) -> None:
        self._alias_of = alias_of
        self._authenticator = Authenticator(config)
        self._skipped = (*_OPEN_PATHS, *config.skip_paths)
        self.challenges = self._authenticator.challenges

    async def check(
        self, method: str, segments: Sequence[str], query: Mapping[str, str], authorization: str
    ) -> Principal | None:
        """Return who asks, None for a path that anybody may ask for. Raises 401 or 40301."""
        path = "/" + "/".join(segments)
        if any(path == open_path or path.startswith(f"{open_path}/") for open_path in self._skipped):
            return None
        try:
            principal = await self._authenticator.recognize(authorization)
        except NotRecognizedError as error:
            raise unauthorized(error.message) from None
        need = need_of(method, segments, query)
        subjects = {need.subject}
        # Config and mode are a name's own; elsewhere an alias leads on to another subject.
        if need.subject is not None and segments[0] in ("subjects", "compatibility"):
            subjects.add(self._alias_of(need.subject))
        allowed = (
            principal.may_somewhere(need.role)
            if need.anywhere
            else all(principal.may(need.role, subject) for subject in subjects)
        )
        if not allowed:
            raise forbidden(need.role.name.capitalize(), need.resource)
        return principal

    def trusts(self, authorization: str, role: Role) -> bool:
        """Return whether this header is that of somebody known already who has the role for everything.

        To such a caller a request that needs no more than that role is answered as to everybody where nobody is asked.
        """
        principal = self._authenticator.known(authorization)
        return principal is not None and principal.may(role, None)


def asked_by(principal: Principal | None) -> None:
    """Make this request `principal`'s from here on: its answers show only what they may see."""
    _asking.set(principal)


def asking() -> Principal | None:
    """Return whose request is answered; None where everybody may do everything."""
    return _asking.get()
