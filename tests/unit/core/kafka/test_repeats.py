"""Complaints of a client that cannot reach its broker."""

from penstock.kafka.repeats import Repeats


def test_the_same_complaint_is_made_once_in_thirty_seconds_whatever_its_times_and_counts() -> None:
    now = [0.0]
    repeats = Repeats(clock=lambda: now[0])
    assert repeats.admit("b:9092: Connect failed (after 1ms in state CONNECT)")
    assert not repeats.admit("b:9092: Connect failed (after 27ms in state CONNECT)")
    assert not repeats.admit("b:9092: Connect failed (after 0ms in state CONNECT, 30 identical error(s) suppressed)")
    assert repeats.admit("c:9092: Connect failed (after 1ms in state CONNECT)")
    now[0] = 31.0
    assert repeats.admit("b:9092: Connect failed (after 1ms in state CONNECT)")


def test_what_is_remembered_is_bounded() -> None:
    repeats = Repeats(clock=lambda: 0.0)
    assert all(repeats.admit(f"complaint {number}") for number in range(5000))
