"""Every endpoint of a worker's REST API against every role: who gets which status, on real sockets over a fake worker.

The list of endpoints comes from the API's own description, so that a new one needs a row here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.fake_worker import FakeWorker, standalone_over_fakes
from lab.patience import PATIENCE_S
from lab.rest_endpoints import INTERNAL, MOCK, TABLE, Row
from lab.rest_users import PASSWORD, users_file
from penstock.config.worker import WorkerConfig
from penstock.herder.standalone import Standalone
from penstock.plugins import Plugins
from penstock.rest.access import WorkerRole
from penstock.rest.server import RestServer

JSON = "org.apache.kafka.connect.json.JsonConverter"
#: A user for each role; the outsider has the highest, for connectors that the table does not ask for.
USERS = {"reader": "read", "operator": "operate", "editor": "edit", "admin": "admin", "outsider": "admin@billing-*"}
ROLES = {user: WorkerRole[role.upper()] for user, role in USERS.items() if "@" not in role}
#: One for all: each would read the certificates of authorities anew.
CLIENT = httpx.Client(timeout=60)


each_row = pytest.mark.parametrize("row", TABLE, ids=str)


class World:
    """A worker with users and two connectors."""

    def __init__(self, folder: Path, **settings: str) -> None:
        defaults = {"key.converter": JSON, "value.converter": JSON}
        self._made: Standalone[FakeWorker] = standalone_over_fakes(Plugins.discover(), worker_defaults=defaults)
        self.herder = self._made.herder
        self.herder.start()
        for name in ("orders-a", "orders-b", "billing-a"):
            self.herder.put_connector_config(name, {"name": name, "connector.class": MOCK})
        props = {
            "bootstrap.servers": "none:9092", **defaults, "listeners": "http://127.0.0.1:0",
            "offset.storage.file.filename": "unused", "authentication.method": "BASIC",
            "authentication.basic.users.file": str(users_file(folder, USERS)), **settings,
        }  # fmt: skip
        self.server = RestServer(WorkerConfig.parse(props, "standalone"))
        self.server.start(self.herder)
        self.url = self.server.advertised.url.rstrip("/")
        self._await_tasks()

    def _await_tasks(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        names = self.herder.connectors()
        while not all(self.ask("GET", f"/connectors/{name}/tasks/0/status", "admin").is_success for name in names):
            assert time.monotonic() < deadline, "a connector has no task"
            time.sleep(0.01)

    def ask(self, method: str, path: str, user: str | None, body: Any = None, **headers: str) -> httpx.Response:
        auth = None if user is None else (user, PASSWORD)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return CLIENT.request(method, self.url + path, json=body, auth=auth, headers=named)

    def state(self) -> object:
        """Everything that a request could change."""
        infos = [(self.herder.connector_info(n), self.herder.connector_status(n)) for n in self.herder.connectors()]
        loggers = self.herder.loggers().items()
        levels = {name: level.level for name, level in loggers if level.last_modified is not None}
        return list(self._made.worker.calls), self.herder.revision(), infos, levels

    def close(self) -> None:
        self.server.stop()
        self.herder.stop()


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A worker whose state no test of this file may change; it is looked at after each."""
    world = World(tmp_path_factory.mktemp("unchanged"))
    yield world
    world.close()


@pytest.fixture
def quiet(unchanged: World) -> Iterator[World]:
    before = unchanged.state()
    yield unchanged
    assert unchanged.state() == before


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("changed"))
    yield world
    world.close()


def test_every_endpoint_of_the_description_has_its_row(quiet: World) -> None:
    described = quiet.ask("GET", "/openapi.json", "admin").json()["paths"]
    there = {(method.upper(), path) for path, operations in described.items() for method in operations}
    rows = [(row.method, row.template) for row in TABLE]
    assert len(rows) == len(set(rows))
    assert set(rows) == there | INTERNAL


