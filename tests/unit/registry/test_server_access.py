"""Users, tokens, roles: who is recognised, what they may do, and what they are not shown."""

from __future__ import annotations

import base64
import hmac
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from penstock.errors import ConfigError, WorkerError
from penstock_registry.server.access import Grant, Principal, Role, need_of, parse_grants
from penstock_registry.server.access.tokens import TokenSettings, TokenVerifier
from penstock_registry.server.access.users import UserFile
from penstock_registry.server.service import RegistryService

LOCAL = {"listeners": "http://127.0.0.1:0"}
USERS = {
    "root": "admin",
    "reader": "",
    "orders": "write@orders-,read@shared",
    "billing": "admin@:.billing:",
    "lead": "admin@orders-",
}


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    lines = [f"{name}:{hashed(name + '!')}" + (f":{roles}" if roles else "") for name, roles in USERS.items()]
    path.write_text("# name:hash:roles\n\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def service(users_file: Path) -> Iterator[RegistryService]:
    service = RegistryService()
    settings = {"authentication.method": "BASIC", "authentication.basic.users.file": str(users_file)}
    service.start({**LOCAL, **settings, "registry.name": "guarded", "authentication.skip.paths": "/v1/metadata/"})
    yield service
    service.stop()


class Caller:
    def __init__(self, url: str, name: str | None, password: str | None = None) -> None:
        auth = None if name is None else (name, f"{name}!" if password is None else password)
        self._client = httpx.Client(base_url=url, auth=auth)

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self._client.request(method, path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    def headers(self, path: str) -> httpx.Headers:
        return self._client.get(path).headers


@pytest.fixture
def caller(service: RegistryService) -> Callable[..., Caller]:
    return lambda name, password=None: Caller(service.urls[0], name, password)


INT, LONG = {"schema": '"int"'}, {"schema": '"long"'}
DENIED = "User is denied operation {} on {}"


def test_nobody_is_let_in_without_a_password(caller: Callable[..., Caller]) -> None:
    wanted = (401, {"error_code": 401, "message": "Unauthorized"})
    assert caller(None)("GET", "/subjects") == wanted
    assert caller("root", "wrong")("GET", "/subjects") == wanted
    assert caller("nobody", "x")("GET", "/schemas/ids/1") == wanted
    assert caller("root", "\0")("GET", "/subjects") == wanted
    headers = caller(None).headers("/subjects")
    assert headers["www-authenticate"] == 'Basic realm="schema-registry"'
    assert headers["content-type"] == "application/vnd.schemaregistry.v1+json"


def test_paths_for_machines_and_skipped_ones_are_open(caller: Callable[..., Caller]) -> None:
    assert caller(None)("GET", "/v1/metadata/version")[0] == 200
    assert caller(None)("GET", "/v1/metadatas")[0] == 401


@pytest.mark.parametrize("header", ["", "Basic", "Basic %%%", "Basic //8=", "Bearer x", "Digest x"])
def test_a_header_that_makes_no_sense_is_a_401(service: RegistryService, header: str) -> None:
    answer = httpx.get(f"{service.urls[0]}/subjects", headers={"Authorization": header})
    assert answer.status_code == 401


def test_roles_hold_for_their_prefixes(caller: Callable[..., Caller]) -> None:
    root, orders, reader = caller("root"), caller("orders"), caller("reader")
    assert root("POST", "/subjects/secret/versions", LONG)[0] == 200
    assert orders("POST", "/subjects/orders-a/versions", INT)[0] == 200
    refused = orders("POST", "/subjects/secret/versions", INT)
    assert refused == (403, {"error_code": 40301, "message": DENIED.format("Write", "Subject: secret")})
    assert orders("GET", "/subjects/secret/versions/1")[0] == 403
    assert orders("GET", "/subjects/orders-a/versions/1")[0] == 200
    assert reader("GET", "/subjects/orders-a/versions/1")[0] == 200
    assert reader("POST", "/subjects/orders-a", INT)[0] == 200
    assert reader("POST", "/compatibility/subjects/orders-a/versions/latest", INT)[0] == 200
    assert reader("POST", "/subjects/orders-a/versions", INT)[0] == 403
    assert reader("PUT", "/config", {"compatibility": "NONE"}) == (
        403,
        {"error_code": 40301, "message": DENIED.format("Admin", "this server")},
    )


def test_deleting_for_good_and_settings_are_an_admins(caller: Callable[..., Caller]) -> None:
    orders, lead = caller("orders"), caller("lead")
    assert orders("POST", "/subjects/orders-a/versions", INT)[0] == 200
    assert orders("PUT", "/config/orders-a", {"compatibility": "NONE"})[0] == 403
    assert lead("PUT", "/config/orders-a", {"compatibility": "NONE"})[0] == 200
    assert orders("DELETE", "/subjects/orders-a")[0] == 200
    assert orders("DELETE", "/subjects/orders-a?permanent=TRUE")[0] == 403
    assert lead("DELETE", "/subjects/orders-a?permanent=true")[0] == 200
    assert lead("PUT", "/mode", {"mode": "READONLY"})[0] == 403
    assert lead("DELETE", "/contexts/.billing")[0] == 403


def test_what_may_not_be_read_is_not_shown(caller: Callable[..., Caller]) -> None:
    root, orders = caller("root"), caller("orders")
    assert root("POST", "/subjects/secret/versions", LONG)[1]["id"] == 1
    assert root("POST", "/subjects/orders-a/versions", INT)[1]["id"] == 2
    assert root("POST", "/subjects/another/versions", INT)[1]["id"] == 2
    assert root("POST", "/subjects/:.billing:b/versions", LONG)[0] == 200
    assert orders("GET", "/subjects?subjectPrefix=:*:")[1] == ["orders-a"]
    assert [one["subject"] for one in orders("GET", "/schemas")[1]] == ["orders-a"]
    assert orders("GET", "/schemas/ids/1") == (404, {"error_code": 40403, "message": "Schema 1 not found"})
    assert orders("GET", "/schemas/ids/1/schema")[0] == 404
    found = orders("GET", "/schemas/ids/2")[1]
    assert (found["subject"], found["schema"]) == ("orders-a", '"int"')
    assert orders("GET", "/schemas/ids/2/subjects")[1] == ["orders-a"]
    assert orders("GET", "/schemas/ids/2/versions")[1] == [{"subject": "orders-a", "version": 1}]
    guid = root("GET", "/subjects/secret/versions/1")[1]["guid"]
    assert orders("GET", f"/schemas/guids/{guid}")[0] == 404
    assert root("GET", "/schemas/ids/1")[1]["subject"] == "secret"


def test_a_plain_name_does_not_reach_into_a_closed_context(caller: Callable[..., Caller]) -> None:
    root, orders = caller("root"), caller("orders")
    assert root("POST", "/subjects/:.billing:orders-x/versions", LONG)[0] == 200
    assert root("GET", "/subjects/orders-x/versions/1")[1]["subject"] == ":.billing:orders-x"
    assert orders("GET", "/subjects/orders-x/versions/1")[1]["error_code"] == 40401
    assert orders("POST", "/subjects/orders-x", LONG)[1]["error_code"] in (40401, 40403)
    assert orders("GET", "/contexts/.billing/subjects/orders-x/versions/1")[0] == 403
    assert caller("billing")("GET", "/contexts/billing/subjects/orders-x/versions/1")[0] == 200


def test_an_alias_opens_no_door(caller: Callable[..., Caller]) -> None:
    root, lead = caller("root"), caller("lead")
    assert root("POST", "/subjects/secret/versions", LONG)[0] == 200
    assert lead("PUT", "/config/orders-door", {"alias": "secret"})[0] == 200
    assert root("GET", "/subjects/orders-door/versions/1")[1]["subject"] == "secret"
    assert lead("GET", "/subjects/orders-door/versions/1")[0] == 403
    assert lead("DELETE", "/subjects/orders-door")[0] == 403
    assert lead("POST", "/compatibility/subjects/orders-door/versions/latest", INT)[0] == 403
    assert lead("GET", "/subjects/:.:orders-door/versions/1")[0] == 403
    # What they set they may take away again.
    assert lead("DELETE", "/config/orders-door")[0] == 200
    assert lead("GET", "/subjects/orders-door/versions/1")[0] == 404


def test_only_what_may_be_read_may_be_referenced(caller: Callable[..., Caller]) -> None:
    root, orders = caller("root"), caller("orders")
    record = json.dumps({"type": "record", "name": "Secret", "fields": [{"name": "key", "type": "string"}]})
    assert root("POST", "/subjects/secret/versions", {"schema": record})[0] == 200
    body = {
        "schema": '{"type":"array","items":"Secret"}',
        "references": [{"name": "Secret", "subject": "secret", "version": 1}],
    }
    assert orders("POST", "/subjects/orders-r/versions", body)[1]["message"] == DENIED.format("Read", "Subject: secret")
    assert root("POST", "/subjects/orders-r/versions", body)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "query", "role", "subject"),
    [
        ("GET", "subjects", {}, Role.READ, None), ("GET", "", {}, Role.READ, None), ("POST", "", {}, Role.READ, None),
        ("GET", "subjects/s/versions/1", {}, Role.READ, "s"), ("POST", "subjects/s", {}, Role.READ, "s"),
        ("POST", "subjects/:.:s/versions", {}, Role.WRITE, "s"),
        ("POST", "subjects/s/versions/1/tags", {}, Role.WRITE, "s"),
        ("DELETE", "subjects/s/versions/1", {}, Role.WRITE, "s"),
        ("DELETE", "subjects/s/versions/1", {"permanent": "true"}, Role.ADMIN, "s"),
        ("POST", "compatibility/subjects/s/versions", {}, Role.READ, "s"),
        ("GET", "config", {}, Role.READ, None), ("GET", "config/s", {}, Role.READ, "s"),
        ("PUT", "mode/s", {}, Role.ADMIN, "s"), ("DELETE", "mode", {}, Role.ADMIN, None),
        ("PUT", "config/:.:", {}, Role.ADMIN, None), ("PUT", "config/:.c", {}, Role.ADMIN, ":.c:"),
        ("DELETE", "contexts/c", {}, Role.ADMIN, ":.c:"), ("POST", "unheard/of", {}, Role.ADMIN, None),
    ],
)  # fmt: skip
def test_each_request_needs_its_role(
    method: str, path: str, query: dict[str, str], role: Role, subject: str | None
) -> None:
    need = need_of(method, path.split("/"), query)
    assert (need.role, need.subject) == (role, subject)


