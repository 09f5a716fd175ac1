"""Sources wait while the sinks of the same process are behind."""

import threading

from penstock.runtime.admission import UnreadLimit


def test_a_topic_nobody_reads_holds_nobody_back() -> None:
    limit = UnreadLimit(1000)
    limit.produced({"t": (1, 5000)})
    assert limit.unread == 0
    limit.wait(threading.Event())


def test_a_source_waits_until_the_reader_has_caught_up() -> None:
    limit = UnreadLimit(1000)
    limit.add_reader("sink", ["t"])
    limit.produced({"t": (1, 5000)})
    passed = threading.Event()
    waiter = threading.Thread(target=lambda: (limit.wait(threading.Event()), passed.set()))
    waiter.start()
    assert not passed.is_set()
    limit.consumed({"t": (1, 5000)})
    waiter.join(10)
    assert passed.is_set()
    assert limit.unread == 0


def test_a_stop_ends_the_wait() -> None:
    limit = UnreadLimit(10)
    limit.add_reader("sink", ["t"])
    limit.produced({"t": (1, 50)})
    stopping = threading.Event()
    stopping.set()
    limit.wait(stopping)
    assert limit.unread > 0


def test_a_pattern_reads_whole_names_only() -> None:
    limit = UnreadLimit(10)
    limit.add_reader("sink", ["^(?:orders-.*)$"])
    limit.produced({"orders-eu": (1, 1)})
    limit.produced({"old-orders-eu": (1, 1)})
    assert limit.unread == 97


def test_what_a_reader_that_is_gone_has_not_read_counts_no_more() -> None:
    limit = UnreadLimit(10)
    limit.add_reader("sink", ["t"])
    limit.produced({"t": (1, 50)})
    limit.remove_reader("sink")
    limit.wait(threading.Event())
    assert limit.unread == 0


def test_each_sink_has_still_to_read_what_another_has_read() -> None:
    limit = UnreadLimit(1000)
    flows = [limit.add_reader(f"{sink}-{task}", ["t"], sink) for sink in ("a", "b") for task in (0, 1)]
    limit.produced({"t": (1, 50)})
    assert limit.unread == 2 * 146
    flows[0].consumed({"t": (1, 50)})
    assert limit.unread == 146
    flows[3].consumed({"t": (1, 50)})
    assert limit.unread == 0


def test_a_group_counts_until_its_last_reader_is_gone() -> None:
    limit = UnreadLimit(10)
    for task in ("a-0", "a-1"):
        limit.add_reader(task, ["t"], "a")
    limit.produced({"t": (1, 50)})
    limit.remove_reader("a-0")
    assert limit.unread > 0
    limit.remove_reader("a-1")
    limit.remove_reader("a-1")
    assert limit.unread == 0
