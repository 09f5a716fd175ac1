"""HTTP load over keep-alive connections: ``wrk`` where it is installed, else the loop in this file.

    http_load.py URL SECONDS CONNECTIONS [BODY-FILE]     GET, or POST of the file; prints {"requests": n, "seconds": s}

A user and password in the URL go with every request.

The loop is one thread over non-blocking sockets, and costs less a request than any server in Python does.
"""

from __future__ import annotations

import base64
import json
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

#: The content type that clients of a registry send.
CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"


def generator() -> str:
    """The one that `load` uses here."""
    return "wrk" if shutil.which("wrk") else "http_load.py"


def load(url: str, seconds: float, connections: int, body: bytes | None = None) -> float:
    """Requests per second that were answered with 200; anything else ends the benchmark."""
    with tempfile.TemporaryDirectory(prefix="penstock-load-") as folder:
        if generator() == "wrk":
            return _wrk(url, seconds, connections, body, Path(folder))
        command = [sys.executable, __file__, url, str(seconds), str(connections)]
        if body is not None:
            command.append(str(Path(folder) / "body"))
            Path(command[-1]).write_bytes(body)
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
        if ran.returncode:
            raise SystemExit(f"load on {url} failed:\n{ran.stdout}{ran.stderr}")
        told = json.loads(ran.stdout)
        return float(told["requests"] / told["seconds"])


def _wrk(url: str, seconds: float, connections: int, body: bytes | None, folder: Path) -> float:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    if (user := authorization(url)) is not None:
        command += ["-H", f"Authorization: {user}"]
        url = urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()
    if body is not None:
        script = folder / "post.lua"
        script.write_text(
            f'wrk.method = "POST"\nwrk.body = {_lua(body)}\nwrk.headers["Content-Type"] = "{CONTENT_TYPE}"\n'
        )
        command += ["-s", str(script)]
    ran = subprocess.run([*command, url], capture_output=True, text=True, check=False, timeout=seconds + 60)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)
    if rate is None or "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        raise SystemExit(f"load on {url} failed:\n{ran.stdout}{ran.stderr}")
    return float(rate[1])


def _lua(data: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


# --- the loop of our own


def authorization(url: str) -> str | None:
    """The header for the user and password in `url`, if there are any."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return "Basic " + base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()


def request_bytes(url: str, body: bytes | None) -> tuple[tuple[str, int], bytes]:
    """The server's address, and a whole request for it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    host, user = f"{parts.hostname}:{parts.port or 80}", authorization(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"{'GET' if body is None else 'POST'} {target} HTTP/1.1",
        f"Host: {host}",
        *([f"Authorization: {user}"] if user else []),
    ]
    if body is not None:
        lines += [f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(body)}"]
    return (parts.hostname, parts.port or 80), "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def whole_answer(data: bytes) -> int:
    """The length of the answer at the start of `data`, 0 if it is not all there. SystemExit if it is not a 200."""
    head, found, _ = data.partition(b"\r\n\r\n")
    if not found:
        return 0
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"refused: {data[:1000].decode(errors='replace')}")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    assert length is not None
    whole = len(head) + 4 + int(length[1])
    return whole if len(data) >= whole else 0


class Connection:
    """One keep-alive connection for requests that are made beforehand: costs as little as it can beside the server."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._sock = socket.create_connection(address, 60)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> bytes:
        """The body of the answer, which must be a 200."""
        self._sock.sendall(request)
        data = b""
        while not (whole := whole_answer(data)):
            received = self._sock.recv(65536)
            if not received:
                raise SystemExit(f"the server closed the connection after {data[:200]!r}")
            data += received
        return data[:whole].partition(b"\r\n\r\n")[2]

    def close(self) -> None:
        self._sock.close()


def run(url: str, seconds: float, connections: int, body: bytes | None) -> dict[str, float]:
    address, request = request_bytes(url, body)
    answered = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            sock = socket.create_connection(address, 10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ, [sock, b""])
            sock.send(request)
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + seconds:
            for key, _ in selector.select(1):
                place = key.data
                place[1] += place[0].recv(65536)
                if whole_answer(place[1]):
                    answered += 1
                    place[1] = b""
                    place[0].send(request)
        for key in list(selector.get_map().values()):
            key.data[0].close()
    return {"requests": answered, "seconds": now - begun}


if __name__ == "__main__":
    url, seconds, connections, *body_file = sys.argv[1:]
    body = Path(body_file[0]).read_bytes() if body_file else None
    print(json.dumps(run(url, float(seconds), int(connections), body)))
