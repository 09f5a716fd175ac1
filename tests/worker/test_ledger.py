"""Which offsets may be committed, and when."""

import random

from penstock.kafka.producing import Ticket
from penstock.runtime.source.ledger import Ledger, RunEntry

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


class Shared(Ticket):
    """A ticket as the client holds it for each record."""

    __slots__ = ()


def test_a_run_is_acknowledged_once_it_is_closed_and_its_ticket_has_ended() -> None:
    ledger, ticket = Ledger(), Shared()
    held_by_the_client = [ticket, ticket]
    entry = RunEntry(ticket)
    ledger.add(FILE, entry)
    entry.offset = {"line": 1}
    del ticket
    assert ledger.committable() == []
    held_by_the_client.pop()
    assert ledger.committable() == []
    held_by_the_client.pop()
    assert ledger.committable() == [(FILE, {"line": 1})]
    assert ledger.unacknowledged() == 0


def test_a_run_that_is_still_being_handed_over_is_not_acknowledged() -> None:
    ledger = Ledger()
    entry = RunEntry(Shared())
    ledger.add(FILE, entry)
    assert ledger.committable() == []
    entry.offset = {"line": 0}
    assert ledger.committable() == [(FILE, {"line": 0})]


def test_a_run_with_a_refused_record_holds_up_everything_behind_it() -> None:
    ledger = Ledger()
    refused = RunEntry(Shared())
    refused.offset, refused.refused = {"line": 0}, True
    ledger.add(FILE, refused)
    ledger.ack(ledger.submit(FILE, {"line": 1}))
    assert ledger.committable() == []


def test_what_waits_for_long_is_told_by_source_partitions_and_seconds() -> None:
    ledger = Ledger()
    stuck = ledger.submit(FILE, {"line": 0})
    moving = ledger.submit(OTHER, {"line": 0})
    assert ledger.waiting(100.0, 5.0) is None
    ledger.submit(OTHER, {"line": 1})
    ledger.ack(moving)
    ledger.committable()
    assert ledger.waiting(104.0, 5.0) is None
    assert ledger.waiting(106.0, 5.0) == (1, 6.0)
    assert ledger.waiting(112.0, 5.0) == (2, 12.0)
    ledger.ack(stuck)
    ledger.committable()
    assert ledger.waiting(112.0, 5.0) == (1, 8.0)
