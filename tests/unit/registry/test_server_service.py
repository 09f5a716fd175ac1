"""The registry as a service: start, stop, ports, the client beside it, many clients at once."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from penstock.api import SchemaReference
from penstock.errors import ConfigError, WorkerError
from penstock_registry.client import RegistryRequestError, local_client
from penstock_registry.server.service import RegistryService
from penstock_registry.store import MemoryStore
from penstock_registry.store.sqlite import SqliteStore

LOCAL = {"listeners": "http://127.0.0.1:0"}


@pytest.fixture
def service() -> Iterator[RegistryService]:
    service = RegistryService()
    service.start({**LOCAL, "registry.name": "unit"})
    yield service
    service.stop()


def ask(
    service: RegistryService, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    url = urlsplit(service.urls[0])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if text else None


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = RegistryService()
        with pytest.raises(
            WorkerError, match=rf"http://127\.0\.0\.1:{port} \(listeners\): .*name another one, for example listeners="
        ):
            service.start({"listeners": f"http://127.0.0.1:{port}"})
    assert service.urls == ()
    service.stop()


def test_with_one_port_in_use_the_others_are_given_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
        probe.close()
        with pytest.raises(WorkerError):
            RegistryService().start({"listeners": f"http://127.0.0.1:{free},http://127.0.0.1:{taken.getsockname()[1]}"})
        socket.create_server(("127.0.0.1", free)).close()


def test_stop_may_be_called_twice_and_takes_the_local_name_away() -> None:
    service = RegistryService()
    service.start({**LOCAL, "registry.name": "gone"})
    url = service.urls[0]
    local_client("gone")
    service.stop()
    service.stop()
    with pytest.raises(ConfigError, match="gone"):
        local_client("gone")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0), timeout=5)


def test_it_starts_once(service: RegistryService) -> None:
    with pytest.raises(WorkerError, match="running already"):
        service.start(LOCAL)


def test_warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    service = RegistryService()
    with caplog.at_level(logging.WARNING):
        service.start({**LOCAL, "registry.name": "warned", "jmx.port": "1"})
    service.stop()
    assert "jmx.port has no effect" in caplog.text


def test_the_client_beside_it_sees_what_http_sees(service: RegistryService) -> None:
    client = local_client("unit")
    made = client.register("s", '{"type": "string"}')
    assert (made.id, made.version, made.schema) == (1, 1, '"string"')
    assert ask(service, "GET", "/schemas/ids/1")[1]["schema"] == '"string"'
    assert client.schema_by_id(1).schema == '"string"'
    assert client.lookup("s", '"string"').version == 1
    assert client.latest("s").guid == made.guid
    record = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}'
    client.register("r", record)
    used = '{"type":"record","name":"U","fields":[{"name":"r","type":"R"}]}'
    client.register("u", used, references=[SchemaReference("R", "r", 1)])
    assert client.resolve(client.latest("u").references) == {"R": record}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda client: client.schema_by_id(99), 40403),
        (lambda client: client.latest("none"), 40401),
        (lambda client: client.register("x", "nope"), 42201),
    ],
)
def test_the_client_beside_it_is_refused_as_http_is(service: RegistryService, call: Any, code: int) -> None:
    with pytest.raises(RegistryRequestError) as refused:
        call(local_client("unit"))
    assert refused.value.error_code == code


def test_many_writers_at_once_never_share_an_id_between_schemas(service: RegistryService) -> None:
    found: list[tuple[int, str]] = []
    lock = threading.Lock()

    def register(worker: int) -> None:
        client = local_client("unit")
        for number in range(12):
            # Every schema is registered by two workers, under subjects of their own.
            text = f'{{"type":"fixed","name":"F{worker // 2}_{number}","size":4}}'
            made = client.register(f"s{worker}-{number}", text)
            with lock:
                found.append((made.id, made.schema))

    threads = [threading.Thread(target=register, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 96
    assert len({schema for _, schema in found}) == len({schema_id for schema_id, _ in found}) == len(set(found)) == 48
    assert sorted({schema_id for schema_id, _ in found}) == list(range(1, 49))


def test_the_prepared_answer_follows_deletes(service: RegistryService) -> None:
    ask(service, "POST", "/subjects/a/versions", {"schema": '"int"'})
    ask(service, "POST", "/subjects/b/versions", {"schema": '"int"'})
    assert ask(service, "GET", "/schemas/ids/1")[1]["subject"] == "a"
    ask(service, "DELETE", "/subjects/a")
    answer = ask(service, "GET", "/schemas/ids/1")[1]
    assert (answer["subject"], answer["deleted"]) == ("b", False)
    ask(service, "DELETE", "/subjects/b")
    assert ask(service, "GET", "/schemas/ids/1")[1]["deleted"] is True
    ask(service, "DELETE", "/subjects/a?permanent=true")
    ask(service, "DELETE", "/subjects/b?permanent=true")
    assert ask(service, "GET", "/schemas/ids/1")[0] == 404


def test_an_id_that_was_deleted_is_not_given_again(service: RegistryService) -> None:
    first = ask(service, "POST", "/subjects/a/versions", {"schema": '"int"'})[1]["id"]
    ask(service, "DELETE", "/subjects/a")
    ask(service, "DELETE", "/subjects/a?permanent=true")
    assert ask(service, "POST", "/subjects/a/versions", {"schema": '"long"'})[1]["id"] == first + 1


def test_the_quick_answer_and_the_routed_one_are_the_same(service: RegistryService) -> None:
    ask(service, "POST", "/subjects/:.c:s/versions", {"schema": '"int"'})
    for path in ("/schemas/ids/1", "/contexts/.c/schemas/ids/1"):
        assert ask(service, "GET", path) == ask(service, "GET", path + "?deleted=false")


def test_a_request_too_large_is_refused() -> None:
    service = RegistryService()
    service.start({**LOCAL, "registry.name": "small", "registry.max.request.size": "200"})
    try:
        status, answer = ask(service, "POST", "/subjects/a/versions", {"schema": " " * 300})
        assert (status, answer["error_code"]) == (413, 413)
        assert "registry.max.request.size=200" in answer["message"]
    finally:
        service.stop()


def test_its_health_is_told(service: RegistryService) -> None:
    assert ask(service, "GET", "/master_available") == (200, {"master_available": True})
    assert ask(service, "GET", "/health/live") == (200, {"status": "live"})
    assert ask(service, "GET", "/health/ready") == ask(service, "GET", "/health") == (200, {"status": "ready"})


class Ailing(MemoryStore):
    def problem(self) -> str | None:
        return "no leader"


def test_a_registry_that_cannot_take_changes_says_so() -> None:
    service = RegistryService(store=Ailing())
    service.start({**LOCAL, "registry.name": "ailing"})
    try:
        assert ask(service, "GET", "/master_available") == (200, {"master_available": False})
        assert ask(service, "GET", "/health/ready") == (503, {"status": "not ready", "reason": "no leader"})
        assert ask(service, "GET", "/health/live")[0] == 200
    finally:
        service.stop()


def test_the_api_describes_itself(service: RegistryService) -> None:
    status, document = ask(service, "GET", "/openapi.json")
    assert status == 200
    register = document["paths"]["/subjects/{subject}/versions"]["post"]
    body = register["requestBody"]["content"]["application/vnd.schemaregistry.v1+json"]["schema"]
    assert {"schema", "schemaType", "references", "metadata", "ruleSet"} <= set(body["properties"])
    assert {"normalize", "format"} <= {parameter["name"] for parameter in register["parameters"]}
    bodies = {
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("post", "put") and "requestBody" not in operation and path != "/"
    }
    assert bodies == set()


def test_head_has_no_body_but_its_length(service: RegistryService) -> None:
    url = urlsplit(service.urls[0])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    connection.request("HEAD", "/subjects")
    response = connection.getresponse()
    assert (response.status, response.getheader("content-length"), response.read()) == (200, "2", b"")
    connection.close()


@pytest.mark.parametrize("name", ["a/b", "100%", "a%2Fb", "ü", "a b", "a?b#c", ".."])
def test_any_subject_name_comes_back_as_it_was_given(service: RegistryService, name: str) -> None:
    from urllib.parse import quote

    path = f"/subjects/{quote(name, safe='')}/versions"
    assert ask(service, "POST", path, {"schema": '"int"'})[0] == 200
    assert name in ask(service, "GET", "/subjects")[1]
    assert ask(service, "GET", path + "/latest")[1]["subject"] == name


def test_a_full_disk_is_answered_with_its_reason_and_the_registry_is_not_ready(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "registry.db")
    service = RegistryService(store=store)
    service.start({"listeners": "http://127.0.0.1:0", "registry.name": "full"})
    try:
        with httpx.Client(base_url=service.urls[0]) as client:
            assert client.post("/subjects/s/versions", json={"schema": '"int"'}).status_code == 200
            connection = store._connection
            assert connection is not None
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
            text = '{"type":"fixed","name":"F","size":1,"doc":"%s"}' % ("x" * 100_000)
            for method, path, body in (
                ("POST", "/subjects/t/versions", {"schema": text}),
                ("PUT", "/config", {"compatibilityGroup": "x" * 100_000}),
            ):
                answer = client.request(method, path, json=body)
                assert (answer.status_code, answer.json()["error_code"]) == (500, 50001)
                assert "did not take the change: database or disk is full" in answer.json()["message"]
            connection.execute("PRAGMA query_only = 1")  # as if not even a page were left
            ready = client.get("/health/ready")
            assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
            assert "database or disk is full" in ready.json()["reason"]
            assert client.get("/master_available").json() == {"master_available": False}
            assert client.get("/health/live").status_code == 200
            assert client.get("/subjects").json() == ["s"]
            connection.execute("PRAGMA query_only = 0")
            connection.execute("PRAGMA max_page_count = 1000000")
            assert client.get("/health").status_code == 200
            assert client.post("/subjects/t/versions", json={"schema": text}).json()["id"] == 2
    finally:
        service.stop()
