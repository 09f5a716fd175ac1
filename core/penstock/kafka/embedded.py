"""The embedded broker of ``penstock dev``: librdkafka's mock cluster, which comes with the client."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaException, Producer

from penstock.errors import WorkerError

__all__ = ["EMBEDDED_CLIENT_SETTINGS", "EmbeddedBroker"]

#: The settings of a consumer of the embedded broker, in librdkafka's names: it must notice soon that a topic appeared.
#: Trouble inside the group is mended after a session, which is short because all members are in this process.
EMBEDDED_CLIENT_SETTINGS: Final = {
    "topic.metadata.refresh.interval.ms": "300",
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "1000",
}


class EmbeddedBroker:
    """One broker in this process, on a port of 127.0.0.1. Keeps records in memory, about 5 MB per partition; topics
    appear on the first produce with 4 partitions; there are no admin calls. Gone with `stop`."""

    def __init__(self) -> None:
        # The cluster lives inside the client that asked for it.
        self._client: Producer | None = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 3})
        try:
            brokers = self._client.list_topics(timeout=10).brokers
        except KafkaException as error:
            raise WorkerError(
                f"The embedded broker did not start: {error.args[0].str()}; use --bootstrap-servers to name a real one"
            ) from error
        broker = next(iter(brokers.values()))
        self.bootstrap_servers = f"{broker.host}:{broker.port}"

    def stop(self) -> None:
        self._client = None
