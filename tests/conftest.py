"""Fixtures that every room's tests may use: a real broker, unique topic names, the long forms on request.

``kafka`` is the bootstrap address of one broker for the whole run, started when the first test asks for it
(``PENSTOCK_TEST_BOOTSTRAP=host:port`` names a running one instead).  Tests that stop, kill or freeze a broker take one of
their own from ``private_broker``.
"""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from lab.database_server import MariaDbServer, PostgresServer
from lab.jars import fetch_jars
from penstock.testing.broker import KafkaBroker

POM = Path(__file__).parent / "broker" / "pom.xml"
BROKER_FIXTURES = {"kafka", "topic", "private_broker"}

# CPU on a shared machine comes in bursts, so no example has a deadline.
hypothesis.settings.register_profile(
    "default", deadline=None, max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "brief", deadline=None, max_examples=10, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "soak", deadline=None, max_examples=3000, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak", action="store_true", help="run the tests marked soak too, and property tests with many examples"
    )
    parser.addoption("--brief", action="store_true", help="run property tests with few examples")


def pytest_configure(config: pytest.Config) -> None:
    profile = "soak" if config.getoption("--soak") else "brief" if config.getoption("--brief") else "default"
    hypothesis.settings.load_profile(profile)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a broker, leave the long forms out, and run the quick tests first."""
    for item in items:
        if BROKER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.broker)
            # Sessions of seconds against a machine that may stall for as long: a second failure counts.
            item.add_marker(pytest.mark.flaky(reruns=1))
    if not config.getoption("--soak"):
        deselected = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
    items.sort(
        key=lambda item: 2 * bool(item.get_closest_marker("broker")) + bool(item.get_closest_marker("packaging"))
    )


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether this is a long run; tests with a short and a long form choose their sizes by it."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="session")
def kafka_jars() -> Path:
    return fetch_jars(POM)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """Bootstrap address of the run's broker. Other tests use it too: take unique names for topics and groups."""
    running = os.environ.get("PENSTOCK_TEST_BOOTSTRAP")
    if running:
        yield running
        return
    with KafkaBroker(request.getfixturevalue("kafka_jars")) as broker:
        yield broker.bootstrap


@pytest.fixture
def topic(kafka: str, request: pytest.FixtureRequest) -> Callable[..., str]:
    """``topic()`` creates a topic and returns its name; ``topic(partitions=3, **configs)``; ``topic(create=False)`` only invents a name."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", request.node.name)[:60]

    def make(label: str = "", *, partitions: int = 1, create: bool = True, **configs: str) -> str:
        name = "-".join(filter(None, (stem, label, uuid.uuid4().hex[:8])))
        if create:
            new = NewTopic(
                name,
                num_partitions=partitions,
                replication_factor=1,
                config={key.replace("_", "."): value for key, value in configs.items()},
            )
            admin = AdminClient(
                {"bootstrap.servers": kafka}
            )  # the answer is lost when the client is collected before it came
            admin.create_topics([new])[name].result(30)
        return name

    return make


@pytest.fixture
def private_broker(request: pytest.FixtureRequest) -> Iterator[Callable[..., KafkaBroker]]:
    """``private_broker()`` starts a broker of this test's own, which it may stop, kill, freeze and start again;
    ``private_broker(start=False)`` leaves the first start to the test, too."""
    brokers: list[KafkaBroker] = []

    def make(*, start: bool = True, **properties: str) -> KafkaBroker:
        broker = KafkaBroker(
            request.getfixturevalue("kafka_jars"), {key.replace("_", "."): value for key, value in properties.items()}
        )
        brokers.append(broker)
        return broker.start() if start else broker

    yield make
    for broker in brokers:
        broker.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The run's PostgreSQL server. Take a database of your own: ``with postgres.database() as name``."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbServer]:
    """The run's MariaDB server. Take a database of your own: ``with mariadb.database() as name``."""
    server = MariaDbServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """What a test says to ``/admin/loggers`` ends with the test, for loggers too that it was the first to name."""
    before = {logger: logger.level for logger in _loggers()}
    yield
    for logger in _loggers():
        logger.setLevel(before.get(logger, logging.NOTSET))


def _loggers() -> list[logging.Logger]:
    named = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    return [logging.getLogger(), *named]
