"""Who runs what: the cases that Kafka Connect learnt the hard way, by their numbers, and random histories."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.herder.distributed.assignor import AssignorState, Round, RoundInput, assign, assign_eagerly
from penstock.herder.distributed.work import NO_WORK, Work
from penstock.runtime.status import ConnectorTaskId

DELAY = 300_000


def work(**connectors: int) -> Work:
    """``work(a=2)``: connector a with its tasks 0 and 1."""
    return Work.of(connectors, (ConnectorTaskId(name, i) for name, count in connectors.items() for i in range(count)))


def tasks(connector: str, *numbers: int) -> Work:
    return Work.of((), (ConnectorTaskId(connector, number) for number in numbers))


class Cluster:
    """Workers, a leader that remembers, a broker that counts generations, and a clock."""

    def __init__(self, configured: Work, *workers: str, max_delay: int = DELAY, homes: bool = False) -> None:
        """`homes`: the leader knows who ran what last, as it does from the status topic."""
        self.homes: dict[str | ConnectorTaskId, str] | None = {} if homes else None
        self.configured, self.max_delay, self.now = configured, max_delay, 1_000_000
        self.running: dict[str, Work] = dict.fromkeys(workers, NO_WORK)
        self.state = AssignorState()
        self.generation, self.completed = 0, -1
        self.moves = Counter[object]()
        self.last = Round({}, {}, 0)

    def join(self, worker: str, runs: Work = NO_WORK) -> None:
        self.running[worker] = runs

    def leave(self, worker: str) -> Work:
        return self.running.pop(worker)

    def new_leader(self) -> None:
        self.state, self.completed = AssignorState(), -1

    def _homes(self) -> tuple[dict[str, Work], Work]:
        idle, returned, departed = self.configured, dict[str, Work](), NO_WORK
        for own in self.running.values():
            idle -= own
        for item in (*idle.connectors, *idle.tasks):
            one = Work.of([item], []) if isinstance(item, str) else Work.of([], [item])
            home = None if self.homes is None else self.homes.get(item)
            if home in self.running:
                returned[home] = returned.get(home, NO_WORK) | one
            elif home is not None:
                departed |= one
        return returned, departed if self.completed < 0 < self.generation else NO_WORK

    def round(self, deaf: Iterable[str] = (), leader_deaf: bool = False) -> Round:
        """One rebalance. `deaf` members do not receive their part; with `leader_deaf` nobody's round counts for it."""
        self._homes_before = self._homes()
        self.generation += 1
        before = RoundInput(
            self.configured, dict(self.running), self.generation, self.completed, self.now, self.max_delay,
            *self._homes_before,
        )  # fmt: skip
        self.state, self.last = assign(self.state, before)
        for worker in self.running.keys() - set(deaf):
            self.running[worker] = (self.running[worker] - self.last.revoked[worker]) | self.last.assigned[worker]
        if not leader_deaf:
            self.completed = self.generation
        if self.homes is not None:
            self.homes |= {item: w for w, own in self.running.items() for item in (*own.connectors, *own.tasks)}
        return self.last

    def settle(self) -> int:
        """Rebalance as the members would, with the clock going on, until nothing is revoked or awaited."""
        for rounds in range(1, 60):
            self.round()
            if self.last.delay:
                self.now += self.last.delay
            elif not any(self.last.revoked.values()):
                return rounds
        raise AssertionError("the group never comes to rest")

    def check(self) -> None:
        self.check_no_doubles()
        everything = NO_WORK
        for own in self.running.values():
            everything |= own
        assert everything == self.configured
        for sizes in (
            [len(w.connectors) for w in self.running.values()],
            [len(w.tasks) for w in self.running.values()],
        ):
            assert max(sizes) - min(sizes) <= 1, sizes

    def check_no_doubles(self) -> None:
        counts = Counter(item for own in self.running.values() for item in [*own.connectors, *own.tasks])
        assert not [item for item, count in counts.items() if count > 1]

    def settled(self) -> Cluster:
        self.settle()
        self.check()
        return self


def moved(before: Mapping[str, Work], after: Mapping[str, Work]) -> int:
    """How many connectors and tasks run somewhere else now."""
    return sum(
        len(gone.connectors) + len(gone.tasks)
        for worker, own in before.items()
        if (gone := own - after.get(worker, own))
    )


# --- the plain way


def test_a_first_round_gives_everything_away_evenly() -> None:
    cluster = Cluster(work(a=3, b=2), "w1", "w2")
    given_away = cluster.round()
    assert given_away.delay == 0
    assert not any(given_away.revoked.values())
    cluster.check()


