"""From a request's ``Authorization`` header to whoever sent it."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Final

from penstock.access.principal import NotRecognizedError, Principal
from penstock.access.settings import AccessConfig
from penstock.access.tokens import TokenVerifier
from penstock.access.users import UserFile

__all__ = ["Authenticator"]

#: Tokens of large identity providers have some 5 kB. A longer header costs nothing but its reading.
_MAX_HEADER: Final = 16 * 1024


class Authenticator:
    """Knows the users of a file, the tokens signed by a key set, or both. For one event loop; safe from any thread.

    `challenges` are the values of ``WWW-Authenticate``.
    """

    def __init__(self, config: AccessConfig) -> None:
        """Raises `ConfigError` for a wrong users file, `WorkerError` where the keys cannot be had."""
        self._users = None if config.users_file is None else UserFile(config.users_file, config.grants)
        self._tokens = None if config.tokens is None else TokenVerifier(config.tokens)
        schemes = [f'Basic realm="{config.realm}"'] if self._users is not None else []
        self.challenges = (*schemes, *(["Bearer"] if self._tokens is not None else []))

    async def recognize(self, authorization: str) -> Principal:
        """Return who sent this header. Slow checks run on a thread. Raises `NotRecognizedError`, whatever it holds."""
        if len(authorization) > _MAX_HEADER:
            raise NotRecognizedError(
                f"Unauthorized: the Authorization header has {len(authorization)} characters; at most {_MAX_HEADER} are read"
            )
        found = self.known(authorization)
        if found is None:
            scheme, rest = _scheme(authorization)
            if scheme == "basic" and self._users is not None:
                found = await asyncio.to_thread(self._users.check, *_name_and_password(rest))
            elif scheme == "bearer" and self._tokens is not None:
                found = await asyncio.to_thread(self._tokens.check, rest)
        if found is None:
            raise NotRecognizedError
        return found

    def known(self, authorization: str) -> Principal | None:
        """Return who sent this header if a slow check has said so before, and it still holds; None for everything else.

        It takes some microseconds, so it may be asked on an event loop.
        """
        if len(authorization) > _MAX_HEADER:
            return None
        scheme, rest = _scheme(authorization)
        if scheme == "basic" and self._users is not None:
            try:
                return self._users.known(*_name_and_password(rest))
            except NotRecognizedError:
                return None
        return self._tokens.known(rest) if scheme == "bearer" and self._tokens is not None else None


def _scheme(authorization: str) -> tuple[str, str]:
    """Return the scheme, in lower case, and what stands behind it."""
    scheme, _, rest = authorization.strip().partition(" ")
    return scheme.lower(), rest.strip()


def _name_and_password(text: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):  # no Base64, or no UTF-8 in it
        raise NotRecognizedError from None
    name, _, password = decoded.partition(":")
    return name, password
