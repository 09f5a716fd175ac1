"""The HTTP server's bounds, tried over real connections: what a client may send, and how long it may take."""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from penstock.http.asgi import App, ClientDisconnect, Receive, Scope, Send, read_body, send_answer
from penstock.http.limits import HttpLimits
from penstock.http.listeners import Listener, bind
from penstock.http.server import HttpServer, Served

LIMITS = HttpLimits(
    max_body=100_000, max_body_key="x.max.size", max_connections=20, max_connections_key="x.max.connections", timeout=30
)
HOST = b"Host: localhost\r\n"


class Echo:
    """Answers with the path and the length of the body; ``/unread`` without reading it, ``/slow`` when told to."""

    def __init__(self) -> None:
        self.disconnected = threading.Event()
        self.go_on = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        if scope["path"] != "/unread":
            try:
                body = await read_body(receive, 10**9, ValueError)
            except ClientDisconnect:
                self.disconnected.set()
                return
        if scope["path"] == "/large":
            await send_answer(send, 200, [], b"x" * 50_000_000)
        await send_answer(send, 200, [], json.dumps([scope["path"], len(body)]).encode())


Serve = Callable[..., int]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def serve(echo: Echo) -> Iterator[Serve]:
    """``serve(limits)``: the port of a server that is stopped when the test ends."""
    servers: list[HttpServer] = []

    def make(limits: HttpLimits = LIMITS, app: App | None = None) -> int:
        listener, bound = bind(Listener("http", "127.0.0.1", 0), "Cannot listen", "listeners")
        server = HttpServer("test", [Served(app or echo, bound)], limits)
        servers.append(server)
        server.start()
        return listener.port

    yield make
    for server in servers:
        server.stop()


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 20)
        self._data = b""

    def send(self, data: bytes) -> bool:
        """Return False if the server has closed its side."""
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers, body."""
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, rest = self._data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers["content-length"])
        while len(rest) < length:
            self._more()
            rest = self._data.partition(b"\r\n\r\n")[2]
        self._data = rest[length:]
        return int(first.split(" ")[1]), headers, rest[:length]

    def refusal(self) -> tuple[int, str]:
        """Status and sentence of the next answer, which is the connection's last."""
        status, headers, body = self.answer()
        assert headers["connection"] == "close"
        told = json.loads(body)
        assert told["error_code"] == status
        return status, told["message"]

    def is_closed(self) -> bool:
        """Whether the server closes without another byte."""
        try:
            return self._data == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        received = self.sock.recv(65536)
        if not received:
            raise EOFError(self._data)
        self._data += received


@pytest.fixture
def connect(serve: Serve) -> Iterator[Callable[[int], Client]]:
    clients: list[Client] = []

    def make(port: int) -> Client:
        client = Client(port)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.sock.close()


Connect = Callable[[int], Client]