def test_a_new_worker_gets_its_share_in_two_rounds_and_nothing_else_moves() -> None:
    cluster = Cluster(work(a=4, b=4), "w1").settled()
    before = dict(cluster.running)
    cluster.join("w2")
    first = cluster.round()
    assert first.revoked["w1"]
    assert not first.assigned["w2"]  # what is taken from one is given to another only when it has been stopped
    assert not any(cluster.round().revoked.values())
    cluster.check()
    assert moved(before, cluster.running) == 5  # one connector of two, four tasks of eight


def test_a_round_without_news_changes_nothing() -> None:
    cluster = Cluster(work(a=5, b=3, c=1), "w1", "w2", "w3").settled()
    quiet = cluster.round()
    assert not any(quiet.assigned.values())
    assert not any(quiet.revoked.values())


def test_deleted_connectors_are_revoked_and_new_ones_assigned_in_one_round() -> None:
    cluster = Cluster(work(a=2, b=2), "w1", "w2").settled()
    cluster.configured = work(b=2, c=2)
    told = cluster.round()
    assert told.revoked["w1"] | told.revoked["w2"] == Work.of(["a"], []) | tasks("a", 0, 1)
    cluster.settle()
    cluster.check()


def test_a_worker_that_left_is_awaited_and_gets_its_work_back() -> None:
    cluster = Cluster(work(a=2, b=2), "w1", "w2").settled()
    gone = cluster.leave("w2")
    others = cluster.running["w1"]
    assert cluster.round().delay == DELAY
    assert cluster.running["w1"] == others
    cluster.now += 60_000
    cluster.join("w2-again")
    assert cluster.round().delay == DELAY - 60_000
    cluster.now += DELAY - 60_000
    assert cluster.round().delay == 0
    assert cluster.running == {"w1": others, "w2-again": gone}


def test_a_worker_that_never_comes_back_is_replaced_after_the_delay() -> None:
    cluster = Cluster(work(a=4), "w1", "w2").settled()
    cluster.leave("w2")
    cluster.round()
    cluster.now += DELAY - 1
    assert cluster.round().delay == 1
    cluster.now += 1
    assert cluster.round().delay == 0
    cluster.check()


def test_a_worker_that_comes_back_gets_all_of_its_work_even_if_it_had_the_larger_part() -> None:
    cluster = Cluster(work(a=9), "w1", "w2").settled()
    larger = max(cluster.running, key=lambda worker: len(cluster.running[worker].tasks))
    gone = cluster.leave(larger)
    cluster.round()
    cluster.join("z-again")
    cluster.round()
    cluster.now += DELAY
    cluster.round()
    assert cluster.running["z-again"].tasks == gone.tasks


def test_no_work_is_taken_for_balance_while_a_worker_is_awaited() -> None:
    cluster = Cluster(work(a=9), "w1", "w2", "w3").settled()
    cluster.leave("w3")
    cluster.round()
    cluster.join("w4")
    cluster.join("w5")  # now a share is two, and those who stayed have three each
    waiting = cluster.round()
    assert waiting.delay == DELAY
    assert not any(waiting.revoked.values())
    cluster.now += waiting.delay
    cluster.settle()
    cluster.check()


def test_new_connectors_are_assigned_while_a_worker_is_awaited() -> None:
    cluster = Cluster(work(a=2), "w1", "w2").settled()
    cluster.leave("w2")
    cluster.round()
    cluster.configured = work(a=2, b=1)
    assert cluster.round().assigned["w1"] == work(b=1)


# --- Kafka's own issues


def test_kafka_9184_a_zombie_that_returns_with_work_that_others_have_stops_it() -> None:
    cluster = Cluster(work(a=4), "w1", "w2").settled()
    zombie = cluster.leave("w2")
    cluster.round()
    cluster.now += DELAY
    cluster.round()
    cluster.check()
    cluster.join("w2", zombie)  # it should have stopped, but did not
    cluster.round()
    cluster.check_no_doubles()
    cluster.settle()
    cluster.check()


def test_kafka_9841_what_two_workers_run_is_revoked_from_both_and_given_to_one_in_the_next_round() -> None:
    cluster = Cluster(work(a=1), "w1", "w2")
    cluster.running = {"w1": work(a=1), "w2": work(a=1)}
    cluster.round()
    assert cluster.running == {"w1": NO_WORK, "w2": NO_WORK}
    cluster.round()
    cluster.check()


