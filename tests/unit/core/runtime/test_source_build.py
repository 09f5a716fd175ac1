"""The settings that the producer of an exactly-once source has of its own, and who may change them."""

from __future__ import annotations

import pytest

from penstock.runtime.source.boundaries import TransactionBoundary
from penstock.runtime.source.build import transaction_defaults
from penstock.runtime.source.exactly_once import TransactionSettings

PIPELINE = {"batch.size": "131072", "max.in.flight.requests.per.connection": "5"}


@pytest.mark.parametrize(
    ("boundary", "interval_s", "timeout_ms"),
    [
        (TransactionBoundary.POLL, 3600.0, "60000"),
        (TransactionBoundary.CONNECTOR, 3600.0, "60000"),
        (TransactionBoundary.INTERVAL, 0.5, "60500"),
        (TransactionBoundary.INTERVAL, 3600.0, "900000"),
    ],
)
def test_a_transaction_may_stay_open_longer_than_its_interval_up_to_what_brokers_allow(
    boundary: TransactionBoundary, interval_s: float, timeout_ms: str
) -> None:
    found = transaction_defaults({}, TransactionSettings(boundary, interval_s, 5.0))
    assert found == {**PIPELINE, "transaction.timeout.ms": timeout_ms}


def test_the_workers_own_producer_settings_come_first() -> None:
    worker = {"producer.batch.size": "16384", "producer.transaction.timeout.ms": "5000", "batch.size": "1"}
    found = transaction_defaults(worker, TransactionSettings(TransactionBoundary.POLL, 60.0, 5.0))
    assert found == {"max.in.flight.requests.per.connection": "5"}
