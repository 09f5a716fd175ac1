"""REST on real sockets over a fake worker: names, bodies, statuses, listeners, headers."""

from __future__ import annotations

import datetime
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from lab.fake_worker import standalone_over_fakes
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError, WorkerError
from penstock.herder.interface import RequestTargetError
from penstock.herder.standalone import StandaloneHerder
from penstock.http.listeners import Listener, parse_listener
from penstock.plugins import Plugins
from penstock.rest.headers import HeaderRule, parse_header_rules
from penstock.rest.server import DEFAULT_PORT, RestServer

MOCK = "org.apache.kafka.connect.tools.MockSourceConnector"
JSON = "org.apache.kafka.connect.json.JsonConverter"


def worker_config(**settings: str) -> WorkerConfig:
    given = {key.replace("__", "-").replace("_", "."): value for key, value in settings.items()}
    base = {
        "bootstrap.servers": "none:9092", "key.converter": JSON, "value.converter": JSON,
        "listeners": "http://127.0.0.1:0", "offset.storage.file.filename": "unused",
    }  # fmt: skip
    return WorkerConfig.parse({**base, **given}, "standalone")


@pytest.fixture(scope="module")
def herder() -> Iterator[StandaloneHerder]:
    made = standalone_over_fakes(
        Plugins.discover(), worker_defaults={"key.converter": JSON, "value.converter": JSON}
    ).herder
    made.start()
    yield made
    made.stop()


Serve = Callable[..., RestServer]


@pytest.fixture
def serve(herder: StandaloneHerder) -> Iterator[Serve]:
    """``serve(key_with_underscores=value)``: a started server with these worker settings."""
    servers: list[RestServer] = []

    def make(**settings: str) -> RestServer:
        server = RestServer(worker_config(**settings))
        servers.append(server)
        server.start(herder)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def client(serve: Serve) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{serve().listeners[0].port}") as made:
        yield made
        for name in made.get("/connectors").json():
            made.delete(f"/connectors/{_quoted(name)}")


def _quoted(name: str) -> str:
    return "".join(f"%{b:02X}" for b in name.encode())


def create(client: httpx.Client, name: str = "c", **body: Any) -> httpx.Response:
    return client.post("/connectors", json={"name": name, "config": {"connector.class": MOCK}, **body})


def await_state(client: httpx.Client, state: str, tasks: list[str], name: str = "c") -> None:
    deadline = time.monotonic() + 10
    while True:
        found = client.get(f"/connectors/{_quoted(name)}/status").json()
        if "connector" in found and (found["connector"]["state"], [t["state"] for t in found["tasks"]]) == (
            state,
            tasks,
        ):
            return
        assert time.monotonic() < deadline, found
        threading.Event().wait(0.005)


def error(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"error_code", "message"}
    assert body["error_code"] == response.status_code
    return response.status_code, body["message"]


@pytest.mark.parametrize("name", ["a b", "a/b", "100%", "a+b", "ü", "a?b#c", "..", "%2F"])
def test_a_name_may_hold_any_character(client: httpx.Client, name: str) -> None:
    created = create(client, name)
    assert created.status_code == 201
    path = f"/connectors/{_quoted(name)}"
    assert client.get(path).json()["name"] == name
    assert client.get(created.headers["location"]).json()["name"] == name
    await_state(client, "RUNNING", ["RUNNING"], name)
    assert client.put(f"{path}/pause").status_code == 202
    assert client.delete(path).status_code == 204


def test_numbers_and_booleans_in_a_configuration_become_their_text(client: httpx.Client) -> None:
    config = '{"name":"c","config":{"connector.class":"MockSource","tasks.max":1,"x":1.50,"y":true,"z":1e400}}'
    response = client.post("/connectors", content=config, headers={"Content-Type": "application/json"})
    assert response.status_code == 201
    stored = client.get("/connectors/c/config").json()
    assert (stored["tasks.max"], stored["x"], stored["y"], stored["z"]) == ("1", "1.50", "true", "1e400")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"name":"c"}', 'The request has no "config"'),
        ('{"name":"c","config":{"a":{}}}', "The value of configuration a must be a string, but is an object"),
        ('{"name":"c","config":[]}', "'config' must be a JSON object"),
        ('{"name":{},"config":{}}', '"name" must be a string, but is an object'),
        ('{"name":"c","config":{},"more":1}', 'Unrecognized field "more"'),
        ('{"name":"c","config":{"a":NaN}}', "NaN is no JSON number"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff{}", "not UTF-8"),
        ('{"name":"c",}', "The request's body is not JSON"),
    ],
)
def test_a_body_that_cannot_be_used_is_explained(client: httpx.Client, body: str | bytes, message: str) -> None:
    response = client.post("/connectors", content=body, headers={"Content-Type": "application/json"})
    status, said = error(response)
    assert status == 400
    assert message in said


