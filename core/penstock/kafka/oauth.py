"""Tokens for SASL OAUTHBEARER by client credentials (RFC 6749, 4.4), where librdkafka does not fetch them itself."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Final

from kafka.net.sasl.oauth import AbstractTokenProvider

from penstock.credentials import without_credentials
from penstock.errors import ConfigError, RetriableError

__all__ = ["ClientCredentials"]

_TIMEOUT_S: Final = 10.0
#: A token is renewed once this part of its life is over (``sasl.login.refresh.window.factor``).
_RENEW_AT: Final = 0.8


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no complete types
    """Fetches a token when one is asked for, and keeps it for most of its life. Safe from any thread."""

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: str,
        scope: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ConfigError("sasl.oauthbearer.token.endpoint.url", url, "expected an http or https URL")
        self._url, self._scope, self._clock = url, scope, clock
        quoted = f"{urllib.parse.quote_plus(client_id)}:{urllib.parse.quote_plus(secret)}"
        self._authorization = "Basic " + base64.b64encode(quoted.encode()).decode("ascii")
        self._lock = threading.Lock()
        self._token, self._renew_at = "", 0.0

    def token(self) -> str:
        """Raises `RetriableError` if the endpoint gives none."""
        with self._lock:
            if not self._token or self._clock() >= self._renew_at:
                self._token, lasts = self._fetch()
                self._renew_at = self._clock() + lasts * _RENEW_AT
            return self._token

    def _fetch(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        request = urllib.request.Request(  # noqa: S310 - http and https only, checked above
            self._url,
            urllib.parse.urlencode(form).encode(),
            {"Authorization": self._authorization, "Accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - see above
                fields = json.load(answer)
            return str(fields["access_token"]), float(fields.get("expires_in", 300))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RetriableError(f"{without_credentials(self._url)} gave no token: {error}") from error
