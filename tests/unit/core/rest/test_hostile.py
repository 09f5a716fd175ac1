"""What strangers, web pages and mistakes send to the REST API: refused with a sentence, never a 500, never at others' cost."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from lab.fake_worker import FakeWorker
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.herder.distributed.signatures import check, sign
from penstock.herder.interface import ConnectorInfo, InternalHerder, RequestSignature
from penstock.herder.standalone import StandaloneHerder, compose_standalone
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins
from penstock.rest.server import RestServer
from penstock.storage.config_records import SessionKey

MOCK = "org.apache.kafka.connect.tools.MockSourceConnector"
JSON = "org.apache.kafka.connect.json.JsonConverter"
KEY = SessionKey(b"k" * 32, "HmacSHA256", 0)


class Validator(ConnectorValidator):
    """Hangs for as long as `held` is set in a validation of class ``Hang``, as one does whose config provider does."""

    def __init__(self, plugins: Plugins) -> None:
        super().__init__(plugins, {"key.converter": JSON, "value.converter": JSON}, resolve=self._look_up)
        self.hanging = threading.Semaphore(0)
        self.let_go = threading.Event()

    def validate(self, config: Mapping[str, str | None], *args: Any, **named: Any) -> Any:
        if config.get("connector.class") == "Hang":
            self.hanging.release()
            self.let_go.wait(60)
            config = {"connector.class": MOCK}
        return super().validate(config, *args, **named)

    def _look_up(self, config: Mapping[str, str]) -> Mapping[str, str]:
        if "provider" in config:
            self.hanging.release()
            self.let_go.wait(60)
        return dict(config)


class Herder(InternalHerder):
    """A standalone herder that takes signed requests as a distributed one does; one connector of it cannot be shown."""

    def __init__(self, inner: StandaloneHerder) -> None:
        self.broken = ""
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def check_signature(self, signature: RequestSignature | None) -> None:
        check(signature, KEY, ["HmacSHA256"])

    def put_task_configs(
        self, name: str, configs: Sequence[Mapping[str, str]], signature: RequestSignature | None
    ) -> None:
        self.check_signature(signature)

    def fence_zombies(self, name: str, signature: RequestSignature | None) -> None:
        self.check_signature(signature)

    def connector_info(self, name: str) -> ConnectorInfo:
        if name == self.broken:
            raise KeyError("connector.class")
        return self._inner.connector_info(name)


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(Plugins.discover())


@pytest.fixture(scope="module")
def herder(validator: Validator) -> Iterator[Herder]:
    plugins = Plugins.discover()
    made = compose_standalone(
        plugins, "fake:8083", lambda recorder: FakeWorker(plugins, recorder), lambda worker: validator
    ).herder
    made.start()
    yield Herder(made)
    made.stop()


Serve = Callable[..., str]


@pytest.fixture
def serve(herder: Herder) -> Iterator[Serve]:
    """``serve(**worker settings, dots for underscores)``: the URL of a started server."""
    servers: list[RestServer] = []

    def make(**settings: str) -> str:
        given = {key.replace("_", "."): value for key, value in settings.items()}
        base = {
            "bootstrap.servers": "none:9092", "key.converter": JSON, "value.converter": JSON,
            "listeners": "http://127.0.0.1:0", "offset.storage.file.filename": "unused",
        }  # fmt: skip
        server = RestServer(WorkerConfig.parse({**base, **given}, "standalone"))
        servers.append(server)
        server.start(herder)
        return server.listeners[0].url

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def url(serve: Serve) -> Iterator[str]:
    base = serve()
    yield base
    for name in CLIENT.get(f"{base}/connectors").json():
        CLIENT.delete(f"{base}/connectors/{name}")


def told(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert body["error_code"] == response.status_code
    return response.status_code, body["message"]


BODY = json.dumps({"name": "c", "config": {"connector.class": MOCK}}).encode()


#: Sends no header but those it is told to.
CLIENT = httpx.Client(verify=False, trust_env=False, timeout=60, limits=httpx.Limits(max_connections=100))
CLIENT.headers.clear()


def ask(url: str, method: str, path: str, body: bytes = b"", *headers: tuple[str, str]) -> httpx.Response:
    return CLIENT.request(method, url + path, content=body, headers=list(headers))


TYPED = ("Content-Type", "application/json")


# --- media types


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([], "no Content-Type header; send Content-Type: application/json"),
        ([("Content-Type", "")], "no Content-Type header"),
        ([("Content-Type", "text/plain"), TYPED], "more than one Content-Type"),
        ([TYPED, TYPED], "more than one Content-Type"),
        ([("Content-Type", "text/plain")], "HTTP 415 Unsupported Media Type"),
        ([("Content-Type", "application/x-www-form-urlencoded")], "HTTP 415 Unsupported Media Type"),
        ([("Content-Type", "text/plain; a=application/json")], "HTTP 415 Unsupported Media Type"),
        ([("Content-Type", "text/plain, application/json")], "HTTP 415 Unsupported Media Type"),
    ],
)
def test_a_body_is_taken_as_json_only_if_one_header_says_so(
    url: str, headers: list[tuple[str, str]], words: str
) -> None:
    refused = ask(url, "POST", "/connectors", BODY, *headers)
    status, sentence = told(refused)
    assert (status, words in sentence) == (415, True), sentence
    assert refused.headers["accept"] == "application/json"
    for method, path in (("PUT", "/connectors/c/config"), ("PUT", "/connector-plugins/MockSource/config/validate")):
        assert ask(url, method, path, BODY, *headers).status_code == 415
    assert CLIENT.get(f"{url}/connectors").json() == []


def test_a_request_without_a_body_needs_no_type(url: str) -> None:
    assert ask(url, "POST", "/connectors", BODY, ("Content-Type", "Application/JSON; charset=utf-8")).status_code == 201
    assert ask(url, "PUT", "/connectors/c/pause").status_code == 202
    assert ask(url, "POST", "/connectors/c/restart", b"", ("Content-Type", "text/plain")).status_code == 204


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=1, text/*", "application/json;q=0", "x" * 5000])
def test_an_answer_that_the_client_does_not_take_is_a_406(url: str, accept: str) -> None:
    for path in ("/connectors", "/connectors/nobody", "/health", "/connector-plugins"):
        assert told(ask(url, "GET", path, b"", ("Accept", accept))) == (406, "HTTP 406 Not Acceptable")
    assert told(ask(url, "GET", "/nowhere", b"", ("Accept", accept)))[0] == 404
    assert told(ask(url, "PATCH", "/connectors", b"", ("Accept", accept)))[0] == 405
    assert ask(url, "POST", "/connectors", BODY, TYPED, ("Accept", accept)).status_code == 406
    assert CLIENT.get(f"{url}/connectors").json() == []


@pytest.mark.parametrize("accept", ["", "*/*", "application/*", "application/json", "text/html, */*;q=0.1"])
def test_an_answer_that_the_client_takes_is_given(url: str, accept: str) -> None:
    assert ask(url, "GET", "/connectors", b"", ("Accept", accept)).json() == []
    assert ask(url, "GET", "/connectors").json() == []


# --- web pages

CHANGES = (
    ("POST", "/connectors", BODY), ("PUT", "/connectors/c/config", b"{}"), ("DELETE", "/connectors/c", b""),
    ("POST", "/connectors/c/restart", b""), ("PUT", "/connectors/c/pause", b""), ("PUT", "/admin/loggers/root", b"{}"),
    ("PATCH", "/connectors/c/offsets", b"{}"), ("POST", "/connectors/c/tasks/0/restart", b""),
)  # fmt: skip
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}


@pytest.mark.parametrize(
    "headers",
    [
        CROSS_SITE | {"Origin": "http://evil.example"},
        CROSS_SITE,
        CROSS_SITE | {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_sites_page_changes_nothing(url: str, headers: dict[str, str]) -> None:
    ask(url, "POST", "/connectors", BODY, TYPED)
    for method, path, body in CHANGES:
        status, sentence = told(ask(url, method, path, body, TYPED, *headers.items()))
        assert (status, "access.control.allow.origin" in sentence) == (403, True)
    assert CLIENT.get(f"{url}/connectors/c", headers=headers).status_code == 200


def test_a_page_of_an_allowed_origin_and_one_of_the_server_itself_change_what_they_like(serve: Serve) -> None:
    url = serve(access_control_allow_origin="http://ui.example")
    foreign = CROSS_SITE | {"Origin": "http://ui.example"}
    allowed = ask(url, "PUT", "/connectors/nobody/pause", b"", *foreign.items())
    assert told(allowed) == (404, "Unknown connector nobody")
    assert allowed.headers["access-control-allow-origin"] == "http://ui.example"
    assert told(ask(url, "PUT", "/connectors/nobody/pause", b"", *CROSS_SITE.items()))[0] == 403
    for own in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": url}):
        assert ask(url, "PUT", "/connectors/nobody/pause", b"", *own.items()).status_code == 404
    everybody = serve(access_control_allow_origin="*")
    assert ask(everybody, "PUT", "/connectors/nobody/pause", b"", *foreign.items()).status_code == 404


def test_a_name_that_somebody_points_here_is_not_this_server(serve: Serve) -> None:
    url = serve(rest_advertised_host_name="worker-1.example")
    page = {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example:8083"}
    status, sentence = told(ask(url, "PUT", "/connectors/c/pause", b"", ("Host", "evil.example:8083"), *page.items()))
    assert (status, "evil.example:8083, which is no name of this server" in sentence) == (403, True)
    for host in (
        "worker-1.example:8083",
        "localhost:8083",
        "connect:8083",
        "connect.kafka.svc.cluster.local",
        "10.1.2.3",
    ):
        assert ask(url, "PUT", "/connectors/c/pause", b"", ("Host", host), *page.items()).status_code == 404


@pytest.mark.parametrize(
    ("host", "begins"),
    [
        ("localhost:1", "http://localhost:1/connectors/"), ("[::1]:1", "http://[::1]:1/connectors/"),
        ("worker-1.example", "http://worker-1.example/connectors/"),
        ("evil.example", "http://worker-1.example:"), ("a/b@evil", "http://worker-1.example:"),
        ("[", "http://worker-1.example:"), ("a:b", "http://worker-1.example:"), ("", "http://worker-1.example:"),
    ],
)  # fmt: skip
def test_a_location_names_the_host_asked_for_only_if_that_is_this_worker(serve: Serve, host: str, begins: str) -> None:
    url = serve(rest_advertised_host_name="worker-1.example")
    created = ask(url, "POST", "/connectors", BODY, TYPED, ("Host", host))
    assert created.status_code == 201
    assert created.headers["location"].startswith(begins)
    assert CLIENT.delete(f"{url}/connectors/c").status_code == 204


def test_forwarded_headers_are_believed_from_named_proxies_only(serve: Serve) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "6.6.6.6"}
    for proxies, scheme in (("", "http"), ("10.0.0.0/8,::1", "http"), ("127.0.0.0/8", "https")):
        url = serve(rest_trusted_proxies=proxies)
        created = ask(url, "POST", "/connectors", BODY, TYPED, *forwarded.items())
        assert created.headers["location"].startswith(f"{scheme}://127.0.0.1:")
        CLIENT.delete(f"{url}/connectors/c")
    with pytest.raises(ConfigError, match=r"proxy\.example for configuration rest\.trusted\.proxies"):
        serve(rest_trusted_proxies="proxy.example")


# --- bodies

WITH_BODY = (
    ("POST", "/connectors", '{{"name":"c","config":{{"connector.class":"X","a":{}}}}}'),
    ("POST", "/connectors", '{{"name":{},"config":{{}}}}'),
    ("PUT", "/connectors/c/config", '{{"connector.class":"X","a":{}}}'),
    ("PATCH", "/connectors/c/config", '{{"a":{}}}'),
    ("PUT", "/connector-plugins/MockSource/config/validate", '{{"connector.class":"MockSource","a":{}}}'),
    ("PATCH", "/connectors/c/offsets", '{{"offsets":[{{"partition":{{"a":{0}}},"offset":{{"a":{0}}}}}]}}'),
    ("PUT", "/connectors/c/tasks/0/status", '{{"state":{}}}'),
    ("PUT", "/admin/loggers/root", '{{"level":{}}}'),
)
VALUES = {
    "digits": "1" * 5000, "float": "1." + "1" * 5000, "exponent": "1e999999999", "deep": "[" * 300 + "]" * 300,
    "deeper": '{"a":' * 100_000, "half a pair": '"\\ud800"', "half a pair as a key": '{"\\udfff":1}', "NaN": "NaN",
}  # fmt: skip


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize(("method", "path", "template"), WITH_BODY)
def test_a_value_that_cannot_be_handled_is_the_clients_fault(
    url: str, kind: str, method: str, path: str, template: str
) -> None:
    body = template.format(VALUES[kind]).encode()
    response = ask(url, method, path, body, TYPED)
    if kind == "exponent" and response.status_code != 400:  # the text of a number in a configuration is kept as it is
        assert "config" in path + template
        assert response.status_code in (200, 404)
        return
    status, sentence = told(response)
    assert status == 400
    assert len(sentence) < 400


@pytest.mark.parametrize(
    "path",
    ["/connectors/%ED%A0%80", "/connectors/%FF%FE/config", "/connectors/x/tasks/" + "9" * 5000 + "/status",
     "/connectors/x/tasks/%D9%A1/status", "/connector-plugins/%00/config", "/connectors/%", "/connectors/%zz/status",
     "/connectors?expand=" + "%ED%A0%80" * 100, "/connector-plugins/MockSource/config?version=%5B" + "%20" * 2000 + "x",
     "/connector-plugins/MockSource/config?version=" + "1" * 5000, "/connectors/" + "%2525" * 2000],
)  # fmt: skip
def test_odd_paths_and_queries_are_no_errors_of_ours(url: str, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = ask(url, method, path)
        assert response.status_code < 500
        assert response.elapsed.total_seconds() < 5


# --- signed requests


def test_a_signed_route_looks_at_the_signature_before_anything_else(url: str) -> None:
    evil = b"[" * 100_000
    for method, path in (("POST", "/connectors/c/tasks"), ("PUT", "/connectors/c/fence")):
        assert told(ask(url, method, path, evil, TYPED)) == (400, "Internal request missing required signature")
        forged = sign(b"other", "HmacSHA256", evil)
        assert told(ask(url, method, path, evil, TYPED, *forged.items()))[0] == 403
    signed = sign(KEY.key, "HmacSHA256", evil)
    status, sentence = told(ask(url, "POST", "/connectors/c/tasks", evil, TYPED, *signed.items()))
    assert (status, "nested too deeply" in sentence) == (400, True)
    good = b'[{"a":"1"}]'
    assert (
        ask(url, "POST", "/connectors/c/tasks", good, TYPED, *sign(KEY.key, "HmacSHA256", good).items()).status_code
        == 204
    )


def test_an_unsigned_body_is_refused_before_it_is_sent(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as sock:
        sock.sendall(
            b"PUT /connectors/c/fence HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 400 ")


# --- one must not stand in the way of others


def test_a_connector_that_cannot_be_shown_does_not_hide_the_others(url: str, herder: Herder) -> None:
    for name in ("a", "b"):
        CLIENT.put(f"{url}/connectors/{name}/config", json={"connector.class": MOCK})
    herder.broken = "a"
    try:
        for expand in ("info", "info&expand=status"):
            assert list(CLIENT.get(f"{url}/connectors?expand={expand}").json()) == ["b"]
    finally:
        herder.broken = ""


def test_a_config_provider_that_hangs_while_offsets_are_changed_holds_up_nobody(url: str, validator: Validator) -> None:
    validator.let_go.set()
    config = {"connector.class": MOCK, "provider": "hangs"}
    assert CLIENT.put(f"{url}/connectors/c/config", json=config).status_code == 201
    assert CLIENT.put(f"{url}/connectors/c/stop").status_code == 204
    while CLIENT.get(f"{url}/connectors/c/status").json()["connector"]["state"] != "STOPPED":
        threading.Event().wait(0.01)
    while validator.hanging.acquire(blocking=False):
        pass
    validator.let_go.clear()
    with ThreadPoolExecutor() as pool:
        try:
            reset = pool.submit(CLIENT.delete, f"{url}/connectors/c/offsets")
            assert validator.hanging.acquire(timeout=10), reset.result(10).text
            assert CLIENT.get(f"{url}/health", timeout=5).status_code == 200
            assert CLIENT.put(f"{url}/connectors/nobody/pause", timeout=5).status_code == 404
            assert not reset.done()
        finally:
            validator.let_go.set()
        assert reset.result(30).status_code == 200


def test_requests_that_hang_leave_threads_for_those_that_do_not(url: str, validator: Validator) -> None:
    def validate() -> int:
        body = b'{"connector.class":"Hang"}'
        return ask(url, "PUT", "/connector-plugins/Hang/config/validate", body, TYPED).status_code

    validator.let_go.clear()
    with ThreadPoolExecutor(60) as pool:
        hanging = [pool.submit(validate) for _ in range(60)]
        try:
            assert validator.hanging.acquire(timeout=10)
            for path in ("/health", "/connectors", "/connectors?expand=status", "/", "/connector-plugins"):
                assert CLIENT.get(url + path, timeout=10).status_code == 200
            assert not any(one.done() for one in hanging)
        finally:
            validator.let_go.set()
        assert {one.result(30) for one in hanging} == {200}