def test_a_null_value_is_an_error_of_its_setting(client: httpx.Client) -> None:
    response = client.put("/connectors/c/config", json={"connector.class": MOCK, "tasks.max": None})
    status, message = error(response)
    assert status == 400
    assert "Null value can not be supplied as the configuration value." in message


def test_putting_a_connector_is_putting_its_configuration(client: httpx.Client) -> None:
    assert client.put("/connectors/c", json={"connector.class": MOCK}).status_code == 201
    assert client.put("/connectors/c", json={"connector.class": MOCK, "x": "1"}).status_code == 200
    assert client.get("/connectors/c/config").json()["x"] == "1"


def test_one_tasks_info_and_state(client: httpx.Client) -> None:
    create(client)
    await_state(client, "RUNNING", ["RUNNING"])
    info = client.get("/connectors/c/tasks/0").json()
    assert info == client.get("/connectors/c/tasks").json()[0]
    assert error(client.get("/connectors/c/tasks/4")) == (404, "Task c-4 not found")
    assert client.put("/connectors/c/tasks/0/status", json={"state": "paused"}).status_code == 202
    await_state(client, "RUNNING", ["PAUSED"])
    assert client.put("/connectors/c/tasks/0/status", json={"state": "STOPPED"}).status_code == 202
    await_state(client, "RUNNING", ["STOPPED"])
    assert client.put("/connectors/c/tasks/0/status", json={"state": "RUNNING"}).status_code == 202
    await_state(client, "RUNNING", ["RUNNING"])
    assert error(client.put("/connectors/c/tasks/0/status", json={"state": "SLEEPING"}))[0] == 400
    assert error(client.put("/connectors/c/tasks/9/status", json={"state": "PAUSED"})) == (404, "Unknown task: c-9")


def test_get_pauses_resumes_and_restarts_unless_a_browser_asks(client: httpx.Client) -> None:
    create(client)
    await_state(client, "RUNNING", ["RUNNING"])
    for header in ("Origin", "Referer", "Sec-Fetch-Mode"):
        assert error(client.get("/connectors/c/pause", headers={header: "http://evil"}))[0] == 405
    assert client.head("/connectors/c/pause").status_code == 405
    await_state(client, "RUNNING", ["RUNNING"])
    assert client.get("/connectors/c/pause").status_code == 202
    await_state(client, "PAUSED", ["PAUSED"])
    assert client.get("/connectors/c/resume").status_code == 202
    await_state(client, "RUNNING", ["RUNNING"])
    assert client.get("/connectors/c/tasks/0/restart").status_code == 204


def test_get_actions_can_be_switched_off(serve: Serve) -> None:
    base = f"http://127.0.0.1:{serve(rest_get_actions='false').listeners[0].port}"
    assert error(httpx.get(f"{base}/connectors/c/pause"))[0] == 405
    assert error(httpx.put(f"{base}/connectors/c/pause")) == (404, "Unknown connector c")


def test_head_is_get_without_a_body(client: httpx.Client) -> None:
    head, get = client.head("/connectors"), client.get("/connectors")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert client.head("/connectors/nobody").status_code == 404


def test_this_workers_own_page(client: httpx.Client) -> None:
    create(client)
    await_state(client, "RUNNING", ["RUNNING"])
    found = client.get("/cluster").json()
    assert (found["mode"], found["connector_count"], found["task_count"]) == ("standalone", 1, 1)


def test_topic_tracking_can_be_switched_off(serve: Serve) -> None:
    off = f"http://127.0.0.1:{serve(topic_tracking_enable='false').listeners[0].port}"
    assert error(httpx.get(f"{off}/connectors/c/topics")) == (403, "Topic tracking is disabled.")
    kept = f"http://127.0.0.1:{serve(topic_tracking_allow_reset='false').listeners[0].port}"
    assert httpx.get(f"{kept}/connectors/c/topics").json() == {"c": {"topics": []}}
    assert error(httpx.put(f"{kept}/connectors/c/topics/reset")) == (403, "Topic tracking reset is disabled.")


