"""``jdbc:mysql:`` and ``jdbc:mariadb:`` URLs and the parameters of both Java drivers, as PyMySQL takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from penstock.credentials import without_credentials
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

__all__ = ["apply", "parse", "parse_mariadb"]


def parse(rest: str, properties: Iterable[tuple[str, str]]) -> DatabaseUrl:
    """Return the database of ``//user:password@host:port/db?parameters``; of several hosts the first is taken."""
    return _parse("mysql", rest, properties)


def parse_mariadb(rest: str, properties: Iterable[tuple[str, str]]) -> DatabaseUrl:
    """Return the same for ``jdbc:mariadb:``."""
    return _parse("mariadb", rest, properties)


def _parse(subprotocol: str, rest: str, properties: Iterable[tuple[str, str]]) -> DatabaseUrl:
    target = DatabaseUrl(subprotocol, f"{subprotocol}+pymysql", connect_args={"charset": "utf8mb4"})
    place, _, query = rest.partition("?")
    if not place.startswith("//"):
        shown = f"jdbc:{subprotocol}:" + ("" if "@" in place else without_credentials(place))
        raise UrlError(f"No suitable driver found for {shown}; expected jdbc:{subprotocol}://host:port/database")
    hosts, _, database = place[2:].partition("/")
    credentials, _, hosts = hosts.rpartition("@")
    if credentials:
        user, _, password = credentials.partition(":")
        target.username, target.password = unquote(user), unquote(password) or None
    if "," in hosts or "(" in hosts:
        # The hosts are not shown: a password may stand among them, as in (host=h)(password=p).
        raise UrlError(f"Several hosts in a jdbc:{subprotocol}: URL are not supported; expected one host:port")
    host, port = split_host(hosts, f"jdbc:{subprotocol}:{rest.partition('?')[0]}")
    target.host, target.port, target.database = host or "localhost", port or 3306, unquote(database) or None
    given = [pair.partition("=") for pair in query.split("&") if pair]
    apply(target, [(unquote(name), unquote(value)) for name, _, value in given])
    apply(target, properties)
    return target


def apply(target: DatabaseUrl, given: Iterable[tuple[str, str]]) -> None:
    """Put the parameters of Connector/J and MariaDB's driver into `target`."""
    target.connect_args.setdefault("charset", "utf8mb4")
    translate(target, given, _PARAMETERS, "MySQL")


def _user(target: DatabaseUrl, value: str) -> None:
    target.username = value


def _password(target: DatabaseUrl, value: str) -> None:
    target.password = value


def _milliseconds(name: str, *arguments: str) -> Handler:
    def put(target: DatabaseUrl, value: str) -> None:
        if not value.isdigit():
            raise UrlError(f"Connection parameter '{name}' is '{value}'; expected a number of milliseconds")
        if int(value):  # 0 means no limit in Java
            for argument in arguments:
                target.connect_args[argument] = max(1, -(-int(value) // 1000))

    return put


def _argument(name: str) -> Handler:
    def put(target: DatabaseUrl, value: str) -> None:
        target.connect_args[name] = value

    return put


_MODES: Final = {
    "disabled": "off", "disable": "off", "false": "off", "preferred": "on", "required": "on", "trust": "on",
    "true": "on", "verify_ca": "ca", "verify-ca": "ca", "verify_identity": "full", "verify-full": "full", "1": "on", "0": "off",
}  # fmt: skip


def _ssl_mode(target: DatabaseUrl, value: str) -> None:
    mode = _MODES.get(value.lower())
    if mode is None:
        raise UrlError(
            f"Connection parameter 'sslMode' is '{value}'; expected DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY"
        )
    if mode == "off":
        target.connect_args["ssl_disabled"] = True
        return
    ssl = target.connect_args.setdefault("ssl", {})
    ssl["check_hostname"] = mode == "full"
    if mode == "on":
        ssl["verify_mode"] = "none"
    else:
        ssl["verify_mode"] = "required"
        target.connect_args["ssl_verify_cert"] = True
        target.connect_args["ssl_verify_identity"] = mode == "full"


def _use_ssl(target: DatabaseUrl, value: str) -> None:
    _ssl_mode(target, "REQUIRED" if boolean("useSSL", value) else "DISABLED")


def _server_certificate(target: DatabaseUrl, value: str) -> None:
    target.connect_args["ssl_ca"] = value


def _session_variables(target: DatabaseUrl, value: str) -> None:
    if ";" in value:
        raise UrlError("Connection parameter 'sessionVariables' holds ';'; expected name=value, name=value")
    target.statements.append(f"SET SESSION {value}")


#: Parameters that tune the Java drivers, or say how they read types; here the connector decides.
_TUNING: Final = (
    "allowMultiQueries allowPublicKeyRetrieval allowUrlInLocalInfile autoReconnect autoReconnectForPools "
    "cacheCallableStmts cacheCallableStmtSize cachePrepStmts cacheResultSetMetadata cacheServerConfiguration "
    "characterEncoding characterSetResults connectionCollation connectionTimeZone continueBatchOnError "
    "defaultFetchSize dontTrackOpenResources elideSetAutoCommits forceConnectionTimeZoneToSession "
    "holdResultsOpenOverStatementClose jdbcCompliantTruncation logger maintainTimeStats maxReconnects metadataCacheSize "
    "noAccessToProcedureBodies nullCatalogMeansCurrent nullDatabaseMeansCurrent nullNamePatternMatchesAll "
    "prepStmtCacheSize prepStmtCacheSqlLimit preserveInstants profileSQL rewriteBatchedStatements serverTimezone "
    "serverRSAPublicKeyFile tcpKeepAlive tcpNoDelay timezone useBatchMultiSend useBulkStmts useCompression "
    "useConfigs useCursorFetch useDynamicCharsetInfo useFractionalSeconds useInformationSchema useJDBCCompliantTimezoneShift "
    "useJvmCharsetConverters useLegacyDatetimeCode useLocalSessionState useLocalTransactionState useOldAliasMetadataBehavior "
    "useReadAheadInput useServerPrepStmts useTimezone useUnbufferedInput useUnicode verifyServerCertificate requireSSL "
    "yearIsDateType zeroDateTimeBehavior tinyInt1isBit transformedBitIsBoolean sendFractionalSeconds maxAllowedPacket"
)

_PARAMETERS: Final[Parameters] = {
    "user": _user,
    "password": _password,
    "connecttimeout": _milliseconds("connectTimeout", "connect_timeout"),
    "sockettimeout": _milliseconds("socketTimeout", "read_timeout", "write_timeout"),
    "sslmode": _ssl_mode,
    "usessl": _use_ssl,
    "serversslcert": _server_certificate,
    "localsocket": _argument("unix_socket"),
    "sessionvariables": _session_variables,
    **{name.lower(): NO_EFFECT for name in _TUNING.split()},
}
