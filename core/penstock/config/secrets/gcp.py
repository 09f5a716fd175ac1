"""Google Cloud's Secret Manager, over its REST API: one request, for which Google's client would bring gRPC."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, ClassVar, Final
from urllib.parse import quote

import google.auth
import google.auth.exceptions
import requests
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import service_account

from penstock import __version__
from penstock.config.definition import ConfigDef, ConfigType, Importance
from penstock.config.secrets.store import (
    Secret,
    SecretPath,
    SecretStore,
    SecretUnavailableError,
    secret_of_text,
    store_def,
)
from penstock.errors import ConfigError
from penstock.logs import no_wire_logs

__all__ = ["SecretManagerConfigProvider"]

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_SERVICE: Final = "https://secretmanager.googleapis.com"


def _settings() -> ConfigDef:
    high, low, text = Importance.HIGH, Importance.LOW, ConfigType.STRING
    return (
        store_def()
        .define("project.id", text, "", importance=high, doc="The project with the secrets; empty: that of the credentials.")
        .define("credential.location", text, "ApplicationDefault", importance=high,
                doc="ApplicationDefault: where Google's own tools look; File: credential.file; Inline: credential.inline.")
        .define("credential.file", text, "", importance=high, doc="A service account's key, a JSON file.")
        .define("credential.inline", ConfigType.PASSWORD, "", importance=high, doc="The content of such a file.")
        .define("endpoint.override", text, _SERVICE, importance=low, doc="The URL of the service, where it is not Google's own.")
        .define("use.json", ConfigType.BOOLEAN, True, importance=low,
                doc="Whether a secret is a JSON object of keys and values; false: it is one text, under the key value.")
    )  # fmt: skip


class SecretManagerConfigProvider(SecretStore):
    """Looks keys up in a secret of Google Cloud: ``${gcp:db:password}``, its latest version unless the path says ``?version=3``."""

    version = __version__
    settings: ClassVar[ConfigDef] = _settings()

    def connect(self) -> None:
        no_wire_logs("google.auth.transport.requests", "google.auth._helpers", "google.oauth2._client")
        credentials, project = self._credentials()
        self._project: str = self.config["project.id"] or project or ""
        if not self._project:
            raise ConfigError("project.id is not set, and the credentials name no project")
        self._session: Any = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # Google's own

    def _credentials(self) -> tuple[Any, str | None]:
        location = self.config["credential.location"].strip().lower()
        if location == "applicationdefault":
            try:
                found: tuple[Any, str | None] = google.auth.default(scopes=_SCOPES)
            except google.auth.exceptions.GoogleAuthError as error:
                raise ConfigError(f"There are no application default credentials: {type(error).__name__}") from None
            return found
        if location == "file":
            key, text = "credential.file", _content(self.config["credential.file"])
        elif location == "inline":
            key, text = "credential.inline", self.config["credential.inline"].value
        else:
            raise ConfigError(
                "credential.location", self.config["credential.location"], "expected ApplicationDefault, File or Inline"
            )
        try:
            info = json.loads(text)
            read: Any = service_account.Credentials.from_service_account_info
            return read(info, scopes=_SCOPES), info.get("project_id")
        except (ValueError, TypeError, AttributeError, google.auth.exceptions.GoogleAuthError):
            raise ConfigError(f"{key} is not the key of a service account, as Google's console gives it") from None

    def read(self, path: SecretPath) -> Secret:
        url = (
            f"{self.config['endpoint.override'].rstrip('/')}/v1/projects/{quote(self._project, '')}/secrets/"
            f"{quote(path.name, '')}/versions/{quote(path.version or 'latest', '')}:access"
        )
        seconds = self.config["timeout.seconds"]
        try:
            answer = self._session.get(url, timeout=seconds, max_allowed_time=seconds)
        except google.auth.exceptions.RefreshError as error:
            kind = SecretUnavailableError if error.retryable else ConfigError
            raise kind("Google Cloud gives no token for these credentials") from None
        except (requests.RequestException, google.auth.exceptions.GoogleAuthError) as error:
            raise SecretUnavailableError(f"Google Cloud cannot be reached: {type(error).__name__}") from None
        _check_status(path.name, answer.status_code)
        try:
            text = base64.b64decode(answer.json()["payload"]["data"], validate=True).decode("utf-8")
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise ConfigError(f"secret {path.name} is not UTF-8 text") from None
        return Secret(secret_of_text(text, f"secret {path.name}", self.config["use.json"]))

    def close(self) -> None:
        if hasattr(self, "_session"):
            self._session.close()


def _check_status(name: str, status: int) -> None:
    if status == 404:
        raise ConfigError(f"Google Cloud has no secret {name}, or not that version of it")
    if status in (408, 429) or status >= 500:
        raise SecretUnavailableError(f"Google Cloud cannot answer now: HTTP {status}")
    if status != 200:
        raise ConfigError(f"Google Cloud does not give secret {name}: HTTP {status}")


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(1 << 20)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("credential.file", path, f"cannot be read: {type(error).__name__}") from None
