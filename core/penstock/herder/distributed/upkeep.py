"""`Upkeep`: what a worker of a group looks after every second."""

from __future__ import annotations

import logging
from typing import Final

from penstock.errors import ConnectError
from penstock.herder.boundary import HerderWorker
from penstock.herder.distributed.requests import WorkerRequests
from penstock.herder.distributed.rounds import Rounds
from penstock.herder.distributed.running import RunningWork
from penstock.herder.distributed.views import StatusView
from penstock.herder.thread import HerderThread

__all__ = ["Upkeep"]

_log: Final = logging.getLogger(__name__)
_TICK_S: Final = 1.0


class Upkeep:
    """The age of the session key, statuses that a late worker overwrote, topics that were reset elsewhere. For the
    herder's thread."""

    def __init__(
        self,
        worker: HerderWorker,
        statuses: StatusView,
        rounds: Rounds,
        work: RunningWork,
        requests: WorkerRequests,
        thread: HerderThread,
    ) -> None:
        self._worker, self._statuses, self._rounds = worker, statuses, rounds
        self._work, self._requests, self._thread = work, requests, thread
        #: The topics that each connector was last known to use.
        self._topics: dict[str, set[str]] = {}

    def begin(self) -> None:
        self._thread.submit(self._tick, _TICK_S)

    def _tick(self) -> None:
        try:
            if self._rounds.settled:
                self._requests.keep_write_privileges()
                self._requests.rotate_key()
                self._statuses.repair(self._work.connectors, self._work.tasks)
            self._notice_topic_resets()
        except ConnectError as error:
            _log.warning("%s; trying again", error)
        self._thread.submit(self._tick, _TICK_S)

    def _notice_topic_resets(self) -> None:
        """Have tasks tell of their topics again where any worker was asked to forget one: they tell of each once."""
        topics = {name: set(self._statuses.topics(name)) for name in {task.connector for task in self._work.tasks}}
        for name, now in topics.items():
            if self._topics.get(name, set()) - now:
                self._worker.forget_topics(name)
        self._topics = topics
