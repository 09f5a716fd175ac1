"""``jdbc:sqlserver:`` URLs and the properties of Microsoft's Java driver, as ODBC takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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
    r"""Return the database of ``//host\instance:port;databaseName=x;encrypt=true``."""
    target = DatabaseUrl("sqlserver", "mssql+pyodbc", query={"driver": "ODBC Driver 18 for SQL Server"})
    place, _, tail = rest.removeprefix("//").partition(";")
    host, port = split_host(place, f"jdbc:sqlserver:{rest.partition(';')[0]}")
    target.host, target.port = host or "localhost", port
    apply(target, _properties(tail))
    apply(target, properties)
    return target


def _properties(text: str) -> list[tuple[str, str]]:
    """Return the ``name=value`` pairs between semicolons; braces quote a value, and a closing one in it is doubled."""
    found = []
    while text:
        name, _, text = text.partition("=")
        if text.startswith("{"):
            value, text = _braced(text[1:])
            text = text.partition(";")[2]
        else:
            value, _, text = text.partition(";")
        if name.strip(" ;"):
            found.append((name.strip(" ;"), value.strip()))
    return found


def _braced(text: str) -> tuple[str, str]:
    value = ""
    while True:
        part, end, text = text.partition("}")
        value += part
        if not end or not text.startswith("}"):
            return value, text
        value, text = value + "}", text[1:]


def apply(target: DatabaseUrl, given: Iterable[tuple[str, str]]) -> None:
    """Put the properties of Microsoft's JDBC driver into `target`."""
    translate(target, given, _PARAMETERS, "SQL Server")


def _attribute(name: str) -> Handler:
    def put(target: DatabaseUrl, value: str) -> None:
        setattr(target, name, value)

    return put


def _query(name: str) -> Handler:
    def put(target: DatabaseUrl, value: str) -> None:
        target.query[name] = value

    return put


def _port(target: DatabaseUrl, value: str) -> None:
    if not value.isdigit():
        raise UrlError(f"Connection parameter 'portNumber' is '{value}'; expected a number")
    target.port = int(value)


def _instance(target: DatabaseUrl, value: str) -> None:
    target.host = f"{target.host}\\{value}"


def _encrypt(target: DatabaseUrl, value: str) -> None:
    target.query["Encrypt"] = "strict" if value.lower() == "strict" else ("yes" if boolean("encrypt", value) else "no")


def _trust(target: DatabaseUrl, value: str) -> None:
    target.query["TrustServerCertificate"] = "yes" if boolean("trustServerCertificate", value) else "no"


def _integrated(target: DatabaseUrl, value: str) -> None:
    if boolean("integratedSecurity", value):
        target.query["Trusted_Connection"] = "yes"


def _multi_subnet(target: DatabaseUrl, value: str) -> None:
    target.query["MultiSubnetFailover"] = "yes" if boolean("multiSubnetFailover", value) else "no"


def _login_timeout(target: DatabaseUrl, value: str) -> None:
    if not value.isdigit():
        raise UrlError(f"Connection parameter 'loginTimeout' is '{value}'; expected a number of seconds")
    target.connect_args["timeout"] = int(value)


_TUNING: Final = (
    "bulkCopyForBatchInsertBatchSize cacheBulkCopyMetadata calcBigDecimalPrecision columnEncryptionSetting "
    "delayLoadingLobs disableStatementPooling enablePrepareOnFirstPreparedStatementCall lastUpdateCount packetSize "
    "prepareMethod responseBuffering selectMethod sendStringParametersAsUnicode sendTemporalDataTypesAsStringForBulkCopy "
    "sendTimeAsDatetime serverPreparedStatementDiscardThreshold statementPoolingCacheSize useBulkCopyForBatchInsert "
    "useFmtOnly xopenStates lockTimeout queryTimeout cancelQueryTimeout socketTimeout"
)

_PARAMETERS: Final[Parameters] = {
    "user": _attribute("username"),
    "username": _attribute("username"),
    "password": _attribute("password"),
    "databasename": _attribute("database"),
    "database": _attribute("database"),
    "servername": _attribute("host"),
    "server": _attribute("host"),
    "portnumber": _port,
    "port": _port,
    "instancename": _instance,
    "encrypt": _encrypt,
    "trustservercertificate": _trust,
    "hostnameincertificate": _query("HostnameInCertificate"),
    "integratedsecurity": _integrated,
    "authentication": _query("Authentication"),
    "applicationname": _query("APP"),
    "applicationintent": _query("ApplicationIntent"),
    "workstationid": _query("WSID"),
    "multisubnetfailover": _multi_subnet,
    "logintimeout": _login_timeout,
    **{name.lower(): NO_EFFECT for name in _TUNING.split()},
}
