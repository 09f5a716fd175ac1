"""TLS for listeners, from Kafka's keys: ``listeners.https.ssl.*``, or the worker's own ``ssl.*`` where none is given."""

from __future__ import annotations

import contextlib
import math
import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from penstock.errors import ConfigError

__all__ = ["Expiries", "certificate_expiries", "client_context", "server_context", "tls_settings"]

_CLIENT_AUTH: Final = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def tls_settings(raw: Mapping[str, str], prefix: str) -> tuple[str, dict[str, str]]:
    """The ``ssl.*`` keys for a listener, and the prefix they stand under: all of `prefix`, or the worker's own if
    `prefix` has none (``valuesWithPrefixAllOrNothing``)."""
    own = {key.removeprefix(prefix): value for key, value in raw.items() if key.startswith(f"{prefix}ssl.")}
    if own:
        return prefix, own
    return "", {key: value for key, value in raw.items() if key.startswith("ssl.")}


def server_context(prefix: str, props: Mapping[str, str]) -> ssl.SSLContext:
    """Return the context of a server with the key, certificates and trust of `props`. `ConfigError` names the key with its prefix."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, prefix, props)
    if suites := props.get("ssl.cipher.suites"):
        try:
            context.set_ciphers(suites.replace(" ", "").replace(",", ":"))
        except ssl.SSLError as error:
            raise ConfigError(f"{prefix}ssl.cipher.suites", suites, f"no suite that OpenSSL knows: {error}") from None
    _load_key(context, prefix, props)
    _load_trust(context, prefix, props)
    client_auth = props.get("ssl.client.auth", "none")
    if client_auth not in _CLIENT_AUTH:
        raise ConfigError(f"{prefix}ssl.client.auth", client_auth, f"Expected one of {', '.join(_CLIENT_AUTH)}")
    context.verify_mode = _CLIENT_AUTH[client_auth]
    return context


class Expiries(NamedTuple):
    """The times at which the first of some certificates runs out, in milliseconds since 1970; NaN if there is none."""

    keystore: float
    truststore: float


def certificate_expiries(props: Mapping[str, str]) -> Expiries:
    """Return when the certificates that `server_context` takes out of `props` run out. NaN for all without the package
    cryptography, which reads them."""
    key, trust = b"", b""
    if "ssl.keystore.key" in props:
        key = props.get("ssl.keystore.certificate.chain", "").encode()
    elif "ssl.keystore.location" in props:
        key, _ = _key_store("ssl.keystore.location", Path(props["ssl.keystore.location"]), props)
    if (text := _trusted("", props)) is not None:
        trust = text[1].encode()
    return Expiries(_first_end(key), _first_end(trust))


def _first_end(pem: bytes) -> float:
    if b"-----BEGIN CERTIFICATE" not in pem:
        return math.nan
    try:
        from cryptography import x509
    except ModuleNotFoundError:
        return math.nan
    try:
        return min(one.not_valid_after_utc.timestamp() for one in x509.load_pem_x509_certificates(pem)) * 1000
    except ValueError:
        return math.nan  # OpenSSL, which serves with them, is the judge of certificates


def client_context(prefix: str, props: Mapping[str, str]) -> ssl.SSLContext:
    """Return the context of a client that trusts what `props` trusts, or what the system does, and shows the key it names, if any."""
    context = ssl.create_default_context()
    _set_versions(context, prefix, props)
    if "ssl.keystore.key" in props or "ssl.keystore.location" in props:
        _load_key(context, prefix, props)
    _load_trust(context, prefix, props)
    # An empty algorithm says that names in certificates do not matter (Kafka's own word for it).
    if props.get("ssl.endpoint.identification.algorithm", "https").strip() == "":
        context.check_hostname = False
    return context


def _set_versions(context: ssl.SSLContext, prefix: str, props: Mapping[str, str]) -> None:
    names = [n.strip() for n in props.get("ssl.enabled.protocols", "TLSv1.2,TLSv1.3").split(",") if n.strip()]
    for name in names:
        if name not in _VERSIONS:
            raise ConfigError(f"{prefix}ssl.enabled.protocols", name, f"Expected some of {', '.join(_VERSIONS)}")
    versions = [_VERSIONS[name] for name in names]
    if versions:
        context.minimum_version, context.maximum_version = min(versions), max(versions)


def _load_key(context: ssl.SSLContext, prefix: str, props: Mapping[str, str]) -> None:
    if "ssl.keystore.key" in props:
        chain = props.get("ssl.keystore.certificate.chain")
        if not chain:
            raise ConfigError(f"{prefix}ssl.keystore.certificate.chain must be given with {prefix}ssl.keystore.key")
        pem, key, password = f"{props['ssl.keystore.key']}\n{chain}".encode(), "ssl.keystore.key", None
    elif "ssl.keystore.location" in props:
        key = "ssl.keystore.location"
        pem, password = _key_store(prefix + key, Path(props[key]), props)
    else:
        raise ConfigError(f"An https listener needs {prefix}ssl.keystore.location or {prefix}ssl.keystore.key")
    password = password or props.get("ssl.key.password")
    with _as_file(pem) as file:
        try:
            # An empty password instead of None: OpenSSL would ask on the terminal.
            context.load_cert_chain(file, password=password or "")
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(
                f"The key and certificates of {prefix}{key} cannot be used: {error}; expected a PEM private key and its "
                f"certificate chain, and {prefix}ssl.key.password if the key is encrypted"
            ) from None


def _trusted(prefix: str, props: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the key that names the trusted certificates, and these as PEM; None if none does."""
    if "ssl.truststore.certificates" in props:
        return "ssl.truststore.certificates", props["ssl.truststore.certificates"]
    if "ssl.truststore.location" in props:
        key = "ssl.truststore.location"
        data = _read(prefix + key, Path(props[key]))
        text = (
            data.decode("ascii", "replace")
            if _is_pem(data)
            else _pkcs12(prefix + key, data, props.get("ssl.truststore.password"))[1].decode()
        )
        return key, text
    return None


