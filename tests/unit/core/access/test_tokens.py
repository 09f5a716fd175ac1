"""Bearer tokens: whose they are, and which are refused."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from penstock.access.principal import Grant, NotRecognizedError, Principal, Role
from penstock.access.tokens import TokenSettings, TokenVerifier
from penstock.errors import WorkerError

KEY = RSAKey.generate_key(2048, {"kid": "k1"})
OTHER = ECKey.generate_key("P-256", {"kid": "k2"})
NOW = 1_800_000_000


def keys(*held: Any) -> bytes:
    return json.dumps(KeySet(held).as_dict(private=False)).encode()


def token(claims: dict[str, Any], key: Any = KEY, alg: str = "RS256") -> str:
    merged = {"sub": "svc", "exp": NOW + 100, "roles": ["write@orders-", "other-system"], **claims}
    return jwt.encode({"alg": alg, "kid": key.kid}, {k: v for k, v in merged.items() if v is not None}, key, [alg])


class Source:
    """Where the keys come from, and a clock."""

    def __init__(self) -> None:
        self.answer: bytes | Exception = keys(KEY)
        self.asked, self.time = 0, float(NOW)

    def fetch(self, source: str) -> bytes:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def now(self) -> float:
        return self.time


@pytest.fixture
def source() -> Source:
    return Source()


def verifier(source: Source, **settings: Any) -> TokenVerifier:
    return TokenVerifier(TokenSettings("keys", **settings), source.fetch, source.now)


def test_a_token_says_who_and_what(source: Source) -> None:
    tokens = verifier(source)
    text = token({})
    assert tokens.known(text) is None
    assert tokens.check(text) == Principal("svc", (Grant(Role.WRITE, "orders-"),))
    assert tokens.known(text) is not None
    source.time += 200
    assert tokens.known(text) is None
    assert tokens.check(text) is None


@pytest.mark.parametrize(
    "claims", [{"exp": NOW - 100}, {"exp": None}, {"nbf": NOW + 100}, {"iss": "x"}, {"aud": "x"}, {"iss": None}]
)
def test_a_token_that_does_not_hold_is_refused(source: Source, claims: dict[str, Any]) -> None:
    tokens = verifier(source, issuer="https://issuer", audience=("a", "b"))
    good = {"iss": "https://issuer", "aud": ["b", "c"]}
    assert tokens.check(token(good)) is not None
    assert tokens.check(token({**good, **claims})) is None


def test_clocks_may_differ_a_little(source: Source) -> None:
    assert verifier(source, clock_skew=30).check(token({"exp": NOW - 20})) is not None


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_forged_token_is_refused(source: Source) -> None:
    tokens = verifier(source)
    forger = RSAKey.generate_key(2048, {"kid": "k1"})
    assert tokens.check(token({}, forger)) is None
    head, body, _ = token({}).split(".")
    # The public key used as a shared secret, an old trick.
    secret = encoded(b'{"alg":"HS256","kid":"k1"}')
    signature = hmac.digest(KEY.as_pem(private=False), f"{secret}.{body}".encode(), "sha256")
    assert tokens.check(f"{secret}.{body}.{encoded(signature)}") is None
    none = encoded(b'{"alg":"none","kid":"k1"}')
    for text in (f"{none}.{body}.", f"{head}.{body}.", f"{head}.{body}.AAAA", "x", "", "a.b.c"):
        assert tokens.check(text) is None


def test_a_new_key_is_asked_for_but_not_all_the_time(source: Source) -> None:
    tokens = verifier(source)
    new = token({}, OTHER, "ES256")
    assert tokens.check(new) is None
    assert source.asked == 1
    source.time += 31
    source.answer = keys(KEY, OTHER)
    assert tokens.check(new) is not None
    assert source.asked == 2


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"roles": 5}, "roles is a number; expected a list of texts"),
        ({"roles": True}, "roles is true or false; expected a list of texts"),
        ({"roles": {"admin": 1}}, "roles is an object; expected"), ({"who": 5}, "who is a number; expected a text"),
        ({"who": ["x"]}, "who is a list; expected a text"), ({"exp": 10**400}, "exp is a number; expected a time"),
        ({"exp": 1e300}, "exp is a number; expected a time"),
    ],
)  # fmt: skip
def test_a_token_with_odd_claims_is_refused_with_a_sentence(source: Source, claims: dict[str, Any], told: str) -> None:
    with pytest.raises(NotRecognizedError, match=f"Unauthorized: the token's claim {told}"):
        verifier(source, name_claim="who").check(token({"who": "svc", **claims}))


@pytest.mark.parametrize("roles", [None, [], "", [5, None, ["admin"], {"admin": 1}]])
def test_a_token_without_roles_grants_none(source: Source, roles: Any) -> None:
    assert verifier(source).check(token({"roles": roles})) == Principal("svc", ())


def signed(header: bytes, payload: bytes) -> str:
    """A token of any bytes, rightly signed."""
    text = f"{encoded(header)}.{encoded(payload)}"
    key: Any = KEY.private_key
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


HEAD = b'{"alg":"RS256","kid":"k1"}'
DEEP = b"[" * 20_000 + b"]" * 20_000


@pytest.mark.parametrize(
    "text",
    [
        signed(HEAD, b'{"exp":1800000100,"roles":%s}' % DEEP), signed(HEAD, DEEP), signed(b'{"alg":"RS256","kid":"k1","x":%s}' % DEEP, b"{}"),
        signed(HEAD, b"5"), signed(HEAD, b"[]"), signed(HEAD, b"null"), signed(HEAD, b"\xff"), signed(HEAD, b""), signed(b"5", b"{}"),
        signed(b'{"alg":5,"kid":"k1"}', b"{}"), signed(b'{"alg":"RS256","kid":5}', b"{}"), signed(b'{"alg":"RS256","kid":"k1","crit":5}', b"{}"),
        signed(HEAD, b'{"exp":NaN}'), signed(HEAD, b'{"exp":true}'), signed(HEAD, b'{"exp":"soon"}'), signed(HEAD, b'{"exp":%s}' % (b"9" * 5000)),
        "\xff.\xff.\xff", "." * 10_000,
    ],
)  # fmt: skip
def test_nothing_that_a_stranger_may_send_is_more_than_refused(source: Source, text: str) -> None:
    tokens = verifier(source)
    with contextlib.suppress(NotRecognizedError):  # with a sentence, or without
        assert tokens.check(text) is None
    assert tokens.known(text) is None
    assert tokens.check(token({})) is not None


def test_keys_that_cannot_be_had_stop_the_start_but_not_a_running_registry(source: Source) -> None:
    tokens = verifier(source, refresh_seconds=50)
    source.answer = OSError("no route")
    source.time += 60
    assert tokens.check(token({})) is not None
    assert source.asked == 2
    with pytest.raises(WorkerError, match=r"oauthbearer\.jwks\.endpoint\.url=keys: no route"):
        verifier(source)
