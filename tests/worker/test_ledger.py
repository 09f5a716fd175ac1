"""Which offsets may be committed, and when."""

import random

from penstock.runtime.ledger import Ledger, Snapshot

FILE = {"file": "a"}
OTHER = {"file": "b"}


def test_an_offset_waits_for_everything_before_it() -> None:
    ledger = Ledger()
    entries = [ledger.submit(FILE, {"line": n}) for n in range(4)]
    ledger.ack(entries[1])
    ledger.ack(entries[2])
    assert ledger.committable() == []
    ledger.ack(entries[0])
    assert ledger.committable() == [(FILE, {"line": 2})]
    assert ledger.unacknowledged() == 1


def test_a_stuck_partition_does_not_hold_up_another() -> None:
    ledger = Ledger()
    ledger.submit(FILE, {"line": 0})
    ledger.ack(ledger.submit(OTHER, {"line": 5}))
    assert ledger.committable() == [(OTHER, {"line": 5})]


def test_the_order_of_a_partitions_members_does_not_matter() -> None:
    ledger = Ledger()
    first = ledger.submit({"a": 1, "b": 2}, {"n": 1})
    second = ledger.submit({"b": 2, "a": 1}, {"n": 2})
    ledger.ack(second)
    assert ledger.committable() == []
    ledger.ack(first)
    assert ledger.committable() == [({"a": 1, "b": 2}, {"n": 2})]


def test_what_was_withdrawn_is_as_if_never_submitted() -> None:
    ledger = Ledger()
    ledger.ack(ledger.submit(FILE, {"line": 0}))
    entry = ledger.submit(FILE, {"line": 1})
    ledger.withdraw(FILE, entry)
    assert ledger.committable() == [(FILE, {"line": 0})]
    assert ledger.unacknowledged() == 0


def test_acknowledgements_in_any_order_never_pass_a_gap() -> None:
    rng = random.Random(7)
    for _ in range(200):
        ledger = Ledger()
        entries = [ledger.submit(FILE, {"line": n}) for n in range(20)]
        acked: set[int] = set()
        for n in rng.sample(range(20), 20):
            ledger.ack(entries[n])
            acked.add(n)
            front = next((i for i in range(20) if i not in acked), 20)
            ready = ledger.committable()
            assert all(offset["line"] < front for _, offset in ready)
        assert ledger.unacknowledged() == 0


def test_a_snapshot_holds_the_newest_offset_of_each_partition_until_it_is_committed() -> None:
    snapshot = Snapshot()
    for n in range(3):
        snapshot.put(FILE, {"line": n})
    snapshot.put(OTHER, {"line": 9})
    assert snapshot.pending() == [(FILE, {"line": 2}), (OTHER, {"line": 9})]
    assert snapshot
    snapshot.committed()
    assert not snapshot
