"""Settings of TLS and SASL, for the worker's connection to Kafka and, under ``listeners.https.``, for REST."""

from __future__ import annotations

from typing import Final

from penstock.config.definition import ConfigType
from penstock.config.table.checks import PROTOCOLS, TLS_VERSIONS, one_of
from penstock.config.table.row import HIGH, LOW, MEDIUM, Row, ignored, refused, used
from penstock.config.validators import LambdaValidator, Range, ValidString
from penstock.errors import ConfigError

__all__ = ["SECURITY_ROWS"]

_T = ConfigType
_BROKERS: Final = "Tokens are checked by the broker that they are shown to."
_LOGIN: Final = "The client library renews tokens and tickets in a rhythm of its own."
_ASSERTION: Final = "Tokens by signed assertion are not supported; use client credentials."
_OIDC_HANDLERS: Final = "OAuthBearerLoginCallbackHandler"


def _login_handler(name: str, value: object) -> None:
    if value is not None and not str(value).endswith(_OIDC_HANDLERS):
        raise ConfigError(
            name, value, f"Java classes cannot be loaded; only the name of Kafka's {_OIDC_HANDLERS} is understood"
        )


def _identification(name: str, value: str | None) -> None:
    if value is not None and value.lower() not in ("https", ""):
        raise ConfigError(name, value, "expected https, or nothing to leave host names unchecked")


_TLS: Final[tuple[Row, ...]] = (
    used("security.protocol", _T.STRING, "PLAINTEXT", MEDIUM, "How brokers are spoken to.",
         one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), normalize=str.upper),
    used("ssl.truststore.location", _T.STRING, None, HIGH, "File of trusted certificates. A JKS file must be converted."),
    used("ssl.truststore.password", _T.PASSWORD, None, HIGH, "Password of that file; a PEM file has none."),
    used("ssl.truststore.type", _T.STRING, "JKS", MEDIUM, "Kind of that file. The file itself says better.",
         one_of("PEM", "PKCS12", "JKS"), normalize=str.upper),
    used("ssl.truststore.certificates", _T.PASSWORD, None, HIGH, "Trusted certificates as PEM text."),
    used("ssl.keystore.location", _T.STRING, None, HIGH,
         "File of the client's key and certificate, PEM or PKCS12. A JKS file must be converted."),
    used("ssl.keystore.password", _T.PASSWORD, None, HIGH, "Password of that file."),
    used("ssl.keystore.type", _T.STRING, "JKS", MEDIUM, "Kind of that file. The file itself says better.",
         one_of("PEM", "PKCS12", "JKS"), normalize=str.upper),
    used("ssl.keystore.key", _T.PASSWORD, None, HIGH, "The client's private key as PEM text."),
    used("ssl.keystore.certificate.chain", _T.PASSWORD, None, HIGH, "The client's certificates as PEM text."),
    used("ssl.key.password", _T.PASSWORD, None, HIGH, "Password of the private key."),
    used("ssl.endpoint.identification.algorithm", _T.STRING, "https", LOW,
         "Check that a certificate is for the host it comes from; empty switches the check off.",
         LambdaValidator(_identification, "https, or empty")),
    used("ssl.cipher.suites", _T.LIST, "", LOW, "Ciphers to allow, by OpenSSL's names."),
    used("ssl.client.auth", _T.STRING, "none", LOW,
         "Whether the REST API asks its clients for a certificate.", ValidString("required", "requested", "none")),
    ignored("ssl.enabled.protocols", _T.LIST, "TLSv1.2,TLSv1.3", "The newest version both sides know is used, at least TLSv1.2.",
            PROTOCOLS),
    ignored("ssl.protocol", _T.STRING, "TLSv1.3", "The newest version both sides know is used, at least TLSv1.2.",
            TLS_VERSIONS),
    refused("ssl.provider", _T.STRING, None, "TLS comes from OpenSSL; Java's providers do not exist here."),
    refused("ssl.engine.factory.class", _T.CLASS, None, "Java classes cannot be loaded."),
    ignored("ssl.keymanager.algorithm", _T.STRING, "SunX509", "OpenSSL has one way to use a key."),
    ignored("ssl.trustmanager.algorithm", _T.STRING, "PKIX", "OpenSSL has one way to check a chain of certificates."),
    ignored("ssl.secure.random.implementation", _T.STRING, None, "OpenSSL's generator is used."),
)  # fmt: skip

