"""Registry clients: memory, local, HTTP; caching; settings."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from penstock.api import SchemaReference
from penstock.config import Password
from penstock.credentials import without_credentials
from penstock.errors import ConfigError, RetriableError
from penstock_registry.client import (
    CachingClient,
    MemoryClient,
    RegisteredSchema,
    RegistryRequestError,
    client_for,
    drop_mock,
    local_client,
    mock_client,
    register_local,
    split_urls,
    unregister_local,
)  # fmt: skip
from penstock_registry.client.caching import SingleFlightCache
from penstock_registry.client.factory import ClientSettings
from penstock_registry.client.http import HttpClient

FAST = {"max.retries": 0, "timeout": 5.0}


class FakeRegistry:
    """Answers HTTP requests from a table of functions and writes down what came."""

    def __init__(self, answer: Callable[[str, str, Any], tuple[int, Any]]) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                fake.requests.append((self.command, self.path, dict(self.headers.items())))
                status, payload = answer(self.command, self.path, body)
                data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = respond

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def fake() -> Iterator[Callable[[Callable[[str, str, Any], tuple[int, Any]]], FakeRegistry]]:
    made: list[FakeRegistry] = []

    def make(answer: Callable[[str, str, Any], tuple[int, Any]]) -> FakeRegistry:
        made.append(FakeRegistry(answer))
        return made[-1]

    yield make
    for registry in made:
        registry.close()


def test_memory_gives_one_id_to_one_schema_and_versions_to_subjects() -> None:
    client = MemoryClient()
    assert client.register("a", '"int"').id == 1
    assert client.register("a", '"int"') == client.register("a", '"int"')
    assert client.register("b", '"int"').id == 1
    assert client.register("a", '"long"').version == 2
    assert client.latest("a").schema == '"long"'
    assert client.version("a", 1).schema == '"int"'
    assert client.schema_by_id(2).schema == '"long"'
    assert client.lookup("a", '"int"').version == 1


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda c: c.latest("x"), "Subject Not Found; error code: 40401"),
        (lambda c: c.version("a", 9), "Version Not Found; error code: 40402"),
        (lambda c: c.lookup("a", '"x"'), "Schema Not Found; error code: 40403"),
        (lambda c: c.schema_by_id(9), "Subject Not Found; error code: 40401"),
    ],
)
def test_what_memory_does_not_have_is_an_error_with_its_code(
    ask: Callable[[MemoryClient], object], message: str
) -> None:
    client = MemoryClient()
    client.register("a", '"int"')
    with pytest.raises(RegistryRequestError) as caught:
        ask(client)
    assert caught.value.message == message
    assert caught.value.not_found


def test_a_mock_is_shared_by_its_name_until_it_is_dropped() -> None:
    one = client_for("mock://test-client-a", {})
    assert one is client_for(["mock://test-client-a"], {}) is mock_client("test-client-a")
    assert one is not client_for("mock://test-client-b", {})
    drop_mock("test-client-a")
    assert one is not client_for("mock://test-client-a", {})


def test_a_local_registry_is_found_while_it_is_registered() -> None:
    registry = MemoryClient()
    register_local("test-here", registry)
    assert client_for("local://test-here", {}) is registry
    unregister_local("test-here")
    with pytest.raises(ConfigError, match=r"local://test-here.*no such registry runs in this process"):
        local_client("test-here")


def test_references_are_resolved_with_each_after_those_it_needs() -> None:
    client = MemoryClient()
    client.register("base", '"B"')
    base = SchemaReference("B", "base", 1)
    client.register("middle", '"M"', references=[base])
    middle = SchemaReference("M", "middle", 1)
    assert list(client.resolve([middle, base]).items()) == [("B", '"B"'), ("M", '"M"')]


def test_many_threads_that_miss_one_id_cause_one_request() -> None:
    gate, entered = threading.Event(), threading.Event()

    class Slow(MemoryClient):
        def schema_by_id(self, id: int, subject: str | None = None) -> RegisteredSchema:  # noqa: A002 - the registry's word
            entered.set()
            assert gate.wait(10)
            return super().schema_by_id(id, subject)

    inner = Slow()
    inner.register("a", '"int"')
    client = CachingClient(inner)
    found: list[RegisteredSchema] = []
    threads = [threading.Thread(target=lambda: found.append(client.schema_by_id(1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    gate.set()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert inner.requests["schema_by_id"] == 1


def test_a_failure_is_told_but_not_remembered() -> None:
    inner = MemoryClient()
    client = CachingClient(inner)
    with pytest.raises(RegistryRequestError):
        client.schema_by_id(1)
    inner.register("a", '"int"')
    assert client.schema_by_id(1).schema == '"int"'
    assert client.latest("a").version == 1
    client.register("a", '"long"')
    assert client.latest("a").version == 2


def test_a_cache_forgets_the_least_recently_used() -> None:
    cache, loads = SingleFlightCache(2), []

    def get(key: str) -> None:
        cache.get(key, lambda: loads.append(key))

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key)
    assert loads == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_http_speaks_the_registry_s_api(fake: Any) -> None:
    def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "POST" and path.startswith("/subjects/t-value/versions"):
            assert body["schema"] == '"int"'
            assert "normalize=True" in path
            return 200, {"id": 7}
        if method == "POST":
            return 200, {"subject": "t-value", "id": 7, "version": 3, "schema": '"int"'}
        if path.startswith("/schemas/ids/8"):
            return 200, {"schema": '"int"', "references": [{"name": "n", "subject": "s", "version": 2}]}
        return 200, {"subject": "t-value", "id": 7, "version": 3, "schema": '"int"'}

    registry = fake(answer)
    client = HttpClient([registry.url], {**FAST, "basic.auth.user.info": "me:secret"})
    assert client.register("t-value", '"int"', normalize=True).id == 7
    assert client.lookup("t-value", '"int"').version == 3
    assert client.schema_by_id(8, "t-value").references == (SchemaReference("n", "s", 2),)
    assert client.latest("t-value").version == 3
    assert client.version("t-value", 3).id == 7
    assert registry.requests[0][2]["Authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()
    client.close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (404, {"error_code": 40401, "message": "Subject 'x' not found."}, RegistryRequestError, "Subject 'x' not found.; error code: 40401"),
        (409, {"error_code": 409, "message": "incompatible"}, RegistryRequestError, "incompatible; error code: 409"),
        (422, {"error_code": 42201, "message": "Invalid schema"}, RegistryRequestError, "Invalid schema; error code: 42201"),
        (401, {"error_code": 401, "message": "no"}, ConfigError, "refused the credentials"),
        (500, {"error_code": 50001, "message": "store"}, RetriableError, "failed while registering subject x (HTTP 500): store"),
        (503, b"<html>", RetriableError, "HTTP 503"),
        (200, b"<html>", RetriableError, "none of a registry"),
    ],
)  # fmt: skip
def test_refusals_and_failures_are_told_apart(
    status: int, body: Any, kind: type[Exception], message: str, fake: Any
) -> None:
    registry = fake(lambda method, path, sent: (status, body))
    client = HttpClient([registry.url.replace("http://", "http://user:pa55word@")], FAST)
    with pytest.raises(kind) as caught:
        client.register("x", '"int"')
    assert message in str(caught.value)
    assert "pa55word" not in str(caught.value)
    client.close()


def test_a_registry_that_does_not_answer_is_worth_another_try_and_the_next_url_is_asked(fake: Any) -> None:
    registry = fake(lambda method, path, body: (200, {"schema": '"int"'}))
    dead = "http://127.0.0.1:9"
    client = HttpClient([dead], FAST)
    with pytest.raises(RetriableError, match=f"{dead} does not answer while fetching schema id 1"):
        client.schema_by_id(1)
    client.close()
    both = HttpClient([dead, registry.url], FAST)
    assert both.schema_by_id(1).schema == '"int"'
    both.close()


def test_clients_with_equal_settings_are_one() -> None:
    url = "http://127.0.0.1:9"
    one = client_for(url, {"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": Password("a:b")})
    assert one is client_for([url + "/"], {"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "a:b"})
    assert one is not client_for(url, {"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "a:c"})
    assert one is not client_for(url, {"bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "t"})


def test_credentials_may_be_those_of_kafkas_clients() -> None:
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="ann" password="p:w";'
    settings = ClientSettings.parse({
        "schema.registry.url": "http://x", "basic.auth.credentials.source": "SASL_INHERIT", "sasl.jaas.config": Password(jaas),
    })  # fmt: skip
    assert dict(settings.options)["basic.auth.user.info"] == "ann:p:w"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, 'Missing required configuration "schema.registry.url"'),
        ({"schema.registry.url": "ftp://x"}, "expected http://"),
        ({"schema.registry.url": "mock://a,mock://b"}, "stand alone"),
        ({"schema.registry.url": "http://x", "basic.auth.credentials.source": "USER_INFO"}, "expected user:password"),
        (
            {"schema.registry.url": "http://x", "basic.auth.credentials.source": "SASL_INHERIT"},
            "expected sasl.jaas.config",
        ),
        (
            {
                "schema.registry.url": "http://x",
                "basic.auth.credentials.source": "SASL_INHERIT",
                "sasl.jaas.config": "a.OAuthBearerLoginModule required clientId='c';",
            },
            "username and password",
        ),
        (
            {"schema.registry.url": "http://x", "basic.auth.credentials.source": "OTHER"},
            "URL, USER_INFO or SASL_INHERIT",
        ),
        (
            {"schema.registry.url": "http://x", "bearer.auth.credentials.source": "CUSTOM"},
            "expected STATIC_TOKEN or OAUTHBEARER",
        ),
        ({"schema.registry.url": "http://x", "schema.registry.ssl.truststore.location": "/a.jks"}, "only PEM stores"),
        (
            {"schema.registry.url": "http://x", "ssl.ca.location": "/no/such/file"},
            "Schema registry client for http://x",
        ),
    ],
)
def test_wrong_settings_are_refused_by_name(config: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        client_for(config.get("schema.registry.url", ""), config)
    assert message in caught.value.message


def test_urls_and_their_credentials() -> None:
    assert split_urls(" http://a/ , https://b") == ("http://a", "https://b")
    assert without_credentials("http://u:p@host:1/x") == "http://host:1/x"
