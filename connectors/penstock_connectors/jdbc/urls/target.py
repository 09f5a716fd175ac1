"""`DatabaseUrl`, the outcome of a URL, and the tables of parameters that lead there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.credentials import without_credentials
from penstock.errors import ConnectError

__all__ = ["NO_EFFECT", "DatabaseUrl", "Handler", "Parameters", "UrlError", "boolean", "split_host", "translate"]


class UrlError(ConnectError):
    """A connection URL or one of its parameters cannot be used; the message names it."""


@dataclass
class DatabaseUrl:
    """A database and how to connect to it.

    The parts are those of SQLAlchemy's ``URL``; `query` goes into it, `connect_args` straight to the driver's
    ``connect``, and `statements` are run on each new connection. `ignored` names the parameters that tune the Java
    driver and say nothing to Python's.
    """

    #: The JDBC subprotocol, or SQLAlchemy's name of the database: "postgresql", "sqlite", "mysql", ...
    subprotocol: str
    #: SQLAlchemy's ``dialect+driver``.
    drivername: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    database: str | None = None
    query: dict[str, str] = field(default_factory=dict)
    connect_args: dict[str, Any] = field(default_factory=dict, repr=False)
    statements: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    #: All parameters as they were given, by their Java names in lower case.
    driver: dict[str, str] = field(default_factory=dict, repr=False)

    def sqlalchemy_url(self) -> Any:
        """Return the ``sqlalchemy.URL``. Imports SQLAlchemy."""
        from sqlalchemy.engine import URL

        return URL.create(
            self.drivername, self.username, self.password, self.host, self.port, self.database, self.query
        )

    def __str__(self) -> str:
        place = f"{self.host or ''}{f':{self.port}' if self.port else ''}"
        return f"{self.drivername}://{place}/{self.database or ''}"


#: Puts one parameter's value into the URL that is being made.
Handler = Callable[[DatabaseUrl, str], None]
#: Parameter in lower case → handler; None where the parameter has no effect here.
Parameters = Mapping[str, Handler | None]
NO_EFFECT: Final = None


def translate(target: DatabaseUrl, given: Iterable[tuple[str, str]], known: Parameters, product: str) -> None:
    """Put every (name, value) of `given` into `target`. Raise `UrlError` for a name that `known` lacks."""
    for name, value in given:
        target.driver[name.lower()] = value
        try:
            handler = known[name.lower()]
        except KeyError:
            raise UrlError(
                f"Connection parameter '{name}' of {product} is not supported; expected one of: {', '.join(sorted(k for k, v in known.items() if v))}"
            ) from None
        if handler is None:
            target.ignored.append(name)
        else:
            handler(target, value)


def boolean(name: str, value: str) -> bool:
    """Return the truth of `value`; raise `UrlError` unless it is a boolean's text. An empty one is true, as in ``?ssl``."""
    text = value.strip().lower()
    if text in {"true", "on", "1", "yes", ""}:
        return True
    if text in {"false", "off", "0", "no"}:
        return False
    raise UrlError(f"Connection parameter '{name}' is '{value}'; expected true or false")


def split_host(text: str, url: str) -> tuple[str | None, int | None]:
    """Return host and port of ``host:port``, ``[ipv6]:port``, or what there is of them. The error for anything else shows
    `url` without the credentials in it."""
    if "@" in text:
        raise UrlError(
            f"There is a user before the host in {without_credentials(url)}; expected the user in connection.user and the password in connection.password"
        )
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UrlError(f"The port '{port}' in {without_credentials(url)} is not a number between 1 and 65535")
    return host or None, int(port) if port else None
