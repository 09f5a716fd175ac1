"""topics.regex on a real broker: which topics are read, as they come and go, and what a restart or a kill costs."""

from collections.abc import Callable
from pathlib import Path

from confluent_kafka.admin import AdminClient

from lab.sink_worker import SinkWorker, produce


def test_a_pattern_of_javas_is_matched_against_whole_names_and_follows_topics_as_they_come_and_go(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    stem = topic(create=False)
    first, ignored, longer = topic("orders-eu"), topic("orders-test"), topic("old-orders-eu")
    # Neither (?: nor (?i) nor a lookahead is something that librdkafka's own patterns know.
    pattern = rf"(?i){stem[:-9]}-(?:ORDERS)-(?!test)\w+-[0-9a-f]{{8}}"
    sink = SinkWorker(tmp_path, kafka, {"topics.regex": pattern})
    for name in (first, ignored, longer):
        produce(kafka, name, [f"in {name}"])
    with sink.start() as running:
        sink.wait(running, lambda: sink.values == [f"in {first}"], "the first topic's record")
        second = topic("orders-us", partitions=2)
        produce(kafka, second, ["new 0"])
        produce(kafka, second, ["new 1"], partition=1)
        sink.wait(running, lambda: {"new 0", "new 1"} <= set(sink.values), "the new topic's records")
        produce(kafka, first, ["more"])
        sink.wait(running, lambda: "more" in sink.values, "more of the first topic")
        assert (
            sink.log.count(" assigned ") == 2
        )  # one for each change of topics, none for a look that found nothing new
        admin = AdminClient({"bootstrap.servers": kafka})
        admin.delete_topics([second])[second].result(30)
        sink.wait(running, lambda: f"gone: {second}" in sink.log, "notice of the topic that is gone")
        produce(kafka, first, ["after"])
        sink.wait(running, lambda: "after" in sink.values, "what came after a topic was gone")
        assert sink.task(running)["state"] == "RUNNING"
        assert running.stop() == 0
    assert sorted(sink.values) == sorted([f"in {first}", "new 0", "new 1", "more", "after"])
    assert sink.committed[first, 0] == 3


def test_a_sink_by_pattern_takes_nothing_twice_after_a_stop_and_loses_nothing_when_it_is_killed(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    names = [topic(f"k{number}") for number in range(3)]
    stem, ends = names[0].rpartition("-k0")[0], "|".join(name.rpartition("-")[2] for name in names)
    sink = SinkWorker(tmp_path, kafka, {"topics.regex": rf"{stem}-k\d-({ends})"})  # none of an earlier try's
    expected: list[str] = []

    def more(label: str, count: int = 500) -> None:
        for name in names:
            values = [f"{label} {name} {number}" for number in range(count)]
            produce(kafka, name, values)
            expected.extend(values)

    more("first")
    with sink.start() as running:
        sink.wait(running, lambda: len(sink.lines) >= len(expected), "the first records")
        assert running.stop() == 0
    assert sink.committed == {(name, 0): 500 for name in names}
    more("second")
    with sink.start() as running:
        sink.wait(running, lambda: len(sink.lines) >= len(expected), "the second records")
        assert sorted(sink.values) == sorted(expected)
        more("third", 5000)
        sink.wait(running, lambda: len(sink.lines) > 4000, "some of the third records")
        running.kill()
    with sink.start() as running:
        sink.wait(running, lambda: set(sink.values) >= set(expected), "every record")
        assert running.stop() == 0
    assert sink.committed == {(name, 0): 6000 for name in names}


def test_a_pattern_that_matches_nothing_yet_waits_for_its_first_topic_and_means_none_of_kafkas_own(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic("late", create=False)
    sink = SinkWorker(tmp_path, kafka, {"topics.regex": f"__consumer_offsets|{name}"})
    with sink.start() as running:
        sink.wait(running, lambda: f"no topic matches __consumer_offsets|{name} yet" in sink.log, "a word in the log")
        assert sink.task(running)["state"] == "RUNNING"
        produce(kafka, name, ["first"])
        sink.wait(running, lambda: sink.values == ["first"], "the first topic's record")
        assert running.stop() == 0
    assert sink.committed == {(name, 0): 1}
