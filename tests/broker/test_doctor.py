"""``penstock doctor`` on a real broker: a healthy set-up, and what may be broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.examined import Place, sink, worse, write
from penstock.cli import main
from penstock.testing.broker import KafkaBroker, free_ports


def test_a_healthy_worker_and_its_sink_have_nothing_worse_than_ok(
    place: Place, kafka: str, topic: Callable[..., str]
) -> None:
    orders = topic("orders", partitions=3)
    write(kafka, orders, [b'{"n": %d}' % n for n in range(10)])
    place.create_internal_topics()
    status, findings = place.run(sink(orders))
    assert (status, worse(findings)) == (0, [])
    told = {(finding["check"], finding["about"]): finding for finding in findings}
    assert "speaks Kafka 4." in told["kafka", "broker 1"]["message"]
    assert "within" in told["clock", "this machine's clock"]["message"]
    assert told["rights", f"group {place.group}"]["level"] == "ok"
    assert told["rights", "group connect-c"]["level"] == "ok"
    assert "reads the newest" in told["converters", f"values of {orders}"]["message"]


def test_the_report_in_words_ends_with_its_numbers(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.create_internal_topics()
    capsys.readouterr()
    assert main(["doctor", str(place.worker_file())]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"settings:", "kafka:", "topics:", "rights:", "registry:"} <= set(lines)
    assert lines[-1].endswith("0 warning, 0 broken, 0 skipped")


def test_topics_that_are_missing_are_tried_and_none_is_made(place: Place) -> None:
    before = place.topics()
    status, findings = place.run(
        sink("not-there-yet", errors__tolerance="all", errors__deadletterqueue__topic__name="letters-of-nobody"),
    )
    missing = {finding["about"]: finding for finding in findings if finding["check"] == "topics"}
    assert [finding["level"] for finding in missing.values()] == ["ok"] * 3
    letters = next(finding for finding in findings if finding["about"] == "topic letters-of-nobody")
    assert letters["level"] == "broken"  # three replicas are asked for, and there is one broker
    assert "errors.deadletterqueue.topic.replication.factor" in letters["advice"]
    assert status == 1
    assert place.topics() - before <= {"__consumer_offsets"}  # the broker's own, once it is asked for a group


# --- each kind of break


def test_internal_topics_that_are_not_fit_are_told_one_by_one(place: Place) -> None:
    place.create_topic(f"{place.group}-config", partitions=2, cleanup_policy="compact")
    place.create_topic(f"{place.group}-offset", cleanup_policy="delete")
    place.create_topic(f"{place.group}-status", cleanup_policy="compact", min_insync_replicas="2")
    status, findings = place.run()
    found = {finding["about"]: finding["message"] for finding in worse(findings, "broken")}
    assert status == 1
    assert "2 partitions" in found[f"{place.group}-config"]
    assert "cleanup.policy is delete" in found[f"{place.group}-offset"]
    assert "no write is taken" in found[f"{place.group}-status"]


def test_more_replicas_than_brokers_are_told_before_the_worker_fails_at_them(place: Place) -> None:
    status, findings = place.run(config__storage__replication__factor="3")
    [told] = worse(findings)
    assert (status, told["check"], told["about"]) == (1, "topics", f"{place.group}-config")
    assert "replication" in told["message"].lower()


def test_a_port_where_nobody_listens_skips_what_needs_kafka(place: Place) -> None:
    [port] = free_ports(1)
    status, findings = place.run(bootstrap__servers=f"127.0.0.1:{port}")
    [told] = worse(findings)
    assert (status, told["check"]) == (1, "kafka")
    assert {finding["check"] for finding in worse(findings, "skipped")} == {"clock", "topics", "rights"}


def test_security_that_the_listener_does_not_have_is_told_as_such(place: Place) -> None:
    status, findings = place.run(security__protocol="SSL")
    [told] = worse(findings, "broken")
    assert (status, told["check"]) == (1, "kafka")
    assert "security.protocol" in told["advice"]
    assert "ssl" in told["message"].lower(), told


def test_a_broker_that_calls_itself_by_a_name_that_nobody_knows_is_told_at_once(
    place: Place, private_broker: Callable[..., KafkaBroker]
) -> None:
    lost = private_broker(advertised_listeners="PLAINTEXT://nowhere.invalid:9092")
    status, findings = place.run(bootstrap__servers=lost.bootstrap)
    [told] = worse(findings)
    assert (status, told["about"]) == (1, "broker 1")
    assert "it calls itself nowhere.invalid:9092" in told["message"]
    assert "advertised.listeners" in told["advice"]
    assert {finding["check"] for finding in worse(findings, "skipped")} == {"clock", "topics", "rights"}


def test_settings_that_are_not_valid_are_told_all_at_once(place: Place) -> None:
    status, findings = place.run(offset__flush__interval__ms="soon", heartbeat__interval__ms="99999999")
    assert status == 1
    assert len(findings) == 2
    assert all(finding["check"] == "settings" and finding["level"] == "broken" for finding in findings)
