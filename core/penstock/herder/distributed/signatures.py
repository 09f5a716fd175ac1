"""Requests between workers are signed with a key that only workers of the group can read (KIP-507).

The leader makes the key, writes it to the config topic and makes a new one when it is ``inter.worker.key.ttl.ms`` old.
A signature is the HMAC of the exact bytes of the body, in Base64, and stands in two headers (``InternalRequestSignature``).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.errors import ConfigError
from penstock.herder.interface import InternalRequestError, RequestSignature
from penstock.storage.config_records import SessionKey

__all__ = [
    "SIGNATURE_ALGORITHM_HEADER",
    "SIGNATURE_HEADER",
    "SIGNED_OF_CLUSTER",
    "check",
    "new_key",
    "sign",
    "signature_of",
]

SIGNATURE_HEADER: Final = "X-Connect-Authorization"
SIGNATURE_ALGORITHM_HEADER: Final = "X-Connect-Request-Signature-Algorithm"
#: The bytes that are signed where a follower asks its leader how the group is (penstock's own). They differ from those of a
#: request to fence, which are none, so that the signature of one is of no use for the other.
SIGNED_OF_CLUSTER: Final = b"GET /cluster"
#: Java's names of HMACs, as the digest here and the bits its generator makes where no size is given.
_ALGORITHMS: Final[Mapping[str, tuple[str, int]]] = {
    "hmacmd5": ("md5", 512),
    "hmacsha1": ("sha1", 512),
    "hmacsha224": ("sha224", 224),
    "hmacsha256": ("sha256", 256),
    "hmacsha384": ("sha384", 384),
    "hmacsha512": ("sha512", 512),
    "hmacsha512/224": ("sha512_224", 224),
    "hmacsha512/256": ("sha512_256", 256),
}


def new_key(algorithm: str, bits: int | None, now_ms: int) -> SessionKey:
    """Return a random key for `algorithm`, of its usual size if `bits` is None."""
    size = bits if bits is not None else _known_algorithm(algorithm)[1]
    if size < 40:
        raise ConfigError("inter.worker.key.size", size, "must be at least 40 bits")
    return SessionKey(secrets.token_bytes((size + 7) // 8), algorithm, now_ms)


def _known_algorithm(algorithm: str) -> tuple[str, int]:
    try:
        return _ALGORITHMS[algorithm.lower()]
    except KeyError:
        raise ConfigError(
            "inter.worker.signature.algorithm", algorithm, f"expected one of {', '.join(sorted(_ALGORITHMS))}"
        ) from None


def sign(key: bytes, algorithm: str, body: bytes) -> dict[str, str]:
    """Return the headers for a request with `body`."""
    digest = hmac.new(key, body, _known_algorithm(algorithm)[0]).digest()
    return {SIGNATURE_HEADER: base64.b64encode(digest).decode(), SIGNATURE_ALGORITHM_HEADER: algorithm}


def signature_of(headers: Mapping[str, str], body: bytes) -> RequestSignature | None:
    """Return the signature in a request's headers; None where one of the two is missing. `headers` are looked up in any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    signature, algorithm = lower.get(SIGNATURE_HEADER.lower()), lower.get(SIGNATURE_ALGORITHM_HEADER.lower())
    if signature is None or algorithm is None:
        return None
    if algorithm.lower() not in _ALGORITHMS:
        raise InternalRequestError(400, f"{algorithm} MAC algorithm not available")
    try:
        return RequestSignature(base64.b64decode(signature, validate=True), algorithm, body)
    except binascii.Error:
        raise InternalRequestError(400, f"{SIGNATURE_HEADER} is not Base64") from None


def check(signature: RequestSignature | None, key: SessionKey | None, allowed: Sequence[str]) -> None:
    """Raise `InternalRequestError` unless `signature` was made with `key` (``requestNotSignedProperly``)."""
    if signature is None:
        raise InternalRequestError(400, "Internal request missing required signature")
    if signature.algorithm not in allowed:
        raise InternalRequestError(
            400,
            f"This worker does not support the '{signature.algorithm}' key signing algorithm used by other workers. This "
            f"worker is currently configured to use: [{', '.join(allowed)}]. Check that all workers' configuration files "
            "permit the same set of signature algorithms, and correct any misconfigured worker and restart it.",
        )
    if key is None:
        raise InternalRequestError(
            503,
            "This worker is still starting up and has not been able to read a session key from the config topic yet",
        )
    expected = hmac.new(key.key, signature.body, _known_algorithm(signature.algorithm)[0]).digest()
    if not hmac.compare_digest(expected, signature.signature):
        raise InternalRequestError(403, "Internal request contained invalid signature.")
