"""A registry over HTTP without a server: an ASGI application that is asked directly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.access.settings import AccessConfig
from penstock.api.registry import ParsedSchema, SchemaFormat, SchemaReference
from penstock_registry.formats.avro import AvroFormat
from penstock_registry.server.access.guard import Guard
from penstock_registry.server.formats import Formats
from penstock_registry.server.http.app import make_app
from penstock_registry.server.registry import Registry
from penstock_registry.store import MemoryStore, SchemaKey, StoreRecord

__all__ = ["LIMIT", "Asking", "CountingFormat", "avro", "log"]

#: The size of a request's body that the registry takes.
LIMIT = 100_000


class CountingFormat(SchemaFormat):
    """Avro, which counts how often it was asked to parse."""

    schema_type = "AVRO"

    def __init__(self) -> None:
        self.parsed = 0
        self._avro = AvroFormat()

    def parse(
        self, text: str, references: Sequence[SchemaReference] = (), resolved: Mapping[str, str] | None = None
    ) -> ParsedSchema:
        self.parsed += 1
        return self._avro.parse(text, references, resolved)


def avro(number: int) -> str:
    field = {"name": f"discount_{number}", "type": ["null", "double"], "default": None}
    other = [
        {"name": f"field_{n}", "type": "string", "doc": "What is in here is told at some length."} for n in range(7)
    ]
    return json.dumps({"type": "record", "name": "Order", "fields": [field, *other]}, separators=(",", ":"))


def log(count: int) -> list[StoreRecord]:
    """Return the records of so many schemas, two versions of each subject."""
    return [
        StoreRecord(
            SchemaKey(f"s{number // 2}", number % 2 + 1),
            {
                "subject": f"s{number // 2}", "version": number % 2 + 1, "id": number + 1, "schemaType": "AVRO",
                "schema": avro(number), "deleted": False,
            },
            1,
        )
        for number in range(count)
    ]  # fmt: skip


Answer = tuple[int, dict[bytes, bytes], bytes]


class Asking:
    """A registry with schemas; with users if there is a file of them."""

    def __init__(self, records: Sequence[StoreRecord] = (), users_file: Path | None = None) -> None:
        self.format = CountingFormat()
        self.registry = Registry(MemoryStore(records), Formats({"AVRO": lambda: self.format}))
        self.registry.start()
        guard = None
        if users_file is not None:
            guard = Guard(AccessConfig(users_file, None, "test", ()), self.registry.settings.alias_of)
        self.front = make_app(self.registry, version="1", identity={}, max_request_size=LIMIT, guard=guard)

    def routed(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return what the routes alone answer."""
        quick, self.front._quick = self.front._quick, None
        try:
            return self.ask(method, target, body, headers)
        finally:
            self.front._quick = quick

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return status, headers and body."""
        path, _, query = target.partition("?")
        given = {"content-type": "application/json"} if body is not None else {}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(k.encode(), v.encode()) for k, v in {**given, **(headers or {})}.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
        }  # fmt: skip
        messages: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        asyncio.run(self.front(scope, receive, send))
        start = messages[0]
        content = b"".join(message.get("body", b"") for message in messages[1:])
        return start["status"], dict(start["headers"]), content
