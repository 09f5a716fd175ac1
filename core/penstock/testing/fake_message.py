"""A message of the fake Kafka clients."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError

__all__ = ["FakeMessage"]


class FakeMessage:
    """A consumed or produced message."""

    def __init__(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int = 0,
        offset: int = 0,
        headers: list[tuple[str, Any]] | None = None,
        timestamp: int = 1,
        error: KafkaError | None = None,
    ) -> None:
        self._parts = topic, value, key, partition, offset, headers, timestamp, error

    def topic(self) -> str:
        return self._parts[0]

    def value(self) -> bytes | None:
        return self._parts[1]

    def key(self) -> bytes | None:
        return self._parts[2]

    def partition(self) -> int:
        return self._parts[3]

    def offset(self) -> int:
        return self._parts[4]

    def headers(self) -> list[tuple[str, Any]] | None:
        return self._parts[5]

    def timestamp(self) -> tuple[int, int]:
        return 1, self._parts[6]

    def error(self) -> KafkaError | None:
        return self._parts[7]

    def reported(self) -> FakeMessage:
        """Return the message as a producer's callback sees it: on a partition, and without its headers."""
        topic, value, key, partition, offset, _, timestamp, error = self._parts
        return FakeMessage(topic, value, key, max(0, partition), offset, None, timestamp, error)
