"""Users, their roles and the settings for them, on real sockets over a fake worker. The table of endpoints and roles
stands in `test_endpoint_roles`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.fake_worker import standalone_over_fakes
from lab.rest_users import PASSWORD, users_file
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.herder.distributed.signatures import SIGNED_OF_CLUSTER, check, sign
from penstock.herder.interface import InternalHerder, RequestSignature, RequestTargetError
from penstock.herder.standalone import StandaloneHerder
from penstock.plugins import Plugins
from penstock.rest.access import WorkerRole, need_of, parse_worker_grants
from penstock.rest.server import RestServer
from penstock.storage.config_records import SessionKey

MOCK = "org.apache.kafka.connect.tools.MockSourceConnector"
JSON = "org.apache.kafka.connect.json.JsonConverter"
#: Each user's roles. `stranger` has a role for another connector alone, `nobody` none at all.
USERS = {
    "reader": "read", "operator": "operate", "editor": "edit", "admin": "admin",
    "team": "edit@orders-*", "stranger": "admin@billing", "beginner": "read@orders-*,operate@orders-a",
}  # fmt: skip
C = "/connectors/orders-a"
#: One for all: each would read the certificates of authorities anew.
CLIENT = httpx.Client(timeout=60)
KEY = SessionKey(b"k" * 32, "HmacSHA256", 0)


class InGroup(InternalHerder):
    """A standalone herder that takes signed requests as one of a group does, and sends changes of connectors to `leader`."""

    def __init__(self, inner: StandaloneHerder) -> None:
        self.leader: str | None = None
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def check_signature(self, signature: RequestSignature | None) -> None:
        check(signature, KEY, ["HmacSHA256"])

    def put_task_configs(
        self, name: str, configs: Sequence[Mapping[str, str]], signature: RequestSignature | None
    ) -> None:
        self.check_signature(signature)

    def fence_zombies(self, name: str, signature: RequestSignature | None) -> None:
        self.check_signature(signature)

    def put_connector_config(self, name: str, *arguments: Any, **named: Any) -> Any:
        if self.leader is not None:
            raise RequestTargetError("not the leader", self.leader)
        return self._inner.put_connector_config(name, *arguments, **named)


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
    return users_file(tmp_path_factory.mktemp("users"), USERS)


@pytest.fixture(scope="module")
def rest(herder: StandaloneHerder, users: Path) -> Iterator[str]:
    server = RestServer(config(users, **{"authentication.method": "BASIC"}))
    server.start(herder)
    yield server.advertised.url.rstrip("/")
    server.stop()


def ask(rest: str, method: str, path: str, body: Any = None, user: str | None = None, **more: Any) -> httpx.Response:
    auth = None if user is None else (user, PASSWORD)
    return CLIENT.request(method, rest + path, json=body, auth=auth, **more)


def refused_without_a_word(answer: httpx.Response) -> None:
    known = {"error_code": 401, "message": "User cannot access the resource."}
    assert (answer.status_code, answer.json()) == (401, known)
    assert answer.headers["www-authenticate"] == 'Basic realm="connect"'


def test_a_user_nobody_knows_and_a_header_nobody_can_read_are_refused_alike(rest: str) -> None:
    refused_without_a_word(CLIENT.get(f"{rest}{C}", auth=("unheard-of", PASSWORD)))
    for header in ("Bearer x", "Basic !!!", "Basic Og==", "x" * 20000):
        refused_without_a_word(CLIENT.get(f"{rest}{C}", headers={"Authorization": header}))


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


@pytest.fixture
def group(herder: StandaloneHerder, users: Path) -> Iterator[Callable[..., tuple[str, InGroup]]]:
    """Workers that take signed requests: ``group(users file)`` gives the URL of one, and its herder."""
    servers: list[RestServer] = []

    def make(file: Path = users) -> tuple[str, InGroup]:
        inner = InGroup(herder)
        server = RestServer(config(file, **{"authentication.method": "BASIC"}))
        servers.append(server)
        server.start(inner)  # type: ignore[arg-type]  # it hands everything else to a herder
        return server.advertised.url.rstrip("/"), inner

    yield make
    for server in servers:
        server.stop()


INTERNAL = (("POST", f"{C}/tasks", b"[]"), ("PUT", f"{C}/fence", b""))


@pytest.mark.parametrize(("method", "path", "body"), INTERNAL)
def test_a_signed_request_of_another_worker_needs_no_user(
    group: Callable[..., tuple[str, InGroup]], method: str, path: str, body: bytes
) -> None:
    url, _ = group()
    kind = {"Content-Type": "application/json"}
    right = CLIENT.request(method, url + path, content=body, headers=kind | sign(KEY.key, KEY.algorithm, body))
    assert right.status_code == 204


@pytest.mark.parametrize(("method", "path", "body"), INTERNAL)
def test_a_wrong_signature_is_a_strangers(
    group: Callable[..., tuple[str, InGroup]], caplog: pytest.LogCaptureFixture, method: str, path: str, body: bytes
) -> None:
    url, _ = group()
    right = sign(KEY.key, KEY.algorithm, body)
    (name, algorithm) = right
    wrong = (
        (sign(b"x" * 32, KEY.algorithm, body), "invalid signature"),
        (right | {algorithm: "HmacSHA1"}, "does not support the 'HmacSHA1'"),
        (right | {algorithm: "none"}, "MAC algorithm not available"),
        (right | {name: "!"}, "is not Base64"),
        ({name: right[name]}, "missing required signature"),
    )
    for headers, reason in wrong:
        caplog.clear()
        with caplog.at_level("INFO", "penstock.rest.internal"):
            kind = {"Content-Type": "application/json"}
            refused_without_a_word(CLIENT.request(method, url + path, content=body, headers=kind | headers))
        assert reason in caplog.text


def test_a_follower_asks_its_leader_how_the_group_is_with_a_signature_of_that_alone(
    group: Callable[..., tuple[str, InGroup]],
) -> None:
    url, _ = group()
    right = sign(KEY.key, KEY.algorithm, SIGNED_OF_CLUSTER)
    assert CLIENT.get(f"{url}/cluster", headers=right).json()["mode"] == "standalone"
    of_a_fence = sign(KEY.key, KEY.algorithm, b"")
    refused_without_a_word(CLIENT.get(f"{url}/cluster", headers=of_a_fence))
    refused_without_a_word(CLIENT.put(f"{url}{C}/fence", headers=right))
    refused_without_a_word(CLIENT.get(f"{url}/metrics", headers=right))
    assert CLIENT.get(f"{url}/cluster", headers=of_a_fence, auth=("reader", PASSWORD)).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), INTERNAL)
def test_such_a_request_without_a_signature_is_anybodys(
    group: Callable[..., tuple[str, InGroup]], method: str, path: str, body: bytes
) -> None:
    url, _ = group()
    kind = {"Content-Type": "application/json"}
    refused_without_a_word(CLIENT.request(method, url + path, content=body, headers=kind))
    for user, status in (("reader", 403), ("operator", 403), ("admin", 400)):
        answer = CLIENT.request(method, url + path, content=body, headers=kind, auth=(user, PASSWORD))
        assert answer.status_code == status, answer.text


def test_a_signature_opens_no_other_path(group: Callable[..., tuple[str, InGroup]]) -> None:
    url, _ = group()
    signed = {"Content-Type": "application/json", **sign(KEY.key, KEY.algorithm, b"{}")}
    for method, path in (("PUT", C), ("PUT", f"{C}/config"), ("POST", "/connectors"), ("POST", f"{C}/tasks/0/restart")):
        refused_without_a_word(CLIENT.request(method, url + path, content=b"{}", headers=signed))


def test_both_workers_judge_a_request_that_is_sent_on(
    group: Callable[..., tuple[str, InGroup]], tmp_path: Path
) -> None:
    """The workers disagree about their users here, as no group should: so it shows who said what."""
    leader, _ = group(users_file(tmp_path, {"reader": "read", "editor": "read"}))
    follower, herder = group()
    herder.leader = f"{leader}/"
    asked = f"{C}/config"
    low = ask(follower, "PUT", asked, {"connector.class": MOCK}, "reader")
    assert (low.status_code, low.json()["message"]) == (403, "User reader needs the role edit for connector orders-a")
    there = ask(follower, "PUT", asked, {"connector.class": MOCK}, "editor")
    assert (there.status_code, there.json()["message"]) == (
        403,
        "User editor needs the role edit for connector orders-a",
    )
    refused_without_a_word(ask(follower, "PUT", asked, {"connector.class": MOCK}, "admin"))  # the leader knows no admin


def test_a_new_connectors_location_names_no_host_that_a_stranger_made_up(
    group: Callable[..., tuple[str, InGroup]], herder: StandaloneHerder
) -> None:
    leader, _ = group()
    follower, inner = group()
    inner.leader = f"{leader}/"
    body = {"name": "orders-sent-on", "config": {"connector.class": MOCK}}
    try:
        made = ask(follower, "POST", "/connectors", body, "editor", headers={"Host": "evil.example"})
        assert (made.status_code, made.headers["location"]) == (201, f"{follower}/connectors/orders-sent-on")
    finally:
        herder.delete_connector("orders-sent-on")


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