def test_roles_include_the_lesser_ones() -> None:
    someone = Principal("p", parse_grants(["write@a", " admin@:.c:"]))
    assert someone.may(Role.READ, "ab")
    assert someone.may(Role.WRITE, "a")
    assert not someone.may(Role.ADMIN, "a")
    assert someone.may(Role.ADMIN, ":.c:x")
    assert not someone.may(Role.READ, ":.d:a")
    assert not someone.may(Role.READ, None)
    assert parse_grants(["READ"]) == (Grant(Role.READ, ""),)
    with pytest.raises(ValueError, match="no role is called 'owner'"):
        parse_grants(["owner@a"])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("alice:secret", "line 1 is not user:bcrypt"), ("alice", "line 1 is not user:bcrypt"),
        (f"alice:{hashed('x')}:king", "no role is called 'king'"), (f":{hashed('x')}", "line 1 is not user:bcrypt"),
        (f"a:{hashed('x')}\na:{hashed('x')}", "line 2: a has a line already"), ("# none", "has no users"),
    ],
)  # fmt: skip
def test_a_wrong_users_file_is_told_without_what_stands_in_it(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "users"
    path.write_text(line)
    with pytest.raises(ConfigError, match=problem) as refused:
        UserFile(path)
    assert "secret" not in str(refused.value)
    assert "$2" not in str(refused.value)


def test_a_changed_users_file_counts_at_once_and_a_broken_one_does_not(users_file: Path) -> None:
    users = UserFile(users_file)
    assert users.known("root", "root!") is None
    found = users.check("root", "root!")
    assert found is not None
    assert users.known("root", "root!") == found
    change(users_file, f"root:{hashed('other')}:read")
    assert users.known("root", "root!") is None
    assert users.check("root", "root!") is None
    assert users.check("root", "other") == Principal("root", (Grant(Role.READ),))
    change(users_file, "root:plain")
    assert users.check("root", "other") is not None
    assert users.check("reader", "reader!") is None


def change(path: Path, text: str) -> None:
    stamp = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(stamp + 10**9, stamp + 10**9))


