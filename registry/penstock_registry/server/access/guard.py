"""Recognises who asks, and says whether they may."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Final

from penstock_registry.server.access.config import AccessConfig
from penstock_registry.server.access.principal import Principal
from penstock_registry.server.access.rules import need_of
from penstock_registry.server.access.tokens import TokenVerifier
from penstock_registry.server.access.users import UserFile
from penstock_registry.server.errors import forbidden, unauthorized

__all__ = ["Guard", "asked_by", "asking"]

#: Who asks, while a request is answered; None where everybody may do everything.
_asking: ContextVar[Principal | None] = ContextVar("asking", default=None)
#: Asked by machines that have no password; they tell nothing of schemas.
_OPEN_PATHS: Final = ("/health", "/master_available")


class Guard:
    """`alias_of` gives the subject that stands behind a name: who may change a subject's alias must not reach with it
    what they may not reach without."""

    def __init__(self, config: AccessConfig, alias_of: Callable[[str], str]) -> None:
        self._alias_of = alias_of
        self._users = None if config.users_file is None else UserFile(config.users_file)
        self._tokens = None if config.tokens is None else TokenVerifier(config.tokens)
        self._skipped = (*_OPEN_PATHS, *config.skip_paths)
        schemes = [f'Basic realm="{config.realm}"'] if self._users is not None else []
        self.challenges = (*schemes, *(["Bearer"] if self._tokens is not None else []))

    async def check(
        self, method: str, segments: Sequence[str], query: Mapping[str, str], authorization: str
    ) -> Principal | None:
        """Who asks, None for a path that anybody may ask for. Raises 401 or 40301."""
        path = "/" + "/".join(segments)
        if any(path == open_path or path.startswith(f"{open_path}/") for open_path in self._skipped):
            return None
        principal = await self._recognise(authorization)
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

    async def _recognise(self, authorization: str) -> Principal:
        scheme, _, rest = authorization.strip().partition(" ")
        found: Principal | None = None
        if scheme.lower() == "basic" and self._users is not None:
            name, password = _basic(rest)
            found = self._users.known(name, password)
            if found is None:
                found = await asyncio.to_thread(self._users.check, name, password)
        elif scheme.lower() == "bearer" and self._tokens is not None:
            token = rest.strip()
            found = self._tokens.known(token)
            if found is None:
                found = await asyncio.to_thread(self._tokens.check, token)
        if found is None:
            raise unauthorized()
        return found


def _basic(text: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(text.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise unauthorized() from None
    name, _, password = decoded.partition(":")
    return name, password


def asked_by(principal: Principal | None) -> None:
    """Make this request `principal`'s from here on: its answers show only what they may see."""
    _asking.set(principal)


def asking() -> Principal | None:
    """Return whose request is answered; None where everybody may do everything."""
    return _asking.get()