def _load_trust(context: ssl.SSLContext, prefix: str, props: Mapping[str, str]) -> None:
    trusted = _trusted(prefix, props)
    if trusted is None:
        return
    key, text = trusted
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"The certificates of {prefix}{key} cannot be used: {error}") from None


def _key_store(key: str, file: Path, props: Mapping[str, str]) -> tuple[bytes, str | None]:
    """PEM text with key and chain, and the password the key has if it is not ``ssl.key.password``."""
    data = _read(key, file)
    if _is_pem(data):
        return data, None
    private, certificates = _pkcs12(key, data, props.get("ssl.keystore.password"))
    if private is None:
        raise ConfigError(key, str(file), "the PKCS12 file has no private key")
    return private + certificates, None


def _is_pem(data: bytes) -> bool:
    return b"-----BEGIN " in data


def _read(key: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(key, str(file), f"cannot be read: {error.strerror}") from None


def _pkcs12(key: str, data: bytes, password: str | None) -> tuple[bytes | None, bytes]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ModuleNotFoundError:
        raise ConfigError(f"{key} is not PEM; to read PKCS12: pip install cryptography") from None
    try:
        store = pkcs12.load_pkcs12(data, password.encode() if password else None)
    except ValueError as error:
        raise ConfigError(f"{key} is neither PEM nor a PKCS12 file that the password given opens: {error}") from None
    found = [c for c in (store.cert, *store.additional_certs) if c is not None]
    certificates = b"".join(c.certificate.public_bytes(serialization.Encoding.PEM) for c in found)
    if store.key is None:
        return None, certificates
    private = store.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificates


@contextlib.contextmanager
def _as_file(pem: bytes) -> Iterator[str]:
    """`ssl` reads keys from files only: one that nobody else can read, and that is gone at once."""
    handle, name = tempfile.mkstemp(suffix=".pem")
    try:
        os.write(handle, pem)
        os.close(handle)
        yield name
    finally:
        os.unlink(name)
