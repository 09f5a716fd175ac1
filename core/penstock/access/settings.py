"""The settings that say who may use a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.access.principal import ParseGrants, parse_grants
from penstock.access.tokens import TokenSettings
from penstock.errors import ConfigError

__all__ = ["ACCESS_KEYS", "AccessConfig"]

ACCESS_KEYS: Final = frozenset(
    {
        "authentication.method", "authentication.realm", "authentication.skip.paths", "authentication.basic.users.file",
        "oauthbearer.jwks.endpoint.url", "oauthbearer.expected.issuer", "oauthbearer.expected.audience",
        "oauthbearer.sub.claim.name", "oauthbearer.roles.claim.name", "oauthbearer.clock.skew.seconds",
        "oauthbearer.jwks.refresh.ms",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccessConfig:
    """`users_file` and `tokens` are None where that method is off; with both None the server is open."""

    users_file: Path | None
    tokens: TokenSettings | None
    realm: str
    skip_paths: tuple[str, ...]
    #: Reads the roles of users.
    grants: ParseGrants = parse_grants

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the ways by which users are recognised: ``BASIC``, ``BEARER``; none if the server is open."""
        ways = {"BASIC": self.users_file, "BEARER": self.tokens}
        return tuple(name for name, settings in ways.items() if settings is not None)

    @property
    def is_open(self) -> bool:
        return self.users_file is None and self.tokens is None

    @classmethod
    def parse(
        cls, props: Mapping[str, str], server: str, realm: str, grants: ParseGrants = parse_grants
    ) -> AccessConfig:
        """Read ``authentication.*`` and ``oauthbearer.*``. `server` is how errors call what would stand open, `realm` what
        browsers show unless ``authentication.realm`` is set. Raises `ConfigError`."""
        text = props.get("authentication.method", "")
        methods = {part.strip().upper() for part in text.split(",")} - {"", "NONE"}
        if unknown := methods - {"BASIC", "BEARER"}:
            raise ConfigError(
                "authentication.method", sorted(unknown)[0], "expected NONE, BASIC, BEARER or BASIC,BEARER"
            )
        users = props.get("authentication.basic.users.file", "").strip()
        jwks = props.get("oauthbearer.jwks.endpoint.url", "").strip()
        for method, key, value in (
            ("BASIC", "authentication.basic.users.file", users),
            ("BEARER", "oauthbearer.jwks.endpoint.url", jwks),
        ):
            if method in methods and not value:
                raise ConfigError(f"authentication.method={text} needs {key}")
            if value and method not in methods:
                raise ConfigError(
                    f"{key} is set, but authentication.method does not name {method}: {server} would stand open. "
                    f"Set authentication.method={method}, or take {key} out."
                )
        return cls(
            Path(users) if users else None,
            _tokens(props, jwks, grants) if jwks else None,
            props.get("authentication.realm", realm).replace('"', "'"),
            tuple(filter(None, (p.strip().rstrip("/") for p in props.get("authentication.skip.paths", "").split(",")))),
            grants,
        )


def _tokens(props: Mapping[str, str], jwks: str, grants: ParseGrants) -> TokenSettings:
    audience = props.get("oauthbearer.expected.audience", "")
    return TokenSettings(
        jwks,
        props.get("oauthbearer.expected.issuer") or None,
        tuple(part.strip() for part in audience.split(",") if part.strip()),
        props.get("oauthbearer.sub.claim.name", "sub"),
        props.get("oauthbearer.roles.claim.name", "roles"),
        _whole(props, "oauthbearer.clock.skew.seconds", 30),
        _whole(props, "oauthbearer.jwks.refresh.ms", 3_600_000) / 1000,
        grants,
    )


def _whole(props: Mapping[str, str], key: str, default: int) -> int:
    text = props.get(key, str(default))
    if not text.strip().isdecimal():
        raise ConfigError(key, text, "expected a number of 0 or more")
    return int(text)
