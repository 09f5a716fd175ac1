"""``jdbc:oracle:thin:`` URLs, as python-oracledb takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from penstock_connectors.jdbc.urls.target import NO_EFFECT, DatabaseUrl, Parameters, UrlError, translate

__all__ = ["apply", "parse"]

#: host:port:sid and host:port/service; both end before the parameters.
_SID: Final = re.compile(r"([^/:@]+):(\d+):([^/:?]+)")
_SERVICE: Final = re.compile(r"(?:(tcps?)://|//)?([^/:@]+)(?::(\d+))?/([^?]+)")


def parse(rest: str, properties: Iterable[tuple[str, str]]) -> DatabaseUrl:
    """Return the database of ``thin:user/password@place``. `place` is ``host:port:sid``, ``//host:port/service``, a
    ``(DESCRIPTION=...)`` or a name of tnsnames.ora."""
    kind, _, tail = rest.partition(":")
    if kind != "thin":
        raise UrlError(f"jdbc:oracle:{kind}: is not supported; expected jdbc:oracle:thin:@host:port/service")
    credentials, found, place = tail.rpartition("@") if "(" not in tail else tail.partition("@")
    if not found:
        raise UrlError(f"jdbc:oracle:thin:{place} names no place; expected jdbc:oracle:thin:@host:port/service")
    target = DatabaseUrl("oracle", "oracle+oracledb")
    if credentials:
        user, _, password = credentials.partition("/")
        target.username, target.password = user, password or None
    place, _, query = (place, "", "") if place.startswith("(") else place.partition("?")
    _put_place(target, place)
    apply(target, [(n, v) for n, _, v in (pair.partition("=") for pair in query.split("&") if pair)])
    apply(target, properties)
    return target


def _put_place(target: DatabaseUrl, place: str) -> None:
    sid, service = _SID.fullmatch(place), _SERVICE.fullmatch(place)
    if sid:
        target.host, target.port, target.database = sid[1], int(sid[2]), sid[3]
    elif service:
        target.host, target.port = service[2], int(service[3] or 1521)
        target.query["service_name"] = service[4]
        if service[1] == "tcps":
            target.connect_args["protocol"] = "tcps"
    else:
        target.host, target.connect_args["dsn"] = None, place


def apply(target: DatabaseUrl, given: Iterable[tuple[str, str]]) -> None:
    """Put the properties of Oracle's thin driver into `target`."""
    translate(target, given, _PARAMETERS, "Oracle")


def _user(target: DatabaseUrl, value: str) -> None:
    target.username = value


def _password(target: DatabaseUrl, value: str) -> None:
    target.password = value


def _tns_admin(target: DatabaseUrl, value: str) -> None:
    target.connect_args["config_dir"] = value


def _connect_timeout(target: DatabaseUrl, value: str) -> None:
    if not value.isdigit():
        raise UrlError(f"Connection parameter 'oracle.net.CONNECT_TIMEOUT' is '{value}'; expected milliseconds")
    target.connect_args["tcp_connect_timeout"] = int(value) / 1000


_PARAMETERS: Final[Parameters] = {
    "user": _user,
    "password": _password,
    "tns_admin": _tns_admin,
    "oracle.net.tns_admin": _tns_admin,
    "oracle.net.connect_timeout": _connect_timeout,
    "defaultrowprefetch": NO_EFFECT,
    "oracle.jdbc.readtimeout": NO_EFFECT,
    "oracle.jdbc.timezoneasregion": NO_EFFECT,
    "defaultnchar": NO_EFFECT,
    "includesynonyms": NO_EFFECT,
    "remarksreporting": NO_EFFECT,
}
