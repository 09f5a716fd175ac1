"""Connectors start anew when a looked-up value runs out (KIP-297, ``config.action.reload``)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from penstock.herder.boundary import HerderWorker
from penstock.herder.configs import ConfigReader, ConnectorEntry
from penstock.herder.thread import HerderThread
from penstock.logs import log_failure

__all__ = ["Reloads"]

_log: Final = logging.getLogger(__name__)
#: Seconds; a provider that says 0 would keep a connector starting.
_SOONEST: Final = 0.1


class Reloads:
    """Waits for looked-up values to run out. For the herder's thread, except `watch`.

    `restart` starts anew what runs here of a connector; the worker then looks its values up again, and `watch` is
    called again.
    """

    def __init__(
        self,
        worker: HerderWorker,
        configs: ConfigReader,
        thread: HerderThread,
        restart: Callable[[str, ConnectorEntry], object],
    ) -> None:
        self._worker, self._configs, self._thread, self._restart = worker, configs, thread, restart
        self._waiting: dict[str, int] = {}

    def watch(self, name: str) -> None:
        """Note that the connector or one of its tasks starts here. From any thread."""
        self._thread.submit(lambda: self._watch(name))

    def _watch(self, name: str) -> None:
        entry = self._configs.get(name)
        if entry is None or self._waiting.get(name) == entry.revision:
            return
        if entry.config.get("config.action.reload", "restart").strip().lower() != "restart":
            return
        try:
            seconds = self._worker.config_lifetime(entry.config)
        except Exception as error:  # a provider is a plugin, and may raise anything
            log_failure(
                _log, error, "[%s|worker] its config providers do not answer: %s", name, error, level=logging.WARNING
            )
            return
        if seconds is not None:
            self._waiting[name] = entry.revision
            self._thread.submit(lambda: self._over(name, entry.revision), max(seconds, _SOONEST))

    def _over(self, name: str, revision: int) -> None:
        if self._waiting.get(name) != revision:
            return  # configured anew meanwhile, and watched anew
        del self._waiting[name]
        entry = self._configs.get(name)
        if entry is not None and entry.revision == revision:
            _log.info("[%s|worker] values that were looked up have run out; starting anew", name)
            self._restart(name, entry)
