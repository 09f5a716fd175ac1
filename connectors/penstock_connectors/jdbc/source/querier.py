"""`Querier`: one table or query, asked again and again, with the offset it has come to (``TableQuerier`` and its heirs)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from penstock.data import SourceRecord
from penstock.errors import ConnectError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.source.criteria import Criteria, criteria_for
from penstock_connectors.jdbc.source.offsets import Offset
from penstock_connectors.jdbc.source.reading import Reader, RowStream
from penstock_connectors.jdbc.source.rows import RowOptions, RowPlan, RowSettings, plan_rows
from penstock_connectors.jdbc.tables import TableId

__all__ = ["Bounds", "Querier", "QuerierSettings"]

log = logging.getLogger(__name__)


class Bounds(Protocol):
    """Tells how far rows may be read so that none of a late commit is missed."""

    def limits(
        self, connection: DatabaseConnection, after: int, end: int | None
    ) -> tuple[int | None, int | None] | None:
        """Return the id and the instant to stop at; None in place of one that has no bound; None alone to read nothing now.

        `after` is the id that was read last, `end` the instant that the settings call for.
        """


@dataclass(frozen=True)
class QuerierSettings:
    """A table or a query, and how it is read."""

    options: RowOptions
    rows: RowSettings
    #: The table, None for a query.
    table: TableId | None
    query: str | None
    suffix: str = ""
    batch: int = 1000
    delay_ms: int = 0
    #: Whether the query's text must stay out of logs.
    masked: bool = False
    #: Whether the incrementing column is to be found: the table's first auto-incremented one.
    find_incrementing: bool = False
    bounds: Bounds | None = None


class Querier:
    """One table or query. Used by one thread.

    `start` begins a query, `fetch` hands over its records until there are none, `finish` ends it. After an error
    `finish` does, too; the next `start` goes on after the last record that was handed over.
    """

    def __init__(self, settings: QuerierSettings, reader: Reader, offset: Offset) -> None:
        self.settings, self.reader, self.offset = settings, reader, offset
        #: The time of the last query's end, on the caller's clock; None before the first.
        self.last_end: float | None = None
        self.attempts = 0
        self._stream: RowStream | None = None
        self._plan: RowPlan | None = None
        #: The columns that the plan was made for.
        self._shape: list[tuple[Any, ...]] = []
        #: Whether the result at hand has been compared with them.
        self._is_described = False
        self._held: list[tuple[Any, ...]] = []
        self._ended = False
        self._logged = ""
        #: Whether the timestamp columns hold points in time; None until asked.
        self._instants: bool | None = None

    @property
    def name(self) -> str:
        """Return the table, or a word for the query, for messages."""
        table = self.settings.table
        return f"table {table}" if table is not None else "the query"

    @property
    def order(self) -> tuple[float, str]:
        """Return the rank among the queriers of a task: the longest waiting first."""
        return (self.last_end or 0.0, self.settings.table.fqn if self.settings.table else "")

    def start(self, connection: DatabaseConnection) -> None:
        """Run the query from the offset on."""
        options = self.settings.options
        if self.settings.find_incrementing and options.incrementing == "":
            self._find_incrementing(connection)
            options = self.settings.options
        end = self._end(connection) if options.timestamps else None
        if options.timestamps and self._instants is None:
            self._instants = self.reader.are_instants(connection, self._source(), options.timestamps)
        top: int | None = None
        if self.settings.bounds is not None:
            limits = self.settings.bounds.limits(connection, self.offset.after_id, end)
            if limits is None:
                self._ended = True
                return
            top, end = limits
        criteria = criteria_for(self.reader.dialect.quoting, options.incrementing, options.timestamps, top is not None)
        statement = self._statement(criteria)
        values = self._values(end, top)
        parameters = [values[name] for name in criteria.values]
        text = self.reader.dialect.statement(statement) if parameters else statement
        whole = self.settings.table if self.settings.query is None else None
        self._stream = self.reader.open(connection, text, parameters, self.settings.batch, whole)
        self._ended = False

    def fetch(self) -> list[SourceRecord]:
        """Return the next records of the query, none at its end."""
        while not self._ended:
            assert self._stream is not None
            rows = self._stream.fetch()
            if not rows:
                self._ended = True
                rows, self._held = self._held, []
                return self._timed(rows, None) if rows else []
            if not self._is_described:
                self._describe(rows)
            made = self._records(rows)
            if made:
                return made
        return []

    def finish(self, now: float) -> None:
        """End the query, and note the time of its end."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        self._held, self._ended, self._is_described = [], False, False
        self.last_end = now

    # --- statements

    def _find_incrementing(self, connection: DatabaseConnection) -> None:
        table = self.settings.table
        assert table is not None
        for column in self.reader.dialect.columns(connection, table):
            if column.auto_increment:
                options = replace(self.settings.options, incrementing=column.name)
                self.settings = replace(self.settings, options=options)
                log.info("Reading %s by its auto-incremented column %s", self.name, column.name)
                return
        raise ConnectError(
            f"{self.name.capitalize()} has no auto-incremented column to read by; name one in incrementing.column.name"
        )

    def _end(self, connection: DatabaseConnection) -> int:
        return self.reader.now(connection) // 1000 * 1000 - self.settings.delay_ms * 1000

    def _source(self) -> str:
        table = self.settings.table
        return f"({self.settings.query}) penstock_source" if table is None else self.reader.dialect.table_sql(table)

    def _statement(self, criteria: Criteria) -> str:
        query = self.settings.query
        if query is None:
            assert self.settings.table is not None
            query = f"SELECT * FROM {self.reader.dialect.table_sql(self.settings.table)}"
        statement = query + criteria.text + (f" {self.settings.suffix}" if self.settings.suffix else "")
        if statement != self._logged:
            self._logged = statement
            shown = "<query is masked>" if self.settings.masked else statement.replace("\0?\0", "?")
            log.info("Begin using SQL query: %s", shown)
        return statement

    def _values(self, end: int | None, top: int | None) -> dict[str, Any]:
        values: dict[str, Any] = {"id": self.offset.after_id, "top": top}
        if end is not None:
            values["begin"] = self.reader.timestamp_parameter(self.offset.after_micros, bool(self._instants))
            values["end"] = self.reader.timestamp_parameter(end, bool(self._instants))
        return values

    # --- records

    def _describe(self, rows: Sequence[tuple[Any, ...]]) -> None:
        assert self._stream is not None
        columns = self._stream.columns(rows)
        shape = [(c.name, c.type, c.optional, c.precision, c.scale, c.signed, c.instant) for c in columns]
        if self._plan is None or self._shape != shape:
            self._plan = plan_rows(columns, self.settings.rows, self.settings.options)
            self._shape = shape
        self._is_described = True

    def _records(self, rows: list[tuple[Any, ...]]) -> list[SourceRecord]:
        plan = self._plan
        assert plan is not None
        if plan.instants is not None and plan.identifier is None:
            # The last row's time is committed once a later one is known, so it waits for the next rows.
            rows = self._held + rows
            self._held = rows[-1:]
            return self._timed(rows[:-1], rows[-1])
        made = plan.records(rows, None)
        if plan.identifier is not None:
            micros = None if plan.instants is None else plan.instants(rows[-1:])[0]
            self.offset = Offset(plan.identifier(rows[-1]), micros)
        return made

    def _timed(self, rows: list[tuple[Any, ...]], following: tuple[Any, ...] | None) -> list[SourceRecord]:
        """Return records by time alone: each has the offset of the last time all of whose rows have been read."""
        plan = self._plan
        assert plan is not None
        assert plan.instants is not None
        if not rows:
            return []
        times = plan.instants(rows)
        later = times[1:] + ([] if following is None else plan.instants([following]))
        offsets, offset = [], self.offset.to_map()
        last = self.offset.micros
        for place, micros in enumerate(times):
            if place >= len(later) or micros < later[place]:
                last, offset = micros, Offset(None, micros).to_map()
            offsets.append(offset)
        self.offset = Offset(None, last)
        return plan.records(rows, offsets)
