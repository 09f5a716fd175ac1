"""Records of a topic as scenarios describe them, and the comparison of what was seen with what a scenario says."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

__all__ = ["TopicReader", "differences", "grouped"]


def differences(expected: Any, seen: Any, where: str = "$") -> list[str]:
    """Return where `seen` is not as `expected` says: ``{"$re": …}`` matches a text, ``{"$any": true}`` anything."""
    if isinstance(expected, dict) and set(expected) == {"$re"}:
        matches = isinstance(seen, str) and re.fullmatch(expected["$re"], seen, re.S)
        return [] if matches else [f"{where}: {seen!r} does not match {expected['$re']}"]
    if expected == {"$any": True}:
        return []
    if isinstance(expected, dict) and isinstance(seen, dict):
        found = [f"{where}.{key}: unexpected {seen[key]!r:.300}" for key in seen if key not in expected]
        for key, value in expected.items():
            found += differences(value, seen[key], f"{where}.{key}") if key in seen else [f"{where}.{key}: missing"]
        return found
    if isinstance(expected, list) and isinstance(seen, list):
        found = (
            [f"{where}: {len(seen)} items, expected {len(expected)}: {seen!r:.500}"]
            if len(seen) != len(expected)
            else []
        )
        for index, (one, other) in enumerate(zip(expected, seen, strict=False)):
            found += differences(one, other, f"{where}[{index}]")
        return found
    same = type(expected) is type(seen) and expected == seen
    return [] if same else [f"{where}: expected {expected!r:.300}, got {seen!r:.300}"]


def grouped(records: list[dict[str, Any]], names: Any) -> list[dict[str, Any]]:
    """Return the records as a scenario has them: those of the same schema that follow one another together."""
    groups: list[dict[str, Any]] = []
    for record in records:
        group: dict[str, Any] = {"schema": record["schema"], "payloads": [record["payload"]]}
        if record["key"] is not None:
            group["key"] = record["key"]
        if names and record["headers"] is not None:
            group["headers"] = {name: value for name, value in record["headers"].items() if name in names}
        if groups and {k: v for k, v in groups[-1].items() if k != "payloads"} == {
            k: v for k, v in group.items() if k != "payloads"
        }:
            groups[-1]["payloads"] += group["payloads"]
        else:
            groups.append(group)
    return groups


class TopicReader:
    """Reads one topic from its beginning; `take` hands over what is new."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic, self._assigned = topic, False
        self._new: list[dict[str, Any]] = []
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": f"replay-{secrets.token_hex(6)}", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100, "allow.auto.create.topics": False, "log_level": 2,
            "topic.metadata.refresh.interval.ms": 500,
        })  # fmt: skip

    def close(self) -> None:
        self._consumer.close()

    def take(self, count: int, timeout: float, settle: float, exactly: bool) -> list[dict[str, Any]]:
        """Return the new records once there are `count`, and those that come within `settle` seconds more."""
        end = time.monotonic() + timeout
        while len(self._new) < count and time.monotonic() < end:
            self._poll()
        end = time.monotonic() + settle
        while settle and time.monotonic() < end:
            self._poll()
        size = count if exactly else len(self._new)
        taken, self._new = self._new[:size], self._new[size:]
        return taken

    def _poll(self) -> None:
        if not self._assigned:
            try:
                found = self._consumer.list_topics(self._topic, timeout=10).topics.get(self._topic)
            except KafkaException:
                found = None
            if found is None or found.error or not found.partitions:
                time.sleep(0.2)
                return
            self._consumer.assign([TopicPartition(self._topic, p, 0) for p in found.partitions])
            self._assigned = True
        message = self._consumer.poll(0.2)
        while message is not None:
            if not message.error():
                self._new.append(_record(message))
            message = self._consumer.poll(0)


def _record(message: Any) -> dict[str, Any]:
    value = _parsed(message.value())
    envelope = isinstance(value, dict) and set(value) == {"schema", "payload"}
    headers = message.headers()
    return {
        "key": _parsed(message.key()),
        "schema": value["schema"] if envelope else None,
        "payload": value["payload"] if envelope else value,
        "headers": None
        if headers is None
        else {k: None if v is None else v.decode("utf-8", "replace") for k, v in headers},
    }


def _parsed(data: bytes | None) -> Any:
    try:
        return None if data is None else json.loads(data)
    except ValueError:
        return {"raw": (data or b"").decode("utf-8", "replace")}
