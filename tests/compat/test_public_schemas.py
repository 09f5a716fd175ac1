"""Schema files that others published go into the registry, come out, and are found and compatible with themselves.

A file that is refused must be refused for a reason listed here: the registry has no editions, fetches nothing and has a size limit.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lab import public_schemas
from lab.npm import has_node
from penstock_registry.server.service import RegistryService

pytestmark = pytest.mark.skipif(not has_node(), reason="needs npm, which fetches two of the packages")

RIGHTLY_REFUSED = (
    "edition is not currently supported",
    "leads to nothing in the schema and to none of its registered references; schemas are never fetched",
    "Schema is too large",
    ", found ARRAY",  # a file that is no schema, or a reference that leads to an array
    "exclusiveMinimum: expected a",  # a number in draft 4, or a boolean in a later one
    "/required: expected an array, found BOOLEAN",  # draft 3
    "unknown type: [string[]]",
    "Could not resolve type: TestImportedMessage",  # its import is not in the package
)


class Client:
    def __init__(self, base: str) -> None:
        host, _, port = base.removeprefix("http://").partition(":")
        self._connection = HTTPConnection(host, int(port), timeout=120)

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    yield Client(service.urls[0])
    service.stop()


class Journey:
    """One schema's way: registered, read, registered and looked up in both forms, compared with itself, normalized."""

    def __init__(self, client: Client, schema_type: str) -> None:
        self._client, self._type = client, schema_type
        self.refused: Counter[str] = Counter()
        self.passed = 0

    def go(self, subject: str, text: str, references: list[dict[str, Any]]) -> bool:
        """Return whether the schema was registered. Fails the test if anything behind that is wrong."""
        body = {"schema": text, "schemaType": self._type, "references": references}
        path = f"/subjects/{quote(subject, safe='')}"
        status, made = self._client("POST", f"{path}/versions", body)
        if status != 200:
            assert status == 422, made
            reasons = [reason for reason in RIGHTLY_REFUSED if reason in made["message"]]
            assert reasons, (subject, made["message"][-500:])
            self.refused[reasons[0]] += 1
            return False
        status, read = self._client("GET", f"{path}/versions/latest")
        assert (status, read["id"]) == (200, made["id"])
        for same in (body, {**body, "schema": read["schema"]}):
            assert self._client("POST", f"{path}/versions", same)[1].get("id") == made["id"], subject
            assert self._client("POST", path, same)[1].get("id") == made["id"], subject
            status, verdict = self._client("POST", f"/compatibility{path}/versions/latest?verbose=true", same)
            assert verdict.get("is_compatible"), (subject, verdict)
        self._normalized(f"/subjects/{quote('normal ' + subject, safe='')}", body)
        self.passed += 1
        return True

    def _normalized(self, path: str, body: dict[str, Any]) -> None:
        status, made = self._client("POST", f"{path}/versions?normalize=true", body)
        assert status == 200, made
        _, read = self._client("GET", f"{path}/versions/latest")
        status, again = self._client("POST", f"{path}/versions?normalize=true", {**body, "schema": read["schema"]})
        assert again.get("id") == made["id"], (path, again)


@pytest.fixture(scope="module")
def size(soak: bool) -> int:
    return 1000 if soak else 250


def test_avro_schemas(client: Client, size: int) -> None:
    journey = Journey(client, "AVRO")
    for file in public_schemas.sample(public_schemas.avro_files(), size, 1):
        journey.go(f"avro {file.name}", file.read_text(encoding="utf-8"), [])
    assert journey.passed >= 245
    assert sum(journey.refused.values()) <= 1


def test_json_schemas(client: Client, size: int) -> None:
    journey = Journey(client, "JSON")
    for number, file in enumerate(public_schemas.sample(public_schemas.json_schema_files(), size, 2)):
        if file.stat().st_size < 200_000 or size > 250:  # a short run leaves the slow ones to the long one
            journey.go(f"json {number} {file.name}", file.read_text(encoding="utf-8-sig"), [])
    assert journey.passed >= 0.8 * size


def test_protobuf_files_with_their_imports(client: Client, size: int) -> None:
    root = public_schemas.protobuf_root()
    journey = Journey(client, "PROTOBUF")
    done: dict[str, bool] = {}

    def register(name: str) -> bool:
        if name not in done and (root / name).is_file():
            done[name] = False
            text = (root / name).read_text(encoding="utf-8")
            imports = re.findall(r'^\s*import\s+(?:public\s+|weak\s+)?"([^"]+)"\s*;', text, re.MULTILINE)
            others = [i for i in imports if not i.startswith("google/protobuf/") and register(i)]
            done[name] = journey.go(name, text, [{"name": i, "subject": i, "version": 1} for i in others])
        return done.get(name, False)

    files = [f for f in sorted((root / "google").rglob("*.proto")) if "googleads" not in f.parts or size > 250]
    chosen = public_schemas.sample(files, size, 3)
    for file in chosen:
        register(str(file.relative_to(root)))
    assert journey.passed >= 0.95 * len(chosen)


def test_the_files_are_there() -> None:
    assert len(public_schemas.avro_files()) >= 250
    assert len(public_schemas.json_schema_files()) >= 250
    assert isinstance(public_schemas.protobuf_root(), Path)
