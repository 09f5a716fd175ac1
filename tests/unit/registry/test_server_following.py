"""A registry among others: changes find the leader while the lead changes hands, reads find what others have answered."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from starlette.testclient import TestClient

from penstock_registry.server.errors import RegistryError
from penstock_registry.server.formats import Formats
from penstock_registry.server.http.app import make_app
from penstock_registry.server.leader.forwarding import Forwarder
from penstock_registry.server.leader.protocol import MemberIdentity
from penstock_registry.server.registry import Registry
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.store import MemoryStore, NotLeaderError

NOT_LEADER = (500, {"error_code": 50004, "message": "not me"})


class Leader(ThreadingHTTPServer):
    """Another registry: gives the answers of `script` one after the other; None closes the connection instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[tuple[int, Any] | None] = []
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Leader

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(f"{self.command} {self.path}")
        told = self.server.script.pop(0)
        if told is None:
            self.close_connection = True
            return
        body = json.dumps(told[1]).encode()
        self.send_response(told[0])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_DELETE = do_POST

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def leader() -> Iterator[Leader]:
    server = Leader()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


class Election:
    problem = "nobody leads"
    heartbeat_seconds = 0.0

    def __init__(self, leader: MemberIdentity | None = None, leads: bool = False) -> None:
        self.leader, self.leads = leader, leads

    def await_leader(self, seconds: float) -> None:
        pass


class Log:
    def __init__(self) -> None:
        self.caught_up = 0

    def catch_up(self, timeout: float) -> None:
        self.caught_up += 1


def forwarder_to(leader: Leader) -> Forwarder:
    return Forwarder(Election(MemberIdentity("127.0.0.1", leader.server_port)), Log())  # type: ignore[arg-type]  # stand-ins


def test_who_does_not_lead_any_more_has_done_nothing_and_the_next_one_is_asked(leader: Leader) -> None:
    leader.script = [NOT_LEADER, NOT_LEADER, (200, {"id": 1})]
    reply = forwarder_to(leader).forward("DELETE", "/subjects/s", [], b"")
    assert reply is not None
    assert (reply.status, json.loads(reply.body)) == (200, {"id": 1})
    assert leader.asked == ["DELETE /subjects/s"] * 3


@pytest.mark.parametrize(
    ("method", "target", "repeated"),
    [
        ("POST", "/subjects/s/versions?normalize=true", True), ("POST", "/contexts/c/subjects/a%2Fb/versions/", True),
        ("PUT", "/config", True), ("PUT", "/mode/s?force=true", True), ("DELETE", "/subjects/s", False),
        ("POST", "/subjects/s/versions/1/tags", False), ("DELETE", "/config/s", False),
    ],
)  # fmt: skip
def test_what_may_have_been_done_is_asked_for_again_only_where_twice_is_once(
    method: str, target: str, repeated: bool, leader: Leader
) -> None:
    leader.script = [None, (200, {})]
    forwarder = forwarder_to(leader)
    if repeated:
        assert forwarder.forward(method, target, [], b"{}") is not None
    else:
        with pytest.raises(RegistryError) as failed:
            forwarder.forward(method, target, [], b"{}")
        assert failed.value.code == 50003
    assert len(leader.asked) == 1 + repeated


def test_other_errors_of_the_leader_are_its_answer(leader: Leader) -> None:
    leader.script = [(500, {"error_code": 50001, "message": "disk"})]
    reply = forwarder_to(leader).forward("PUT", "/config", [], b"{}")
    assert reply is not None
    assert reply.status == 500
    assert len(leader.asked) == 1


def test_a_request_that_was_passed_on_once_is_refused_by_who_does_not_lead(leader: Leader) -> None:
    with pytest.raises(RegistryError) as refused:
        forwarder_to(leader).forward("PUT", "/config", [("X-Forward", "true")], b"{}")
    assert refused.value.code == 50004
    assert not leader.asked


# --- in front of the routes --------------------------------------------------------------------------------------------


class Group:
    """A forwarder of a registry that leads or does not; `catch_up` brings what others wrote."""

    def __init__(self, leads: bool, catch_up: Callable[[], None] = lambda: None) -> None:
        self.election = Election(leads=leads)
        self.threads = ThreadPoolExecutor(2)
        self.tries = 0
        self._catch_up = catch_up
        self.caught_up = 0

    def deadline(self) -> float:
        return 3.0

    def is_over(self, deadline: float) -> bool:
        self.tries += 1
        return self.tries > deadline

    def catch_up(self) -> None:
        self.caught_up += 1
        self._catch_up()


class LosesTheLead(MemoryStore):
    """Does not write the first `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def append(self, records: Any) -> None:
        self.left -= 1
        if self.left >= 0:
            raise NotLeaderError("lost")
        super().append(records)


def client(registry: Registry, group: Group) -> TestClient:
    app = make_app(registry, version="1", identity={}, max_request_size=10_000, forwarder=group)  # type: ignore[arg-type]  # stand-ins
    return TestClient(app)


@pytest.mark.parametrize(("times", "status"), [(0, 200), (2, 200), (9, 500)])
def test_a_lead_that_is_lost_before_the_write_costs_no_change(times: int, status: int) -> None:
    registry = Registry(LosesTheLead(times), Formats())
    registry.start()
    asked = client(registry, Group(leads=True))
    answer = asked.post("/subjects/s/versions", json={"schema": '"int"'})
    assert answer.status_code == status
    assert answer.json().get("error_code") == (None if status == 200 else 50004)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/subjects/s/versions/1", None), ("GET", "/schemas/ids/1", None), ("HEAD", "/schemas/ids/1", None),
        ("POST", "/subjects/s", {"schema": '"int"'}), ("GET", "/subjects/s/versions", None),
    ],
)  # fmt: skip
def test_what_another_registry_has_answered_is_found(method: str, path: str, body: Any) -> None:
    registry = Registry(MemoryStore(), Formats())
    registry.start()
    group = Group(leads=False, catch_up=lambda: registry.register("s", SchemaRequest('"int"')))
    asked = client(registry, group)
    assert asked.request(method, path, json=body).status_code == 200
    assert asked.request(method, path, json=body).status_code == 200
    assert group.caught_up == 1


def test_what_nobody_knows_is_not_found_after_one_look(tmp_path: Any) -> None:
    registry = Registry(MemoryStore(), Formats())
    registry.start()
    group = Group(leads=False)
    asked = client(registry, group)
    missing = asked.get("/subjects/s/versions/1")
    assert (missing.status_code, missing.json()["error_code"], group.caught_up) == (404, 40401, 1)
    assert asked.get("/nowhere").json()["error_code"] == 404
    assert asked.post("/subjects/s", content=b"x" * 20_000).json()["error_code"] == 413
    assert group.caught_up == 1, "only what may be there by now is looked for"
