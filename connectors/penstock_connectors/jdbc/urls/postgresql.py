"""``jdbc:postgresql:`` URLs and the connection parameters of pgjdbc, as libpq takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from penstock_connectors.jdbc.urls.target import (
    NO_EFFECT,
    DatabaseUrl,
    Handler,
    Parameters,
    UrlError,
    boolean,
    split_host,
    translate,
)

__all__ = ["apply", "parse"]


def parse(rest: str, properties: Iterable[tuple[str, str]]) -> DatabaseUrl:
    """Return the database of ``//host:port,host2/db?parameters``, ``db`` or ``/``, on localhost without a host."""
    target = DatabaseUrl("postgresql", "postgresql+psycopg")
    place, _, query = rest.partition("?")
    hosts = ""
    if place.startswith("//"):
        hosts, _, place = place[2:].partition("/")
    elif "@" in place and ":" in place:
        raise UrlError(
            "A jdbc:postgresql: URL without // names a database alone, and this one has a user in it; expected "
            "jdbc:postgresql://host:port/database, connection.user and connection.password"
        )
    target.database = unquote(place.strip("/")) or None
    pairs = [split_host(host, f"jdbc:postgresql:{rest.partition('?')[0]}") for host in hosts.split(",")]
    if len(pairs) == 1:
        target.host, target.port = pairs[0][0] or "localhost", pairs[0][1] or 5432
    else:  # libpq tries them in turn, as pgjdbc does
        target.connect_args["host"] = ",".join(host or "localhost" for host, _ in pairs)
        target.connect_args["port"] = ",".join(str(port or 5432) for _, port in pairs)
    given = [pair.partition("=") for pair in query.split("&") if pair]
    apply(target, [(unquote(name), unquote(value)) for name, _, value in given])
    apply(target, properties)
    return target


def apply(target: DatabaseUrl, given: Iterable[tuple[str, str]]) -> None:
    """Put pgjdbc's parameters into `target`."""
    translate(target, given, _PARAMETERS, "PostgreSQL")


def _argument(name: str) -> Handler:
    def put(target: DatabaseUrl, value: str) -> None:
        target.connect_args[name] = value

    return put


def _user(target: DatabaseUrl, value: str) -> None:
    target.username = value


def _password(target: DatabaseUrl, value: str) -> None:
    target.password = value


def _seconds(name: str) -> Handler:
    def put(target: DatabaseUrl, value: str) -> None:
        if not value.isdigit():
            raise UrlError(f"Connection parameter '{name}' is '{value}'; expected a number of seconds")
        target.connect_args["connect_timeout"] = value

    return put


def _socket_timeout(target: DatabaseUrl, value: str) -> None:
    if not value.isdigit():
        raise UrlError(f"Connection parameter 'socketTimeout' is '{value}'; expected a number of seconds")
    if int(value):
        # A statement that the server works on longer is ended by the server, a dead network by the kernel.
        target.connect_args["tcp_user_timeout"] = str(int(value) * 1000)
        _option(target, f"-c statement_timeout={int(value) * 1000}")


def _ssl(target: DatabaseUrl, value: str) -> None:
    if boolean("ssl", value):
        target.connect_args.setdefault("sslmode", "verify-full")


def _option(target: DatabaseUrl, text: str) -> None:
    before = target.connect_args.get("options")
    target.connect_args["options"] = f"{before} {text}" if before else text


def _current_schema(target: DatabaseUrl, value: str) -> None:
    _option(target, "-c search_path=" + value.replace("\\", "\\\\").replace(" ", "\\ "))


def _read_only(target: DatabaseUrl, value: str) -> None:
    if boolean("readOnly", value):
        _option(target, "-c default_transaction_read_only=on")


def _keep_alive(target: DatabaseUrl, value: str) -> None:
    target.connect_args["keepalives"] = "1" if boolean("tcpKeepAlive", value) else "0"


def _load_balance(target: DatabaseUrl, value: str) -> None:
    target.connect_args["load_balance_hosts"] = "random" if boolean("loadBalanceHosts", value) else "disable"


_SERVER_TYPES: Final = {
    "any": "any", "primary": "primary", "master": "primary", "secondary": "standby", "slave": "standby",
    "prefersecondary": "prefer-standby", "preferslave": "prefer-standby",
}  # fmt: skip


def _server_type(target: DatabaseUrl, value: str) -> None:
    known = _SERVER_TYPES.get(value.lower())
    if known is None:
        raise UrlError(
            f"Connection parameter 'targetServerType' is '{value}'; expected one of any, primary, secondary, preferSecondary"
        )
    target.connect_args["target_session_attrs"] = known


#: Parameters that tune pgjdbc itself: buffers, caches, its log, the forms of its own protocol.
_TUNING: Final = (
    "adaptiveFetch adaptiveFetchMinimum adaptiveFetchMaximum allowEncodingChanges assumeMinServerVersion autosave "
    "binaryTransfer binaryTransferEnable binaryTransferDisable cancelSignalTimeout charSet cleanupSavepoints compatible "
    "databaseMetadataCacheFields databaseMetadataCacheFieldsMiB defaultRowFetchSize disableColumnSanitiser "
    "escapeSyntaxCallMode groupStartupParameters hideUnprivilegedObjects hostRecheckSeconds logServerErrorDetail "
    "logUnclosedConnections loggerFile loggerLevel maxResultBuffer maxSendBufferSize preferQueryMode "
    "preparedStatementCacheQueries preparedStatementCacheSizeMiB prepareThreshold quoteReturningIdentifiers "
    "receiveBufferSize reWriteBatchedInserts sendBufferSize stringtype tcpNoDelay unknownLength"
)

_PARAMETERS: Final[Parameters] = {
    "user": _user,
    "password": _password,
    "ssl": _ssl,
    "sslmode": _argument("sslmode"),
    "sslrootcert": _argument("sslrootcert"),
    "sslcert": _argument("sslcert"),
    "sslkey": _argument("sslkey"),
    "sslpassword": _argument("sslpassword"),
    "sslnegotiation": _argument("sslnegotiation"),
    "channelbinding": _argument("channel_binding"),
    "requireauth": _argument("require_auth"),
    "gssencmode": _argument("gssencmode"),
    "kerberosservername": _argument("krbsrvname"),
    "applicationname": _argument("application_name"),
    "application_name": _argument("application_name"),
    "currentschema": _current_schema,
    "options": _option,
    "readonly": _read_only,
    "connecttimeout": _seconds("connectTimeout"),
    "logintimeout": _seconds("loginTimeout"),
    "sockettimeout": _socket_timeout,
    "tcpkeepalive": _keep_alive,
    "targetservertype": _server_type,
    "loadbalancehosts": _load_balance,
    **{name.lower(): NO_EFFECT for name in _TUNING.split()},
}