def post(path: bytes, body: bytes, more: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\n%scontent-length: %d\r\n%s\r\n%s" % (path, HOST, len(body), more, body)


def get(path: bytes = b"/", more: bytes = b"") -> bytes:
    return b"GET %s HTTP/1.1\r\n%s%s\r\n" % (path, HOST, more)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = b"POST %s HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n"


def test_requests_within_the_bounds_are_answered_on_one_connection(serve: Serve, connect: Connect) -> None:
    client = connect(serve())
    client.send(post(b"/a", b"x" * 100_000))
    assert client.answer()[2] == b'["/a", 100000]'
    client.send(CHUNKED % b"/b" + chunk(b"x" * 50_000) * 2 + b"0\r\nTrailer: 1\r\n\r\n")
    assert client.answer()[2] == b'["/b", 100000]'
    client.send(get(b"/c", b"A: 1\r\n" * 100))
    assert client.answer()[2] == b'["/c", 0]'


def test_an_announced_body_over_the_limit_is_refused_before_it_is_read(
    serve: Serve, connect: Connect, echo: Echo
) -> None:
    for path in (b"/a", b"/unread"):
        client = connect(serve())
        client.send(b"POST %s HTTP/1.1\r\n%scontent-length: 100001\r\nexpect: 100-continue\r\n\r\n" % (path, HOST))
        assert client.refusal() == (413, "The request is larger than x.max.size=100000 bytes")
    assert not echo.disconnected.is_set(), "the application never heard of it"


def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large(serve: Serve, connect: Connect, echo: Echo) -> None:
    client = connect(serve())
    client.send(CHUNKED % b"/a")
    for _ in range(300):  # 30 MB; the server answers and closes long before
        if not client.send(chunk(b"x" * 100_000)):
            break
    assert client.refusal()[0] == 413
    assert echo.disconnected.wait(10), "the application is told that there will be no whole body"


@pytest.mark.parametrize(
    "flood", [b"1;" + b"e" * 1000 + b"\r\nx\r\n", b"0\r\n" + b"T: 1\r\n" * 1000], ids=["chunk extensions", "trailers"]
)
def test_what_stands_beside_a_chunked_body_is_bounded_too(serve: Serve, connect: Connect, flood: bytes) -> None:
    client = connect(serve())
    client.send(CHUNKED % b"/a" + flood)
    flood = flood.removeprefix(b"0\r\n")
    for _ in range(2000):
        if not client.send(flood):
            break
    assert client.refusal()[0] == 413


def test_a_body_that_is_not_read_does_not_keep_a_connection_for_ever(serve: Serve, connect: Connect) -> None:
    client = connect(serve())
    client.send(CHUNKED % b"/unread")
    assert client.answer()[0] == 200
    for _ in range(300):
        if not client.send(chunk(b"x" * 100_000)):
            break
    else:
        pytest.fail("30 MB were taken after the answer")


def test_small_bodies_together_are_bounded(serve: Serve, connect: Connect) -> None:
    port = serve()
    holding = [connect(port) for _ in range(6)]
    answers = []
    for client in holding:
        client.send(b"POST /a HTTP/1.1\r\n%scontent-length: 100000\r\n\r\n" % HOST + b"x" * 90_000)
        client.sock.settimeout(0.2)  # until the server has it, or refuses
        with suppress(TimeoutError):
            answers.append(client.refusal())
    assert answers
    assert set(answers) == {(503, "Requests of more than 400000 bytes are at work together; try again")}
    for client in holding[:4]:
        client.sock.settimeout(20)
        client.send(b"x" * 10_000)
        assert client.answer()[0] == 200
    again = connect(port)
    again.send(post(b"/a", b"x" * 100_000))
    assert again.answer()[0] == 200


@pytest.mark.parametrize(
    ("head", "status", "words"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "longer than 16384 bytes"),
        (b"GET /?q=" + b"a" * 10_000_000, 414, "longer than 16384 bytes"),
        (get(more=b"A: " + b"b" * 70_000 + b"\r\n"), 431, "larger than 65536 bytes"),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 10_000_000, 431, "larger than 65536 bytes"),
        (get(more=b"A: b\r\n" * 201), 431, "more than 200 headers"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000, 431, "headers"),
        (b"\r\n" * 100_000 + b"GET", 431, "larger"),
        (b"garbage\r\n\r\n", 400, "no HTTP request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "no HTTP request"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400, "no HTTP request"),
        (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "target"),
        (b"GET http://[::/ HTTP/1.1\r\n" + HOST + b"\r\n", 400, "target"),
        (post(b"/", b"x", HOST), 400, "more than one Host"),
        (b"POST / HTTP/1.1\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n", 400, "no HTTP request"),
        (b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", 400, "no HTTP request"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, "no HTTP request"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
def test_a_head_that_is_too_large_or_no_http_is_refused_with_a_sentence(
    serve: Serve, connect: Connect, head: bytes, status: int, words: str
) -> None:
    client = connect(serve())
    client.send(head)
    found, sentence = client.refusal()
    assert (found, words in sentence) == (status, True), sentence


def test_slow_heads_and_bodies_and_silent_connections_end(serve: Serve, connect: Connect) -> None:
    port = serve(HttpLimits(timeout=0.3))
    silent, head, body, dripping = (connect(port) for _ in range(4))
    head.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    body.send(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc")
    dripping.send(b"POST / HTTP/1.1\r\ncontent-length: 10000\r\n\r\n")
    while dripping.send(b"x"):
        dripping.sock.settimeout(0.05)
        try:
            status, sentence = dripping.refusal()
            break
        except TimeoutError:
            continue
    assert status == 408
    assert "did not come" in sentence
    assert head.refusal() == (408, "The request's head did not come within 0.3 s")
    assert body.refusal()[0] == 408
    assert silent.is_closed()


def test_a_client_that_does_not_read_its_answer_is_cut_off(serve: Serve, connect: Connect) -> None:
    client = connect(serve(HttpLimits(timeout=0.3)))
    client.send(get(b"/large"))
    client.sock.recv(1)
    threading.Event().wait(1.5)
    received = 0
    with suppress(ConnectionResetError):
        while data := client.sock.recv(1 << 20):
            received += len(data)
    assert received < 50_000_000


def test_at_the_limit_the_connection_that_waits_longest_makes_room(serve: Serve, connect: Connect) -> None:
    port = serve()
    half_open = [connect(port) for _ in range(200)]
    for client in half_open:
        client.send(b"GET / HTTP/1.1\r\n")
    asking = connect(port)
    asking.send(get(b"/health"))
    assert asking.answer()[2] == b'["/health", 0]'
    assert sum(client.is_closed() for client in half_open[:100]) == 100


def test_with_a_request_at_work_on_each_connection_a_further_one_is_told_to_come_again(
    serve: Serve, connect: Connect
) -> None:
    port = serve()
    working = [connect(port) for _ in range(20)]
    for client in working:
        client.send(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc")
    one_more = connect(port)
    deadline = time.monotonic() + 10
    while True:
        one_more.sock.settimeout(0.1)
        try:
            status, sentence = one_more.refusal()
            break
        except (TimeoutError, EOFError, ConnectionResetError):  # not all had been read when it came
            one_more = connect(port)
            assert time.monotonic() < deadline
    assert (status, "x.max.connections=20" in sentence) == (503, True)
    working[0].send(b"x" * 7)
    assert working[0].answer()[0] == 200


def test_requests_sent_ahead_are_answered_in_order_and_bounded(serve: Serve, connect: Connect) -> None:
    port = serve()
    client = connect(port)
    client.send(b"".join(get(b"/%d" % number) for number in range(20)))
    assert [json.loads(client.answer()[2])[0] for _ in range(20)] == [f"/{number}" for number in range(20)]
    client.send(post(b"/a", b"x" * 99_000) + get(b"/b"))
    assert (client.answer()[2], client.answer()[2]) == (b'["/a", 99000]', b'["/b", 0]')
    flooding = connect(port)
    for _ in range(100):
        if not flooding.send(get() * 1000):
            break
    answered = 0
    with suppress(EOFError, ConnectionResetError):
        while flooding.answer()[0] == 200:
            answered += 1
    assert 0 < answered < 50_000


def test_a_client_that_leaves_with_answers_outstanding_is_no_error(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    came, ended = threading.Semaphore(0), threading.Semaphore(0)
    gates = {path: threading.Event() for path in ("/1", "/2", "/3", "/other")}

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        came.release()
        while not gates[scope["path"]].is_set():
            await asyncio.sleep(0.01)
        try:
            await send_answer(send, 200, [], b"{}")
        finally:
            ended.release()

    def ask(path: str) -> bytes:
        return b"GET %s HTTP/1.1\r\n" % path.encode() + HOST + b"\r\n"

    port = serve(app=slow)
    client = connect(port)
    client.send(ask("/1") + ask("/2") + ask("/3"))
    assert came.acquire(timeout=20)
    gates["/1"].set()
    assert client.answer()[0] == 200
    assert came.acquire(timeout=20)  # the second is at work, the third has come
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()  # a reset
    other = connect(port)
    for _ in range(3):  # the loop has seen the reset by the last of these
        gates["/other"].set()
        other.send(ask("/other"))
        assert other.answer()[0] == 200
    for gate in gates.values():
        gate.set()
    for _ in range(5):  # the first, three others, and the second
        assert ended.acquire(timeout=20)
    other.send(ask("/other"))
    assert other.answer()[0] == 200
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def test_an_answer_at_work_is_not_spoilt_by_garbage_behind_its_request(serve: Serve, connect: Connect) -> None:
    client = connect(serve())
    client.send(get(b"/a") + b"garbage\r\n\r\n")
    assert client.answer()[2] == b'["/a", 0]'
    assert client.is_closed()


def test_a_client_that_would_rather_speak_another_protocol_is_served_all_the_same(
    serve: Serve, connect: Connect
) -> None:
    client = connect(serve())
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    client.send(get(b"/a", upgrade))
    assert client.answer()[2] == b'["/a", 0]'
    client.send(post(b"/b", b"x" * 1000, upgrade))
    assert client.answer()[2] == b'["/b", 1000]'
    client.send((CHUNKED % b"/c").replace(b"\r\n\r\n", b"\r\n" + upgrade + b"\r\n") + chunk(b"abc") + b"0\r\n\r\n")
    assert client.answer()[2] == b'["/c", 3]'


def test_half_a_body_is_never_taken_for_a_whole_one(serve: Serve, connect: Connect, echo: Echo) -> None:
    client = connect(serve())
    client.send(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc")
    client.sock.close()
    assert echo.disconnected.wait(10)


def test_forwarded_headers_in_the_environment_change_nothing(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["scheme"], scope["client"][0]))
        await send_answer(send, 200, [], b"")

    client = connect(serve(app=app))
    client.send(get(more=b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 6.6.6.6\r\n"))
    client.answer()
    assert seen == [("http", "127.0.0.1")]


def test_an_answer_on_a_kept_connection_does_not_wait_for_an_acknowledgement(serve: Serve) -> None:
    """Without TCP_NODELAY each one takes 44 ms, some 300 times as long as a bare server's."""

    def bare(bound: socket.socket) -> None:
        served, _ = bound.accept()
        served.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with closing(served):
            while served.recv(65536):
                served.sendall(b"HTTP/1.1 200 OK\r\n")
                served.sendall(b"content-length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as bound:
        threading.Thread(target=bare, args=(bound,), daemon=True).start()
        least = _median_seconds(bound.getsockname()[1])
    assert _median_seconds(serve()) < 20 * least


def _median_seconds(port: int) -> float:
    with closing(socket.create_connection(("127.0.0.1", port), 20)) as sock:
        client = Client.__new__(Client)
        client.sock, client._data = sock, b""
        times = []
        for _ in range(60):
            began = time.perf_counter()
            client.send(get())
            client.answer()
            times.append(time.perf_counter() - began)
        return statistics.median(times)
