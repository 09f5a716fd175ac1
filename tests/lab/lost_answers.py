"""A way to a server on which the answer to one request is lost: the server has done it, and the client's connection ends."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["LostAnswers"]


class LostAnswers:
    """Passes bytes between clients and a server on 127.0.0.1. After `lose`, the answer to the next request that holds the
    given bytes is swallowed, and the connection cut. A context manager; threads of its own, safe from any thread."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._awaited: bytes | None = None
        self._lock = threading.Lock()
        #: How many answers were lost.
        self.lost = 0

    def __enter__(self) -> LostAnswers:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def lose(self, request: bytes) -> None:
        """Lose the answer to the next request that holds `request`."""
        with self._lock:
            self._awaited = request

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                cut = threading.Event()
                for source, target, asks in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=(source, target, asks, cut), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, asks: bool, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if asks and self._is_awaited(data):
                    cut.set()
                elif not asks and cut.is_set():
                    self.lost += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _is_awaited(self, data: bytes) -> bool:
        with self._lock:
            if self._awaited is None or self._awaited not in data:
                return False
            self._awaited = None
            return True