@each_row
@pytest.mark.parametrize("method", [None, "HEAD", "OPTIONS", "TRACE", "PROPFIND"])
def test_nobody_learns_more_than_that_they_are_not_known(quiet: World, row: Row, method: str | None) -> None:
    requests: list[dict[str, Any]] = [
        {},
        {"headers": {"Origin": "http://evil.example"}},
        {"headers": {"Content-Type": "text/plain", "Accept": "image/png"}},
    ]
    if method is None:
        requests += [{"auth": ("admin", "wrong")}, {"auth": ("unheard-of", PASSWORD)}]
    for request in requests:
        answer = CLIENT.request(method or row.method, quiet.url + row.url, **request)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Basic realm="connect"'
        if method != "HEAD":
            assert answer.json() == {"error_code": 401, "message": "User cannot access the resource."}
        own = {"date", "server", "content-length", "content-type", "www-authenticate", "connection"}
        assert set(answer.headers) <= own


@each_row
@pytest.mark.parametrize("user", ROLES)
def test_a_role_that_is_too_low_is_told_the_one_that_is_needed(quiet: World, row: Row, user: str) -> None:
    if ROLES[user] < row.role:
        answer = quiet.ask(row.method, row.url, user, row.body)
        said = answer.json()["message"]
        assert (answer.status_code, f"needs the role {row.role.name.lower()} for " in said) == (403, True), said


@each_row
def test_a_role_for_other_connectors_does_not_reach_these(quiet: World, row: Row) -> None:
    answer = quiet.ask(row.method, row.url, "outsider", row.body)
    assert answer.status_code == row.outsider, answer.text
    if answer.status_code == 403:
        assert f"User outsider needs the role {row.role.name.lower()} for " in answer.json()["message"]
    else:
        assert "orders" not in answer.text


GETS = tuple(row for row in TABLE if row.method == "GET")


@pytest.mark.parametrize("row", GETS, ids=str)
def test_a_get_changes_nothing_but_where_the_table_of_actions_has_it(quiet: World, row: Row) -> None:
    if row.changes:
        for headers in ({"Origin": quiet.url}, {"Referer": quiet.url}, {"Sec-Fetch-Site": "same-origin"}):
            answer = CLIENT.get(quiet.url + row.url, auth=("admin", PASSWORD), headers=headers)
            assert answer.status_code == 405, "a browser asked"
        assert quiet.ask("HEAD", row.url, "admin").status_code == 405
    else:
        assert quiet.ask("GET", row.url, "admin").status_code == row.status
        assert quiet.ask("HEAD", row.url, "admin").status_code == row.status
    assert quiet.ask("OPTIONS", row.url, "admin").status_code == 200


def test_actions_by_get_can_be_switched_off(tmp_path: Path) -> None:
    world = World(tmp_path, **{"rest.get.actions": "false"})
    try:
        before = world.state()
        for row in GETS:
            assert world.ask("GET", row.url, "admin").status_code == (405 if row.changes else row.status), str(row)
        assert world.state() == before
    finally:
        world.close()


@each_row
@pytest.mark.parametrize("user", ROLES)
def test_whoever_has_the_role_gets_the_answer(changed: World, row: Row, user: str) -> None:
    if ROLES[user] >= row.role:
        answer = changed.ask(row.method, row.url, user, row.body)
        assert answer.status_code == row.status, answer.text


# --- what is wrapped around the endpoints ---------------------------------------------------------------------------

PAGE = "http://ui.example"


def served(folder: Path, **settings: str) -> World:
    return World(folder, **{key.replace("_", "."): value for key, value in settings.items()})


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[list[World]]:
    """Those that a test makes; they are closed after it."""
    made: list[World] = []
    yield made
    for world in made:
        world.close()


def header(answer: httpx.Response, name: str) -> Sequence[str]:
    return [part.strip() for part in answer.headers.get(name, "").split(",") if part.strip()]


def test_a_page_of_an_allowed_origin_works_with_the_users_of_the_worker(worlds: list[World], tmp_path: Path) -> None:
    world = served(tmp_path, access_control_allow_origin=PAGE, access_control_allow_methods="GET,PUT")
    worlds.append(world)
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    # A browser asks before it sends anything, and never says who its user is.
    preflight = CLIENT.options(f"{world.url}/connectors/orders-b/pause", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert set(header(preflight, "access-control-allow-methods")) == {"GET", "PUT"}
    assert "authorization" in [name.lower() for name in header(preflight, "access-control-allow-headers")]
    own = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}
    done = CLIENT.put(f"{world.url}/connectors/orders-b/pause", headers=own, auth=("operator", PASSWORD))
    assert (done.status_code, done.headers["access-control-allow-origin"]) == (202, PAGE)
    for auth, status in ((None, 401), (("reader", PASSWORD), 403)):
        refused = CLIENT.put(f"{world.url}/connectors/orders-b/pause", headers=own, auth=auth)
        # The page can read why.
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (status, PAGE)
    other = asked | {"Access-Control-Request-Method": "DELETE"}
    assert CLIENT.options(f"{world.url}/connectors/orders-b", headers=other).status_code == 400


