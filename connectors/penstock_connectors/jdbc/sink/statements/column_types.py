"""Connect's types as column types, for each dialect (``getSqlType`` of the JVM's dialects)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from penstock.data import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Type

__all__ = ["COLUMN_TYPES", "ColumnTypes"]

_PLAIN: Final = (
    Type.INT8, Type.INT16, Type.INT32, Type.INT64, Type.FLOAT32, Type.FLOAT64, Type.BOOLEAN, Type.STRING, Type.BYTES,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ColumnTypes:
    """One dialect's column types."""

    plain: Mapping[Type, str]
    #: By the logical type's name; ``{scale}`` stands for a Decimal's scale.
    logical: Mapping[str, str]
    #: The type of a field of ``timestamp.fields.list``, and the one where it counts nanoseconds.
    timestamp_field: str
    timestamp_field_nanos: str
    #: Types that differ in key columns, or in columns that may be null.
    key: Mapping[Type, str] = field(default_factory=dict)
    optional: Mapping[Type, str] = field(default_factory=dict)


def _types(
    plain: str, decimal: str, date: str, time: str, timestamp: str, field_type: str = "", nanos: str = "",
    key: Mapping[Type, str] | None = None, optional: Mapping[Type, str] | None = None,
) -> ColumnTypes:  # fmt: skip
    logical = {DECIMAL_NAME: decimal, DATE_NAME: date, TIME_NAME: time, TIMESTAMP_NAME: timestamp}
    of_field = field_type or timestamp
    names = dict(zip(_PLAIN, plain.split("|"), strict=True))
    return ColumnTypes(names, logical, of_field, nanos or of_field, key or {}, optional or {})


_DB2: Final = "SMALLINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|SMALLINT|VARCHAR(32672)|BLOB(64000)"

COLUMN_TYPES: Final[Mapping[str, ColumnTypes]] = {
    "PostgreSqlDatabaseDialect": _types(
        "SMALLINT|SMALLINT|INT|BIGINT|REAL|DOUBLE PRECISION|BOOLEAN|TEXT|BYTEA", "DECIMAL", "DATE", "TIME", "TIMESTAMP"
    ),
    "SqliteDatabaseDialect": _types(
        "INTEGER|INTEGER|INTEGER|INTEGER|REAL|REAL|INTEGER|TEXT|BLOB", "NUMERIC", "NUMERIC", "NUMERIC", "NUMERIC"
    ),
    # A key of type TEXT needs a length in MySQL, so that the JVM's connector cannot make such a table.
    "MySqlDatabaseDialect": _types(
        "TINYINT|SMALLINT|INT|BIGINT|FLOAT|DOUBLE|TINYINT|TEXT|VARBINARY(1024)", "DECIMAL(65,{scale})", "DATE", "TIME(3)",
        "DATETIME(3)", "DATETIME(6)", key={Type.STRING: "VARCHAR(255)", Type.BYTES: "VARBINARY(255)"},
    ),
    "SqlServerDatabaseDialect": _types(
        "tinyint|smallint|int|bigint|real|float|bit|varchar(max)|varbinary(max)", "decimal(38,{scale})", "date", "time",
        "datetime2", key={Type.STRING: "varchar(900)"},
    ),
    "OracleDatabaseDialect": _types(
        "NUMBER(3,0)|NUMBER(5,0)|NUMBER(10,0)|NUMBER(19,0)|BINARY_FLOAT|BINARY_DOUBLE|NUMBER(1,0)|VARCHAR2(4000)|BLOB",
        "NUMBER(*,{scale})", "DATE", "DATE", "TIMESTAMP", "TIMESTAMP(6)", "TIMESTAMP(9)",
    ),
    "Db2DatabaseDialect": _types(_DB2, "DECIMAL(31,{scale})", "DATE", "TIME", "TIMESTAMP", nanos="TIMESTAMP(9)"),
    "DerbyDatabaseDialect": _types(_DB2, "DECIMAL(31,{scale})", "DATE", "TIME", "TIMESTAMP"),
    "SapHanaDatabaseDialect": _types(
        "TINYINT|SMALLINT|INTEGER|BIGINT|REAL|DOUBLE|BOOLEAN|VARCHAR(1000)|BLOB", "DECIMAL", "DATE", "DATE", "TIMESTAMP"
    ),
    "SybaseDatabaseDialect": _types(
        "smallint|smallint|int|bigint|real|float|bit|text|image", "decimal(38,{scale})", "date", "time", "datetime",
        key={Type.STRING: "varchar(512)"}, optional={Type.BOOLEAN: "tinyint"},
    ),
    "VerticaDatabaseDialect": _types(
        "INT|INT|INT|INT|FLOAT|FLOAT|BOOLEAN|VARCHAR(1024)|VARBINARY(1024)", "DECIMAL(18,{scale})", "DATE", "TIME", "TIMESTAMP"
    ),
}  # fmt: skip
