"""Puts a distributed herder together: every part is given all that it needs when it is made.

Four circles are closed here. The worker and the config topic's reader tell their news to a mailbox, whose receiver is
made after them; the membership hears its listener when it starts; a task's gate asks for fencing only once it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from penstock.config.worker import WorkerConfig
from penstock.herder.base import REQUEST_TIMEOUT, HerderParts
from penstock.herder.boundary import WholeWorker
from penstock.herder.distributed.changes import ConfigChanges
from penstock.herder.distributed.cleaning import StatusCleaner
from penstock.herder.distributed.cluster import describe_group
from penstock.herder.distributed.fencing import Fence, TaskGates, ZombieFencing
from penstock.herder.distributed.herder import DistributedHerder
from penstock.herder.distributed.leading import Leader
from penstock.herder.distributed.membership import Membership
from penstock.herder.distributed.news import ConfigNews
from penstock.herder.distributed.rebalance_meter import RebalanceMeter
from penstock.herder.distributed.requests import WorkerRequests
from penstock.herder.distributed.rounds import Rounds
from penstock.herder.distributed.routing import Routing
from penstock.herder.distributed.running import RunningWork
from penstock.herder.distributed.standing import StandingKeeper
from penstock.herder.distributed.startup import InternalTopics, Startup
from penstock.herder.distributed.upkeep import Upkeep
from penstock.herder.distributed.views import ConfigView, StatusView
from penstock.herder.failures import FailedTasks, restart_policies
from penstock.herder.forwarding import WorkerClient
from penstock.herder.loggers import Loggers
from penstock.herder.offsets import OffsetChanges
from penstock.herder.recorder import Recorder
from penstock.herder.reloads import Reloads
from penstock.herder.task_configs import TaskConfigs
from penstock.herder.thread import HerderThread, Mailbox
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins
from penstock.runtime.meters import meter_windows
from penstock.storage.cluster_state import ConfigUpdateListener
from penstock.storage.config_store import ConfigStore
from penstock.storage.status_store import StatusStore

__all__ = ["Distributed", "Surroundings", "compose_distributed"]

_W = TypeVar("_W", bound=WholeWorker)
#: Seconds that a request waits for a rebalance to end, or for a worker to have read its topics.
_PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Surroundings(Generic[_W]):
    """The things outside that a distributed herder stands among, or their makers, each called once."""

    config: WorkerConfig
    plugins: Plugins
    worker_id: str
    status_store: StatusStore
    client: WorkerClient
    make_store: Callable[[ConfigUpdateListener], ConfigStore]
    make_membership: Callable[[ConfigStore, Leader], Membership]
    #: Takes the worker's listener, a call that tells whether its work is still its own, and the gates of its tasks.
    make_worker: Callable[[Recorder, Callable[[], bool], TaskGates], _W]
    make_validator: Callable[[_W], ConnectorValidator]
    #: Fences earlier tasks; None unless sources deliver exactly once.
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class Distributed(Generic[_W]):
    """A distributed herder with the worker that it was made with."""

    herder: DistributedHerder
    worker: _W


def compose_distributed(
    around: Surroundings[_W], *, request_timeout: float = REQUEST_TIMEOUT, patience: float = _PATIENCE_S
) -> Distributed[_W]:
    """Return a herder that stands among `around`. It does nothing before its `start`."""
    config = around.config
    thread = HerderThread("herder-distributed")
    mailbox: Mailbox[ConfigChanges] = Mailbox(thread)
    store = around.make_store(ConfigNews(mailbox.post))
    leader = Leader(config["scheduled.rebalance.max.delay.ms"], last_worker=around.status_store.last_worker)
    membership = around.make_membership(store, leader)
    configs = ConfigView(store.snapshot, store.problems)
    statuses = StatusView(around.status_store, around.worker_id, lambda: membership.view().generation)

    failed = FailedTasks(
        thread, restart_policies(configs, config.values), lambda task: mailbox.post(lambda c: c.restart_failed(task))
    )
    recorder = Recorder(configs, statuses, around.worker_id, around.plugins, failed.failed)
    requests = WorkerRequests(config, store, membership, around.client)

    def fence(name: str) -> None:
        fencing.fence(name)

    gates = TaskGates(store, membership, requests, fence)
    worker = around.make_worker(recorder, lambda: membership.in_session, gates)
    validator = around.make_validator(worker)

    reloads = Reloads(worker, configs, thread, lambda name, entry: mailbox.post(lambda c: c.reload(name, entry)))
    tasks = TaskConfigs(worker, configs, statuses, thread, requests.publish, reloads.watch)
    rebalances = RebalanceMeter(meter_windows(config.values), config["client.id"] or around.worker_id)
    standing = StandingKeeper(rebalances.changed)
    work = RunningWork(worker, configs, tasks, standing.may_start, reloads.watch)
    cleaner = StatusCleaner(configs, statuses, leader)
    rounds = Rounds(config, store, configs, cleaner, membership, work, standing, thread)
    loggers = Loggers()
    mailbox.deliver_to(ConfigChanges(worker, configs, statuses, rounds, work, failed, loggers))

    topics = InternalTopics(store, around.status_store)
    upkeep = Upkeep(worker, statuses, rounds, work, requests, thread)
    startup = Startup(config, worker, topics, membership, rounds, work, tasks, requests, upkeep, standing)
    routing = Routing(membership, rounds, thread, requests.keep_write_privileges, patience, request_timeout)
    fencing = ZombieFencing(store, configs, routing, around.fence)
    offsets = OffsetChanges(worker.offsets, around.plugins, validator.resolve)

    def describe() -> Mapping[str, Any]:
        view = membership.view()
        group: Mapping[str, Any] = describe_group(view, leader, rounds.settled)
        if not view.is_leader and view.leader_url:
            group = requests.leaders_description(view.leader_url) or group
        return {"leader": view.is_leader, "group_id": config["group.id"], "group": group}

    parts = HerderParts(
        worker, configs, statuses, validator, offsets, thread, failed, loggers, request_timeout,
        lambda: rebalances.measurements(membership.view()),
    )  # fmt: skip
    herder = DistributedHerder(parts, topics, statuses, startup, routing, work, requests, fencing, describe, patience)
    return Distributed(herder, worker)
