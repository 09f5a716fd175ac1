"""Bearer tokens: JWTs signed with a key of a JWKS, from a file or a URL."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.errors import ConfigError, WorkerError
from penstock_registry.server.access.principal import Grant, Principal, parse_grants

__all__ = ["TokenSettings", "TokenVerifier"]

_log = logging.getLogger(__name__)
_KEY: Final = "oauthbearer.jwks.endpoint.url"
#: Signatures with a key pair. A shared secret has no place in a published key set, and "none" is no signature.
_ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA",
)  # fmt: skip
_CACHE_SIZE: Final = 1000
#: A token with a key nobody knows makes us ask for the keys again, but not more often than this.
_SECONDS_BETWEEN_FETCHES: Final = 30.0
_FETCH_TIMEOUT: Final = 10.0
_MOST_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TokenSettings:
    #: ``http(s)://…``, ``file:…`` or a path.
    jwks: str
    issuer: str | None = None
    audience: tuple[str, ...] = ()
    name_claim: str = "sub"
    roles_claim: str = "roles"
    clock_skew: int = 30
    refresh_seconds: float = 3600.0


class TokenVerifier:
    """Thread-safe. Keys are fetched when made, after `refresh_seconds`, and when a token names one that is not known."""

    def __init__(
        self,
        settings: TokenSettings,
        fetch: Callable[[str], bytes] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._fetch = fetch or _fetch
        self._now = now
        self._jose = _Jose()
        self._lock = threading.Lock()
        self._right: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._keys = self._load()
        self._fetched_at = now()

    def known(self, token: str) -> Principal | None:
        """Whose token it is if it was right before and has not expired; costs no signature check."""
        with self._lock:
            found = self._right.get(hashlib.sha256(token.encode()).digest())
        return found[0] if found is not None and self._now() < found[1] else None

    def check(self, token: str) -> Principal | None:
        """Whose token it is; None if it is not right. May ask for keys over HTTP: not for an event loop."""
        if self._now() - self._fetched_at > self._settings.refresh_seconds:
            self._refetch()
        try:
            claims = self._claims(token)
        except self._jose.error as error:
            _log.info("A bearer token was refused: %s", type(error).__name__)  # its text may repeat the token
            return None
        except ValueError as error:
            _log.info("A bearer token was refused: %s", type(error).__name__)
            return None
        principal = Principal(str(claims.get(self._settings.name_claim, "?")), self._grants(claims))
        until = min(float(claims["exp"]), self._now() + self._settings.refresh_seconds)
        with self._lock:
            self._right[hashlib.sha256(token.encode()).digest()] = principal, until
            if len(self._right) > _CACHE_SIZE:
                self._right.popitem(last=False)
        return principal

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            decoded = self._jose.decode(token, self._keys, list(_ALGORITHMS))
        except self._jose.unknown_key:
            if self._now() - self._fetched_at < _SECONDS_BETWEEN_FETCHES:
                raise
            self._refetch()
            decoded = self._jose.decode(token, self._keys, list(_ALGORITHMS))
        self._jose.check_claims(decoded.claims, self._settings, self._now())
        claims: Mapping[str, Any] = decoded.claims
        return claims

    def _grants(self, claims: Mapping[str, Any]) -> tuple[Grant, ...]:
        """The roles among those the claim lists; a token may well list others that are no business of ours."""
        listed = claims.get(self._settings.roles_claim) or ()
        grants: list[Grant] = []
        for text in listed.split() if isinstance(listed, str) else listed:
            try:
                grants += parse_grants([str(text)])
            except ValueError:
                continue
        return tuple(grants)

    def _refetch(self) -> None:
        self._fetched_at = self._now()
        try:
            self._keys = self._load()
        except WorkerError as error:
            _log.error("The keys known so far stay: %s", error)

    def _load(self) -> Any:
        source = self._settings.jwks
        try:
            return self._jose.key_set(json.loads(self._fetch(source)))
        except (OSError, ValueError, KeyError, TypeError, self._jose.error) as error:
            raise WorkerError(f"No keys could be had from {_KEY}={source}: {error}") from error


class _Jose:
    """What is used of joserfc, imported when somebody wants tokens."""

    def __init__(self) -> None:
        try:
            from joserfc import errors, jwt
            from joserfc.jwk import KeySet
        except ModuleNotFoundError:
            raise ConfigError(
                "authentication.method=BEARER needs joserfc, which is not installed: pip install 'penstock[registry]'"
            ) from None
        self.error = errors.JoseError
        self.unknown_key = (errors.InvalidKeyIdError, errors.MissingKeyError)
        self.key_set = KeySet.import_key_set
        self.decode = jwt.decode
        self._registry = jwt.JWTClaimsRegistry

    def check_claims(self, claims: dict[str, Any], settings: TokenSettings, now: float) -> None:
        wanted: dict[str, Any] = {"exp": {"essential": True}}
        if settings.issuer is not None:
            wanted["iss"] = {"essential": True, "value": settings.issuer}
        if settings.audience:
            wanted["aud"] = {"essential": True, "values": list(settings.audience)}
        self._registry(now=int(now), leeway=settings.clock_skew, **wanted).validate(claims)


def _fetch(source: str) -> bytes:
    if source.startswith(("http://", "https://")):
        with urllib.request.urlopen(source, timeout=_FETCH_TIMEOUT) as answer:  # noqa: S310 - the operator names the URL
            data: bytes = answer.read(_MOST_BYTES)
            return data
    return Path(source.removeprefix("file://").removeprefix("file:")).read_bytes()
