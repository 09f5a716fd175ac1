"""What REST does to be cheap: answers made once per change, and a share of the interpreter it keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send

from penstock.herder.interface import Herder
from penstock.http.pace import Pace
from penstock.rest.prepared import Prepared


class Revisions:
    """All of a herder that `Prepared` asks."""

    def __init__(self) -> None:
        self.now: Hashable | None = 1

    def revision(self) -> Hashable | None:
        return self.now


class App:
    """Counts how often it is asked, and answers with the number."""

    def __init__(self) -> None:
        self.asked, self.status, self.during = 0, 200, cast("Callable[[], None]", lambda: None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        number = self.asked
        await asyncio.sleep(0)
        self.during()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"%d" % number})


async def get(app: Any, path: str, query: bytes = b"", method: str = "GET") -> tuple[int, bytes]:
    seen: list[Message] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"].append((b"x-added", b"by what is wrapped around"))
            assert len(message["headers"]) == 2
        seen.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": method, "path": path, "query_string": query}
    await app(scope, receive, send)
    return seen[0]["status"], seen[1]["body"]


@pytest.fixture
def herder() -> Revisions:
    return Revisions()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def prepared(app: App, herder: Revisions) -> Prepared:
    return Prepared(app, cast("Herder", herder))


@pytest.mark.parametrize(
    "path", ["/connectors", "/connectors/a%2Fb", "/connectors/c/status", "/connectors/c/config", "/connectors/c/tasks",
             "/connectors/c/tasks/0", "/connectors/c/tasks/0/status"],
)  # fmt: skip
def test_an_answer_is_made_once_until_something_changes(
    path: str, app: App, prepared: Prepared, herder: Revisions
) -> None:
    async def scenario() -> None:
        assert [await get(prepared, path) for _ in range(3)] == [(200, b"1")] * 3
        assert await get(prepared, path, b"expand=status") == (200, b"2")
        herder.now = 2
        assert await get(prepared, path) == (200, b"3")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/connectors/c/health"), ("GET", "/connectors/c/offsets"), ("GET", "/connectors/c/pause"),
     ("GET", "/connectors/c/tasks/0/restart"), ("GET", "/cluster"), ("POST", "/connectors"), ("PUT", "/connectors/c")],
)  # fmt: skip
def test_what_shows_more_or_does_something_is_asked_each_time(
    method: str, path: str, app: App, prepared: Prepared
) -> None:
    async def scenario() -> None:
        assert [await get(prepared, path, method=method) for _ in range(2)] == [(200, b"1"), (200, b"2")]

    asyncio.run(scenario())


def test_health_in_a_list_is_asked_each_time_for_it_counts_restarts(app: App, prepared: Prepared) -> None:
    async def scenario() -> None:
        answers = [await get(prepared, "/connectors", b"expand=status&expand=health") for _ in range(2)]
        assert answers == [(200, b"1"), (200, b"2")]

    asyncio.run(scenario())


def test_queries_that_mean_nothing_share_an_answer_or_have_none_kept(app: App, prepared: Prepared) -> None:
    async def scenario() -> None:
        for number in range(5):
            assert await get(prepared, "/connectors", b"x=%d&expand=none" % number) == (200, b"1")
            assert await get(prepared, "/connectors", b"expand=info&expand=status&x=%d" % number) == (200, b"2")
        assert [await get(prepared, "/connectors/c", b"x=1") for _ in range(2)] == [(200, b"3"), (200, b"4")]

    asyncio.run(scenario())


def test_what_is_kept_is_bounded_with_its_keys(prepared: Prepared) -> None:
    async def scenario() -> int:
        for number in range(3000):
            await get(prepared, f"/connectors/{number}{'%41' * 5000}")
        return sum(len(key[0]) for key in prepared._answers)

    assert asyncio.run(scenario()) < 16 * 1024 * 1024


def test_nothing_is_kept_while_the_herder_cannot_say_and_no_error_ever(
    app: App, prepared: Prepared, herder: Revisions
) -> None:
    async def scenario() -> None:
        herder.now = None
        assert [await get(prepared, "/connectors") for _ in range(2)] == [(200, b"1"), (200, b"2")]
        herder.now, app.status = 1, 404
        assert [await get(prepared, "/connectors/c") for _ in range(2)] == [(404, b"3"), (404, b"4")]

    asyncio.run(scenario())


def test_an_answer_made_while_something_changed_is_not_taken_for_a_new_one(
    app: App, prepared: Prepared, herder: Revisions
) -> None:
    async def scenario() -> None:
        app.during = lambda: setattr(herder, "now", 2)
        assert await get(prepared, "/connectors") == (200, b"1")
        app.during = lambda: None
        assert await get(prepared, "/connectors") == (200, b"2")

    asyncio.run(scenario())


def test_those_who_ask_at_the_same_time_share_one_answer(app: App, prepared: Prepared) -> None:
    async def scenario() -> None:
        answers = await asyncio.gather(*(get(prepared, "/connectors") for _ in range(16)))
        assert set(answers) == {(200, b"1")}

    asyncio.run(scenario())


def test_one_who_waited_for_an_answer_that_failed_makes_its_own(app: App, prepared: Prepared) -> None:
    def fail_once() -> None:
        app.during = lambda: None
        raise RuntimeError("broken")

    async def scenario() -> None:
        app.during = fail_once
        first, *others = await asyncio.gather(*(get(prepared, "/connectors") for _ in range(3)), return_exceptions=True)
        assert isinstance(first, RuntimeError)
        assert others == [(200, b"2")] * 2

    asyncio.run(scenario())


class Clocks:
    def __init__(self) -> None:
        self.time = self.own = self.all = 0.0

    def pace(self) -> Pace:
        return Pace(App(), lambda: self.time, lambda: self.own, lambda: self.all)

    def go(self, seconds: float, own: float, tasks: float) -> None:
        """Time passes, in which REST and the tasks use so much CPU a second."""
        self.time += seconds
        self.own += seconds * own
        self.all += seconds * (own + tasks)


def test_an_idle_worker_lets_nobody_wait() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    for _ in range(100):
        assert pace.wait() == 0
        clocks.go(0.1, own=1.0, tasks=0.05)


def test_beside_busy_tasks_rest_keeps_to_its_share() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    pace.wait()
    for _ in range(2000):  # each request costs a millisecond, and the next comes at once
        clocks.go(0.001, own=1.0, tasks=0.0)
        clocks.go(pace.wait(), own=0.0, tasks=1.0)
        clocks.go(0.001, own=0.0, tasks=1.0)
    assert 0.05 < clocks.own / clocks.time < 0.09


def test_on_a_machine_with_other_work_too_it_is_a_share_of_what_the_tasks_get() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    pace.wait()
    for _ in range(4000):
        clocks.go(0.004, own=0.25, tasks=0.25)
        clocks.go(pace.wait(), own=0.0, tasks=0.25)
        clocks.go(0.001, own=0.0, tasks=0.25)
    assert clocks.own < 0.15 * (clocks.all - clocks.own)


def test_one_request_now_and_then_does_not_wait_beside_busy_tasks() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    for _ in range(20):
        assert pace.wait() == 0
        clocks.go(0.02, own=1.0, tasks=0.0)
        clocks.go(1.0, own=0.0, tasks=1.0)


def test_no_request_waits_longer_than_its_client_would() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    pace.wait()
    clocks.go(1.0, own=0.0, tasks=1.0)
    pace.wait()
    clocks.go(30.0, own=1.0, tasks=1.0)
    assert pace.wait() == 2.0


def test_writes_and_health_never_wait() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    pace.wait = lambda: 3600.0  # type: ignore[method-assign]  # whoever asks sleeps for an hour

    async def scenario() -> None:
        async with asyncio.timeout(10):
            assert await get(pace, "/health") == (200, b"1")
            assert await get(pace, "/connectors/c/pause", method="PUT") == (200, b"2")

    asyncio.run(scenario())