# --- tokens ----------------------------------------------------------------------------------------------------------

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


def test_keys_that_cannot_be_had_stop_the_start_but_not_a_running_registry(source: Source) -> None:
    tokens = verifier(source, refresh_seconds=50)
    source.answer = OSError("no route")
    source.time += 60
    assert tokens.check(token({})) is not None
    assert source.asked == 2
    with pytest.raises(WorkerError, match=r"oauthbearer\.jwks\.endpoint\.url=keys: no route"):
        verifier(source)


def test_tokens_and_passwords_side_by_side(tmp_path: Path, users_file: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(keys(KEY))
    service = RegistryService()
    service.start(
        {
            **LOCAL,
            "registry.name": "both",
            "authentication.method": "BASIC,BEARER",
            "authentication.basic.users.file": str(users_file),
            "oauthbearer.jwks.endpoint.url": f"file://{file}",
            "oauthbearer.roles.claim.name": "scope",
        }
    )
    try:
        url = f"{service.urls[0]}/subjects"
        bearer = token({"scope": "openid read", "exp": int(time.time()) + 60})
        assert httpx.get(url, headers={"Authorization": f"Bearer {bearer}"}).json() == []
        assert httpx.get(url, auth=("root", "root!")).json() == []
        refused = httpx.get(url, headers={"Authorization": "Bearer nonsense"})
        assert refused.headers.get_list("www-authenticate") == ['Basic realm="schema-registry"', "Bearer"]
    finally:
        service.stop()
