"""Users, tokens, roles: who is recognised, what they may do, and what they are not shown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from penstock.access.principal import Role
from penstock_registry.server.access.rules import need_of
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


# --- with tokens -----------------------------------------------------------------------------------------------------

KEY = RSAKey.generate_key(2048, {"kid": "k1"})


def bearer(**claims: Any) -> str:
    told = {"sub": "svc", "exp": int(time.time()) + 60, **claims}
    return jwt.encode({"alg": "RS256", "kid": "k1"}, told, KEY, ["RS256"])


@pytest.fixture
def both(tmp_path: Path, users_file: Path) -> Iterator[str]:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(KeySet([KEY]).as_dict(private=False)))
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
    yield f"{service.urls[0]}/subjects"
    service.stop()


def test_tokens_and_passwords_side_by_side(both: str) -> None:
    token = bearer(scope="openid read")
    assert httpx.get(both, headers={"Authorization": f"Bearer {token}"}).json() == []
    assert httpx.get(both, auth=("root", "root!")).json() == []
    refused = httpx.get(both, headers={"Authorization": "Bearer nonsense"})
    assert refused.headers.get_list("www-authenticate") == ['Basic realm="schema-registry"', "Bearer"]


def test_a_token_that_makes_no_sense_is_a_401_with_a_sentence(both: str) -> None:
    for header, told in (
        (f"Bearer {bearer(scope=5)}", "the token's claim scope is a number; expected a list of texts"),
        (f"Bearer {'x' * 30_000}", "the Authorization header has 30007 characters; at most 16384 are read"),
    ):
        answer = httpx.get(both, headers={"Authorization": header})
        assert (answer.status_code, answer.json()["error_code"]) == (401, 401)
        assert told in answer.json()["message"]
        assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
    # Whatever the server takes of it, nobody is let in, and the next one is answered.
    assert httpx.get(both, headers={"Authorization": "Bearer " + "x" * 2_000_000}).status_code in (401, 431)
    assert httpx.get(both, auth=("root", "root!")).status_code == 200