def test_kafka_9848_an_assignment_that_the_leader_could_not_sync_is_forgotten() -> None:
    cluster = Cluster(work(a=4), "w1", "w2")
    cluster.round(deaf=["w1", "w2"], leader_deaf=True)
    again = cluster.round()
    assert again.delay == 0
    cluster.check()


def test_kafka_9848_nobody_is_awaited_for_work_that_never_reached_them() -> None:
    cluster = Cluster(work(a=4), "w1", "w2")
    cluster.round(deaf=["w1", "w2"], leader_deaf=True)
    cluster.leave("w2")
    assert cluster.round().delay == 0
    cluster.check()


def test_kafka_9849_and_9851_a_worker_that_gave_everything_up_gets_its_work_back_without_a_delay() -> None:
    cluster = Cluster(work(a=2, b=2), "w1", "w2").settled()
    cluster.running["w2"] = NO_WORK  # it could not read the configurations and revoked everything
    assert cluster.round().delay == 0
    cluster.check()


def test_kafka_10763_a_revocation_that_was_not_heard_is_made_again() -> None:
    cluster = Cluster(work(a=4), "w1").settled()
    cluster.join("w2")
    cluster.round(deaf=["w1"])  # the next rebalance came too soon
    cluster.round()
    cluster.check_no_doubles()
    cluster.settle()
    cluster.check()


def test_kafka_10763_a_deleted_task_whose_revocation_was_not_heard_is_revoked_again() -> None:
    cluster = Cluster(work(a=2), "w1").settled()
    cluster.configured = work(a=1)
    cluster.round(deaf=["w1"])
    cluster.round()
    assert cluster.running == {"w1": work(a=1)}


def test_kafka_12495_revoking_rounds_in_a_row_wait_longer_each_time() -> None:
    cluster = Cluster(work(a=60), "w0").settled()
    delays = []
    for number in range(1, 5):
        cluster.join(f"w{number}")
        delays.append(cluster.round().delay)
    assert delays[0] == 0
    assert delays[1] == 40
    cluster.settle()
    cluster.check()


def test_kafka_13764_every_worker_gives_up_what_is_above_its_share_at_once() -> None:
    cluster = Cluster(work(a=12), "w1", "w2").settled()
    cluster.join("w3")
    cluster.join("w4")
    cluster.round()
    assert sorted(len(own.tasks) for own in cluster.running.values()) == [0, 0, 3, 3]
    cluster.settle()
    cluster.check()


def test_kafka_13816_an_eager_round_says_all_that_a_member_runs() -> None:
    dealt = assign_eagerly(work(a=2, b=1), ["w2", "w1"])
    assert dealt == {
        "w1": Work.of(["a"], [ConnectorTaskId("a", 0), ConnectorTaskId("b", 0)]),
        "w2": Work.of(["b"], [ConnectorTaskId("a", 1)]),
    }


def test_kafka_15693_without_a_delay_lost_work_is_given_away_and_balance_kept_at_once() -> None:
    cluster = Cluster(work(a=8), "w1", "w2", max_delay=0).settled()
    cluster.leave("w2")
    assert cluster.round().delay == 0
    cluster.check()
    for number in range(3, 6):  # nobody ever waits, even when each round revokes
        cluster.join(f"w{number}")
        assert cluster.round().delay == 0
    cluster.settle()
    cluster.check()


def test_kafka_17049_a_new_worker_does_not_get_all_of_one_connector() -> None:
    cluster = Cluster(work(a=3, b=3, c=3, d=3), "w1", "w2", "w3").settled()
    cluster.join("w4")
    cluster.settle()
    cluster.check()
    assert len({task.connector for task in cluster.running["w4"].tasks}) == 3


def test_a_new_leader_starts_over_and_gives_what_nobody_runs_away_at_once() -> None:
    cluster = Cluster(work(a=4), "w1", "w2").settled()
    cluster.leave("w2")
    assert cluster.round().delay == DELAY
    cluster.new_leader()
    assert cluster.round().delay == 0
    cluster.check()


def test_a_worker_back_under_its_own_address_gets_its_work_at_once_and_nothing_else_moves() -> None:
    cluster = Cluster(work(a=5, b=4, c=3), "w1", "w2", "w3", homes=True).settled()
    before = dict(cluster.running)
    cluster.leave("w2")
    assert cluster.round().delay == DELAY
    cluster.now += 1000
    cluster.join("w2")
    assert cluster.round().delay == 0
    assert cluster.running == before


