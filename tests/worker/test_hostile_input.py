"""A worker and a registry in one process, under hundreds of hostile requests: both answer for their health meanwhile, no
request meets an error of ours, and the memory comes back."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from lab.hostile import Hostile, hostile_requests

#: Bytes.
MEMORY = 50 * 1024 * 1024
JSON = {"Content-Type": "application/json"}


class Process:
    """``penstock dev``: broker, registry, worker and REST in one."""

    def __init__(self, folder: Path) -> None:
        self.rest, self.registry = _free_port(), _free_port()
        command = [
            str(Path(sys.executable).parent / "penstock"),
            "dev",
            "--rest-port",
            str(self.rest),
            "--registry-port",
            str(self.registry),
        ]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def health(self) -> Iterator[str]:
        yield f"http://127.0.0.1:{self.rest}/health"
        yield f"http://127.0.0.1:{self.registry}/health"

    def await_ready(self) -> None:
        deadline = time.monotonic() + 90
        for url in self.health():
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(url).status_code == 200:
                        break
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.1)

    def memory(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def use(self) -> None:
        """Use what hostile requests will use, so that what is loaded once counts from the start."""
        for body in (
            {"schema": '"int"'}, {"schema": '{"type":"string","pattern":"a"}', "schemaType": "JSON"},
            {"schema": 'syntax = "proto3"; message A { int32 a = 1; }', "schemaType": "PROTOBUF"},
        ):  # fmt: skip
            kind = body.get("schemaType", "AVRO")
            httpx.post(f"http://127.0.0.1:{self.registry}/subjects/use-{kind}/versions", json=body).raise_for_status()
        config = {
            "connector.class": "FileStreamSink",
            "name": "x",
            "topics": "t",
            "transforms": "a",
            "transforms.a.type": "RegexRouter",
        }
        for name in ("FileStreamSink", "MockSource"):
            changed = config | {"connector.class": name}
            httpx.put(
                f"http://127.0.0.1:{self.rest}/connector-plugins/{name}/config/validate", json=changed
            ).raise_for_status()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


class Watch:
    """Asks for health again and again, and beside it a bare server in this process, which shows what the machine is busy with."""

    def __init__(self, process: Process) -> None:
        self.slowest = self.slowest_bare = 0.0
        self.wrong: list[object] = []
        self.asked = 0
        self._process = process
        self._end = threading.Event()
        self._bare = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)
        self._bare.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                served, _ = self._bare.accept()
                with served:
                    served.recv(65536)
                    served.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    def _run(self) -> None:
        client = httpx.Client(verify=False, trust_env=False, timeout=60, headers={"Connection": "close"})
        while not self._end.wait(0.02):
            self.slowest_bare = max(
                self.slowest_bare, self._ask(client, f"http://127.0.0.1:{self._bare.getsockname()[1]}/")
            )
            for url in self._process.health():
                self.slowest = max(self.slowest, self._ask(client, url))
            self.asked += 1

    def _ask(self, client: httpx.Client, url: str) -> float:
        began = time.monotonic()
        try:
            status = client.get(url).status_code
            if status != 200:
                self.wrong.append((url, status))
        except httpx.HTTPError as error:
            self.wrong.append((url, error))
        return time.monotonic() - began


def play(port: int, hostile: Hostile, kept: list[socket.socket]) -> str:
    """Send one; return the first line of the answer, empty if there is none."""
    sock = socket.create_connection(("127.0.0.1", port), 30)
    with contextlib.suppress(OSError):
        for piece in hostile.pieces:
            sock.sendall(piece)
    answer = b""
    sock.settimeout(0.2 if hostile.unfinished else 60)
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        answer = sock.recv(65536)
    if hostile.unfinished and not answer:
        kept.append(sock)
    else:
        sock.close()
    return answer.partition(b"\r\n")[0].decode("latin-1")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    try:
        process.await_ready()
        yield process
    finally:
        process.stop()


def test_hostile_requests_cost_nobody_else_anything(
    running: Process, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    running.use()
    before = running.memory()
    kept: list[socket.socket] = []
    wrong = []
    with Watch(running) as watch:
        rounds = 20 if soak else 1
        for seed in range(rounds):
            for registry, port in ((False, running.rest), (True, running.registry)):
                for hostile in hostile_requests(seed, 100, registry):
                    line = play(port, hostile, kept)
                    status = int(line.split(" ")[1]) if line else 0
                    if status >= 500 and status != 503:
                        wrong.append((hostile.kind, line, hostile.pieces[0][-500:]))
        for _ in range(500):  # half-open connections beside the rest
            kept.append(socket.create_connection(("127.0.0.1", running.rest), 30))
    for sock in kept:
        sock.close()
    assert wrong == []
    assert watch.wrong == []
    assert watch.asked > 10
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others may leave this process a part of a core only
    assert watch.slowest < busy + 5 * watch.slowest_bare, "seconds for GET /health"
    deadline = time.monotonic() + 30
    while (grown := running.memory() - before) > MEMORY and time.monotonic() < deadline:
        time.sleep(0.5)
    record_property(
        "hostile", {"asked": watch.asked, "slowest": watch.slowest, "bare": watch.slowest_bare, "grown": grown}
    )
    assert grown < MEMORY
    said = running.log.read_text()
    assert "Traceback" not in said, said[said.index("Traceback") - 500 :][:3000]
