"""Parts of the distributed worker by themselves: signatures, the leader's rounds, restarts of failed tasks, processes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import pytest

from penstock.cli.supervisor import registry_url, worker_environment
from penstock.config.files import from_environment
from penstock.errors import ConfigError, ConnectError
from penstock.herder.distributed import protocol as wire
from penstock.herder.distributed import signatures
from penstock.herder.distributed.leading import Leader
from penstock.herder.distributed.membership import GroupSettings, GroupView, Membership, MemberView
from penstock.herder.distributed.protocol import Assignment, WorkerState
from penstock.herder.distributed.work import Work
from penstock.herder.failures import FailedTasks, RestartPolicy
from penstock.herder.interface import ConnectorState, ConnectorStateInfo, InternalRequestError, TaskState
from penstock.herder.thread import HerderThread
from penstock.kafka.errors import FencedError, TransactionLostError
from penstock.kafka.group import GroupMember
from penstock.rest.health import connector_health
from penstock.runtime.status import ConnectorTaskId, State
from penstock.storage.cluster_state import ClusterConfigState

T0, T1 = ConnectorTaskId("c", 0), ConnectorTaskId("c", 1)


# Signatures


def test_a_signature_is_the_hmac_of_the_exact_body() -> None:
    key = signatures.new_key("HmacSHA256", None, 5)
    headers = signatures.sign(key.key, "HmacSHA256", b'[{"a":"1"}]')
    expected = base64.b64encode(hmac.new(key.key, b'[{"a":"1"}]', hashlib.sha256).digest()).decode()
    assert headers == {
        "X-Connect-Authorization": expected,
        "X-Connect-Request-Signature-Algorithm": "HmacSHA256",
    }
    given = {name.lower(): value for name, value in headers.items()}
    signatures.check(signatures.signature_of(given, b'[{"a":"1"}]'), key, ["HmacSHA256"])
    assert len(key.key) * 8 == 256
    assert key.created == 5


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"body": b"other"}, 403, "Internal request contained invalid signature."),
        ({"allowed": ["HmacSHA512"]}, 400, "does not support the 'HmacSHA256' key signing algorithm"),
        ({"key": None}, 503, "has not been able to read a session key from the config topic yet"),
        ({"headers": {}}, 400, "Internal request missing required signature"),
        ({"headers": {"X-Connect-Request-Signature-Algorithm": "HmacX", "X-Connect-Authorization": ""}}, 400, "HmacX"),
        (
            {"headers": {"X-Connect-Request-Signature-Algorithm": "HmacSHA256", "X-Connect-Authorization": "?"}},
            400,
            "not Base64",
        ),
    ],
)
def test_a_wrong_signature_is_refused_with_its_status(change: dict[str, Any], status: int, message: str) -> None:
    key = signatures.new_key("HmacSHA256", None, 0)
    given = {
        "headers": signatures.sign(key.key, "HmacSHA256", b"body"),
        "body": b"body",
        "key": key,
        "allowed": ["HmacSHA256"],
    }
    given |= change
    with pytest.raises(InternalRequestError) as caught:
        signatures.check(signatures.signature_of(given["headers"], given["body"]), given["key"], given["allowed"])
    assert caught.value.status == status
    assert message in caught.value.message


def test_a_key_too_small_to_be_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"inter\.worker\.key\.size"):
        signatures.new_key("HmacSHA256", 8, 0)


# Dealing out


def snapshot(tasks: int, *names: str) -> ClusterConfigState:
    return ClusterConfigState(7, connectors={name: {} for name in names}, task_counts=dict.fromkeys(names, tasks))


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rounds:
    """A leader, and what each worker holds after the rounds it went through."""

    def __init__(self, delay_ms: int = 60_000) -> None:
        self.clock = Time()
        self.leader = Leader(delay_ms, self.clock)
        self.generation = 0
        self.holdings: dict[str, Work] = {}

    def round(self, workers: list[str], config: ClusterConfigState) -> Mapping[str, Assignment]:
        before = GroupView(
            self.generation, "a", wire.SESSIONED, Assignment(leader="a") if self.generation else Assignment()
        )
        self.generation += 1
        states = {worker: WorkerState(f"http://{worker}/", 7, self._assignment(worker)) for worker in workers}
        deal = self.leader.deal_out(wire.SESSIONED, states, config, self.generation, before)
        self.holdings = dict(deal.holdings)
        return deal.messages

    def _assignment(self, worker: str) -> Assignment:
        own = self.holdings.get(worker, Work())
        return Assignment(leader="a", connectors=tuple(own.connectors), tasks=tuple(own.tasks))


def test_lost_work_waits_and_the_leader_says_so() -> None:
    rounds, config = Rounds(), snapshot(2, "c", "d")
    rounds.round(["a", "b"], config)
    lost = rounds.holdings["b"]
    assert lost
    messages = rounds.round(["a"], config)
    assert messages["a"].delay == 60_000
    pending = rounds.leader.pending()
    assert pending is not None
    assert (pending.work, pending.milliseconds) == (lost, 60_000)
    rounds.clock.now += 61
    messages = rounds.round(["a"], config)
    assert messages["a"].delay == 0
    assert rounds.leader.pending() is None
    assert rounds.holdings["a"] == Work.of(["c", "d"], [ConnectorTaskId(n, i) for n in "cd" for i in range(2)])


def test_a_worker_that_joins_gets_its_share_in_a_second_round() -> None:
    rounds, config = Rounds(), snapshot(2, "c", "d")
    rounds.round(["a"], config)
    first = rounds.round(["a", "b"], config)
    assert first["a"].revoked_tasks
    assert not first["b"].tasks
    second = rounds.round(["a", "b"], config)
    assert set(second["b"].tasks) == set(first["a"].revoked_tasks)
    assert second["b"].offset == 7


def test_an_eager_round_deals_everything_out_again() -> None:
    leader = Leader(1000)
    states = {worker: WorkerState(f"http://{worker}/", 7) for worker in "ab"}
    deal = leader.deal_out(wire.DEFAULT, states, snapshot(1, "c", "d"), 1, GroupView(member_id="a"))
    tasks = [task for message in deal.messages.values() for task in message.tasks]
    assert sorted(tasks) == [ConnectorTaskId("c", 0), ConnectorTaskId("d", 0)]


# Membership


class Told:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def rebalance_begins(self) -> None:
        self.heard.append(("begins",))

    def revoked(self, connectors: Any, tasks: Any) -> None:
        self.heard.append(("revoked", tuple(connectors), tuple(tasks)))

    def assigned(self, assignment: Assignment, revoked: bool) -> None:
        self.heard.append(("assigned", assignment.connectors, assignment.tasks, revoked))

    def lost(self, reason: str) -> None:
        self.heard.append(("lost", reason))


class FakeMember(GroupMember):
    """A member that never talks to a broker."""

    def start(self) -> None: ...


def membership(
    state: Callable[[], ClusterConfigState], refresh: Callable[[float], None] = lambda s: None
) -> Membership:
    settings = GroupSettings({"bootstrap.servers": "none:9092"}, "g", "http://a/", "t")
    return Membership(settings, state, refresh, Leader(1000).deal_out, make_member=FakeMember)


def told(member: Membership) -> Told:
    """A listener that `member` tells everything."""
    listener = Told()
    member.start(listener)
    return listener


def message(**fields: Any) -> bytes:
    encoded = wire.encode_assignment(wire.SESSIONED, Assignment(leader="a", leader_url="http://a/", offset=7, **fields))
    assert encoded is not None
    return encoded


def test_what_is_kept_over_rounds_is_added_to_and_taken_from() -> None:
    member = membership(lambda: snapshot(2, "c"))
    listener = told(member)
    member.on_assignment(1, "b", wire.SESSIONED, message(connectors=("c",), tasks=(T0, T1)))
    member.on_join_prepare(1, "b")
    member.on_assignment(2, "b", wire.SESSIONED, message(revoked_tasks=(T0,), delay=5))
    assert listener.heard == [
        ("assigned", ("c",), (T0, T1), False),
        ("begins",),
        ("revoked", (), (T0,)),
        ("assigned", ("c",), (T1,), True),
    ]
    view = member.view()
    assert (view.generation, view.leader_url, view.is_leader, view.signed) == (2, "http://a/", False, True)
    member.on_lost("gone")
    assert member.view().assignment.tasks == ()
    assert listener.heard[-1] == ("lost", "gone")


def test_with_the_eager_protocol_everything_is_given_up_before_joining() -> None:
    member = membership(lambda: snapshot(2, "c"))
    listener = told(member)
    eager = wire.encode_assignment(wire.DEFAULT, Assignment(leader="a", leader_url="http://a/", tasks=(T0,)))
    assert eager is not None
    member.on_assignment(1, "b", wire.DEFAULT, eager)
    member.on_join_prepare(1, "b")
    assert listener.heard[-1] == ("revoked", (), (T0,))
    assert member.view().assignment.tasks == ()


def test_a_leader_behind_the_others_gives_nothing_until_it_has_read_on() -> None:
    states = {"now": snapshot(1, "c")}
    read: list[float] = []
    member = membership(lambda: states["now"], read.append)
    told(member)
    ahead = wire.encode_metadata(wire.SESSIONED, WorkerState("http://b/", 9))
    answers = member.perform_assignment("b", wire.SESSIONED, {"b": ahead})
    assert wire.decode_assignment(wire.SESSIONED, answers["b"]).error == wire.ASSIGNMENT_CONFIG_MISMATCH
    assert len(read) == 1
    states["now"] = ClusterConfigState(9, connectors={"c": {}}, task_counts={"c": 1})
    answers = member.perform_assignment("b", wire.SESSIONED, {"b": ahead})
    assert wire.decode_assignment(wire.SESSIONED, answers["b"]).tasks == (T0,)
    assert member.view().owner_url("c", T0) == "http://b/"
    assert member.view().owner_url("other") is None


def test_a_view_knows_owners_by_connector_and_task() -> None:
    members = {"m": MemberView("m", "http://m/", Work.of(["c"], [T1]))}
    view = GroupView(members=members)
    assert (view.owner_url("c"), view.owner_url("c", T1), view.owner_url("c", T0)) == ("http://m/", "http://m/", None)


# Failed tasks


@pytest.fixture
def thread() -> Any:
    made = HerderThread("test-herder")
    made.start()
    yield made
    made.stop(5)


def test_pauses_double_up_to_the_longest_and_end_with_the_limit() -> None:
    policy = RestartPolicy.of(
        {"errors.restart.max": "4", "errors.restart.backoff.ms": "100", "errors.restart.backoff.max.ms": "300"}
    )
    assert [policy.pause(before) for before in range(5)] == [0.1, 0.2, 0.3, 0.3, None]
    assert RestartPolicy.of({}).pause(0) is None
    assert RestartPolicy.of({}, {"errors.restart.max": -1}).pause(10**6) == 300
    with pytest.raises(ConfigError, match=r"errors\.restart\.max"):
        RestartPolicy.of({"errors.restart.max": "-2"})


def test_a_failed_task_is_restarted_so_often_and_counts_anew_when_it_ran_well(thread: HerderThread) -> None:
    clock, restarted = Time(), list[ConnectorTaskId]()
    tasks = FailedTasks(thread, lambda name: RestartPolicy(2, 0.0, 10.0), restarted.append, clock)

    def fail() -> None:
        tasks.failed(T0, ConnectError("no"))
        for _ in range(2):  # the failure, then the restart that it submits
            done: Future[None] = Future()
            thread.submit(lambda done=done: done.set_result(None))
            done.result(5)

    for _ in range(4):
        fail()
    assert restarted == [T0, T0]
    assert tasks.restarts("c") == {0: 2}
    clock.now += 11
    fail()
    assert restarted == [T0, T0, T0]
    tasks.forget("c")
    assert tasks.restarts("c") == {}


def test_without_a_policy_a_failed_task_stays_down(thread: HerderThread) -> None:
    restarted, asked = list[ConnectorTaskId](), threading.Event()

    def policy(name: str) -> RestartPolicy | None:
        asked.set()
        return RestartPolicy()

    tasks = FailedTasks(thread, policy, restarted.append)
    tasks.failed(T0, ConnectError("no"))
    assert asked.wait(5)
    done: Future[None] = Future()
    thread.submit(lambda: done.set_result(None))
    done.result(5)
    assert restarted == []


@pytest.mark.parametrize("error", [FencedError("fenced"), TransactionLostError("lost")])
def test_a_task_that_was_fenced_or_lost_its_transaction_comes_back_whatever_the_limit(
    thread: HerderThread, error: ConnectError
) -> None:
    restarted = list[ConnectorTaskId]()
    tasks = FailedTasks(thread, lambda name: RestartPolicy(0, 0.0, 10.0), restarted.append)
    for _ in range(3):
        tasks.failed(T0, error)
        for _ in range(2):
            done: Future[None] = Future()
            thread.submit(lambda done=done: done.set_result(None))
            done.result(5)
    assert restarted == [T0] * 3


# Health


def test_health_names_what_is_wrong() -> None:
    status = ConnectorStateInfo(
        "c",
        ConnectorState(State.RUNNING, "w:1"),
        [TaskState(T0, State.FAILED, "w:1", "java.lang.X: no\n\tat f"), TaskState(T1, State.PAUSED, "w:2")],
        "source",
    )
    found = connector_health(status, 3, {0: 2, 1: 0}, {1: "poll() failed: no"})
    assert found == {
        "name": "c",
        "healthy": False,
        "connector": "RUNNING",
        "tasks": {"FAILED": 1, "PAUSED": 1},
        "restarts": {"0": 2},
        "problems": [
            "task 0 is FAILED on w:1: java.lang.X: no",
            "task 1 runs, but poll() failed: no",
            "no worker has said anything of task 2 yet",
        ],
    }


def test_a_stopped_connector_is_well() -> None:
    status = ConnectorStateInfo("c", ConnectorState(State.STOPPED, "w:1"), [], "sink")
    assert connector_health(status, 0, {}, {})["healthy"]


# Several workers on one machine


def test_ports_are_counted_up_and_one_worker_serves_the_registry() -> None:
    props = {
        "listeners": "http://:9000,https://127.0.0.1:9100", "rest.advertised.port": "80",
        "schema.registry.embedded": "true", "admin.listeners": "http://localhost:0",
    }  # fmt: skip
    third = from_environment(worker_environment(props, 2))
    assert third == {
        "listeners": "http://:9002,https://127.0.0.1:9102",
        "rest.advertised.port": "82",
        "schema.registry.embedded": "false",
    }
    assert from_environment(worker_environment({}, 1)) == {"listeners": "http://:8084"}
    assert registry_url(props) == "http://127.0.0.1:8081"
    assert registry_url({**props, "registry.listeners": "http://0.0.0.0:9"}) == "http://127.0.0.1:9"
    assert registry_url({}) is None
    with pytest.raises(ConfigError, match=r"registry\.listeners"):
        registry_url({**props, "registry.listeners": "http://localhost:0"})
