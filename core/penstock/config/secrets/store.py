"""`SecretStore`: what the providers of secrets have in common: settings, paths, times to live, further attempts."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import parse_qsl

from penstock.config.definition import ConfigDef, ConfigType, Importance
from penstock.config.provider import ConfigData, ConfigProvider
from penstock.config.validators import Range
from penstock.errors import ConfigError, RetriableError

__all__ = [
    "Secret",
    "SecretPath",
    "SecretStore",
    "SecretUnavailableError",
    "secret_of_text",
    "store_def",
]

_log = logging.getLogger(__name__)
#: The share of a lease after which its values count as used up: who uses them needs a moment to get new ones.
_LEASE_SHARE: Final = 0.9
_SECONDS: Final = "timeout.seconds"


class SecretUnavailableError(RetriableError):
    """The store does not answer, or not now."""


class Secret(NamedTuple):
    """The values of one secret by key. `lease_seconds`: for how long the store grants them; None: for good."""

    data: Mapping[str, str]
    lease_seconds: float | None = None


class SecretPath(NamedTuple):
    """The path of a variable: ``prod/db?version=3&ttl=60000``. `ttl_ms` is None where it does not say."""

    name: str
    version: str | None = None
    ttl_ms: int | None = None

    @classmethod
    def parse(cls, text: str) -> SecretPath:
        """Raises `ConfigError` for a query that means nothing here."""
        name, mark, query = text.partition("?")
        told = dict(parse_qsl(query, keep_blank_values=True)) if mark else {}
        if unknown := told.keys() - {"version", "ttl"}:
            raise ConfigError(f"{sorted(unknown)[0]!r} means nothing in a secret's path; expected version or ttl")
        ttl = told.get("ttl")
        if ttl is not None and not (ttl.isdecimal() and int(ttl) > 0):
            raise ConfigError("the ttl in a secret's path must be a number of milliseconds above 0")
        if not name:
            raise ConfigError("the variable names no secret: write ${provider:secret:key}")
        return cls(name, told.get("version"), None if ttl is None else int(ttl))


def store_def() -> ConfigDef:
    """Return the settings that every store has."""
    low = Importance.LOW
    return (
        ConfigDef()
        .define("secret.prefix", ConfigType.STRING, "", importance=low, doc="Stands before every secret's name.")
        .define("secret.ttl.ms", ConfigType.LONG, None, importance=low, validator=_OptionalRange(1000),
                doc="For how long values may be used; without it for good, unless the store grants them for a time.")
        .define(_SECONDS, ConfigType.LONG, 10, importance=low, validator=Range.at_least(1),
                doc="How long one request to the store may take.")
        .define("retry.count", ConfigType.INT, 3, importance=low, validator=Range.at_least(1),
                doc="How often a store that does not answer is asked.")
        .define("retry.interval.seconds", ConfigType.LONG, 1, importance=low, validator=Range.at_least(0),
                doc="The pause before it is asked again.")
    )  # fmt: skip


class _OptionalRange(Range):
    def ensure_valid(self, name: str, value: Any) -> None:
        if value is not None:
            super().ensure_valid(name, value)


#: Settings that other implementations have for what is done otherwise here: threads and polling of their own.
_NO_EFFECT: Final = frozenset(
    {"thread.count", "polling.enabled", "polling.interval.seconds", "token.renewal.ms", "file.dir"}
)


@dataclass(slots=True)
class _Kept:
    """A secret that is in use; `until` is the clock's time at which its values end."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    secret: Secret | None = None
    until: float = 0.0


