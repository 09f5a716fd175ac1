"""The source's settings: names, types, defaults, groups and order are those of ``JdbcSourceConnectorConfig``.

The settings that penstock adds stand at the end, and in no list that a JVM's worker would answer with.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from penstock.config import ConfigDef, ConfigType, Importance, Range, ValidString, Width
from penstock_connectors.jdbc.settings import DialectNames, EnumChoice, credentials_provider
from penstock_connectors.jdbc.source import names
from penstock_connectors.jdbc.source.checks import ColumnMapping, ModeDependents, RegexList, TopicPrefix, VisibleNever
from penstock_connectors.jdbc.zones import TimeZoneValidator

__all__ = ["CONFIG_DEF", "OWN_KEYS", "TASK_CONFIG_DEF"]

_T, _I, _W = ConfigType, Importance, Width
_MODE_KEYS: Final = (
    names.INCREMENTING_NAME, names.TIMESTAMP_NAMES, names.INCREMENTING_MAPPING, names.TIMESTAMP_MAPPING, "validate.non.null",
)  # fmt: skip


class _Group:
    """Defines settings that belong to one group, in its order."""

    def __init__(self, definition: ConfigDef, group: str) -> None:
        self._definition, self._group, self.order = definition, group, 0

    def __call__(self, name: str, kind: ConfigType, default: Any, importance: Importance, width: Width, title: str, doc: str, **more: Any) -> None:  # fmt: skip
        self.order += 1
        recommender = more.pop("recommender", None)
        self._definition.define(
            name, kind, default, importance=importance, doc=doc, group=self._group, order=self.order, width=width,
            display_name=title, recommender=recommender, **more,
        )  # fmt: skip


def _database(definition: ConfigDef) -> None:
    put = _Group(definition, "Database")
    put("connection.url", _T.STRING, "", _I.HIGH, _W.LONG, "JDBC URL", dependents=(names.WHITELIST, names.BLACKLIST),
        doc="The database: a JDBC URL (jdbc:postgresql:, jdbc:sqlite:, jdbc:mysql:, jdbc:mariadb:, jdbc:sqlserver:, jdbc:oracle:thin:) or a SQLAlchemy URL that names a database.")  # fmt: skip
    put("connection.user", _T.STRING, None, _I.HIGH, _W.LONG, "JDBC User",
        doc="The user to connect as.")  # fmt: skip
    put("connection.password", _T.PASSWORD, None, _I.HIGH, _W.SHORT, "JDBC Password",
        doc="The user's password.")  # fmt: skip
    put.order += 1
    credentials_provider(definition, "Database", put.order)
    put("connection.attempts", _T.INT, 3, _I.LOW, _W.SHORT, "JDBC connection attempts", validator=Range.at_least(1),
        doc="How often to try to connect before it counts as an error.")  # fmt: skip
    put("connection.backoff.ms", _T.LONG, 10000, _I.LOW, _W.SHORT, "JDBC connection backoff in milliseconds",
        doc="The pause between two attempts to connect.")  # fmt: skip
    put(names.WHITELIST, _T.LIST, "", _I.MEDIUM, _W.LONG, "Table Whitelist",
        doc="Tables to read, each by its name, schema.name or quoted name; letter case counts.")  # fmt: skip
    put(names.BLACKLIST, _T.LIST, "", _I.MEDIUM, _W.LONG, "Table Blacklist",
        doc="Tables not to read; all others are.")  # fmt: skip
    put(names.INCLUDE_LIST, _T.LIST, [], _I.MEDIUM, _W.LONG, "Tables Included (Regex)", validator=RegexList(),
        doc="Java regular expressions of tables to read; each must match the whole of schema.table.")  # fmt: skip
    put(names.EXCLUDE_LIST, _T.LIST, [], _I.MEDIUM, _W.LONG, "Tables Excluded (Regex)", validator=RegexList(),
        doc="Java regular expressions of tables not to read although table.include.list matches them.")  # fmt: skip
    put("catalog.pattern", _T.STRING, None, _I.MEDIUM, _W.SHORT, "Schema pattern",
        doc="A LIKE pattern of the catalogs to look for tables in.")  # fmt: skip
    put("schema.pattern", _T.STRING, None, _I.HIGH, _W.SHORT, "Schema pattern",
        doc="A LIKE pattern of the schemas to look for tables in.")  # fmt: skip
    put("numeric.precision.mapping", _T.BOOLEAN, False, _I.LOW, _W.SHORT, "Map Numeric Values By Precision (deprecated)",
        doc="The former way to say numeric.mapping=precision_only.")  # fmt: skip
    numeric = EnumChoice(*names.NUMERIC_MAPPINGS)
    put("numeric.mapping", _T.STRING, None, _I.LOW, _W.SHORT, "Map Numeric Values, Integral or Decimal, By Precision and Scale", validator=numeric, recommender=numeric,
        doc="Which NUMERIC columns become integers or doubles in place of Decimals: none, precision_only (scale 0 and up to 18 digits), best_fit (also those with a scale), best_fit_eager_double (all with a scale).")  # fmt: skip
    put("dialect.name", _T.STRING, "", _I.LOW, _W.LONG, "Database Dialect", validator=DialectNames(), recommender=DialectNames(),
        doc="The dialect to use; empty for the one that the URL calls for.")  # fmt: skip
    put("date.calendar.system", _T.STRING, "LEGACY", _I.LOW, _W.MEDIUM, "Date Calendar System", validator=ValidString("LEGACY", "PROLEPTIC_GREGORIAN"),
        doc="How days before 1582-10-15 are counted: as java.util.Date does (LEGACY), or by today's calendar carried back.")  # fmt: skip


def _mode(definition: ConfigDef) -> None:
    put = _Group(definition, "Mode")
    depends = ModeDependents()
    put("mode", _T.STRING, "", _I.HIGH, _W.MEDIUM, "Table Loading Mode", validator=ValidString(*names.MODES), dependents=_MODE_KEYS,
        doc="How new rows are found: bulk (the whole table each time), incrementing (a growing column), timestamp (a column of the last change), timestamp+incrementing.")  # fmt: skip
    put(names.INCREMENTING_NAME, _T.STRING, "", _I.MEDIUM, _W.MEDIUM, "Incrementing Column Name", recommender=depends,
        doc="The growing column; empty for the table's first auto-incremented one.")  # fmt: skip
    put(names.TIMESTAMP_NAMES, _T.LIST, "", _I.MEDIUM, _W.MEDIUM, "Timestamp Column Name", recommender=depends,
        doc="The columns of the last change; the first that is not null counts.")  # fmt: skip
    put(names.TIMESTAMP_MAPPING, _T.LIST, [], _I.MEDIUM, _W.LONG, "Table to timestamp columns mappings", recommender=depends, validator=ColumnMapping(several=True),
        doc="regex:[column|column]: the timestamp columns of the tables that the regex matches.")  # fmt: skip
    put(names.INCREMENTING_MAPPING, _T.LIST, [], _I.MEDIUM, _W.LONG, "Table to incrementing column mappings", recommender=depends, validator=ColumnMapping(several=False),
        doc="regex:column: the incrementing column of the tables that the regex matches.")  # fmt: skip
    put("timestamp.initial", _T.LONG, None, _I.LOW, _W.MEDIUM, "Unix time value of initial timestamp", recommender=depends,
        doc="Where to begin without an offset, in milliseconds since 1970; -1 for the database's now.")  # fmt: skip
    put("validate.non.null", _T.BOOLEAN, True, _I.LOW, _W.SHORT, "Validate Non Null", recommender=depends,
        doc="Whether to refuse tables whose incrementing column, or all of whose timestamp columns, may be null.")  # fmt: skip
    put(names.QUERY, _T.STRING, "", _I.MEDIUM, _W.SHORT, "Query",
        doc="A SELECT to read in place of tables. The modes but bulk add WHERE and ORDER BY to it, so put one that has its own into a sub-select.")  # fmt: skip
    put(names.QUERY_MASKED, _T.PASSWORD, "", _I.MEDIUM, _W.SHORT, "Query (Masked)", recommender=VisibleNever(),
        doc="As query, and shown nowhere.")  # fmt: skip
    put("quote.sql.identifiers", _T.STRING, "ALWAYS", _I.MEDIUM, _W.MEDIUM, "Quote Identifiers", recommender=EnumChoice("ALWAYS", "NEVER"),
        doc="When to quote names of tables and columns in statements: always or never.")  # fmt: skip
    put("query.suffix", _T.STRING, "", _I.LOW, _W.MEDIUM, "Query suffix",
        doc="A text to put at the end of each query.")  # fmt: skip
    put(names.ISOLATION, _T.STRING, "DEFAULT", _I.LOW, _W.MEDIUM, "Transaction Isolation Mode", recommender=EnumChoice(*names.ISOLATION_MODES),
        doc="The isolation level of the reading transactions.")  # fmt: skip
    put("query.retry.attempts", _T.INT, -1, _I.LOW, _W.MEDIUM, "Query Retry Attempts",
        doc="How often a query may fail before the task does; without limit below 1.")  # fmt: skip


def _connector(definition: ConfigDef) -> None:
    put = _Group(definition, "Connector")
    put("table.types", _T.LIST, "TABLE", _I.LOW, _W.MEDIUM, "Table Types",
        doc="The types of tables to read: TABLE, VIEW and what else the database has.")  # fmt: skip
    put("poll.interval.ms", _T.INT, 5000, _I.HIGH, _W.SHORT, "Poll Interval (ms)",
        doc="The pause between two queries of one table.")  # fmt: skip
    put("batch.max.rows", _T.INT, 1000, _I.LOW, _W.SHORT, "Max Rows Per Batch",
        doc="How many rows to fetch, and to hand over, at once.")  # fmt: skip
    put("max.buffer.size", _T.INT, 0, _I.LOW, _W.SHORT, "Maximum Buffer Size",
        doc="How many rows may wait in the task at most; 0 for four times batch.max.rows.")  # fmt: skip
    put("poll.linger.ms", _T.LONG, 5000, _I.LOW, _W.SHORT, "Poll Linger Milliseconds",
        doc="How long to wait for a row before an empty batch is handed over.")  # fmt: skip
    definition.define("table.monitoring.startup.polling.limit.ms", _T.LONG, 10000, importance=_I.LOW, doc="", group="")
    put("table.poll.interval.ms", _T.LONG, 60000, _I.LOW, _W.SHORT, "Metadata Change Monitoring Interval (ms)",
        doc="How often to look for new and dropped tables.")  # fmt: skip
    put("topic.prefix", _T.STRING, "", _I.HIGH, _W.MEDIUM, "Topic Prefix", validator=TopicPrefix(),
        doc="The beginning of the topics' names, before the table's name; for a query the whole name.")  # fmt: skip
    put("timestamp.delay.interval.ms", _T.LONG, 0, _I.HIGH, _W.MEDIUM, "Delay Interval (ms)",
        doc="How old a row's timestamp must be before the row is read, so that transactions can end.")  # fmt: skip
    put("db.timezone", _T.STRING, "UTC", _I.MEDIUM, _W.MEDIUM, "DB time zone", validator=TimeZoneValidator(),
        doc="The zone of columns that hold a date and time without one.")  # fmt: skip
    granularity = EnumChoice(*names.GRANULARITIES)
    put("timestamp.granularity", _T.STRING, "connect_logical", _I.LOW, _W.MEDIUM, "Timestamp granularity for timestamp columns", validator=granularity, recommender=granularity,
        doc="What timestamps become: connect_logical (milliseconds), or microseconds or nanoseconds as a number, its text, or an ISO text.")  # fmt: skip


def _own(definition: ConfigDef) -> None:
    put = partial(_Group(definition, "Beyond kafka-connect-jdbc"), internal=True)
    put(names.KEY_MODE, _T.STRING, "none", _I.MEDIUM, _W.MEDIUM, "Key Mode", validator=ValidString("none", "primary_key", "columns"),
        doc="The record's key: none, a struct of the table's primary_key, or of the columns that key.columns names.")  # fmt: skip
    put(names.KEY_COLUMNS, _T.LIST, "", _I.MEDIUM, _W.LONG, "Key Columns",
        doc="The columns of the key, with key.mode=columns.")  # fmt: skip
    put(names.COLUMNS_INCLUDE, _T.LIST, "", _I.MEDIUM, _W.LONG, "Columns Included",
        doc="The columns to put into records; empty for all. Columns that the mode and the key need are read anyway.")  # fmt: skip
    put(names.COLUMNS_EXCLUDE, _T.LIST, "", _I.MEDIUM, _W.LONG, "Columns Excluded",
        doc="Columns to leave out of records.")  # fmt: skip
    put(names.TYPE_FALLBACK, _T.STRING, "drop", _I.MEDIUM, _W.SHORT, "Unmapped Types", validator=ValidString("drop", "map", "fail"),
        doc="Columns of types that Connect has none for: drop (as the JVM's connector does), map (arrays to arrays, the rest to the database's text), or fail.")  # fmt: skip
    put(names.LATE_COMMITS, _T.STRING, "ignore", _I.MEDIUM, _W.SHORT, "Late Commits", validator=ValidString("ignore", "wait"),
        doc="Rows of transactions that commit after later rows were read: ignore (they are missed, as in the JVM's connector) or wait (later rows are held back until they are safe).")  # fmt: skip
    put(names.LATE_COMMITS_LAG, _T.LONG, 10000, _I.LOW, _W.SHORT, "Late Commits Lag (ms)", validator=Range.at_least(0),
        doc="With late.commits=wait, on databases that do not tell which transactions are open: how long rows are held back.")  # fmt: skip


def _made(own: bool) -> ConfigDef:
    definition = ConfigDef()
    _database(definition)
    _mode(definition)
    _connector(definition)
    if own:
        _own(definition)
    return definition


CONFIG_DEF: Final = _made(own=True)
#: The settings that the JVM's connector does not have.
OWN_KEYS: Final = frozenset(CONFIG_DEF.names - _made(own=False).names)
TASK_CONFIG_DEF: Final = (
    ConfigDef(CONFIG_DEF)
    .define(names.TABLES, _T.STRING, "", importance=_I.HIGH, doc="The tables of this task.", internal=True)
    .define(names.TABLES_FETCHED, _T.BOOLEAN, False, importance=_I.HIGH, doc="Whether the list of tables was read.", internal=True)
)  # fmt: skip
