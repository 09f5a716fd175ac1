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

from penstock.access.principal import Grant, NotRecognizedError, ParseGrants, Principal, parse_grants
from penstock.errors import ConfigError, WorkerError

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
_MAX_KEY_BYTES: Final = 1_000_000
#: The words for the kinds of JSON values in messages.
_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false", dict: "an object", list: "a list", str: "a text", type(None): "null",
}  # fmt: skip


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
    #: Reads the roles of a claim.
    grants: ParseGrants = parse_grants


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
        """Return whose token it is if it was right before and has not expired; this checks no signature."""
        with self._lock:
            found = self._right.get(hashlib.sha256(token.encode()).digest())
        return found[0] if found is not None and self._now() < found[1] else None

    def check(self, token: str) -> Principal | None:
        """Return whose token it is; None if it is not right. May ask for keys over HTTP: not for an event loop.

        Raises `NotRecognizedError` for a token that holds and says what cannot be meant.
        """
        if self._now() - self._fetched_at > self._settings.refresh_seconds:
            self._refetch()
        try:
            claims = self._claims(token)
        except Exception as error:  # a stranger wrote it, and the library has no one error for all that may be wrong
            _log.info("A bearer token was refused: %s", type(error).__name__)  # its text may repeat the token
            if isinstance(error, RecursionError):
                raise NotRecognizedError("Unauthorized: the bearer token is nested too deeply") from None
            return None
        expiry = _expiry(claims)
        principal = Principal(self._name(claims), self._grants(claims))
        until = min(expiry, self._now() + self._settings.refresh_seconds)
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

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._settings.name_claim, "?")
        if isinstance(name, str):
            return name
        raise _wrong_claim(self._settings.name_claim, name, "a text")

    def _grants(self, claims: Mapping[str, Any]) -> tuple[Grant, ...]:
        """Return the roles among those the claim lists; a token may well list others that are no business of ours."""
        listed = claims.get(self._settings.roles_claim)
        if listed is None:
            return ()
        if not isinstance(listed, str | list):
            raise _wrong_claim(
                self._settings.roles_claim, listed, "a list of texts, or a text with blanks between them"
            )
        grants: list[Grant] = []
        for text in listed.split() if isinstance(listed, str) else listed:
            try:
                grants += self._settings.grants([text]) if isinstance(text, str) else ()
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
    """The parts of joserfc that are used, imported when somebody wants tokens."""

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


def _expiry(claims: Mapping[str, Any]) -> float:
    """Return the time until which a token holds."""
    told = claims.get("exp")
    if isinstance(told, int | float) and not isinstance(told, bool) and -1e15 < told < 1e15:
        return float(told)
    raise _wrong_claim("exp", told, "a time in seconds")


def _wrong_claim(name: str, value: object, expected: str) -> NotRecognizedError:
    """Say what kind of value a claim has, not the value: it is whatever the token's issuer put there."""
    return NotRecognizedError(
        f"Unauthorized: the token's claim {name} is {_KINDS.get(type(value), 'a number')}; expected {expected}"
    )


def _fetch(source: str) -> bytes:
    if source.startswith(("http://", "https://")):
        with urllib.request.urlopen(source, timeout=_FETCH_TIMEOUT) as answer:  # noqa: S310 - the operator names the URL
            data: bytes = answer.read(_MAX_KEY_BYTES)
            return data
    return Path(source.removeprefix("file://").removeprefix("file:")).read_bytes()
