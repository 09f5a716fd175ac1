"""Who leads: what registries tell each other, the choice, and one registry's part in it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from penstock.errors import ConnectError, RetriableError, SerializationError
from penstock_registry.server.access.rules import is_change
from penstock_registry.server.http.answer_meter import AnswerMeter
from penstock_registry.server.http.metered import Metered
from penstock_registry.server.kafka_config import KafkaConfig
from penstock_registry.server.leader.election import Election
from penstock_registry.server.leader.protocol import Assignment, MemberIdentity, choose


def test_an_identity_has_confluents_bytes() -> None:
    identity = MemberIdentity("host", 8081)
    assert identity.encode() == (
        b'{"version":1,"host":"host","port":8081,"master_eligibility":true,"scheme":"http","leader":false}'
    )
    assert MemberIdentity.decode(identity.encode()) == identity


def test_an_assignment_has_confluents_bytes() -> None:
    assignment = Assignment("m-1", MemberIdentity("h", 1, "https", leader=True))
    assert assignment.encode() == (
        b'{"version":1,"error":0,"master":"m-1","master_identity":{"version":1,"host":"h","port":1,'
        b'"master_eligibility":true,"scheme":"https","leader":true}}'
    )
    assert Assignment.decode(assignment.encode()) == assignment
    nobody = b'{"version":1,"error":0,"master":null,"master_identity":null}'
    assert Assignment(None, None).encode() == nobody
    assert Assignment.decode(nobody) == Assignment(None, None)


def test_what_older_and_newer_registries_say_is_understood() -> None:
    old = b'{"version":1,"host":"h","port":1,"master_eligibility":false}'
    assert MemberIdentity.decode(old) == MemberIdentity("h", 1, "http", False, False)
    new = {**json.loads(MemberIdentity("h", 1).encode()), "zone": "a"}
    assert MemberIdentity.decode(json.dumps(new).encode()) == MemberIdentity("h", 1)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"host":"h","port":"x"}', b"null"])
def test_what_makes_no_sense_is_refused(data: bytes) -> None:
    with pytest.raises(SerializationError):
        MemberIdentity.decode(data)


def test_the_smallest_url_of_those_who_may_leads() -> None:
    members = {
        "m1": MemberIdentity("b", 1),
        "m2": MemberIdentity("a", 1, eligible=False),
        "m3": MemberIdentity("b", 1, "https"),
        "m4": MemberIdentity("b", 10),
    }
    assert choose(members) == Assignment("m1", members["m1"])
    assert choose({"m2": members["m2"]}) == Assignment(None, None)
    assert choose({}) == Assignment(None, None)


def test_two_with_one_url_are_an_error() -> None:
    told = choose({"m1": MemberIdentity("a", 1), "m2": MemberIdentity("a", 1, eligible=False)})
    assert (told.error, told.member) == (1, None)
    assert "two registries of the group give the same URL" in (told.problem or "")


@pytest.mark.parametrize(
    ("method", "path", "change"),
    [
        ("GET", "subjects", False), ("POST", "subjects/s", False), ("POST", "subjects/s/versions", True),
        ("POST", "compatibility/subjects/s/versions", False), ("DELETE", "subjects/s", True), ("PUT", "config", True),
        ("DELETE", "mode/s", True), ("DELETE", "contexts/c", True), ("HEAD", "subjects/s/versions", False),
        ("POST", "", False), ("POST", "unheard/of", False), ("POST", "subjects/s/versions/1/tags", True),
    ],
)  # fmt: skip
def test_changes_are_told_from_questions(method: str, path: str, change: bool) -> None:
    assert is_change(method, path.split("/")) is change


# --- one registry ----------------------------------------------------------------------------------------------------


class Store:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.error: ConnectError | None = None
        self.on_writer_lost: Callable[[str], None] | None = None
        self.leader_problem: Callable[[], str | None] | None = None

    def claim(self) -> None:
        self.calls.append("claim")
        if self.error is not None:
            raise self.error

    def release(self) -> None:
        self.calls.append("release")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    return Store()


def election(store: Store, clock: Clock | None = None, **props: str) -> Election:
    config = KafkaConfig.parse({"kafkastore.bootstrap.servers": "127.0.0.1:1", **props})
    return Election(config, "me", 8081, store, clock or Clock())


def told(member: str | None, identity: MemberIdentity | None = None) -> bytes:
    return Assignment(member, identity or (MemberIdentity("me", 8081) if member else None)).encode()


def identity_of(one: Election) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(one._metadata())
    return answer


def test_it_leads_once_the_store_is_claimed_and_until_the_next_round(store: Store) -> None:
    one = election(store)
    assert one.problem == "the group was not joined yet"
    one.on_join_prepare(-1, "")
    one.on_assignment(1, "m", "v0", told("m"))
    assert (one.leads, one.leader, one.problem) == (True, None, None)
    assert store.calls == ["release", "claim"]
    assert identity_of(one)["leader"] is True
    one.on_join_prepare(1, "m")
    assert (one.leads, one.problem) == (False, "the registries are agreeing on a leader")
    assert store.leader_problem is not None
    assert store.leader_problem() == one.problem
    assert store.calls[-1] == "release"


def test_it_follows_whom_it_is_told(store: Store) -> None:
    one = election(store)
    other = MemberIdentity("other", 1)
    one.on_assignment(1, "m", "v0", told("x", other))
    assert (one.leads, one.leader, one.problem) == (False, other, None)
    assert "claim" not in store.calls
    one.on_lost("no heartbeat was answered")
    assert (one.leader, one.problem) == (None, "no heartbeat was answered")


def test_one_that_cannot_take_the_lead_lets_others_try(store: Store) -> None:
    clock = Clock()
    one = election(store, clock)
    store.error = RetriableError("no broker")
    with pytest.raises(RetriableError):
        one.on_assignment(1, "m", "v0", told("m"))
    assert not one.leads
    assert one.problem == "the lead could not be taken: no broker"
    assert identity_of(one)["master_eligibility"] is False
    with pytest.raises(ConnectError, match="can take the lead now"):
        one.on_assignment(2, "m", "v0", told(None))
    clock.now = 11
    assert identity_of(one)["master_eligibility"] is True
    store.error = None
    one.on_assignment(3, "m", "v0", told("m"))
    assert one.leads


def test_one_that_may_not_lead_says_so_and_waits(store: Store) -> None:
    one = election(store, **{"leader.eligibility": "false"})
    assert identity_of(one)["master_eligibility"] is False
    one.on_assignment(1, "m", "v0", told(None))
    assert "leader.eligibility" in (one.problem or "")


def test_a_store_that_cannot_write_any_more_ends_the_lead(store: Store) -> None:
    one = election(store)
    one.on_assignment(1, "m", "v0", told("m"))
    assert store.on_writer_lost is not None
    store.on_writer_lost("fenced")
    assert (one.leads, one.problem) == (False, "the leader could not write: fenced")


def test_a_url_that_is_taken_is_told(store: Store) -> None:
    one = election(store)
    with pytest.raises(ConnectError, match=r"set host\.name or listeners"):
        one.on_assignment(1, "m", "v0", Assignment(None, None, 1).encode())
    assert "the same URL" in (one.problem or "")


def test_the_groups_leader_decides_from_what_all_say(store: Store) -> None:
    members = {"m1": MemberIdentity("b", 1).encode(), "m2": MemberIdentity("a", 1).encode()}
    made = election(store).perform_assignment("m1", "v0", members)
    assert set(made) == {"m1", "m2"}
    assert {Assignment.decode(data).member for data in made.values()} == {"m2"}


def metrics_of(one: Election) -> dict[str, float]:
    return {m.name: float(m.value) for m in Metered(AnswerMeter(), election=one).measurements() if not m.tags}


class SlowStore(Store):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def claim(self) -> None:
        super().claim()
        self._clock.now += 1.5


def test_the_metrics_follow_the_lead() -> None:
    clock = Clock()
    one = election(SlowStore(clock), clock)
    assert metrics_of(one)["master-slave-role"] == 0
    assert math.isnan(metrics_of(one)["leader-initialization-latency"])
    one.on_assignment(1, "m", "v0", told("m"))
    assert metrics_of(one)["master-slave-role"] == 1
    assert metrics_of(one)["leader-initialization-latency"] == 1500
    one.on_join_prepare(1, "m")
    one.on_assignment(2, "m", "v0", told("x", MemberIdentity("other", 1)))
    assert metrics_of(one)["master-slave-role"] == 0


def test_only_whoever_dealt_out_the_lead_counts_the_members(store: Store) -> None:
    one = election(store)
    assert "node-count" not in metrics_of(one)
    members = {f"m{number}": MemberIdentity(f"h{number}", 1).encode() for number in range(3)}
    one.on_join_prepare(1, "m")
    one.perform_assignment("m", "v0", members)
    one.on_assignment(2, "m", "v0", told("x", MemberIdentity("other", 1)))
    assert metrics_of(one)["node-count"] == 3
    one.on_join_prepare(2, "m")
    one.on_assignment(3, "m", "v0", told("x", MemberIdentity("other", 1)))
    assert "node-count" not in metrics_of(one), "another member has dealt it out since"