def test_a_rolling_restart_gives_every_worker_back_what_it_had_whoever_leads() -> None:
    cluster = Cluster(work(a=5, b=4, c=3, d=7), "w1", "w2", "w3", homes=True).settled()
    before = dict(cluster.running)
    for worker in ("w1", "w2", "w3"):
        cluster.leave(worker)
        cluster.new_leader()
        assert cluster.round().delay == DELAY
        assert cluster.running == {w: own for w, own in before.items() if w != worker}
        cluster.now += 3000
        cluster.join(worker)
        cluster.round()
        assert cluster.running == before
    assert cluster.settle() == 1


def test_a_new_leader_waits_for_the_old_one_only_as_long_as_it_may() -> None:
    cluster = Cluster(work(a=6), "w1", "w2", homes=True).settled()
    cluster.leave("w1")
    cluster.new_leader()
    assert cluster.round().delay == DELAY
    cluster.now += DELAY
    assert cluster.round().delay == 0
    cluster.check()


def test_what_no_configuration_knows_is_revoked_by_a_new_leader_too() -> None:
    cluster = Cluster(work(a=2, b=2), "w1").settled()
    cluster.configured = work(a=2)
    cluster.new_leader()
    cluster.round()
    assert cluster.running == {"w1": work(a=2)}


def test_returning_workers_get_no_more_than_their_share() -> None:
    cluster = Cluster(work(a=9), "w1", "w2", "w3").settled()
    cluster.leave("w2")
    cluster.leave("w3")
    cluster.round()
    cluster.join("w2-again")
    cluster.round()
    cluster.now += DELAY
    last = cluster.round()
    assert not any(last.revoked.values())
    cluster.check()


def test_nothing_configured_is_nothing_to_do() -> None:
    assert assign_eagerly(NO_WORK, ["w1"]) == {"w1": NO_WORK}
    Cluster(NO_WORK, "w1", "w2").settled()


# --- random histories


def live(seed: int) -> None:
    """A cluster with everything that happens to clusters; its promises after each round and in the end."""
    chance = random.Random(seed)
    names = [f"w{i}" for i in range(1, 8)]
    delay, homes = chance.choice([0, 1000, DELAY]), chance.random() < 0.5
    cluster = Cluster(random_work(chance), chance.choice(names), max_delay=delay, homes=homes)
    away: dict[str, Work] = {}
    for _ in range(chance.randint(1, 25)):
        event(chance, cluster, names, away)
        deaf = [w for w in cluster.running if chance.random() < 0.1]
        cluster.round(deaf, leader_deaf=chance.random() < 0.05)
        if not deaf:
            cluster.check_no_doubles()
        cluster.now += chance.choice([0, 1, 50, 2000, DELAY])
    rounds = cluster.settle()
    assert rounds < 15
    cluster.check()
    before = dict(cluster.running)
    cluster.round()
    assert cluster.running == before, "a cluster at rest was disturbed"
    move_little(cluster, chance)


def move_little(cluster: Cluster, chance: random.Random) -> None:
    """One more worker costs no more moves than its share, of connectors and of tasks."""
    before = dict(cluster.running)
    cluster.join("one-more")
    cluster.settle()
    cluster.check()
    own = cluster.running["one-more"]
    assert moved(before, cluster.running) == len(own.connectors) + len(own.tasks)
    if chance.random() < 0.5:
        cluster.leave("one-more")
        before = dict(cluster.running)
        cluster.settle()
        cluster.check()
        assert moved(before, cluster.running) == 0  # who stays keeps what it has


def random_work(chance: random.Random) -> Work:
    return work(**{f"c{i}": chance.randint(0, 8) for i in range(chance.randint(0, 6))})


def event(chance: random.Random, cluster: Cluster, names: list[str], away: dict[str, Work]) -> None:
    match chance.randint(0, 7):
        case 0 | 1:
            free = [n for n in names if n not in cluster.running]
            if free:
                cluster.join(chance.choice(free))
        case 2 | 3 if len(cluster.running) > 1:
            name = chance.choice(sorted(cluster.running))
            away[name] = cluster.leave(name)
        case 4 if away:
            name = chance.choice(sorted(away))  # a zombie: it still runs what it ran
            own = away.pop(name)
            if name not in cluster.running:
                cluster.join(name, own)
        case 5:
            cluster.configured = random_work(chance)
        case 6:
            cluster.new_leader()


@given(st.integers(0, 2**63))
def test_random_histories_end_balanced_with_nothing_lost_doubled_or_moved_in_vain(seed: int) -> None:
    for offset in range(5):
        live(seed + offset)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_many_random_histories(block: int) -> None:
    for seed in range(block * 1000, (block + 1) * 1000):
        live(seed)