def test_validation_of_overrides_transforms_and_converters(client: httpx.Client) -> None:
    config = {
        "connector.class": MOCK, "name": "c", "producer.override.linger.ms": "5",
        "value.converter": JSON, "value.converter.schemas.enable": "perhaps",
        "transforms": "a", "transforms.a.type": "no.such.Transform",
    }  # fmt: skip
    infos = client.put("/connector-plugins/MockSource/config/validate", json=config).json()
    values = {c["value"]["name"]: c["value"] for c in infos["configs"]}
    assert values["producer.override.linger.ms"]["value"] == "5"
    assert values["value.converter.schemas.enable"]["errors"] == [
        "Invalid value perhaps for configuration schemas.enable: Expected value to be either true or false"
    ]
    assert values["transforms.a.type"]["errors"] == [
        "Invalid value no.such.Transform for configuration transforms.a.type: Class no.such.Transform could not be found."
    ]
    assert infos["error_count"] == 2


def test_validation_tells_of_unknown_settings_in_a_header_and_leaves_the_body_as_kafka_has_it(
    client: httpx.Client,
) -> None:
    config = {"connector.class": MOCK, "name": "c", "tasks.maximum": "2"}
    answer = client.put("/connector-plugins/MockSource/config/validate", json=config)
    assert answer.headers["warning"] == (
        '299 penstock "tasks.maximum is not a known setting and has no effect; did you mean tasks.max?"'
    )
    assert set(answer.json()) == {"name", "error_count", "groups", "configs"}
    del config["tasks.maximum"]
    assert "warning" not in client.put("/connector-plugins/MockSource/config/validate", json=config).headers


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WorkerError, match=rf"Cannot listen on http://127.0.0.1:{port} \(listeners\).*name another"):
            RestServer(worker_config(listeners=f"http://127.0.0.1:{port}"))


def test_several_listeners_and_admin_on_its_own(serve: Serve) -> None:
    server = serve(listeners="http://127.0.0.1:0,http://localhost:0", admin_listeners="http://127.0.0.1:0")
    for listener in server.listeners:
        assert httpx.get(f"http://127.0.0.1:{listener.port}/connectors").status_code == 200
        assert httpx.get(f"http://127.0.0.1:{listener.port}/admin/loggers").status_code == 404
    admin = server.admin_listeners[0].port
    assert httpx.get(f"http://127.0.0.1:{admin}/admin/loggers").status_code == 200
    assert httpx.get(f"http://127.0.0.1:{admin}/connectors").status_code == 404


def test_an_empty_list_of_admin_listeners_switches_admin_off(serve: Serve) -> None:
    port = serve(admin_listeners="").listeners[0].port
    assert httpx.get(f"http://127.0.0.1:{port}/admin/loggers").status_code == 404


def test_what_is_advertised(serve: Serve) -> None:
    plain = serve()
    assert plain.advertised.worker_id == f"127.0.0.1:{plain.listeners[0].port}"
    named = serve(rest_advertised_host_name="worker-1.example", rest_advertised_port="80")
    assert named.advertised.url == "http://worker-1.example:80/"
    everywhere = RestServer(worker_config(listeners="http://:0"))
    assert everywhere.advertised.host == socket.gethostname()
    everywhere.stop()


@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("http://:8083", Listener("http", "", 8083)),
        ("HTTPS://h:8443", Listener("https", "h", 8443)),
        ("http://[::1]:9", Listener("http", "::1", 9)),
        ("http://h", Listener("http", "h", 8083)),
    ],
)
def test_listeners_are_read(text: str, listener: Listener) -> None:
    assert parse_listener(text, DEFAULT_PORT) == listener


@pytest.mark.parametrize("text", ["ftp://h:1", "http://h:1/path", "http://h:99999", "h:1"])
def test_wrong_listeners_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="listeners"):
        parse_listener(text, DEFAULT_PORT)


