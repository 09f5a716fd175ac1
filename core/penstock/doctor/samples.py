"""A sample of the records that the connector reads, or writes beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from penstock.api import Converter
from penstock.data import Header, Headers
from penstock.doctor.payload import Form, form_of
from penstock.doctor.situation import CONSUMER, WORKER, Situation
from penstock.errors import ConfigError, ConnectError, RetriableError
from penstock.java.regex import JavaRegexError, compile_regex
from penstock.kafka import KafkaClients
from penstock.kafka.sampling import matching_topics, newest_records
from penstock.kafka.subscription import INTERNAL_TOPICS

__all__ = ["KafkaSampler", "Part", "Reading", "Sampler", "place_of", "read_all", "reason"]

_OWNER: Final = "penstock-doctor"


class Sampler(Protocol):
    """Gives the newest records of topics."""

    def topics(self) -> list[str]:
        """Return the topics of the connector. Raises `ConnectError`."""

    def records(self, topic: str) -> list[Any]:
        """Return messages of the Kafka client; empty for a topic without records. Raises `ConnectError`."""


class KafkaSampler:
    """Reads with the credentials of the connector's consumer: a sink's own, or the worker's for a source."""

    def __init__(self, situation: Situation, most: int) -> None:
        self._situation, self._most = situation, most
        self._read: dict[str, list[Any]] = {}
        if situation.is_sink:
            # Its own group, which it may use; nothing joins it, and nothing is committed.
            self._clients, self._overrides = situation.clients, situation.connection(CONSUMER)
            self._overrides["group.id"] = situation.sink_group
        else:
            worker = situation.connection(WORKER)
            self._clients, self._overrides = KafkaClients(worker, consumer=worker), {"group.id": _OWNER}
            if situation.distributed:
                self._overrides["group.id"] = situation.worker["group.id"]

    def topics(self) -> list[str]:
        situation = self._situation
        pattern = (situation.connector or {}).get("topics.regex", "").strip()
        if not situation.is_sink or situation.topics or not pattern:
            return situation.topics
        try:
            matches = compile_regex(pattern).matches
        except JavaRegexError as error:
            raise ConfigError("topics.regex", pattern, f"Invalid regex: {error}") from error
        found = matching_topics(self._clients, self._overrides, _OWNER, matches, situation.timeout)
        return [topic for topic in found if topic not in INTERNAL_TOPICS]

    def records(self, topic: str) -> list[Any]:
        if topic not in self._read:
            self._read[topic] = newest_records(
                self._clients, self._overrides, _OWNER, topic, self._most, timeout=self._situation.timeout
            )
        return self._read[topic]


@dataclass(frozen=True)
class Part:
    """The keys or the values of a sample: `which` is ``key`` or ``value``. Records without one are not in it."""

    which: str
    messages: Sequence[Any]

    @property
    def payloads(self) -> list[bytes]:
        return [self.data(message) for message in self.messages]

    def data(self, message: Any) -> bytes:
        data: bytes | None = message.key() if self.which == "key" else message.value()
        return data or b""

    @classmethod
    def of(cls, which: str, messages: Sequence[Any]) -> Part:
        return cls(which, [m for m in messages if (m.key() if which == "key" else m.value()) is not None])

    def forms(self) -> dict[Form, list[Any]]:
        """Return the messages by the form of their part, the most frequent form first."""
        found: dict[Form, list[Any]] = {}
        for message in self.messages:
            names = [name for name, _ in message.headers() or ()]
            found.setdefault(form_of(self.data(message), names, self.which), []).append(message)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))


@dataclass(frozen=True)
class Reading:
    """The outcome of a converter that was tried: how many payloads it read, and what it could not read."""

    read: int
    failures: Sequence[tuple[Any, BaseException]]

    @property
    def clean(self) -> bool:
        return not self.failures

    @property
    def unanswered(self) -> BaseException | None:
        """Return the error of a registry that did not answer; such a reading says nothing of the converter."""
        return next((error for _, error in self.failures if isinstance(error, RetriableError)), None)


def read_all(converter: Converter, part: Part) -> Reading:
    """Have `converter`, configured, read every payload as a sink task does."""
    read, failures = 0, []
    for message in part.messages:
        topic = message.topic() or ""
        try:
            headers = message.headers()
            if converter.reads_headers and headers:
                raw = Headers(Header(name, None, value) for name, value in headers)
                converter.deserializer_with_headers(topic)(part.data(message), raw)
            else:
                converter.deserializer(topic)(part.data(message))
            read += 1
        except Exception as error:
            failures.append((message, error))
            if isinstance(error, RetriableError):
                break  # each further payload would wait as long
    return Reading(read, failures)


def place_of(message: Any) -> str:
    return f"{message.topic()}-{message.partition()}@{message.offset()}"


def reason(error: BaseException) -> str:
    """Return the message of `error` with its cause and the notes on it, each once, on one line."""
    texts = [error.message if isinstance(error, ConnectError) else f"{type(error).__name__}: {error}"]
    texts += [str(note) for note in getattr(error, "__notes__", ())]
    if error.__cause__ is not None:
        texts.append(str(error.__cause__))
    parts: list[str] = []
    for text in (" ".join(text.split()) for text in texts):
        if not any(text in known for known in parts):
            parts.append(text)
    return " ".join(parts)
