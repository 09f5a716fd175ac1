"""Users of a worker's REST API, for tests: a file with passwords, and bearer tokens with the keys that they are signed with."""

from __future__ import annotations

import base64
import functools
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bcrypt
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

__all__ = ["PASSWORD", "Tokens", "basic", "users_file"]

#: The password of every user.
PASSWORD = "correct horse battery"


@functools.cache
def _hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def users_file(folder: Path, users: Mapping[str, str], password: str = PASSWORD) -> Path:
    """Write a users file; `users` maps each name to its roles. All have the same password."""
    file = folder / "users"
    file.write_text("".join(f"{name}:{_hashed(password)}:{roles}\n" for name, roles in users.items()))
    return file


def basic(user: str, password: str = PASSWORD) -> str:
    """Return the value of an ``Authorization`` header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Tokens:
    """Issues tokens; `keys` is a file with the public half of its key."""

    def __init__(self, folder: Path) -> None:
        self._key = RSAKey.generate_key(2048, {"kid": "of the tests", "use": "sig"})
        self.keys = folder / "jwks.json"
        self.keys.write_text(json.dumps(KeySet([self._key]).as_dict(private=False)))

    def token(self, subject: str, roles: Sequence[str], **claims: Any) -> str:
        """Return a token that holds for an hour."""
        told = {"sub": subject, "roles": list(roles), "exp": int(time.time()) + 3600, **claims}
        return jwt.encode({"alg": "RS256", "kid": "of the tests"}, told, self._key)
