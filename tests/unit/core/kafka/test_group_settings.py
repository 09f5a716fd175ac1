"""Java's connection settings for a group member: translated, refused by name, secrets kept."""

from __future__ import annotations

import json
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from penstock.config import Password
from penstock.errors import ConfigError, RetriableError
from penstock.kafka.group_settings import connection_settings
from penstock.kafka.oauth import ClientCredentials

SERVERS = {"bootstrap.servers": "a:1, b:2"}
PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p;w";'
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required username='u' password='p';"
OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId='id' clientSecret='s' scope='k';"


def test_a_plain_connection_has_servers_and_timings() -> None:
    assert connection_settings({**SERVERS, "reconnect.backoff.ms": "70", "metadata.max.age.ms": 5}, "w") == {
        "bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT", "reconnect_backoff_ms": 70,
        "metadata_max_age_ms": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mechanism", "jaas", "password"),
    [("PLAIN", PLAIN, "p;w"), ("SCRAM-SHA-256", SCRAM, "p"), ("scram-sha-512", SCRAM, "p")],
)
def test_user_and_password_come_from_the_login_module_line(mechanism: str, jaas: str, password: str) -> None:
    given = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism, "sasl.jaas.config": Password(jaas)}
    settings = connection_settings(SERVERS | given, "w")
    assert settings["sasl_mechanism"] == mechanism.upper()
    assert (settings["sasl_plain_username"], settings["sasl_plain_password"]) == ("u", password)


def test_kerberos_needs_the_services_name_only() -> None:
    given = {"security.protocol": "SASL_PLAINTEXT", "sasl.kerberos.service.name": "broker"}
    settings = connection_settings(SERVERS | given, "w")
    assert (settings["sasl_mechanism"], settings["sasl_kerberos_service_name"]) == ("GSSAPI", "broker")


def test_tls_is_checked_against_names_unless_that_is_turned_off() -> None:
    strict = connection_settings({**SERVERS, "security.protocol": "SSL"}, "w")["ssl_context"]
    assert strict.verify_mode is ssl.CERT_REQUIRED
    assert strict.check_hostname
    given = {"security.protocol": "ssl", "ssl.endpoint.identification.algorithm": ""}
    loose = connection_settings(SERVERS | given, "w")["ssl_context"]
    assert loose.verify_mode is ssl.CERT_REQUIRED
    assert not loose.check_hostname


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bootstrap.servers": " "}, "bootstrap.servers is missing"),
        ({"security.protocol": "TLS"}, "security.protocol"),
        ({"retry.backoff.ms": "soon"}, "retry.backoff.ms"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "MAGIC"}, "sasl.mechanism"),
        ({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}, "sasl.jaas.config is missing"),
        (
            {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER"},
            "sasl.oauthbearer.token.endpoint.url",
        ),
        ({"security.protocol": "SSL", "ssl.truststore.location": "/no/such/file.pem"}, "ssl.truststore.location"),
    ],
)
def test_what_cannot_serve_is_refused_by_its_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        connection_settings(SERVERS | given, "w")
    assert message in raised.value.message


class Endpoint:
    """Issues ``token-1``, ``token-2``, … and remembers what it was asked."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}/token"
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.answer: dict[str, Any] | None = None


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            known.asked.append((self.headers["Authorization"], form))
            answer = known.answer or {"access_token": f"token-{len(known.asked)}", "expires_in": 100}
            self.send_response(200 if "access_token" in answer else 401)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    known = Endpoint(server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_token_is_fetched_with_the_clients_credentials_and_renewed_before_it_ends(endpoint: Endpoint) -> None:
    now = [0.0]
    tokens = ClientCredentials(endpoint.url, "i d", "s:1", "kafka", clock=lambda: now[0])
    assert [tokens.token(), tokens.token()] == ["token-1", "token-1"]
    now[0] = 81.0
    assert tokens.token() == "token-2"
    authorization, form = endpoint.asked[0]
    assert authorization == "Basic aStkOnMlM0Ex"  # i+d:s%3A1
    assert form == {"grant_type": ["client_credentials"], "scope": ["kafka"]}


def test_oauth_settings_may_stand_in_the_login_module_line(endpoint: Endpoint) -> None:
    given = {
        "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", "sasl.jaas.config": OAUTH,
        "sasl.oauthbearer.token.endpoint.url": endpoint.url,
    }  # fmt: skip
    assert connection_settings(SERVERS | given, "w")["sasl_oauth_token_provider"].token() == "token-1"
    assert endpoint.asked[0][1]["scope"] == ["k"]


def test_an_endpoint_that_gives_no_token_is_an_error_without_the_secret(endpoint: Endpoint) -> None:
    endpoint.answer = {"error": "invalid_client"}
    with pytest.raises(RetriableError, match="gave no token") as raised:
        ClientCredentials(endpoint.url, "id", "hidden").token()
    assert "hidden" not in str(raised.value)
    with pytest.raises(ConfigError, match="http or https"):
        ClientCredentials("file:///etc/passwd", "id", "hidden")
