"""The workers of one machine that one command started (``--workers N``): where each answers, and the metrics of all."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from penstock.errors import ConnectError
from penstock.herder.forwarding import WorkerClient

__all__ = ["Siblings", "worker_of"]

_log: Final = logging.getLogger(__name__)
#: Seconds, well within the ten that Prometheus waits by default.
_PATIENCE: Final = 5.0


def worker_of(url: str) -> str:
    """Return the id of the worker at `url`: its ``host:port``."""
    return urlsplit(url).netloc


class Siblings:
    """Each worker writes its URL into a file of its own; the files of all stand in one folder, which is their user's alone.

    So workers find each other whatever their ports are, and a worker that comes again takes its own place. Safe from any
    thread.
    """

    def __init__(self, own_file: Path) -> None:
        self._own_file = own_file

    def announce(self, url: str) -> None:
        """Let the others know that this worker answers at `url`."""
        aside = self._own_file.with_suffix(".new")
        aside.write_text(url, encoding="utf-8")
        os.replace(aside, self._own_file)

    def urls(self) -> list[str]:
        """Return the URLs of the other workers that have ever answered, those that are down now too."""
        files = sorted(self._own_file.parent.glob("[0-9]*"), key=lambda file: file.name)
        return [file.read_text(encoding="utf-8") for file in files if file.suffix == "" and file != self._own_file]

    def metrics(self, client: WorkerClient, headers: Mapping[str, str]) -> dict[str, str | None]:
        """Return what the other workers answer to ``GET /metrics`` by their ids, None for one that does not answer.

        `headers` go with each request: whoever may see this worker's metrics may see theirs.
        """
        urls = self.urls()
        if not urls:
            return {}
        with ThreadPoolExecutor(len(urls), "siblings") as threads:
            texts = threads.map(lambda url: _metrics_at(client, url, headers), urls)
            return {worker_of(url): text for url, text in zip(urls, texts, strict=True)}


def _metrics_at(client: WorkerClient, url: str, headers: Mapping[str, str]) -> str | None:
    try:
        answer = client.request("GET", url, "/metrics", None, headers, _PATIENCE)
    except ConnectError as error:
        _log.debug("No metrics of the worker at %s: %s", url, error)
        return None
    if answer.status != 200:
        _log.warning("The worker at %s answers GET /metrics with %d: %s", url, answer.status, answer.message)
        return None
    return answer.body.decode("utf-8", "replace")