def test_cors_for_the_origins_allowed(serve: Serve) -> None:
    server = serve(access_control_allow_origin="http://ui.example", access_control_allow_methods="GET,PUT")
    base = f"http://127.0.0.1:{server.listeners[0].port}"
    allowed = httpx.get(f"{base}/connectors", headers={"Origin": "http://ui.example"})
    assert allowed.headers["access-control-allow-origin"] == "http://ui.example"
    other = httpx.get(f"{base}/connectors", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    asked = {"Origin": "http://ui.example", "Access-Control-Request-Method": "PUT"}
    preflight = httpx.options(f"{base}/connectors/c/pause", headers=asked)
    assert (preflight.status_code, "PUT" in preflight.headers["access-control-allow-methods"]) == (200, True)


def test_headers_are_added_to_every_response(serve: Serve) -> None:
    rules = 'add X-XSS-Protection: 1; mode=block,"set Cache-Control: no-cache, no-store",setDate Expires: 0'
    port = serve(response_http_headers_config=rules).listeners[0].port
    for path in ("/connectors", "/nowhere"):
        headers = httpx.get(f"http://127.0.0.1:{port}{path}").headers
        assert headers["x-xss-protection"] == "1; mode=block"
        assert headers["cache-control"] == "no-cache, no-store"
        assert headers["expires"].endswith("GMT")


def test_header_rules_are_read() -> None:
    assert parse_header_rules("addDate Expires: 31540000000") == [HeaderRule(False, "Expires", "", 31540000000)]
    assert parse_header_rules("") == []
    for wrong in ("put A: b", "set A", "set A b: c", "setDate A: soon", "add : x"):
        with pytest.raises(ConfigError, match=r"response\.http\.headers\.config"):
            parse_header_rules(wrong)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A self-signed certificate for 127.0.0.1: as PEM with an encrypted key, as PKCS12, and alone."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = serialization.BestAvailableEncryption(b"secret")
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    files = {
        "pem": private + pem,
        "certificate": pem,
        "p12": pkcs12.serialize_key_and_certificates(b"k", key, certificate, None, secret),
    }
    for kind, data in files.items():
        (folder / kind).write_bytes(data)
    return {kind: folder / kind for kind in files}


@pytest.mark.parametrize(("kind", "password_key"), [("pem", "ssl.key.password"), ("p12", "ssl.keystore.password")])
def test_https_with_pem_and_pkcs12(serve: Serve, tls: Mapping[str, Path], kind: str, password_key: str) -> None:
    settings = {
        "listeners": "https://localhost:0", "listeners.https.ssl.keystore.location": str(tls[kind]),
        "listeners.https.ssl.keystore.type": "PEM" if kind == "pem" else "PKCS12",
        f"listeners.https.{password_key}": "secret",
    }  # fmt: skip
    port = serve(**settings).listeners[0].port
    trust = ssl.create_default_context(cafile=str(tls["certificate"]))
    assert httpx.get(f"https://localhost:{port}/connectors", verify=trust).json() == []


def test_client_certificates_can_be_required(serve: Serve, tls: Mapping[str, Path]) -> None:
    settings = {
        "listeners": "https://localhost:0", "ssl.keystore.location": str(tls["pem"]), "ssl.key.password": "secret",
        "ssl.keystore.type": "PEM", "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(tls["certificate"]), "ssl.client.auth": "required",
    }  # fmt: skip
    url = f"https://localhost:{serve(**settings).listeners[0].port}/connectors"
    trust = ssl.create_default_context(cafile=str(tls["certificate"]))
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=trust)
    trust.load_cert_chain(tls["pem"], password="secret")
    assert httpx.get(url, verify=trust).status_code == 200


def test_a_key_that_cannot_be_opened_is_named_without_its_password(
    herder: StandaloneHerder, tls: Mapping[str, Path]
) -> None:
    settings = {
        "listeners": "https://localhost:0", "listeners.https.ssl.keystore.location": str(tls["pem"]),
        "listeners.https.ssl.keystore.type": "PEM", "listeners.https.ssl.key.password": "wrong-one",
    }  # fmt: skip
    server = RestServer(worker_config(**settings))
    with pytest.raises(ConfigError, match=r"listeners\.https\.ssl\.keystore\.location cannot be used") as error:
        server.start(herder)
    assert "wrong-one" not in error.value.message
    server.stop()


def test_an_error_nobody_foresaw_is_a_500_in_the_usual_form(
    client: httpx.Client, herder: StandaloneHerder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[str]:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(herder, "connectors", fail)
    response = client.get("/connectors")
    monkeypatch.undo()
    assert error(response) == (500, "surprise")


def test_json_is_written_as_connect_writes_it(client: httpx.Client) -> None:
    create(client, "ü")
    response = client.get("/connectors")
    assert response.headers["content-type"] == "application/json"
    assert response.content == json.dumps(["ü"], ensure_ascii=False).encode()


def follower(target: str | None) -> StandaloneHerder:
    """A herder that says of every deletion that another worker has to do it."""
    made = standalone_over_fakes(Plugins.discover()).herder

    def refuse(name: str) -> None:
        raise RequestTargetError("only the leader can do this", target)

    made.delete_connector = refuse  # type: ignore[method-assign]  # one method of an otherwise real herder
    return made


def test_a_request_for_another_worker_is_sent_on_and_its_answer_comes_back(serve: Serve) -> None:
    leader = serve()
    url = f"http://127.0.0.1:{leader.listeners[0].port}"
    own = RestServer(worker_config())
    own.start(follower(f"{url}/"))
    try:
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{own.listeners[0].port}") as asked,
            httpx.Client(base_url=url) as other,
        ):
            create(other, "a/b ä")
            assert asked.delete("/connectors/a%2Fb%20%C3%A4").status_code == 204
            assert other.get("/connectors").json() == []
            assert error(asked.delete("/connectors/none"))[0] == 404
            refused = asked.delete("/connectors/none?forward=false")
            assert error(refused) == (
                409, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)",
            )  # fmt: skip
            assert int(refused.headers["Retry-After"]) >= 1
    finally:
        own.stop()