_SASL: Final[tuple[Row, ...]] = (
    used("sasl.mechanism", _T.STRING, "GSSAPI", MEDIUM,
         "How the worker proves who it is: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, GSSAPI."),
    used("sasl.jaas.config", _T.PASSWORD, None, MEDIUM,
         "Its credentials, as the login module line of Java clients, for PLAIN, SCRAM and OAUTHBEARER."),
    refused("sasl.client.callback.handler.class", _T.CLASS, None, "Java classes cannot be loaded."),
    refused("sasl.login.class", _T.CLASS, None, "Java classes cannot be loaded."),
    used("sasl.login.callback.handler.class", _T.CLASS, None, MEDIUM,
         f"Only the name of Kafka's own {_OIDC_HANDLERS} is understood.",
         LambdaValidator(_login_handler, f"a class {_OIDC_HANDLERS}")),
    used("sasl.kerberos.service.name", _T.STRING, None, MEDIUM, "The brokers' Kerberos principal name."),
    used("sasl.kerberos.kinit.cmd", _T.STRING, "/usr/bin/kinit", LOW, "The command that gets a Kerberos ticket."),
    ignored("sasl.kerberos.min.time.before.relogin", _T.LONG, 60000, _LOGIN),
    ignored("sasl.kerberos.ticket.renew.jitter", _T.DOUBLE, 0.05, _LOGIN),
    ignored("sasl.kerberos.ticket.renew.window.factor", _T.DOUBLE, 0.8, _LOGIN),
    ignored("sasl.login.connect.timeout.ms", _T.INT, None, _LOGIN),
    ignored("sasl.login.read.timeout.ms", _T.INT, None, _LOGIN),
    ignored("sasl.login.refresh.buffer.seconds", _T.SHORT, 300, _LOGIN, Range.between(0, 3600)),
    ignored("sasl.login.refresh.min.period.seconds", _T.SHORT, 60, _LOGIN, Range.between(0, 900)),
    ignored("sasl.login.refresh.window.factor", _T.DOUBLE, 0.8, _LOGIN, Range.between(0.5, 1.0)),
    ignored("sasl.login.refresh.window.jitter", _T.DOUBLE, 0.05, _LOGIN, Range.between(0.0, 0.25)),
    ignored("sasl.login.retry.backoff.max.ms", _T.LONG, 10000, _LOGIN),
    ignored("sasl.login.retry.backoff.ms", _T.LONG, 100, _LOGIN),
)  # fmt: skip

_RETRIEVERS: Final = "org.apache.kafka.common.security.oauthbearer"

_OAUTH: Final[tuple[Row, ...]] = (
    used("sasl.oauthbearer.token.endpoint.url", _T.STRING, None, MEDIUM, "Where tokens are issued."),
    used("sasl.oauthbearer.client.credentials.client.id", _T.STRING, None, MEDIUM, "The worker's client id there."),
    used("sasl.oauthbearer.client.credentials.client.secret", _T.PASSWORD, None, MEDIUM, "Its secret."),
    used("sasl.oauthbearer.scope", _T.STRING, None, MEDIUM, "The scope to ask for."),
    refused("sasl.oauthbearer.jwt.retriever.class", _T.CLASS, f"{_RETRIEVERS}.DefaultJwtRetriever",
            "Tokens come from the token endpoint by client credentials."),
    refused("sasl.oauthbearer.jwt.validator.class", _T.CLASS, f"{_RETRIEVERS}.DefaultJwtValidator",
            "Java classes cannot be loaded; the broker checks the tokens."),
    refused("sasl.oauthbearer.header.urlencode", _T.BOOLEAN, False, "Client id and secret are sent as they are."),
    refused("sasl.oauthbearer.assertion.algorithm", _T.STRING, "RS256", _ASSERTION, one_of("ES256", "RS256")),
    refused("sasl.oauthbearer.assertion.claim.aud", _T.STRING, None, _ASSERTION),
    refused("sasl.oauthbearer.assertion.claim.exp.seconds", _T.INT, 300, _ASSERTION, Range.between(0, 86400)),
    refused("sasl.oauthbearer.assertion.claim.iss", _T.STRING, None, _ASSERTION),
    refused("sasl.oauthbearer.assertion.claim.jti.include", _T.BOOLEAN, False, _ASSERTION),
    refused("sasl.oauthbearer.assertion.claim.nbf.seconds", _T.INT, 60, _ASSERTION, Range.between(0, 3600)),
    refused("sasl.oauthbearer.assertion.claim.sub", _T.STRING, None, _ASSERTION),
    refused("sasl.oauthbearer.assertion.file", _T.STRING, None, _ASSERTION),
    refused("sasl.oauthbearer.assertion.private.key.file", _T.STRING, None, _ASSERTION),
    refused("sasl.oauthbearer.assertion.private.key.passphrase", _T.PASSWORD, None, _ASSERTION),
    refused("sasl.oauthbearer.assertion.template.file", _T.STRING, None, _ASSERTION),
    ignored("sasl.oauthbearer.expected.audience", _T.LIST, "", _BROKERS, importance=HIGH),
    ignored("sasl.oauthbearer.expected.issuer", _T.STRING, None, _BROKERS, importance=HIGH),
    ignored("sasl.oauthbearer.allow.unverified.audience", _T.BOOLEAN, False, _BROKERS, importance=MEDIUM),
    ignored("sasl.oauthbearer.allow.unverified.issuer", _T.BOOLEAN, False, _BROKERS, importance=MEDIUM),
    ignored("sasl.oauthbearer.clock.skew.seconds", _T.INT, 30, _BROKERS),
    ignored("sasl.oauthbearer.jwks.endpoint.url", _T.STRING, None, _BROKERS),
    ignored("sasl.oauthbearer.jwks.endpoint.refresh.ms", _T.LONG, 3600000, _BROKERS),
    ignored("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", _T.LONG, 10000, _BROKERS),
    ignored("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", _T.LONG, 100, _BROKERS),
    ignored("sasl.oauthbearer.scope.claim.name", _T.STRING, "scope", _BROKERS),
    ignored("sasl.oauthbearer.sub.claim.name", _T.STRING, "sub", _BROKERS),
)  # fmt: skip

SECURITY_ROWS: Final[tuple[Row, ...]] = _TLS + _SASL + _OAUTH
