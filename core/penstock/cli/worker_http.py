"""A Connect worker's REST API, as the command line needs it: penstock's and the JVM worker's."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from penstock.cli.registry_http import segment
from penstock.errors import ConfigError, ConnectError

__all__ = ["DEFAULT_URL", "WorkerHttp", "WorkerHttpError", "connector_path"]

DEFAULT_URL: Final = "http://127.0.0.1:8083"
_TIMEOUT: Final = 90.0


class WorkerHttpError(ConnectError):
    """The worker refused; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def connector_path(name: str, rest: str = "") -> str:
    """Return the path of a connector, or of what `rest` names below it."""
    return f"/connectors/{segment(name)}{rest}"


class WorkerHttp:
    """Name and password may stand in the URL (``https://user:password@host``); they are never shown."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("--url", url.rpartition("@")[2], "expected http://HOST:PORT or https://HOST:PORT")
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if "@" in parts.netloc:
            credentials, _, host = parts.netloc.rpartition("@")
            self._headers["Authorization"] = f"Basic {base64.b64encode(unquote(credentials).encode()).decode()}"
            parts = parts._replace(netloc=host)
        self.url = urlunsplit(parts).rstrip("/")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of the answer. Raises `WorkerHttpError`, or `ConnectError` where nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self._headers, method=method)  # noqa: S310 - http or https, checked
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - as above
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise _refused(self.url, error) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise ConnectError(
                f"The worker at {self.url} does not answer: {reason}. Name its REST address with --url"
            ) from None
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise ConnectError(
                f"What answers at {self.url} is no Connect worker: {method} {path} gave no JSON"
            ) from None


def _refused(url: str, error: urllib.error.HTTPError) -> WorkerHttpError:
    try:
        message = str(json.loads(error.read())["message"])
    except (ValueError, KeyError, TypeError, OSError):
        message = f"HTTP {error.code} {error.reason}"
    return WorkerHttpError(error.code, f"The worker at {url} refused: {message} ({error.code})")
