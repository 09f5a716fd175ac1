"""HashiCorp Vault: the KV engine of either version, and engines that lease values (databases, clouds)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import hvac
import requests

from penstock import __version__
from penstock.config.definition import ConfigDef, ConfigType, Importance
from penstock.config.secrets.store import (
    Secret,
    SecretPath,
    SecretStore,
    SecretUnavailableError,
    as_text,
    store_def,
)
from penstock.config.validators import Range
from penstock.credentials import without_credentials
from penstock.errors import ConfigError
from penstock.logs import no_wire_logs

__all__ = ["VaultConfigProvider"]

_T = TypeVar("_T")
_METHODS: Final = {"token", "approle", "userpass", "ldap", "kubernetes", "certificate"}
#: The settings that a method needs.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "approle": ("vault.auth.role", "vault.auth.secret"),
    "userpass": ("vault.auth.username", "vault.auth.password"),
    "ldap": ("vault.auth.username", "vault.auth.password"),
    "kubernetes": ("vault.auth.role",),
    "certificate": ("vault.client.pem",),
}
_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"


def _settings() -> ConfigDef:
    high, medium, low, text = Importance.HIGH, Importance.MEDIUM, Importance.LOW, ConfigType.STRING
    return (
        store_def()
        .define("vault.address", text, "", importance=high, doc="The server's URL; empty: the variable VAULT_ADDR.")
        .define("vault.namespace", text, "", importance=medium, doc="The namespace, of Vault Enterprise.")
        .define("vault.auth.method", text, "Token", importance=high,
                doc="Token, AppRole, UserPass, LDAP, Kubernetes or Certificate.")
        .define("vault.auth.mount", text, "", importance=low, doc="Where the method is mounted; empty: under its own name.")
        .define("vault.auth.token", ConfigType.PASSWORD, "", importance=high,
                doc="The token, for Token; empty: the variable VAULT_TOKEN.")
        .define("vault.auth.role", text, "", importance=high, doc="The role's id for AppRole, its name for Kubernetes.")
        .define("vault.auth.secret", ConfigType.PASSWORD, "", importance=high, doc="The secret id, for AppRole.")
        .define("vault.auth.username", text, "", importance=high, doc="The user, for UserPass and LDAP.")
        .define("vault.auth.password", ConfigType.PASSWORD, "", importance=high, doc="The password, for UserPass and LDAP.")
        .define("kubernetes.token.path", text, _SERVICE_ACCOUNT, importance=low, doc="The service account's token, for Kubernetes.")
        .define("vault.secrets.version", ConfigType.INT, 2, importance=medium, validator=Range.between(1, 2),
                doc="2 for KV version 2; 1 for KV version 1 and all engines whose paths are used as they are.")
        .define("vault.prefixpath", text, "", importance=low,
                doc="A path with as many segments as the mount of KV version 2 has, where it has more than one.")
        .define("vault.ssl.verify.enabled", ConfigType.BOOLEAN, True, importance=high, doc="Whether the server's certificate is checked.")
        .define("vault.pem", text, "", importance=medium, doc="A file with the certificates to trust; empty: the system's.")
        .define("vault.client.pem", text, "", importance=medium, doc="A file with certificate and key, for servers that ask for them.")
    )  # fmt: skip


class VaultConfigProvider(SecretStore):
    """Looks keys up in a secret of Vault: ``${vault:secret/db:password}``.

    Values that Vault leases are used for nine tenths of the lease; a connector that uses them then starts anew with others.
    """

    version = __version__
    settings: ClassVar[ConfigDef] = _settings()
    #: The names of Lenses' provider.
    other_names: ClassVar[Mapping[str, str]] = {
        "vault.addr": "vault.address", "vault.token": "vault.auth.token", "vault.engine.version": "vault.secrets.version",
        "app.role.id": "vault.auth.role", "app.role.secret.id": "vault.auth.secret", "app.role.path": "vault.auth.mount",
        "username": "vault.auth.username", "password": "vault.auth.password", "mount": "vault.auth.mount",
        "ldap.username": "vault.auth.username", "ldap.password": "vault.auth.password", "ldap.mount": "vault.auth.mount",
        "kubernetes.role": "vault.auth.role", "cert.mount": "vault.auth.mount",
    }  # fmt: skip

    def connect(self) -> None:
        config = self.config
        self._method = _method(config["vault.auth.method"])
        for name in _NEEDED.get(self._method, ()):
            if not _plain(config[name]):
                raise ConfigError(f"vault.auth.method={config['vault.auth.method']} needs {name}")
        token = _plain(config["vault.auth.token"]) or os.environ.get("VAULT_TOKEN", "")
        if self._method == "token" and not token:
            raise ConfigError("vault.auth.method=Token needs vault.auth.token, or the variable VAULT_TOKEN")
        self._address = config["vault.address"] or os.environ.get("VAULT_ADDR", "")
        if not self._address:
            raise ConfigError("vault.address is not set, and neither is the variable VAULT_ADDR")
        no_wire_logs("hvac", "hvac.adapters")
        self._client = hvac.Client(
            self._address,
            token=token if self._method == "token" else "",
            namespace=config["vault.namespace"] or None,
            timeout=config["timeout.seconds"],
            verify=(config["vault.pem"] or True) if config["vault.ssl.verify.enabled"] else False,
            cert=config["vault.client.pem"] or None,
        )
        self._depth = len([part for part in config["vault.prefixpath"].split("/") if part]) or 1

    def read(self, path: SecretPath) -> Secret:
        if self._method != "token" and not self._client.token:
            self._ask(path.name, self._log_in)
        try:
            return self._ask(path.name, lambda: self._secret(path))
        except _RefusedError as error:
            if self._method == "token":
                raise ConfigError(error.message) from None
            self._ask(path.name, self._log_in)  # the token of the last login may have run out
            try:
                return self._ask(path.name, lambda: self._secret(path))
            except _RefusedError as still:
                raise ConfigError(still.message) from None

    def close(self) -> None:
        if hasattr(self, "_client"):
            self._client.adapter.close()

    def _secret(self, path: SecretPath) -> Secret:
        versioned = self.config["vault.secrets.version"] == 2
        parts = [part for part in path.name.split("/") if part]
        if versioned:
            parts.insert(self._depth, "data")
        elif path.version is not None:
            raise ConfigError("only secrets of KV version 2 have versions")
        parameters = {} if path.version is None else {"version": path.version}
        answer = self._client.adapter.get("/v1/" + "/".join(parts), params=parameters)
        try:
            data = answer["data"]["data"] if versioned else answer["data"]
            values = {key: as_text(value) for key, value in data.items() if value is not None}
        except (AttributeError, KeyError, TypeError):
            hint = "vault.secrets.version=1 is for engines other than KV version 2"
            raise ConfigError(f"what Vault has at {path.name} is no secret with keys and values; {hint}") from None
        seconds = answer.get("lease_duration") or 0
        # KV leases nothing; of version 1 a value called ttl says how long the secret should be used.
        leased = bool(answer.get("lease_id")) or (not versioned and "ttl" in values)
        return Secret(values, float(seconds) if leased and seconds > 0 else None)

    def _log_in(self) -> None:
        config, mount = self.config, self.config["vault.auth.mount"].strip("/")
        url = f"/v1/auth/{mount or {'certificate': 'cert'}.get(self._method, self._method)}/login"
        body: dict[str, str] = {}
        if self._method == "approle":
            body = {"role_id": config["vault.auth.role"], "secret_id": _plain(config["vault.auth.secret"])}
        elif self._method == "kubernetes":
            body = {"role": config["vault.auth.role"], "jwt": _token_of(config["kubernetes.token.path"])}
        elif self._method in ("userpass", "ldap"):
            url += f"/{config['vault.auth.username']}"
            body = {"password": _plain(config["vault.auth.password"])}
        self._client.token = ""
        self._client.adapter.login(url, use_token=True, json=body)

    def _ask(self, name: str, action: Callable[[], _T]) -> _T:
        """Return what `action` returns, its errors in our words: Vault's texts are its own."""
        at = f"Vault at {without_credentials(self._address)}"
        try:
            return action()
        except hvac.exceptions.InvalidPath:
            raise ConfigError(f"{at} has no secret {name}") from None
        except hvac.exceptions.Forbidden:
            raise _RefusedError(f"{at} does not let this user read {name}") from None
        except (hvac.exceptions.InvalidRequest, hvac.exceptions.Unauthorized):
            raise _RefusedError(f"{at} refuses the login by {self.config['vault.auth.method']}") from None
        except hvac.exceptions.VaultError as error:
            raise SecretUnavailableError(f"{at} cannot answer now: {type(error).__name__}") from None
        except requests.RequestException as error:
            raise SecretUnavailableError(f"{at} cannot be reached: {type(error).__name__}") from None


class _RefusedError(ConfigError):
    """Vault knows who asks and says no; or no longer knows."""


def _method(text: str) -> str:
    method = {"cert": "certificate"}.get(text.strip().lower(), text.strip().lower())
    if method not in _METHODS:
        raise ConfigError(
            "vault.auth.method", text, "expected Token, AppRole, UserPass, LDAP, Kubernetes or Certificate"
        )
    return method


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value))


def _token_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("kubernetes.token.path", path, f"cannot be read: {type(error).__name__}") from None