@pytest.mark.parametrize("target", [None, "http://127.0.0.1:9/"])
def test_without_a_leader_that_answers_the_client_is_told_to_come_again(target: str | None) -> None:
    own = RestServer(worker_config())
    own.start(follower(target))
    try:
        refused = httpx.delete(f"http://127.0.0.1:{own.listeners[0].port}/connectors/c")
        assert error(refused)[0] == 409
        assert "no known leader URL" in refused.text or "cannot be reached" in refused.text
        assert "Retry-After" in refused.headers
    finally:
        own.stop()


def test_followers_that_send_a_request_in_circles_give_up() -> None:
    first, second = RestServer(worker_config()), RestServer(worker_config())
    urls = [f"http://127.0.0.1:{server.listeners[0].port}" for server in (first, second)]
    first.start(follower(urls[1]))
    second.start(follower(urls[0]))
    try:
        assert error(httpx.delete(f"{urls[0]}/connectors/c"))[0] == 409
    finally:
        first.stop()
        second.stop()


def test_a_connectors_health_is_told_to_probes(client: httpx.Client) -> None:
    create(client)
    await_state(client, "RUNNING", ["RUNNING"])
    well = client.get("/connectors/c/health")
    assert (well.status_code, well.json()["healthy"], well.json()["tasks"]) == (200, True, {"RUNNING": 1})
    assert error(client.get("/connectors/none/health"))[0] == 404


def test_settings_of_automatic_restarts_are_checked(client: httpx.Client) -> None:
    config = {"connector.class": MOCK, "name": "c", "errors.restart.max": "-2"}
    answer = client.put("/connector-plugins/MockSourceConnector/config/validate", json=config).json()
    assert answer["error_count"] == 1
    without = client.put(
        "/connector-plugins/MockSourceConnector/config/validate", json={**config, "errors.restart.max": "3"}
    )
    assert without.json()["error_count"] == 0


def test_the_api_describes_itself(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.")
    paths = described["paths"]
    assert set(paths["/connectors/{name}/config"]) == {"get", "put", "patch"}
    put = paths["/connectors/{name}/config"]["put"]
    assert [p["name"] for p in put["parameters"]] == ["name"]
    assert "requestBody" in put
    assert "requestBody" not in paths["/connectors/{name}/pause"]["put"]
    assert [p["name"] for p in paths["/connectors/{name}/restart"]["post"]["parameters"]] == [
        "name", "includeTasks", "onlyFailed",
    ]  # fmt: skip
    operations = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(operations) == len(set(operations))
    assert "/connectors/{name}/fence" not in paths  # between workers only
    for path, operation in ((p, o) for p, methods in paths.items() for o in methods.values()):
        declared = {x["name"] for x in operation["parameters"] if x["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))


def test_a_refused_method_comes_with_all_that_the_path_has(client: httpx.Client) -> None:
    refused = client.delete("/connectors")
    assert error(refused) == (405, "HTTP 405 Method Not Allowed")
    assert refused.headers["allow"] == "GET,HEAD,OPTIONS,POST"
    options = client.request("OPTIONS", "/connectors/c/config")
    assert (options.status_code, options.text) == (200, "")
    assert options.headers["allow"] == "GET,HEAD,OPTIONS,PATCH,PUT"
    assert error(client.request("OPTIONS", "/nowhere")) == (404, "HTTP 404 Not Found")


def test_the_list_may_be_expanded_with_each_connectors_health(client: httpx.Client) -> None:
    create(client)
    await_state(client, "RUNNING", ["RUNNING"])
    listed = client.get("/connectors?expand=health&expand=status").json()["c"]
    assert set(listed) == {"health", "status"}
    assert (listed["health"]["healthy"], listed["health"]["tasks"]) == (True, {"RUNNING": 1})


def test_the_root_logger_goes_by_several_names(client: httpx.Client) -> None:
    assert client.get("/admin/loggers/ROOT").json()["level"] == client.get("/admin/loggers/root").json()["level"]
    client.put("/admin/loggers/penstock.silent", json={"level": "OFF"})
    assert client.get("/admin/loggers/penstock.silent").json()["level"] == "OFF"
    assert "penstock.silent" not in client.get("/admin/loggers").json()