class SecretStore(ConfigProvider):
    """Base of the providers. Values with a time to live are kept until it ends, so that a connector and all its tasks get
    the same ones, and one lease serves them all."""

    #: The settings, and further names of some: those that other implementations of the same provider have.
    settings: ClassVar[ConfigDef]
    other_names: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock, self._pause = clock, pause
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self.config: Mapping[str, Any] = {}

    def configure(self, configs: Mapping[str, str]) -> None:
        self.config = self.settings.parse(self._named(configs))
        self.connect()

    def _named(self, configs: Mapping[str, str]) -> dict[str, str]:
        """Return the settings under the names that they have here."""
        named: dict[str, str] = {}
        for key, value in configs.items():
            name = {"secret.default.ttl": "secret.ttl.ms", "default.ttl": "secret.ttl.ms", **self.other_names}.get(
                key, key
            )
            if key == "file.write" and value.strip().lower() != "false":
                raise ConfigError(key, value, "secrets are never written to files here; expected false")
            if name != key and name == "secret.ttl.ms" and value.strip() == "0":
                continue  # the other implementation's word for none
            if name in self.settings.names:
                if named.setdefault(name, value) != value:
                    raise ConfigError(f"{key} and {name} mean the same setting, and have different values")
            elif key not in _NO_EFFECT and key != "file.write":
                _log.warning("%s is no setting of %s and has no effect", key, type(self).__name__)
        return named

    @abstractmethod
    def connect(self) -> None:
        """Make the client; `config` is there. Raises `ConfigError`."""

    @abstractmethod
    def read(self, path: SecretPath) -> Secret:
        """Ask the store. Raises `SecretUnavailableError` where another attempt may do, `ConfigError` otherwise; no text
        of the store's answer is in either."""

    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        parsed = SecretPath.parse(path)
        with self._lock:
            kept = self._kept.setdefault(path, _Kept())
        with kept.lock:  # who comes second gets what the first has fetched
            now = self._clock()
            if kept.secret is None or now >= kept.until:
                secret = self._read_patiently(parsed)
                lifetime = self._lifetime(parsed, secret)
                now = self._clock()
                kept.secret, kept.until = (None, 0.0) if lifetime is None else (secret, now + lifetime)
            else:
                secret = kept.secret
            ttl_ms = None if kept.secret is None else max(1, math.ceil(round((kept.until - now) * 1000, 3)))
        self._forget_ended(now)
        data = secret.data if keys is None else {key: secret.data[key] for key in keys if key in secret.data}
        return ConfigData(data, ttl_ms)

    def _read_patiently(self, path: SecretPath) -> Secret:
        attempts: int = self.config["retry.count"]
        for attempt in range(1, attempts + 1):
            try:
                return self.read(path._replace(name=self.config["secret.prefix"] + path.name))
            except SecretUnavailableError as error:
                if attempt == attempts:
                    raise
                _log.info("Asking again for secret %s: %s", path.name, error)
                self._pause(self.config["retry.interval.seconds"])
        raise AssertionError("the last attempt returns or raises")

    def _lifetime(self, path: SecretPath, secret: Secret) -> float | None:
        """Return for how many seconds the values may be used, None for good."""
        wanted = path.ttl_ms if path.ttl_ms is not None else self.config["secret.ttl.ms"]
        times = [] if wanted is None else [wanted / 1000]
        if secret.lease_seconds is not None:
            times.append(secret.lease_seconds * _LEASE_SHARE)
        return min(times, default=None)

    def _forget_ended(self, now: float) -> None:
        """Drop what nobody uses any more: paths are the users' to make up."""
        with self._lock:
            for path in [p for p, kept in self._kept.items() if kept.until <= now and not kept.lock.locked()]:
                del self._kept[path]


def secret_of_text(text: str, where: str, as_json: bool = True) -> Mapping[str, str]:
    """Return a secret's values: the members of the JSON object that its text is; with `as_json` false the whole text, under
    the key ``value``. Raises `ConfigError` that shows nothing of it."""
    if not as_json:
        return {"value": text}
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise ConfigError(f"{where} is not a JSON object of keys and values; use.json=false takes it as one text")
    return {key: as_text(value) for key, value in members.items() if value is not None}


def as_text(value: object) -> str:
    """Return a member of a JSON object as a setting's value."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
