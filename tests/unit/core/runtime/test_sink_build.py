"""A sink task's configuration: what it reads, and numbers that the loop itself uses."""

from typing import Any

import pytest

from penstock.config import ConfigDef
from penstock.config.connector import sink_connector_config_def
from penstock.errors import ConfigError
from penstock.runtime.sink.build import SinkTopics, _number


def common(**config: str) -> dict[str, Any]:
    definition: ConfigDef = sink_connector_config_def()
    return definition.parse(
        {"name": "archive", "connector.class": "X", **{k.replace("_", "."): v for k, v in config.items()}}
    )


@pytest.mark.parametrize(
    ("pattern", "topic", "reads"),
    [
        ("orders-.*", "orders-eu", True),
        ("orders-.*", "old-orders-eu", False),
        ("orders", "orders-eu", False),
        ("(?i)ORDERS-\\d+", "orders-12", True),
        ("orders-(?!test).*", "orders-test", False),
        ("orders-(?!test).*", "orders-eu", True),
        ("a|ab", "ab", True),
        ("[a-z&&[^x]]+", "axe", False),
        ("\\Qa.b\\E", "a.b", True),
        ("\\Qa.b\\E", "axb", False),
    ],
)
def test_a_pattern_is_javas_and_matches_whole_names(pattern: str, topic: str, reads: bool) -> None:
    assert SinkTopics.of(common(topics_regex=pattern)).reads(topic) is reads


def test_a_pattern_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"topics\.regex"):
        SinkTopics.of({"topics": [], "topics.regex": "orders-("})


@pytest.mark.parametrize("name", ["a b", ".", "..", "x" * 250, "grün"])
def test_names_that_kafka_does_not_allow_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="at most 249 letters"):
        SinkTopics.of({"topics": ["ok", name], "topics.regex": ""})


@pytest.mark.parametrize("value", ["x", "", "1.5", "0", "-1", "1e3", "9" * 100_000, "2147483648", "\u0663"])
@pytest.mark.parametrize("name", ["max.poll.records", "max.poll.interval.ms"])
def test_a_number_that_is_none_is_a_named_refusal_and_never_a_bare_value_error(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"consumer\.override\.{name}: expected a whole number") as raised:
        _number({name: value}, name)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(("given", "seconds"), [(None, 300), ("1000", 1), ("-1", 300), ("x", 300)])
def test_topics_are_looked_for_at_the_metadata_interval(given: str | None, seconds: float) -> None:
    settings = {} if given is None else {"topic.metadata.refresh.interval.ms": given}
    subscription = SinkTopics.of(common(topics_regex="a.*")).subscription(settings, internal=False, embedded=False)
    subscription.update("[c|task-0]", lambda timeout: frozenset({"a1"}), lambda topics: None)
    assert seconds - 1 < subscription.wait <= seconds
