"""Users with passwords: a file of ``user:bcrypt[:role,…]`` lines."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final, NamedTuple

from penstock.access.principal import Grant, ParseGrants, Principal, Role, parse_grants
from penstock.errors import ConfigError

__all__ = ["UserFile"]

_log = logging.getLogger(__name__)
_KEY: Final = "authentication.basic.users.file"
_CACHE_SIZE: Final = 1000
#: The bytes that bcrypt looks at; the rest of a longer password never counted anywhere.
_BCRYPT_BYTES: Final = 72
_HASHES: Final = (b"$2a$", b"$2b$", b"$2y$")


class _User(NamedTuple):
    hash: bytes
    principal: Principal


class UserFile:
    """Thread-safe. A file that was changed is read again with the next request; if it is wrong then, the old one stays.

    A password that was right is remembered as a keyed digest, since bcrypt takes a good part of a second.
    """

    def __init__(self, path: Path, grants: ParseGrants = parse_grants) -> None:
        """`grants` reads the roles of a line."""
        self._grants = grants
        self._bcrypt = _bcrypt()
        self._path = path
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._stamp, self._users = _stamp(path), _read(path, grants)
        # Asked for users that do not exist, so that the time of a refusal does not tell which ones do.
        self._nobody: bytes = self._bcrypt.hashpw(secrets.token_bytes(16), self._bcrypt.gensalt(10))

    def known(self, name: str, password: str) -> Principal | None:
        """Return the user if this password was right before; this costs no bcrypt."""
        user = self._current().get(name)
        if user is None:
            return None
        with self._lock:
            return user.principal if self._digest(name, password, user.hash) in self._right else None

    def check(self, name: str, password: str) -> Principal | None:
        """Return the user if the password is right. Slow on purpose: not for an event loop."""
        user = self._current().get(name)
        wanted = self._nobody if user is None else user.hash
        try:
            right = bool(self._bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], wanted))
        except ValueError:  # a password no hash can be of, such as one with a zero byte
            right = False
        if user is None or not right:
            return None
        with self._lock:
            self._right[self._digest(name, password, user.hash)] = None
            if len(self._right) > _CACHE_SIZE:
                self._right.popitem(last=False)
        return user.principal

    def _digest(self, name: str, password: str, known: bytes) -> bytes:
        # The stored hash is part of it: a changed password makes what was remembered of the old one worthless.
        message = b"\0".join((name.encode(), password.encode(), known))
        return hmac.new(self._secret, message, hashlib.sha256).digest()

    def _current(self) -> dict[str, _User]:
        with self._lock:
            try:
                stamp = _stamp(self._path)
                if stamp != self._stamp:
                    self._stamp = stamp
                    self._users = _read(self._path, self._grants)
                    _log.info("Read %d users from %s", len(self._users), self._path)
            except ConfigError as error:
                _log.error("The changed users file is not used, the users before the change stay: %s", error)
            return self._users


def _bcrypt() -> Any:
    try:
        import bcrypt
    except ModuleNotFoundError:
        raise ConfigError(
            "authentication.method=BASIC needs bcrypt, which is not installed: pip install 'penstock[registry]'"
        ) from None
    return bcrypt


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _read(path: Path, parse: ParseGrants) -> dict[str, _User]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(_KEY, str(path), f"cannot be read: {error}") from None
    users: dict[str, _User] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, hashed, grants = _line(path, number, line.strip(), parse)
        if name in users:
            raise ConfigError(f"{_KEY}: {path} line {number}: {name} has a line already")
        users[name] = _User(hashed, Principal(name, grants))
    if not users:
        raise ConfigError(_KEY, str(path), "the file has no users; expected lines of user:bcrypt[:role,…]")
    return users


def _line(path: Path, number: int, line: str, parse: ParseGrants) -> tuple[str, bytes, tuple[Grant, ...]]:
    """Never repeats the line in an error: it may hold a password that somebody forgot to hash."""
    name, _, rest = line.partition(":")
    hashed, _, roles = rest.partition(":")
    if not name or not hashed.encode().startswith(_HASHES) or len(hashed) != 60:
        raise ConfigError(
            f"{_KEY}: {path} line {number} is not user:bcrypt[:role,…]; make a hash with: htpasswd -nBC 10 USER"
        )
    if not roles.strip():
        return name, hashed.encode(), (Grant(Role.READ),)
    try:
        return name, hashed.encode(), parse(roles.split(","))
    except ValueError as error:
        raise ConfigError(f"{_KEY}: {path} line {number}: {error}") from None
