"""A schema registry over HTTP, as the command line needs it: any that speaks Confluent's API."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from penstock.credentials import without_credentials
from penstock.errors import ConfigError, ConnectError

__all__ = ["RegistryHttp", "RegistryHttpError", "segment"]

_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_TIMEOUT: Final = 60.0
_PAGE: Final = 1000


class RegistryHttpError(ConnectError):
    """The registry refused; `code` is its ``error_code``, or the HTTP status where it gave none."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def segment(text: str) -> str:
    """Return `text` as one part of a path, slashes and all."""
    return quote(text, safe="")


class RegistryHttp:
    """Credentials stand in the URL (``https://user:password@host``), or are given as `user` (``name:password``) or
    `token`. None of them is ever shown."""

    def __init__(
        self,
        url: str,
        user: str | None = None,
        token: str | None = None,
        ca: Path | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = _TIMEOUT,
    ) -> None:
        """`tls` is used in place of one that trusts `ca`. `timeout` is in seconds, of each answer."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("--url", url.rpartition("@")[2], "expected http://HOST:PORT or https://HOST:PORT")
        if "@" in parts.netloc:
            credentials, _, host = parts.netloc.rpartition("@")
            user = user or unquote(credentials)
            parts = parts._replace(netloc=host)
        self.url = urlunsplit(parts).rstrip("/")
        self._headers = {"Accept": _TYPE, "Content-Type": _TYPE}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        elif user is not None:
            self._headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        self._tls = (tls or _tls(ca)) if parts.scheme == "https" else None
        self._timeout = timeout

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The JSON of the answer. Raises `RegistryHttpError`, or `ConnectError` where nobody answers."""
        shown = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        address = f"{self.url}{path}" + (f"?{urlencode(shown)}" if shown else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, self._headers, method=method)  # noqa: S310 - http or https, checked
        try:
            with urllib.request.urlopen(request, timeout=self._timeout, context=self._tls) as answer:  # noqa: S310 - as above
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise _refused(self.url, error) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise ConnectError(f"The schema registry at {self.url} does not answer: {reason}") from None
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise ConnectError(
                f"What answers at {self.url} is no schema registry: {method} {path} gave no JSON"
            ) from None

    def find(self, path: str, **query: Any) -> Any:
        """Ask with GET; return None where there is nothing (404)."""
        try:
            return self.ask("GET", path, **query)
        except RegistryHttpError as error:
            if error.code == 404 or 40400 <= error.code < 40500:
                return None
            raise

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """Return all entries of a list, page by page; a registry that knows no pages gives them all at once."""
        seen: set[str] = set()
        offset = 0
        while True:
            page = self.ask("GET", path, offset=offset, limit=_PAGE, **query)
            known = len(seen)
            for entry in page:
                text = json.dumps(entry, sort_keys=True)
                if text not in seen:
                    seen.add(text)
                    yield entry
            if len(seen) == known:
                return
            offset += len(page)


def _tls(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("--ca", str(ca), f"cannot be read: {error}") from None


def _refused(url: str, error: urllib.error.HTTPError) -> RegistryHttpError:
    try:
        answer: Mapping[str, Any] = json.loads(error.read())
        code, message = int(answer["error_code"]), str(answer["message"])
    except (ValueError, KeyError, TypeError, OSError):
        code, message = error.code, f"HTTP {error.code} {error.reason}"
    hint = "; give --user NAME:PASSWORD or --token TOKEN" if error.code == 401 else ""
    return RegistryHttpError(
        code, f"The schema registry at {without_credentials(url)} refused: {message} ({code}){hint}"
    )
