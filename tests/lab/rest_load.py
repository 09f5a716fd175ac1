"""Clients that ask a REST API without pause, as a dozen dashboards would: for a test and a benchmark."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["RestLoad"]


@dataclass
class RestLoad:
    """`clients` connections for `seconds`, each asking one of `paths` after the other; a thread each in this process."""

    base: str
    paths: Sequence[str]
    clients: int
    seconds: float
    answers: int = 0
    errors: list[str] = field(default_factory=list)
    slowest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self) -> RestLoad:
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self

    def _client(self, number: int) -> None:
        parts = urlsplit(self.base)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        deadline, turn = time.monotonic() + self.seconds, number
        while (before := time.monotonic()) < deadline:
            path = self.paths[turn % len(self.paths)]
            turn += 1
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                wrong = "" if answer.status == 200 and json.loads(body) else f"{path}: {answer.status} {body[:200]!r}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                wrong = f"{path}: {error!r}"
                connection.close()
            with self._lock:
                self.answers += not wrong
                self.errors += [wrong] if wrong else []
                self.slowest = max(self.slowest, time.monotonic() - before)
        connection.close()
