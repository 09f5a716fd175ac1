"""`Startup`: a worker's way into its group and out of it, in order."""

from __future__ import annotations

import logging
import threading
from typing import Final

from penstock.config.worker import WorkerConfig
from penstock.errors import ConnectError
from penstock.herder.boundary import HerderWorker
from penstock.herder.distributed.membership import Membership
from penstock.herder.distributed.requests import WorkerRequests
from penstock.herder.distributed.rounds import Rounds
from penstock.herder.distributed.running import RunningWork
from penstock.herder.distributed.standing import Event, StandingKeeper
from penstock.herder.distributed.upkeep import Upkeep
from penstock.herder.task_configs import TaskConfigs
from penstock.storage.config_store import ConfigStore
from penstock.storage.status_store import StatusStore

__all__ = ["InternalTopics", "Startup"]

_log: Final = logging.getLogger(__name__)


class InternalTopics:
    """The stores over a group's config and status topics, started and stopped together."""

    def __init__(self, configs: ConfigStore, statuses: StatusStore) -> None:
        self.configs, self.statuses = configs, statuses

    def start(self) -> None:
        """Make the topics if needed and read them to their ends. Raises `ConnectError`."""
        self.statuses.start()
        self.configs.start()

    def stop(self) -> None:
        self.configs.stop()
        self.statuses.stop()


class Startup:
    """Starts and stops all that a distributed herder stands on."""

    def __init__(
        self,
        config: WorkerConfig,
        worker: HerderWorker,
        topics: InternalTopics,
        membership: Membership,
        rounds: Rounds,
        work: RunningWork,
        tasks: TaskConfigs,
        requests: WorkerRequests,
        upkeep: Upkeep,
        standing: StandingKeeper,
    ) -> None:
        self._config, self._worker, self._topics, self._membership = config, worker, topics, membership
        self._rounds, self._work, self._tasks = rounds, work, tasks
        self._requests, self._upkeep, self._standing = requests, upkeep, standing
        self._lock = threading.Lock()
        self._failure: ConnectError | None = None

    @property
    def failure(self) -> ConnectError | None:
        """Return why the worker could not start; None if it has, or still may."""
        with self._lock:
            return self._failure

    def begin(self) -> bool:
        """Read the topics, then join the group: whether that worked. It may wait for brokers, for minutes."""
        _log.info("Reading the group's topics at %s", ", ".join(self._config["bootstrap.servers"]))
        try:
            self._worker.start()  # first: where topics are missing and may not be made, its own is named first
            self._topics.start()
        except ConnectError as error:
            _log.critical("The worker cannot start: %s", error)
            with self._lock:
                self._failure = error
            return False
        self._rounds.begin()
        self._membership.start(self._rounds)
        self._upkeep.begin()
        return True

    def end(self) -> None:
        """Stop everything. The herder's thread has ended by now."""
        self._standing.on(Event.STOP)
        self._tasks.stop()
        self._work.close()
        self._requests.close()
        # Work first, then the group: whoever gets it must not find it running.
        self._work.stop_all()
        self._membership.stop()
        self._worker.stop()
        self._topics.stop()
