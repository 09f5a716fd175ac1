"""The settings of the JDBC sink: their definition, and what a task reads out of them.

Names, order, groups, defaults and checks are those of ``io.confluent.connect.jdbc.sink.JdbcSinkConfig`` 10.9.7. The
settings of penstock's own come last and are left out of lists, as Kafka's own lists have them.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString, Range, ValidString, Width
from penstock.errors import ConfigError
from penstock_connectors.jdbc.settings import DialectNames, EnumChoice, credentials_provider
from penstock_connectors.jdbc.zones import TimeZoneValidator, time_zone

__all__ = ["CONFIG_DEF", "InsertMode", "PrimaryKeyMode", "SinkConfig"]


class InsertMode(enum.Enum):
    """The statement that writes a row."""

    INSERT = "insert"
    UPSERT = "upsert"
    UPDATE = "update"


class PrimaryKeyMode(enum.Enum):
    """The part of a record that key columns are filled from."""

    NONE = "none"
    KAFKA = "kafka"
    RECORD_KEY = "record_key"
    RECORD_VALUE = "record_value"


_HIGH, _MEDIUM, _LOW = Importance.HIGH, Importance.MEDIUM, Importance.LOW
_STRING, _INT, _BOOLEAN, _LIST = ConfigType.STRING, ConfigType.INT, ConfigType.BOOLEAN, ConfigType.LIST


class _DeleteRecommender:
    """Deletes are offered with ``pk.mode=record_key`` alone."""

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[Any]:
        return [True, False] if self.visible(name, parsed) else [False]

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return str(parsed.get("pk.mode")).lower() == PrimaryKeyMode.RECORD_KEY.value


class _KeyModeRecommender:
    """``record_key`` is the only mode where deletes are on."""

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[Any]:
        return [PrimaryKeyMode.RECORD_KEY.value] if parsed.get("delete.enabled") else [m.value for m in PrimaryKeyMode]

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return True


_QUOTES: Final = EnumChoice("always", "never")
_ZONES: Final = EnumChoice("db_timezone", "utc")
_PRECISIONS: Final = EnumChoice("microseconds", "nanoseconds")
_TABLE_TYPES: Final = EnumChoice("table", "partitioned table", "view")
#: The most that a table of offsets may be called; longer names are cut by some databases.
_OFFSETS_TABLE: Final = "penstock_sink_offsets"


def _connection(made: ConfigDef) -> ConfigDef:
    group, names = "Connection", DialectNames()
    made = (
        made.define("connection.url", _STRING, importance=_HIGH, group=group, order=1, width=Width.LONG, display_name="JDBC URL",
                    doc="The database: a JDBC URL such as jdbc:postgresql://host/db, jdbc:mysql://host/db or jdbc:sqlite:/path, or SQLAlchemy's.")
        .define("connection.user", _STRING, None, importance=_HIGH, group=group, order=2, width=Width.MEDIUM, display_name="JDBC User",
                doc="The user of the database.")
        .define("connection.password", ConfigType.PASSWORD, None, importance=_HIGH, group=group, order=3, width=Width.MEDIUM, display_name="JDBC Password",
                doc="The user's password.")
    )  # fmt: skip
    return (
        credentials_provider(made, group, 4)
        .define("dialect.name", _STRING, "", validator=names, recommender=names, importance=_LOW, group=group, order=5, width=Width.LONG,
                display_name="Database Dialect", doc="The kind of database; empty: the URL says it.")
        .define("connection.attempts", _INT, 3, validator=Range.at_least(1), importance=_LOW, group=group, order=6, width=Width.SHORT,
                display_name="JDBC connection attempts", doc="How often a connection is tried before that counts as an error.")
        .define("connection.backoff.ms", ConfigType.LONG, 10000, importance=_LOW, group=group, order=7, width=Width.SHORT,
                display_name="JDBC connection backoff in milliseconds", doc="The pause between two attempts to connect.")
    )  # fmt: skip


def _writes(made: ConfigDef) -> ConfigDef:
    group = "Writes"
    return (
        made.define("insert.mode", _STRING, "insert", validator=EnumChoice("insert", "upsert", "update"), importance=_HIGH, group=group, order=1,
                    width=Width.MEDIUM, display_name="Insert Mode",
                    doc="The statement that writes a record: 'insert'; 'upsert', which replaces the row of the same key in the way of the database; 'update', which changes rows that are there and makes none.")
        .define("batch.size", _INT, 3000, validator=Range.at_least(0), importance=_MEDIUM, group=group, order=2, width=Width.SHORT, display_name="Batch Size",
                doc="How many records of a table are sent to the database together, at most.")
        .define("delete.enabled", _BOOLEAN, "false", importance=_MEDIUM, group=group, order=3, width=Width.SHORT, display_name="Enable deletes",
                recommender=_DeleteRecommender(),
                doc="Whether a record whose value is null deletes the row of its key. Needs pk.mode=record_key.")
        .define("table.types", _LIST, "TABLE", validator=_TABLE_TYPES, importance=_LOW, group=group, order=4, width=Width.MEDIUM, display_name="Table Types",
                doc="The kinds of tables that may be written to: TABLE, PARTITIONED TABLE, VIEW. Columns are added to a TABLE alone.")
        .define("replace.null.with.default", _BOOLEAN, "true", importance=_LOW, group=group, order=5, width=Width.MEDIUM,
                display_name="Replace null value with default value",
                doc="Whether a field that is null is written as its schema's default. The converter's setting of the same name comes first.")
    )  # fmt: skip


def _mapping(made: ConfigDef) -> ConfigDef:
    group, medium = "Data Mapping", Width.MEDIUM
    return (
        made.define("table.name.format", _STRING, "${topic}", validator=NonEmptyString(), importance=_MEDIUM, group=group, order=1, width=Width.LONG,
                    display_name="Table Name Format",
                    doc="The table's name; ${topic} stands for the record's topic. A dot in the outcome separates schema and table, unless it is quoted.")
        .define("pk.mode", _STRING, "none", validator=EnumChoice("none", "kafka", "record_key", "record_value"), importance=_HIGH, group=group, order=2,
                width=medium, display_name="Primary Key Mode", recommender=_KeyModeRecommender(),
                doc="Where the key columns come from: 'none', there are none; 'kafka', topic, partition and offset; 'record_key', the record's key; 'record_value', fields of its value.")
        .define("pk.fields", _LIST, "", importance=_MEDIUM, group=group, order=3, width=Width.LONG, display_name="Primary Key Fields",
                doc="The key columns. With pk.mode=kafka their three names; with record_key the fields of the key, or the name of the one column for a primitive key; with record_value the fields of the value. Empty: all fields.")
        .define("fields.whitelist", _LIST, "", importance=_MEDIUM, group=group, order=4, width=Width.LONG, display_name="Fields Whitelist",
                doc="The fields of the value that are written; empty: all. Key columns are written in any case.")
        .define("db.timezone", _STRING, "UTC", validator=TimeZoneValidator(), importance=_MEDIUM, group=group, order=5, width=medium, display_name="DB Time Zone",
                doc="The time zone that Time, Timestamp and Date are written in.")
        .define("date.timezone", _STRING, "DB_TIMEZONE", validator=_ZONES, recommender=_ZONES, importance=_LOW, group=group, order=6,
                width=medium, display_name="Time Zone used for Date",
                doc="The time zone that Date is written in: db.timezone's, which west of Greenwich makes it a day early, or UTC, which keeps the day.")
        .define("timestamp.fields.list", _LIST, "", importance=_MEDIUM, group=group, order=7, width=medium, display_name="Timestamp Fields Whitelist",
                doc="Fields of type INT64 or STRING that hold a time since the epoch and are written as timestamps.")
        .define("timestamp.precision.mode", _STRING, "MICROSECONDS", validator=_PRECISIONS, recommender=_PRECISIONS, importance=_LOW,
                group=group, order=8, width=medium, display_name="Sink Timestamp Precision mode",
                doc="What the fields of timestamp.fields.list count: microseconds or nanoseconds.")
        .define("date.calendar.system", _STRING, "LEGACY", validator=ValidString("LEGACY", "PROLEPTIC_GREGORIAN"), importance=_LOW, group=group, order=9,
                width=medium, display_name="Date Calendar System",
                doc="The calendar that dates before 15 October 1582 are written in: LEGACY, the Julian one, or PROLEPTIC_GREGORIAN.")
        .define("string.output.value.column.name", _STRING, "record_value", validator=NonEmptyString(), importance=_LOW, group=group, order=10, width=medium,
                display_name="String Value Column Name", doc="The column that a value of type STRING is written to.")
    )  # fmt: skip


def _statements(made: ConfigDef) -> ConfigDef:
    ddl, retries, short = "DDL Support", "Retries", Width.SHORT
    return (
        made.define("auto.create", _BOOLEAN, "false", importance=_MEDIUM, group=ddl, order=1, width=short, display_name="Auto-Create",
                    doc="Whether a table that is missing is made from the records' schemas.")
        .define("auto.evolve", _BOOLEAN, "false", importance=_MEDIUM, group=ddl, order=2, width=short, display_name="Auto-Evolve",
                doc="Whether columns that are missing are added; they must be optional or have a default.")
        .define("quote.sql.identifiers", _STRING, "ALWAYS", recommender=_QUOTES, importance=_MEDIUM, group=ddl, order=3, width=Width.MEDIUM,
                display_name="Quote Identifiers", doc="Whether names of tables and columns are quoted in statements: always or never.")
        .define("mssql.use.merge.holdlock", _BOOLEAN, "true", importance=_LOW, group="DML Support", order=1, width=Width.MEDIUM,
                display_name="SQL Server - Use HOLDLOCK in MERGE", doc="Whether upserts into SQL Server hold the range's lock, so that two writers cannot insert the same key.")
        .define("max.retries", _INT, 10, validator=Range.at_least(0), importance=_MEDIUM, group=retries, order=1, width=short, display_name="Maximum Retries",
                doc="How often a batch is tried again after an error of the database, before the task fails or reports its records.")
        .define("retry.backoff.ms", _INT, 3000, validator=Range.at_least(0), importance=_MEDIUM, group=retries, order=2, width=short,
                display_name="Retry Backoff (millis)", doc="The pause before a batch is tried again.")
        .define("trim.sensitive.log", _BOOLEAN, "false", importance=_LOW, group="", doc="")
    )  # fmt: skip


def _own(made: ConfigDef) -> ConfigDef:
    return (
        made.define("exactly.once", _BOOLEAN, "false", importance=_MEDIUM, internal=True,
                    doc="Whether offsets are kept in a table of the same database and written in the rows' transaction, so that each record is written once.")
        .define("exactly.once.table", _STRING, _OFFSETS_TABLE, validator=NonEmptyString(), importance=_LOW, internal=True,
                doc="The table of offsets for exactly.once=true; it is made if it is not there.")
        .define("schemaless.enable", _BOOLEAN, "false", importance=_MEDIUM, internal=True,
                doc="Whether objects without a schema are written: each member to the column of its name, as the type that the table has there.")
        .define("retry.on", _STRING, "any", validator=ValidString("any", "transient"), importance=_LOW, internal=True,
                doc="The errors that a batch is tried again after: 'any', or 'transient', those of the connection, locks, time-outs and space. With 'transient' other errors are reported or fail the task at once.")
        .define("unfit.records", _STRING, "fail", validator=ValidString("fail", "report"), importance=_LOW, internal=True,
                doc="Records that do not fit the settings, such as a null value without delete.enabled or a value without a schema: 'fail' the task, as with the JVM's connector, or 'report' them as those are that the database refuses.")
        .define("plan.value.schema", _STRING, None, importance=_LOW, internal=True,
                doc="A value's schema as JsonConverter writes it. Validation then answers with the statements that would make or change the table, as recommended values of this setting. A running connector ignores it.")
        .define("plan.key.schema", _STRING, None, importance=_LOW, internal=True, doc="The key's schema that goes with plan.value.schema.")
    )  # fmt: skip


CONFIG_DEF: Final = _own(_statements(_mapping(_writes(_connection(ConfigDef())))))


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """The settings that the task's parts read, checked. `parsed` has all of them."""

    parsed: Mapping[str, Any]
    connector_name: str
    insert_mode: InsertMode
    pk_mode: PrimaryKeyMode
    pk_fields: tuple[str, ...]
    fields_whitelist: frozenset[str]
    timestamp_fields: frozenset[str]
    nanoseconds: bool
    proleptic: bool
    zone: dt.tzinfo
    date_zone: dt.tzinfo
    string_column: str
    table_format: str
    table_types: frozenset[str]
    batch_size: int
    delete_enabled: bool
    auto_create: bool
    auto_evolve: bool
    fill_defaults: bool
    hold_lock: bool

    @classmethod
    def parse(cls, props: Mapping[str, Any]) -> Self:
        """Return the settings in `props`. Raise `ConfigError` for what is wrong in one or in two together."""
        parsed = CONFIG_DEF.parse(props)
        zone = time_zone("db.timezone", parsed["db.timezone"])
        key_mode = PrimaryKeyMode(parsed["pk.mode"].lower())
        if parsed["delete.enabled"] and key_mode is not PrimaryKeyMode.RECORD_KEY:
            raise ConfigError("Primary key mode must be 'record_key' when delete support is enabled")
        return cls(
            parsed=parsed,
            connector_name=str(props.get("name", "")),
            insert_mode=InsertMode(parsed["insert.mode"].lower()),
            pk_mode=key_mode,
            pk_fields=tuple(parsed["pk.fields"]),
            fields_whitelist=frozenset(parsed["fields.whitelist"]),
            timestamp_fields=frozenset(parsed["timestamp.fields.list"]),
            nanoseconds=parsed["timestamp.precision.mode"].lower() == "nanoseconds",
            proleptic=parsed["date.calendar.system"] == "PROLEPTIC_GREGORIAN",
            zone=zone,
            date_zone=dt.UTC if parsed["date.timezone"].lower() == "utc" else zone,
            string_column=parsed["string.output.value.column.name"],
            table_format=parsed["table.name.format"].strip(),
            table_types=frozenset(kind.upper() for kind in parsed["table.types"]),
            batch_size=max(1, parsed["batch.size"]),
            delete_enabled=parsed["delete.enabled"],
            auto_create=parsed["auto.create"],
            auto_evolve=parsed["auto.evolve"],
            fill_defaults=parsed["replace.null.with.default"],
            hold_lock=parsed["mssql.use.merge.holdlock"],
        )