def test_a_page_of_another_origin_reads_and_changes_nothing(worlds: list[World], tmp_path: Path) -> None:
    world = served(tmp_path, access_control_allow_origin=PAGE, access_control_allow_methods="GET,PUT")
    worlds.append(world)
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    before = world.state()
    preflight = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    answers = [
        CLIENT.options(f"{world.url}/connectors/orders-b/pause", headers=foreign | preflight),
        CLIENT.put(f"{world.url}/connectors/orders-b/pause", headers=foreign, auth=("admin", PASSWORD)),
        CLIENT.get(f"{world.url}/connectors", headers=foreign, auth=("admin", PASSWORD)),
    ]
    assert [answer.status_code for answer in answers] == [400, 403, 200]
    for answer in answers:
        assert "access-control-allow-origin" not in answer.headers
    assert world.state() == before


def test_the_configured_headers_stand_in_every_answer_whoever_asks(worlds: list[World], tmp_path: Path) -> None:
    rules = 'add X-Content-Type-Options: nosniff,"set Cache-Control: no-cache, no-store"'
    world = served(tmp_path, response_http_headers_config=rules, access_control_allow_origin=PAGE)
    worlds.append(world)
    preflight = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    answers = [
        (200, CLIENT.get(f"{world.url}/connectors", auth=("admin", PASSWORD))),
        (200, CLIENT.get(f"{world.url}/connectors", auth=("admin", PASSWORD))),  # prepared by then
        (200, CLIENT.head(f"{world.url}/connectors", auth=("admin", PASSWORD))),
        (401, CLIENT.get(f"{world.url}/connectors")),
        (403, CLIENT.delete(f"{world.url}/connectors/orders-a", auth=("reader", PASSWORD))),
        (404, CLIENT.get(f"{world.url}/nowhere", auth=("admin", PASSWORD))),
        (405, CLIENT.delete(f"{world.url}/health", auth=("admin", PASSWORD))),
        (415, CLIENT.put(f"{world.url}/connectors/orders-a", content=b"{}", auth=("admin", PASSWORD))),
        (200, CLIENT.options(f"{world.url}/connectors", headers=preflight)),
    ]
    assert [answer.status_code for _, answer in answers] == [status for status, _ in answers]
    for _, answer in answers:
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert answer.headers["cache-control"] == "no-cache, no-store"


def test_admin_listeners_serve_loggers_alone_and_the_others_none(worlds: list[World], tmp_path: Path) -> None:
    rules = "set X-Served-By: penstock"
    world = served(tmp_path, admin_listeners="http://127.0.0.1:0", response_http_headers_config=rules)
    worlds.append(world)
    admin = f"http://127.0.0.1:{world.server.admin_listeners[0].port}"
    level = {"level": "INFO"}
    for row in TABLE:
        with_admin = row.template.startswith("/admin/")
        for user, url in (("admin", admin), ("admin", world.url)):
            answer = CLIENT.request(row.method, url + row.url, json=row.body, auth=(user, PASSWORD))
            here = with_admin == (url == admin)
            assert answer.status_code == (row.status if here else 404), (str(row), url, answer.text)
        nobody = CLIENT.request(row.method, admin + row.url, json=row.body)
        assert (nobody.status_code, nobody.headers["x-served-by"]) == (401, "penstock")
    for user, status in (("reader", 403), ("outsider", 403), ("admin", 200)):
        path = f"{admin}/admin/loggers/penstock.none"
        assert CLIENT.put(path, json=level, auth=(user, PASSWORD)).status_code == status


def test_no_admin_listener_means_that_nobody_sets_levels(worlds: list[World], tmp_path: Path) -> None:
    world = served(tmp_path, admin_listeners="")
    worlds.append(world)
    assert world.ask("GET", "/admin/loggers", "admin").status_code == 404
    assert world.ask("PUT", "/admin/loggers/root", "admin", {"level": "INFO"}).status_code == 404
    assert world.ask("GET", "/admin/loggers", None).status_code == 401
