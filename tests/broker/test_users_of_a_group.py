"""Two workers of one group that ask who their callers are, on a real broker: the follower sends requests on for the caller,
and the workers' own requests to each other need no user."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from lab.rest_users import Tokens, basic, users_file
from lab.worker_group import WorkerGroup
from lab.worker_process import WorkerProcess

MOCK = {"connector.class": "MockSource"}
#: The roles that the first worker knows, and those that the second knows: of one user they know different things, so that
#: it shows who judged.
USERS = {"admin": "admin", "editor": "edit@orders-*", "operator": "operate", "reader": "read"}
FIRST = {**USERS, "changed": "read", "other": "edit"}
SECOND = {**USERS, "changed": "edit", "other": "read"}


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
def workers(
    kafka: str, group: Callable[..., WorkerGroup], tmp_path: Path, tokens: Tokens
) -> tuple[WorkerGroup, WorkerProcess, WorkerProcess]:
    """The group, its leader, and its follower."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    first, second = (str(users_file(f, users)) for f, users in zip(folders, (FIRST, SECOND), strict=True))
    made = group(
        kafka,
        f"users-{uuid4().hex[:8]}",
        authorization=basic("admin"),
        authentication_method="BASIC,BEARER",
        authentication_basic_users_file=first,
        oauthbearer_jwks_endpoint_url=f"file:{tokens.keys}",
        exactly_once_source_support="enabled",
    )
    made.start(1, {"authentication.basic.users.file": second}).wait_ready()
    made.until("both are there", lambda: made.settled(2))
    leader = made.leader()
    return made, made.workers[leader], made.workers[1 - leader]


def test_a_follower_sends_requests_on_as_their_callers(
    workers: tuple[WorkerGroup, WorkerProcess, WorkerProcess], tokens: Tokens
) -> None:
    made, leader, follower = workers
    bearer = "Bearer " + tokens.token("pipeline", ["edit@orders-*", "unheard-of"])
    reading = "Bearer " + tokens.token("auditor", ["read"])

    def put(worker: WorkerProcess, name: str, authorization: str) -> tuple[int, str]:
        code, answer = worker.call("PUT", f"/connectors/{name}/config", MOCK, authorization=authorization)
        return code, answer.get("message", "")

    for worker in (leader, follower):
        assert put(worker, "orders-a", "") == (401, "User cannot access the resource.")
        assert put(worker, "orders-a", "Bearer " + tokens.token("late", ["admin"], exp=1))[0] == 401
        assert put(worker, "orders-a", basic("editor", "wrong"))[0] == 401
        assert put(worker, "orders-a", reading) == (403, "User auditor needs the role edit for connector orders-a")
        assert put(worker, "billing-a", bearer) == (403, "User pipeline needs the role edit for connector billing-a")
    assert put(follower, "orders-a", bearer)[0] == 201
    assert put(follower, "orders-b", basic("editor"))[0] == 201
    assert put(leader, "orders-c", bearer)[0] == 201
    # Which of these users the follower lets through, and the leader does not.
    follower_lets = basic("changed" if made.leader() == 0 else "other")
    assert put(follower, "orders-d", follower_lets)[0] == 403
    follower_refuses = basic("other" if made.leader() == 0 else "changed")
    assert put(follower, "orders-d", follower_refuses)[0] == 403
    assert put(leader, "orders-d", follower_refuses)[0] == 201
    names = ["orders-a", "orders-b", "orders-c", "orders-d"]
    # Task configurations and requests to fence go from worker to worker, signed.
    made.until("all run", lambda: made.all_running(dict.fromkeys(names, 1)))
    assert {name for worker in _assigned(follower) for name in worker["connectors"] if not worker["leader"]}
    path = "/connectors/orders-a/restart?includeTasks=true"
    assert follower.call("POST", path, authorization=basic("reader"))[0] == 403
    assert follower.call("POST", path, authorization=basic("operator"))[0] == 202
    assert follower.call("DELETE", "/connectors/orders-a", authorization=basic("operator"))[0] == 403
    assert follower.call("DELETE", "/connectors/orders-a", authorization=bearer)[0] == 204
    assert follower.call("DELETE", "/connectors/orders-d", authorization=bearer)[0] == 204
    made.until("the others run on", lambda: made.all_running({"orders-b": 1, "orders-c": 1}))


def _assigned(worker: WorkerProcess) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = worker.call("GET", "/cluster")[1]["group"]["workers"]
    return found


def test_nobody_gets_in_by_the_workers_own_paths(workers: tuple[WorkerGroup, WorkerProcess, WorkerProcess]) -> None:
    made, leader, follower = workers
    made.create(0, "orders-a", MOCK)
    made.until("it runs", lambda: made.all_running({"orders-a": 1}))
    internal = (("POST", "/connectors/orders-a/tasks", []), ("PUT", "/connectors/orders-a/fence", None))
    for worker in (leader, follower):
        for method, path, body in internal:
            assert worker.call(method, path, body, authorization="")[0] == 401
            assert worker.call(method, path, body, authorization=basic("reader"))[0] == 403
            assert worker.call(method, path, body, authorization=basic("admin"))[0] == 400  # it has no signature
            assert _signed_wrongly(worker, method, path) == 401
        for path in ("/", "/cluster", "/health", "/metrics", "/connectors", "/admin/loggers", "/nowhere"):
            assert worker.call("GET", path, authorization="")[0] == 401
    assert made.all_running({"orders-a": 1})


def _signed_wrongly(worker: WorkerProcess, method: str, path: str) -> int:
    headers = {
        "Content-Type": "application/json",
        "X-Connect-Authorization": "c2lnbmVk",
        "X-Connect-Request-Signature-Algorithm": "HmacSHA256",
    }
    request = urllib.request.Request(worker.rest + path, b"[]", headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
