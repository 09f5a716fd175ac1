"""A connector's connection settings → `DatabaseUrl`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from penstock.credentials import without_credentials
from penstock_connectors.jdbc.urls import mysql, oracle, postgresql, sqlite, sqlserver
from penstock_connectors.jdbc.urls.target import DatabaseUrl, UrlError

__all__ = ["database_url"]

_JDBC: Final = re.compile(r"jdbc:([^:]+):(.*)", re.S)
_SQLALCHEMY: Final = re.compile(r"[A-Za-z][\w]*(\+\w+)?://", re.ASCII)

#: JDBC subprotocol → function of the rest of the URL and the ``connection.*`` properties.
_BY_SUBPROTOCOL: Final[Mapping[str, Callable[[str, Iterable[tuple[str, str]]], DatabaseUrl]]] = {
    "postgresql": postgresql.parse,
    "sqlite": sqlite.parse,
    "mysql": mysql.parse,
    "mariadb": mysql.parse_mariadb,
    "sqlserver": sqlserver.parse,
    "oracle": oracle.parse,
}


def database_url(
    url: str, user: str | None = None, password: str | None = None, properties: Mapping[str, str] | None = None
) -> DatabaseUrl:
    """Return what ``connection.url`` comes to, with user and password and the other ``connection.*`` settings.

    `properties` has the latter without their prefix. User and password given beside the URL win over those in it.
    A SQLAlchemy URL must name a database, or a database file. Raise `UrlError` with the words of the JVM's connector
    where it has some.
    """
    given = list((properties or {}).items())
    jdbc = _JDBC.fullmatch(url)
    if jdbc:
        parse = _BY_SUBPROTOCOL.get(jdbc[1])
        if parse is None:
            raise UrlError(f"No suitable driver found for {without_credentials(url)}")
        target = parse(jdbc[2], given)
    else:
        target = _sqlalchemy(url, given)
    if user is not None:
        target.username = user
    if password is not None:
        target.password = password
    return target


def _sqlalchemy(url: str, properties: list[tuple[str, str]]) -> DatabaseUrl:
    if not _SQLALCHEMY.match(url):
        raise UrlError(f"Not a valid JDBC URL: {without_credentials(url)}")
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        raise UrlError(f"Not a valid JDBC URL: {without_credentials(url)}") from None
    if not made.database and not made.query:
        raise UrlError(f"Not a valid JDBC URL: {without_credentials(url)}")
    backend = made.get_backend_name()
    defaults = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql",
                "oracle": "oracle+oracledb", "postgres": "postgresql+psycopg"}  # fmt: skip
    target = DatabaseUrl(
        "postgresql" if backend == "postgres" else backend,
        made.drivername if "+" in made.drivername else defaults.get(backend, made.drivername),
        made.username,
        None if made.password is None else str(made.password),
        made.host,
        made.port,
        made.database,
        {name: value if isinstance(value, str) else ",".join(value) for name, value in made.query.items()},
    )
    # The JDBC names of parameters are understood here, too, so that one set of settings serves both kinds of URL.
    tables = {
        "postgresql": postgresql,
        "sqlite": sqlite,
        "mysql": mysql,
        "mariadb": mysql,
        "mssql": sqlserver,
        "oracle": oracle,
    }
    if properties:
        if target.subprotocol not in tables:
            raise UrlError(
                f"connection.{properties[0][0]} is not supported for {target.subprotocol}; put the driver's parameters into connection.url"
            )
        tables[target.subprotocol].apply(target, properties)
    return target
