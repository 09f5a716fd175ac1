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
        scheme, _, rest = authorization.strip().partition(" ")
        found: Principal | None = None
        if scheme.lower() == "basic" and self._users is not None:
            name, password = _name_and_password(rest)
            found = self._users.known(name, password)
            if found is None:
                found = await asyncio.to_thread(self._users.check, name, password)
        elif scheme.lower() == "bearer" and self._tokens is not None:
            token = rest.strip()
            found = self._tokens.known(token)
            if found is None:
                found = await asyncio.to_thread(self._tokens.check, token)
        if found is None:
            raise NotRecognizedError
        return found


def _name_and_password(text: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(text.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):  # no Base64, or no UTF-8 in it
        raise NotRecognizedError from None
    name, _, password = decoded.partition(":")
    return name, password
