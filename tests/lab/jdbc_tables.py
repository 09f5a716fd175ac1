"""A table of SQLite or PostgreSQL as scenarios describe it: its columns, and all rows in the order of their values."""

from __future__ import annotations

from typing import Any

__all__ = ["postgres_table", "sqlite_table"]

_POSTGRES_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
  coalesce((SELECT array_position(i.indkey::int2[], a.attnum) FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary), -1) + 1
FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_namespace s ON s.oid = r.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE s.nspname = %s AND r.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


def sqlite_table(connection: Any, table: str) -> dict[str, Any]:
    """Return columns and rows; a blob is ``{"hex": …}``."""
    quoted = _quoted(table)
    columns = [
        {"name": name, "type": kind, "null": not required, "default": default, "pk": key}
        for _, name, kind, required, default, key in connection.execute(f"PRAGMA table_info({quoted})")
    ]
    if not columns:
        return {"table": table, "absent": True}
    names = ",".join(_quoted(column["name"]) for column in columns)
    order = ",".join(str(place + 1) for place in range(len(columns)))
    rows = connection.execute(f"SELECT {names} FROM {quoted} ORDER BY {order}").fetchall()
    shown = [[{"hex": value.hex()} if isinstance(value, bytes) else value for value in row] for row in rows]
    return {"table": table, "columns": columns, "rows": shown}


def postgres_table(connection: Any, table: str, dotted: bool) -> dict[str, Any]:
    """Return columns and rows, values as texts in UTC. A dot in `table` follows a schema's name unless `dotted`."""
    schema, _, name = table.rpartition(".") if "." in table and not dotted else ("public", "", table)
    columns = [
        {"name": column, "type": kind, "null": not required, "default": default, "pk": key}
        for column, kind, required, default, key in connection.execute(_POSTGRES_COLUMNS, (schema, name)).fetchall()
    ]
    if not columns:
        return {"table": table, "absent": True}
    texts = [f"{_quoted(column['name'])}::text" for column in columns]
    order = ",".join(f'{text} COLLATE "C"' for text in texts)
    connection.execute("SET TIME ZONE 'UTC'")
    query = f"SELECT {','.join(texts)} FROM {_quoted(schema)}.{_quoted(name)} ORDER BY {order}"
    return {"table": table, "columns": columns, "rows": [list(row) for row in connection.execute(query).fetchall()]}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
