"""Who may do what over REST: a table of endpoints and roles, on real sockets over a fake worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from lab.fake_worker import standalone_over_fakes
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.herder.standalone import StandaloneHerder
from penstock.plugins import Plugins
from penstock.rest.access import WorkerRole, need_of, parse_worker_grants
from penstock.rest.app import _RESOURCES
from penstock.rest.loggers import router as loggers_router
from penstock.rest.server import RestServer

MOCK = "org.apache.kafka.connect.tools.MockSourceConnector"
JSON = "org.apache.kafka.connect.json.JsonConverter"
PASSWORD = "correct horse"
#: Each user's roles. `stranger` has a role for another connector alone, `nobody` none at all.
USERS = {
    "reader": "read", "operator": "operate", "editor": "edit", "admin": "admin",
    "team": "edit@orders-*", "stranger": "admin@billing", "beginner": "read@orders-*,operate@orders-a",
}  # fmt: skip
C = "/connectors/orders-a"
#: Method, path, body, and the role that the request needs.
ENDPOINTS: list[tuple[str, str, Any, WorkerRole]] = [
    ("GET", "/", None, WorkerRole.READ),
    ("GET", "/health", None, WorkerRole.READ),
    ("GET", "/openapi.json", None, WorkerRole.READ),
    ("GET", "/cluster", None, WorkerRole.READ),
    ("GET", "/metrics", None, WorkerRole.READ),
    ("GET", "/connectors", None, WorkerRole.READ),
    ("POST", "/connectors", {"name": "orders-new", "config": {"connector.class": "none.such"}}, WorkerRole.EDIT),
    ("GET", C, None, WorkerRole.READ),
    ("PUT", C, {"connector.class": "none.such"}, WorkerRole.EDIT),
    ("DELETE", "/connectors/orders-gone", None, WorkerRole.EDIT),
    ("GET", f"{C}/config", None, WorkerRole.READ),
    ("PUT", f"{C}/config", {"connector.class": "none.such"}, WorkerRole.EDIT),
    ("PATCH", f"{C}/config", {"connector.class": "none.such"}, WorkerRole.EDIT),
    ("GET", f"{C}/status", None, WorkerRole.READ),
    ("GET", f"{C}/health", None, WorkerRole.READ),
    ("PUT", f"{C}/pause", None, WorkerRole.OPERATE),
    ("GET", f"{C}/pause", None, WorkerRole.OPERATE),
    ("PUT", f"{C}/resume", None, WorkerRole.OPERATE),
    ("GET", f"{C}/resume", None, WorkerRole.OPERATE),
    ("PUT", "/connectors/orders-gone/stop", None, WorkerRole.OPERATE),
    ("POST", f"{C}/restart", None, WorkerRole.OPERATE),
    ("GET", f"{C}/tasks", None, WorkerRole.READ),
    ("GET", f"{C}/tasks-config", None, WorkerRole.READ),
    ("GET", f"{C}/tasks/0", None, WorkerRole.READ),
    ("GET", f"{C}/tasks/0/status", None, WorkerRole.READ),
    ("PUT", f"{C}/tasks/0/status", {"state": "RUNNING"}, WorkerRole.OPERATE),
    ("POST", f"{C}/tasks/7/restart", None, WorkerRole.OPERATE),
    ("GET", f"{C}/tasks/7/restart", None, WorkerRole.OPERATE),
    ("GET", f"{C}/topics", None, WorkerRole.READ),
    ("PUT", f"{C}/topics/reset", None, WorkerRole.OPERATE),
    ("GET", f"{C}/offsets", None, WorkerRole.READ),
    ("PATCH", f"{C}/offsets", {"offsets": []}, WorkerRole.EDIT),
    ("DELETE", f"{C}/offsets", None, WorkerRole.EDIT),
    ("GET", "/connector-plugins", None, WorkerRole.READ),
    ("GET", "/connector-plugins/JsonConverter/config", None, WorkerRole.READ),
    ("PUT", "/connector-plugins/MockSource/config/validate", {"connector.class": "none.such"}, WorkerRole.EDIT),
    ("GET", "/admin/loggers", None, WorkerRole.READ),
    ("GET", "/admin/loggers/root", None, WorkerRole.READ),
    ("PUT", "/admin/loggers/penstock.none", {"level": "INFO"}, WorkerRole.ADMIN),
]
#: One for all: each would read the certificates of authorities anew.
CLIENT = httpx.Client(timeout=60)
#: Requests between workers: these are signed, and have no user.
INTERNAL = {("POST", "/connectors/{name}/tasks"), ("PUT", "/connectors/{name}/fence")}
ROLE_OF = {
    "reader": WorkerRole.READ,
    "operator": WorkerRole.OPERATE,
    "editor": WorkerRole.EDIT,
    "admin": WorkerRole.ADMIN,
}


@pytest.fixture(scope="module")
def herder() -> Iterator[StandaloneHerder]:
    defaults = {"key.converter": JSON, "value.converter": JSON}
    made = standalone_over_fakes(Plugins.discover(), worker_defaults=defaults).herder
    made.start()
    for name in ("orders-a", "billing"):
        made.put_connector_config(name, {"name": name, "connector.class": MOCK})
    yield made
    made.stop()


def config(users: Path | None, **settings: str) -> WorkerConfig:
    base = {
        "bootstrap.servers": "none:9092", "key.converter": JSON, "value.converter": JSON,
        "listeners": "http://127.0.0.1:0", "offset.storage.file.filename": "unused",
    }  # fmt: skip
    if users is not None:
        base["authentication.basic.users.file"] = str(users)
    return WorkerConfig.parse({**base, **settings}, "standalone")


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("users") / "users"
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    file.write_text("".join(f"{name}:{hashed}:{roles}\n" for name, roles in USERS.items()))
    return file


@pytest.fixture(scope="module")
def rest(herder: StandaloneHerder, users: Path) -> Iterator[str]:
    server = RestServer(config(users, **{"authentication.method": "BASIC"}))
    server.start(herder)
    yield server.advertised.url.rstrip("/")
    server.stop()


def ask(rest: str, method: str, path: str, body: Any = None, user: str | None = None, **more: Any) -> httpx.Response:
    auth = None if user is None else (user, PASSWORD)
    return CLIENT.request(method, rest + path, json=body, auth=auth, **more)


@pytest.mark.parametrize("user", ROLE_OF)
@pytest.mark.parametrize(("method", "path", "body", "role"), ENDPOINTS, ids=[f"{e[0]} {e[1]}" for e in ENDPOINTS])
def test_an_endpoint_answers_those_who_have_its_role(
    rest: str, method: str, path: str, body: Any, role: WorkerRole, user: str
) -> None:
    answer = ask(rest, method, path, body, user)
    if ROLE_OF[user] >= role:
        assert answer.status_code not in (401, 403), answer.text
    else:
        assert answer.status_code == 403
        assert f"User {user} needs the role {role.name.lower()} for " in answer.json()["message"]


@pytest.mark.parametrize(("method", "path", "body", "role"), ENDPOINTS, ids=[f"{e[0]} {e[1]}" for e in ENDPOINTS])
def test_nobody_without_a_known_user_learns_more_than_that(
    rest: str, method: str, path: str, body: Any, role: WorkerRole
) -> None:
    for auth in (None, ("admin", "wrong")):
        refused_without_a_word(CLIENT.request(method, rest + path, json=body, auth=auth))


def refused_without_a_word(answer: httpx.Response) -> None:
    known = {"error_code": 401, "message": "User cannot access the resource."}
    assert (answer.status_code, answer.json()) == (401, known)
    assert answer.headers["www-authenticate"] == 'Basic realm="connect"'


def test_a_user_nobody_knows_and_a_header_nobody_can_read_are_refused_alike(rest: str) -> None:
    refused_without_a_word(CLIENT.get(f"{rest}{C}", auth=("unheard-of", PASSWORD)))
    for header in ("Bearer x", "Basic !!!", "Basic Og==", "x" * 20000):
        refused_without_a_word(CLIENT.get(f"{rest}{C}", headers={"Authorization": header}))


def test_every_route_stands_in_the_table() -> None:
    named = {(method, path.replace(C, "/connectors/{name}")) for method, path, _, _ in ENDPOINTS}
    for router in (*_RESOURCES, loggers_router):
        for route in router.routes:
            for method in route.methods:  # type: ignore[attr-defined]  # all are routes of ours
                if (method, route.path) in INTERNAL:  # type: ignore[attr-defined]  # as above
                    continue
                template = route.path.replace("{task}", "0")  # type: ignore[attr-defined]  # as above
                assert any(m == method and _same(p, template) for m, p in named), (method, template)


def _same(path: str, template: str) -> bool:
    parts, wanted = path.split("/"), template.split("/")
    return len(parts) == len(wanted) and all(w in (p, "{name}", "0") for p, w in zip(parts, wanted, strict=True))


def test_a_role_for_some_connectors_reaches_these_alone(rest: str) -> None:
    assert ask(rest, "GET", "/connectors", user="team").json() == ["orders-a"]
    assert ask(rest, "GET", "/connectors", user="stranger").json() == ["billing"]
    assert list(ask(rest, "GET", "/connectors?expand=info", user="team").json()) == ["orders-a"]
    assert sorted(ask(rest, "GET", "/connectors", user="reader").json()) == ["billing", "orders-a"]
    assert ask(rest, "GET", "/connectors", user="team").json() == ["orders-a"]  # whatever was prepared for another
    refused = ask(rest, "GET", "/connectors/billing/config", user="team")
    assert refused.status_code == 403
    assert refused.json()["message"] == "User team needs the role read for connector billing"
    for path in ("/metrics", "/cluster", "/admin/loggers"):
        answer = ask(rest, "GET", path, user="team")
        assert answer.status_code == 403
        assert "this worker and all its connectors" in answer.json()["message"]
    body = {"name": "other", "config": {"connector.class": MOCK}}
    created = ask(rest, "POST", "/connectors", body, "team")
    assert (created.status_code, created.json()["message"]) == (
        403,
        "User team needs the role edit for connector other",
    )
    assert "other" not in ask(rest, "GET", "/connectors", user="reader").json()
    assert ask(rest, "PUT", "/connectors/orders-a/pause", user="beginner").status_code == 202
    assert ask(rest, "PUT", "/connectors/orders-a/resume", user="beginner").status_code == 202
    assert ask(rest, "DELETE", "/connectors/orders-a", user="beginner").status_code == 403


@pytest.mark.parametrize(
    "path", ["/connectors/billing%2F..%2Forders-a", "/connectors//billing", "/connectors/%62illing/config"]
)
def test_no_spelling_of_a_path_gets_around_the_roles(rest: str, path: str) -> None:
    assert ask(rest, "DELETE", path, user="team").status_code == 403
    assert ask(rest, "GET", path, user="team").status_code == 403
    assert ask(rest, "HEAD", path, user="team").status_code == 403


def test_requests_between_workers_need_no_user_but_their_signature(rest: str) -> None:
    for method, path in (("POST", f"{C}/tasks"), ("PUT", f"{C}/fence")):
        assert ask(rest, method, path, []).status_code not in (200, 204, 401)


def test_paths_that_are_named_are_open(herder: StandaloneHerder, users: Path) -> None:
    server = RestServer(config(users, **{"authentication.method": "BASIC", "authentication.skip.paths": "/health"}))
    server.start(herder)
    try:
        url = server.advertised.url.rstrip("/")
        assert ask(url, "GET", "/health").status_code == 200
        assert ask(url, "GET", "/healthy").status_code == 401
    finally:
        server.stop()


def test_admin_listeners_ask_for_the_same_users(herder: StandaloneHerder, users: Path) -> None:
    settings = {"authentication.method": "BASIC", "admin.listeners": "http://127.0.0.1:0"}
    server = RestServer(config(users, **settings))
    server.start(herder)
    try:
        url = f"http://127.0.0.1:{server.admin_listeners[0].port}"
        level = {"level": "INFO"}
        assert ask(url, "GET", "/admin/loggers").status_code == 401
        assert ask(url, "PUT", "/admin/loggers/penstock.none", level, "editor").status_code == 403
        assert ask(url, "PUT", "/admin/loggers/penstock.none", level, "admin").status_code == 200
        assert ask(server.advertised.url.rstrip("/"), "GET", "/admin/loggers", user="admin").status_code == 404
    finally:
        server.stop()


@pytest.mark.parametrize(
    "name",
    [
        "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
        "BasicAuthSecurityRestExtension",
    ],
)
def test_kafkas_own_extension_asks_for_users(herder: StandaloneHerder, users: Path, name: str) -> None:
    server = RestServer(config(users, **{"rest.extension.classes": name}))
    server.start(herder)
    try:
        url = server.advertised.url.rstrip("/")
        assert ask(url, "GET", "/").status_code == 401
        assert ask(url, "GET", "/", user="reader").status_code == 200
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rest.extension.classes": "com.acme.Extension"}, "Java REST extensions cannot be loaded"),
        ({"rest.extension.classes": "BasicAuthSecurityRestExtension"}, "needs authentication.basic.users.file"),
        ({"authentication.method": "DIGEST"}, "expected NONE, BASIC, BEARER"),
    ],
)
def test_what_would_leave_the_worker_open_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RestServer(config(None, **settings))


def test_users_of_a_group_need_signed_requests_between_its_workers(users: Path) -> None:
    props = {
        "bootstrap.servers": "none:9092", "group.id": "g", "key.converter": JSON, "value.converter": JSON,
        "config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
        "listeners": "http://127.0.0.1:0", "connect.protocol": "compatible",
        "authentication.method": "BASIC", "authentication.basic.users.file": str(users),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"needs connect\.protocol=sessioned"):
        RestServer(WorkerConfig.parse(props, "distributed"))


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("", "a", True), ("*", "a", True), ("orders", "orders", True), ("orders", "orders-a", False),
        ("orders-*", "orders-", True), ("orders-*", "order", False), ("*-eu", "x-eu", True), ("a*b*c", "a1b2c", True),
        ("a*b*c", "abc", True), ("a*b*c", "acb", False), ("ab*ba", "aba", False), ("a.c", "abc", False),
    ],
)  # fmt: skip
def test_a_pattern_covers_the_names_that_fit_it(pattern: str, name: str, fits: bool) -> None:
    (grant,) = parse_worker_grants([f"read@{pattern}" if pattern else "read"])
    assert grant.covers(name) is fits
    assert grant.covers(None) is (pattern in ("", "*"))


def test_a_role_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no role is called 'owner'; expected read, operate, edit or admin"):
        parse_worker_grants(["owner@a"])


def test_a_path_that_is_not_known_needs_the_most_for_a_change() -> None:
    assert need_of("PUT", ["something", "new"]).role is WorkerRole.ADMIN
    assert need_of("DELETE", ["connectors", "c", "new"]).role is WorkerRole.EDIT
