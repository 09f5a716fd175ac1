"""Group membership on a real broker: joining, the leader's part, members that leave, die or are cut off."""

import contextlib
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping

import pytest

from lab.patience import PATIENCE_S
from penstock.errors import ConfigError
from penstock.kafka.group import GroupMember
from penstock.testing.broker import KafkaBroker

#: Joins and hangs on until it is killed.
OTHER = """
import sys, time
from penstock.kafka.group import GroupMember

class Quiet:
    def on_join_prepare(self, generation, member_id): pass
    def on_assignment(self, generation, member_id, protocol, assignment): print("in", assignment.decode(), flush=True)
    def on_lost(self, reason): pass
    def perform_assignment(self, leader_id, protocol, members):
        return {member: b"by other" for member in members}

GroupMember({"bootstrap.servers": sys.argv[1]}, sys.argv[2], "connect", [("default", lambda: b"other")], Quiet(),
            session_timeout_ms=1500, heartbeat_interval_ms=300, rebalance_timeout_ms=10000).start()
time.sleep(600)
"""


class Listener:
    """Deals the members' names out: everybody is told who else is there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.assignments: list[tuple[int, str, list[str]]] = []
        self.prepared: list[int] = []
        self.lost: list[str] = []
        self.led = 0
        self.fail_next_assignment = False
        self.fail_next_round = False
        self.busy = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def on_join_prepare(self, generation: int, member_id: str) -> None:
        with self.lock:
            self.prepared.append(generation)

    def perform_assignment(self, leader_id: str, protocol: str, members: Mapping[str, bytes]) -> dict[str, bytes]:
        assert leader_id in members
        with self.lock:
            self.led += 1
            fail, self.fail_next_round = self.fail_next_round, False
        if fail:
            raise ValueError("a bug in the assignor")
        everybody = ",".join(sorted(data.decode() for data in members.values())).encode()
        return dict.fromkeys(members, everybody)

    def on_assignment(self, generation: int, member_id: str, protocol: str, assignment: bytes) -> None:
        with self.lock:
            self.assignments.append((generation, protocol, assignment.decode().split(",")))
            fail, self.fail_next_assignment = self.fail_next_assignment, False
        self.busy.set()
        self.free.wait(30)
        if fail:
            raise ValueError("a bug in the herder")

    def on_lost(self, reason: str) -> None:
        with self.lock:
            self.lost.append(reason)

    def last(self) -> tuple[int, str, list[str]]:
        with self.lock:
            return self.assignments[-1] if self.assignments else (-1, "", [])


def member(
    kafka: str, group: str, name: str, protocols: tuple[str, ...] = ("sessioned", "default"), rebalance: int = 10_000
) -> tuple[GroupMember, Listener]:
    listener = Listener(name)
    joined = GroupMember(
        {"bootstrap.servers": kafka},
        group,
        "connect",
        [(protocol, lambda: listener.name.encode()) for protocol in protocols],
        listener,
        session_timeout_ms=1500,
        heartbeat_interval_ms=300,
        rebalance_timeout_ms=rebalance,
        client_id=name,
    )
    joined.start()
    return joined, listener


@contextlib.contextmanager
def members(kafka: str, group: str, *names: str) -> Iterator[list[tuple[GroupMember, Listener]]]:
    joined = [member(kafka, group, name) for name in names]
    try:
        yield joined
    finally:
        for one, _ in joined:
            one.stop()


def eventually(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def group() -> str:
    return f"g-{uuid.uuid4().hex[:8]}"


def agree(listeners: list[Listener], names: list[str]) -> bool:
    return len({one.last()[0] for one in listeners}) == 1 and all(one.last()[2] == names for one in listeners)


def test_three_members_agree_on_a_generation_and_one_of_them_leads(kafka: str, group: str) -> None:
    with members(kafka, group, "a", "b", "c") as joined:
        listeners = [listener for _, listener in joined]
        eventually(lambda: agree(listeners, ["a", "b", "c"]), "all three in one generation")
        assert {listener.last()[1] for listener in listeners} == {"sessioned"}
        eventually(lambda: all(one.stable for one, _ in joined), "stable")
        assert len({one.member_id for one, _ in joined}) == 3
        assert {one.generation for one, _ in joined} == {listeners[0].last()[0]}
        assert sum(listener.led > 0 for listener in listeners) >= 1


def test_the_best_common_protocol_is_chosen(kafka: str, group: str) -> None:
    new, new_listener = member(kafka, group, "new")
    old, old_listener = member(kafka, group, "old", ("default",))
    try:
        eventually(lambda: agree([new_listener, old_listener], ["new", "old"]), "both in")
        assert new_listener.last()[1] == "default"
    finally:
        new.stop()
        old.stop()


def test_a_member_that_leaves_is_missed_at_once_and_may_come_back(kafka: str, group: str) -> None:
    with members(kafka, group, "a", "b") as ((_, first), (leaving, second)):
        eventually(lambda: agree([first, second], ["a", "b"]), "both in")
        leaving.leave("an hour off")
        eventually(lambda: first.last()[2] == ["a"], "the other alone", 8)
        assert not second.lost
        leaving.request_rejoin("back again")
        eventually(lambda: agree([first, second], ["a", "b"]), "both in again")


def test_a_member_that_is_killed_is_missed_after_the_session_timeout(kafka: str, group: str) -> None:
    command = [sys.executable, "-c", OTHER, kafka, group]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "in by other\n"
            with members(kafka, group, "a", "b") as joined:
                listeners = [listener for _, listener in joined]
                eventually(lambda: all(one.stable for one, _ in joined), "the others in too")
                other.kill()
                eventually(lambda: agree(listeners, ["a", "b"]), "the killed one gone")
                assert not any(listener.lost for listener in listeners)
        finally:
            other.kill()


def test_a_rejoin_makes_a_new_generation_with_new_metadata(kafka: str, group: str) -> None:
    with members(kafka, group, "a", "b") as ((one, first), (_, second)):
        eventually(lambda: agree([first, second], ["a", "b"]), "both in")
        before = first.last()[0]
        first.name = "a2"
        one.request_rejoin("a new connector")
        eventually(lambda: first.last()[0] > before and first.last()[0] == second.last()[0], "a newer generation")
        assert first.prepared[0] == -1
        assert before in first.prepared


def test_an_assignment_that_fails_is_tried_again(kafka: str, group: str) -> None:
    with members(kafka, group, "a") as ((one, listener),):
        eventually(lambda: one.stable, "in")
        generation = listener.last()[0]
        listener.fail_next_round = True
        one.request_rejoin("test")
        eventually(lambda: listener.last()[0] > generation and not listener.fail_next_round, "a newer generation")


def test_a_listener_that_fails_is_called_again(kafka: str, group: str) -> None:
    with members(kafka, group, "a") as ((one, listener),):
        eventually(lambda: one.stable, "in")
        count = len(listener.assignments)
        listener.fail_next_assignment = True
        one.request_rejoin("test")
        eventually(lambda: len(listener.assignments) >= count + 2, "an assignment after the failed one")


def test_a_listener_that_takes_its_time_keeps_its_place_in_the_group(kafka: str, group: str) -> None:
    with members(kafka, group, "a", "b") as ((one, first), (_, second)):
        eventually(lambda: agree([first, second], ["a", "b"]), "both in")
        first.free.clear()
        first.busy.clear()
        one.request_rejoin("test")
        assert first.busy.wait(20)
        generation = one.generation
        eventually(lambda: second.last()[0] == generation, "the other in the same round")
        time.sleep(2.5)  # longer than the session timeout: only heartbeats keep it in
        first.free.set()
        eventually(lambda: one.stable, "stable")
        assert one.generation == generation == second.last()[0]
        assert not first.lost


def test_a_member_whose_thread_fails_says_that_its_work_is_lost(
    kafka: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with members(kafka, group, "a") as ((one, first),):
        eventually(lambda: agree([first], ["a"]), "in")

        def broken() -> None:
            raise RuntimeError("a fault in the client")

        monkeypatch.setattr(one, "_round", broken)
        eventually(lambda: any("a fault in the client" in reason for reason in first.lost), "told")


def test_a_member_that_leaves_while_others_are_awaited_is_out(kafka: str, group: str) -> None:
    with members(kafka, group, "a", "b") as ((one, first), (_, second)):
        eventually(lambda: agree([first, second], ["a", "b"]), "both in")
        second.free.clear()
        second.busy.clear()
        first.name = "a2"  # without news the broker would leave the other in peace
        one.request_rejoin("test")
        assert second.busy.wait(20)
        first.name = "a3"
        one.request_rejoin("again")  # it waits for the other, which is busy
        time.sleep(0.3)
        one.leave("enough")
        second.free.set()
        eventually(lambda: second.last()[2] == ["b"], "the other alone")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_members_that_come_and_go_at_random_agree_in_the_end(kafka: str, group: str, seed: int) -> None:
    chance = random.Random(seed)
    names = ["a", "b", "c", "d"]
    with members(kafka, group, *names) as joined:
        for _ in range(25):
            one, _ = chance.choice(joined)
            chance.choice([one.leave, one.request_rejoin])("chance")
            time.sleep(chance.choice([0, 0.05, 0.3, 1]))
        for one, _ in joined:
            one.request_rejoin("the end")
        listeners = [listener for _, listener in joined]
        eventually(lambda: agree(listeners, names) and all(one.stable for one, _ in joined), "all in", 60)
        assert not any(listener.lost for listener in listeners)


def test_a_member_whose_broker_is_away_says_that_it_is_lost_once_and_comes_back(
    private_broker: Callable[..., KafkaBroker], group: str
) -> None:
    broker = private_broker()
    with members(broker.bootstrap, group, "a") as ((one, listener),):
        eventually(lambda: one.stable, "in")
        broker.stop()
        eventually(lambda: bool(listener.lost), "told that it is lost", 10)
        count = len(listener.assignments)
        broker.start()
        eventually(lambda: len(listener.assignments) > count, "in again", 60)
        assert len(listener.lost) == 1


def test_a_member_whose_broker_hangs_says_that_it_is_lost(
    private_broker: Callable[..., KafkaBroker], group: str
) -> None:
    broker = private_broker()
    with members(broker.bootstrap, group, "a") as ((one, listener),):
        eventually(lambda: one.stable, "in")
        broker.freeze()
        try:
            eventually(lambda: bool(listener.lost), "told that it is lost", 10)
            count = len(listener.assignments)
        finally:
            broker.thaw()
        eventually(lambda: len(listener.assignments) > count, "in again", 60)


def test_a_member_waits_for_a_broker_that_starts_later(private_broker: Callable[..., KafkaBroker], group: str) -> None:
    broker = private_broker()
    broker.stop()
    with members(broker.bootstrap, group, "a") as ((one, _),):
        time.sleep(0.5)  # some failed tries
        assert one.generation == -1
        broker.start()
        eventually(lambda: one.stable, "in", 60)


def test_what_cannot_be_connected_with_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"security\.protocol"):
        GroupMember({"bootstrap.servers": "h:1", "security.protocol": "TLS"}, "g", "connect", [], Listener("a"))
    with pytest.raises(ConfigError, match=r"bootstrap\.servers"):
        GroupMember({}, "g", "connect", [], Listener("a"))
