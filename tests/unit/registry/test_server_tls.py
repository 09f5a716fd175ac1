"""https:// listeners: PEM and PKCS12, clients with certificates."""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import ssl
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from lab.measured import parse
from penstock.errors import ConfigError
from penstock_registry.server.service import RegistryService


class Stores(NamedTuple):
    pem: Path
    p12: Path
    certificate: Path


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = Stores(folder / "key.pem", folder / "key.p12", folder / "ca.pem")
    made.pem.write_bytes(private + public)
    made.certificate.write_bytes(public)
    made.p12.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"r", key, certificate, None, serialization.BestAvailableEncryption(b"secret")
        )
    )
    return made


def client_context(stores: Stores, with_certificate: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(stores.certificate))
    if with_certificate:
        context.load_cert_chain(stores.pem)
    return context


@pytest.mark.parametrize("kind", ["pem", "p12"])
def test_plain_and_encrypted_listeners_side_by_side(stores: Stores, kind: str) -> None:
    service = RegistryService()
    service.start(
        {
            "listeners": "https://127.0.0.1:0, http://127.0.0.1:0",
            "registry.name": f"tls-{kind}",
            "ssl.keystore.location": str(getattr(stores, kind)),
            "ssl.keystore.password": "secret",
        }
    )
    try:
        secure, plain = service.urls
        told = parse(httpx.get(f"{plain}/metrics").text)
        ends = x509.load_pem_x509_certificate(stores.certificate.read_bytes()).not_valid_after_utc.timestamp() * 1000
        assert told.value("kafka_schema_registry_certificate_expiration_keystore") == ends
        assert math.isnan(told.value("kafka_schema_registry_certificate_expiration_truststore"))
        assert secure.startswith("https://")
        assert httpx.get(f"{secure}/subjects", verify=client_context(stores)).json() == []
        assert httpx.get(f"{plain}/subjects").json() == []
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{secure}/subjects")  # a certificate nobody vouches for
    finally:
        service.stop()


@pytest.mark.parametrize("key", ["ssl.client.auth", "ssl.client.authentication"])
def test_clients_must_show_a_certificate_where_that_is_asked_for(stores: Stores, key: str) -> None:
    service = RegistryService()
    service.start(
        {
            "listeners": "https://127.0.0.1:0",
            "registry.name": key,
            "ssl.keystore.location": str(stores.pem),
            "ssl.truststore.location": str(stores.certificate),
            key: "true" if key == "ssl.client.auth" else "REQUIRED",
        }
    )
    try:
        url = f"{service.urls[0]}/subjects"
        told = parse(httpx.get(f"{service.urls[0]}/metrics", verify=client_context(stores, with_certificate=True)).text)
        assert told.value("kafka_schema_registry_certificate_expiration_truststore") > 1e12
        assert httpx.get(url, verify=client_context(stores, with_certificate=True)).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(url, verify=client_context(stores))
    finally:
        service.stop()


def test_a_java_key_store_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    store = tmp_path / "server.jks"
    store.write_bytes(bytes.fromhex("feedfeed00000002"))
    with pytest.raises(ConfigError, match=r"ssl\.keystore\.location.*keytool -importkeystore -srckeystore"):
        RegistryService().start({"listeners": "https://127.0.0.1:0", "ssl.keystore.location": str(store)})


def test_a_listener_without_a_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"needs ssl\.keystore\.location or ssl\.keystore\.key"):
        RegistryService().start({"listeners": "https://127.0.0.1:0"})
